package deliver

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/shape"
)

var (
	jane  = match.Candidate{Type: match.Contact, ID: "003000000000001AAA", Name: "Jane", AccountID: "001000000000001AAA", Field: "Contact.Email", About: "Acme"}
	jane2 = match.Candidate{Type: match.Contact, ID: "003000000000002AAA", Name: "Jane", AccountID: "001000000000002AAA", Field: "Contact.Work__c", About: "Nordwind"}
	uwe   = match.Candidate{Type: match.User, ID: "005000000000002AAA", Name: "Uwe", Field: "User.Email"}
	deal  = match.Record{Type: match.Opportunity, ID: "006000000000001AAA", Name: "Big deal", About: "Prospecting"}
	issue = match.Record{Type: match.Case, ID: "500000000000001AAA", Name: "It is broken", About: "00001001"}
)

// from is a mail from one address to the user.
func from(i int, addr string, files int) fakeMail {
	m := mail(i, files)
	m.Mail.From = []capture.Address{{Addr: addr}}
	return m
}

func with(c match.Candidate, open ...match.Record) match.Candidate {
	c.Open = open
	return c
}

// TestE02TieIsAskedOnceAndRemembered: the mail waits with a question, the answer saves it, and a
// remembered answer asks nobody.
func TestE02TieIsAskedOnceAndRemembered(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.people = map[string][]match.Candidate{"jane@x.de": {jane, jane2}}
	remembered := map[string]string{}
	r.cfg.Pick = func(kind capture.QuestionKind, subject string) (string, bool) {
		id, ok := remembered[string(kind)+" "+subject]
		return id, ok
	}
	d := r.deliverer(t)
	j := r.queue.add(from(1, "Jane@x.de", 0), true)
	r.finish(t, d)
	want := &capture.Question{Kind: capture.AskPerson, Subject: "jane@x.de", Options: []capture.Option{
		{ID: jane.ID, Type: "Contact", Name: "Jane", About: "Acme"}, {ID: jane2.ID, Type: "Contact", Name: "Jane", About: "Nordwind"}, {},
	}}
	if j.state != stateNeedsYou || j.last.Code != fault.ChoosePerson || !reflect.DeepEqual(j.last.Question, want) || len(r.org.records) != 0 {
		t.Fatalf("%+v, question %+v", j.last, j.last.Question)
	}
	r.queue.answer(j, AnswerPerson+"jane@x.de", jane2.ID)
	calls := r.org.total()
	r.finish(t, d)
	if rec := r.org.records[0]; rec.Links.From.ID != jane2.ID || rec.Links.RelatedTo != jane2.AccountID || rec.relations[0].PersonID != jane2.ID || r.org.total() != calls+1 {
		t.Errorf("%+v, %d calls", rec.Links, r.org.total()-calls)
	}
	remembered["person jane@x.de"] = jane.ID
	again := r.queue.add(from(2, "jane@x.de", 0), true)
	nobody := r.queue.add(from(3, "jane@x.de", 0), true)
	nobody.Answers = map[string]string{AnswerPerson + "jane@x.de": ""}
	r.finish(t, d)
	if again.state != stateSent || r.org.records[1].Links.From.ID != jane.ID || nobody.state != stateSent || r.org.records[2].Links.From != nil {
		t.Errorf("%+v, %+v", again.last, nobody.last)
	}
}

// TestE02OrderIsConfigurable: the same address is a lead where leads come first, and no tie.
func TestE02OrderIsConfigurable(t *testing.T) {
	t.Parallel()
	lead := match.Candidate{Type: match.Lead, ID: "00Q000000000001AAA"}
	r := newRig()
	r.org.people = map[string][]match.Candidate{"jane@x.de": {jane, jane2, lead}}
	r.cfg.Order = func() match.Order { return match.OrderOf([]string{"Lead", "Contact"}) }
	j := r.queue.add(from(1, "jane@x.de", 0), true)
	r.finish(t, r.deliverer(t))
	if j.state != stateSent || r.org.records[0].Links.From.ID != lead.ID {
		t.Errorf("%+v", j.last)
	}
}

