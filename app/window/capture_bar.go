package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
)

// pickBar is the foot of the capture page: what is picked, how it is saved, and how far that got.
type pickBar struct {
	c            *capturer
	picked       *widget.Label
	follow, past *check
	files        *choice
	save         *button
	state        *widget.Label
	meter        *meter
	goal, base   int // mails on their way, and how many were saved before
	all          fyne.CanvasObject
}

func newPickBar(c *capturer) *pickBar {
	a := c.a
	b := &pickBar{c: c, picked: short(""), state: muted(""), meter: newMeter()}
	b.past = newCheck(a.t("window.capture-past"), nil)
	b.past.Disable()
	b.follow = newCheck(a.t("window.capture-follow"), func(on bool) {
		if on {
			b.past.Enable()
		} else {
			b.past.SetChecked(false)
			b.past.Disable()
		}
	})
	b.files = newChoice([]string{a.t("window.files-rules"), a.t("window.files-yes"), a.t("window.files-no")}, nil)
	b.files.pick(0)
	b.save = primary(a.t("window.capture-save-none"), func() { c.save(b.request()) })
	b.picked.TextStyle.Bold = true
	choices := container.New(&wrap{gap: gap}, b.picked, b.follow, b.past, aligned(b.files))
	b.meter.Hide()
	b.state.Hide()
	b.all = container.New(layout.NewCustomPaddedLayout(gap, 0, 0, 0), card(rows(0,
		container.New(&flex{least: 360, front: true}, choices, b.save), b.meter, b.state)))
	b.count()
	return b
}

func (b *pickBar) request() control.CaptureRequest {
	r := control.CaptureRequest{Follow: b.follow.Checked, Past: b.past.Checked}
	if i := b.files.SelectedIndex(); i > 0 {
		yes := i == 1
		r.Files = &yes
	}
	return r
}

// count says how many mails are picked.
func (b *pickBar) count() {
	n := len(b.c.picked)
	b.picked.SetText(b.c.a.tf("window.capture-picked", map[string]any{"Count": n}))
	if n == 0 {
		b.save.SetText(b.c.a.t("window.capture-save-none"))
		return
	}
	b.save.SetText(b.c.a.tf("window.capture-save", map[string]any{"Count": n}))
}

// busy shows that n mails were handed over.
func (b *pickBar) busy(n int, now control.Counts) {
	b.goal, b.base = n, now.Captured
	b.save.Disable()
	write(b.state, b.c.a.tf("window.capture-busy", map[string]any{"Count": n}))
	b.state.Show()
}

func (b *pickBar) done(r control.CaptureResult, err error) {
	b.save.Enable()
	if err != nil {
		b.goal = 0
		b.state.Hide()
		b.c.a.shell.notify(toneError, b.c.a.sorry(err))
		return
	}
	b.goal = r.Queued
	write(b.state, b.c.a.resultText(r))
	b.progress(b.c.a.status.Counts)
}

// progress follows what was handed over until all of it is saved.
func (b *pickBar) progress(now control.Counts) {
	show(b.meter, b.goal > 0)
	if b.goal == 0 {
		return
	}
	got := max(0, min(b.goal, now.Captured-b.base))
	b.meter.set(float64(got) / float64(b.goal))
	if got > 0 {
		write(b.state, b.c.a.tf("window.capture-progress", map[string]any{"Got": b.c.a.n(got), "Goal": b.c.a.n(b.goal)}))
	}
	if got == b.goal {
		b.goal = 0
		b.meter.Hide()
	}
}
