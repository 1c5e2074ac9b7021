package window

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"

	"hawser/app/control"
	"hawser/sync/capture"
)

func trimmed(s string) string { return strings.TrimSpace(s) }

// block is the list of those whose mail is never saved by itself.
func (r *rulesPage) block() fyne.CanvasObject {
	a := r.a
	var list []control.Blocked
	for _, b := range r.chosen.Blocked {
		if b.Layer != control.LayerPersonal && !slices.Contains(r.draft.Pass, b.Value) {
			b.Locked = b.Locked || b.Layer == control.LayerInternal
			list = append(list, b)
		}
	}
	for _, v := range r.draft.Block {
		list = append(list, control.Blocked{Value: v, Layer: control.LayerPersonal})
	}
	free := newCheck(a.t("window.block-free"), func(on bool) {
		r.draft.FreeMail = on
		r.edited()
	})
	free.Checked = r.draft.FreeMail
	return rows(gapSmall, head(a.t("window.block-head"), a.t("window.block-body")),
		a.chips(chips{values: list, hint: a.t("window.block-hint"),
			layer: func(b control.Blocked) string { return a.t("window.layer-" + b.Layer) },
			remove: func(v string) {
				r.draft.Block = without(r.draft.Block, v)
				if !slices.Contains(r.chosen.Choices.Block, v) && !slices.Contains(r.draft.Pass, v) && !personal(r.chosen, v) {
					r.draft.Pass = append(r.draft.Pass, v) // an entry of the company that it left open
				}
				r.edited("block")
			},
			add: func(v string) { r.draft.Block = with(r.draft.Block, v); r.edited("block") }}),
		free, muted(a.t("window.block-free-body")),
		a.chips(chips{values: own(r.draft.Pass), hint: a.t("window.pass-hint"),
			remove: func(v string) { r.draft.Pass = without(r.draft.Pass, v); r.edited("block") },
			add:    func(v string) { r.draft.Pass = with(r.draft.Pass, v); r.edited("block") }}))
}

// personal reports whether an entry is not one of the company's.
func personal(c control.Chosen, v string) bool {
	return !slices.ContainsFunc(c.Blocked, func(b control.Blocked) bool { return b.Value == v && b.Layer == control.LayerCompany })
}

func without(list []string, v string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == v })
}

func with(list []string, v string) []string {
	if slices.Contains(list, v) {
		return list
	}
	return append(slices.Clone(list), v)
}

// own turns plain values into entries of the person's.
func own(values []string) []control.Blocked {
	var out []control.Blocked
	for _, v := range values {
		out = append(out, control.Blocked{Value: v, Layer: control.LayerPersonal})
	}
	return out
}

// hold is about the words and labels that make a mail wait for its person.
func (r *rulesPage) hold() fyne.CanvasObject {
	a := r.a
	company := func(values []string) []control.Blocked {
		list := own(values)
		for i := range list {
			list[i].Layer, list[i].Locked = control.LayerCompany, true
		}
		return list
	}
	return rows(gapSmall, head(a.t("window.hold-head"), a.t("window.hold-body")),
		label(a.t("window.hold-words")),
		a.chips(chips{values: append(company(r.chosen.Company.Words), own(r.draft.Words)...), hint: a.t("window.hold-words-hint"),
			remove: func(v string) { r.draft.Words = without(r.draft.Words, v); r.edited("hold") },
			add:    func(v string) { r.draft.Words = with(r.draft.Words, v); r.edited("hold") }}),
		label(a.t("window.hold-labels")),
		a.chips(chips{values: append(company(r.chosen.Company.Labels), own(r.draft.Labels)...), hint: a.t("window.hold-labels-hint"),
			remove: func(v string) { r.draft.Labels = without(r.draft.Labels, v); r.edited("hold") },
			add:    func(v string) { r.draft.Labels = with(r.draft.Labels, v); r.edited("hold") }}))
}

