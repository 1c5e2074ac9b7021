package engine

import (
	"encoding/json"
	"flag"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/rules"
	"hawser/sync/rules/rulestest"
)

// cases is how many random mails the sentinel sees; a whole run takes 100000.
var cases = flag.Int("cases", 3000, "random mails before the sentinel")

// sentinel counts bytes of mails that the rules leave out.
type sentinel struct {
	cases, denied int
	left          int // bytes that delivery got, which is what leaves
	read          int // bytes of bodies although the header alone spoke against the mail
	asked         int // bytes of addresses looked up although no answer could have let the mail in
}

// TestA59NothingOfDeniedMailLeaves puts one random mail under random choices into a mailbox, each
// time with another mark or none, and captures.
func TestA59NothingOfDeniedMailLeaves(t *testing.T) {
	t.Parallel()
	var s sentinel
	for s.cases < *cases && !t.Failed() {
		rapid.Check(t, func(rt *rapid.T) { s.sees(rt, rulestest.DrawCase(rt)) })
	}
	t.Logf("%d mails, %d of them denied: %d bytes left, %d were read, %d were asked for", s.cases, s.denied, s.left, s.read, s.asked)
	if s.left+s.read+s.asked > 0 {
		t.Error("bytes of denied mail")
	}
	if s.denied < s.cases/3 || s.denied > s.cases*19/20 {
		t.Errorf("%d of %d mails are denied: the cases say too little", s.denied, s.cases)
	}
}

// sees lets one mail be captured.
func (s *sentinel) sees(t *rapid.T, c rulestest.Case) {
	b := newMailbox(append(rulestest.Folders(), capture.Folder{Name: "Salesforce"})...)
	where := c.Message.Folder
	switch c.Mark {
	case capture.MarkFolder:
		where, c.Message.Folder, c.Message.Role = "Salesforce", "Salesforce", ""
	case capture.MarkHand:
		where, c.Followed = "Salesforce", false
		c.Message.Role = ""
		c.Message.Folder = where
	default:
		if c.Message.Role == "" {
			c.Followed = false // conversations go on in the inbox and sent mail
		}
		c.Mark = ""
	}
	c.Message.Header.InReplyTo = "<root@x>"
	l := b.put(where, b.write(c.Message))
	c.Message.Header = l.Header
	e := newSetup(b, c.Choices, c.Company)
	e.own, e.now = c.Own, rulestest.Now
	set := rules.Compile(c.Choices, c.Company, c.Own)
	e.records = c.Records(set)
	if c.Followed {
		e.threads[1], e.members["<root@x>"] = c.Message.Received, 1
	}
	if c.Mark == capture.MarkHand {
		if _, err := e.engine.Fetch(t.Context(), []capture.Ref{{Folder: where, Validity: 1, UID: 1}}); err != nil {
			t.Fatal(err)
		}
	} else if err := e.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.cases++
	if rulestest.Saved(c) {
		if m, ok := e.row(l); !ok || m.Verdict != Queue {
			t.Fatalf("allowed, and not saved: %v %+v", ok, m)
		}
		return
	}
	s.denied++
	for _, row := range e.book.rows {
		if row.Verdict == Queue {
			head, err := json.Marshal(row.Head)
			if err != nil {
				t.Fatal(err)
			}
			s.left += len(head) + int(row.Content.Size())
		}
	}
	header := c.Message
	header.Body, header.People = nil, e.records
	if c.Mark != capture.MarkHand && set.Decide(header, c.Mark, c.Followed).Verdict == rules.Filter {
		s.read += l.fetched * len(l.raw())
	}
	if len(e.asked) > 0 && !possible(c) {
		s.asked += len(strings.Join(e.asked, ""))
	}
	if s.left+s.read+s.asked > 0 {
		t.Fatalf("bytes of denied mail: %+v: asked for %q\n%+v\n%+v\n%+v", *s, e.asked, c.Choices, c.Company, c.Message)
	}
}

// possible reports whether some answer about its people would keep the mail from being left out by
// its header: each of them may have records or none. Rules that deny by records are
// a reason to ask, so they are left out of account.
func possible(c rulestest.Case) bool {
	asks := func(r capture.Rule) bool { return r.Action == capture.Deny && (r.Known != nil || r.Records != nil) }
	c.Choices.Rules = slices.DeleteFunc(slices.Clone(c.Choices.Rules), asks)
	c.Company.Rules = slices.DeleteFunc(slices.Clone(c.Company.Rules), asks)
	set := rules.Compile(c.Choices, c.Company, c.Own)
	people := set.People(c.Message)
	answers := [][]string{nil, {"Contact"}, {"Lead"}, {"User"}, {"Contact", "Lead", "User"}}
	m := c.Message
	m.Body = nil
	n := 1
	for range people {
		n *= len(answers)
	}
	return slices.ContainsFunc(make([]struct{}, n), func(struct{}) bool {
		n--
		m.People = map[string][]string{}
		for i, rest := 0, n; i < len(people); i, rest = i+1, rest/len(answers) {
			m.People[people[i]] = answers[rest%len(answers)]
		}
		return set.Decide(m, c.Mark, c.Followed).Verdict != rules.Filter
	})
}
