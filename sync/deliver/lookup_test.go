package deliver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"hawser/sync/fault"
	"hawser/sync/match"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.people = map[string][]match.Candidate{"jane@x.de": {jane}}
	d := r.deliverer(t)
	got, err := d.Lookup(t.Context(), []string{" Jane@X.de", "jane@x.de", "stranger@x.de", "no address"})
	want := map[string][]match.Candidate{"jane@x.de": {jane}, "stranger@x.de": nil, "no address": nil}
	if err != nil || !reflect.DeepEqual(got, want) || r.org.calls["find"] != 1 {
		t.Fatalf("%v, %+v, calls %v", err, got, r.org.calls)
	}
	if got, err := d.Lookup(t.Context(), []string{"stranger@x.de", "JANE@x.de"}); err != nil || len(got) != 2 || r.org.calls["find"] != 1 {
		t.Errorf("again: %v, %+v, calls %v", err, got, r.org.calls)
	}
	// Delivery knows by now who wrote, and its report counts what the look-up cost.
	m := from(1, "jane@x.de", 0)
	m.Mail.To = nil
	r.queue.add(m, true)
	rep := r.finish(t, d)
	if r.org.calls["find"] != 1 || rep.Calls != 1 || d.total().Calls != 3 || r.cfg.Budget.Usage(r.clock.t).Used != 3 {
		t.Errorf("calls %v, report %+v, used %+v", r.org.calls, rep, r.cfg.Budget.Usage(r.clock.t))
	}
	// What is older than it may be is asked for again: an absent address after an hour.
	r.clock.t = r.clock.t.Add(2 * time.Hour)
	if _, err := d.Lookup(t.Context(), []string{"stranger@x.de", "jane@x.de"}); err != nil || r.org.calls["find"] != 2 {
		t.Errorf("later: %v, calls %v", err, r.org.calls)
	}
}

// TestLookupBatches: at most one call per hundred new addresses.
func TestLookupBatches(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.lim.Addresses = 100
	d := r.deliverer(t)
	var all []string
	for i := range 1234 {
		all = append(all, fmt.Sprintf("p%d@x.de", i))
	}
	for _, want := range []int{13, 13} {
		if got, err := d.Lookup(t.Context(), all); err != nil || len(got) != 1234 || r.org.calls["find"] != want {
			t.Errorf("%v, %d answers, calls %v", err, len(got), r.org.calls)
		}
	}
}

// TestLookupKeepsTheReserve: look-ups end before delivery of new mail does, and say until when.
func TestLookupKeepsTheReserve(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.cfg.Budget = NewBudget(Allowance{Normal: 10, Backfill: 0, Reserve: 6}, Usage{})
	d := r.deliverer(t)
	n := 0
	for ; n < 20; n++ {
		if _, err := d.Lookup(t.Context(), []string{fmt.Sprintf("p%d@x.de", n)}); err != nil {
			f := fault.Of(err)
			if f.Code != fault.BudgetSpent || f.After != 15*time.Hour {
				t.Errorf("%v after %s", f, f.After)
			}
			break
		}
	}
	if n != 3 || r.org.calls["find"] != 3 { // a fourth call learned what the user may do
		t.Errorf("%d look-ups, calls %v", n, r.org.calls)
	}
	r.queue.add(mail(1, 0), true)
	if rep := r.finish(t, d); rep.Sent != 1 {
		t.Errorf("%+v", rep)
	}
	if _, err := d.Lookup(t.Context(), []string{"p0@x.de"}); err != nil {
		t.Errorf("what is known costs nothing: %v", err)
	}
}

