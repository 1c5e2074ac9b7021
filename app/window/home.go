package window

import (
	"context"
	"reflect"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
)

// chartDays is how far back the chart goes, and chartLines how many lines of the journal it reads.
const (
	chartDays  = 14
	chartLines = 1000
)

// home is the first page: how it goes, with whom, how much.
type home struct {
	a     *app
	view  homeView
	shown bool

	state, lines, tiles, notes *fyne.Container
	act, check, pause          *button
	budget, org                *widget.Label
	meter                      *meter
	chart                      *chart
	sum                        *widget.Label
	captured                   int // as the chart knows it
	all                        fyne.CanvasObject
}

func newHome(a *app) screen {
	h := &home{a: a, state: container.NewStack(), lines: rows(gap), tiles: container.New(newFlow(118, 5)), notes: rows(gap), captured: -1}
	h.act = primary("", func() { h.do(h.view.Action) })
	h.check = plain(a.t("window.do-check"), func() { h.do("check") })
	h.pause = newButton(a.t("window.do-pause"), glyphPause, h.pauses)
	h.budget, h.org, h.meter = label(""), caption(""), newMeter()
	h.chart, h.sum = newChart(), caption("")
	h.all = page(a.t("window.home-title"), "", rows(gap,
		h.state,
		h.notes,
		container.New(newFlow(370, 2),
			card(rows(gap, cardTitle(a.t("window.home-connections")), h.lines)),
			rows(gap,
				card(rows(gapSmall, cardTitle(a.t("window.home-chart")), h.chart, h.sum)),
				card(rows(gapSmall, cardTitle(a.t("window.home-budget")), h.meter, h.budget, h.org)))),
		card(rows(gapSmall, cardTitle(a.t("window.home-mails")), h.tiles, caption(a.t("window.home-law"))))))
	return h
}

func (h *home) object() fyne.CanvasObject { return h.all }

// show implements screen.
func (h *home) show(s control.Status) {
	v := viewHome(s, h.a.loc, h.a.cfg.Now())
	if s.Counts.Captured != h.captured {
		h.captured = s.Counts.Captured
		h.count()
	}
	if h.shown && reflect.DeepEqual(v, h.view) {
		return
	}
	h.view, h.shown = v, true
	h.drawState()
	h.lines.Objects = nil
	for i, c := range v.Lines {
		if i > 0 {
			h.lines.Add(widget.NewSeparator())
		}
		h.lines.Add(drawConnection(c))
	}
	h.tiles.Objects = nil
	for _, t := range v.Tiles {
		h.tiles.Add(drawTile(t))
	}
	h.notes.Objects = nil
	for _, n := range v.Notes {
		h.notes.Add(tinted(toneWarning, rows(0, bold(n.Title), label(n.Body), label(n.Fix))))
	}
	show(h.notes, len(v.Notes) > 0)
	write(h.budget, v.Budget.Text)
	write(h.org, v.Budget.Org)
	show(h.org, v.Budget.Org != "")
	h.meter.set(v.Budget.Share)
	for _, c := range []*fyne.Container{h.lines, h.tiles, h.notes} {
		c.Refresh()
	}
}

// drawState draws the large card at the top.
func (h *home) drawState() {
	v := h.view
	head := bold(v.Headline)
	head.SizeName = "subHeadingText"
	words := rows(0, head)
	if v.Body != "" {
		words.Add(label(v.Body))
	}
	if v.Action != "" {
		h.act.SetText(h.a.t("window.do-" + v.Action))
	}
	show(h.act, v.Action != "")
	show(h.pause, !v.Paused)
	if v.CanCheck {
		h.check.Enable()
	} else {
		h.check.Disable()
	}
	shape := v.Tone.icon()
	if v.Paused {
		shape = glyphPause.in(v.Tone.strong())
	}
	icon := canvas.NewImageFromResource(shape)
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSquareSize(40))
	acts := buttons(h.act, h.check, h.pause)
	h.state.Objects = []fyne.CanvasObject{tinted(v.Tone, container.NewBorder(nil, nil,
		container.NewVBox(inset(6, icon)), nil, rows(8, words, aligned(acts))))}
	h.state.Refresh()
}

func drawConnection(c connection) fyne.CanvasObject {
	glyph := map[string]mark{"mail": glyphMail, "calendar": glyphCalendar, "salesforce": glyphCloud, "company": glyphCompany}[c.Glyph]
	words := rows(-6, bold(c.Name), muted(c.Who))
	if c.Last != "" {
		words.Add(caption(c.Last))
	}
	if c.Fault != "" {
		f := label(c.Fault)
		f.Importance = widget.DangerImportance
		words.Add(f)
		words.Add(label(c.Fix))
	}
	return container.NewBorder(nil, nil, lead(glyph), lead(c.Tone.icon()), words)
}

func drawTile(t tile) fyne.CanvasObject {
	value := short(t.Value)
	value.SizeName = sizeFigure
	value.TextStyle.Bold = true
	name := muted(t.Name)
	if t.Warn {
		value.Importance = widget.WarningImportance
	}
	return rows(-8, value, name)
}

// do performs one of the page's actions.
func (h *home) do(action string) {
	switch action {
	case "check":
		h.a.tell(func(ctx context.Context, g control.Agent) error { return g.CheckNow(ctx) },
			func() { h.a.shell.notify(toneBusy, h.a.t("window.do-checked")) })
	case actResume:
		h.a.tell(func(ctx context.Context, g control.Agent) error { return g.Resume(ctx) }, nil)
	case actSignInMail:
		h.a.signIn(sideMail)
	case actSignInSalesforce:
		h.a.signIn(sideSalesforce)
	case actSetUp:
		h.a.setUp()
	case actDecide:
		h.a.open(control.PageActivity)
	}
}

// pauses offers how long.
func (h *home) pauses() {
	now := h.a.cfg.Now()
	item := func(id string, until time.Time) *fyne.MenuItem {
		return fyne.NewMenuItem(h.a.t(id), func() {
			h.a.tell(func(ctx context.Context, g control.Agent) error { return g.Pause(ctx, until) }, nil)
		})
	}
	h.a.menu(h.pause,
		item("window.pause-30m", now.Add(30*time.Minute)),
		item("window.pause-2h", now.Add(2*time.Hour)),
		item("window.pause-tomorrow", control.Tomorrow(now)),
		item("window.pause-open", time.Time{}))
}

// count fetches the journal for the chart.
func (h *home) count() {
	ask(h.a, func(ctx context.Context, g control.Agent) ([]control.JournalItem, error) {
		return g.Journal(ctx, control.JournalQuery{Limit: chartLines})
	}, func(items []control.JournalItem, err error) {
		if err != nil {
			return // the headline says what is wrong
		}
		counts := perDay(items, chartDays, h.a.cfg.Now())
		sum := 0
		for _, n := range counts {
			sum += n
		}
		h.chart.set(counts)
		write(h.sum, h.a.t("window.home-chart-empty"))
		if sum > 0 {
			write(h.sum, h.a.tf("window.home-chart-sum", map[string]any{"Count": sum}))
		}
	})
}
