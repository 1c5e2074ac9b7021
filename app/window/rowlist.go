package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// rowView is what one row of a long list shows.
type rowView struct {
	Icon     mark   // "" shows none
	Title    string // who
	Sub      string // what
	Right    string // when
	Badge    string // its state, in a word
	Tone     tone   // of the badge
	Clip     bool   // it has attachments
	Checked  bool
	Hittable bool // it can be checked
}

// rowList is a list of any length, of which only the rows in view exist. The arrows move and choose
// at once, the space bar and Enter check a row where rows can be checked.
type rowList struct {
	widget.List
	at      int // chosen with the keyboard or the mouse
	chosen  func(i int)
	checked func(i int) // nil where rows cannot be checked
	end     func()      // nil, or called when the last row comes into view
	ring    *canvas.Rectangle
	quiet   bool

	following bool            // the row at is about to be chosen
	resting   *fyne.Animation // nil, or runs until what the keys have chosen is told
}

// newRowList makes a list of length() rows.
func newRowList(length func() int, view func(i int) rowView) *rowList {
	l := &rowList{ring: newRing()}
	l.Length = length
	l.CreateItem = func() fyne.CanvasObject { return newRow(l) }
	l.UpdateItem = func(i int, o fyne.CanvasObject) {
		o.(*row).set(i, view(i))
		if l.end != nil && i == length()-1 {
			l.end()
		}
	}
	l.OnSelected = func(i int) {
		l.at = i
		switch {
		case l.chosen == nil || l.quiet:
		case l.following:
			l.tellLater()
		default:
			l.tell()
		}
	}
	l.HideSeparators = true
	l.ExtendBaseWidget(l)
	return l
}

// FocusGained implements fyne.Focusable.
func (l *rowList) FocusGained() { lit(l.ring, true) }

// FocusLost implements fyne.Focusable. Whoever goes on to what is said about a row means the chosen one.
func (l *rowList) FocusLost() {
	lit(l.ring, false)
	if l.stopResting() {
		l.tell()
	}
}

// CreateRenderer implements fyne.Widget.
func (l *rowList) CreateRenderer() fyne.WidgetRenderer {
	return &ringed{WidgetRenderer: l.List.CreateRenderer(), ring: l.ring}
}

// keep chooses a row without telling, and leaves in view what was: added rows came above it.
func (l *rowList) keep(i, added int) {
	at := l.GetScrollOffset()
	l.quiet = true
	l.UnselectAll()
	l.Select(i)
	l.quiet = false
	if at > 0 {
		l.ScrollToOffset(at + float32(added)*(l.MinSize().Height+theme.Padding()))
	}
}

// reset goes to the top with nothing chosen, after the rows became others.
func (l *rowList) reset() {
	l.stopResting()
	l.at = 0
	l.UnselectAll()
	l.Refresh()
	l.ScrollToTop()
}

// row draws a rowView: two lines, a box to check at the front, a badge at the end. It is drawn by
// hand because thousands of them pass by.
type row struct {
	widget.BaseWidget
	list *rowList
	i    int
	view rowView
}

var _ desktop.Hoverable = (*tick)(nil)

func newRow(l *rowList) *row {
	r := &row{list: l}
	r.ExtendBaseWidget(r)
	return r
}