// TestLookupStopsWithDelivery: while delivery waits, nothing else asks either; and the account is
// confirmed before a call.
func TestLookupStopsWithDelivery(t *testing.T) {
	t.Parallel()
	r := newRig()
	d := r.deliverer(t)
	d.pause(&fault.Error{Code: fault.TooManyRequests, After: time.Minute})
	_, err := d.Lookup(t.Context(), []string{"a@x.de"})
	if f := fault.Of(err); f.Code != fault.TooManyRequests || f.After < time.Minute || r.org.total() != 0 {
		t.Errorf("paused: %v, %d calls", err, r.org.total())
	}
	if err := d.Unsave(t.Context(), "02s"); !fault.Is(err, fault.TooManyRequests) {
		t.Errorf("paused: %v", err)
	}
	r.clock.t = r.clock.t.Add(2 * time.Minute)
	if _, err := d.Lookup(t.Context(), []string{"a@x.de"}); err != nil || r.org.total() != 1 {
		t.Errorf("later: %v, %d calls", err, r.org.total())
	}
	r.cfg.Check = func(context.Context) error { return fault.New(fault.WrongAccount, "check", nil) }
	d = r.deliverer(t)
	if _, err := d.Lookup(t.Context(), []string{"b@x.de"}); !fault.Is(err, fault.WrongAccount) || r.org.total() != 1 {
		t.Errorf("other account: %v, %d calls", err, r.org.total())
	}
	if err := d.Unsave(t.Context(), "02s"); !fault.Is(err, fault.WrongAccount) || r.org.total() != 1 {
		t.Errorf("other account: %v, %d calls", err, r.org.total())
	}
	r.org.find = func(Query) error { return fault.New(fault.ServerError, "find", nil) }
	r.cfg.Check = func(context.Context) error { return nil }
	d = r.deliverer(t)
	if got, err := d.Lookup(t.Context(), []string{"b@x.de"}); !fault.Is(err, fault.ServerError) || got != nil {
		t.Errorf("broken: %v, %v", got, err)
	}
}

// TestLookupBesideRun asks from several sides while mails are delivered: each address is paid for
// once, by whoever comes first, at most twice when delivery and a look-up meet.
func TestLookupBesideRun(t *testing.T) {
	t.Parallel()
	r := newRig()
	var mu sync.Mutex
	asked := map[string]int{}
	r.org.find = func(q Query) error {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range q.Addresses {
			asked[a]++
		}
		return nil
	}
	d := r.deliverer(t)
	for i := range 50 {
		r.queue.add(mail(i, 0), false)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := d.Lookup(t.Context(), []string{fmt.Sprintf("s%d@x.de", i), "me@corp.com"}); err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	r.finish(t, d)
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	for a, n := range asked {
		if n > 2 {
			t.Errorf("%s asked for %d times", a, n)
		}
	}
	if len(asked) != 51 || r.queue.count(stateSent) != 50 {
		t.Errorf("%d addresses, %d sent", len(asked), r.queue.count(stateSent))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.asking <- struct{}{}
	if _, err := d.Lookup(ctx, []string{"late@x.de"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestC06Unsave: what was saved is taken back, each call is paid for, and a second time is no
// error.
func TestC06Unsave(t *testing.T) {
	t.Parallel()
	r := newRig()
	d := r.deliverer(t)
	for i := range 2 {
		r.queue.add(mail(i, 1), true)
	}
	r.finish(t, d)
	before := r.cfg.Budget.Usage(r.clock.t).Used
	id := r.queue.jobs[0].RecordID
	for range 2 {
		if err := d.Unsave(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if len(r.org.records) != 1 || r.org.records[0].id == id || r.cfg.Budget.Usage(r.clock.t).Used != before+4 {
		t.Errorf("%d records, %d calls", len(r.org.records), r.cfg.Budget.Usage(r.clock.t).Used-before)
	}
	r.org.whole = func(string, int) (effect, error) {
		return effectNever, fault.New(fault.PermissionMissing, "unsave", nil)
	}
	if err := d.Unsave(t.Context(), r.org.records[0].id); !fault.Is(err, fault.PermissionMissing) {
		t.Errorf("not allowed: %v", err)
	}
}
