package agent

import (
	"context"
	"sync/atomic"
	"time"

	"hawser/app/control"
	"hawser/app/tray"
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
	window        func(page string) error // opens the window; nil without a desktop
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

// noTraySetting says that the person was told that there is no place for an icon.
const noTraySetting = "no-tray-told"

// lacksHost notes that the desktop has no place for an icon: in the status and by one notice, in this
// session and in no other.
func (f *face) lacksHost(ctx context.Context) {
	a := f.agent.Load()
	if a == nil {
		return // another session will tell it
	}
	if _, told, err := a.db.Setting(ctx, noTraySetting); err != nil || told {
		return
	}
	if err := a.db.SaveSetting(ctx, noTraySetting, "yes"); err == nil {
		a.board.update(func(b *board) { b.noTray = true })
	}
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

// Recent implements tray.Agent.
func (f *face) Recent(ctx context.Context) (mails []control.Mail, err error) {
	err = f.with(func(a *Agent) error {
		list, err := a.Mails(ctx, control.MailQuery{Limit: tray.RecentMails})
		mails = list.Mails
		return err
	})
	return mails, err
}

// Capture implements tray.Agent.
func (f *face) Capture(ctx context.Context, ref string) error {
	return f.with(func(a *Agent) error {
		result, err := a.Capture(ctx, control.CaptureRequest{Refs: []string{ref}})
		if err == nil && result.Gone > 0 {
			err = fault.New(fault.MailGone, "capture mail", nil)
		}
		return err
	})
}

// Undo implements tray.Agent.
func (f *face) Undo(ctx context.Context, ref string) error {
	return f.with(func(a *Agent) error { return a.undo(ctx, ref) })
}

// Open implements tray.Agent.
func (f *face) Open(ctx context.Context, page string) error {
	if a := f.agent.Load(); a != nil {
		return a.Open(ctx, page)
	}
	if f.window == nil {
		return fault.New(fault.WindowMissing, "open window", nil)
	}
	return f.window(page) // it waits for the agent, or says why there is none
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
