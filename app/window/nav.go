package window

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// navItem is one page in the column at the side.
type navItem struct {
	widget.BaseWidget
	name   string
	glyph  mark
	badge  int // things that wait on that page; 0 shows none
	chosen bool
	tapped func()

	hovered, focused bool
}

var (
	_ fyne.Focusable    = (*navItem)(nil)
	_ desktop.Hoverable = (*navItem)(nil)
)

func newNavItem(name string, g mark, tapped func()) *navItem {
	n := &navItem{name: name, glyph: g, tapped: tapped}
	n.ExtendBaseWidget(n)
	return n
}

func (n *navItem) set(chosen bool, badge int) {
	if n.chosen != chosen || n.badge != badge {
		n.chosen, n.badge = chosen, badge
		n.Refresh()
	}
}

// Tapped implements fyne.Tappable.
func (n *navItem) Tapped(*fyne.PointEvent) { n.tapped() }

// FocusGained implements fyne.Focusable.
func (n *navItem) FocusGained() { n.focused = true; n.Refresh() }

// FocusLost implements fyne.Focusable.
func (n *navItem) FocusLost() { n.focused = false; n.Refresh() }

// TypedRune implements fyne.Focusable.
func (n *navItem) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (n *navItem) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		n.tapped()
	}
}

// MouseIn implements desktop.Hoverable.
func (n *navItem) MouseIn(*desktop.MouseEvent) { n.hovered = true; n.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (n *navItem) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (n *navItem) MouseOut() { n.hovered = false; n.Refresh() }

// CreateRenderer implements fyne.Widget.
func (n *navItem) CreateRenderer() fyne.WidgetRenderer {
	r := &navRenderer{n: n, back: newPanel("", ""), bar: newPanel(theme.ColorNamePrimary, ""), ring: newRing(),
		icon: canvas.NewImageFromResource(n.glyph), text: short(n.name), badge: short(""), pill: newPanel(colorWarningSoft, "")}
	r.icon.FillMode = canvas.ImageFillContain
	r.text.TextStyle.Bold = n.chosen
	r.badge.TextStyle.Bold = true
	r.badge.SizeName = theme.SizeNameCaptionText
	r.badge.Importance = widget.WarningImportance
	r.back.round, r.bar.round, r.pill.round = 8, 2, 10
	r.Refresh()
	return r
}

type navRenderer struct {
	n               *navItem
	back, bar, pill *panel
	ring            *canvas.Rectangle
	icon            *canvas.Image
	text, badge     *widget.Label
}

func (r *navRenderer) Destroy() {}

// Layout implements fyne.WidgetRenderer.
func (r *navRenderer) Layout(s fyne.Size) {
	r.back.Resize(s)
	r.ring.Resize(s)
	r.bar.Resize(fyne.NewSize(3, s.Height-16))
	r.bar.Move(fyne.NewPos(0, 8))
	side := theme.Size(theme.SizeNameInlineIcon)
	r.icon.Resize(fyne.NewSquareSize(side))
	r.icon.Move(fyne.NewPos(12, (s.Height-side)/2))
	left := 12 + side + 2
	r.text.Resize(fyne.NewSize(s.Width-left, r.text.MinSize().Height))
	r.text.Move(fyne.NewPos(left, (s.Height-r.text.MinSize().Height)/2))
	b := r.badge.MinSize()
	r.badge.Resize(b)
	r.badge.Move(fyne.NewPos(s.Width-b.Width-6, (s.Height-b.Height)/2))
	high := b.Height - 10
	r.pill.Resize(fyne.NewSize(b.Width-4, high))
	r.pill.Move(fyne.NewPos(s.Width-b.Width-4, (s.Height-high)/2))
}

// MinSize implements fyne.WidgetRenderer.
func (r *navRenderer) MinSize() fyne.Size {
	// The chosen one is bold, which is wider.
	m := fyne.MeasureText(r.n.name, theme.TextSize(), fyne.TextStyle{Bold: true})
	return fyne.NewSize(12+theme.Size(theme.SizeNameInlineIcon)+m.Width+64, m.Height+18)
}

// Objects implements fyne.WidgetRenderer.
func (r *navRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.back, r.bar, r.icon, r.text, r.pill, r.badge, r.ring}
}

// Refresh implements fyne.WidgetRenderer.
func (r *navRenderer) Refresh() {
	n := r.n
	r.back.fill = colorSide
	r.icon.Resource = n.glyph.in(theme.ColorNameDisabled)
	r.text.TextStyle.Bold = n.chosen
	switch {
	case n.chosen:
		r.back.fill = colorAccentSoft
		r.icon.Resource = n.glyph.in(theme.ColorNamePrimary)
	case n.hovered:
		r.back.fill = theme.ColorNameHover
	}
	show(r.bar, n.chosen)
	r.badge.Text = ""
	if n.badge > 0 {
		r.badge.Text = badgeText(n.badge)
	}
	show(r.badge, n.badge > 0)
	show(r.pill, n.badge > 0)
	r.text.Text = n.name
	for _, o := range []fyne.CanvasObject{r.back, r.bar, r.icon, r.text, r.badge, r.pill} {
		o.Refresh()
	}
	lit(r.ring, n.focused)
	r.Layout(n.Size())
}

// badgeText keeps a badge small.
func badgeText(n int) string {
	if n > 99 {
		return "99+"
	}
	return strconv.Itoa(n)
}

func show(o fyne.CanvasObject, on bool) {
	if on {
		o.Show()
	} else {
		o.Hide()
	}
}
