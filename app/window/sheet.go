package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"
)

// sheet shows something large over the page, with buttons at its foot. Escape closes it.
func (a *app) sheet(name string, content fyne.CanvasObject, buttons ...fyne.CanvasObject) {
	size := a.win.Canvas().Size()
	a.cover(name, content, buttons, fyne.NewSize(min(700*scale(), size.Width-48), size.Height-64))
}

// confirm asks before something that cannot be taken back. The focus is on the way out.
func (a *app) confirm(head, body, yes string, do func()) {
	no := plain(a.t("window.cancel"), a.closeSheet)
	sure := plain(yes, func() { a.closeSheet(); do() })
	sure.Importance = widget.DangerImportance
	a.cover(head, label(body), []fyne.CanvasObject{no, sure}, fyne.NewSize(min(520*scale(), a.win.Canvas().Size().Width-48), 0))
	a.win.Canvas().Focus(no)
}

func (a *app) cover(name string, content fyne.CanvasObject, buttons []fyne.CanvasObject, size fyne.Size) {
	a.closeSheet()
	head := bold(name)
	head.SizeName = "subHeadingText"
	foot := cols(8, append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...)...)
	a.over = widget.NewModalPopUp(inset(gap, container.NewBorder(rows(0, head, gapOf(4)), rows(0, gapOf(8), foot), nil, nil, content)), a.win.Canvas())
	a.over.Resize(size)
	a.over.Resize(size.Max(fyne.NewSize(size.Width, a.over.MinSize().Height))) // text that wraps finds its height at its width
	a.over.Show()
}

// closeSheet closes what is over the page.
func (a *app) closeSheet() {
	if a.over != nil {
		a.over.Hide()
		a.over = nil
	}
}