// TestE03Related: one open record is linked, several are asked about, none leaves the account.
func TestE03Related(t *testing.T) {
	t.Parallel()
	more := with(jane, deal)
	more.More = true
	for _, c := range []struct {
		name    string
		jane    match.Candidate
		pick    string // remembered answer, "-" for none
		answers map[string]string
		want    string // RelatedTo; "?" is a question
	}{
		{"none", jane, "-", nil, jane.AccountID},
		{"one", with(jane, deal), "-", nil, deal.ID},
		{"two", with(jane, deal, issue), "-", nil, "?"},
		{"one of more", more, "-", nil, "?"},
		{"answered", with(jane, deal, issue), "-", map[string]string{AnswerRelated: issue.ID}, issue.ID},
		{"answered, closed meanwhile", jane, "-", map[string]string{AnswerRelated: issue.ID}, issue.ID},
		{"answered: none of them", with(jane, deal, issue), "-", map[string]string{AnswerRelated: ""}, jane.AccountID},
		{"one, but none of them", with(jane, deal), "-", map[string]string{AnswerRelated: ""}, jane.AccountID},
		{"remembered", with(jane, deal, issue), deal.ID, nil, deal.ID},
		{"remembered, closed meanwhile", with(jane, deal, issue), "006000000000009AAA", nil, "?"},
		{"remembered: none of them", with(jane, deal, issue), "", nil, jane.AccountID},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig()
			r.org.people = map[string][]match.Candidate{"jane@x.de": {c.jane}}
			r.cfg.Pick = func(kind capture.QuestionKind, subject string) (string, bool) {
				return c.pick, c.pick != "-" && kind == capture.AskRelated && subject == "jane@x.de"
			}
			j := r.queue.add(from(1, "jane@x.de", 0), true)
			j.Answers = c.answers
			r.finish(t, r.deliverer(t))
			if c.want != "?" {
				if j.state != stateSent || r.org.records[0].Links.RelatedTo != c.want || r.org.total() != 2 {
					t.Errorf("%+v, %d calls", j.last, r.org.total())
				}
				return
			}
			q := j.last.Question
			if j.last.Code != fault.ChooseRelated || q == nil || q.Kind != capture.AskRelated || q.Subject != "jane@x.de" || r.org.total() != 1 {
				t.Fatalf("%+v", j.last)
			}
			if last := q.Options[len(q.Options)-1]; last != (capture.Option{}) || q.Options[0] != (capture.Option{ID: deal.ID, Type: "Opportunity", Name: "Big deal", About: "Prospecting"}) {
				t.Errorf("options %+v", q.Options)
			}
		})
	}
}

// TestE04UnmatchedMailStays: what a rule or a thread chose and nobody in Salesforce belongs to is
// held; what the person marked is saved without a link.
func TestE04UnmatchedMailStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mark    capture.Mark
		addr    string
		answers map[string]string
		state   int
	}{
		{capture.MarkRule, "stranger@x.de", nil, stateHeld},
		{capture.MarkThread, "stranger@x.de", nil, stateHeld},
		{capture.MarkRule, "uwe@corp.com", nil, stateHeld}, // a colleague is no customer
		{capture.MarkRule, "jane@x.de", nil, stateSent},
		{capture.MarkRule, "stranger@x.de", map[string]string{AnswerUnmatched: Yes}, stateSent},
		{capture.MarkRule, "stranger@x.de", map[string]string{AnswerPerson + "stranger@x.de": jane.ID}, stateSent},
		{capture.MarkRule, "jane@x.de", map[string]string{AnswerPerson + "jane@x.de": ""}, stateHeld},
		{capture.MarkHand, "stranger@x.de", nil, stateSent},
		{capture.MarkFolder, "stranger@x.de", nil, stateSent},
		{capture.MarkKeyword, "stranger@x.de", nil, stateSent},
	} {
		r := newRig()
		r.org.people = map[string][]match.Candidate{"jane@x.de": {jane}, "uwe@corp.com": {uwe}, "me@corp.com": {{Type: match.Contact, ID: "003000000000009AAA"}}}
		j := r.queue.add(from(1, c.addr, 2), true)
		j.Mark, j.Answers = c.mark, c.answers
		rep := r.finish(t, r.deliverer(t))
		if j.state != c.state || (c.state == stateHeld) != (j.last.Code == fault.Unmatched) || (c.state == stateHeld) != (len(r.org.records) == 0) {
			t.Errorf("%s %s %v: state %d, %+v", c.mark, c.addr, c.answers, j.state, j.last)
		}
		if c.state == stateHeld && (rep.Calls != 2 || r.org.total() != 1) { // what the user may do, and who it is
			t.Errorf("%s %s: %d calls", c.mark, c.addr, rep.Calls)
		}
	}
}

