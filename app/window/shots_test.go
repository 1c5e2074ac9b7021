package window

import (
	"testing"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// scene is a page in some state.
type scene struct {
	name string
	stage
	then func(r *rig)
}

// play brings a window to the scene and lets it settle.
func (s scene) play(t *testing.T) *rig {
	t.Helper()
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
	r.relax()
	return r
}

// scenes are all pages in the states that differ.
func scenes() []scene {
	return []scene{
		{"guide-code", stage{status: &control.Status{State: control.NotEnrolled}}, nil},
		{"guide-link", stage{status: offered(busyStatus())}, nil},
		{"guide-salesforce", stage{status: freshStatus(false, false)}, nil},
		{"guide-signing", stage{status: freshStatus(true, false)}, signing},
		{"guide-wall", stage{status: freshStatus(false, false)}, wall},
		{"guide-wait", stage{status: freshStatus(true, true)}, nil},
		{"guide-choose", stage{}, openGuide},
		{"guide-try", stage{}, toTry},
		{"guide-done", stage{}, func(r *rig) { r.a.setUp(); r.a.guide.move(stepDone) }},
		{"home", stage{}, nil},
		{"home-troubled", stage{status: troubled()}, nil},
		{"capture", stage{page: PageCapture}, pickThree},
		{"needs-you", stage{page: PageActivity}, nil},
		{"saved", stage{page: PageActivity}, tabOf(viewSaved)},
		{"undo", stage{page: PageActivity}, undoFirst},
		{"waiting", stage{page: PageActivity}, tabOf(viewWaiting)},
		{"held", stage{page: PageActivity}, tabOf(viewHeld)},
		{"left", stage{page: PageActivity}, tabOf(viewLeft)},
		{"followed", stage{page: PageActivity}, tabOf(viewThreads)},
		{"why", stage{page: PageActivity}, askWhy},
		{"rules", stage{page: PageRules}, tryRules},
		{"rule-edit", stage{page: PageRules}, editRule},
		{"tried", stage{page: PageRules}, func(r *rig) { tryRules(r); r.settle(); r.a.showTried(*r.a.current().(*rulesPage).tried) }},
		{"calendar", stage{page: PageCalendar}, nil},
		{"settings", stage{page: PageSettings}, nil},
		{"help", stage{page: PageHelp}, nil},
		{"help-table", stage{page: PageHelp}, func(r *rig) { r.a.current().(*help).read("configuration") }},
		{"about", stage{page: PageHelp}, func(r *rig) { r.a.current().(*help).read(aboutPage) }},
		{"gone", stage{page: PageHome}, func(r *rig) { r.a.lost() }},
	}
}

// offered is a status with a link that was opened.
func offered(s control.Status) *control.Status {
	s.Offer = controltest.OfferServer
	return &s
}

// troubled is a day on which much goes wrong.
func troubled() *control.Status {
	s := busyStatus()
	s.State, s.Why, s.Which = control.NeedsSignIn, fault.TokenRevoked, "salesforce"
	s.Salesforce.Fault, s.Company.Fault = fault.TokenRevoked, fault.ServerError
	s.Notes = []control.Note{{Code: fault.PermissionMissing, Detail: "EmailMessage"}}
	s.Calls.Used = 97
	return &s
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

// browserSteps are those of a sign-in that waits for somebody in the browser.
var browserSteps = []control.SignInStep{{Step: "discovering"}, {Step: "browser", URL: "https://acme.my.site.com/partners/services/oauth2/authorize?response_type=code&client_id=3MVG9"}}

func signing(r *rig) {
	r.agent.Steps = browserSteps
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

func openGuide(r *rig) { r.a.setUp() }

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

func undoFirst(r *rig) {
	tabOf(viewSaved)(r)
	v := r.a.current().(*activity)
	r.until("what was saved", func() bool { return len(v.lines) > 0 })
	v.undo(v.lines[0])
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
