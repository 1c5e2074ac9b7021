package rules_test

import (
	"slices"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

var (
	own   = []string{"me@acme.example", "sales@acme.example"}
	since = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	yes   = true
)

// choices allow everything that the change does not take away.
func choices(change func(*capture.Choices)) capture.Choices {
	c := capture.Choices{Automatic: true, Since: since, Rules: []capture.Rule{{ID: "all", Action: capture.Allow}}}
	if change != nil {
		change(&c)
	}
	return c
}

// from is a mail of the inbox, read and looked up.
func from(addr string, change func(*rules.Message)) rules.Message {
	m := rules.Message{
		Header: capture.Header{From: []capture.Address{{Addr: addr}}, To: []capture.Address{{Addr: "me@acme.example"}}, ContentType: "text/plain"},
		Folder: "INBOX", Role: "inbox", Size: 1000, Received: since.Add(time.Hour), Body: &rules.Body{}, People: map[string][]string{},
	}
	if change != nil {
		change(&m)
	}
	return m
}

func sent(to string) rules.Message {
	return from("me@acme.example", func(m *rules.Message) {
		m.Header.To, m.Folder, m.Role = []capture.Address{{Addr: to}}, "Sent", "sent"
	})
}

func expect(t *testing.T, what string, c capture.Choices, m rules.Message, want rules.Decision) {
	t.Helper()
	if got := rules.Compile(c, capture.Company{}, own).Decide(m, "", false); got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func leftOut(why rules.Reason, rule, detail string) rules.Decision {
	return rules.Decision{Verdict: rules.Filter, Why: string(why), Rule: rule, Detail: detail}
}

func allowedBy(rule string) rules.Decision {
	return rules.Decision{Verdict: rules.Save, Why: string(capture.MarkRule), Rule: rule}
}

// TestD02 holds each kind of condition against a mail that meets it and one that does not, and
// sees the hit counts follow an edit.
func TestD02EachConditionOfARule(t *testing.T) {
	t.Parallel()
	plain := from("ann@cust.example", nil)
	for _, c := range []struct {
		name string
		rule capture.Rule
		hit  rules.Message
		miss rules.Message
	}{
		{"sender", capture.Rule{From: []string{"ann@cust.example"}}, plain, from("bob@cust.example", nil)},
		{"sender's domain", capture.Rule{From: []string{"cust.example"}}, from("x@mail.cust.example", nil), from("x@evilcust.example", nil)},
		{"recipient", capture.Rule{To: []string{"ann@cust.example"}}, sent("ann@cust.example"), plain},
		{"anybody but me", capture.Rule{With: []string{"cust.example"}}, plain, from("a@other.example", nil)},
		{"direction", capture.Rule{Direction: capture.SentBy}, sent("ann@cust.example"), plain},
		{"folder", capture.Rule{Folders: []string{"inbox"}}, plain, sent("ann@cust.example")},
		{"label", capture.Rule{Folders: []string{"Deals"}}, from("ann@cust.example", func(m *rules.Message) { m.Labels = []string{"deals"} }), plain},
		{"subject", capture.Rule{Words: []string{"OFFER"}}, from("ann@cust.example", func(m *rules.Message) { m.Header.Subject = "Our offer" }), plain},
		{"attachment", capture.Rule{Files: &yes}, from("ann@cust.example", func(m *rules.Message) { m.Files = 2 }), plain},
		{"attachment, guessed", capture.Rule{Files: &yes}, from("ann@cust.example", func(m *rules.Message) { m.Files, m.Header.ContentType = -1, "multipart/mixed" }),
			from("ann@cust.example", func(m *rules.Message) { m.Files, m.Header.ContentType = -1, "multipart/alternative" })},
		{"over", capture.Rule{Over: 5000}, from("ann@cust.example", func(m *rules.Message) { m.Size = 5001 }), plain},
		{"under", capture.Rule{Under: 1001}, plain, from("ann@cust.example", func(m *rules.Message) { m.Size = 1001 })},
		{"known", capture.Rule{Known: &yes}, from("ann@cust.example", func(m *rules.Message) { m.People["ann@cust.example"] = []string{"Contact"} }),
			from("ann@cust.example", func(m *rules.Message) { m.People["ann@cust.example"] = []string{"User"} })},
		{"record type", capture.Rule{Records: []string{"Lead"}}, from("ann@cust.example", func(m *rules.Message) { m.People["ann@cust.example"] = []string{"Lead"} }),
			from("ann@cust.example", func(m *rules.Message) { m.People["ann@cust.example"] = []string{"Contact"} })},
	} {
		c.rule.ID, c.rule.Action = "r", capture.Allow
		only := choices(func(ch *capture.Choices) { ch.Rules = []capture.Rule{c.rule} })
		expect(t, c.name, only, c.hit, allowedBy("r"))
		expect(t, "not "+c.name, only, c.miss, leftOut(rules.NoRuleAllows, "", ""))
		c.rule.Action = capture.Deny
		both := choices(func(ch *capture.Choices) { ch.Rules = append(ch.Rules, c.rule) })
		expect(t, "deny "+c.name, both, c.hit, leftOut(rules.DeniedByRule, "r", ""))
		expect(t, "deny, not "+c.name, both, c.miss, allowedBy("all"))
	}
	msgs := []rules.Message{plain, from("bob@cust.example", nil), from("a@other.example", nil)}
	edited := choices(func(ch *capture.Choices) { ch.Rules[0].With = []string{"cust.example"} })
	if before, after := rules.Compile(choices(nil), capture.Company{}, own).Hits(msgs), rules.Compile(edited, capture.Company{}, own).Hits(msgs); before["all"] != 3 || after["all"] != 2 {
		t.Errorf("hits %v, after the edit %v", before, after)
	}
}

func TestD03OneDirection(t *testing.T) {
	t.Parallel()
	only := choices(func(c *capture.Choices) { c.Direction = capture.SentBy })
	expect(t, "received", only, from("ann@cust.example", nil), leftOut(rules.WrongDirection, "", ""))
	expect(t, "sent", only, sent("ann@cust.example"), allowedBy("all"))
	copied := sent("ann@cust.example") // the sender's own copy that came back through a list
	copied.Folder, copied.Role = "INBOX", "inbox"
	expect(t, "sent, seen in the inbox", only, copied, allowedBy("all"))
}

func TestD04OnlyTheChosenFolder(t *testing.T) {
	t.Parallel()
	only := choices(func(c *capture.Choices) { c.Folders = []string{"Kunden/Müller"} })
	inbox, chosen, below := from("ann@cust.example", nil), from("ann@cust.example", nil), from("ann@cust.example", nil)
	chosen.Folder, chosen.Role = "Kunden/Mu\u0308ller", "" // ü decomposed, as some servers name it
	below.Folder, below.Role = "Kunden/Müller/Alt", ""
	expect(t, "inbox", only, inbox, leftOut(rules.FolderNotChosen, "", "INBOX"))
	expect(t, "chosen", only, chosen, allowedBy("all"))
	expect(t, "below", only, below, leftOut(rules.FolderNotChosen, "", "Kunden/Müller/Alt"))
}

// TestD05 sees each layer block, say which entry did, and keep what the company locked.
func TestD05TheLayersOfTheBlockList(t *testing.T) {
	t.Parallel()
	c := choices(func(c *capture.Choices) {
		c.Block, c.Pass = []string{"spy@rival.example"}, []string{"law.example"}
	})
	company := capture.Company{Block: []string{"law.example"}}
	decide := func(company capture.Company, m rules.Message, mark capture.Mark) rules.Decision {
		return rules.Compile(c, company, own).Decide(m, mark, false)
	}
	for _, row := range []struct {
		m    rules.Message
		want rules.Decision
	}{
		{from("SPY@Rival.example", nil), leftOut(rules.BlockedPersonal, "", "spy@rival.example")},
		{from("other@rival.example", nil), allowedBy("all")},
		{from("x@deep.law.example", nil), leftOut(rules.BlockedCompany, "", "law.example")},
		{from("bob@acme.example", nil), leftOut(rules.BlockedInternal, "", "")},
		{from("joe@gmail.com", nil), leftOut(rules.BlockedFreeMail, "", "gmail.com")},
		{from("me@acme.example", nil), leftOut(rules.BlockedInternal, "", "")},
		{from("ann@cust.example", func(m *rules.Message) { m.Header.Cc = []capture.Address{{Addr: "spy@rival.example"}} }),
			leftOut(rules.BlockedPersonal, "", "spy@rival.example")},
		{from("ann@cust.example", func(m *rules.Message) { m.Header.ReplyTo = []capture.Address{{Addr: "spy@rival.example"}} }),
			leftOut(rules.BlockedPersonal, "", "spy@rival.example")},
		{from("ann@cust.example", func(m *rules.Message) {
			m.Header.Cc = []capture.Address{{Addr: "joe@gmail.com"}, {Addr: "bob@acme.example"}}
		}),
			allowedBy("all")}, // colleagues and private addresses do not keep a customer's mail out
	} {
		if got := decide(company, row.m, ""); got != row.want {
			t.Errorf("%v: %+v, want %+v", row.m.Header.From, got, row.want)
		}
	}
	lawyer := from("x@law.example", nil)
	if d := decide(company, lawyer, capture.MarkHand); d != leftOut(rules.BlockedCompany, "", "law.example") {
		t.Errorf("a locked entry stops what is marked: %+v", d)
	}
	if d := decide(capture.Company{Block: company.Block, Unlocked: true}, lawyer, ""); d != allowedBy("all") {
		t.Errorf("an entry that may be taken out, and was: %+v", d)
	}
	if d := decide(company, from("spy@rival.example", nil), capture.MarkHand); d.Verdict != rules.Save {
		t.Errorf("the person's own entry does not stop what they mark: %+v", d)
	}
	var shown []rules.Entry
	for _, e := range rules.Compile(c, company, own).Entries() {
		if e.Layer != rules.LayerFreeMail || e.Value == "gmail.com" {
			shown = append(shown, e)
		}
	}
	want := []rules.Entry{{"law.example", rules.LayerCompany, true}, {"spy@rival.example", rules.LayerPersonal, false},
		{"acme.example", rules.LayerInternal, false}, {"gmail.com", rules.LayerFreeMail, false}}
	if !slices.Equal(shown, want) {
		t.Errorf("entries %+v", shown)
	}
}

// TestD06 lets customers with a free-mail address in: by the switch, by address, by their record.
func TestD06FreeMailIsASwitch(t *testing.T) {
	t.Parallel()
	joe := from("joe@gmail.com", func(m *rules.Message) { m.People["joe@gmail.com"] = []string{"Contact"} })
	expect(t, "blocked", choices(nil), joe, leftOut(rules.BlockedFreeMail, "", "gmail.com"))
	expect(t, "switch", choices(func(c *capture.Choices) { c.FreeMail = true }), joe, allowedBy("all"))
	expect(t, "address", choices(func(c *capture.Choices) { c.Pass = []string{"joe@gmail.com"} }), joe, allowedBy("all"))
	known := choices(func(c *capture.Choices) {
		c.Rules = append(c.Rules, capture.Rule{ID: "known", Action: capture.Allow, Known: &yes})
	})
	expect(t, "record", known, joe, allowedBy("known"))
	stranger := from("jim@gmail.com", nil)
	expect(t, "no record", known, stranger, leftOut(rules.BlockedFreeMail, "", "gmail.com"))
	stranger.People = nil
	expect(t, "not looked up", known, stranger, rules.Decision{Verdict: rules.Ask})
	private := []string{"me@gmail.com"}
	if d := rules.Compile(choices(nil), capture.Company{}, private).Decide(from("ann@gmail.com", nil), "", false); d.Why == string(rules.BlockedInternal) {
		t.Errorf("whoever shares a free-mail domain with the user is no colleague: %+v", d)
	}
}

func TestD07TheWindow(t *testing.T) {
	t.Parallel()
	for _, days := range []int{0, 7, 30, 90} {
		c := choices(func(c *capture.Choices) { c.Days = days })
		begin := since.AddDate(0, 0, -days)
		expect(t, "at its beginning", c, from("ann@cust.example", func(m *rules.Message) { m.Received = begin }), allowedBy("all"))
		expect(t, "before", c, from("ann@cust.example", func(m *rules.Message) { m.Received = begin.Add(-time.Second) }), leftOut(rules.BeforeWindow, "", ""))
	}
}

// TestD10 sends one mail of each kind, and each again with its switch on.
func TestD10KindsAreLeftOutUnlessWanted(t *testing.T) {
	t.Parallel()
	for kind, shapes := range map[capture.Kind][]func(*rules.Message){
		capture.KindList: {
			func(m *rules.Message) { m.Header.ListID = "<news.example>" },
			func(m *rules.Message) { m.Header.Unsubscribe = true },
			func(m *rules.Message) { m.Header.Precedence = "bulk" },
		},
		capture.KindAutoReply:  {func(m *rules.Message) { m.Header.AutoSubmitted, m.Header.NullReturn = "auto-replied", true }},
		capture.KindInvitation: {func(m *rules.Message) { m.Header.Calendar = true }, func(m *rules.Message) { m.Body.Types = []string{"text/calendar"} }},
		capture.KindBounce:     {func(m *rules.Message) { m.Header.ContentType = "multipart/report" }, func(m *rules.Message) { m.Header.NullReturn = true }},
		capture.KindEncrypted: {
			func(m *rules.Message) { m.Header.ContentType = "application/pkcs7-mime" },
			func(m *rules.Message) { m.Body.Text = "-----BEGIN PGP MESSAGE-----\nhQ" },
		},
	} {
		for i, shape := range shapes {
			m := from("ann@cust.example", shape)
			expect(t, string(kind), choices(nil), m, leftOut(rules.Reason("kind-"+kind), "", ""))
			expect(t, string(kind)+" wanted", choices(func(c *capture.Choices) { c.Kinds = []capture.Kind{kind} }), m, allowedBy("all"))
			if i == 0 && rules.Compile(choices(nil), capture.Company{}, own).Decide(m, capture.MarkKeyword, false).Verdict != rules.Save {
				t.Errorf("%s: what is marked is saved", kind)
			}
		}
	}
	denied := choices(func(c *capture.Choices) {
		c.Kinds = capture.Kinds
		c.Rules = append(c.Rules, capture.Rule{ID: "no", Action: capture.Deny, Kinds: []capture.Kind{capture.KindInvitation}})
	})
	hidden := from("ann@cust.example", func(m *rules.Message) { m.Body.Types = []string{"text/calendar"} })
	expect(t, "an invitation that only the body shows, denied by a rule", denied, hidden, leftOut(rules.DeniedByRule, "no", ""))
	personal := from("ann@cust.example", func(m *rules.Message) { m.Header.AutoSubmitted = "no" })
	expect(t, "Auto-Submitted: no", choices(nil), personal, allowedBy("all"))
}

func heldFor(why fault.Code, detail string) rules.Decision {
	return rules.Decision{Verdict: rules.Hold, Why: string(why), Rule: "all", Detail: detail}
}

func TestG04PrivateMailWaits(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"private", "personal", "company-confidential", "confidential"} {
		m := from("ann@cust.example", func(m *rules.Message) { m.Header.Sensitivity = s })
		expect(t, s, choices(nil), m, heldFor(fault.MarkedPrivate, ""))
		if d := rules.Compile(choices(nil), capture.Company{}, own).Decide(m, capture.MarkHand, false); d.Verdict != rules.Save {
			t.Errorf("%s, and picked by hand: %+v", s, d)
		}
	}
	expect(t, "normal", choices(nil), from("ann@cust.example", func(m *rules.Message) { m.Header.Sensitivity = "normal" }), allowedBy("all"))
}

func TestG05WordsAndLabelsMakeItWait(t *testing.T) {
	t.Parallel()
	c := choices(func(c *capture.Choices) { c.Labels = []string{"Personal"} })
	s := rules.Compile(c, capture.Company{Words: []string{"attorney*", "HR", "law firm", "弁護士"}, Labels: []string{"$hr"}}, own)
	unread := from("ann@cust.example", func(m *rules.Message) { m.Body = nil })
	if d := s.Decide(unread, "", false); d.Verdict != rules.Read {
		t.Errorf("the text has to be read: %+v", d)
	}
	for text, entry := range map[string]string{
		"ask the ATTORNEYS": "attorney*", "our hr. department": "HR", "the Law\r\n  Firm said": "law firm", "担当弁護士です": "弁護士",
		"att\u00ador\u200bney": "attorney*", "ｈｒ": "HR",
		"chrome through three": "", "H R": "", "law-firm": "", "powerattorney": "",
	} {
		want := allowedBy("all")
		if entry != "" {
			want = heldFor(fault.SensitiveWord, entry)
		}
		inText := from("ann@cust.example", func(m *rules.Message) { m.Body.Text = text })
		inSubject := from("ann@cust.example", func(m *rules.Message) { m.Header.Subject, m.Body = text, nil })
		if d := s.Decide(inText, "", false); d != want {
			t.Errorf("%q in the text: %+v, want %+v", text, d, want)
		}
		if d := s.Decide(inSubject, "", false); entry != "" && d != want {
			t.Errorf("%q in the subject, the text unread: %+v", text, d)
		}
		if d := s.Decide(inText, capture.MarkHand, false); d.Verdict != rules.Save {
			t.Errorf("%q, and picked by hand: %+v", text, d)
		}
	}
	for _, m := range []rules.Message{
		from("ann@cust.example", func(m *rules.Message) { m.Labels = []string{"personal"} }),
		from("ann@cust.example", func(m *rules.Message) { m.Flags = []string{"$HR"} }),
	} {
		if d := s.Decide(m, "", false); d.Why != string(fault.SensitiveLabel) {
			t.Errorf("labels %q, flags %q: %+v", m.Labels, m.Flags, d)
		}
	}
}

// TestC05: following a conversation never overrides a block.
func TestC05FollowedThreadsObey(t *testing.T) {
	t.Parallel()
	c := capture.Choices{Block: []string{"rival.example"}, Rules: []capture.Rule{{ID: "no", Action: capture.Deny, Words: []string{"secret"}}}}
	s := rules.Compile(c, capture.Company{}, own)
	saved := rules.Decision{Verdict: rules.Save, Why: string(capture.MarkThread)}
	joined := from("ann@cust.example", func(m *rules.Message) { m.Header.Cc = []capture.Address{{Addr: "spy@rival.example"}} })
	for _, row := range []struct {
		m    rules.Message
		want rules.Decision
	}{
		{from("ann@cust.example", nil), saved}, // although automatic capture is off
		{joined, rules.Decision{Verdict: rules.Hold, Why: string(fault.BlockedAddress), Detail: "rival.example"}},
		{from("joe@gmail.com", nil), rules.Decision{Verdict: rules.Hold, Why: string(fault.BlockedAddress), Detail: "gmail.com"}},
		{from("joe@gmail.com", func(m *rules.Message) { m.People["joe@gmail.com"] = []string{"Lead"} }), saved},
		{from("bob@acme.example", nil), leftOut(rules.BlockedInternal, "", "")},
		{from("ann@cust.example", func(m *rules.Message) { m.Header.Subject = "secret" }), leftOut(rules.DeniedByRule, "no", "")},
		{from("ann@cust.example", func(m *rules.Message) { m.Header.AutoSubmitted = "auto-replied" }), leftOut(rules.KindAutoReply, "", "")},
	} {
		for _, mark := range []capture.Mark{"", capture.MarkThread} {
			if got := s.Decide(row.m, mark, true); got != row.want {
				t.Errorf("%v: %+v, want %+v", row.m.Header.From, got, row.want)
			}
		}
	}
	if d := s.Decide(joined, capture.MarkHand, true); d.Verdict != rules.Save {
		t.Errorf("released by hand: %+v", d)
	}
}
