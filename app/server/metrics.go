package server

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// metrics counts what the server does and prints it in the Prometheus text exposition format. Two
// kinds of numbers are all it needs, so the format is written here: the client library would
// bring ten modules and several megabytes for it. Labels are words of this program, never of a
// tenant.
type metrics struct {
	start time.Time

	mu       sync.Mutex
	requests map[requestLabels]*latency
	events   map[eventLabels]uint64
	gauges   map[string]func() float64
}

type requestLabels struct {
	route string
	code  int
}

type eventLabels struct{ name, kind string }

// buckets are the upper bounds of the latency histogram.
var buckets = []time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second,
}

type latency struct {
	counts [11]uint64 // one per bucket and one beyond
	sum    time.Duration
	total  uint64
}

func newMetrics(now time.Time) *metrics {
	return &metrics{start: now, requests: map[requestLabels]*latency{}, events: map[eventLabels]uint64{}, gauges: map[string]func() float64{}}
}

// request counts one answered request.
func (m *metrics) request(route string, code int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.requests[requestLabels{route, code}]
	if l == nil {
		l = &latency{}
		m.requests[requestLabels{route, code}] = l
	}
	i, _ := slices.BinarySearch(buckets, took)
	l.counts[i]++
	l.sum += took
	l.total++
}

// event counts something that happened, such as a refused signature.
func (m *metrics) event(name, kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[eventLabels{name, kind}]++
}

// gauge registers a number that is read when somebody asks. Not for use after the server runs.
func (m *metrics) gauge(name string, read func() float64) { m.gauges[name] = read }

// ServeHTTP prints everything.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	buffered := bufio.NewWriter(w)
	m.print(buffered)
	_ = buffered.Flush() // a scraper that left is not our business
}

func (m *metrics) print(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.printRequests(w)
	head(w, "hawserd_events_total", "counter", "What happened, by kind.")
	for _, k := range sorted(m.events, func(a, b eventLabels) int {
		return strings.Compare(a.name+"\x00"+a.kind, b.name+"\x00"+b.kind)
	}) {
		fmt.Fprintf(w, "hawserd_events_total{event=%q,kind=%q} %d\n", k.name, k.kind, m.events[k])
	}
	for _, name := range slices.Sorted(maps.Keys(m.gauges)) {
		head(w, name, "gauge", "Read at the time of asking.")
		fmt.Fprintf(w, "%s %s\n", name, number(m.gauges[name]()))
	}
	head(w, "hawserd_goroutines", "gauge", "Running goroutines.")
	fmt.Fprintf(w, "hawserd_goroutines %d\n", runtime.NumGoroutine())
	head(w, "process_start_time_seconds", "gauge", "Start of the process, Unix seconds.")
	fmt.Fprintf(w, "process_start_time_seconds %s\n", number(float64(m.start.UnixMilli())/1000))
}

func (m *metrics) printRequests(w io.Writer) {
	const name = "hawserd_request_seconds"
	head(w, name, "histogram", "Time from reading a request's head to its answer.")
	for _, k := range sorted(m.requests, func(a, b requestLabels) int {
		return strings.Compare(a.route+strconv.Itoa(a.code), b.route+strconv.Itoa(b.code))
	}) {
		l, labels := m.requests[k], fmt.Sprintf("route=%q,code=\"%d\"", k.route, k.code)
		var below uint64
		for i, bound := range buckets {
			below += l.counts[i]
			fmt.Fprintf(w, "%s_bucket{%s,le=\"%s\"} %d\n", name, labels, number(bound.Seconds()), below)
		}
		fmt.Fprintf(w, "%s_bucket{%s,le=\"+Inf\"} %d\n", name, labels, l.total)
		fmt.Fprintf(w, "%s_sum{%s} %s\n%s_count{%s} %d\n", name, labels, number(l.sum.Seconds()), name, labels, l.total)
	}
}

func head(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), compare)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
