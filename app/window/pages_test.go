package window

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/storage"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// TestC02C04Pick picks three mails with the keyboard and saves them, following their conversations.
// The list stays where it is and shows how it goes on.
func TestC02C04Pick(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageCapture, agent: busyAgent()})
	r.agent.Result = control.CaptureResult{Queued: 3}
	c := r.a.current().(*capturer)
	r.until("mails", func() bool { return len(c.mails) > 0 })
	r.until("the keyboard on the list", func() bool { return r.a.win.Canvas().Focused() == fyne.Focusable(c.list) })
	r.press(fyne.KeySpace, fyne.KeyDown, fyne.KeySpace, fyne.KeyDown, fyne.KeyDown, fyne.KeySpace)
	c.bar.follow.SetChecked(true)
	r.hit("Save 3 mails")
	r.told(`capture ["ref-0" "ref-1" "ref-3"] follow`)
	r.until("the result", func() bool { return strings.Contains(c.bar.state.Text, "3 mails are on their way") })
	r.settle()
	mailbox := slices.Clone(r.agent.Mailbox)
	mailbox[0].State, mailbox[3].State = "captured", "captured"
	r.agent.Mailbox = mailbox
	s := busyStatus()
	s.Counts.Captured += 2
	r.agent.Set(s)
	r.until("the states", func() bool { return c.mails[0].State == "captured" && c.view.mail.State == "captured" })
	for _, s := range texts(c.view.all) {
		if s.text == r.a.t("window.view-why") || s.text == r.a.t("window.verdict-save") {
			t.Errorf("of a saved mail the preview says %q", s.text)
		}
	}
	if c.list.at != 3 || c.view.mail.Ref != "ref-3" {
		t.Errorf("the list went to %d, the mail in view is %s", c.list.at, c.view.mail.Ref)
	}
	r.until("progress", func() bool { return c.bar.state.Text == "2 of 3 saved" })
	if len(c.picked) != 0 {
		t.Errorf("%d mails are picked still", len(c.picked))
	}
}

// TestC03Preview shows what would be saved before anything is, and leaves no trace.
func TestC03Preview(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageCapture, agent: busyAgent()})
	c := r.a.current().(*capturer)
	r.until("mails", func() bool { return len(c.mails) > 0 })
	c.list.Select(1)
	r.told("preview ref-1")
	r.settle()
	var all []string
	for _, s := range texts(c.view.all) {
		all = append(all, s.text)
	}
	shown := strings.Join(all, "\n")
	for _, want := range []string{"Nadia Okafor · Contact", "nadia@brightharbour.example stands in Contact.Email", "Spring season 2027 · Opportunity", "ben@example.com has no record",
		"Everybody who may see these records", "Angebot-2231.pdf · 96 kB", "fotos.zip", "148 kB", "With history", "Newest part"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the preview does not say %q:\n%s", want, shown)
		}
	}
	for _, call := range r.agent.Calls() {
		if strings.HasPrefix(call, "capture") || strings.HasPrefix(call, "file") {
			t.Errorf("looking at a mail led to %q", call)
		}
	}
}

// TestSearchAndFolders asks the server for what was typed, in the folder chosen.
func TestSearchAndFolders(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageCapture, agent: busyAgent()})
	c := r.a.current().(*capturer)
	r.until("folders", func() bool { return len(c.folder.Options) == 4 })
	if !slices.Equal(c.folder.Options, []string{"Inbox", "Sent mail", "Projekte/Werft Nord", "All mail"}) {
		t.Errorf("folders %q", c.folder.Options)
	}
	c.folder.SetSelectedIndex(2)
	r.told(`mails "Projekte/Werft Nord" "" 50`)
	c.search.SetText("Angebot")
	c.search.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	r.told(`mails "Projekte/Werft Nord" "Angebot" 50`)
}