// TestE04ReleasedMailIsLookedUpAnew: a contact that was entered meanwhile is found at once.
func TestE04ReleasedMailIsLookedUpAnew(t *testing.T) {
	t.Parallel()
	r := newRig()
	j := r.queue.add(from(1, "jane@x.de", 0), true)
	j.Mark = capture.MarkRule
	d := r.deliverer(t)
	r.finish(t, d)
	if j.state != stateHeld {
		t.Fatalf("%+v", j.last)
	}
	r.org.people = map[string][]match.Candidate{"jane@x.de": {jane}}
	j.state = stateWaiting
	r.finish(t, d)
	if j.state != stateSent || r.org.records[0].Links.From.ID != jane.ID || r.org.calls["find"] != 2 {
		t.Errorf("%+v, calls %v", j.last, r.org.calls)
	}
}

// TestE06MatchedIsKept: the step that makes the record says why it is linked and at which level,
// and later steps do not repeat it.
func TestE06MatchedIsKept(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.people = map[string][]match.Candidate{"jane@x.de": {jane}}
	j := r.queue.add(from(1, "jane@x.de", 2), true)
	r.finish(t, r.deliverer(t))
	want := []match.Reason{{Address: "jane@x.de", Field: "Contact.Email", RecordID: jane.ID}}
	if j.state != stateSent || !reflect.DeepEqual(j.matched, want) || j.level != capture.LevelFiles || j.last.Matched != nil || j.last.Level != "" {
		t.Errorf("matched %+v level %q, last %+v", j.matched, j.level, j.last)
	}
}

// TestF02LevelIsCutBeforeTheCall: what the level leaves out is not in the record that is sent.
func TestF02LevelIsCutBeforeTheCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level         capture.Level
		files         capture.FilesMode
		subject, text bool
		attached      int
		kept          capture.Level
	}{
		{capture.LevelHeaders, capture.FilesAlways, false, false, 0, capture.LevelHeaders},
		{capture.LevelSubject, capture.FilesAsk, true, false, 0, capture.LevelSubject},
		{capture.LevelText, capture.FilesAsk, true, true, 0, capture.LevelText},
		{capture.LevelFiles, capture.FilesNever, true, true, 0, capture.LevelText},
		{capture.LevelFiles, capture.FilesAlways, true, true, 2, capture.LevelFiles},
	} {
		r := newRig()
		r.cfg.Content = func() capture.Content { return capture.Content{Level: c.level, Files: c.files} }
		j := r.queue.add(mail(1, 2), true)
		r.finish(t, r.deliverer(t))
		if j.state != stateSent {
			t.Fatalf("%s: %+v", c.level, j.last)
		}
		rec := r.org.records[0]
		if (rec.Mail.Subject != "") != c.subject || (rec.Mail.Text != "") != c.text || len(rec.files) != c.attached || j.level != c.kept || j.last.LeftOut != 2-c.attached {
			t.Errorf("%s: %+v, level %s, %+v", c.level, rec, j.level, j.last)
		}
	}
}

// TestF04AskForFiles: a mail with attachments waits for the answer, others do not.
func TestF04AskForFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer, pick string
		files        int
		attached     int // -1: asked
	}{
		{"", "", 0, 0}, {"", "", 2, -1}, {Yes, "", 2, 2}, {No, "", 2, 0}, {"", Yes, 2, 2}, {"", No, 2, 0}, {No, Yes, 2, 0},
	} {
		r := newRig()
		r.cfg.Content = func() capture.Content {
			return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAsk}
		}
		r.cfg.Pick = func(kind capture.QuestionKind, subject string) (string, bool) {
			return c.pick, c.pick != "" && kind == capture.AskFiles && subject == "jane@x.de"
		}
		j := r.queue.add(from(1, "jane@x.de", c.files), true)
		if c.answer != "" {
			j.Answers = map[string]string{AnswerFiles: c.answer}
		}
		r.finish(t, r.deliverer(t))
		if c.attached < 0 {
			want := &capture.Question{Kind: capture.AskFiles, Subject: "jane@x.de", Options: []capture.Option{{ID: Yes}, {ID: No}}}
			if j.last.Code != fault.ChooseFiles || !reflect.DeepEqual(j.last.Question, want) || len(r.org.records) != 0 {
				t.Errorf("%+v: %+v", c, j.last)
			}
			continue
		}
		if j.state != stateSent || len(r.org.records[0].files) != c.attached {
			t.Errorf("%+v: %+v", c, j.last)
		}
	}
}

