package window

import "fyne.io/fyne/v2"

// toolbar is a line of tools, the last of which takes what the others leave; where that is less than
// it needs, it stands below them, and they break into lines too.
type toolbar struct {
	least float32 // width of the last, at normal text
	width float32
	tools wrap
}

func (b *toolbar) fits(o []fyne.CanvasObject) bool {
	need := b.least * scale()
	for _, one := range o[:len(o)-1] {
		need += one.MinSize().Width + 8
	}
	return need <= b.width
}

// Layout implements fyne.Layout.
func (b *toolbar) Layout(o []fyne.CanvasObject, s fyne.Size) {
	b.width, b.tools = s.Width, wrap{gap: 8}
	last := o[len(o)-1]
	b.tools.Layout(o[:len(o)-1], s)
	if !b.fits(o) {
		y := b.tools.MinSize(o[:len(o)-1]).Height + 8
		last.Resize(fyne.NewSize(s.Width, last.MinSize().Height))
		last.Move(fyne.NewPos(0, y))
		return
	}
	x := float32(0)
	for _, one := range o[:len(o)-1] {
		one.Resize(fyne.NewSize(one.MinSize().Width, s.Height))
		x += one.MinSize().Width + 8
	}
	last.Resize(fyne.NewSize(s.Width-x, s.Height))
	last.Move(fyne.NewPos(x, 0))
}

// MinSize implements fyne.Layout. Its height is that of the width it was given last.
func (b *toolbar) MinSize(o []fyne.CanvasObject) fyne.Size {
	b.tools.width, b.tools.gap = b.width, 8
	m, last := b.tools.MinSize(o[:len(o)-1]), o[len(o)-1].MinSize()
	if b.fits(o) {
		return fyne.NewSize(m.Width, max(m.Height, last.Height))
	}
	return fyne.NewSize(m.Width, m.Height+8+last.Height)
}
