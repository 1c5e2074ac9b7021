package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// button is Fyne's, with a ring when it has the focus and Enter as well as the space bar.
type button struct {
	widget.Button
	ring  *canvas.Rectangle
	tight bool // one of many in a line
}

func newButton(text string, icon fyne.Resource, tapped func()) *button {
	b := &button{ring: newRing()}
	b.Text, b.Icon, b.OnTapped = text, icon, tapped
	b.ExtendBaseWidget(b)
	return b
}

// primary is the one thing to do next, of which a page has at most one.
func primary(text string, tapped func()) *button {
	b := newButton(text, nil, tapped)
	b.Importance = widget.HighImportance
	return b
}

// plain is any other button.
func plain(text string, tapped func()) *button { return newButton(text, nil, tapped) }

// quiet is a button without a face, for what is seldom needed.
func quiet(text string, tapped func()) *button {
	b := newButton(text, nil, tapped)
	b.Importance = widget.LowImportance
	return b
}

// FocusGained implements fyne.Focusable.
func (b *button) FocusGained() {
	b.Button.FocusGained()
	lit(b.ring, true)
	reveal(b)
}

// FocusLost implements fyne.Focusable.
func (b *button) FocusLost() {
	b.Button.FocusLost()
	lit(b.ring, false)
}

// TypedKey implements fyne.Focusable. Fyne's own button gives the focus up when it is pressed, as if
// a mouse had done it, and whoever works with keys would begin again at the top of the window.
func (b *button) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		if !b.Disabled() && b.OnTapped != nil {
			b.OnTapped()
		}
	default:
		pass(b, ev)
	}
}

// CreateRenderer implements fyne.Widget.
func (b *button) CreateRenderer() fyne.WidgetRenderer {
	return &buttonRenderer{ringed: ringed{WidgetRenderer: b.Button.CreateRenderer(), ring: b.ring}, b: b}
}

// buttonRenderer leaves more room beside the words of a button with a face than Fyne does.
type buttonRenderer struct {
	ringed
	b *button
}

// MinSize implements fyne.WidgetRenderer.
func (r *buttonRenderer) MinSize() fyne.Size {
	m := r.ringed.MinSize()
	if r.b.Text != "" && !r.b.tight && r.b.Importance != widget.LowImportance {
		m.Width += 0.6 * theme.TextSize()
	}
	return m
}

// newRing is the line around what has the focus.
func newRing() *canvas.Rectangle {
	r := canvas.NewRectangle(color.Transparent)
	r.StrokeWidth = 2
	r.Hide()
	return r
}

func lit(ring *canvas.Rectangle, on bool) {
	ring.StrokeColor = theme.Color(theme.ColorNamePrimary)
	ring.CornerRadius = theme.Size(theme.SizeNameInputRadius) + 2
	if on {
		ring.Show()
	} else {
		ring.Hide()
	}
	ring.Refresh()
}

// ringed draws a ring over another renderer.
type ringed struct {
	fyne.WidgetRenderer
	ring *canvas.Rectangle
}

// Layout implements fyne.WidgetRenderer.
func (r *ringed) Layout(s fyne.Size) {
	r.WidgetRenderer.Layout(s)
	r.ring.Move(fyne.NewPos(-2, -2))
	r.ring.Resize(s.AddWidthHeight(4, 4))
}

// Objects implements fyne.WidgetRenderer.
func (r *ringed) Objects() []fyne.CanvasObject {
	return append(r.WidgetRenderer.Objects(), r.ring)
}
