package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"hawser/app/control"
)

// shortcuts gives the pages Ctrl+1 to Ctrl+7, text Ctrl with +, - and 0, and closing Ctrl+W.
func (a *app) shortcuts() {
	c := a.win.Canvas()
	add := func(key fyne.KeyName, do func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { do() })
	}
	for i, key := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7} {
		add(key, func() { a.turnTo(control.Pages[i]) })
	}
	add(fyne.KeyPlus, func() { a.zoom(1) })
	add(fyne.KeyEqual, func() { a.zoom(1) })
	add(fyne.KeyMinus, func() { a.zoom(-1) })
	add(fyne.Key0, func() { a.zoom(0) })
	add(fyne.KeyW, a.win.Close)
	add(fyne.KeyQ, a.win.Close)
	c.SetOnTypedKey(func(ev *fyne.KeyEvent) {
		if ev.Name == fyne.KeyEscape {
			a.closeSheet()
		}
	})
	c.AddShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyF1}, func(fyne.Shortcut) { a.turnTo(control.PageHelp) })
}

// turnTo opens a page from the keyboard, which then works on that page.
func (a *app) turnTo(page string) {
	a.win.Canvas().Unfocus()
	a.open(page)
}

// raise brings the window to the front, at a page where one is named.
func (a *app) raise(page string) {
	if page != "" {
		a.open(page)
	}
	a.win.Show()
	a.win.RequestFocus()
}
