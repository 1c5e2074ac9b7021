package window

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"hawser/app/control"
	"hawser/auth/secret"
	"hawser/sync/capture"
)

// code asks for the work code or link that the company gave, or whether to follow a link that was opened.
func (g *guide) code() fyne.CanvasObject {
	a := g.a
	if a.status.Offer != "" {
		return g.link(a.status.Offer)
	}
	field := newField(a.t("window.guide-code-hint"))
	answer := container.NewStack()
	answer.Hide()
	join := func(pasted string) {
		answer.Objects = []fyne.CanvasObject{a.loading(a.t("window.guide-joining"))}
		answer.Show()
		ask(a, func(ctx context.Context, ag control.Agent) (control.Company, error) {
			return ag.Enrol(ctx, secret.New(pasted))
		},
			func(_ control.Company, err error) {
				answer.Objects = nil
				if err != nil {
					answer.Objects = []fyne.CanvasObject{tinted(toneError, label(a.sorry(err)))}
				}
				show(answer, err != nil)
				answer.Refresh()
			})
	}
	field.OnSubmitted = func(string) { join(trimmed(field.Text)) }
	next := primary(a.t("window.guide-join"), func() {
		if trimmed(field.Text) != "" {
			join(trimmed(field.Text))
		}
	})
	return rows(gap, welcome(), g.frame(stepCode,
		card(rows(8, aligned(container.New(&flex{least: 300, front: true}, container.NewThemeOverride(field, barless{skin{a.look}}), next)), answer)),
		points(a.t("window.promise-account"), a.t("window.promise-browser"), a.t("window.promise-nothing")),
		container.New(&wrap{gap: 8}, quiet(a.t("window.guide-managed"), func() { join("") }))))
}

// link asks whether to join the company to which a link leads. Any page in the browser can open one.
func (g *guide) link(server string) fyne.CanvasObject {
	a := g.a
	answer := container.NewStack()
	do := func(join bool) {
		ask(a, func(ctx context.Context, ag control.Agent) (control.Company, error) {
			return ag.AnswerOffer(ctx, server, join)
		}, func(_ control.Company, err error) {
			answer.Objects = nil
			if err != nil {
				answer.Objects = []fyne.CanvasObject{tinted(toneError, label(a.sorry(err)))}
			}
			answer.Refresh()
		})
	}
	join := primary(a.t("window.offer-join"), func() {
		answer.Objects = []fyne.CanvasObject{a.loading(a.t("window.guide-joining"))}
		answer.Refresh()
		do(true)
	})
	return rows(gap, welcome(), g.frame(stepCode, card(rows(8,
		cardTitle(a.tf("window.offer-head", map[string]any{"Server": trimSite(server)})), label(a.t("window.offer-body")),
		container.New(&wrap{gap: 8}, join, quiet(a.t("window.offer-no"), func() { do(false) })), answer)),
		points(a.t("window.promise-account"), a.t("window.promise-browser"), a.t("window.promise-nothing"))))
}

// signStep is the step of one side.
func (g *guide) signStep(side string, about fyne.CanvasObject) fyne.CanvasObject {
	a := g.a
	g.sign = newSigner(a, side, func() {})
	sign := g.sign
	return g.frame(side, about, container.New(&wrap{gap: 8}, primary(a.t("window.do-signin-"+side), sign.start)), sign.all)
}

// salesforce says where, and whether that is a site of partners or the login of employees.
func (g *guide) salesforce() fyne.CanvasObject {
	return g.signStep(sideSalesforce, g.whereIs(sideSalesforce, func(it control.App) string {
		switch siteKind(it.Site) {
		case "employee":
			return g.a.tf("window.guide-employee", map[string]any{"Site": trimSite(it.Site)})
		case "site":
			return g.a.tf("window.guide-site", map[string]any{"Site": trimSite(it.Site)})
		}
		return ""
	}))
}

func (g *guide) mail() fyne.CanvasObject {
	return g.signStep(sideMail, g.whereIs(sideMail, func(it control.App) string {
		if it.Site == "" {
			return ""
		}
		return g.a.tf("window.guide-mailbox", map[string]any{"Site": trimSite(it.Site)})
	}))
}

// whereIs is a card that says where a side is, once the agent has said it.
func (g *guide) whereIs(side string, words func(control.App) string) fyne.CanvasObject {
	a := g.a
	box := container.NewStack()
	ask(a, func(ctx context.Context, ag control.Agent) (control.App, error) { return ag.App(ctx, side) },
		func(it control.App, err error) {
			if text := words(it); err == nil && text != "" {
				icon := map[string]mark{sideSalesforce: glyphCloud, sideMail: glyphMail}[side]
				box.Objects = []fyne.CanvasObject{card(bullet(icon, label(text)))}
				box.Refresh()
			}
		})
	return box
}

// wait shows what the company has not done yet; it goes on by itself.
func (g *guide) wait() fyne.CanvasObject {
	a := g.a
	co := a.status.Company
	words := rows(-6, bold(oneLine(co.Name)), label(a.t("company."+co.Stage)))
	if co.Fault != "" {
		title, body, fix := a.loc.Fault(co.Fault)
		words.Add(label(sentences(title, body, fix)))
	}
	return g.frame(stepWait, tinted(toneBusy, container.NewBorder(nil, nil, container.NewVBox(newTurn()), nil, words)))
}

