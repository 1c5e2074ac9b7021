package window

import "fyne.io/fyne/v2"

// Where the look is kept, on this computer alone.
const (
	prefShade    = "shade"
	prefContrast = "contrast"
	prefText     = "text"
)

// textSteps are the sizes of text to choose from.
var textSteps = []float32{1, 1.15, 1.3, 1.5, 1.75, 2}

func loadLook(p fyne.Preferences) Look {
	return Look{Shade: p.String(prefShade), Contrast: p.String(prefContrast), Text: float32(p.FloatWithFallback(prefText, 1))}
}

// skin is the theme of the look, with the desktop's own contrast where the person chose none.
func (a *app) skin() skin {
	l := a.look
	if l.Contrast == "" && a.strong {
		l.Contrast = contrastHigh
	}
	return skin{l}
}

// contrasts asks the desktop whether it shows high contrast, which may take a while to answer.
func (a *app) contrasts() {
	if a.cfg.Contrast == nil {
		return
	}
	a.tasks.Go(func() {
		if a.cfg.Contrast(a.ctx) && a.ctx.Err() == nil {
			a.cfg.do(func() { a.strong = true; a.setLook(a.look) })
		}
	})
}

// setLook changes the appearance at once and keeps it.
func (a *app) setLook(l Look) {
	a.look = l
	a.fyne.Preferences().SetString(prefShade, l.Shade)
	a.fyne.Preferences().SetString(prefContrast, l.Contrast)
	a.fyne.Preferences().SetFloat(prefText, float64(l.Text))
	a.fyne.Settings().SetTheme(a.skin())
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
