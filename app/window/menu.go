package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// menu opens a menu below a widget; arrows, Enter and Escape work in it.
func (a *app) menu(below fyne.CanvasObject, items ...*fyne.MenuItem) {
	m := widget.NewPopUpMenu(fyne.NewMenu("", items...), a.win.Canvas())
	at := a.fyne.Driver().AbsolutePositionForObject(below)
	m.ShowAtPosition(at.AddXY(0, below.Size().Height+gapSmall))
	a.win.Canvas().Focus(m)
	m.ActivateNext() // the first, so that arrows and Enter are seen to work
}
