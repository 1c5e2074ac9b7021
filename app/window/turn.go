package window

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// turnGrace is how long a sign of work may take to come on the screen.
const turnGrace = 2 * time.Second

// newTurn is the sign of work that is awaited. It ends by itself once it is no longer on the screen:
// Fyne goes on moving what was taken away, and draws the whole window for it sixty times a second.
func newTurn() fyne.CanvasObject {
	turn := widget.NewActivity()
	turn.Start()
	made, seen := time.Now(), false
	watch := &fyne.Animation{Duration: time.Second, RepeatCount: fyne.AnimationRepeatForever}
	watch.Tick = func(float32) {
		shown := fyne.CurrentApp().Driver().AbsolutePositionForObject(turn) != fyne.Position{}
		seen = seen || shown
		if !shown && (seen || time.Since(made) > turnGrace) {
			turn.Stop()
			watch.Stop()
		}
	}
	watch.Start()
	return turn
}
