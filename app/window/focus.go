package window

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// reachable are the widgets below o that the Tab key reaches, in its order.
func reachable(o fyne.CanvasObject) []fyne.Focusable {
	if !o.Visible() {
		return nil
	}
	var out []fyne.Focusable
	switch o := o.(type) {
	case fyne.Focusable:
		if d, ok := o.(fyne.Disableable); !ok || !d.Disabled() {
			return []fyne.Focusable{o}
		}
	case *fyne.Container:
		for _, c := range o.Objects {
			out = append(out, reachable(c)...)
		}
	case *container.Scroll:
		return reachable(o.Content)
	case *container.ThemeOverride:
		return reachable(o.Content)
	}
	return out
}

// keepFocus draws something anew and gives the focus to what stands where it was.
func (a *app) keepFocus(box fyne.CanvasObject, draw func()) {
	at := slices.Index(reachable(box), a.win.Canvas().Focused())
	draw()
	if list := reachable(box); at >= 0 && len(list) > 0 {
		a.win.Canvas().Focus(list[min(at, len(list)-1)])
	}
}

// focusFirst gives the focus to the first widget below o, or to none while there is none.
func (a *app) focusFirst(o fyne.CanvasObject) {
	a.win.Canvas().Unfocus()
	if list := reachable(o); len(list) > 0 {
		a.win.Canvas().Focus(list[0])
	}
}

// focusMain gives the focus to the main button below o, or else to the first widget, when nothing has
// it: what was awaited has come, and the keyboard goes on there.
func (a *app) focusMain(o fyne.CanvasObject) {
	list := reachable(o)
	if a.win.Canvas().Focused() != nil || a.over != nil || len(list) == 0 {
		return
	}
	for _, f := range list {
		if b, ok := f.(*button); ok && b.Importance == widget.HighImportance {
			a.win.Canvas().Focus(b)
			return
		}
	}
	a.win.Canvas().Focus(list[0])
}

// pass hands a key that a widget has no use for to the window, which closes a sheet at Escape.
func pass(o fyne.CanvasObject, ev *fyne.KeyEvent) bool {
	if ev.Name != fyne.KeyEscape {
		return false
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(ev)
	}
	return true
}

// field is a line to type in.
type field struct{ widget.Entry }

// newField is a line that says what it is for while it is empty.
func newField(hint string) *field {
	f := &field{}
	f.PlaceHolder = hint
	f.Wrapping = fyne.TextWrapOff
	f.ExtendBaseWidget(f)
	return f
}

// FocusGained implements fyne.Focusable.
func (f *field) FocusGained() {
	f.Entry.FocusGained()
	reveal(f)
}

// TypedKey implements fyne.Focusable.
func (f *field) TypedKey(ev *fyne.KeyEvent) {
	if !pass(f, ev) {
		f.Entry.TypedKey(ev)
	}
}

// check is a box to tick.
type check struct {
	widget.Check
	ring *canvas.Rectangle
}

func newCheck(text string, changed func(bool)) *check {
	c := &check{ring: newRing()}
	c.Text, c.OnChanged = text, changed
	c.ExtendBaseWidget(c)
	return c
}

// FocusGained implements fyne.Focusable.
func (c *check) FocusGained() {
	c.Check.FocusGained()
	lit(c.ring, !c.Disabled())
	reveal(c)
}

// FocusLost implements fyne.Focusable.
func (c *check) FocusLost() {
	c.Check.FocusLost()
	lit(c.ring, false)
}

// CreateRenderer implements fyne.Widget.
func (c *check) CreateRenderer() fyne.WidgetRenderer {
	return &ringed{WidgetRenderer: c.Check.CreateRenderer(), ring: c.ring}
}

// TypedKey implements fyne.Focusable.
func (c *check) TypedKey(ev *fyne.KeyEvent) {
	switch {
	case pass(c, ev):
	case ev.Name == fyne.KeyReturn, ev.Name == fyne.KeyEnter:
		c.SetChecked(!c.Checked)
	default:
		c.Check.TypedKey(ev)
	}
}
