//go:build linux

package agent_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	rounds = flag.Int("rounds", 5, "bench: interleaved rounds of every row")
	bulk   = flag.Int("mails", 10_000, "bench: mails of the first capture")
	size   = flag.Int("size", 100_000, "bench: mails of a large mailbox; it is compared with a tenth of it")
	window = flag.Duration("idle", time.Minute, "bench: how long the idle agent is watched")
	only   = flag.String("only", "", "bench: some parts alone, such as icon,window")
)

// parts are what is measured, in this order.
var parts = []struct {
	name    string
	measure func(testing.TB, *report)
}{
	{"hop", benchNewMail}, {"capture", benchFirstCapture}, {"mailbox", benchMailbox}, {"dryrun", benchDryRun},
	{"backfill", benchBackfill}, {"icon", benchIcon}, {"window", benchWindow}, {"size", benchSize},
}

// BenchmarkPromises prints the numbers we promise, each beside its raw limit and a rival measured
// in the same rounds. A goal that is missed is printed as missed; only what does not work fails.
func BenchmarkPromises(b *testing.B) {
	needs(b, "mbsync", "dovecot", "dbus-daemon", "gnome-keyring-daemon", "Xvfb", "openbox", "xdotool", "gcc")
	r := newReport(os.Stdout)
	for _, part := range parts {
		if *only == "" || slices.Contains(strings.Split(*only, ","), part.name) {
			scoped(b, func(tb testing.TB) { part.measure(tb, r) })
		}
	}
	r.end()
	b.ReportMetric(0, "ns/op") // of a table it says nothing
}

// scope is a part of a test whose clean-up runs at its own end.
type scope struct {
	testing.TB
	undo []func()
}

func (s *scope) Cleanup(f func()) { s.undo = append(s.undo, f) }

func scoped(tb testing.TB, part func(testing.TB)) {
	s := &scope{TB: tb}
	defer func() {
		for _, f := range slices.Backward(s.undo) {
			f()
		}
	}()
	part(s)
}

// series is one figure per round.
type series []float64

func (s series) median() float64 { return s.percentile(50) }

// percentile is the nearest rank, and 0 of nothing.
func (s series) percentile(p int) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)*p+99)/100-1]
}

// per divides round by round.
func (s series) per(other series) series {
	q := make(series, len(s))
	for i := range s {
		q[i] = s[i] / other[i]
	}
	return q
}

// show writes the median, and the spread where there is one.
func (s series) show(unit string) string {
	if len(s) == 0 {
		return "-"
	}
	text := strings.TrimSpace(number(s.median()) + " " + unit)
	if low, high := number(slices.Min(s)), number(slices.Max(s)); low != high {
		text += fmt.Sprintf(" (%s-%s)", low, high)
	}
	return text
}

// number writes three digits that count, and all of them before the point.
func number(v float64) string {
	switch {
	case v == 0 || v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// row is one line of the table.
type row struct {
	what, unit       string
	ours, raw, rival series
	goal             goal
}

// goal is what was promised and what came of it; the zero value is no promise.
type goal struct {
	text string
	got  string
	met  bool
}

// atMost promises that the median of s does not exceed limit.
func atMost(limit float64, of string, s series) goal {
	return goal{strings.TrimSpace(fmt.Sprintf("<= %s %s", number(limit), of)), number(s.median()), s.median() <= limit}
}

// atLeast promises that the median of s reaches limit.
func atLeast(limit float64, of string, s series) goal {
	return goal{strings.TrimSpace(fmt.Sprintf(">= %s %s", number(limit), of)), number(s.median()), s.median() >= limit}
}

// report prints rows as they come, and remarks at the end.
type report struct {
	out    io.Writer
	notes  []string
	missed int
}

// moved is how far a raw limit may move between rounds before its row is doubtful.
const moved = 1.25

const layout = "%-40s %-27s %-27s %-27s %-16s %s\n"

func newReport(out io.Writer) *report {
	r := &report{out: out}
	fmt.Fprintf(out, "\n%d rounds, medians (and spread); %s\n\n", *rounds, machine())
	if load := loadAverage(); load > 1 {
		r.note("the machine was at work before the start: load %.1f", load)
	}
	fmt.Fprintf(out, layout, "", "hawser", "raw limit", "rival", "goal", "")
	return r
}

func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *report) add(w row) {
	verdict := ""
	if w.goal.text != "" {
		verdict = w.goal.got + ": met"
		if !w.goal.met {
			verdict = w.goal.got + ": MISSED"
			r.missed++
		}
	}
	fmt.Fprintf(r.out, layout, w.what, w.ours.show(w.unit), w.raw.show(w.unit), w.rival.show(w.unit), w.goal.text, verdict)
	if len(w.raw) > 1 && slices.Max(w.raw) > moved*slices.Min(w.raw) {
		r.note("%s: the raw limit itself moved by more than 25 %% between rounds, so the machine was not quiet", strings.TrimSpace(w.what))
	}
}

func (r *report) end() {
	fmt.Fprintln(r.out)
	for _, n := range r.notes {
		fmt.Fprintln(r.out, "note:", n)
	}
	if r.missed > 0 {
		fmt.Fprintf(r.out, "%d goals missed\n", r.missed)
	}
}
