package window

import (
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"hawser/sync/capture"
)

// rules is the ordered list: the company's first, then the person's own.
func (r *rulesPage) rules() fyne.CanvasObject {
	a := r.a
	all := rows(gapSmall, head(a.t("window.list-head"), a.t("window.list-body")))
	n := 0
	for _, one := range r.chosen.Company.Rules {
		n++
		all.Add(widget.NewSeparator())
		all.Add(container.New(&flex{least: 260, front: true}, r.words(n, one), cols(0, widget.NewIcon(glyphLock.in("disabled")), muted0(a.t("window.layer-company")))))
	}
	for i, one := range r.draft.Rules {
		n++
		all.Add(widget.NewSeparator())
		all.Add(container.New(&flex{least: 260, front: true}, r.words(n, one), r.tools(i, one)))
	}
	if n == 0 {
		all.Add(empty(glyphRules, a.t("window.list-empty"), a.t("window.list-empty-body")))
	}
	all.Add(gapOf(gapSmall))
	all.Add(aligned(buttons(plain(a.t("window.list-add"), func() {
		r.edit(capture.Rule{ID: freeID(r.draft.Rules), Action: capture.Allow}, func(rule capture.Rule) { r.draft.Rules = append(r.draft.Rules, rule) })
	}))))
	return all
}

// muted0 is a muted word that never wraps.
func muted0(s string) *widget.Label {
	l := short(s)
	l.Importance = widget.LowImportance
	return l
}

// freeID is an id that no rule has.
func freeID(rules []capture.Rule) string {
	for n := len(rules) + 1; ; n++ {
		id := "r" + strconv.Itoa(n)
		if !slices.ContainsFunc(rules, func(r capture.Rule) bool { return r.ID == id }) {
			return id
		}
	}
}

// words say what a rule does, with how many mails it would have decided.
func (r *rulesPage) words(n int, rule capture.Rule) fyne.CanvasObject {
	a := r.a
	t, verb := toneGood, a.t("window.rule-allow")
	if rule.Action == capture.Deny {
		t, verb = toneNeutral, a.t("window.rule-deny")
	}
	name := rule.Name
	if name == "" {
		name = verb
	}
	if rule.Off {
		t, name = toneNeutral, a.tf("window.rule-off", map[string]any{"Name": name})
	}
	parts := rows(-10, bold(a.n(n)+"  "+oneLine(name)), muted(verb+": "+a.summary(rule)))
	if hits, ok := r.chosen.Hits[rule.ID]; ok || r.chosen.Hits != nil {
		h := caption(a.tf("window.rule-hits", map[string]any{"Count": hits}))
		if hits > 0 {
			h.Importance = widget.HighImportance
		}
		parts.Add(h)
	}
	return container.NewBorder(nil, nil, lead(t.icon()), nil, parts)
}

// tools are the buttons of a rule of one's own.
func (r *rulesPage) tools(i int, rule capture.Rule) fyne.CanvasObject {
	a := r.a
	move := func(by int) func() {
		return func() {
			j := i + by
			if j < 0 || j >= len(r.draft.Rules) {
				return
			}
			r.draft.Rules[i], r.draft.Rules[j] = r.draft.Rules[j], r.draft.Rules[i]
			r.edited("rules")
		}
	}
	up, down := newButton("", glyphUp, move(-1)), newButton("", glyphDown, move(1))
	if i == 0 {
		up.Disable()
	}
	if i == len(r.draft.Rules)-1 {
		down.Disable()
	}
	on := newCheck("", func(on bool) {
		r.draft.Rules[i].Off = !on
		r.edited("rules")
	})
	on.Checked = !rule.Off
	edit := plain(a.t("window.rule-edit"), func() {
		r.edit(rule, func(changed capture.Rule) { r.draft.Rules[i] = changed })
	})
	bin := newButton("", glyphBin, func() {
		r.draft.Rules = slices.Delete(slices.Clone(r.draft.Rules), i, i+1)
		r.edited("rules")
	})
	return cols(4, on, up, down, edit, bin)
}

// summary says in one line which mails a rule is about.
func (a *app) summary(r capture.Rule) string {
	var parts []string
	list := func(id string, values []string) {
		if len(values) > 0 {
			parts = append(parts, a.tf(id, map[string]any{"List": oneLine(strings.Join(values, ", "))}))
		}
	}
	list("window.if-from", r.From)
	list("window.if-to", r.To)
	list("window.if-with", r.With)
	list("window.if-folders", r.Folders)
	list("window.if-words", r.Words)
	var records []string
	for _, t := range r.Records {
		records = append(records, a.kindOf(t))
	}
	list("window.if-records", records)
	var kinds []string
	for _, k := range r.Kinds {
		kinds = append(kinds, a.t("window.kind-"+string(k)))
	}
	list("window.if-kinds", kinds)
	yesNo := func(v *bool, yes, no string) {
		switch {
		case v == nil:
		case *v:
			parts = append(parts, a.t(yes))
		default:
			parts = append(parts, a.t(no))
		}
	}
	switch r.Direction {
	case capture.Received:
		parts = append(parts, a.t("window.way-received"))
	case capture.SentBy:
		parts = append(parts, a.t("window.way-sent"))
	}
	yesNo(r.Files, "window.if-files", "window.if-no-files")
	yesNo(r.Known, "window.if-known", "window.if-unknown")
	if r.Over > 0 {
		parts = append(parts, a.tf("window.if-over", map[string]any{"Size": a.loc.Size(r.Over)}))
	}
	if r.Under > 0 {
		parts = append(parts, a.tf("window.if-under", map[string]any{"Size": a.loc.Size(r.Under)}))
	}
	if len(parts) == 0 {
		return a.t("window.if-all")
	}
	return strings.Join(parts, " · ")
}
