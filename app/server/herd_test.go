package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb/pgtest"
)

var (
	herd      = flag.Int("herd", 1500, "agents that come back at 10,000 a second")
	herdConns = flag.Int("herdconns", 800, "connections that they come back on")
	herdWaits = flag.Bool("herdwaits", false, "agents that are sent away come back when they were told to")
)

// TestF49HerdOnTheWire: agents that lost their server come back together, each on its own request over real sockets.
// Those who are let in are served within about a second, the others hear of different moments to come back at, and
// afterwards everything is as before.
func TestF49HerdOnTheWire(t *testing.T) {
	t.Parallel()
	for name, where := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			comeBack(t, startOn(t, where(t)))
		})
	}
}

// agents is what became of a herd.
type agents struct {
	mu       sync.Mutex
	admitted []time.Duration
	sentAway map[int]int // by Retry-After
	odd      map[string]int
}

func comeBack(t *testing.T, r *running) {
	devices := r.fleet(t, 50)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *herdConns, MaxConnsPerHost: *herdConns}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	all := &agents{sentAway: map[int]int{}, odd: map[string]int{}}
	queue := make(chan int, *herd)
	var waiting sync.WaitGroup // for agents that are not through yet
	waiting.Add(*herd)
	began := time.Now()
	go func() {
		for n := range *herd {
			time.Sleep(time.Until(began.Add(time.Duration(n) * 100 * time.Microsecond)))
			queue <- n
		}
	}()
	var workers sync.WaitGroup
	for range min(*herdConns, *herd) {
		workers.Go(func() {
			for n := range queue {
				after := all.visit(t, r, client, devices[n%len(devices)])
				if after == 0 || !*herdWaits {
					waiting.Done()
					continue
				}
				// The channel has room for every agent, so that this never blocks.
				time.AfterFunc(time.Duration(after)*time.Second, func() { queue <- n })
			}
		})
	}
	waiting.Wait()
	took := time.Since(began)
	close(queue)
	workers.Wait()
	slices.Sort(all.admitted)
	p99 := all.admitted[len(all.admitted)*99/100]
	away := 0
	for _, n := range all.sentAway {
		away += n
	}
	t.Logf("%d agents on %d connections: %d let in, p50 %v, p99 %v, %d times sent away with %d moments, all through after %v", *herd, *herdConns,
		len(all.admitted), all.admitted[len(all.admitted)/2], p99, away, len(all.sentAway), took.Round(time.Millisecond))
	served, slow := r.service.metrics.slowerThan(time.Second, "/v1/checkin", http.StatusOK)
	t.Logf("by the server's own clock %d of %d took longer than a second, waiting for a place included", slow, served)
	if *herdWaits && slow*100 > served {
		t.Errorf("%d of %d who were let in took longer than a second", slow, served)
	}
	if len(all.odd) > 0 {
		t.Errorf("odd answers: %v", all.odd)
	}
	if away > 200 && len(all.sentAway) < 20 {
		t.Errorf("%d agents come back at %d moments", away, len(all.sentAway))
	}
	if *herdWaits && took > 5*time.Minute {
		t.Errorf("the herd was through after %v", took)
	}
	r.call(t, devices[0], 200, "POST /v1/checkin", `{"report":`+report+`}`)
	if n := len(r.guard.inWork); n != 0 {
		t.Errorf("%d places are taken", n)
	}
}

// slowerThan counts the answers of a call, and those that took longer than one of the bounds.
func (m *metrics) slowerThan(bound time.Duration, route string, code int) (all, slower uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.requests[requestLabels{route, code}]
	for i, n := range l.counts {
		if i > slices.Index(buckets, bound) {
			slower += n
		}
	}
	return l.total, slower
}

// visit makes one check-in and returns in how many seconds the agent shall come back, 0 when it was let in.
func (a *agents) visit(t *testing.T, r *running, client *http.Client, d provision.Credential) (after int) {
	req := r.request(t, d, "POST /v1/checkin", `{"report":`+report+`}`)
	start := time.Now()
	resp, err := client.Do(req)
	took := time.Since(start)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.odd[err.Error()]++
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		a.admitted = append(a.admitted, took)
		return 0
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		after, err = strconv.Atoi(resp.Header.Get("Retry-After"))
		a.sentAway[after]++
		if err != nil || after < 1 {
			a.odd["no Retry-After"]++
			return 1
		}
		return after
	}
	a.odd[resp.Status]++
	return 0
}