// choose asks what may be captured.
func (g *guide) choose() fyne.CanvasObject {
	a := g.a
	box := container.NewStack(a.loading(a.t("window.guide-loading")))
	ask(a, func(ctx context.Context, ag control.Agent) (control.Chosen, error) { return ag.Chosen(ctx) },
		func(c control.Chosen, err error) {
			box.Objects = nil
			if err != nil {
				box.Objects = []fyne.CanvasObject{card(a.troubled(err, func() { g.draw(stepChoose) }))}
			} else {
				box.Objects = []fyne.CanvasObject{g.ways(c)}
			}
			box.Refresh()
			g.come(stepChoose, box)
		})
	return g.frame(stepChoose, box)
}

// ways offers three ways to begin.
func (g *guide) ways(c control.Chosen) fyne.CanvasObject {
	a := g.a
	g.draft = clone(c.Choices)
	next := func() { g.after = stepTry; g.move(stepTry) }
	hand := func() {
		g.draft.Automatic = false
		g.after = stepDone
		g.move(stepDone)
	}
	if c.Company.Manual {
		return rows(gap, a.locked(a.t("window.auto-locked")), container.NewHBox(primary(a.t("window.guide-next"), hand)))
	}
	domains := newField(a.t("window.edit-with-hint"))
	one := func(head, body string, extra fyne.CanvasObject, act fyne.CanvasObject) fyne.CanvasObject {
		words := rows(-8, bold(a.t(head)), muted(a.t(body)))
		all := rows(8, words)
		if extra != nil {
			all.Add(aligned(extra))
		}
		all.Add(aligned(container.NewHBox(act)))
		return card(all)
	}
	yes := true
	known := primary(a.t("window.guide-known-go"), func() {
		g.propose(capture.Rule{Name: a.t("window.guide-known"), Action: capture.Allow, Known: &yes})
		next()
	})
	some := plain(a.t("window.guide-some-go"), func() {
		if list := listed(domains.Text); len(list) > 0 {
			g.propose(capture.Rule{Name: a.t("window.guide-some"), Action: capture.Allow, With: list})
			next()
		}
	})
	return rows(gap, one("window.guide-known", "window.guide-known-body", nil, known), one("window.guide-some", "window.guide-some-body", domains, some),
		one("window.guide-hand", "window.guide-hand-body", nil, plain(a.t("window.guide-hand-go"), hand)))
}

// propose puts a rule into the draft, after those that are there already.
func (g *guide) propose(rule capture.Rule) {
	for _, have := range g.draft.Rules {
		if have.Name == rule.Name {
			return
		}
	}
	rule.ID = freeID(g.draft.Rules)
	g.draft.Rules = append(g.draft.Rules, rule)
}

// try shows what that would have saved, before anything is.
func (g *guide) try() fyne.CanvasObject {
	a := g.a
	box := container.NewStack(a.loading(a.t("window.try-reading")))
	draft := clone(g.draft)
	draft.Automatic = true
	ask(a, func(ctx context.Context, ag control.Agent) (control.DryRun, error) {
		return ag.DryRun(ctx, control.DryRunQuery{Days: 7, Choices: &draft}, func(s control.DryRunStep) {
			a.cfg.do(func() {
				if g.step == stepTry && len(box.Objects) == 1 {
					box.Objects = []fyne.CanvasObject{a.loading(a.tf("window.try-read", map[string]any{"Count": s.Read}))}
					box.Refresh()
				}
			})
		})
	}, func(d control.DryRun, err error) {
		box.Objects = []fyne.CanvasObject{g.outcome(d, err)}
		box.Refresh()
		g.come(stepTry, box)
	})
	return g.frame(stepTry, box)
}

func (g *guide) outcome(d control.DryRun, err error) fyne.CanvasObject {
	a := g.a
	back := plain(a.t("window.guide-back"), func() { g.after = ""; g.move(stepChoose) })
	if err != nil {
		return rows(gap, tinted(toneError, label(a.sorry(err))), container.NewHBox(back, plain(a.t("window.again"), func() { g.draw(stepTry) })))
	}
	sum := bold(a.tf("window.try-sum", map[string]any{"Seen": a.n(d.Seen), "Saved": a.n(d.Saved), "Held": a.n(d.Held)}))
	sum.SizeName = "subHeadingText"
	m := newMeter()
	if d.Seen > 0 {
		m.share = float64(d.Saved) / float64(d.Seen)
	}
	on := primary(a.t("window.guide-turn-on"), func() {
		draft := clone(g.draft)
		draft.Automatic, draft.Since = true, a.cfg.Now()
		a.tell(func(ctx context.Context, ag control.Agent) error { return ag.Choose(ctx, draft) }, func() {
			g.after = stepDone
			g.move(stepDone)
		})
	})
	hand := plain(a.t("window.guide-hand-go"), func() { g.after = stepDone; g.move(stepDone) })
	return rows(gap, card(rows(4, sum, m, aligned(buttons(plain(a.t("window.try-show"), func() { a.showTried(d) }))))), container.New(&wrap{gap: 8}, on, hand, back))
}

// finish says how it goes on.
func (g *guide) finish() fyne.CanvasObject {
	a := g.a
	return g.frame(stepDone, card(points(a.t("window.guide-tip-folder"), a.t("window.guide-tip-pick"), a.t("window.guide-tip-tray"))),
		container.NewHBox(primary(a.t("window.guide-finish"), g.leave)))
}
