package deliver

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hawser/sync/fault"
)

// running is a Deliverer at work in a synctest bubble.
type running struct {
	*rig
	d     *Deliverer
	wake  chan struct{}
	last  Event
	tries []time.Duration // when Target was called, since the start
	fail  func() error    // answer of Find, nil for well
	start time.Time
	mu    sync.Mutex
}

// run starts a Deliverer in the bubble and stops it at the end of f.
func run(t *testing.T, f func(*running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &running{rig: newRig(), wake: make(chan struct{}, 1), start: time.Now()}
		r.org.now, r.queue.now = time.Now, time.Now
		// Delivery asks for the time before anything else, so what the test did before it last
		// let go of the lock has happened before what delivery does then.
		r.cfg.Now = func() time.Time {
			r.mu.Lock()
			defer r.mu.Unlock()
			return time.Now()
		}
		r.cfg.Changed = func(e Event) { r.last = e }
		r.org.find = func(Query) error {
			r.tries = append(r.tries, time.Since(r.start))
			if r.fail != nil {
				return r.fail()
			}
			return nil
		}
		r.org.caps.UniqueKey = false // so that each try begins with a look-up
		r.d = r.deliverer(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.d.Run(ctx, r.wake) }()
		synctest.Wait()
		f(r)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	})
}

// put queues a mail and wakes delivery, as the engine does.
func (r *running) put(i int) {
	r.queue.add(mail(i, 0), true)
	r.wake <- struct{}{}
	synctest.Wait()
}

func (r *running) sleep(d time.Duration) {
	r.mu.Lock()
	r.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}

func TestRunSendsAtOnceAndSleeps(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		synctest.Wait()
		r.sleep(time.Hour)
		r.put(1)
		if r.queue.count(stateSent) != 1 || r.last.Working || r.last.Total.Sent != 1 || !r.last.LastSuccess.Equal(time.Now()) {
			t.Errorf("%+v", r.last)
		}
		calls := r.org.total()
		r.sleep(24 * time.Hour)
		if r.org.total() != calls {
			t.Errorf("%d calls while idle", r.org.total()-calls)
		}
	})
}

func TestRunWakesForPostponed(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		r.org.refuse(fault.RecordLocked, 2, always)
		r.put(1)
		if r.last.Total.Postponed != 1 || r.last.Fault != "" {
			t.Errorf("%+v", r.last)
		}
		r.sleep(10 * time.Second)
		if r.queue.count(stateSent) != 1 {
			t.Errorf("%+v", r.last)
		}
	})
}

func TestF37RetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ after, least, most time.Duration }{
		{0, 250 * time.Millisecond, time.Second},
		{-time.Hour, 250 * time.Millisecond, time.Second},
		{5 * time.Second, 5 * time.Second, 6 * time.Second},
		{10 * time.Minute, 10 * time.Minute, 10*time.Minute + time.Second},
		{365 * 24 * time.Hour, time.Hour, time.Hour + time.Second},
	} {
		run(t, func(r *running) {
			r.fail = func() error { return &fault.Error{Code: fault.TooManyRequests, After: c.after} }
			r.put(1)
			r.fail = nil
			if r.last.Fault != fault.TooManyRequests || r.last.Until.Sub(time.Now()) < c.least || r.last.Until.Sub(time.Now()) > c.most {
				t.Errorf("after %v: %+v", c.after, r.last)
			}
			for i := range 20 { // new mail ends no such pause
				r.put(2 + i)
			}
			r.sleep(c.least - time.Millisecond)
			if len(r.tries) != 1 {
				t.Errorf("after %v: tries at %v", c.after, r.tries)
			}
			r.sleep(c.most - c.least + time.Millisecond)
			if r.queue.count(stateSent) != 21 || r.last.Fault != "" {
				t.Errorf("after %v: %d sent, %+v", c.after, r.queue.count(stateSent), r.last)
			}
		})
	}
}

func TestBackoffGrowsToFiveMinutes(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		r.fail = func() error { return fault.New(fault.Offline, "find", nil) }
		r.put(1)
		r.sleep(10 * time.Hour)
		n := len(r.tries)
		if last := r.tries[n-1] - r.tries[n-2]; n < 100 || n > 260 || last < time.Minute || last > 6*time.Minute {
			t.Errorf("%d tries in 10 hours, the last after %v", n, last)
		}
		if j := r.queue.jobs[0]; j.state != stateWaiting || r.last.Fault != fault.Offline {
			t.Errorf("%+v", r.last)
		}
		r.fail = nil
		r.d.Resume()
		synctest.Wait()
		if r.queue.count(stateSent) != 1 || r.last.Fault != "" {
			t.Errorf("after Resume: %+v", r.last)
		}
	})
}