// TestF48MovedUnderLoad: computers check in all the time while hawserd is stopped, its file is moved to PostgreSQL by the
// command, and two servers go on there, whose connections to the database are cut again and again. No computer is lost,
// no captured request works again.
func TestF48MovedUnderLoad(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url := postgresURL(t, db)
	s := newSite(t, "")
	c := s.colony(t, "acme", newIssuer(t))
	people, devices := make([]citizen, 5), make([]provision.Credential, 5)
	s.inOffice(t, func(ctx context.Context, o *office) (err error) {
		for n := range people {
			people[n] = person(t, "acme", n)
			err = errors.Join(err, people[n].settle(ctx, o, c.id))
		}
		return err
	})
	p := s.start(t)
	for n := range people {
		devices[n] = p.enrol(t, people[n], c.issuer)
	}
	l := &load{authority: s.authority, targets: []string{s.listen}}
	stop := l.run(t, devices)
	l.wait(t, 40)
	p.stop(t)
	move := exec.Command(os.Args[0], "move", "--to", url)
	move.Env = append(os.Environ(), asMain+"="+s.state)
	if out, err := move.CombinedOutput(); err != nil || !strings.Contains(string(out), "5 users, 5 devices") {
		t.Fatalf("%v: %s", err, out)
	}
	moved := s
	moved.database = url
	one := moved.start(t)
	other := moved
	other.listen = newSite(t, url).listen
	two := other.start(t)
	l.add(other.listen)
	l.wait(t, 30)
	for range 3 {
		pgtest.Exec(t, db.Owner, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = '"+pgtest.Role+"'")
		l.wait(t, 15)
	}
	stop()
	t.Logf("%d check-ins, %d were tried again", l.done.Load(), l.failed.Load())
	for _, d := range devices { // none is lost
		status, answer, err := one.try(t, d, "POST /v1/checkin", `{"report":`+report+`}`)
		for range 100 { // it has called oftener than an agent may
			if status != http.StatusTooManyRequests {
				break
			}
			time.Sleep(100 * time.Millisecond)
			status, answer, err = one.try(t, d, "POST /v1/checkin", `{"report":`+report+`}`)
		}
		if err != nil || status != http.StatusOK {
			t.Errorf("%s after the move: %d %s, %v", d.ID, status, answer, err)
		}
	}
	again := map[int]int{}
	for n, line := range l.captured {
		status := play(t, []string{s.listen, other.listen}[n%2], line)
		again[status]++
	}
	if again[409] != len(l.captured) || len(l.captured) < 80 {
		t.Errorf("%d captured requests, sent again: %v", len(l.captured), again)
	}
	one.stop(t)
	two.stop(t)
	moved.inOffice(t, func(ctx context.Context, o *office) error {
		users, err := o.db.ListUsers(ctx, c.id, provision.UserQuery{Limit: 500})
		for _, u := range users {
			if len(u.Devices) != 1 || !u.Bound || u.Devices[0].LastSeen.IsZero() {
				err = errors.Join(err, fmt.Errorf("%s has %+v", u.ID, u.Devices))
			}
		}
		if len(users) != len(people) {
			err = errors.Join(err, fmt.Errorf("%d users", len(users)))
		}
		return err
	})
}

// load are computers that check in without end, each again and again until it works, as an agent does.
type load struct {
	authority string

	mu       sync.Mutex
	targets  []string
	captured []string // requests that worked, as they stood on the line

	done, failed atomic.Int64
}

func (l *load) add(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets = append(l.targets, target)
}

func (l *load) target() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.targets[mrand.IntN(len(l.targets))]
}

// wait returns after n more check-ins.
func (l *load) wait(t *testing.T, n int64) {
	t.Helper()
	want := l.done.Load() + n
	for deadline := time.Now().Add(40 * time.Second); l.done.Load() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no check-in works any more: %d of %d, %d failed", l.done.Load(), want, l.failed.Load())
		}
	}
}

func (l *load) run(t *testing.T, devices []provision.Credential) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var all sync.WaitGroup
	for _, d := range devices {
		all.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequest(http.MethodPost, "http://"+l.authority+"/v1/checkin", strings.NewReader(`{"report":`+report+`}`))
				if err == nil {
					err = reqsig.Sign(req, d.Signing(), time.Now(), rand.Reader)
				}
				if err != nil {
					t.Error(err)
					return
				}
				var line bytes.Buffer
				if err := req.Write(&line); err != nil {
					t.Error(err)
					return
				}
				status := playOn(l.target(), line.String())
				switch {
				case status == 200:
					l.mu.Lock()
					l.captured = append(l.captured, line.String())
					l.mu.Unlock()
					l.done.Add(1)
				case status == 0, status >= 500, status == 429:
					l.failed.Add(1)
				default:
					t.Errorf("a check-in is answered %d", status)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); all.Wait() })
}

func play(t *testing.T, target, line string) int {
	t.Helper()
	for range 50 { // a server that has just lost its database says so
		status := playOn(target, line)
		if status != 0 && status < 500 && status != 429 {
			return status
		}
		time.Sleep(50 * time.Millisecond)
	}
	return 0
}

// playOn sends a request as it stands on the line and returns the status, 0 when nothing came back.
func playOn(target, line string) int {
	conn, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0
	}
	if _, err := io.WriteString(conn, line); err != nil {
		return 0
	}
	status := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, status); err != nil {
		return 0
	}
	code, err := strconv.Atoi(string(status[len("HTTP/1.1 "):]))
	if err != nil {
		return 0
	}
	return code
}
