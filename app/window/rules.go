package window

import (
	"context"
	"reflect"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"hawser/app/control"
	"hawser/sync/capture"
)

// rulesPage is where people choose what is saved by itself, and how much of it. It edits a draft:
// nothing acts before it is put to use.
type rulesPage struct {
	a       *app
	chosen  control.Chosen
	draft   capture.Choices
	folders []capture.Folder
	loaded  bool
	turn    int

	tried *control.DryRun // the last dry run, counted anew at each edit
	days  int

	cards *fyne.Container
	foot  *fyne.Container
	parts map[string]*fyne.Container
	all   fyne.CanvasObject
}

// The cards of the page, in their order.
var ruleCards = []string{"automatic", "try", "rules", "block", "hold", "content", "match", "kinds"}

func newRules(a *app) screen {
	r := &rulesPage{a: a, days: 7, cards: rows(gap), foot: container.NewStack(), parts: map[string]*fyne.Container{}}
	for _, c := range ruleCards {
		r.parts[c] = container.NewStack()
		r.cards.Add(r.parts[c])
	}
	r.all = container.NewBorder(nil, r.foot, nil, nil, page(a.t("window.page-rules"), a.t("window.rules-purpose"), r.cards))
	return r
}

func (r *rulesPage) object() fyne.CanvasObject { return r.all }

// show implements screen; the page follows the choices, not the status.
func (r *rulesPage) show(control.Status) {}

// opened implements opener. An edit that is not in use yet is kept.
func (r *rulesPage) opened() {
	if r.loaded && r.changed() {
		return
	}
	ask(r.a, func(ctx context.Context, g control.Agent) (control.Chosen, error) { return g.Chosen(ctx) }, r.came)
	if r.folders == nil {
		ask(r.a, func(ctx context.Context, g control.Agent) ([]capture.Folder, error) { return g.Folders(ctx) },
			func(f []capture.Folder, err error) {
				if err == nil { // without them, the folders in use are listed alone
					r.folders = f
					r.redraw("automatic")
				}
			})
	}
}

func (r *rulesPage) came(c control.Chosen, err error) {
	if err != nil {
		for _, p := range r.parts {
			p.Objects = nil
		}
		r.put("automatic", card(r.a.troubled(err, r.opened)))
		return
	}
	r.chosen, r.draft, r.loaded = c, clone(c.Choices), true
	r.redraw(ruleCards...)
}

// clone copies choices so deep that editing the copy leaves the original alone.
func clone(c capture.Choices) capture.Choices {
	c.Folders, c.Rules, c.Block, c.Pass = slices.Clone(c.Folders), slices.Clone(c.Rules), slices.Clone(c.Block), slices.Clone(c.Pass)
	c.Kinds, c.Words, c.Labels, c.Order = slices.Clone(c.Kinds), slices.Clone(c.Words), slices.Clone(c.Labels), slices.Clone(c.Order)
	return c
}

func (r *rulesPage) changed() bool { return !reflect.DeepEqual(r.draft, r.chosen.Choices) }

func (r *rulesPage) put(name string, o fyne.CanvasObject) {
	r.parts[name].Objects = []fyne.CanvasObject{o}
	r.parts[name].Refresh()
}

// redraw draws cards anew, and the foot.
func (r *rulesPage) redraw(cards ...string) {
	if !r.loaded {
		return
	}
	draw := map[string]func() fyne.CanvasObject{"automatic": r.automatic, "try": r.try, "rules": r.rules, "block": r.block, "hold": r.hold, "content": r.content, "match": r.match, "kinds": r.kinds}
	r.a.keepFocus(r.cards, func() {
		for _, c := range cards {
			r.put(c, card(draw[c]()))
		}
	})
	r.foot.Objects = nil
	if r.changed() {
		r.foot.Objects = []fyne.CanvasObject{r.bar()}
	}
	r.foot.Refresh()
}

// edited takes an edit over: cards that show it are drawn, and a dry run is counted anew.
func (r *rulesPage) edited(cards ...string) {
	r.redraw(cards...)
	if r.tried != nil {
		r.run(true)
	}
}

// bar is the foot while the draft differs from what is in use.
func (r *rulesPage) bar() fyne.CanvasObject {
	a := r.a
	drop := plain(a.t("window.rules-discard"), func() {
		r.draft = clone(r.chosen.Choices)
		r.edited(ruleCards...)
	})
	use := primary(a.t("window.rules-use"), r.use)
	return container.New(layout.NewCustomPaddedLayout(0, gap, gapLarge, gapLarge), tinted(toneBusy,
		container.New(&flex{least: 280, front: true}, label(a.t("window.rules-changed")), cols(8, drop, use))))
}

// use puts the draft to use.
func (r *rulesPage) use() {
	draft := clone(r.draft)
	if draft.Automatic && !r.chosen.Choices.Automatic {
		draft.Since = r.a.cfg.Now()
	}
	r.a.tell(func(ctx context.Context, g control.Agent) error { return g.Choose(ctx, draft) }, func() {
		r.chosen.Choices, r.draft = draft, clone(draft)
		r.redraw(ruleCards...)
		r.a.shell.notify(toneGood, r.a.t("window.rules-used"))
	})
}

// run tries the draft on the mails of the last days; again uses those that were read already.
func (r *rulesPage) run(again bool) {
	r.turn++
	turn, draft, days := r.turn, clone(r.draft), r.days
	draft.Automatic = true
	if !again {
		r.tried = nil
		r.put("try", card(r.a.loading(r.a.t("window.try-reading"))))
	}
	ask(r.a, func(ctx context.Context, g control.Agent) (control.DryRun, error) {
		return g.DryRun(ctx, control.DryRunQuery{Days: days, Choices: &draft, Again: again}, func(s control.DryRunStep) {
			r.a.cfg.do(func() {
				if turn == r.turn && !again {
					r.put("try", card(r.a.loading(r.a.tf("window.try-read", map[string]any{"Count": s.Read}))))
				}
			})
		})
	}, func(d control.DryRun, err error) {
		if turn != r.turn {
			return
		}
		if err != nil {
			r.tried = nil
			r.redraw("try")
			r.a.shell.notify(toneError, r.a.sorry(err))
			return
		}
		r.tried, r.chosen.Hits = &d, d.Hits
		r.redraw("try", "rules")
	})
}
