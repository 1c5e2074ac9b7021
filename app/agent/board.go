package agent

import (
	"context"
	"reflect"
	"sync"
	"time"

	"hawser/app/control"
	"hawser/sync/engine"
	"hawser/sync/fault"
)

// board is where every part of the agent writes what it knows, and from which the one status is
// derived. It is safe for concurrent use.
type board struct {
	now     func() time.Time
	version string

	mu      sync.Mutex
	facts   engine.Facts
	mail    control.Side
	sf      control.Side
	counts  control.Counts
	calls   control.Calls
	notes   []control.Note
	status  control.Status
	changed chan struct{} // closed and replaced at every change
}

func newBoard(now func() time.Time, version string) *board {
	b := &board{now: now, version: version, changed: make(chan struct{})}
	b.update(func(*board) {})
	return b
}

// update changes facts under the lock and tells everybody who waits when the status is another.
func (b *board) update(change func(*board)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
	next := b.derive()
	if reflect.DeepEqual(next, b.status) {
		return
	}
	if next.State != b.status.State {
		next.Since = b.now()
	}
	b.status = next
	close(b.changed)
	b.changed = make(chan struct{})
}

// derive computes the status from the facts; Since stays what it was.
func (b *board) derive() control.Status {
	f := b.facts
	f.Now = b.now()
	f.SalesforceSigned, f.MailSigned = b.sf.SignedIn, b.mail.SignedIn
	f.SalesforceFault, f.MailFault = b.sf.Fault, b.mail.Fault
	f.Waiting, f.NeedsYou = b.counts.Waiting-b.counts.NeedsYou, b.counts.NeedsYou
	r := engine.Next(f)
	return control.Status{
		State: r.State, Which: r.Which, Until: r.Until, Why: r.Why, Since: b.status.Since, Version: b.version,
		Salesforce: b.sf, Mail: b.mail, Counts: b.counts, Calls: b.calls, Notes: b.notes,
	}
}

// get returns the status and a channel that is closed when it is no longer true.
func (b *board) get() (control.Status, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.changed
}

// watch calls changed with each status until ctx ends or changed returns an error.
func (b *board) watch(ctx context.Context, changed func(control.Status) error) error {
	for {
		s, next := b.get()
		if err := changed(s); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next:
		}
	}
}

// paused reports whether the user paused the agent, and until when (zero: until resumed).
func (b *board) paused() (bool, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.facts
	return f.Paused && (f.PausedUntil.IsZero() || b.now().Before(f.PausedUntil)), f.PausedUntil
}

// sideOf returns the side named by the user.
func (b *board) sideOf(side string) *control.Side {
	if side == sideMail {
		return &b.mail
	}
	return &b.sf
}

// setFault writes what stops a side, "" for nothing; until is when it is tried again by itself.
func (b *board) setFault(side string, code fault.Code, until time.Time) {
	b.update(func(b *board) {
		b.sideOf(side).Fault = code
		if code != "" || b.mail.Fault == "" && b.sf.Fault == "" {
			b.facts.Until = until
		}
	})
}
