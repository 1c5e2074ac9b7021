package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// pageLink is a line in a list of pages, whose name may need more than one line.
type pageLink struct {
	widget.BaseWidget
	name   *widget.Label
	back   *panel
	ring   *canvas.Rectangle
	chosen bool
	tapped func()
}

var (
	_ fyne.Focusable    = (*pageLink)(nil)
	_ desktop.Hoverable = (*pageLink)(nil)
)

func newPageLink(name string, tapped func()) *pageLink {
	l := &pageLink{name: label(name), back: newPanel("", ""), ring: newRing(), tapped: tapped}
	l.back.round = 8
	l.ExtendBaseWidget(l)
	return l
}

// mark shows whether its page is the one in view.
func (l *pageLink) mark(chosen bool) {
	l.chosen = chosen
	l.name.TextStyle.Bold = chosen
	l.paint(false)
	l.name.Refresh()
}

func (l *pageLink) paint(hovered bool) {
	l.back.fill = colorSurface
	switch {
	case l.chosen:
		l.back.fill = colorAccentSoft
	case hovered:
		l.back.fill = theme.ColorNameHover
	}
	l.back.Refresh()
}

// Tapped implements fyne.Tappable.
func (l *pageLink) Tapped(*fyne.PointEvent) { l.tapped() }

// FocusGained implements fyne.Focusable.
func (l *pageLink) FocusGained() {
	lit(l.ring, true)
	reveal(l)
}

// FocusLost implements fyne.Focusable.
func (l *pageLink) FocusLost() { lit(l.ring, false) }

// TypedRune implements fyne.Focusable.
func (l *pageLink) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (l *pageLink) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		l.tapped()
	}
}

// MouseIn implements desktop.Hoverable.
func (l *pageLink) MouseIn(*desktop.MouseEvent) { l.paint(true) }

// MouseMoved implements desktop.Hoverable.
func (l *pageLink) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (l *pageLink) MouseOut() { l.paint(false) }

// CreateRenderer implements fyne.Widget.
func (l *pageLink) CreateRenderer() fyne.WidgetRenderer {
	l.paint(false)
	return &pageLinkRenderer{l}
}

type pageLinkRenderer struct{ l *pageLink }

func (r *pageLinkRenderer) Destroy() {}

// Layout implements fyne.WidgetRenderer.
func (r *pageLinkRenderer) Layout(s fyne.Size) {
	for _, o := range r.Objects() {
		o.Resize(s)
	}
}

// MinSize implements fyne.WidgetRenderer.
func (r *pageLinkRenderer) MinSize() fyne.Size { return r.l.name.MinSize() }

// Objects implements fyne.WidgetRenderer.
func (r *pageLinkRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.l.back, r.l.name, r.l.ring}
}

// Refresh implements fyne.WidgetRenderer.
func (r *pageLinkRenderer) Refresh() {
	for _, o := range r.Objects() {
		o.Refresh()
	}
}
