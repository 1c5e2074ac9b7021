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
	benchConns   = flag.Int("conns", 256, "bench: connections of the load")
	benchMany    = flag.Int("devices", 1_000_000, "bench: computers of the large database; 0: none")
	benchSides   = flag.String("sides", "sqlite,postgres", "bench: databases")
	benchProfile = flag.String("profile", "", "bench: folder for processor profiles of the servers")
)

const (
	benchFew  = 1_000  // computers of the small database; each may call 30 times at once
	benchWarm = 10_000 // requests before the clock starts, until files have the size that they keep
	benchFull = 12_000 // requests at full load
	benchHalf = 5_000  // requests at half load
	benchTurn = 4_000  // requests at full load before it is another server's turn
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
// costs little, loads a server of ours and the bare one by turns of a fraction of a second, so that
// whatever else the computer does is as much in the one's time as in the other's. There are many
// connections, as computers have one each: what a single one waits for the disk is seen at half
// load. Requests are signed before the clock starts: that is the agents' work. A goal that is missed
// is printed as missed; only what does not work fails.
func BenchmarkCheckIn(b *testing.B) {
	b.ReportMetric(0, "ns/op") // of a table it says nothing
	var sides []*side
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
		for _, s := range sides {
			s.measure(b)
		}
	}
	report := newTable(os.Stdout)
	fmt.Fprintf(os.Stdout, layout, "disk: 4 KiB made durable", disk.show("/s"), "-", "-", "", "")
	for i, s := range sides {
		report.side(s)
		if s.devices != benchFew {
			report.many(s, sides[i-1])
		}
	}
	report.end()
}

// side is one of the things that are compared with bare net/http.
type side struct {
	name       string
	devices    int
	fleet      *fleet
	ours, bare figures
	cold       series // processor time of first calls
}

// figures are of one server, one of each for a round.
type figures struct{ rate, cpu, db, p50, p99, half series }

func newSide(b *testing.B, name string, devices int) *side {
	return &side{name: name, devices: devices, fleet: newFleet(b, name, devices)}
}

// measure loads a new server as much as it takes, by turns with bare net/http, and then both with
// half of what ours took.
func (s *side) measure(b *testing.B) {
	ours, bare := &stand{srv: s.fleet.serve(b), fleet: s.fleet}, &stand{srv: startBare(b)}
	defer ours.end(b)
	defer bare.end(b)
	warm := max(benchWarm, len(s.fleet.callers)) // each has called before the clock starts
	before := ours.used(b)
	ours.send(b, warm, 0)
	s.cold = append(s.cold, float64((ours.used(b)-before).Microseconds())/float64(warm))
	bare.send(b, benchWarm, 0)

	ours.srv.profile(b)
	bare.srv.profile(b)
	ours.begin(b)
	bare.begin(b)
	for range benchFull / benchTurn {
		ours.turn(b)
		bare.turn(b)
	}
	ours.note(b, &s.ours)
	bare.note(b, &s.bare)
	ours.srv.profiled(b, fmt.Sprintf("%s-%d", s.name, s.devices))
	bare.srv.profiled(b, "bare")

	every := time.Duration(2 * float64(ours.took) / benchFull)
	s.ours.half = append(s.ours.half, millis(ours.send(b, benchHalf, every), 99))
	s.bare.half = append(s.bare.half, millis(bare.send(b, benchHalf, every), 99))
}

// stand is a server under load.
type stand struct {
	srv   *child
	fleet *fleet // nil for bare net/http
	lines []line

	cpu, db time.Duration // before
	took    time.Duration // by the turns together
	each    []time.Duration
}

func (l *stand) end(b *testing.B) {
	for _, one := range l.lines {
		_ = one.conn.Close()
	}
	l.srv.end(b)
}

// used is the processor time of the server and its database.
func (l *stand) used(b *testing.B) time.Duration { return l.srv.cpu(b) + l.srv.dbTime(b) }

// send sends new requests. Connections are made when the first ones are signed: a server closes those
// on which nothing comes.
func (l *stand) send(b *testing.B, n int, every time.Duration) []time.Duration {
	requests := l.requests(b, n)
	for len(l.lines) < *benchConns {
		l.lines = append(l.lines, dial(b, l.srv.addr))
	}
	return fire(b, l.lines, requests, every)
}

func (l *stand) begin(b *testing.B) { l.cpu, l.db = l.srv.cpu(b), l.srv.dbTime(b) }

func (l *stand) turn(b *testing.B) {
	requests := l.requests(b, benchTurn)
	begun := time.Now()
	each := fire(b, l.lines, requests, 0)
	l.took += time.Since(begun)
	l.each = append(l.each, each...)
}

