//go:build cgo

package window

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"time"

	"fyne.io/fyne/v2"
	desktop "fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver"

	"hawser/app/control"
	"hawser/app/text"
)

// ID is the program's name among those of the desktop.
const ID = "io.hawser.Hawser"

// drawTime is how long a window may take until it exists. Where OpenGL is missing, Fyne goes on
// without one and tells nobody.
const drawTime = 5 * time.Second

// Run shows the window until it is closed or ctx ends, and returns after everything it started is
// over. Where a window is open already it brings that one to the front and returns. Its errors are
// in words for people.
func Run(ctx context.Context, cfg Config) error {
	l, err := claim(ctx, cfg.Dir, cfg.Page)
	if l == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return draw(ctx, cancel, l, cfg)
}

// draw owns the drawing goroutine, which is the one that calls it.
func draw(ctx context.Context, cancel context.CancelFunc, l *control.Listener, cfg Config) (err error) {
	if cfg.Contrast == nil {
		cfg.Contrast = highContrast
	}
	f := desktop.NewWithID(ID)
	f.SetIcon(iconResource())
	started := false
	defer func() {
		if p := recover(); p != nil {
			if started {
				panic(p)
			}
			_ = l.Close() // the missing desktop is the error to tell
			err = errors.New(text.New(cfg.Lang).T("window.no-desktop", nil))
		}
	}()
	w := f.NewWindow("Hawser")
	w.SetPadded(false)
	a := newApp(ctx, f, w, cfg)
	w.Resize(fyne.NewSize(1080, 740))
	w.SetMaster()
	w.CenterOnScreen()
	f.Lifecycle().SetOnStarted(func() {
		started = true
		a.start()
		a.tasks.Go(func() { a.serveDoor(l) })
		a.tasks.Go(func() {
			select {
			case <-ctx.Done():
			case <-time.After(drawTime):
				a.cfg.do(func() {
					if !exists(w) {
						err = errors.New(a.t("window.no-drawing"))
						f.Quit()
					}
				})
			}
		})
	})
	stop := context.AfterFunc(ctx, func() { fyne.Do(f.Quit) })
	defer stop()
	w.ShowAndRun()
	cancel()
	a.tasks.Wait()
	return err
}

// serveDoor answers those who start the program while it runs.
func (a *app) serveDoor(l *control.Listener) {
	err := l.Serve(a.ctx, door{open: func(page string) { a.cfg.do(func() { a.raise(page) }) }}, a.cfg.Log)
	if err != nil {
		a.cfg.Log.Warn("window's socket ended", slog.Any("err", err))
	}
}

// exists reports whether the system made the window: then it has a handle, called differently on
// each system.
func exists(w fyne.Window) bool {
	native, ok := w.(driver.NativeWindow)
	if !ok {
		return true
	}
	there := true
	native.RunNative(func(handle any) { there = !reflect.ValueOf(handle).IsZero() })
	return there
}
