package agent

import (
	"context"
	"log/slog"
	"time"

	"hawser/sync/engine"
	"hawser/sync/fault"
)

// restPeriod is how long a part that broke for no known reason rests before it is started again.
const restPeriod = 30 * time.Second

// part is something that runs while it may.
type part struct {
	name  string
	side  string
	ready func() bool
	run   func(ctx context.Context) error
}

// keep runs p whenever it is ready, ends it when it no longer is, and starts it again when the
// status has changed. Only ctx ends it.
func (a *Agent) keep(ctx context.Context, p part) error {
	for {
		if err := a.await(ctx, p.ready); err != nil {
			return err
		}
		err := a.runWhile(ctx, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		if err := a.ended(ctx, p, err); err != nil {
			return err
		}
	}
}

// await returns when ready holds, looking again at every change of the status and when a pause
// has run out.
func (a *Agent) await(ctx context.Context, ready func() bool) error {
	for {
		_, changed := a.board.shown.Read()
		if ready() {
			return nil
		}
		var over <-chan time.Time
		if paused, until := a.board.paused(); paused && !until.IsZero() {
			timer := time.NewTimer(until.Sub(a.now()) + time.Millisecond)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-over:
			a.board.update(func(b *board) { b.facts.Paused = false })
		}
	}
}

// runWhile runs p until it ends by itself, is no longer ready, or runs under settings that are no
// longer in force.
func (a *Agent) runWhile(ctx context.Context, p part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	edition := a.settingsEdition()
	go func() { done <- p.run(ctx) }()
	for {
		_, changed := a.board.shown.Read()
		if !p.ready() || a.settingsEdition() != edition {
			cancel()
			<-done
			return nil
		}
		select {
		case err := <-done:
			return err
		case <-changed:
		}
	}
}

// ended decides what follows the end of a part: a fault that needs somebody waits for a change,
// any other rests a while.
func (a *Agent) ended(ctx context.Context, p part, err error) error {
	f := fault.Of(err)
	a.cfg.Log.LogAttrs(ctx, slog.LevelError, "part stopped", slog.String("part", p.name), slog.String("code", string(f.Code)), slog.Any("err", err))
	if signInLost(f.Code) {
		a.board.update(func(b *board) {
			side := b.sideOf(p.side)
			side.SignedIn, side.Fault = false, f.Code
		})
		return nil
	}
	until := time.Time{}
	if engine.Passes(f.Code) || f.Code.Class() == fault.Bug {
		until = a.now().Add(restPeriod)
	}
	a.board.setFault(p.side, f.Code, until)
	return a.rest(ctx, until)
}

// rest waits until a time, or for CheckNow where the time is zero: a person has to act.
func (a *Agent) rest(ctx context.Context, until time.Time) error {
	var over <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(a.now()))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-over:
	case <-a.nudged():
	}
	return nil
}

// signInLost reports whether a fault is mended by signing in again.
func signInLost(c fault.Code) bool {
	switch c {
	case fault.TokenRevoked, fault.NotSignedIn, fault.UserInactive, fault.AppBlocked, fault.AppUnknown, fault.ScopeMissing:
		return true
	}
	return false
}
