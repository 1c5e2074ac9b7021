package window

import (
	"testing"

	"fyne.io/fyne/v2"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// TestScreens draws every page; HAWSER_SHOTS keeps the pictures.
func TestScreens(t *testing.T) {
	for _, s := range []struct {
		name string
		stage
		then func(r *rig)
	}{
		{"guide-code", stage{lang: "en", status: &control.Status{State: control.NotEnrolled}}, nil},
		{"guide-salesforce", stage{lang: "de", status: freshStatus(false, false)}, nil},
		{"guide-signing", stage{lang: "en", status: freshStatus(true, false)}, signing},
		{"guide-wall", stage{lang: "de", shade: shadeDark, status: freshStatus(false, false)}, wall},
		{"guide-choose", stage{lang: "en", status: joined()}, openGuide},
		{"guide-try", stage{lang: "de", status: joined()}, toTry},
		{"guide-choose-de-200", stage{lang: "de", text: 2, status: joined()}, openGuide},
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
		{"settings", stage{lang: "en", page: PageSettings, size: fyne.NewSize(1080, 1300)}, nil},
		{"settings-de-200", stage{lang: "de", page: PageSettings, text: 2, size: fyne.NewSize(1080, 2600)}, nil},
		{"help", stage{lang: "en", page: PageHelp}, nil},
		{"help-table", stage{lang: "de", page: PageHelp, shade: shadeDark}, func(r *rig) { r.a.current().(*help).read("configuration") }},
		{"about", stage{lang: "de", page: PageHelp}, func(r *rig) { r.a.current().(*help).read(aboutPage) }},
		{"calendar", stage{lang: "en", page: PageCalendar}, nil},
		{"gone", stage{lang: "en", page: PageHome}, func(r *rig) { r.a.lost() }},
		{"why", stage{lang: "de", page: PageActivity}, askWhy},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.agent = busyAgent()
			if s.status != nil {
				s.agent.Set(*s.status)
			}
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

// freshStatus is that of a computer that has joined a company and was not used before.
func freshStatus(salesforce, mail bool) *control.Status {
	s := control.Status{State: control.NeedsSignIn, Which: "salesforce", Company: control.Company{Stage: control.StageSigningIn, Name: "Acme Marine"}}
	if salesforce {
		s.Salesforce, s.Which = busyStatus().Salesforce, "mail"
	}
	if mail {
		s.Mail, s.Company.Stage = busyStatus().Mail, control.StageWaiting
	}
	return &s
}

func signing(r *rig) {
	r.agent.Steps = []control.SignInStep{{Step: "discovering"}, {Step: "browser", URL: "https://acme.my.site.com/partners/services/oauth2/authorize?response_type=code&client_id=3MVG9"}}
	r.agent.Hang = true
	r.a.guide.sign.start()
}

func wall(r *rig) {
	r.agent.Faults = map[string]controltest.Fault{"signin": {Code: fault.AppBlocked}}
	r.a.guide.sign.start()
}

func toTry(r *rig) {
	r.a.setUp()
	g := r.a.guide
	g.after = stepTry
	g.draft = r.agent.Choices.Choices
	g.move(stepTry)
}

func joined() *control.Status {
	s := busyStatus()
	return &s
}

func openGuide(r *rig) { r.a.setUp() }
