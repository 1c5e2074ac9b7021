// Command fynelist is a plain Fyne window with a list of 10,000 lines: what the bench compares
// hawser-window with.
package main

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/widget"
)

func main() {
	w := app.New().NewWindow("Plain list")
	w.SetContent(widget.NewList(func() int { return 10_000 },
		func() fyne.CanvasObject { return widget.NewLabel("") },
		func(i int, o fyne.CanvasObject) {
			o.(*widget.Label).SetText(fmt.Sprintf("Line %d, saved to Salesforce for somebody", i))
		}))
	w.Resize(fyne.NewSize(1080, 740))
	w.CenterOnScreen()
	w.ShowAndRun()
}
