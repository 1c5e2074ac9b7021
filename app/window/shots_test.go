package window

import (
	"testing"

	"fyne.io/fyne/v2"

	"hawser/sync/capture"
)

// TestScreens draws every page; HAWSER_SHOTS keeps the pictures.
func TestScreens(t *testing.T) {
	for _, s := range []struct {
		name string
		stage
		then func(r *rig)
	}{
		{"home", stage{lang: "en"}, nil},
		{"home-dark", stage{lang: "en", shade: shadeDark}, nil},
		{"home-de-200", stage{lang: "de", text: 2}, nil},
		{"capture", stage{lang: "en", page: PageCapture}, pickThree},
		{"capture-dark", stage{lang: "de", page: PageCapture, shade: shadeDark}, pickThree},
		{"capture-de-200", stage{lang: "de", page: PageCapture, text: 2}, pickThree},
		{"needs-you", stage{lang: "en", page: PageActivity}, nil},
		{"needs-you-de-200", stage{lang: "de", page: PageActivity, text: 2}, nil},
		{"saved", stage{lang: "en", page: PageActivity}, tabOf(viewSaved)},
		{"held-de", stage{lang: "de", page: PageActivity, shade: shadeDark}, tabOf(viewHeld)},
		{"left", stage{lang: "en", page: PageActivity}, tabOf(viewLeft)},
		{"followed", stage{lang: "de", page: PageActivity}, tabOf(viewThreads)},
		{"rules", stage{lang: "en", page: PageRules, size: fyne.NewSize(1080, 2600)}, tryRules},
		{"rules-dark", stage{lang: "de", page: PageRules, shade: shadeDark}, tryRules},
		{"rules-de-200", stage{lang: "de", page: PageRules, text: 2, size: fyne.NewSize(1080, 5200)}, tryRules},
		{"rule-edit", stage{lang: "de", page: PageRules}, editRule},
		{"tried", stage{lang: "en", page: PageRules}, func(r *rig) { tryRules(r); r.settle(); r.a.showTried(*r.a.current().(*rulesPage).tried) }},
		{"why", stage{lang: "de", page: PageActivity}, askWhy},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.agent = busyAgent()
			if s.shade == "" {
				s.shade = shadeLight
			}
			r := newRig(t, s.stage)
			r.settle()
			if s.then != nil {
				s.then(r)
				r.settle()
			}
			r.shot(s.name)
		})
	}
}

func pickThree(r *rig) {
	c := r.a.current().(*capturer)
	c.list.Select(1)
	for _, i := range []int{0, 1, 3} {
		c.list.checked(i)
	}
	c.list.Refresh()
}

func tabOf(view string) func(*rig) {
	return func(r *rig) {
		v := r.a.current().(*activity)
		v.tabs.choose(view)
		v.choose(view)
	}
}

func askWhy(r *rig) {
	tabOf(viewWhy)(r)
	w := r.a.current().(*activity).why
	w.field.SetText("<canary@example.com>")
	w.ask()
}

func tryRules(r *rig) {
	p := r.a.current().(*rulesPage)
	p.draft.Days = 7
	p.run(false)
	r.settle()
	p.edited(ruleCards...)
}

func editRule(r *rig) {
	p := r.a.current().(*rulesPage)
	p.edit(p.draft.Rules[1], func(capture.Rule) {})
}
