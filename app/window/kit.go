package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Distances between things, in Fyne's units. Everything stands on a grid of 4.
const (
	gapSmall  = 4
	gap       = 12
	gapLarge  = 24
	cardInset = 14
	cardRound = 12
	pageWidth = 980 // a line of text longer than this is hard to read
)

// tone is how a piece of news is meant. It chooses colour and shape together: neither stands alone.
type tone int

const (
	toneNeutral tone = iota
	toneGood
	toneBusy
	toneWarning
	toneError
)

// importance is the colour of text in that tone.
func (t tone) importance() widget.Importance {
	return [...]widget.Importance{widget.LowImportance, widget.SuccessImportance, widget.HighImportance, widget.WarningImportance, widget.DangerImportance}[t]
}

// soft is the colour behind something in that tone.
func (t tone) soft() fyne.ThemeColorName {
	return [...]fyne.ThemeColorName{colorNeutralSoft, colorGoodSoft, colorAccentSoft, colorWarningSoft, colorErrorSoft}[t]
}

// strong is the colour of marks in that tone.
func (t tone) strong() fyne.ThemeColorName {
	return [...]fyne.ThemeColorName{theme.ColorNameDisabled, theme.ColorNameSuccess, theme.ColorNamePrimary, theme.ColorNameWarning, theme.ColorNameError}[t]
}

// icon is the shape of that tone.
func (t tone) icon() mark {
	return [...]mark{glyphCircle, glyphCheck, glyphTurn, glyphAlert, glyphStop}[t].in(t.strong())
}

// label is text that wraps where it has to.
func label(text string) *widget.Label {
	l := widget.NewLabel(breakable(text))
	l.Wrapping = fyne.TextWrapWord
	return l
}

// muted is text that explains.
func muted(text string) *widget.Label {
	l := label(text)
	l.Importance = widget.LowImportance
	return l
}

// bold is the name of a thing.
func bold(text string) *widget.Label {
	l := label(text)
	l.TextStyle.Bold = true
	return l
}

// line is one line of text that is cut, with an ellipsis, where there is no room: for what others
// wrote, such as a subject.
func line(text string) *widget.Label {
	l := widget.NewLabel(text)
	l.Truncation = fyne.TextTruncateEllipsis
	return l
}

// short is text that never wraps: a word or a number.
func short(text string) *widget.Label { return widget.NewLabel(text) }

// title is the name of a page, and cardTitle that of a card.
func title(text string) *widget.Label {
	l := bold(text)
	l.SizeName = sizeTitle
	return l
}

func cardTitle(text string) *widget.Label {
	l := bold(text)
	l.SizeName = sizeCard
	return l
}

// caption is the smallest text.
func caption(text string) *widget.Label {
	l := muted(text)
	l.SizeName = theme.SizeNameCaptionText
	return l
}

// inset puts room around an object.
func inset(by float32, o fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(by, by, by, by), o)
}

// rows stacks objects with by between them.
func rows(by float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(by), objects...)
}

// cols puts objects beside each other with by between them.
func cols(by float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(by), objects...)
}

// gapOf is empty room of a height.
func gapOf(height float32) fyne.CanvasObject {
	r := canvas.NewRectangle(color.Transparent)
	r.SetMinSize(fyne.NewSize(1, height))
	return r
}

// centred keeps an object at its height in the middle of a row that may be higher.
func centred(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewVBox(layout.NewSpacer(), o, layout.NewSpacer())
}

// card is an area with a border on which things that belong together lie.
func card(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(newPanel(colorSurface, colorBorder), inset(cardInset, o))
}

// scrolled is a card that takes the room there is, and scrolls inside where that is too little.
func scrolled(o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(newPanel(colorSurface, colorBorder), inset(cardInset, container.NewVScroll(o)))
}

// tinted is a card in a tone, for news.
func tinted(t tone, o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(newPanel(t.soft(), colorEdge), inset(cardInset, o))
}

// panel is a rectangle in colours of the theme, which follow the theme.
type panel struct {
	widget.BaseWidget
	fill, edge fyne.ThemeColorName
	round      float32
}

func newPanel(fill, edge fyne.ThemeColorName) *panel {
	p := &panel{fill: fill, edge: edge, round: cardRound}
	p.ExtendBaseWidget(p)
	return p
}

// CreateRenderer implements fyne.Widget.
func (p *panel) CreateRenderer() fyne.WidgetRenderer {
	r := &panelRenderer{p: p, rect: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type panelRenderer struct {
	p    *panel
	rect *canvas.Rectangle
}

func (r *panelRenderer) Destroy()                     {}
func (r *panelRenderer) Layout(s fyne.Size)           { r.rect.Resize(s) }
func (r *panelRenderer) MinSize() fyne.Size           { return fyne.Size{} }
func (r *panelRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.rect} }

func (r *panelRenderer) Refresh() {
	r.rect.FillColor = theme.Color(r.p.fill)
	r.rect.StrokeWidth = 0
	if r.p.edge != "" {
		r.rect.StrokeColor, r.rect.StrokeWidth = theme.Color(r.p.edge), 1
	}
	r.rect.CornerRadius = r.p.round
	r.rect.Refresh()
}

// page is a page's frame: its name, what it is for, its content and room around all of it, no wider
// than is good to read.
func page(name, purpose string, content fyne.CanvasObject) fyne.CanvasObject {
	head := rows(0, title(name))
	if purpose != "" {
		head.Add(muted(purpose))
	}
	return container.NewVScroll(container.New(&column{most: pageWidth}, inset(gapLarge, rows(gap, head, content))))
}

// filled is a page whose content takes the whole height, such as a list that scrolls by itself, and
// more where text is large.
func filled(name, purpose string, content fyne.CanvasObject) fyne.CanvasObject {
	head := rows(0, title(name))
	if purpose != "" {
		head.Add(muted(purpose))
	}
	return container.NewVScroll(inset(gapLarge, container.NewBorder(rows(0, head, gapOf(gapSmall)), nil, nil, nil, content)))
}

// between gives the middle what top and foot leave. The Tab key goes from the top to the foot.
func between(top, middle, foot fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewBorderLayout(top, foot, nil, nil), top, middle, foot)
}

// column keeps its one object at most so wide, at the leading edge.
type column struct{ most float32 }

// Layout implements fyne.Layout.
func (c *column) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(min(c.most, s.Width), s.Height))
		o.Move(fyne.NewPos(0, 0))
	}
}

// MinSize implements fyne.Layout.
func (c *column) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	for _, o := range objects {
		m = m.Max(o.MinSize())
	}
	return m
}
