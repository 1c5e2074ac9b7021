package tray

import (
	"context"
	"runtime"
	"time"

	"fyne.io/systray"

	"hawser/app/control"
)

// Available reports whether there is a place for an icon. Windows always has one; when Explorer
// starts later or again, systray adds the icon itself.
func Available(context.Context) bool { return true }

// Run shows the icon until ctx ends or the agent does.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return follow(ctx, cfg, func(ctx context.Context, first control.Status, statuses <-chan control.Status) error {
		ready, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			// The window and its message loop must stay on one thread.
			runtime.LockOSThread()
			systray.Run(func() { close(ready) }, nil)
		}()
		select {
		case <-ready:
		case <-done:
			return ErrNoHost
		}
		defer func() { systray.Quit(); <-done }()
		mn, err := build(cfg, view(cfg, first))
		if err != nil {
			return err
		}
		return mn.loop(ctx, statuses, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
}
