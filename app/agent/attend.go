package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hawser/app/control"
	"hawser/app/desktop"
	"hawser/app/notice"
)

// launcherPause is how long the pause lasts that a launcher's menu offers.
const launcherPause = 2 * time.Hour

// attend connects the agent to the person's desktop while it runs: notices, launchers and links, and
// what happens to the computer. What a desktop does not offer is done without.
func (f Foreground) attend(ctx context.Context, a *Agent, desk *sync.WaitGroup) {
	notices := notice.New(notice.Config{
		Agent: a, Screen: notice.NewScreen(), Text: a.text, Log: a.cfg.Log, Keep: toldBefore{a}, Now: a.cfg.Now,
	})
	a.allowNotices(ctx, notices.Allow)
	run := func(what string, do func() error) {
		desk.Go(func() {
			err := do()
			if err != nil && ctx.Err() == nil && !errors.Is(err, desktop.ErrUnsupported) {
				a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "part of the desktop not reached", slog.String("part", what), slog.Any("err", err))
			}
		})
	}
	run("notices", func() error { return notices.Run(ctx) })
	run("session", func() error { return desktop.Watch(ctx, func(e desktop.Event) { a.sessionChanged(e, notices) }) })
	run("start at login", func() error { // the program may have moved
		if a.cfg.Autostart == nil {
			return nil
		}
		_, err := a.cfg.Autostart.Repair()
		return errors.Join(err, a.obeyAutostart())
	})
	run("launcher", func() error {
		if place, err := desktop.FindPlace(environment(f.Env)); err == nil {
			if err := desktop.NewLauncher(place).Install(); err != nil && !errors.Is(err, desktop.ErrUnsupported) {
				return err
			}
		}
		return desktop.Serve(ctx, a.launched)
	})
}

// sessionChanged acts on what happens to the computer: after a sleep and with a new network
// connections are dead and new mail waits, and who comes back to their screen wants to see it.
func (a *Agent) sessionChanged(e desktop.Event, notices *notice.Notifier) {
	switch e {
	case desktop.Locked, desktop.Unlocked:
		notices.Lock(e == desktop.Locked)
	}
	switch e {
	case desktop.Wake, desktop.Online, desktop.Unlocked:
		a.check()
	}
}

// launched does what a launcher or a link asks for.
func (a *Agent) launched(ctx context.Context, r desktop.Request) {
	var err error
	switch {
	case !r.Link.Empty():
		err = errors.Join(a.Offer(ctx, r.Link), a.Open(ctx, "")) // the window asks, or "hawser enrol"
	case r.Action == desktop.ActCheck:
		err = a.CheckNow(ctx)
	case r.Action == desktop.ActPause:
		err = a.Pause(ctx, a.now().Add(launcherPause))
	case r.Action == desktop.ActCapture:
		err = a.Open(ctx, control.PageCapture)
	default:
		err = a.Open(ctx, "")
	}
	if err != nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "launcher's wish not done", slog.Any("err", err))
	}
}

// toldBefore keeps in the store what notices were shown.
type toldBefore struct{ a *Agent }

const toldSetting = "notices-told"

// Load implements notice.Keeper.
func (t toldBefore) Load(ctx context.Context) ([]byte, error) {
	raw, found, err := t.a.db.Setting(ctx, toldSetting)
	if err != nil || !found {
		return nil, err
	}
	return []byte(raw), nil
}

// Save implements notice.Keeper.
func (t toldBefore) Save(ctx context.Context, raw []byte) error {
	return t.a.db.SaveSetting(ctx, toldSetting, string(raw))
}
