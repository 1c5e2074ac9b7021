//go:build linux

package server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hawser/auth/reqsig"
)

var (
	benchRounds  = flag.Int("rounds", 5, "bench: interleaved rounds of every side")
	benchConns   = flag.Int("conns", 64, "bench: connections of the load")
	benchMany    = flag.Int("devices", 1_000_000, "bench: computers of the large database; 0: none")
	benchSides   = flag.String("sides", "sqlite,postgres", "bench: databases")
	benchProfile = flag.String("profile", "", "bench: folder for processor profiles of the servers")
)

const (
	benchFew  = 1_000  // computers of the small database; each may call 30 times at once
	benchWarm = 10_000 // requests before the clock starts, until files have the size that they keep
	benchFull = 12_000 // requests at full load
	benchHalf = 5_000  // requests at half load
)

// The goals.
const (
	goalSQLite, goalPostgres = 0.65, 0.50 // of bare net/http
	goalHalf                 = 2.0        // times its p99 at half load
	goalMany                 = 1.5        // times the small database's cost
)

// BenchmarkCheckIn prints what signed check-ins cost, each with a durable nonce, beside net/http that
// reads the same requests, decodes and encodes the same JSON and does nothing else. Every server is
// a process of its own, with the same settings of its runtime; one client of plain sockets, which
// costs little, loads each in turns. Requests are signed before the clock starts: that is the
// agents' work. A goal that is missed is printed as missed; only what does not work fails.
func BenchmarkCheckIn(b *testing.B) {
	b.ReportMetric(0, "ns/op") // of a table it says nothing
	bare := &side{name: "bare", start: startBare}
	sides := []*side{bare}
	for _, name := range strings.Split(*benchSides, ",") {
		for _, devices := range []int{benchFew, *benchMany} {
			if devices > 0 {
				sides = append(sides, newSide(b, name, devices))
			}
		}
	}
	fmt.Printf("\n%d rounds, medians (and spread); %d requests over %d connections each; client, servers and databases share this machine\n\n",
		*benchRounds, benchFull, *benchConns)
	var disk series
	for range *benchRounds {
		disk = append(disk, syncRate(b))
		for _, s := range sides[1:] {
			s.measure(b, nil)
		}
		bare.measure(b, sides[1:])
	}
	report := newTable(os.Stdout)
	fmt.Fprintf(os.Stdout, layout, "disk: 4 KiB made durable", disk.show("/s"), "-", "-", "", "")
	for i, s := range sides[1:] {
		report.side(s, bare)
		if s.devices != benchFew {
			report.many(s, sides[i])
		}
	}
	report.end()
}

// side is one of the things that are compared.
type side struct {
	name    string
	devices int
	start   func(b *testing.B) *child
	fleet   *fleet

	rate, cpu, db, p50, p99, half series
	atHalf, bareAtHalf            series // p99
	cold                          series // processor time of first calls
}

func newSide(b *testing.B, name string, devices int) *side {
	s := &side{name: name, devices: devices, fleet: newFleet(b, name, devices)}
	s.start = s.fleet.serve
	return s
}