// TestC07Drop saves a mail file that is dropped on the window, and nothing else.
func TestC07Drop(t *testing.T) {
	r := newRig(t, stage{lang: "en", agent: busyAgent()})
	r.agent.Result = control.CaptureResult{Queued: 1}
	mail := filepath.Join(t.TempDir(), "offer.EML")
	if err := os.WriteFile(mail, []byte("Subject: x\r\n\r\ny"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.a.dropped(fyne.Position{}, []fyne.URI{storage.NewFileURI(mail)})
	r.told("file 15")
	if r.a.page != control.PageCapture {
		t.Errorf("the page is %s", r.a.page)
	}
	r.a.dropped(fyne.Position{}, []fyne.URI{storage.NewFileURI(t.TempDir())})
	r.settle()
	for _, c := range r.agent.Calls() {
		if strings.HasPrefix(c, "file") && c != "file 15" {
			t.Errorf("told %q", c)
		}
	}
}

// TestAnswerOutlivesNews: mail that comes in between leaves alone what somebody is about to answer.
func TestAnswerOutlivesNews(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageActivity, agent: busyAgent()})
	v := r.a.current().(*activity)
	r.until("an item", func() bool { return len(v.items) > 0 && len(v.detail.Objects) > 0 })
	before, turn := v.detail.Objects[0], v.turn
	s := busyStatus()
	s.Counts.Captured++
	r.agent.Set(s)
	r.until("the news", func() bool { return v.turn > turn })
	r.settle()
	if v.detail.Objects[0] != before {
		t.Error("the detail was drawn anew")
	}
	v.list.Select(1)
	if v.detail.Objects[0] == before {
		t.Error("another item shows the same detail")
	}
}

// TestC07FilePicker finds mail files with the keyboard alone, and saves those that are picked.
func TestC07FilePicker(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	inner := filepath.Join(home, "Letters")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"a.eml": 11, "b.EML": 12, "c.txt": 13, ".d.eml": 14} {
		if err := os.WriteFile(filepath.Join(inner, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, stage{lang: "en", page: control.PageCapture, agent: busyAgent()})
	r.settle()
	r.hit("Mail file …")
	r.settle()
	line := func(name string) {
		for _, f := range focusables([]fyne.CanvasObject{r.a.over}) {
			if l, ok := f.(*pageLink); ok && l.name.Text == name {
				r.a.win.Canvas().Focus(l)
				r.press(fyne.KeySpace)
				r.settle()
				return
			}
		}
		t.Fatalf("no line says %q", name)
	}
	line("Letters")
	var names []string
	for _, f := range focusables([]fyne.CanvasObject{r.a.over}) {
		if l, ok := f.(*pageLink); ok {
			names = append(names, l.name.Text)
		}
	}
	if !slices.Equal(names, []string{"One folder up", "a.eml", "b.EML"}) {
		t.Errorf("the folder has %q", names)
	}
	line("a.eml")
	line("b.EML")
	r.hit("Save 2 mails")
	r.told("file 11")
	r.told("file 12")
	if r.a.over != nil {
		t.Error("the list of files is open still")
	}
}

// TestDecide answers, retries, ignores and saves without a record, each with the keyboard.
func TestDecide(t *testing.T) {
	for i, one := range []struct {
		item      int
		hit, told string
	}{
		{0, "Answer and save", "answer 71 0031 false"},
		{0, "Leave out", "skip 71"},
		{1, "Save now", "retry 72"},
		{1, "Always ignore this address", "ignore 72 false"},
		{1, "Always ignore this domain", "ignore 72 true"},
		{2, "Save without a record", "unlinked 73"},
	} {
		t.Run(fmt.Sprint(i, one.hit), func(t *testing.T) {
			r := newRig(t, stage{lang: "en", page: control.PageActivity, agent: busyAgent()})
			v := r.a.current().(*activity)
			r.until("items", func() bool { return len(v.items) == 3 })
			v.list.Select(one.item)
			r.hit(one.hit)
			r.told(one.told)
		})
	}
}

// TestC06G08Undo deletes from Salesforce only after a second question, and opens the record.
func TestC06G08Undo(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageActivity, agent: busyAgent()})
	v := r.a.current().(*activity)
	v.tabs.choose(viewSaved)
	v.choose(viewSaved)
	r.until("the journal", func() bool { return len(v.lines) == 40 })
	v.journal.Select(2)
	r.hit("Open in Salesforce")
	if want := []string{v.lines[2].URL}; !slices.Equal(r.opens, want) {
		t.Errorf("opened %q, want %q", r.opens, want)
	}
	r.hit("Delete from Salesforce")
	r.settle()
	if n := count(r.agent.Calls(), "unsave 398"); n != 0 {
		t.Fatal("deleted without a question")
	}
	r.hit("Cancel")
	r.hit("Delete from Salesforce") // the one of the page
	r.hit("Delete from Salesforce") // the one of the question
	r.told("unsave 398")
}

