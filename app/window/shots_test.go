package window

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
	if s.agent == nil {
		s.agent = busyAgent()
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
		{"guide-code-wrong", stage{status: &control.Status{State: control.NotEnrolled}}, wrongCode},
		{"guide-wait", stage{status: freshStatus(true, true)}, nil},
		{"guide-choose", stage{}, openGuide},
		{"guide-choose-trouble", stage{agent: failing("chosen", fault.Internal)}, openGuide},
		{"guide-try", stage{}, toTry},
		{"guide-done", stage{}, func(r *rig) { r.a.setUp(); r.a.guide.move(stepDone) }},
		{"home", stage{}, nil},
		{"home-troubled", stage{status: troubled()}, nil},
		{"home-first-day", stage{agent: idleAgent()}, nil},
		{"home-paused", stage{status: pausedStatus()}, func(r *rig) { r.a.shell.notify(toneBusy, r.a.t("window.do-checked")) }},
		{"home-pause", stage{}, func(r *rig) { r.a.current().(*home).pauses() }},
		{"home-sign-in", stage{status: troubled()}, func(r *rig) { r.agent.Steps, r.agent.Hang = browserSteps, true; r.a.signIn(sideMail) }},
		{"capture", stage{page: control.PageCapture}, pickThree},
		{"capture-empty", stage{page: control.PageCapture, agent: idleAgent()}, nil},
		{"capture-none", stage{page: control.PageCapture, agent: idleAgent()}, func(r *rig) {
			c := r.a.current().(*capturer)
			c.search.SetText("Angebot")
			c.search.OnSubmitted("Angebot")
		}},
		{"capture-trouble", stage{page: control.PageCapture, agent: failing("mails", fault.Offline)}, nil},
		{"capture-left", stage{page: control.PageCapture, agent: otherwise()}, func(r *rig) { r.a.current().(*capturer).list.Select(0) }},
		{"capture-sent", stage{page: control.PageCapture}, func(r *rig) {
			pickThree(r)
			r.agent.Result = control.CaptureResult{Queued: 2, Already: 1, Gone: 1}
			c := r.a.current().(*capturer)
			c.save(c.bar.request())
		}},
		{"capture-file", stage{page: control.PageCapture}, func(r *rig) {
			home := r.t.TempDir()
			r.t.Setenv("HOME", home)
			r.t.Setenv("USERPROFILE", home)
			for _, name := range []string{"Angebot 2231.eml", "Re- Delivery window.eml"} {
				if err := os.WriteFile(filepath.Join(home, name), []byte("\r\n"), 0o600); err != nil {
					r.t.Fatal(err)
				}
			}
			r.a.current().(*capturer).pickFile()
		}},
		{"needs-you", stage{page: control.PageActivity}, nil},
		{"needs-you-person", stage{page: control.PageActivity}, func(r *rig) { r.a.current().(*activity).list.Select(1) }},
		{"needs-you-none", stage{page: control.PageActivity, agent: idleAgent()}, tabOf(viewNeedsYou)},
		{"saved-none", stage{page: control.PageActivity, agent: idleAgent()}, tabOf(viewSaved)},
		{"held-none", stage{page: control.PageActivity, agent: idleAgent()}, tabOf(viewHeld)},
		{"left-none", stage{page: control.PageActivity, agent: idleAgent()}, tabOf(viewLeft)},
		{"followed-none", stage{page: control.PageActivity, agent: idleAgent()}, tabOf(viewThreads)},
		{"activity-trouble", stage{page: control.PageActivity, agent: failing("journal", fault.Internal)}, tabOf(viewSaved)},
		{"saved", stage{page: control.PageActivity}, tabOf(viewSaved)},
		{"undo", stage{page: control.PageActivity}, undoFirst},
		{"waiting", stage{page: control.PageActivity}, tabOf(viewWaiting)},
		{"held", stage{page: control.PageActivity}, tabOf(viewHeld)},
		{"left", stage{page: control.PageActivity}, tabOf(viewLeft)},
		{"followed", stage{page: control.PageActivity}, tabOf(viewThreads)},
		{"why", stage{page: control.PageActivity}, askWhy},
		{"rules", stage{page: control.PageRules}, tryRules},
		{"rules-none", stage{page: control.PageRules, agent: idleAgent()}, nil},
		{"rules-trouble", stage{page: control.PageRules, agent: failing("chosen", fault.Internal)}, nil},
		{"rule-edit", stage{page: control.PageRules}, editRule},
		{"tried", stage{page: control.PageRules}, func(r *rig) { tryRules(r); r.settle(); r.a.showTried(*r.a.current().(*rulesPage).tried) }},
		{"tried-one", stage{page: control.PageRules}, func(r *rig) {
			tryRules(r)
			r.settle()
			r.a.showTried(*r.a.current().(*rulesPage).tried)
			r.a.win.Canvas().Focused().(*rowList).Select(1)
		}},
		{"calendar", stage{page: control.PageCalendar}, nil},
		{"settings", stage{page: control.PageSettings}, nil},
		{"sign-out", stage{page: control.PageSettings}, func(r *rig) { r.hit(r.a.t("window.signout-mail")) }},
		{"forget", stage{page: control.PageSettings}, func(r *rig) {
			r.agent.Erased = control.Forgotten{Removed: 4, Records: r.agent.Sent[:2]}
			for _, f := range reachable(r.a.win.Content()) {
				if e, ok := f.(*field); ok && e.PlaceHolder == r.a.t("window.forget-hint") {
					e.SetText("nadia@brightharbour.example")
					e.OnSubmitted(e.Text)
				}
			}
		}},
		{"help", stage{page: control.PageHelp}, nil},
		{"help-table", stage{page: control.PageHelp}, func(r *rig) { r.a.current().(*help).read("configuration") }},
		{"about", stage{page: control.PageHelp}, func(r *rig) { r.a.current().(*help).read(aboutPage) }},
		{"licences", stage{page: control.PageHelp}, func(r *rig) { r.a.current().(*help).about.licences() }},
		{"help-design", stage{page: control.PageHelp}, func(r *rig) { r.a.current().(*help).read("design") }},
		{"gone", stage{page: control.PageHome}, func(r *rig) { r.a.lost() }},
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

func wrongCode(r *rig) {
	r.agent.Faults = map[string]controltest.Fault{"enrol": {Code: fault.ServerError}}
	for _, f := range reachable(r.a.guide.place) {
		if e, ok := f.(*field); ok {
			e.SetText("4711-0815")
			e.OnSubmitted(e.Text)
		}
	}
}

// idleAgent is one of the first day: all is set up and nothing was saved.
func idleAgent() *controltest.Agent {
	a := &controltest.Agent{}
	s := busyStatus()
	s.Counts, s.Calls = control.Counts{}, control.Calls{}
	a.Set(s)
	return a
}

// failing is a busy agent that cannot do one thing.
func failing(name string, code fault.Code) *controltest.Agent {
	a := busyAgent()
	a.Faults = map[string]controltest.Fault{name: {Code: code}}
	return a
}

// otherwise is a busy agent whose rules leave out what is looked at.
func otherwise() *controltest.Agent {
	a := busyAgent()
	for ref, v := range a.Previews {
		v.Verdict, v.Why, v.Records, v.Related, v.Level, v.Newest = "filtered", "no-rule-allows", nil, nil, capture.LevelHeaders, v.Text
		a.Previews[ref] = v
	}
	return a
}

func pausedStatus() *control.Status {
	s := busyStatus()
	s.State, s.Until = control.Paused, now.Add(90*time.Minute)
	return &s
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
