package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// flow puts objects into columns of one width, as many as fit: fewer when text is large.
type flow struct {
	cell  float32 // the least width of a column at normal text
	most  int     // columns
	width float32 // as laid out last
}

func newFlow(cell float32, most int) *flow { return &flow{cell: cell, most: most} }

func (f *flow) columns(n int) int {
	cell := f.cell * theme.TextSize() / textSizes[theme.SizeNameText]
	return max(1, min(f.most, n, int((f.width+gap)/(cell+gap))))
}

// Layout implements fyne.Layout.
func (f *flow) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	f.width = s.Width
	f.rows(visible(objects), func(o fyne.CanvasObject, pos fyne.Position, size fyne.Size) {
		o.Resize(size)
		o.Move(pos)
	})
}

// MinSize implements fyne.Layout. Its height is that of the width it was given last.
func (f *flow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	m.Height = f.rows(visible(objects), func(o fyne.CanvasObject, _ fyne.Position, _ fyne.Size) {
		m.Width = max(m.Width, o.MinSize().Width)
	})
	return m
}

// rows visits each object with its place and returns the height of all.
func (f *flow) rows(objects []fyne.CanvasObject, place func(fyne.CanvasObject, fyne.Position, fyne.Size)) float32 {
	n := f.columns(len(objects))
	wide := (f.width - gap*float32(n-1)) / float32(n)
	y := float32(0)
	for i := 0; i < len(objects); i += n {
		row := objects[i:min(i+n, len(objects))]
		high := float32(0)
		for _, o := range row {
			high = max(high, o.MinSize().Height)
		}
		for j, o := range row {
			place(o, fyne.NewPos(float32(j)*(wide+gap), y), fyne.NewSize(wide, high))
		}
		y += high + gap
	}
	return max(0, y-gap)
}

func visible(objects []fyne.CanvasObject) []fyne.CanvasObject {
	var out []fyne.CanvasObject
	for _, o := range objects {
		if o.Visible() {
			out = append(out, o)
		}
	}
	return out
}