// TestJ10Why answers why a mail was not saved, with the button that changes it.
func TestJ10Why(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageActivity, agent: busyAgent()})
	askWhy(r)
	r.told("why <canary@example.com>")
	r.settle()
	r.hit("Change the rules")
	if r.a.page != control.PageRules {
		t.Errorf("the page is %s", r.a.page)
	}
}

// TestD01D02RulesActWhenPutToUse edits a draft that counts anew and acts only when it is put to use.
func TestD01D02RulesActWhenPutToUse(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageRules, agent: busyAgent()})
	p := r.a.current().(*rulesPage)
	r.until("the rules", func() bool { return p.loaded })
	r.hit("Try my rules")
	r.told("dry-run 7")
	r.settle()
	p.draft.Rules[0], p.draft.Rules[1] = p.draft.Rules[1], p.draft.Rules[0]
	p.edited("rules")
	r.until("a new count", func() bool { return count(r.agent.Calls(), "dry-run 7") == 2 })
	r.settle()
	if n := count(r.agent.Calls(), "choose"); n != 0 {
		t.Fatal("an edit acted before it was put to use")
	}
	r.hit("Use from now on")
	r.told("choose")
	r.until("the end of the draft", func() bool { return !p.changed() })
	if got := r.agent.Choices.Choices.Rules[0].ID; got != "r2" {
		t.Errorf("the first rule in use is %s", got)
	}
}

// TestD05LockedEntries shows where an entry of the blocklist comes from, and no way to take a locked one out.
func TestD05LockedEntries(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageRules, agent: busyAgent()})
	p := r.a.current().(*rulesPage)
	r.until("the rules", func() bool { return p.loaded })
	var buttons, all []string
	for _, s := range texts(p.parts["block"]) {
		all = append(all, s.text)
		if _, ok := s.by.(*button); ok {
			buttons = append(buttons, s.text)
		}
	}
	for _, want := range []string{"rival.example · company", "example.com · your own domain", "press@quayside.example · yours"} {
		if !slices.Contains(all, want) {
			t.Errorf("no entry says %q: %q", want, all)
		}
	}
	if slices.ContainsFunc(buttons, func(s string) bool { return strings.Contains(s, "rival") || strings.Contains(s, "own domain") }) {
		t.Errorf("a locked entry can be taken out: %q", buttons)
	}
	r.hit("press@quayside.example · yours")
	if len(p.draft.Block) != 0 || !p.changed() {
		t.Errorf("the entry is there still: %q", p.draft.Block)
	}
}

// TestJ05OneLineTurns cuts one connection; the other three stay as they were.
func TestJ05OneLineTurns(t *testing.T) {
	t.Parallel()
	l := newTexts("en")
	well := viewHome(busyStatus(), l, now)
	s := busyStatus()
	s.Salesforce.Fault = fault.Offline
	cut := viewHome(s, l, now)
	for i := range well.Lines {
		same := well.Lines[i] == cut.Lines[i]
		if want := well.Lines[i].Name != "Salesforce"; same != want {
			t.Errorf("line %s: same %t, want %t", well.Lines[i].Name, same, want)
		}
	}
	if cut.Lines[2].Tone != toneError || cut.Lines[2].Fault == "" || cut.Lines[2].Fix == "" {
		t.Errorf("the line says %+v", cut.Lines[2])
	}
}

// TestEveryStateHasAView shows a headline for each state, and a way on where there is one.
func TestEveryStateHasAView(t *testing.T) {
	t.Parallel()
	l := newTexts("en")
	act := map[control.State]string{control.NotEnrolled: actSetUp, control.NeedsSignIn: actSignInSalesforce, control.WrongAccount: actSignInSalesforce,
		control.Paused: actResume, control.NeedsYou: actDecide}
	for _, state := range []control.State{control.NotEnrolled, control.NeedsSignIn, control.WrongAccount, control.Suspended, control.Waiting,
		control.Paused, control.Offline, control.Working, control.UpToDate, control.NeedsYou} {
		s := busyStatus()
		s.State = state
		if state == control.Waiting {
			s.Why = fault.LimitReached
		}
		v := viewHome(s, l, now)
		if v.Headline == "" || v.Body == "" || v.Action != act[state] || strings.HasPrefix(v.Body, "window.") {
			t.Errorf("%s: %q, %q, action %q, want %q", state, v.Headline, v.Body, v.Action, act[state])
		}
	}
	s := busyStatus()
	s.State = control.Working
	for said, p := range map[string]control.Progress{"1200 earlier mails were looked at so far": {Done: 1200}, "1,200 of 4,000 earlier mails": {Done: 1200, All: 4000}} {
		s.History = p
		if v := viewHome(s, l, now); !strings.Contains(v.Body, said) {
			t.Errorf("nothing tells how far the past was looked through: %q", v.Body)
		}
	}
}

