//go:build cgo

package window

import (
	"context"
	"fmt"

	"fyne.io/fyne/v2"
	desktop "fyne.io/fyne/v2/app"
)

// ID is the program's name among those of the desktop.
const ID = "io.hawser.Hawser"

// Run shows the window until it is closed or ctx ends, and returns after everything it started is
// over. Where a window is open already it brings that one to the front and returns.
func Run(ctx context.Context, cfg Config) error {
	l, err := claim(ctx, cfg.Dir, cfg.Page)
	if l == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := desktop.NewWithID(ID)
	f.SetIcon(iconResource())
	w := f.NewWindow("Hawser")
	w.SetPadded(false)
	a := newApp(ctx, f, w, cfg)
	w.Resize(fyne.NewSize(1080, 740))
	w.SetMaster()
	w.CenterOnScreen()
	f.Lifecycle().SetOnStarted(a.start)
	stop := context.AfterFunc(ctx, func() { fyne.Do(f.Quit) })
	defer stop()
	a.tasks.Go(func() {
		err := l.Serve(ctx, door{open: func(page string) { a.cfg.do(func() { a.raise(page) }) }}, a.cfg.Log)
		if err != nil {
			a.cfg.Log.Warn("window's socket ended", "err", fmt.Sprint(err))
		}
	})
	w.ShowAndRun()
	cancel()
	a.tasks.Wait()
	return nil
}
