package agent

import (
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/deliver"
	"hawser/sync/engine"
	"hawser/sync/fault"
)

// TestNoFlicker: while something is tried again the status says what stopped it the last time, since
// when it did; an outcome changes that.
func TestNoFlicker(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	r.enqueue(a, 2)
	now := time.Now()
	say := func(e deliver.Event) control.Status {
		a.deliveryChanged(t.Context(), e)
		return a.Status()
	}
	first := say(deliver.Event{Fault: fault.ServerError, Until: now.Add(time.Minute)})
	if first.State != control.Waiting || first.Why != fault.ServerError || first.Until.IsZero() {
		t.Fatalf("%+v", first)
	}
	for range 3 {
		again := say(deliver.Event{Working: true})
		if again.State != control.Waiting || again.Why != fault.ServerError || !again.Since.Equal(first.Since) || !again.Until.IsZero() {
			t.Errorf("while it is tried again: %+v", again)
		}
		if s := say(deliver.Event{Fault: fault.ServerError, Until: now.Add(2 * time.Minute)}); s.State != control.Waiting || !s.Since.Equal(first.Since) {
			t.Errorf("again in vain: %+v", s)
		}
	}
	if s := say(deliver.Event{Working: true, LastSuccess: now}); s.State != control.Working || s.Salesforce.Fault != "" {
		t.Errorf("the first mail went through: %+v", s)
	}
	say(deliver.Event{Fault: fault.Offline})
	if s := say(deliver.Event{LastSuccess: now}); s.State == control.Offline || s.Salesforce.Fault != "" {
		t.Errorf("the end of a try without a fault: %+v", s)
	}
}

// TestHistoryIsShown: while mails from before automatic capture are looked through, the status tells
// how many, and only then.
func TestHistoryIsShown(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	for _, one := range []struct {
		event engine.Event
		want  control.Progress
	}{
		{engine.Event{Scanning: true}, control.Progress{}}, {engine.Event{Scanning: true, History: 200, HistoryAll: 500}, control.Progress{Done: 200, All: 500}},
		{engine.Event{Scanning: true, History: 400}, control.Progress{Done: 400}}, {engine.Event{Success: time.Now()}, control.Progress{}},
	} {
		if a.captureChanged(t.Context(), one.event); a.Status().History != one.want {
			t.Errorf("after %+v: %+v", one.event, a.Status().History)
		}
	}
}