// TestGuideStep derives each step of the first run from the status alone.
func TestGuideStep(t *testing.T) {
	t.Parallel()
	in := control.Side{SignedIn: true}
	for i, one := range []struct {
		s     control.Status
		after string
		step  string
		needs bool
	}{
		{control.Status{State: control.NotEnrolled}, "", stepCode, true},
		{control.Status{State: control.NotEnrolled, Company: control.Company{Stage: control.StageSettingUp}}, "", stepWait, true},
		{*freshStatus(false, false), "", stepSalesforce, true},
		{*freshStatus(true, false), "", stepMail, true},
		{*freshStatus(true, true), "", stepWait, true},
		{control.Status{State: control.NeedsSignIn, Mail: in}, "", stepSalesforce, true}, // without a company
		{control.Status{State: control.NeedsSignIn, Mail: in, Salesforce: control.Side{Bound: "ann"}}, "", stepSalesforce, false},
		{busyStatus(), "", stepChoose, false},
		{*offered(busyStatus()), "", stepCode, true},
		{*offered(*freshStatus(true, true)), stepTry, stepCode, true},
		{busyStatus(), stepTry, stepTry, false},
		{control.Status{State: control.NotEnrolled, Company: control.Company{Stage: control.StageRemoved}}, "", stepSalesforce, false},
	} {
		if got := guideStep(one.s, one.after); got != one.step || needsGuide(one.s) != one.needs {
			t.Errorf("%d: step %s, needed %t; want %s, %t", i, got, needsGuide(one.s), one.step, one.needs)
		}
	}
}

// TestOpenedLink asks about a link that something opened: each answer goes to the agent with the server
// that was shown, and leads back to what was in view.
func TestOpenedLink(t *testing.T) {
	for button, join := range map[string]bool{"Join": true, "No, forget the link": false} {
		r := newRig(t, stage{lang: "en", page: control.PageRules, agent: busyAgent()})
		r.settle()
		r.agent.Set(*offered(busyStatus()))
		r.until("the question", func() bool { return r.a.guide != nil && r.a.guide.offer != "" })
		r.settle()
		if !strings.Contains(fmt.Sprint(texts(r.a.win.Content())), "hawserd.example") {
			t.Error("whose link it is cannot be read")
		}
		r.hit(button)
		r.told(fmt.Sprintf("offer-answer %s %t", controltest.OfferServer, join))
		r.until("the page as before", func() bool { return r.a.guide == nil && r.a.page == control.PageRules })
	}
}

// TestRequestForIT puts all that an administrator has to know into the clipboard: row A09.
func TestRequestForIT(t *testing.T) {
	for _, code := range forIT {
		t.Run(string(code), func(t *testing.T) {
			r := newRig(t, stage{lang: "en", agent: busyAgent(), status: freshStatus(true, false)})
			r.agent.Faults = map[string]controltest.Fault{"signin": {Code: code}}
			r.until("the step", func() bool { return r.a.guide != nil && r.a.guide.step == stepMail })
			r.hit("Sign in to your mailbox")
			r.told("signin mail")
			r.settle()
			r.hit("Copy request for IT")
			r.told("app mail")
			r.settle()
			got := r.a.fyne.Clipboard().Content()
			title, _, _ := newTexts("en").Fault(code)
			for _, want := range []string{title, "hawser", "openid mail", "https://login.mail.example/approve", string(code)} {
				if !strings.Contains(got, want) {
					t.Errorf("the request lacks %q:\n%s", want, got)
				}
			}
		})
	}
}

// TestDiagnosticsNameNobody copies states and codes, no names, addresses or hosts.
func TestDiagnosticsNameNobody(t *testing.T) {
	t.Parallel()
	got := diagnostics(*troubled(), "0.1.0")
	for _, never := range []string{"ann", "example.com", "acme", "Acme", "Partners", "@"} {
		if strings.Contains(got, never) {
			t.Errorf("diagnostics hold %q:\n%s", never, got)
		}
	}
	for _, want := range []string{"needs-sign-in", "token-revoked", "captured 411", "permission-missing"} {
		if !strings.Contains(got, want) {
			t.Errorf("diagnostics lack %q:\n%s", want, got)
		}
	}
}

