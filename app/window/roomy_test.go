package window

import (
	"image"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// screenRoom is the smallest screen that text at 200 % is made for, without a panel and a title bar.
var screenRoom = fyne.NewSize(1280, 740)

// roomy fails for each object below root that has less room than it needs, or pushes past the edge.
func roomy(r *rig, root fyne.CanvasObject) {
	t := r.t
	t.Helper()
	if m := root.MinSize(); m.Width > screenRoom.Width || m.Height > screenRoom.Height {
		t.Errorf("what is on screen needs %v, more than a screen has", m)
	}
	right := r.a.win.Canvas().Size().Width + 1
	walk(root, func(o fyne.CanvasObject) bool {
		text, own := "", false
		switch o := o.(type) {
		case *container.Scroll:
			if o.Content.MinSize().Width > o.Size().Width+1 && o.Direction != container.ScrollHorizontalOnly {
				t.Errorf("what scrolls is %.0f wide, where there are %.0f", o.Content.MinSize().Width, o.Size().Width)
			}
			if least := min(o.Content.MinSize().Height, 4*theme.TextSize()); o.Size().Height+1 < least && o.Direction != container.ScrollHorizontalOnly && o.Direction != container.ScrollNone {
				t.Errorf("what scrolls has a height of %.0f, where %.0f are needed to see anything", o.Size().Height, least)
			}
			return true
		case *row:
			roomyRow(t, o)
			return false
		case *field:
			if need := written(o.PlaceHolder, "", fyne.TextStyle{}) + 2*theme.InnerPadding(); o.Text == "" && need > o.Size().Width+1 {
				t.Errorf("the hint %q has %.0f and needs %.0f", o.PlaceHolder, o.Size().Width, need)
			}
			return false
		case *widget.Label:
			text, own = o.Text, o.Truncation != fyne.TextTruncateOff
		case *button:
			text = o.Text
		case *check:
			text = o.Text
		case *choice:
			text = o.Selected
		case *widget.RichText:
			text = o.String()
		default:
			return true
		}
		if own && !readable(root, text) {
			t.Errorf("%q may end in an ellipsis, and stands nowhere whole", text)
		}
		if own || text == "" {
			return false
		}
		min, size := o.MinSize(), o.Size()
		if size.Width+1 < min.Width || size.Height+1 < min.Height {
			t.Errorf("%T %q has %v and needs %v", o, text, size, min)
		}
		if min.Width < size.Width-1 {
			return false // it takes the room that others made
		}
		if at := r.a.fyne.Driver().AbsolutePositionForObject(o); at.X+size.Width > right || at.X < -1 {
			t.Errorf("%T %q reaches from %.0f to %.0f of %.0f", o, text, at.X, at.X+size.Width, right-1)
		}
		return false
	})
}

// written is the width of a text.
func written(s string, size fyne.ThemeSizeName, style fyne.TextStyle) float32 {
	if size == "" {
		size = theme.SizeNameText
	}
	return fyne.MeasureText(s, theme.Size(size), style).Width
}

// readable reports whether a text that is cut stands somewhere whole.
func readable(root fyne.CanvasObject, text string) bool {
	for _, s := range texts(root) {
		if l, ok := s.by.(*widget.Label); ok && l.Truncation == fyne.TextTruncateOff && s.text == text {
			return true
		}
	}
	return text == ""
}

// roomyRow fails for a row whose words of ours are cut, whose name has no room, or which shows a
// piece of something that is told whole nowhere.
func roomyRow(t *testing.T, o *row) {
	t.Helper()
	d := test.WidgetRenderer(o).(*rowRenderer)
	for _, l := range []*widget.Label{d.right, d.badge} {
		if l.Visible() && (l.Size().Width+1 < l.MinSize().Width || l.Position().X < -1 || l.Position().X+l.Size().Width > o.Size().Width+1) {
			t.Errorf("%q of a row stands at %.0f with %.0f of %.0f", l.Text, l.Position().X, l.Size().Width, o.Size().Width)
		}
	}
	for _, l := range []*widget.Label{d.title, d.sub} {
		need := written(l.Text, l.SizeName, l.TextStyle)
		have := l.Size().Width - 2*theme.InnerPadding()
		if have+1 < min(need, 5*theme.TextSize()) {
			t.Errorf("%q of a row has %.0f and needs %.0f", l.Text, have, need)
		}
		if have+1 < need && o.list.chosen == nil {
			t.Errorf("%q is cut, and choosing its row shows nothing more", l.Text)
		}
	}
}

// ink is where a text is drawn.
type ink struct {
	text string
	at   image.Rectangle
	off  bool // it cannot be worked at the moment
}

// apart fails for two texts that lie over each other.
func apart(r *rig, root fyne.CanvasObject) {
	r.t.Helper()
	var all []ink
	size := r.a.win.Canvas().Size()
	inked(root, fyne.Position{}, image.Rect(0, 0, int(size.Width), int(size.Height)), func(i ink) { all = append(all, i) })
	for i, a := range all {
		for _, b := range all[:i] {
			if over := a.at.Intersect(b.at); over.Dx() > 2 && over.Dy() > 2 {
				r.t.Errorf("%q and %q lie over each other, at %v", b.text, a.text, over)
			}
		}
	}
}

// inked visits the texts below o, of which clip is in view. Parent is where o's own position counts from.
func inked(o fyne.CanvasObject, parent fyne.Position, clip image.Rectangle, found func(ink)) {
	if o == nil || !o.Visible() {
		return
	}
	at := parent.Add(o.Position())
	put := func(text string, inner image.Rectangle) {
		if seen := inner.Intersect(clip); text != "" && !seen.Empty() {
			d, ok := o.(fyne.Disableable)
			found(ink{text, seen, ok && d.Disabled()})
		}
	}
	switch o := o.(type) {
	case *widget.PopUp: // as large as the window; its content lies in it
		inked(o.Content, at, clip, found)
		return
	case *container.Scroll:
		clip = clip.Intersect(area(at, o.Size()))
	case *widget.Label:
		put(o.Text, area(at.AddXY(theme.InnerPadding(), theme.InnerPadding()), lettered(o)))
		return
	case *button, *check, *choice:
		put(named(o), area(at.AddXY(4, 4), o.Size().SubtractWidthHeight(8, 8)))
		return
	}
	for _, c := range children(o) {
		inked(c, at, clip, found)
	}
}

func named(o fyne.CanvasObject) string {
	switch o := o.(type) {
	case *button:
		return o.Text
	case *check:
		return o.Text
	case *choice:
		return o.Selected
	}
	return ""
}

// lettered is how much of a label has letters.
func lettered(l *widget.Label) fyne.Size {
	size := fyne.NewSize(l.Size().Width, l.MinSize().Height).SubtractWidthHeight(2*theme.InnerPadding(), 2*theme.InnerPadding())
	if l.Alignment == fyne.TextAlignLeading {
		size.Width = min(size.Width, written(l.Text, l.SizeName, l.TextStyle))
	}
	return size
}

func area(at fyne.Position, size fyne.Size) image.Rectangle {
	round := func(v float32) int { return int(math.Round(float64(v))) }
	return image.Rect(round(at.X), round(at.Y), round(at.X+size.Width), round(at.Y+size.Height))
}
