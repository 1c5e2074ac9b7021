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
	"hawser/app/text"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// now is the moment of all tests.
var now = time.Date(2026, 11, 25, 15, 4, 0, 0, time.FixedZone("CET", 3600))

// newTexts speaks a language.
func newTexts(lang string) *text.Localizer { return text.New(lang) }

// rig is a window on Fyne's software driver before a stand-in agent behind a real socket. Work for
// the drawing goroutine waits in a queue until the test lets it happen, so nothing races.
type rig struct {
	t     *testing.T
	a     *app
	agent *controltest.Agent
	work  chan func()
	dir   string
	opens []string
}

// stage says what a rig is like.
type stage struct {
	lang, page, shade string
	noFont            bool // for anything but Latin letters
	text              float32
	contrast          bool // the desktop shows high contrast
	size              fyne.Size
	texts             func(string) *text.Localizer // nil: the catalogue of lang
	agent             *controltest.Agent           // nil: none runs
	status            *control.Status              // nil: the agent's own
}

func newRig(t *testing.T, s stage) *rig {
	t.Helper()
	f := test.NewTempApp(t)
	w := test.NewTempWindow(t, nil)
	w.SetPadded(false)
	dir, err := os.MkdirTemp("", "hw") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t: t, work: make(chan func(), 1000), dir: dir}
	if s.agent != nil {
		if s.status != nil {
			s.agent.Set(*s.status)
		}
		r.serve(s.agent)
	}
	if s.text != 0 {
		f.Preferences().SetFloat(prefText, float64(s.text))
	}
	f.Preferences().SetString(prefShade, s.shade)
	if s.size.IsZero() {
		s.size = fyne.NewSize(1080, 740)
	}
	fonts := hasFont
	if s.noFont {
		fonts = func(lang string) bool { return scripts[lang].letters == "" }
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.a = newApp(ctx, f, w, Config{Dir: dir, Lang: s.lang, Version: "0.1.0", Page: s.page,
		Now: func() time.Time { return now }, Browse: func(u string) error { r.opens = append(r.opens, u); return nil },
		do: func(f func()) { r.work <- f }, texts: s.texts, hasFont: fonts, Contrast: func(context.Context) bool { return s.contrast }})
	w.Resize(s.size)
	r.a.start()
	t.Cleanup(func() { r.end(cancel) })
	if s.agent != nil {
		r.until("a status", func() bool { return r.a.agent != nil })
	} else {
		r.until("no agent", func() bool { return r.a.known })
	}
	return r
}

// serve lets an agent answer from now to the end of the test.
func (r *rig) serve(agent *controltest.Agent) {
	r.agent = agent
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- control.Serve(ctx, control.Config{Dir: r.dir, Agent: agent, Log: slog.New(slog.DiscardHandler)})
	}()
	r.t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			r.t.Error(err)
		}
	})
}

// end closes the window and waits for all that it started.
func (r *rig) end(cancel context.CancelFunc) {
	cancel()
	done := make(chan struct{})
	go func() { r.a.tasks.Wait(); close(done) }()
	for {
		select {
		case <-r.work:
		case <-done:
			return
		}
	}
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

// settle lets everything happen that the agent was asked for. What hangs on purpose it leaves after
// a pause.
func (r *rig) settle() {
	for {
		select {
		case f := <-r.work:
			f()
			continue
		default:
		}
		if r.a.asked == 0 {
			return
		}
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
	for range 2 { // a window does this at each frame in which a text needs more lines
		r.a.win.Content().Refresh()
	}
}

// shot keeps a picture of the window where HAWSER_SHOTS says, to be looked at.
func (r *rig) shot(name string) {
	r.t.Helper()
	dir := os.Getenv("HAWSER_SHOTS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, r.a.win.Canvas().Capture()); err != nil {
		r.t.Fatal(err)
	}
}

func count(list []string, s string) int {
	n := 0
	for _, one := range list {
		if one == s {
			n++
		}
	}
	return n
}
