package window

import (
	"time"

	"fyne.io/fyne/v2"
)

// rest is how long keys have to stay on a row before it is told that it was chosen. A held key would
// otherwise have everything about every row drawn that it passes.
const rest = 60 * time.Millisecond

// TypedKey implements fyne.Focusable.
func (l *rowList) TypedKey(ev *fyne.KeyEvent) {
	n := l.Length()
	if pass(l, ev) || n == 0 {
		return
	}
	at := l.at
	switch ev.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		if l.checked != nil {
			l.checked(l.at)
			l.RefreshItem(l.at)
			return
		}
		l.Select(l.at)
	case fyne.KeyDown:
		at++
	case fyne.KeyUp:
		at--
	case fyne.KeyPageDown:
		at += 10
	case fyne.KeyPageUp:
		at -= 10
	case fyne.KeyHome:
		at = 0
	case fyne.KeyEnd:
		at = n - 1
	}
	if at = max(0, min(n-1, at)); at != l.at {
		l.at = at
		l.follow()
	}
}

// follow chooses the row where the keys have led, once for each frame: a key that is held would
// otherwise keep everything from being drawn on a slow computer.
func (l *rowList) follow() {
	if l.following {
		return
	}
	l.following = true
	fyne.Do(func() {
		if l.at < l.Length() {
			l.Select(l.at)
		}
		l.following = false
	})
}

// tellLater tells of the chosen row once the keys rest.
func (l *rowList) tellLater() {
	l.stopResting()
	l.resting = fyne.NewAnimation(rest, func(done float32) {
		if done == 1 {
			l.tell()
		}
	})
	l.resting.Start()
}

// tell tells of the chosen row.
func (l *rowList) tell() {
	l.stopResting()
	if l.at < l.Length() {
		l.chosen(l.at)
	}
}

// stopResting reports whether a row was about to be told.
func (l *rowList) stopResting() bool {
	if l.resting == nil {
		return false
	}
	l.resting.Stop()
	l.resting = nil
	return true
}