func TestF38LimitReachedLiveFirst(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		r.org.lim.Records = 1
		r.queue.add(mail(1, 0), false)
		r.queue.add(mail(2, 0), false)
		r.fail = func() error { return fault.New(fault.LimitReached, "find", nil) }
		r.put(3)
		r.fail = nil
		r.sleep(15*time.Minute - time.Second)
		if len(r.tries) != 1 || r.last.Fault != fault.LimitReached {
			t.Errorf("tries at %v, %+v", r.tries, r.last)
		}
		r.sleep(3 * time.Second)
		if r.queue.jobs[2].state != stateSent || r.queue.count(stateSent) != 1 || r.last.Fault != fault.BudgetSpent {
			t.Errorf("only the new mail is sent first: %d sent, %+v", r.queue.count(stateSent), r.last)
		}
		r.sleep(time.Hour)
		if r.queue.count(stateSent) != 3 || r.last.Fault != "" {
			t.Errorf("%d sent, %+v", r.queue.count(stateSent), r.last)
		}
	})
}

// TestF34F45StopsUntilAPersonActs revokes the sign-in in the middle: no further call is made
// until something changes, mails keep waiting, and afterwards all are sent.
func TestF34F45StopsUntilAPersonActs(t *testing.T) {
	t.Parallel()
	for _, code := range []fault.Code{fault.TokenRevoked, fault.NotSignedIn, fault.APIDisabled, fault.WrongAccount, fault.UserInactive} {
		run(t, func(r *running) {
			r.put(0)
			r.tries = nil
			r.fail = func() error { return &fault.Error{Code: code, Detail: "why"} }
			r.put(1)
			if len(r.tries) != 1 || r.last.Fault != code || r.last.Detail != "why" || !r.last.Until.IsZero() {
				t.Errorf("%s: tries at %v, %+v", code, r.tries, r.last)
			}
			r.sleep(100 * time.Hour)
			if len(r.tries) != 1 || r.queue.jobs[1].state != stateWaiting {
				t.Errorf("%s: tries at %v", code, r.tries)
			}
			r.fail = nil
			r.put(2)
			if r.queue.count(stateSent) != 3 || r.last.Fault != "" {
				t.Errorf("%s: %d sent, %+v", code, r.queue.count(stateSent), r.last)
			}
		})
	}
}

// TestF35WakesAreNoStorm has new mail arrive every second while the sign-in is refused for ever.
func TestF35WakesAreNoStorm(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		r.fail = func() error { return fault.New(fault.TokenRevoked, "find", nil) }
		for i := range 1200 {
			r.put(i)
			r.sleep(time.Second)
		}
		if n := len(r.tries); n > 25 {
			t.Errorf("%d tries in 20 minutes", n)
		}
		r.fail = nil
		r.d.Resume()
		synctest.Wait()
		if r.queue.count(stateSent) != 1200 {
			t.Errorf("%d sent, %+v", r.queue.count(stateSent), r.last)
		}
	})
}

func TestCheckStopsBeforeAnyCall(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		wrong := true
		r.d.cfg.Check = func(context.Context) error {
			if wrong {
				return fault.New(fault.WrongAccount, "check", nil)
			}
			return nil
		}
		r.put(1)
		if r.org.total() != 0 || r.last.Fault != fault.WrongAccount {
			t.Errorf("%d calls, %+v", r.org.total(), r.last)
		}
		wrong = false
		r.d.Resume()
		synctest.Wait()
		if r.queue.count(stateSent) != 1 {
			t.Errorf("%+v", r.last)
		}
	})
}

func TestFullDiskIsTriedAgain(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		full := true
		r.queue.hook = func(op string) error {
			if op == "settle" && full {
				return fault.New(fault.DiskFull, op, nil)
			}
			return nil
		}
		r.put(1)
		r.sleep(10 * time.Minute)
		if r.last.Fault != fault.DiskFull || len(r.org.records) != 1 {
			t.Errorf("%+v, %d records", r.last, len(r.org.records))
		}
		full = false
		r.sleep(30 * time.Second)
		if r.queue.count(stateSent) != 1 || len(r.org.records) != 1 {
			t.Errorf("%+v, %d records", r.last, len(r.org.records))
		}
	})
}

// TestLateEffectIsAwaited loses the reply of a Create that Salesforce carries out nine seconds
// later.
func TestLateEffectIsAwaited(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		r.org.whole = func(string, int) (effect, error) {
			r.org.whole = nil
			return effectLate, &fault.Error{Code: fault.Stalled, Unknown: true}
		}
		r.put(1)
		r.sleep(9 * time.Second)
		if len(r.tries) != 1 {
			t.Errorf("looked too early: %v", r.tries)
		}
		r.sleep(10 * time.Second)
		if r.queue.count(stateSent) != 1 || len(r.org.records) != 1 {
			t.Errorf("%d sent, %d records", r.queue.count(stateSent), len(r.org.records))
		}
	})
}

func TestStopKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, stop := context.WithCancel(t.Context())
		r.org.whole = func(string, int) (effect, error) {
			stop() // while the call runs, whose answer still arrives
			return effectNow, nil
		}
		j := r.queue.add(mail(1, 0), true)
		if err := r.deliverer(t).Run(ctx, nil); !errors.Is(err, context.Canceled) || j.state != stateSent {
			t.Errorf("%v, state %d", err, j.state)
		}
	})
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.caps.UniqueKey = false
	j := r.queue.add(mail(1, 0), true)
	j.Unknown, j.Began = true, r.clock.t.AddDate(10, 0, 0)
	if rep, err := r.deliverer(t).Drain(t.Context()); err != nil || rep.Sent != 1 {
		t.Errorf("%v %+v", err, rep)
	}
}
