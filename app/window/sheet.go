package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"
)

// sheet shows something large over the page, with buttons at its foot. Escape closes it.
func (a *app) sheet(name string, content fyne.CanvasObject, buttons ...fyne.CanvasObject) {
	a.closeSheet()
	head := bold(name)
	head.SizeName = "subHeadingText"
	foot := container.NewHBox(append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...)...)
	a.over = widget.NewModalPopUp(inset(gap, container.NewBorder(rows(0, head, gapOf(4)), rows(0, gapOf(8), foot), nil, nil, content)), a.win.Canvas())
	size := a.win.Canvas().Size()
	a.over.Resize(fyne.NewSize(min(700*scale(), size.Width-48), size.Height-64))
	a.over.Show()
}

func (a *app) closeSheet() {
	if a.over != nil {
		a.over.Hide()
		a.over = nil
	}
}