// TestF05LeftOutIsNamed: the record's text says in one line which files are missing.
func TestF05LeftOutIsNamed(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.cfg.Content = func() capture.Content {
		return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAlways, FileMax: 2}
	}
	r.cfg.LeftOut = func(named []shape.Left, more int) string {
		return fmt.Sprintf("not saved: %s and %d more", named[0].Name, more)
	}
	m := mail(1, 0)
	m.Files = [][]byte{{1}, {1, 2, 3}, {1, 2}}
	r.queue.add(m, true)
	r.finish(t, r.deliverer(t))
	if rec := r.org.records[0]; !strings.HasSuffix(rec.Mail.Text, "\n\nnot saved: f0.bin and 0 more") || len(rec.files) != 2 {
		t.Errorf("text %q, files %+v", rec.Mail.Text, rec.files)
	}
}

// TestI04ColleagueSavedIt: the record of a colleague is taken for the mail's own, and its missing
// files are added; without a colleague in the mail no call is spent on that question.
func TestI04ColleagueSavedIt(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		r := newRig()
		r.org.caps.UniqueKey = unique
		r.org.people = map[string][]match.Candidate{"uwe@corp.com": {uwe}, "jane@x.de": {jane}}
		m := from(1, "jane@x.de", 3)
		m.Mail.Cc = []capture.Address{{Addr: "uwe@corp.com"}}
		r.org.records = append(r.org.records, &fakeRecord{Record: Record{Key: "another user's", Kind: Email, Mail: m.Mail}, id: "02s-colleague", foreign: true,
			files: []FileSeen{{"f0.bin", 1}}, relations: []Relation{{}}})
		d := r.deliverer(t)
		j := r.queue.add(m, true)
		r.finish(t, d)
		if j.state != stateSent || j.RecordID != "02s-colleague" || len(r.org.records) != 1 || len(r.org.records[0].files) != 3 || r.org.calls["create"] != 0 || r.org.calls["attach"] != 1 {
			t.Errorf("unique %v: %+v, calls %v", unique, j.last, r.org.calls)
		}
		// Known by now: a mail with a colleague in it costs one look-up, one without costs none.
		for i, cc := range []string{"uwe@corp.com", "someone@x.de", "other@corp.com"} {
			next := from(10+i, "jane@x.de", 0)
			next.Mail.Cc = []capture.Address{{Addr: cc}}
			r.queue.add(next, true)
			r.finish(t, d) // learns cc
			next.Mail.MessageID = fmt.Sprintf("<again%d@x.de>", i)
			r.queue.add(next, true)
			before := r.org.calls["find"]
			r.finish(t, d)
			want := 1
			if cc == "someone@x.de" && unique {
				want = 0
			}
			if got := r.org.calls["find"] - before; got != want {
				t.Errorf("unique %v, cc %s: %d look-ups, want %d", unique, cc, got, want)
			}
		}
	}
}

// TestOneLookUpPerHundredAddresses: however many mails, new addresses are asked for in as few
// calls as the limit allows, and once.
func TestOneLookUpPerHundredAddresses(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		r := newRig()
		r.org.caps.UniqueKey = unique
		r.org.lim.Addresses = 100
		asked := map[string]int{}
		r.org.find = func(q Query) error {
			for _, a := range q.Addresses {
				asked[a]++
			}
			return nil
		}
		for i := range 95 {
			m := mail(i, 0)
			for k := range 4 {
				m.Mail.To = append(m.Mail.To, capture.Address{Addr: fmt.Sprintf("p%d@x.de", (i+k)%100)})
			}
			r.queue.add(m, false)
		}
		r.finish(t, r.deliverer(t))
		news := len(asked)
		if got, most := r.org.calls["find"], (news+99)/100; got > most || news != 95+98+1 {
			t.Errorf("unique %v: %d look-ups for %d addresses", unique, got, news)
		}
		for a, n := range asked {
			if n != 1 {
				t.Errorf("%s asked for %d times", a, n)
			}
		}
	}
}

