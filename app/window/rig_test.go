package window

import (
	"context"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"hawser/app/control"
	"hawser/app/control/controltest"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// now is the moment of all tests.
var now = time.Date(2026, 11, 25, 15, 4, 0, 0, time.FixedZone("CET", 3600))

// rig is a window on Fyne's software driver before a stand-in agent behind a real socket. Work for
// the drawing goroutine waits in a queue until the test lets it happen, so nothing races.
type rig struct {
	t     *testing.T
	a     *app
	agent *controltest.Agent
	work  chan func()
	opens []string
}

// stage says what a rig is like.
type stage struct {
	lang, page, shade string
	text              float32
	size              fyne.Size
	agent             *controltest.Agent // nil: none runs
	status            *control.Status    // nil: the agent's own
}

func newRig(t *testing.T, s stage) *rig {
	t.Helper()
	f := test.NewTempApp(t)
	w := test.NewTempWindow(t, nil)
	w.SetPadded(false)
	r := &rig{t: t, agent: s.agent, work: make(chan func(), 1000)}
	dir, err := os.MkdirTemp("", "hw") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	if s.agent != nil {
		go func() {
			served <- control.Serve(ctx, control.Config{Dir: dir, Agent: s.agent, Log: slog.New(slog.DiscardHandler)})
		}()
	}
	if s.text != 0 {
		f.Preferences().SetFloat(prefText, float64(s.text))
	}
	f.Preferences().SetString(prefShade, s.shade)
	if s.size.IsZero() {
		s.size = fyne.NewSize(1080, 740)
	}
	r.a = newApp(ctx, f, w, Config{Dir: dir, Lang: s.lang, Version: "0.1.0", Page: s.page,
		Now: func() time.Time { return now }, Browse: func(u string) error { r.opens = append(r.opens, u); return nil },
		do: func(f func()) { r.work <- f }})
	w.Resize(s.size)
	r.a.start()
	t.Cleanup(func() {
		cancel()
		done := make(chan struct{})
		go func() { r.a.tasks.Wait(); close(done) }()
		for {
			select {
			case <-r.work:
			case <-done:
				if s.agent != nil {
					if err := <-served; err != nil {
						t.Error(err)
					}
				}
				return
			}
		}
	})
	if s.agent != nil {
		r.until("a status", func() bool { return r.a.agent != nil })
	} else {
		r.until("no agent", func() bool { return r.a.known })
	}
	return r
}

// until lets drawing happen until something holds.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	limit := time.After(patience)
	for !holds() {
		select {
		case f := <-r.work:
			f()
		case <-limit:
			r.t.Fatalf("waited for %s", what)
		}
	}
}

// settle lets everything happen that the agent was asked for, up to a pause.
func (r *rig) settle() {
	for {
		select {
		case f := <-r.work:
			f()
		case <-time.After(150 * time.Millisecond):
			return
		}
	}
}

// relax lets text that wraps find its height, which needs its width first.
func (r *rig) relax() {
	size := r.a.win.Canvas().Size()
	for range 3 {
		r.a.win.Content().Refresh()
		r.a.win.Resize(size.AddWidthHeight(1, 0))
		r.a.win.Resize(size)
	}
}

// shot keeps a picture of the window where HAWSER_SHOTS says, to be looked at.
func (r *rig) shot(name string) {
	r.t.Helper()
	f, err := os.Create(filepath.Join(os.Getenv("HAWSER_SHOTS"), name+".png"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, r.a.win.Canvas().Capture()); err != nil {
		r.t.Fatal(err)
	}
}