// measure loads a new server, first as much as it takes and then half as much. Bare net/http runs at
// half of what each of the others took.
func (s *side) measure(b *testing.B, others []*side) {
	srv := s.start(b)
	defer srv.end(b)
	warm := benchWarm
	if s.fleet != nil {
		warm = max(warm, len(s.fleet.callers)) // each has called before the clock starts
	}
	requests := s.requests(b, srv, warm+benchFull+benchHalf*max(1, len(others)))
	send := func(n int, every time.Duration) []time.Duration {
		took := fire(b, srv.addr, requests[:n], every)
		requests = requests[n:]
		return took
	}
	cpu, db := srv.cpu(b), srv.dbTime(b)
	send(warm, 0)
	s.cold = append(s.cold, float64((srv.cpu(b)-cpu+srv.dbTime(b)-db).Microseconds())/float64(warm))
	srv.profile(b)
	cpu, db = srv.cpu(b), srv.dbTime(b)
	begun := time.Now()
	took := send(benchFull, 0)
	rate := benchFull / time.Since(begun).Seconds()
	s.rate = append(s.rate, rate)
	s.cpu = append(s.cpu, float64((srv.cpu(b)-cpu).Microseconds())/benchFull)
	s.db = append(s.db, float64((srv.dbTime(b)-db).Microseconds())/benchFull)
	s.p50, s.p99 = append(s.p50, millis(took, 50)), append(s.p99, millis(took, 99))
	srv.profiled(b, fmt.Sprintf("%s-%d", s.name, s.devices))
	if others == nil {
		s.half = append(s.half, rate/2)
		s.atHalf = append(s.atHalf, millis(send(benchHalf, pace(rate/2)), 99))
	}
	for _, o := range others {
		o.bareAtHalf = append(o.bareAtHalf, millis(send(benchHalf, pace(o.half[len(o.half)-1])), 99))
	}
}

func pace(rate float64) time.Duration { return time.Duration(float64(time.Second) / rate) }

func millis(took []time.Duration, p int) float64 {
	slices.Sort(took)
	return float64(took[(len(took)*p+99)/100-1].Microseconds()) / 1000
}

// requests are signed ones as they stand on the wire; bare net/http gets the same.
func (s *side) requests(b *testing.B, srv *child, n int) [][]byte {
	b.Helper()
	body := []byte(`{"report":` + report + `}`)
	all := make([][]byte, n)
	now := time.Now()
	for i := range all {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+srv.addr+"/v1/checkin", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		key := reqsig.SigningKey{ID: "d_00000000000000000000000000", Secret: make([]byte, 32)}
		if s.fleet != nil {
			// One after the other, so that no report of a large fleet takes the place of one before.
			key = s.fleet.callers[(s.fleet.next+i)%len(s.fleet.callers)].Signing()
		}
		if err := reqsig.Sign(req, key, now, rand.Reader); err != nil {
			b.Fatal(err)
		}
		var wire bytes.Buffer
		if err := req.Write(&wire); err != nil {
			b.Fatal(err)
		}
		all[i] = wire.Bytes()
	}
	if s.fleet != nil {
		s.fleet.next += len(all)
	}
	return all
}

// fire sends requests and returns how long each took. With a pace, time counts from the moment at
// which a request was due, so that a slow server is not asked less.
func fire(b *testing.B, addr string, requests [][]byte, every time.Duration) []time.Duration {
	b.Helper()
	took := make([]time.Duration, len(requests))
	var next, failed atomic.Int64
	var first sync.Once
	var wg sync.WaitGroup
	begun := time.Now()
	for range *benchConns {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			answers := bufio.NewReader(c)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return
				}
				due := time.Now()
				if every > 0 {
					due = begun.Add(time.Duration(i) * every)
					time.Sleep(time.Until(due))
				}
				status, err := exchange(c, answers, requests[i])
				took[i] = time.Since(due)
				if err != nil || status != "200" {
					failed.Add(1)
					first.Do(func() { b.Logf("answer %s, %v", status, err) })
				}
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d requests of %d failed", n, len(requests))
	}
	return took
}

// exchange is as little of HTTP/1.1 as will do.
func exchange(c net.Conn, answers *bufio.Reader, request []byte) (status string, err error) {
	if _, err := c.Write(request); err != nil {
		return "", err
	}
	length := 0
	for line := 0; ; line++ {
		text, err := answers.ReadSlice('\n')
		switch {
		case err != nil:
			return status, err
		case line == 0 && len(text) > 12:
			status = string(text[9:12])
		case len(text) <= 2:
			_, err = answers.Discard(length)
			return status, err
		case bytes.HasPrefix(text, []byte("Content-Length: ")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(text[16:])))
			if err != nil {
				return status, err
			}
		}
	}
}