// TestOpenRecordsAgeFaster: people are known for a day, their open opportunities for four hours.
func TestOpenRecordsAgeFaster(t *testing.T) {
	t.Parallel()
	for _, related := range []bool{false, true} {
		r := newRig()
		r.org.caps.Related = related
		r.org.people = map[string][]match.Candidate{"jane@x.de": {jane}}
		d := r.deliverer(t)
		ages := []time.Duration{0, 3 * time.Hour, 2 * time.Hour, 18 * time.Hour, 2 * time.Hour}
		want := []int{1, 0, 0, 0, 1}
		if related {
			want = []int{1, 0, 1, 1, 0}
		}
		for i, age := range ages {
			r.clock.t = r.clock.t.Add(age)
			m := from(i, "jane@x.de", 0)
			m.Mail.To = nil
			r.queue.add(m, true)
			before := r.org.calls["find"]
			r.finish(t, d)
			if got := r.org.calls["find"] - before; got != want[i] {
				t.Errorf("related %v, mail %d: %d look-ups, want %d", related, i, got, want[i])
			}
		}
	}
}

func TestQuestionsComeOneAfterAnother(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.people = map[string][]match.Candidate{"jane@x.de": {with(jane, deal, issue), jane2}, "bob@x.de": {jane2, with(jane, deal, issue)}}
	r.cfg.Content = func() capture.Content {
		return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAsk}
	}
	m := from(1, "jane@x.de", 1)
	m.Mail.Cc = []capture.Address{{Addr: "bob@x.de"}}
	j := r.queue.add(m, true)
	d := r.deliverer(t)
	var codes []fault.Code
	for _, a := range [][2]string{{AnswerPerson + "jane@x.de", jane.ID}, {AnswerPerson + "bob@x.de", jane2.ID}, {AnswerRelated, issue.ID}, {AnswerFiles, Yes}} {
		r.finish(t, d)
		codes = append(codes, j.last.Code)
		r.queue.answer(j, a[0], a[1])
	}
	r.finish(t, d)
	if want := []fault.Code{fault.ChoosePerson, fault.ChoosePerson, fault.ChooseRelated, fault.ChooseFiles}; !slices.Equal(codes, want) || j.state != stateSent {
		t.Errorf("asked %v, then %+v", codes, j.last)
	}
	if rec := r.org.records[0]; rec.Links.RelatedTo != issue.ID || len(rec.files) != 1 || r.org.total() != 3 { // look-up, create, attach
		t.Errorf("%+v, %d calls", rec, r.org.total())
	}
}

// TestE04SearchedRecord: a record that the person found by a search is linked with its account and
// what is open for it, although it carries another address.
func TestE04SearchedRecord(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.people = map[string][]match.Candidate{"jane@home.de": {jane}, jane.ID: {with(jane, deal)}}
	d := r.deliverer(t)
	j := r.queue.add(from(1, "jane@new.de", 0), true)
	j.Mark = capture.MarkRule
	r.finish(t, d)
	if j.state != stateHeld {
		t.Fatalf("%+v", j.last)
	}
	found, err := d.Search(t.Context(), "jan")
	if err != nil || len(found) == 0 || found[0].ID != jane.ID || r.org.calls["search"] != 1 {
		t.Fatalf("%v, %+v", err, found)
	}
	r.queue.answer(j, AnswerPerson+"jane@new.de", jane.ID)
	r.finish(t, d)
	if rec := r.org.records[0]; rec.Links.From.ID != jane.ID || rec.Links.RelatedTo != deal.ID || rec.relations[0].PersonID != jane.ID {
		t.Errorf("%+v", rec.Links)
	}
	calls := r.org.calls["find"]
	again := r.queue.add(from(2, "jane@new.de", 0), true)
	again.Answers = map[string]string{AnswerPerson + "jane@new.de": jane.ID}
	r.finish(t, d)
	if again.state != stateSent || r.org.calls["find"] != calls {
		t.Errorf("%+v, %d look-ups more", again.last, r.org.calls["find"]-calls)
	}
}

