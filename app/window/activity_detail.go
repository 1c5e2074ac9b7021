package window

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
	"hawser/sync/capture"
)

func (v *activity) putDetail(o fyne.CanvasObject) {
	v.detail.Objects = []fyne.CanvasObject{container.NewVScroll(inset(8, o))}
	v.detail.Refresh()
}

// showItem shows why an item is where it is, and what can be done.
func (v *activity) showItem(it control.QueueItem) {
	a := v.a
	v.open, v.shown = it.ID, it
	head := bold(a.subject(it.Subject))
	head.SizeName = theme.SizeNameSubHeadingText
	all := rows(gapSmall)
	if it.From != "" {
		all.Add(head)
		all.Add(rows(-10, muted(a.tf("window.preview-from", map[string]any{"Who": oneLine(it.From)})),
			muted(a.loc.Moment(it.Date, a.cfg.Now())+" · "+a.loc.Size(it.Size)+" · "+a.marked(it.Mark))))
	}
	_, t := a.badge(it.State)
	if it.Why != "" {
		title, more := a.whole(it.Why)
		if it.Detail != "" {
			title += " (" + oneLine(it.Detail) + ")"
		}
		words := rows(-8, bold(title))
		if more != "" {
			words.Add(label(more))
		}
		all.Add(tinted(t, words))
	}
	if !it.Next.IsZero() && it.State == "waiting" {
		all.Add(muted(a.tf("window.item-next", map[string]any{"When": a.loc.Moment(it.Next, a.cfg.Now()), "Tries": a.n(it.Tries)})))
	}
	if !it.Expires.IsZero() {
		all.Add(muted(a.tf("queue.expires", map[string]any{"When": a.loc.Moment(it.Expires, a.cfg.Now())})))
	}
	if it.Question != nil {
		all.Add(v.ask(it))
	}
	all.Add(v.actions(it))
	v.putDetail(all)
}

// ask puts a question with its answers.
func (v *activity) ask(it control.QueueItem) fyne.CanvasObject {
	a, q := v.a, *it.Question
	var names []string
	ids := map[string]string{}
	for _, o := range q.Options {
		name := a.option(q.Kind, o)
		names = append(names, name)
		ids[name] = o.ID
	}
	if q.Kind != capture.AskFiles && ids[a.t("window.answer-none")] == "" && !has(names, a.t("window.answer-none")) {
		names = append(names, a.t("window.answer-none"))
		ids[a.t("window.answer-none")] = ""
	}
	options := newOptions(names)
	remember := newCheck(a.t("window.ask-remember"), nil)
	answer := primary(a.t("window.ask-answer"), func() {
		v.act(func(ctx context.Context, g control.Agent) error {
			return g.Answer(ctx, it.ID, control.Answer{Option: ids[names[options.at]], Remember: remember.Checked})
		}, a.t("window.done-answer"))
	})
	return rows(gapSmall, cardTitle(a.question(q)), options.all, remember, aligned(buttons(answer)))
}

func has(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

// actions are the buttons below an item.
func (v *activity) actions(it control.QueueItem) fyne.CanvasObject {
	a := v.a
	box := buttons()
	add := func(id string, call func(context.Context, control.Agent) error) {
		box.Add(plain(a.t("window.item-"+id), func() { v.act(call, a.t("window.done-"+id)) }))
	}
	if it.State != "sending" {
		if it.State != "filtered" && it.Question == nil {
			b := plain(a.t("window.item-retry"), func() {
				v.act(func(ctx context.Context, g control.Agent) error { return g.RetryItem(ctx, it.ID) }, a.t("window.done-retry"))
			})
			b.Importance = widget.HighImportance
			box.Add(b)
		}
		if it.State == "filtered" {
			add("retry", func(ctx context.Context, g control.Agent) error { return g.RetryItem(ctx, it.ID) })
		}
		if it.Unlinked {
			add("unlinked", func(ctx context.Context, g control.Agent) error { return g.SaveUnlinked(ctx, it.ID) })
		}
		if it.State != "filtered" {
			add("skip", func(ctx context.Context, g control.Agent) error { return g.SkipItem(ctx, it.ID) })
			add("ignore", func(ctx context.Context, g control.Agent) error { return g.Ignore(ctx, it.ID, false) })
			add("ignore-domain", func(ctx context.Context, g control.Agent) error { return g.Ignore(ctx, it.ID, true) })
		}
	}
	return aligned(box)
}

// act performs an action on the item in view and says that it is done.
func (v *activity) act(call func(context.Context, control.Agent) error, done string) {
	v.a.tell(call, func() {
		v.a.shell.notify(toneGood, done)
		v.open, v.shown = 0, nil
		v.fetch()
	})
}

// showLine shows where a mail went.
func (v *activity) showLine(l control.JournalItem) {
	a := v.a
	v.open, v.shown = l.ID, l
	head := bold(a.t("window.line-head"))
	if !l.Removed.IsZero() {
		head = bold(a.tf("window.line-removed-at", map[string]any{"When": a.loc.Moment(l.Removed, a.cfg.Now())}))
	}
	head.SizeName = theme.SizeNameSubHeadingText
	all := rows(gapSmall, head)
	content := rows(-8, muted(a.object(l.Object)+" · "+a.loc.Moment(l.At, a.cfg.Now())+" · "+a.marked(l.Mark)), label(a.level(capture.Level(l.Level))+" · "+a.loc.Size(l.Bytes)))
	if l.Files > 0 {
		content.Add(bullet(glyphClip, label(a.tf("window.line-files", map[string]any{"Count": l.Files}))))
	}
	if l.LeftOut > 0 {
		content.Add(bullet(toneWarning.icon(), label(a.tf("window.line-left", map[string]any{"Count": l.LeftOut}))))
	}
	all.Add(content)
	all.Add(cardTitle(a.t("window.preview-records")))
	if len(l.Matched) == 0 {
		all.Add(muted(a.t("window.line-no-record")))
	}
	for _, r := range l.Matched {
		words := rows(-14, label(oneLine(r.Name)+" · "+a.kindOf(r.Type)))
		if r.Address != "" {
			words.Add(caption(a.tf("window.preview-matched", map[string]any{"Address": oneLine(r.Address), "Field": r.Field})))
		}
		all.Add(bullet(glyphPerson, words))
	}
	if l.Removed.IsZero() {
		open := newButton(a.t("window.line-open"), glyphOpen, func() { a.browse(l.URL) })
		undo := newButton(a.t("window.line-undo"), glyphUndo, func() { v.undo(l) })
		all.Add(aligned(buttons(open, undo)))
	}
	all.Add(caption(l.RecordID))
	v.putDetail(all)
}

// undo asks before it deletes.
func (v *activity) undo(l control.JournalItem) {
	a := v.a
	a.confirm(a.t("window.undo-head"), a.t("window.undo-body"), a.t("window.line-undo"), func() {
		a.tell(func(ctx context.Context, g control.Agent) error { return g.Unsave(ctx, l.ID) }, func() {
			for i := range v.lines {
				if v.lines[i].ID == l.ID { // it may lie below those that are fetched anew
					v.lines[i].Removed = a.cfg.Now()
					v.showLine(v.lines[i])
				}
			}
			v.journal.Refresh()
			a.shell.notify(toneGood, a.t("window.done-undo"))
		})
	})
}
