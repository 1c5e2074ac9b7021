package window

import "fyne.io/fyne/v2/widget"

// newField is a line to type in that says what it is for while it is empty.
func newField(hint string) *widget.Entry {
	e := widget.NewEntry()
	e.PlaceHolder = hint
	return e
}
