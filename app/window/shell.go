package window

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"hawser/app/control"
	"hawser/assets"
)

// noticeTime is how long a line about something done stays.
const noticeTime = 8 * time.Second

// shell is what surrounds every page: the column of pages, and the line in which news come and go.
type shell struct {
	a     *app
	items map[string]*navItem
	side  fyne.CanvasObject
	body  *fyne.Container // the page in view
	news  *fyne.Container
	turn  int  // counts news, so that an old timer leaves a newer line alone
	brief bool // the line in view goes by itself
	pages fyne.CanvasObject
	main  *fyne.Container // the pages, or what covers them
	all   *fyne.Container
}

func newShell(a *app) *shell {
	s := &shell{a: a, items: map[string]*navItem{}, body: container.NewStack(), news: container.NewStack()}
	s.side = s.column()
	s.pages = container.NewBorder(nil, nil, s.side, nil, container.NewBorder(nil, s.news, nil, nil, s.body))
	s.main = container.NewStack(s.pages)
	s.all = container.NewStack(newBackdrop(), s.main)
	return s
}

// newBackdrop is what everything lies on.
func newBackdrop() fyne.CanvasObject {
	p := newPanel("background", "")
	p.round = 0
	return p
}

func (s *shell) object() fyne.CanvasObject { return s.all }

// column lists the pages below the program's name.
func (s *shell) column() fyne.CanvasObject {
	glyphs := map[string]mark{control.PageHome: glyphHome, control.PageCapture: glyphCapture, control.PageActivity: glyphActivity, control.PageRules: glyphRules,
		control.PageCalendar: glyphCalendar, control.PageSettings: glyphSettings, control.PageHelp: glyphHelp}
	list := rows(2)
	for _, p := range control.Pages {
		s.items[p] = newNavItem(s.a.t("window.page-"+p), glyphs[p], func() { s.a.open(p) })
		if p == control.PageSettings {
			list.Add(gapOf(gap))
		}
		list.Add(s.items[p])
	}
	back := newPanel(colorSide, "")
	back.round = 0
	return container.NewStack(back, inset(gap, container.NewBorder(s.brand(), nil, nil, nil, list)))
}

func (s *shell) brand() fyne.CanvasObject {
	icon := canvas.NewImageFromResource(iconResource())
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSquareSize(30))
	name := bold("Hawser")
	name.SizeName = sizeCard
	name.Wrapping = fyne.TextWrapOff
	return container.New(layout.NewCustomPaddedLayout(4, 14, 6, 4), cols(2, centred(icon), centred(name)))
}

// iconResource is the program's picture.
func iconResource() fyne.Resource {
	raw, err := assets.Picture("hawser-256.png")
	if err != nil {
		return glyphMail // never: the file is part of the program
	}
	return fyne.NewStaticResource("hawser-256.png", raw)
}

// cover shows something instead of the pages; nil shows the pages again.
func (s *shell) cover(o fyne.CanvasObject) {
	if o == nil {
		o = s.pages
	}
	s.main.Objects = []fyne.CanvasObject{o}
	s.main.Refresh()
}

// put brings a page to view and marks it in the column.
func (s *shell) put(page string, o fyne.CanvasObject) {
	s.body.Objects = []fyne.CanvasObject{o}
	s.body.Refresh()
	s.mark(page)
}

func (s *shell) mark(page string) {
	for p, it := range s.items {
		badge := 0
		if p == control.PageActivity {
			badge = s.a.status.Counts.NeedsYou
		}
		it.set(p == page, badge)
	}
}

// show brings the frame up to date.
func (s *shell) show(control.Status) { s.mark(s.a.page) }

// notify shows one line at the foot of the window for a while.
func (s *shell) notify(t tone, message string) {
	s.turn++
	turn := s.turn
	text := label(message)
	close := quiet(s.a.t("window.close"), func() { s.clear(turn) })
	icon := canvas.NewImageFromResource(t.icon())
	icon.SetMinSize(fyne.NewSquareSize(20))
	icon.FillMode = canvas.ImageFillContain
	s.news.Objects = []fyne.CanvasObject{container.New(layout.NewCustomPaddedLayout(0, gap, gapLarge, gapLarge),
		tinted(t, container.NewBorder(nil, nil, centred(icon), centred(close), text)))}
	s.news.Refresh()
	if s.brief = t != toneError; !s.brief {
		return // stays until it is closed or something newer comes
	}
	s.a.tasks.Go(func() {
		select {
		case <-s.a.ctx.Done():
		case <-time.After(noticeTime):
			s.a.cfg.do(func() { s.clear(turn) })
		}
	})
}

// left takes good news away with the page that they are about.
func (s *shell) left() {
	if s.brief {
		s.clear(s.turn)
	}
}

func (s *shell) clear(turn int) {
	if turn == s.turn {
		s.news.Objects = nil
		s.news.Refresh()
	}
}

// gone shows that there is no agent to ask.
func (s *shell) gone() {
	a := s.a
	parts := rows(gapSmall, cardTitle(a.t("window.gone-title")), label(a.t("window.gone-body")), label(a.t("window.gone-fix")))
	if a.cfg.Start != nil {
		parts.Add(aligned(buttons(primary(a.t("window.gone-start"), func() {
			if err := a.cfg.Start(); err != nil {
				s.notify(toneError, a.sorry(err))
			}
		}))))
	}
	s.put(a.page, page(a.t("window.page-"+a.page), "", tinted(toneNeutral, parts)))
}

// relaid draws everything again after the look changed.
func (s *shell) relaid() { s.all.Refresh() }
