package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// tab is one of a few views of a page; one of them is chosen.
type tab struct {
	id, name string
	button   *button
}

// tabs is a row of them.
type tabs struct {
	list   []*tab
	chosen string
	all    *fyne.Container
}

// newTabs makes a row of views; chose is called with the id when one is chosen.
func newTabs(list []*tab, chose func(id string)) *tabs {
	t := &tabs{list: list, all: container.New(&wrap{gap: 6})}
	for _, one := range list {
		one.button = plain(one.name, func() { t.choose(one.id); chose(one.id) })
		one.button.tight = true
		t.all.Add(one.button)
	}
	return t
}

func (t *tabs) choose(id string) {
	t.chosen = id
	for _, one := range t.list {
		one.button.Importance = widget.MediumImportance
		if one.id == id {
			one.button.Importance = widget.HighImportance
		}
		one.button.Refresh()
	}
}

// rename changes the text of one, such as its count.
func (t *tabs) rename(id, name string) {
	for _, one := range t.list {
		if one.id == id && one.button.Text != name {
			one.button.SetText(name)
			t.all.Refresh()
		}
	}
}

// wrap puts objects of their own size into lines, like words.
type wrap struct {
	gap, width float32
}

// Layout implements fyne.Layout.
func (w *wrap) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	w.width = s.Width
	w.walk(objects, func(o fyne.CanvasObject, at fyne.Position, size fyne.Size) {
		o.Resize(size)
		o.Move(at)
	})
}

// MinSize implements fyne.Layout. Its height is that of the width it was given last.
func (w *wrap) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	m.Height = w.walk(objects, func(_ fyne.CanvasObject, _ fyne.Position, size fyne.Size) { m.Width = max(m.Width, size.Width) })
	return m
}

func (w *wrap) walk(objects []fyne.CanvasObject, place func(fyne.CanvasObject, fyne.Position, fyne.Size)) float32 {
	x, y, high := float32(0), float32(0), float32(0)
	for _, o := range visible(objects) {
		size := o.MinSize()
		if x > 0 && x+size.Width > w.width {
			x, y, high = 0, y+high+w.gap, 0
		}
		place(o, fyne.NewPos(x, y), size)
		x += size.Width + w.gap
		high = max(high, size.Height)
	}
	return y + high
}

// options is a list of answers of which one is chosen. Long ones take more than one line.
type options struct {
	at    int
	links []*pageLink
	marks []*widget.Icon
	all   *fyne.Container
}

func newOptions(names []string) *options {
	o := &options{all: rows(2)}
	for i, n := range names {
		o.links = append(o.links, newPageLink(n, func() { o.pick(i) }))
		o.marks = append(o.marks, widget.NewIcon(nil))
		o.all.Add(container.NewBorder(nil, nil, leadIcon(o.marks[i]), nil, o.links[i]))
	}
	o.pick(0)
	return o
}

func (o *options) pick(at int) {
	o.at = at
	for i, l := range o.links {
		g := glyphCircle.in(theme.ColorNameInputBorder)
		if i == at {
			g = glyphDot.in(theme.ColorNamePrimary)
		}
		o.marks[i].SetResource(g)
		l.mark(i == at)
	}
}

// reason is what decided about a mail, in words: the text of a rule's reason, or a fault's title.
func (a *app) reason(cause string) string {
	if s := a.t("reason." + cause); s != "reason."+cause {
		return s
	}
	title, _, _ := a.loc.Fault(fault.Code(cause))
	return title
}

// badge is the word for what became of a mail, and its tone.
func (a *app) badge(state string) (string, tone) {
	switch state {
	case "captured":
		return a.t("window.state-captured"), toneGood
	case "waiting", "sending":
		return a.t("window.state-waiting"), toneBusy
	case "needs-you":
		return a.t("window.state-needs-you"), toneWarning
	case "held":
		return a.t("window.state-held"), toneWarning
	case "filtered":
		return a.t("window.state-filtered"), toneNeutral
	}
	return "", toneNeutral
}

// level names how much of a mail is saved.
func (a *app) level(l capture.Level) string {
	switch l {
	case capture.LevelHeaders:
		return a.t("window.level-headers")
	case capture.LevelSubject:
		return a.t("window.level-subject")
	case capture.LevelText:
		return a.t("window.level-text")
	case capture.LevelFiles:
		return a.t("window.level-files")
	}
	return string(l)
}

// bullet is a line with a mark before it.
func bullet(g mark, o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewBorder(nil, nil, lead(g), nil, o)
}

// lead is a mark at the height of the first line of text beside it.
func lead(g fyne.Resource) fyne.CanvasObject { return leadIcon(widget.NewIcon(g)) }

func leadIcon(i *widget.Icon) fyne.CanvasObject {
	return rows(0, container.New(layout.NewCustomPaddedLayout(theme.InnerPadding()-1, 0, theme.InnerPadding()-2, 0), i))
}

// aligned puts what is no text at the edge where text begins.
func aligned(o fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(2, 2, theme.InnerPadding(), theme.InnerPadding()), o)
}

// buttons are a line of buttons, or more lines where they do not fit.
func buttons(list ...fyne.CanvasObject) *fyne.Container {
	return container.New(&wrap{gap: 8}, list...)
}

// picture is an image of a fixed size.
func picture(r fyne.Resource, side float32) fyne.CanvasObject {
	i := canvas.NewImageFromResource(r)
	i.FillMode = canvas.ImageFillContain
	i.SetMinSize(fyne.NewSquareSize(side))
	return i
}

// well is the area of a list or a detail: a card without room inside.
func well(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(newPanel(colorSurface, colorBorder), inset(6, o))
}
