package server

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hawser/auth/provision"
)

var everyStep = flag.Bool("everystep", false, "kill the server at each step of a registration, not at some of them")

// TestF47KilledBetweenAnySteps kills a real hawserd with SIGKILL before each step of a registration that can be seen
// from outside: each packet of the request, of the issuer's answers, to and from PostgreSQL, of the reply, and each
// write to SQLite's log. The same registration sent again to a new process gives one device and one binding. What
// happens between two statements of the transaction is killed in the tests of the store.
func TestF47KilledBetweenAnySteps(t *testing.T) {
	t.Parallel()
	for name, where := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := &trap{}
			database := ""
			if name == "postgres" {
				database = where(t)
				at := strings.Index(database, "127.0.0.1:")
				end := at + strings.Index(database[at:], "/")
				database = database[:at] + tollgate(t, database[at:end], tr) + database[end:]
			}
			s := newSite(t, database)
			s.authority = tollgate(t, s.listen, tr)
			i := newIssuer(t)
			i.url = "http://" + tollgate(t, strings.TrimPrefix(i.url, "http://"), tr)
			c := s.colony(t, "acme", i)
			killRegistrations(t, s, c, tr)
		})
	}
}

const mostSteps = 120

func killRegistrations(t *testing.T, s site, c colony, tr *trap) {
	people := make([]citizen, mostSteps)
	s.inOffice(t, func(ctx context.Context, o *office) (err error) {
		for n := range people {
			people[n] = person(t, "acme", n)
			err = errors.Join(err, people[n].settle(ctx, o, c.id))
		}
		return err
	})
	k := killer{site: s, colony: c, trap: tr, people: people, devices: map[string]string{}}
	total := k.dryRun(t)
	stride := max(1, total/2)
	if *everyStep {
		stride = 1
	}
	killed, after := 0, 0
	for n, more := 0, true; (more || n < total) && len(k.people) > 0; n += stride {
		at, sprung := k.atOrBefore(t, n, after)
		if more = sprung && at == n; sprung {
			killed, after = killed+1, at+1
		}
	}
	t.Logf("killed at %d of %d steps", killed, total)
	if killed < 2 {
		t.Errorf("killed at %d steps of %d", killed, total)
	}
	oneOfEach(t, s, c, k.devices)
}

// killer registers people who were provisioned, each once.
type killer struct {
	site    site
	colony  colony
	trap    *trap
	people  []citizen
	devices map[string]string // by user, what the retries gave
}

func (k *killer) next() citizen {
	who := k.people[0]
	k.people = k.people[1:]
	return who
}

// atOrBefore kills at step n. Writes that come close together are seen as one, so that a registration may end before a
// step that another one has: then another is killed halfway back, but not before a step.
func (k *killer) atOrBefore(t *testing.T, n, before int) (at int, sprung bool) {
	for ; len(k.people) > 0; n = (n + before) / 2 {
		sprung = k.at(t, n)
		if sprung || n <= before {
			break
		}
	}
	return n, sprung
}

// at kills the server at a step of a registration and registers again. It reports whether there was such a step.
func (k *killer) at(t *testing.T, n int) (sprung bool) {
	who := k.next()
	p := k.site.start(t)
	body := who.register(t, k.colony.issuer)
	stopWatching := watchLog(t, k.site, k.trap)
	k.trap.arm(n, p.kill)
	status, first, err := p.try(t, who.code, "POST /v1/register", body)
	sprung, _ = k.trap.disarm()
	stopWatching()
	if !sprung && (err != nil || status != http.StatusOK) {
		t.Fatalf("step %d: the client hears %d %s, %v", n, status, first, err)
	}
	p.kill()
	again := k.site.start(t)
	k.devices[who.user] = again.enrol(t, who, k.colony.issuer).ID
	if err == nil && !strings.Contains(first, k.devices[who.user]) {
		t.Errorf("step %d: the retry gives %s after %s", n, k.devices[who.user], first)
	}
	again.kill()
	return sprung
}

// dryRun counts the steps.
func (k *killer) dryRun(t *testing.T) int {
	who, p := k.next(), k.site.start(t)
	body := who.register(t, k.colony.issuer)
	stopWatching := watchLog(t, k.site, k.trap)
	k.trap.arm(1_000_000, func() {})
	if status, answer, err := p.try(t, who.code, "POST /v1/register", body); err != nil || status != 200 {
		t.Fatalf("%d %s, %v", status, answer, err)
	}
	_, steps := k.trap.disarm()
	stopWatching()
	p.kill()
	return steps
}

// oneOfEach looks into the database: one device and one binding for each user, one event, the code spent by it.
func oneOfEach(t *testing.T, s site, c colony, devices map[string]string) {
	s.inOffice(t, func(ctx context.Context, o *office) error {
		users, err := o.db.ListUsers(ctx, c.id, provision.UserQuery{Limit: 500})
		if err != nil {
			return err
		}
		events, err := o.db.Events(ctx, c.id, 0, 10_000)
		if err != nil {
			return err
		}
		registered := map[string]int{}
		for _, e := range events {
			if e.Action == "device.register" {
				registered[e.Subject]++
			}
		}
		for _, u := range users {
			device, ok := devices[u.ID]
			if !ok {
				continue
			}
			if len(u.Devices) != 1 || u.Devices[0].ID != device || !u.Bound || registered[device] != 1 {
				err = errors.Join(err, fmt.Errorf("%s heard of %s and has %+v, bound %v, %d events", u.ID, device, u.Devices, u.Bound, registered[device]))
			}
			delete(devices, u.ID)
		}
		if len(devices) > 0 {
			err = errors.Join(err, fmt.Errorf("users are missing: %v", devices))
		}
		return err
	})
}

// watchLog tells the trap of each write to the write-ahead log of SQLite. The process is killed right after the
// write, whether or not it has asked the disk to keep it.
func watchLog(t *testing.T, s site, tr *trap) (stop func()) {
	t.Helper()
	if s.database != "" {
		return func() {}
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.InotifyAddWatch(fd, filepath.Join(s.state, "hawserd.db-wal"), unix.IN_MODIFY); err != nil {
		t.Fatal(err)
	}
	watch := os.NewFile(uintptr(fd), "inotify")
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1)
		for {
			if _, err := watch.Read(buf); err != nil {
				return
			}
			tr.step()
		}
	}()
	return func() {
		_ = watch.SetDeadline(time.Now()) // nobody waits for more
		<-done
		_ = watch.Close()
	}
}