// TestOnlyWebAddressesOpen keeps the browser away from anything that is not https.
func TestOnlyWebAddressesOpen(t *testing.T) {
	r := newRig(t, stage{lang: "en", agent: busyAgent()})
	for _, bad := range []string{"file:///etc/passwd", "javascript:alert(1)", "http://plain.example", "https:///x", "", "::"} {
		r.a.browse(bad)
	}
	if len(r.opens) != 0 {
		t.Errorf("opened %q", r.opens)
	}
}

// TestAgentComesAndGoes says that no agent runs, and goes on by itself once one does.
func TestAgentComesAndGoes(t *testing.T) {
	r := newRig(t, stage{lang: "en"})
	said := func() string {
		var all []string
		for _, s := range texts(r.a.win.Content()) {
			all = append(all, s.text)
		}
		return strings.Join(all, "\n")
	}
	if !strings.Contains(said(), "Hawser is not running") {
		t.Errorf("without an agent the window says\n%s", said())
	}
	r.a.open(control.PageHelp)
	if strings.Contains(said(), "Hawser is not running") {
		t.Error("help needs an agent")
	}
	r.a.open(control.PageHome)
	r.serve(busyAgent())
	r.until("an agent", func() bool { return r.a.agent != nil })
	if !strings.Contains(said(), "Up to date") {
		t.Errorf("with an agent the window says\n%s", said())
	}
}

// TestForeignWordsStayInTheirLine keeps what others wrote from breaking or bending a line.
func TestForeignWordsStayInTheirLine(t *testing.T) {
	t.Parallel()
	if got := oneLine("a\nb\u202Ec\x00d\te"); got != "a bcd e" {
		t.Errorf("%q", got)
	}
	for in, want := range map[string]string{"Ann <ann@example.com>": "Ann", `"Ann, S." <a@b>`: "Ann, S.", "ann@example.com": "ann@example.com", " <ann@example.com>": " <ann@example.com>"} {
		if got := nameOf(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := listed("見積、注文，a；b"); !slices.Equal(got, []string{"見積", "注文", "a", "b"}) {
		t.Errorf("%q", got)
	}
	if got := listed(" a.example ,b; \n c ,, "); !slices.Equal(got, []string{"a.example", "b", "c"}) {
		t.Errorf("%q", got)
	}
}

// TestChartCountsDays puts each line of the journal on its own day, in the person's time.
func TestChartCountsDays(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) control.JournalItem { return control.JournalItem{At: now.Add(d).UTC()} }
	got := perDay([]control.JournalItem{at(0), at(-15 * time.Hour), at(-16 * time.Hour), at(-72 * time.Hour), at(-99 * 24 * time.Hour)}, 3, now)
	if !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("%v", got)
	}
}

// TestRuleSummaries says every condition of a rule.
func TestRuleSummaries(t *testing.T) {
	r := newRig(t, stage{lang: "en", agent: busyAgent()})
	no := false
	for want, rule := range map[string]capture.Rule{
		"every mail": {},
		"from a.example · subject has offer · without attachments":      {From: []string{"a.example"}, Words: []string{"offer"}, Files: &no},
		"somebody is Contact, Lead · Sent only · larger than 1.0 MB":    {Records: []string{"Contact", "Lead"}, Direction: capture.SentBy, Over: 1_000_000},
		"to b.example · with c.example · in Work · smaller than 5.0 MB": {To: []string{"b.example"}, With: []string{"c.example"}, Folders: []string{"Work"}, Under: 5_000_000},
	} {
		if got := r.a.summary(rule); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestLanguage speaks the language that the person chose, and changes it at once.
func TestLanguage(t *testing.T) {
	agent := busyAgent()
	agent.Options[2].Value = "de"
	r := newRig(t, stage{lang: "en", page: control.PageSettings, agent: agent})
	r.until("German", func() bool { return r.a.loc.Lang() == "de" })
	r.settle()
	if !slices.ContainsFunc(texts(r.a.win.Content()), func(s said) bool { return s.text == "Einstellungen" }) {
		t.Error("the page is not German")
	}
	if got := lang.L("Select all"); got != "Alles auswählen" {
		t.Errorf("the menu of a field says %q", got)
	}
	r.a.current().(*settings).choose(control.SetLanguage, "en")
	r.told("set language en")
	r.until("English", func() bool { return r.a.loc.Lang() == "en" })
	if got := lang.L("Select all"); got != "Select all" {
		t.Errorf("the menu of a field says %q", got)
	}
}