// content is about how much of a mail is saved.
func (r *rulesPage) content() fyne.CanvasObject {
	a, c := r.a, &r.draft.Content
	levels := []capture.Level{capture.LevelHeaders, capture.LevelSubject, capture.LevelText, capture.LevelFiles}
	var names []string
	for _, l := range levels {
		names = append(names, a.level(l))
	}
	level := newChoice(names, func(i int) { c.Level = levels[i]; r.edited("content") })
	level.pick(slices.Index(levels, c.Level))
	modes := []capture.FilesMode{capture.FilesAsk, capture.FilesAlways, capture.FilesNever}
	files := newChoice([]string{a.t("window.files-ask"), a.t("window.files-always"), a.t("window.files-never")}, func(i int) { c.Files = modes[i]; r.edited() })
	files.pick(slices.Index(modes, c.Files))
	if c.Level != capture.LevelFiles {
		files.Disable()
	}
	one, sum := r.bytes(&c.FileMax), r.bytes(&c.FilesMax)
	newest := newCheck(a.t("window.content-newest"), func(on bool) { c.NewestOnly = on; r.edited() })
	newest.Checked = c.NewestOnly
	inline := newCheck(a.t("window.content-inline"), func(on bool) { c.Inline = on; r.edited() })
	inline.Checked = c.Inline
	all := rows(gapSmall, head(a.t("window.content-head"), a.t("window.content-body")), setting(a.t("window.content-level"), level))
	if limit := r.chosen.Company.MaxLevel; limit != "" {
		all.Add(a.locked(a.tf("window.content-limit", map[string]any{"Level": a.level(limit)})))
	}
	for _, o := range []fyne.CanvasObject{setting(a.t("window.content-files"), files), setting(a.t("window.content-one"), one), setting(a.t("window.content-all"), sum), rows(-10, newest, caption(a.t("window.content-newest-body"))), inline} {
		all.Add(o)
	}
	return all
}

// bytes is a choice of a size.
func (r *rulesPage) bytes(at *int64) *choice {
	sizes := []int64{1_000_000, 5_000_000, 10_000_000, 25_000_000}
	if *at > 0 && !slices.Contains(sizes, *at) {
		sizes = append(sizes, *at)
		slices.Sort(sizes)
	}
	var names []string
	for _, s := range sizes {
		names = append(names, r.a.loc.Size(s))
	}
	c := newChoice(names, func(i int) { *at = sizes[i]; r.edited() })
	c.pick(slices.Index(sizes, *at))
	return c
}

// kinds is about mail that is no letter between people.
func (r *rulesPage) kinds() fyne.CanvasObject {
	a := r.a
	all := rows(-4, head(a.t("window.kinds-head"), a.t("window.kinds-body")))
	for _, k := range capture.Kinds {
		c := newCheck(a.t("window.kind-"+string(k)), func(on bool) {
			r.draft.Kinds = slices.DeleteFunc(slices.Clone(r.draft.Kinds), func(o capture.Kind) bool { return o == k })
			if on {
				r.draft.Kinds = append(r.draft.Kinds, k)
			}
			r.edited()
		})
		c.Checked = slices.Contains(r.draft.Kinds, k)
		all.Add(c)
	}
	return all
}

// orders are the ways to rank types of records; the first is that of nobody's choice.
var orders = [][]string{{"Contact", "Lead", "User"}, {"Lead", "Contact", "User"}, {"User", "Contact", "Lead"}}

// match is about the records that mails are saved to, and the mark that saved mails get.
func (r *rulesPage) match() fyne.CanvasObject {
	a := r.a
	var names []string
	at := 0
	for i, o := range orders {
		var words []string
		for _, t := range o {
			words = append(words, a.kindOf(t))
		}
		names = append(names, strings.Join(words, ", "))
		if slices.Equal(o, r.draft.Order) {
			at = i
		}
	}
	order := newChoice(names, func(i int) { r.draft.Order = slices.Clone(orders[i]); r.edited() })
	order.pick(at)
	mark := newCheck(a.t("window.match-writeback"), func(on bool) { r.draft.WriteBack = on; r.edited() })
	mark.Checked = r.draft.WriteBack
	return rows(gapSmall, head(a.t("window.match-head"), a.t("window.match-body")), setting(a.t("window.match-order"), order),
		rows(-10, mark, caption(a.t("window.match-writeback-body"))))
}
