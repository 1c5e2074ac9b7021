package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// chart is a row of bars, one for each count. What it shows stands beside it in words too.
type chart struct {
	widget.BaseWidget
	counts []int
}

func newChart() *chart {
	c := &chart{counts: make([]int, chartDays)}
	c.ExtendBaseWidget(c)
	return c
}

func (c *chart) set(counts []int) {
	c.counts = counts
	c.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (c *chart) CreateRenderer() fyne.WidgetRenderer {
	r := &chartRenderer{c: c}
	r.Refresh()
	return r
}

type chartRenderer struct {
	c    *chart
	bars []fyne.CanvasObject
}

func (r *chartRenderer) Destroy()                     {}
func (r *chartRenderer) MinSize() fyne.Size           { return fyne.NewSize(120, 84) }
func (r *chartRenderer) Objects() []fyne.CanvasObject { return r.bars }

// Layout implements fyne.WidgetRenderer.
func (r *chartRenderer) Layout(s fyne.Size) {
	const side, between = 8, 5
	most := 1
	for _, n := range r.c.counts {
		most = max(most, n)
	}
	wide := (s.Width - 2*side + between) / float32(len(r.bars))
	for i, b := range r.bars {
		high := float32(3) // a day without mails is a day still
		if n := r.c.counts[i]; n > 0 {
			high = 6 + (s.Height-14)*float32(n)/float32(most)
		}
		b.Resize(fyne.NewSize(wide-between, high))
		b.Move(fyne.NewPos(side+float32(i)*wide, s.Height-high-4))
	}
}

// Refresh implements fyne.WidgetRenderer.
func (r *chartRenderer) Refresh() {
	for len(r.bars) < len(r.c.counts) {
		bar := canvas.NewRectangle(color.Transparent)
		bar.CornerRadius = 3
		r.bars = append(r.bars, bar)
	}
	r.bars = r.bars[:len(r.c.counts)]
	for i, b := range r.bars {
		fill := colorBorder
		if r.c.counts[i] > 0 {
			fill = theme.ColorNamePrimary
		}
		b.(*canvas.Rectangle).FillColor = theme.Color(fill)
		b.Refresh()
	}
	r.Layout(r.c.Size())
}

// meter is a bar that fills.
type meter struct {
	widget.BaseWidget
	share float64
}

func newMeter() *meter {
	m := &meter{}
	m.ExtendBaseWidget(m)
	return m
}

func (m *meter) set(share float64) {
	m.share = share
	m.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (m *meter) CreateRenderer() fyne.WidgetRenderer {
	r := &meterRenderer{m: m, back: canvas.NewRectangle(color.Transparent), bar: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type meterRenderer struct {
	m         *meter
	back, bar *canvas.Rectangle
}

func (r *meterRenderer) Destroy()                     {}
func (r *meterRenderer) MinSize() fyne.Size           { return fyne.NewSize(100, 18) }
func (r *meterRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.back, r.bar} }

// Layout implements fyne.WidgetRenderer.
func (r *meterRenderer) Layout(s fyne.Size) {
	const side, high = 8, 8
	r.back.Resize(fyne.NewSize(s.Width-2*side, high))
	r.bar.Resize(fyne.NewSize(max(high, (s.Width-2*side)*float32(r.m.share)), high))
	for _, o := range []fyne.CanvasObject{r.back, r.bar} {
		o.Move(fyne.NewPos(side, (s.Height-high)/2))
	}
	show(r.bar, r.m.share > 0)
}

// Refresh implements fyne.WidgetRenderer.
func (r *meterRenderer) Refresh() {
	fill := theme.ColorNamePrimary
	if r.m.share >= 0.9 {
		fill = theme.ColorNameWarning
	}
	r.back.FillColor, r.bar.FillColor = theme.Color(colorNeutralSoft), theme.Color(fill)
	r.back.CornerRadius, r.bar.CornerRadius = 4, 4
	r.back.Refresh()
	r.bar.Refresh()
	r.Layout(r.m.Size())
}
