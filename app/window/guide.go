package window

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
	"hawser/sync/capture"
)

// guide leads through the first run. It covers the whole window until it is done or left.
type guide struct {
	a     *app
	step  string
	after string // beyond what the agent knows: choose, try or done
	offer string // the server of the link that is asked about, "" for none
	draft capture.Choices
	sign  *signer

	list  *fyne.Container // of steps
	place *fyne.Container // the step in view
	all   fyne.CanvasObject
}

func newGuide(a *app) *guide {
	g := &guide{a: a, list: rows(6), place: container.NewStack()}
	later := quiet(a.t("window.guide-later"), g.leave)
	side := newPanel(colorSide, "")
	side.round = 0
	left := container.NewStack(side, inset(gap, container.NewBorder(a.shell.brand(), cols(0, later), nil, nil, g.list)))
	g.all = container.NewBorder(nil, nil, left, nil, container.NewBorder(nil, a.shell.news, nil, nil,
		container.NewVScroll(container.New(&column{most: 760}, inset(gapLarge*1.5, g.place)))))
	return g
}

// show brings the guide up to date; the step in view is drawn again only when it becomes another.
func (g *guide) show(s control.Status) {
	step := guideStep(s, g.after)
	if step == g.step && s.Offer == g.offer {
		if step == stepWait {
			g.draw(step)
		}
		return
	}
	g.move(step)
}

// move brings a step to view.
func (g *guide) move(step string) {
	if g.sign != nil {
		g.sign.stop()
		g.sign = nil
	}
	g.step, g.offer = step, g.a.status.Offer
	g.draw(step)
	g.steps()
	g.a.focusFirst(g.place)
}

// come hands the keyboard to what a step was waiting for, while that step is in view.
func (g *guide) come(step string, o fyne.CanvasObject) {
	if g.a.guide == g && g.step == step {
		g.a.focusMain(o)
	}
}

// steps lists all of them: those behind with a tick, the one in view, those ahead.
func (g *guide) steps() {
	at := slices.Index(guideSteps, g.step)
	g.list.Objects = nil
	for i, s := range guideSteps {
		name := label(g.a.t("window.guide-" + s))
		name.Wrapping = fyne.TextWrapOff
		icon := glyphCircle.in("disabled")
		switch {
		case i < at:
			icon = toneGood.icon()
			name.Importance = widget.LowImportance
		case i == at:
			icon = glyphNow.in("primary")
			name.TextStyle.Bold = true
		default:
			name.Importance = widget.LowImportance
		}
		g.list.Add(container.NewBorder(nil, nil, centred(widget.NewIcon(icon)), nil, name))
	}
	g.list.Refresh()
}

func (g *guide) draw(step string) {
	draw := map[string]func() fyne.CanvasObject{stepCode: g.code, stepSalesforce: g.salesforce, stepMail: g.mail, stepWait: g.wait,
		stepChoose: g.choose, stepTry: g.try, stepDone: g.finish}[step]
	g.place.Objects = []fyne.CanvasObject{draw()}
	g.place.Refresh()
}

// frame is a step's name, what it is for, and what there is to do.
func (g *guide) frame(step string, o ...fyne.CanvasObject) fyne.CanvasObject {
	all := rows(gap, rows(0, title(g.a.t("window.guide-"+step+"-head")), muted(g.a.t("window.guide-"+step+"-body"))))
	for _, one := range o {
		all.Add(one)
	}
	return all
}

// leave goes to the window's pages; the first of them leads back.
func (g *guide) leave() {
	if g.sign != nil {
		g.sign.stop()
	}
	g.a.left = true
	g.a.guide = nil
	g.a.win.Canvas().Unfocus()
	g.a.shell.cover(nil)
	g.a.open(g.a.page)
}

// setUp opens the guide, where it stands.
func (a *app) setUp() {
	a.guide = newGuide(a)
	a.shell.cover(a.guide.all)
	a.guide.show(a.status)
}

// points is a short list of promises, each with a mark.
func points(texts ...string) fyne.CanvasObject {
	all := rows(-2)
	for _, t := range texts {
		all.Add(bullet(glyphCheck.in("success"), label(t)))
	}
	return all
}

// welcome is the picture above the first step.
func welcome() fyne.CanvasObject {
	i := canvas.NewImageFromResource(iconResource())
	i.FillMode = canvas.ImageFillContain
	i.SetMinSize(fyne.NewSquareSize(72))
	return container.NewHBox(i)
}
