package window

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/sync/fault"
)

// redial is how long the window waits before it looks for an agent that was not there.
const redial = time.Second

// tickTime is how often a page that is in view tells its times anew.
const tickTime = 30 * time.Second

// Config is what [Run] needs. Dir, Lang and Version are required.
type Config struct {
	Dir     string // the agent's control directory
	Lang    string
	Version string // of this program
	Page    string // where it opens; "" is home
	// Browse opens an address in the user's browser; nil is the desktop's own way.
	Browse func(address string) error
	// Start starts an agent where none runs; nil where that is not possible.
	Start func() error
	// Contrast reports whether the desktop shows high contrast; nil is no. It may block until ctx ends.
	Contrast func(ctx context.Context) bool
	Now      func() time.Time // nil is time.Now
	Log      *slog.Logger     // nil discards

	// do hands work to the drawing goroutine; nil is fyne.Do.
	do func(func())
	// hasFont reports whether a language can be shown; nil asks the system.
	hasFont func(lang string) bool
	// texts speaks a language; nil is text.New.
	texts func(lang string) *text.Localizer
}

// screen is one page.
type screen interface {
	// object is what is drawn; it stays the same.
	object() fyne.CanvasObject
	// show brings the page up to date with a status. It is called when the page is opened, and for
	// each status while it is in view.
	show(s control.Status)
}

// opener is a screen that fetches something each time it is opened.
type opener interface{ opened() }

// app is the window with all that its screens share. Only the drawing goroutine touches it.
type app struct {
	cfg   Config
	loc   *text.Localizer
	fyne  fyne.App
	win   fyne.Window
	ctx   context.Context // ends with the window; for commands, which outlive the call that starts them
	tasks sync.WaitGroup

	agent  control.Agent // nil while no agent runs
	status control.Status
	known  bool // a status has come
	asked  int  // answers that are awaited

	look    Look
	strong  bool // the desktop shows high contrast
	shell   *shell
	screens map[string]screen
	page    string
	spoken  string        // the language asked for; loc speaks it where it can be shown
	guide   *guide        // the first run, while it covers the pages
	left    bool          // the person left the first run in this window
	over    *widget.PopUp // the sheet in view, nil where there is none
}

// newApp makes the window's content; nothing is drawn or asked before [app.start].
func newApp(ctx context.Context, f fyne.App, w fyne.Window, cfg Config) *app {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.do == nil {
		cfg.do = fyne.Do
	}
	if cfg.hasFont == nil {
		cfg.hasFont = hasFont
	}
	if cfg.texts == nil {
		cfg.texts = text.New
	}
	if !slices.Contains(control.Pages, cfg.Page) {
		cfg.Page = control.PageHome
	}
	a := &app{cfg: cfg, fyne: f, win: w, ctx: ctx}
	a.look = loadLook(f.Preferences())
	f.Settings().SetTheme(a.skin())
	a.shortcuts()
	w.SetOnDropped(a.dropped)
	a.page = cfg.Page
	a.build(cfg.Lang)
	return a
}

// build makes everything that is drawn, in a language, or in English where that cannot be shown.
func (a *app) build(lang string) {
	a.spoken = a.cfg.texts(lang).Lang()
	shown := a.spoken
	if !a.cfg.hasFont(shown) {
		shown = "en"
	}
	warmFonts(shown)
	a.loc, a.guide, a.screens = a.cfg.texts(shown), nil, map[string]screen{}
	a.closeSheet()
	a.teach()
	a.shell = newShell(a)
	a.win.SetContent(a.shell.object())
	a.open(a.page)
	if why := a.noFont(); why != "" {
		a.shell.notify(toneWarning, why)
	}
}

// speak changes to the language that the person chose in the agent's settings; "" is the desktop's.
func (a *app) speak(lang string) {
	if lang == "" {
		lang = a.cfg.Lang
	}
	if a.cfg.texts(lang).Lang() == a.spoken {
		return
	}
	guided := a.guide != nil
	a.build(lang)
	a.shell.show(a.status)
	if guided {
		a.setUp()
	}
}

// language asks the agent which language the person chose.
func (a *app) language() {
	ask(a, func(ctx context.Context, g control.Agent) ([]control.Setting, error) { return g.Settings(ctx) },
		func(list []control.Setting, err error) {
			for _, s := range list { // none, when err says why: the desktop's language stays
				if err == nil && s.Key == control.SetLanguage {
					a.speak(s.Value)
				}
			}
		})
}

// start begins to follow the agent.
func (a *app) start() {
	a.tasks.Go(a.follow)
	a.tasks.Go(a.tick)
	a.contrasts()
}

// t returns the text of id, and tf one with data filled in.
func (a *app) t(id string) string                       { return unbroken.Replace(a.loc.T(id, nil)) }
func (a *app) tf(id string, data map[string]any) string { return unbroken.Replace(a.loc.T(id, data)) }

// n is a number as the language writes it.
func (a *app) n(n int) string { return a.loc.Number(n) }

