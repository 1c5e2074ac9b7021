package window

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
	"hawser/sync/capture"
)

// head is a card's name with what it is for.
func head(name, purpose string) fyne.CanvasObject { return rows(-8, cardTitle(name), muted(purpose)) }

// setting is a line with a name and something to set.
func setting(name string, o fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(3, 3, 0, 0), container.New(&flex{least: 240, front: true}, label(name), o))
}

// locked says that the company decides something.
func (a *app) locked(text string) fyne.CanvasObject {
	return bullet(glyphLock.in("disabled"), muted(text))
}

// automatic is the switch of all, with where and how far back.
func (r *rulesPage) automatic() fyne.CanvasObject {
	a := r.a
	on := newCheck(a.t("window.auto-on"), func(on bool) {
		r.draft.Automatic = on
		r.edited()
	})
	on.Checked = r.draft.Automatic
	all := rows(gapSmall, head(a.t("window.auto-head"), a.t("window.auto-body")), on)
	if r.chosen.Company.Manual {
		on.Disable()
		all.Add(a.locked(a.t("window.auto-locked")))
	}
	days := []int{0, 7, 30, 90}
	back := newChoice([]string{a.t("window.days-0"), a.t("window.days-7"), a.t("window.days-30"), a.t("window.days-90")}, func(i int) {
		r.draft.Days = days[i]
		r.edited()
	})
	back.pick(max(0, slices.Index(days, r.draft.Days)))
	ways := []capture.Direction{"", capture.Received, capture.SentBy}
	way := newChoice(a.ways(), func(i int) {
		r.draft.Direction = ways[i]
		r.edited()
	})
	way.pick(max(0, slices.Index(ways, r.draft.Direction)))
	all.Add(setting(a.t("window.auto-back"), back))
	all.Add(setting(a.t("window.auto-way"), way))
	all.Add(r.where())
	return all
}

func (a *app) ways() []string {
	return []string{a.t("window.way-both"), a.t("window.way-received"), a.t("window.way-sent")}
}

// where lists the folders that automatic capture looks into.
func (r *rulesPage) where() fyne.CanvasObject {
	a := r.a
	list := rows(-6)
	names := map[string]string{}
	var order []string
	for _, f := range r.folders {
		if f.Role != "drafts" && f.Role != "junk" && f.Role != "trash" {
			names[f.Name] = a.folderName(f)
			order = append(order, f.Name)
		}
	}
	for _, f := range r.draft.Folders {
		if _, ok := names[f]; !ok {
			names[f] = f
			order = append(order, f)
		}
	}
	for _, f := range order {
		c := newCheck(names[f], func(on bool) {
			r.draft.Folders = slices.DeleteFunc(r.draft.Folders, func(s string) bool { return s == f })
			if on {
				r.draft.Folders = append(r.draft.Folders, f)
			}
			r.edited()
		})
		c.Checked = slices.Contains(r.draft.Folders, f)
		list.Add(c)
	}
	return rows(-4, label(a.t("window.auto-folders")), muted(a.t("window.auto-folders-body")), list)
}

// try is the dry run.
func (r *rulesPage) try() fyne.CanvasObject {
	a := r.a
	days := []int{7, 30, 90}
	span := newChoice([]string{a.t("window.days-7"), a.t("window.days-30"), a.t("window.days-90")}, func(i int) { r.days = days[i] })
	span.pick(max(0, slices.Index(days, r.days)))
	all := rows(gapSmall, head(a.t("window.try-head"), a.t("window.try-body")))
	if d := r.tried; d != nil {
		sum := bold(a.tf("window.try-sum", map[string]any{"Seen": a.n(d.Seen), "Saved": a.n(d.Saved), "Held": a.n(d.Held)}))
		sum.SizeName = "subHeadingText"
		m := newMeter()
		if d.Seen > 0 {
			m.share = float64(d.Saved) / float64(d.Seen)
		}
		all.Add(rows(0, sum, m))
	}
	acts := buttons(span, plain(a.t("window.try-run"), func() { r.run(false) }))
	if d := r.tried; d != nil && len(d.Items) > 0 {
		acts.Add(plain(a.t("window.try-show"), func() { r.a.showTried(*d) }))
	}
	all.Add(aligned(acts))
	return all
}

// showTried lists what a dry run would have done, mail by mail, and says why below.
func (a *app) showTried(d control.DryRun) {
	list := newRowList(func() int { return len(d.Items) }, func(i int) rowView {
		it := d.Items[i]
		v := rowView{Title: nameOf(it.Mail.From), Sub: a.subject(it.Mail.Subject), Right: a.loc.Moment(it.Mail.Date, a.cfg.Now())}
		v.Badge, v.Tone = a.tried(it)
		v.Icon = v.Tone.icon()
		return v
	})
	why := container.NewStack()
	list.chosen = func(i int) {
		it := d.Items[i]
		_, t := a.tried(it)
		words := rows(-8, bold(nameOf(it.Mail.From)), label(a.subject(it.Mail.Subject)))
		if it.Why != "" {
			words.Add(muted(a.reason(it.Why)))
		}
		why.Objects = []fyne.CanvasObject{rows(0, gapOf(8), tinted(t, bullet(t.icon(), words)))}
		why.Refresh()
	}
	a.sheet(a.tf("window.try-sum", map[string]any{"Seen": a.n(d.Seen), "Saved": a.n(d.Saved), "Held": a.n(d.Held)}),
		container.NewBorder(nil, why, nil, nil, list), plain(a.t("window.close"), a.closeSheet))
	list.Select(0)
	a.win.Canvas().Focus(list)
}

// tried is the word for what a dry run would have done with a mail, and its tone.
func (a *app) tried(it control.DryRunItem) (string, tone) {
	switch it.Verdict {
	case "save":
		return a.t("window.try-saved"), toneGood
	case "held":
		return a.t("window.state-held"), toneWarning
	}
	return a.t("window.state-filtered"), toneNeutral
}

// chips is a line of values that can be taken out, and a field to add one.
type chips struct {
	values []control.Blocked
	hint   string
	layer  func(control.Blocked) string
	remove func(string)
	add    func(string)
}

func (a *app) chips(c chips) fyne.CanvasObject {
	box := container.New(&wrap{gap: 6})
	for _, v := range c.values {
		name := oneLine(v.Value)
		if c.layer != nil {
			if l := c.layer(v); l != "" {
				name += " · " + l
			}
		}
		if v.Locked || c.remove == nil {
			lock := container.NewStack(newPanel(colorNeutralSoft, ""), cols(0, centred(inset(4, widget.NewIcon(glyphLock.in("disabled")))), short(name)))
			box.Add(lock)
			continue
		}
		b := newButton(name, glyphClose, func() { c.remove(v.Value) })
		b.IconPlacement = widget.ButtonIconTrailingText
		box.Add(b)
	}
	field := newField(c.hint)
	add := func() {
		if s := trimmed(field.Text); s != "" {
			c.add(s)
		}
	}
	field.OnSubmitted = func(string) { add() }
	return aligned(rows(8, box, container.New(&flex{least: 220, front: true}, field, plain(a.t("window.add"), add))))
}
