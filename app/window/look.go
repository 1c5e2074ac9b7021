package window

import "fyne.io/fyne/v2"

// Where the look is kept, on this computer alone.
const (
	prefShade = "shade"
	prefText  = "text"
)

// textSteps are the sizes of text to choose from.
var textSteps = []float32{1, 1.15, 1.3, 1.5, 1.75, 2}

func loadLook(p fyne.Preferences) Look {
	return Look{Shade: p.String(prefShade), Text: float32(p.FloatWithFallback(prefText, 1))}
}

// setLook changes the appearance at once and keeps it.
func (a *app) setLook(l Look) {
	a.look = l
	a.fyne.Preferences().SetString(prefShade, l.Shade)
	a.fyne.Preferences().SetFloat(prefText, float64(l.Text))
	a.fyne.Settings().SetTheme(skin{l})
	a.shell.relaid()
}

// zoom makes text one step larger or smaller; 0 is the normal size.
func (a *app) zoom(by int) {
	at := 0
	for i, s := range textSteps {
		if a.look.Text >= s {
			at = i
		}
	}
	if by == 0 {
		at = 0
	}
	l := a.look
	l.Text = textSteps[max(0, min(len(textSteps)-1, at+by))]
	a.setLook(l)
}