// note keeps the figures of all turns. What a server does between them counts as well.
func (l *stand) note(b *testing.B, f *figures) {
	f.rate = append(f.rate, benchFull/l.took.Seconds())
	f.cpu = append(f.cpu, float64((l.srv.cpu(b)-l.cpu).Microseconds())/benchFull)
	f.db = append(f.db, float64((l.srv.dbTime(b)-l.db).Microseconds())/benchFull)
	f.p50, f.p99 = append(f.p50, millis(l.each, 50)), append(f.p99, millis(l.each, 99))
}

func millis(took []time.Duration, p int) float64 {
	slices.Sort(took)
	return float64(took[(len(took)*p+99)/100-1].Microseconds()) / 1000
}

// requests are signed ones as they stand on the wire; bare net/http gets the same.
func (l *stand) requests(b *testing.B, n int) [][]byte {
	b.Helper()
	body := []byte(`{"report":` + report + `}`)
	all := make([][]byte, n)
	now := time.Now()
	for i := range all {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+l.srv.addr+"/v1/checkin", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		key := reqsig.SigningKey{ID: "d_00000000000000000000000000", Secret: make([]byte, 32)}
		if l.fleet != nil {
			// One after the other, so that no report of a large fleet takes the place of one before.
			key = l.fleet.callers[(l.fleet.next+i)%len(l.fleet.callers)].Signing()
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
	if l.fleet != nil {
		l.fleet.next += len(all)
	}
	return all
}

// fire sends requests and returns how long each took. With a pace, time counts from the moment at
// which a request was due, so that a slow server is not asked less.
func fire(b *testing.B, lines []line, requests [][]byte, every time.Duration) []time.Duration {
	b.Helper()
	took := make([]time.Duration, len(requests))
	var next, failed atomic.Int64
	var first sync.Once
	var wg sync.WaitGroup
	begun := time.Now()
	for _, l := range lines {
		wg.Go(func() {
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
				status, err := l.exchange(requests[i])
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

// line is one connection.
type line struct {
	conn    net.Conn
	answers *bufio.Reader
}

func dial(b *testing.B, addr string) line {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return line{c, bufio.NewReader(c)}
}

// exchange is as little of HTTP/1.1 as will do.
func (l line) exchange(request []byte) (status string, err error) {
	if _, err := l.conn.Write(request); err != nil {
		return "", err
	}
	length := 0
	for line := 0; ; line++ {
		text, err := l.answers.ReadSlice('\n')
		switch {
		case err != nil:
			return status, err
		case line == 0 && len(text) > 12:
			status = string(text[9:12])
		case len(text) <= 2:
			_, err = l.answers.Discard(length)
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

func (t *table) side(s *side) {
	goal := goalSQLite
	if s.name == "postgres" {
		goal = goalPostgres
	}
	t.promise(fmt.Sprintf("check-ins, %s, %d computers", s.name, s.devices), "/s", s.ours.rate, s.bare.rate,
		fmt.Sprintf(">= %.2f x", goal), s.ours.rate.per(s.bare.rate).median() >= goal)
	t.row("  processor time of the server", "us", s.ours.cpu, s.bare.cpu)
	if s.name == "postgres" {
		fmt.Fprintf(t.out, layout, "  processor time of the database", s.ours.db.show("us"), "-", "-", "", "")
	}
	t.row("  p50", "ms", s.ours.p50, s.bare.p50).row("  p99", "ms", s.ours.p99, s.bare.p99)
	t.promise("  p99 at half of that load", "ms", s.ours.half, s.bare.half, fmt.Sprintf("<= %.0f x", goalHalf), s.ours.half.per(s.bare.half).median() <= goalHalf)
}

// many compares a large database with a small one: by time, in which the client's is too, and by
// processor time alone.
func (t *table) many(s, few *side) {
	cost := func(s *side) series {
		all := make(series, len(s.ours.cpu))
		for i := range all {
			all[i] = s.ours.cpu[i] + s.ours.db[i]
		}
		return all
	}
	ours, raw := cost(s), cost(few)
	t.promise(fmt.Sprintf("  cost beside %d computers", few.devices), "us", ours, raw, fmt.Sprintf("<= %.1f x", goalMany), ours.per(raw).median() <= goalMany)
	t.row("  the same, first calls after a start", "us", s.cold, few.cold)
	t.row("  rate beside that", "/s", s.ours.rate, few.ours.rate)
}

func (t *table) end() {
	fmt.Fprintln(t.out)
	if t.missed > 0 {
		fmt.Fprintf(t.out, "%d goals missed\n", t.missed)
	}
}
