package window

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"hawser/sync/capture"
)

// recordTypes are those that a rule can ask for.
var recordTypes = []string{"Contact", "Lead", "User", "Account", "Opportunity", "Case"}

// edit opens a rule; put takes what it became.
func (r *rulesPage) edit(rule capture.Rule, put func(capture.Rule)) {
	a := r.a
	form := rows(gapSmall)
	line := func(id string, at *string) *field {
		e := newField(a.t("window.edit-" + id + "-hint"))
		e.Text = *at
		e.OnChanged = func(s string) { *at = s }
		form.Add(rows(-4, label(a.t("window.edit-"+id)), e))
		return e
	}
	list := func(id string, at *[]string) {
		joined := strings.Join(*at, ", ")
		e := line(id, &joined)
		e.OnChanged = func(s string) { *at = listed(s) }
	}
	one := func(id string, names []string, at int, chose func(i int)) {
		c := newChoice(names, chose)
		c.pick(at)
		form.Add(setting(a.t("window.edit-"+id), c))
	}
	first := line("name", &rule.Name)
	actions := []capture.Action{capture.Allow, capture.Deny}
	one("action", []string{a.t("window.rule-allow"), a.t("window.rule-deny")}, slices.Index(actions, rule.Action), func(i int) { rule.Action = actions[i] })
	form.Add(gapOf(4))
	form.Add(muted(a.t("window.edit-about")))
	list("from", &rule.From)
	list("to", &rule.To)
	list("with", &rule.With)
	list("words", &rule.Words)
	list("folders", &rule.Folders)
	ways := []capture.Direction{"", capture.Received, capture.SentBy}
	one("way", a.ways(), slices.Index(ways, rule.Direction), func(i int) { rule.Direction = ways[i] })
	three := func(id string, at **bool) {
		one(id, []string{a.t("window.edit-any"), a.t("window.edit-" + id + "-yes"), a.t("window.edit-" + id + "-no")}, triIndex(*at), func(i int) { *at = triValue(i) })
	}
	three("files", &rule.Files)
	three("known", &rule.Known)
	sizes := []int64{0, 100_000, 1_000_000, 5_000_000, 20_000_000}
	names := []string{a.t("window.edit-any")}
	for _, s := range sizes[1:] {
		names = append(names, a.loc.Size(s))
	}
	one("over", names, max(0, slices.Index(sizes, rule.Over)), func(i int) { rule.Over = sizes[i] })
	one("under", names, max(0, slices.Index(sizes, rule.Under)), func(i int) { rule.Under = sizes[i] })
	form.Add(rows(-4, label(a.t("window.edit-records")), ticks(recordTypes, a.kindOf, &rule.Records)))
	chosen := stringsOf(rule.Kinds)
	form.Add(rows(-4, label(a.t("window.edit-kinds")), ticks(stringsOf(capture.Kinds), func(k string) string { return a.t("window.kind-" + k) }, &chosen)))
	a.sheet(a.t("window.edit-head"), container.NewVScroll(container.New(layout.NewCustomPaddedLayout(0, 0, 0, 14), form)),
		plain(a.t("window.cancel"), a.closeSheet),
		primary(a.t("window.edit-done"), func() {
			rule.Kinds = nil
			for _, k := range chosen {
				rule.Kinds = append(rule.Kinds, capture.Kind(k))
			}
			a.closeSheet()
			put(rule)
			r.edited("rules")
		}))
	a.win.Canvas().Focus(first)
}

func stringsOf(kinds []capture.Kind) []string {
	var out []string
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return out
}

// listed is a list that was typed with commas, also with those of a Japanese keyboard.
func listed(s string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",;、，；\n", r) }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func triIndex(v *bool) int {
	switch {
	case v == nil:
		return 0
	case *v:
		return 1
	}
	return 2
}

func triValue(i int) *bool {
	if i == 0 {
		return nil
	}
	yes := i == 1
	return &yes
}

// ticks is a line of boxes for the values of a list.
func ticks(values []string, name func(string) string, at *[]string) fyne.CanvasObject {
	box := container.New(&wrap{gap: 8})
	for _, v := range values {
		c := newCheck(name(v), func(on bool) {
			*at = without(*at, v)
			if on {
				*at = with(*at, v)
			}
		})
		c.Checked = slices.Contains(*at, v)
		box.Add(c)
	}
	return box
}