// syncRate returns how often a second 4 KiB can be made durable.
func syncRate(b *testing.B) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const n = 200
	begun := time.Now()
	for range n {
		_, err := f.Write(make([]byte, 4<<10))
		if err = errors.Join(err, unix.Fdatasync(int(f.Fd()))); err != nil {
			b.Fatal(err)
		}
	}
	return n / time.Since(begun).Seconds()
}

// shuffled are n of the numbers below all, in no order.
func shuffled(n, all int) []int {
	dice := mrand.New(mrand.NewPCG(1, 2))
	seen, out := map[int]bool{}, make([]int, 0, n)
	for len(out) < n {
		if i := dice.IntN(all); !seen[i] {
			seen[i] = true
			out = append(out, i)
		}
	}
	return out
}

// series is one figure per round.
type series []float64

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s series) per(other series) series {
	q := make(series, len(s))
	for i := range s {
		q[i] = s[i] / other[i]
	}
	return q
}

func (s series) show(unit string) string {
	format := func(f float64) string {
		if f >= 100 {
			return fmt.Sprintf("%.0f", f)
		}
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%s %s (%s-%s)", format(s.median()), unit, format(slices.Min(s)), format(slices.Max(s)))
}

// table prints in the columns of the agent's promises.
type table struct {
	out    io.Writer
	missed int
}

const layout = "%-40s %-27s %-27s %-27s %-16s %s\n"

func newTable(out io.Writer) *table {
	fmt.Fprintf(out, layout, "", "hawserd", "bare net/http", "ratio", "goal", "")
	return &table{out: out}
}

func (t *table) row(what, unit string, ours, raw series) *table {
	fmt.Fprintf(t.out, layout, what, ours.show(unit), raw.show(unit), ours.per(raw).show("x"), "", "")
	return t
}

func (t *table) promise(what, unit string, ours, raw series, goal string, met bool) {
	verdict := "met"
	if !met {
		verdict = "MISSED"
		t.missed++
	}
	fmt.Fprintf(t.out, layout, what, ours.show(unit), raw.show(unit), ours.per(raw).show("x"), goal, verdict)
}

func (t *table) side(s, bare *side) {
	goal := goalSQLite
	if s.name == "postgres" {
		goal = goalPostgres
	}
	t.promise(fmt.Sprintf("check-ins, %s, %d computers", s.name, s.devices), "/s", s.rate, bare.rate,
		fmt.Sprintf(">= %.2f x", goal), s.rate.per(bare.rate).median() >= goal)
	t.row("  processor time of the server", "us", s.cpu, bare.cpu)
	if s.name == "postgres" {
		fmt.Fprintf(t.out, layout, "  processor time of the database", s.db.show("us"), "-", "-", "", "")
	}
	t.row("  p50", "ms", s.p50, bare.p50).row("  p99", "ms", s.p99, bare.p99)
	t.promise("  p99 at half of that load", "ms", s.atHalf, s.bareAtHalf, fmt.Sprintf("<= %.0f x", goalHalf), s.atHalf.per(s.bareAtHalf).median() <= goalHalf)
}

// many compares a large database with a small one: by time, in which the client's is too, and by
// processor time alone.
func (t *table) many(s, few *side) {
	cost := func(s *side) series {
		all := make(series, len(s.cpu))
		for i := range all {
			all[i] = s.cpu[i] + s.db[i]
		}
		return all
	}
	ours, raw := cost(s), cost(few)
	t.promise(fmt.Sprintf("  cost beside %d computers", few.devices), "us", ours, raw, fmt.Sprintf("<= %.1f x", goalMany), ours.per(raw).median() <= goalMany)
	t.row("  the same, first calls after a start", "us", s.cold, few.cold)
	t.row("  rate beside that", "/s", s.rate, few.rate)
}

func (t *table) end() {
	fmt.Fprintln(t.out)
	if t.missed > 0 {
		fmt.Fprintf(t.out, "%d goals missed\n", t.missed)
	}
}