// TestE03RefusedOpportunity: who may read an opportunity may not always add to it: the mail is then
// related to the account, and keeps its people.
func TestE03RefusedOpportunity(t *testing.T) {
	t.Parallel()
	for _, account := range []string{jane.AccountID, ""} {
		r := newRig()
		who := with(jane, deal)
		who.AccountID = account
		r.org.people = map[string][]match.Candidate{"jane@x.de": {who}}
		r.org.refuse(fault.ReferenceRefused, 9, func(rec Record) bool { return rec.Links.RelatedTo == deal.ID })
		j := r.queue.add(from(1, "jane@x.de", 0), true)
		r.finish(t, r.deliverer(t))
		if j.state != stateSent || r.org.records[0].Links.RelatedTo != account || r.org.records[0].Links.From.ID != jane.ID || r.org.total() != 3 {
			t.Errorf("account %q: %+v, calls %v", account, j.last, r.org.calls)
		}
	}
}

// TestF04AskedAfterTheRecord: somebody who wants to be asked from now on is asked about the files of
// a mail that is half saved.
func TestF04AskedAfterTheRecord(t *testing.T) {
	t.Parallel()
	r := newRig()
	content := shape.Default
	r.cfg.Content = func() capture.Content { return content }
	j := r.queue.add(from(1, "jane@x.de", 2), true)
	r.org.whole = func(op string, _ int) (effect, error) {
		if op == "attach" {
			return effectNever, fault.New(fault.Offline, op, nil)
		}
		return effectNow, nil
	}
	if _, err := r.deliverer(t).Drain(t.Context()); !fault.Is(err, fault.Offline) || j.Next != StepAttach {
		t.Fatalf("%v, %+v", err, j.Job)
	}
	r.org.whole, content.Files = nil, capture.FilesAsk
	d := r.deliverer(t) // after a restart
	r.finish(t, d)
	if j.state != stateNeedsYou || j.last.Code != fault.ChooseFiles || j.last.Question.Subject != "jane@x.de" {
		t.Fatalf("%+v", j.last)
	}
	r.queue.answer(j, AnswerFiles, Yes)
	r.finish(t, d)
	if j.state != stateSent || len(r.org.records) != 1 || len(r.org.records[0].files) != 2 {
		t.Errorf("%+v", j.last)
	}
}

// TestF08WhatIsSavedIsCut: a mail that no field holds is saved with a mark where it was cut, as an
// e-mail and as a task, whose text is much shorter; the line about its files stands behind the mark.
func TestF08WhatIsSavedIsCut(t *testing.T) {
	t.Parallel()
	for kind, most := range map[Kind]int{Email: 131_072, Task: 31_900 - shape.TaskFoot} {
		r := newRig()
		r.org.caps.Email, r.org.caps.Task = kind == Email, true
		r.cfg.Content = func() capture.Content {
			return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAlways, FileMax: 1}
		}
		r.cfg.LeftOut = func(named []shape.Left, more int) string { return fmt.Sprintf("%d not saved", len(named)+more) }
		long := mail(1, 4) // the last one has two bytes
		long.Mail.Text, long.Mail.HTML = strings.Repeat("Many words. ", 20_000), "<p>"+strings.Repeat("Many words. ", 20_000)+"</p>"
		j := r.queue.add(long, true)
		r.finish(t, r.deliverer(t))
		if j.state != stateSent || len(r.org.records) != 1 || r.org.records[0].Kind != kind {
			t.Fatalf("%s: %+v, %d records", kind, j.last, len(r.org.records))
		}
		saved := r.org.records[0].Mail
		if n := shape.Units(saved.Text); n > most || n < most-shape.TaskFoot || !strings.HasSuffix(saved.Text, "\n\n[…]\n\n1 not saved") {
			t.Errorf("%s: %d units, %q", kind, n, saved.Text[max(len(saved.Text)-60, 0):])
		}
		if html := strings.HasSuffix(saved.HTML, "<p>[…]</p><p>1 not saved</p>"); html != (kind == Email) || kind == Task && saved.HTML != "" {
			t.Errorf("%s: HTML ends in %q", kind, saved.HTML[max(len(saved.HTML)-60, 0):])
		}
	}
}