func (r *row) set(i int, v rowView) {
	if r.i == i && r.view == v {
		return
	}
	r.i, r.view = i, v
	r.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (r *row) CreateRenderer() fyne.WidgetRenderer {
	d := &rowRenderer{r: r, title: line(""), sub: line(""), right: short(""), badge: short(""), pill: newPanel(colorNeutralSoft, ""),
		icon: widget.NewIcon(nil), clip: widget.NewIcon(glyphClip.in(theme.ColorNameDisabled))}
	d.tick = &tick{hit: func() {
		if r.list.checked != nil {
			r.list.checked(r.i)
			r.list.RefreshItem(r.i)
		}
	}}
	d.tick.ExtendBaseWidget(d.tick)
	d.title.TextStyle.Bold = true
	d.sub.Importance, d.right.Importance = widget.LowImportance, widget.LowImportance
	d.right.SizeName, d.badge.SizeName = theme.SizeNameCaptionText, theme.SizeNameCaptionText
	d.pill.round = 8
	d.Refresh()
	return d
}

type rowRenderer struct {
	r                         *row
	title, sub, right, badge  *widget.Label
	pill                      *panel
	icon, clip                *widget.Icon
	tick                      *tick
	rightMin, badgeMin, inner fyne.Size
}

func (d *rowRenderer) Destroy() {}

// Objects implements fyne.WidgetRenderer.
func (d *rowRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{d.tick, d.icon, d.title, d.sub, d.right, d.clip, d.pill, d.badge}
}

// MinSize implements fyne.WidgetRenderer.
func (d *rowRenderer) MinSize() fyne.Size {
	return fyne.NewSize(200, 2*theme.TextSize()*1.36+22)
}

// Layout implements fyne.WidgetRenderer.
func (d *rowRenderer) Layout(s fyne.Size) {
	v := d.r.view
	mid, side, left := s.Height/2, theme.Size(theme.SizeNameInlineIcon), float32(2)
	if v.Hittable {
		d.tick.Resize(fyne.NewSize(side+14, s.Height))
		left += side + 12
	} else if v.Icon.name != "" {
		d.icon.Resize(fyne.NewSquareSize(side))
		d.icon.Move(fyne.NewPos(8, mid-side/2))
		left += side + 10
	}
	high := theme.TextSize()*1.36 + 16
	place := func(o fyne.CanvasObject, x, y, w, h float32) {
		o.Resize(fyne.NewSize(w, h))
		o.Move(fyne.NewPos(x, y))
	}
	text := func(l *widget.Label, y, w float32) {
		fit(l, w)
		place(l, left, y, max(0, w), high)
	}
	place(d.right, s.Width-d.rightMin.Width, mid-high+8, d.rightMin.Width, high)
	text(d.title, mid-high+6, s.Width-left-d.rightMin.Width)
	end := s.Width
	if v.Badge != "" {
		end -= d.badgeMin.Width
		place(d.badge, end, mid-6, d.badgeMin.Width, d.badgeMin.Height)
		place(d.pill, end+2, mid-1, d.badgeMin.Width-6, d.badgeMin.Height-10)
	}
	if v.Clip {
		end -= side - 2
		place(d.clip, end, mid+4, side-4, side-4)
	}
	text(d.sub, mid-7, end-left)
}

// Refresh implements fyne.WidgetRenderer.
func (d *rowRenderer) Refresh() {
	v := d.r.view
	d.title.Text, d.sub.Text, d.right.Text, d.badge.Text = v.Title, v.Sub, v.Right, v.Badge
	d.badge.Importance, d.pill.fill = v.Tone.importance(), v.Tone.soft()
	d.icon.Resource = nil
	if v.Icon.name != "" {
		d.icon.Resource = v.Icon
	}
	d.tick.on = v.Checked
	show(d.tick, v.Hittable)
	show(d.icon, !v.Hittable && v.Icon.name != "")
	show(d.clip, v.Clip)
	show(d.badge, v.Badge != "")
	show(d.pill, v.Badge != "")
	for _, o := range d.Objects() {
		if o != d.title && o != d.sub {
			o.Refresh()
		}
	}
	d.rightMin, d.badgeMin = d.right.MinSize(), d.badge.MinSize()
	d.Layout(d.r.Size())
	d.title.Refresh()
	d.sub.Refresh()
}

// fit lets a text be cut only where it has to be: looking for the place takes much longer than knowing
// that it has room.
func fit(l *widget.Label, width float32) {
	cut := fyne.TextTruncateOff
	if fyne.MeasureText(l.Text, theme.TextSize(), l.TextStyle).Width+2*theme.InnerPadding() > width {
		cut = fyne.TextTruncateEllipsis
	}
	if l.Truncation != cut {
		l.Truncation = cut
		l.Refresh()
	}
}

// tick is the box at the front of a row.
type tick struct {
	widget.BaseWidget
	on  bool
	hit func()
}

// Tapped implements fyne.Tappable.
func (t *tick) Tapped(*fyne.PointEvent) { t.hit() }

// MouseIn implements desktop.Hoverable.
func (t *tick) MouseIn(*desktop.MouseEvent) {}

// MouseMoved implements desktop.Hoverable.
func (t *tick) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (t *tick) MouseOut() {}

// CreateRenderer implements fyne.Widget.
func (t *tick) CreateRenderer() fyne.WidgetRenderer {
	return &tickRenderer{t: t, icon: widget.NewIcon(nil)}
}

type tickRenderer struct {
	t    *tick
	icon *widget.Icon
}

func (r *tickRenderer) Destroy() {}
func (r *tickRenderer) MinSize() fyne.Size {
	return fyne.NewSquareSize(theme.Size(theme.SizeNameInlineIcon))
}
func (r *tickRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.icon} }

// Layout implements fyne.WidgetRenderer.
func (r *tickRenderer) Layout(s fyne.Size) {
	side := theme.Size(theme.SizeNameInlineIcon)
	r.icon.Resize(fyne.NewSquareSize(side))
	r.icon.Move(fyne.NewPos((s.Width-side)/2+2, (s.Height-side)/2))
}

// Refresh implements fyne.WidgetRenderer.
func (r *tickRenderer) Refresh() {
	r.icon.Resource = glyphBox.in(theme.ColorNameInputBorder)
	if r.t.on {
		r.icon.Resource = glyphBoxed.in(theme.ColorNamePrimary)
	}
	r.icon.Refresh()
}

// empty is what stands where a list has nothing to show: what would be here, and how it gets here.
func empty(g mark, head, body string, actions ...fyne.CanvasObject) fyne.CanvasObject {
	icon := canvas.NewImageFromResource(g.in(theme.ColorNameDisabled))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSquareSize(48))
	h, b := bold(head), muted(body)
	h.Alignment, b.Alignment = fyne.TextAlignCenter, fyne.TextAlignCenter
	all := rows(gapSmall, icon, h, b)
	if len(actions) > 0 {
		all.Add(container.NewCenter(cols(8, actions...)))
	}
	return container.NewVBox(gapOf(gapLarge), container.New(&middle{most: 440}, all))
}

// middle keeps its one object at most so wide, in the middle.
type middle struct{ most float32 }

// Layout implements fyne.Layout.
func (m *middle) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		wide := min(m.most*theme.TextSize()/textSizes[theme.SizeNameText], s.Width)
		o.Resize(fyne.NewSize(wide, s.Height))
		o.Move(fyne.NewPos((s.Width-wide)/2, 0))
	}
}

// MinSize implements fyne.Layout.
func (m *middle) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var size fyne.Size
	for _, o := range objects {
		size = size.Max(o.MinSize())
	}
	return size
}
