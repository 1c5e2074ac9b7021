package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// scale is how much larger than normal text is.
func scale() float32 { return theme.TextSize() / textSizes[theme.SizeNameText] }

// pair shows a list and the detail of what is chosen in it: side by side, or one below the other
// where text is too large for that.
type pair struct {
	least float32 // height of each, at normal text
	width float32 // as laid out last
}

func (p *pair) beside() bool { return p.width >= 620*scale() }

// Layout implements fyne.Layout.
func (p *pair) Layout(o []fyne.CanvasObject, s fyne.Size) {
	p.width = s.Width
	if p.beside() {
		half := (s.Width - gap) / 2
		o[0].Resize(fyne.NewSize(half, s.Height))
		o[0].Move(fyne.NewPos(0, 0))
		o[1].Resize(fyne.NewSize(half, s.Height))
		o[1].Move(fyne.NewPos(half+gap, 0))
		return
	}
	half := (s.Height - gap) / 2
	for i, one := range o {
		one.Resize(fyne.NewSize(s.Width, half))
		one.Move(fyne.NewPos(0, float32(i)*(half+gap)))
	}
}

// MinSize implements fyne.Layout.
func (p *pair) MinSize([]fyne.CanvasObject) fyne.Size {
	high := p.least * (1 + scale()) / 2
	if !p.beside() {
		high = 2*high + gap
	}
	return fyne.NewSize(240, high)
}

// flex lays two objects out in a line, of which one takes what the other leaves; where that is less
// than it needs, the line becomes two.
type flex struct {
	least float32 // width of the one that takes, at normal text
	front bool    // it stands before the other
	width float32
}

func (f *flex) fits(o []fyne.CanvasObject) bool {
	return f.least*scale()+8+o[1].MinSize().Width <= f.width
}

// Layout implements fyne.Layout. The first object is the one that takes.
func (f *flex) Layout(o []fyne.CanvasObject, s fyne.Size) {
	f.width = s.Width
	taker, other := o[0], o[1]
	m := other.MinSize()
	if f.fits(o) {
		rest := s.Width - m.Width - 8
		other.Resize(m)
		taker.Resize(fyne.NewSize(rest, s.Height))
		if f.front {
			taker.Move(fyne.NewPos(0, 0))
			other.Move(fyne.NewPos(rest+8, (s.Height-m.Height)/2))
			return
		}
		other.Move(fyne.NewPos(0, 0))
		taker.Move(fyne.NewPos(m.Width+8, 0))
		return
	}
	a, b := other, taker
	if f.front {
		a, b = taker, other
	}
	y := float32(0)
	for _, one := range []fyne.CanvasObject{a, b} {
		one.Resize(fyne.NewSize(s.Width, one.MinSize().Height))
		one.Move(fyne.NewPos(0, y))
		y += one.MinSize().Height + 8
	}
}

// MinSize implements fyne.Layout. Its height is that of the width it was given last.
func (f *flex) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	if f.fits(o) {
		return fyne.NewSize(min(f.least, b.Width), max(a.Height, b.Height))
	}
	return fyne.NewSize(max(min(f.least, a.Width), b.Width), a.Height+8+b.Height)
}

// choiceWidth is the least width of a choice, so that those below each other line up.
const choiceWidth = 190

// choice is a list to choose one of, wide enough for each.
type choice struct {
	widget.Select
	ring *canvas.Rectangle
}

func newChoice(options []string, changed func(i int)) *choice {
	c := &choice{ring: newRing()}
	c.Options, c.PlaceHolder = options, "…"
	c.ExtendBaseWidget(c)
	c.OnChanged = func(string) {
		if changed != nil {
			changed(c.SelectedIndex())
		}
	}
	return c
}

// pick chooses without telling.
func (c *choice) pick(i int) {
	if i >= 0 && i < len(c.Options) {
		c.Selected = c.Options[i]
		c.Refresh()
	}
}

// FocusGained implements fyne.Focusable.
func (c *choice) FocusGained() {
	c.Select.FocusGained()
	lit(c.ring, true)
	reveal(c)
}

// FocusLost implements fyne.Focusable.
func (c *choice) FocusLost() {
	c.Select.FocusLost()
	lit(c.ring, false)
}

// CreateRenderer implements fyne.Widget.
func (c *choice) CreateRenderer() fyne.WidgetRenderer {
	r := &edged{ringed: ringed{WidgetRenderer: c.Select.CreateRenderer(), ring: c.ring}, edge: canvas.NewRectangle(color.Transparent)}
	r.paint()
	return r
}

// edged draws the edge of a field, which Fyne's own choice lacks.
type edged struct {
	ringed
	edge *canvas.Rectangle
}

func (r *edged) paint() {
	r.edge.StrokeColor, r.edge.StrokeWidth = theme.Color(theme.ColorNameInputBorder), 1
	r.edge.CornerRadius = theme.Size(theme.SizeNameInputRadius)
}

// Layout implements fyne.WidgetRenderer.
func (r *edged) Layout(s fyne.Size) {
	r.ringed.Layout(s)
	r.edge.Resize(s)
}

// Refresh implements fyne.WidgetRenderer.
func (r *edged) Refresh() {
	r.ringed.Refresh()
	r.paint()
	r.edge.Refresh()
}

// Objects implements fyne.WidgetRenderer.
func (r *edged) Objects() []fyne.CanvasObject {
	return append(r.WidgetRenderer.Objects(), r.edge, r.ring)
}

// TypedKey implements fyne.Focusable. Enter opens the list, as the space bar does.
func (c *choice) TypedKey(ev *fyne.KeyEvent) {
	switch {
	case pass(c, ev):
	case ev.Name == fyne.KeyReturn, ev.Name == fyne.KeyEnter:
		c.Select.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	default:
		c.Select.TypedKey(ev)
	}
}

// MinSize implements fyne.CanvasObject.
func (c *choice) MinSize() fyne.Size {
	m := c.Select.MinSize()
	m.Width = max(m.Width, choiceWidth)
	for _, o := range append([]string{c.PlaceHolder}, c.Options...) {
		m.Width = max(m.Width, fyne.MeasureText(o, theme.TextSize(), fyne.TextStyle{}).Width+theme.Size(theme.SizeNameInlineIcon)+5*theme.Size(theme.SizeNameInnerPadding))
	}
	return m
}
