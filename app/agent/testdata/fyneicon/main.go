// Command fyneicon is a plain Fyne program that is only an icon with a menu, in the way that Fyne's
// documentation shows: what the bench compares the agent's icon with.
package main

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
)

func main() {
	a := app.New()
	a.SetIcon(theme.FyneLogo())
	if desk, ok := a.(desktop.App); ok {
		desk.SetSystemTrayMenu(fyne.NewMenu("Plain", fyne.NewMenuItem("Show", func() {})))
	}
	a.Run()
}
