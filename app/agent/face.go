package agent

import (
	"context"
	"sync/atomic"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// face is what the icon shows and steers: one agent after the other, and the reason while none
// runs. The icon's library can be started only once in a process.
type face struct {
	control.Board // every agent writes here
	agent         atomic.Pointer[Agent]
	again         chan struct{} // one-slot: the person wants another try
	stop          context.CancelFunc
}

// waits shows why no agent runs, until the person asks for another try or the time has come.
func (f *face) waits(ctx context.Context, why fault.Code, version string, wait time.Duration) error {
	f.Set(control.Status{State: capture.NeedsYou, Why: why, Since: time.Now(), Version: version})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.again:
	case <-timer.C:
	}
	return nil
}

// CheckNow implements tray.Agent.
func (f *face) CheckNow(ctx context.Context) error {
	if a := f.agent.Load(); a != nil {
		return a.CheckNow(ctx)
	}
	select {
	case f.again <- struct{}{}:
	default:
	}
	return nil
}

// Stop implements tray.Agent.
func (f *face) Stop(ctx context.Context) error {
	if a := f.agent.Load(); a != nil {
		return a.Stop(ctx)
	}
	f.stop()
	return nil
}

// SignIn implements tray.Agent.
func (f *face) SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error {
	return f.with(func(a *Agent) error { return a.SignIn(ctx, side, progress) })
}

// Pause implements tray.Agent.
func (f *face) Pause(ctx context.Context, until time.Time) error {
	return f.with(func(a *Agent) error { return a.Pause(ctx, until) })
}

// Resume implements tray.Agent.
func (f *face) Resume(ctx context.Context) error {
	return f.with(func(a *Agent) error { return a.Resume(ctx) })
}

func (f *face) with(do func(*Agent) error) error {
	a := f.agent.Load()
	if a == nil {
		return fault.New(fault.NotRunning, "reach agent", nil)
	}
	return do(a)
}
