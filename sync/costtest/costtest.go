// Package costtest holds code that reads foreign bytes to what one input may cost: a second of the
// processor and 32 MB. Its border is the process: everything that is allocated and everything that
// is computed meanwhile counts, so nothing else may run beside it. It starts nothing.
package costtest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What one input may cost. Memory is all that is allocated, counted together: never less than what
// is in use at any time.
const (
	MaxTime  = time.Second
	MaxBytes = 32 << 20
)

// tries is how often a costly input is read again before it fails: the processor's time includes the
// garbage of earlier inputs.
const tries = 3

var costs = flag.String("costs", "", "folder in which each fuzz target keeps the worst that an input has cost it")

// Allocated returns how many bytes f allocates in all.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Check calls f, which reads one input, and fails when that costs too much; f may be called again.
// It measures in the workers of a fuzzing run alone, each a process that reads one input at a time:
// elsewhere other tests run beside it, and f is merely called.
func Check(t *testing.T, f func()) {
	t.Helper()
	if worker := flag.Lookup("test.fuzzworker"); worker == nil || worker.Value.String() != "true" {
		f()
		return
	}
	var c cost
	for range tries {
		begun := used()
		c.Bytes = max(c.Bytes, Allocated(f))
		took := used() - begun
		if c.Time == 0 || took < c.Time {
			c.Time = took
		}
		if c.Time <= MaxTime {
			break
		}
	}
	if c.Time > MaxTime || c.Bytes > MaxBytes {
		t.Fatalf("took %v of the processor and %d KB", c.Time, c.Bytes>>10)
	}
	if *costs != "" {
		worst.note(t, c)
	}
}

// cost is what one input took, or the worst of several.
type cost struct {
	Time  time.Duration
	Bytes uint64
}

// worst is what the inputs of this worker took at worst. A worker is one target's.
var worst record

type record struct {
	cost
	Inputs int
}

// note keeps c where it is the worst, and in the folder: a worker has no output, and ends unasked.
func (r *record) note(t *testing.T, c cost) {
	r.Inputs++
	if c.Time <= r.Time && c.Bytes <= r.Bytes {
		return
	}
	r.Time, r.Bytes = max(r.Time, c.Time), max(r.Bytes, c.Bytes)
	target, _, _ := strings.Cut(t.Name(), "/")
	raw, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(filepath.Join(*costs, target), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
