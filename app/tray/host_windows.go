package tray

import (
	"context"
	"runtime"
	"strings"

	"fyne.io/systray"
	"golang.org/x/sys/windows/registry"

	"hawser/app/control"
	"hawser/assets"
)

const themeKey = `Software\Microsoft\Windows\CurrentVersion\Themes\Personalize`

// panelVariant returns the icons that stand out on the task bar.
func panelVariant() string {
	k, err := registry.OpenKey(registry.CURRENT_USER, themeKey, registry.QUERY_VALUE)
	if err != nil {
		return assets.IconLight
	}
	defer func() { _ = k.Close() }() // it was only read
	if light, _, err := k.GetIntegerValue("SystemUsesLightTheme"); err == nil && light == 0 {
		return assets.IconDark
	}
	return assets.IconLight
}

// escape keeps Windows from taking a sign of a subject for the mark of an access key.
func escape(label string) string { return strings.ReplaceAll(label, "&", "&&") }

// Available reports whether there is a place for an icon. Windows always has one; when Explorer
// starts later or again, systray adds the icon itself.
func Available(context.Context) bool { return true }

// Run shows the icon until ctx ends or the agent does.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.defaults()
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
		mn, err := build(cfg, first)
		if err != nil {
			return err
		}
		return mn.loop(ctx, statuses, host{watch: func(ctx context.Context) error { <-ctx.Done(); return nil }})
	})
}