// ago is a moment as seen from now.
func (a *app) ago(t time.Time) string { return a.loc.Ago(t, a.cfg.Now()) }

// follow shows what the agent says until the window closes, and looks for it while it is not there.
func (a *app) follow() {
	for a.ctx.Err() == nil {
		client, err := control.Dial(a.ctx, a.cfg.Dir)
		if err == nil {
			err = client.Watch(a.ctx, func(s control.Status) error {
				a.cfg.do(func() { a.arrived(client, s) })
				return nil
			})
		}
		if a.ctx.Err() != nil {
			return
		}
		a.cfg.Log.Info("no agent", slog.Any("err", err))
		a.cfg.do(a.lost)
		select {
		case <-a.ctx.Done():
		case <-time.After(redial):
		}
	}
}

// tick keeps "two minutes ago" true.
func (a *app) tick() {
	t := time.NewTicker(tickTime)
	defer t.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return
		case <-t.C:
			a.cfg.do(func() {
				if a.agent != nil && a.guide == nil {
					a.current().show(a.status)
				}
			})
		}
	}
}

// arrived takes a status over.
func (a *app) arrived(agent control.Agent, s control.Status) {
	again, offered := a.agent == nil, s.Offer != "" && s.Offer != a.status.Offer
	a.agent, a.status, a.known = agent, s, true
	a.shell.show(s)
	if again {
		a.language()
	}
	if a.guide == nil && (offered || !a.left && needsGuide(s)) {
		a.setUp()
		return
	}
	if a.guide != nil && a.guide.offer != "" && !needsGuide(s) {
		a.guide.leave() // it was there for a link alone, which was answered
		a.left = false
		return
	}
	if a.guide != nil {
		a.guide.show(s)
		return
	}
	if again {
		a.open(a.page)
		return
	}
	a.current().show(s)
}

// lost shows that no agent runs.
func (a *app) lost() {
	if a.agent == nil && a.known {
		return
	}
	a.agent, a.known = nil, true
	a.status = control.Status{}
	if a.guide != nil {
		a.guide = nil
		a.shell.cover(nil)
	}
	a.shell.gone()
}

// current is the screen in view.
func (a *app) current() screen {
	s, ok := a.screens[a.page]
	if !ok {
		s = a.screen(a.page)
		a.screens[a.page] = s
	}
	return s
}

// screen makes a page at its first use.
func (a *app) screen(page string) screen {
	switch page {
	case control.PageCapture:
		return newCapture(a)
	case control.PageActivity:
		return newActivity(a)
	case control.PageRules:
		return newRules(a)
	case control.PageCalendar:
		return newCalendar(a)
	case control.PageSettings:
		return newSettings(a)
	case control.PageHelp:
		return newHelp(a)
	default:
		return newHome(a)
	}
}

// open brings a page to view.
func (a *app) open(page string) {
	if !slices.Contains(control.Pages, page) {
		page = control.PageHome
	}
	if page != a.page {
		a.shell.left()
	}
	a.page = page
	if a.known && a.agent == nil && page != control.PageHelp { // help needs nobody
		a.shell.gone()
		return
	}
	s := a.current()
	a.shell.put(page, s.object())
	if a.agent != nil {
		s.show(a.status)
		a.reopen()
	}
}

// reopen lets the page in view fetch what it needs.
func (a *app) reopen() {
	if o, ok := a.current().(opener); ok {
		o.opened()
	}
}

// ask runs call beside the drawing and hands its answer to then, which draws. Without an agent the
// answer is the fault of that.
func ask[T any](a *app, call func(context.Context, control.Agent) (T, error), then func(T, error)) {
	agent := a.agent
	if agent == nil {
		var none T
		then(none, fault.New(fault.NotRunning, "ask agent", nil))
		return
	}
	a.asked++
	a.tasks.Go(func() {
		out, err := call(a.ctx, agent)
		if a.ctx.Err() == nil {
			a.cfg.do(func() { a.asked--; then(out, err) })
		}
	})
}

// tell runs a command without an answer. A fault is shown in a line that goes by itself.
func (a *app) tell(call func(context.Context, control.Agent) error, done func()) {
	ask(a, func(ctx context.Context, agent control.Agent) (struct{}, error) { return struct{}{}, call(ctx, agent) },
		func(_ struct{}, err error) {
			if err != nil {
				a.shell.notify(toneError, a.sorry(err))
				return
			}
			if done != nil {
				done()
			}
		})
}

// browse opens an address of the agent's in the browser. Only https is opened: what Salesforce and
// the company hand out is nothing else.
func (a *app) browse(address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return
	}
	open := a.cfg.Browse
	if open == nil {
		open = func(string) error { return a.fyne.OpenURL(u) }
	}
	if err := open(address); err != nil {
		a.cfg.Log.Warn("no browser", slog.Any("err", err))
		a.fyne.Clipboard().SetContent(address)
		a.shell.notify(toneWarning, a.t("window.no-browser"))
	}
}
