package salesforce

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/mailparse"
	"hawser/sync/match"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/shape"
)

// line is a queue in memory, to deliver real mails to the pretend org.
type line struct {
	jobs []*waiting
}

type waiting struct {
	deliver.Job
	raw  string
	done bool // sent, held or with the person
	last deliver.Outcome
	// made is the outcome of the step that learned the record's id.
	made deliver.Outcome
}

func (q *line) add(raw string) *waiting {
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	m, err := mailparse.Parse(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		panic(err)
	}
	j := &waiting{raw: raw, Job: deliver.Job{ID: int64(len(q.jobs) + 1), Key: key(m.MessageID), Next: deliver.StepCreate, Size: int64(len(raw)), Live: true, Mark: capture.MarkHand}}
	q.jobs = append(q.jobs, j)
	return j
}

func (q *line) Due(_ context.Context, _ time.Time, most int, _ int64) (out []deliver.Job, err error) {
	for _, j := range q.jobs {
		if !j.done && len(out) < most {
			out = append(out, j.Job)
		}
	}
	return out, nil
}

func (q *line) NextDue(context.Context) (time.Time, error) { return time.Time{}, nil }

func (q *line) Open(_ context.Context, job int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(q.jobs[job-1].raw)), nil
}

func (q *line) Begin(context.Context, time.Time, []int64) error { return nil }

func (q *line) Settle(_ context.Context, _ time.Time, outcomes []deliver.Outcome) error {
	for _, o := range outcomes {
		j := q.jobs[o.Job-1]
		j.last = o
		if o.RecordID != "" {
			j.RecordID, j.Kind = o.RecordID, o.Kind
		}
		if o.Level != "" {
			j.made = o
		}
		switch o.Verdict {
		case deliver.Advanced:
			j.Next = o.Next
		case deliver.Sent, deliver.NeedsYou, deliver.Held:
			j.done = true
		}
	}
	return nil
}

// desk is one user with a queue before the pretend org.
type desk struct {
	*world
	line
	*deliver.Deliverer
	seen *seen
}

// seen is every body that arrived at the org.
type seen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *seen) add(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Write(body)
	s.b.WriteByte('\n')
}

func (s *seen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.b.Bytes(), []byte(text))
}

func (s *seen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Reset()
}

const myAddress = "me@partners.example"

// newDesk starts org and seats its default user before it; change may adapt what was chosen.
func newDesk(t *testing.T, org *salesforcetest.Org, change ...func(*deliver.Config)) *desk {
	t.Helper()
	d := &desk{seen: &seen{}}
	org.Seen = d.seen.add
	d.world = newWorld(t, org)
	d.sit(t, d.Client, change...)
	return d
}

func (d *desk) sit(t *testing.T, c *Client, change ...func(*deliver.Config)) {
	t.Helper()
	cfg := deliver.Config{
		Queue: &d.line, Target: c, Own: func() []string { return []string{myAddress} },
		Read: func(_ context.Context, r io.Reader, size int64) (capture.Mail, error) {
			return mailparse.Parse(r, size)
		},
		File: func(_ context.Context, r io.Reader, size int64, index int) (io.ReadCloser, error) {
			return mailparse.File(r, size, index)
		},
		Check: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		Budget: deliver.NewBudget(deliver.Allowance{Normal: 1 << 20}, deliver.Usage{}),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if d.Deliverer, err = deliver.New(cfg); err != nil {
		t.Fatal(err)
	}
}

// colleague seats another user of the same org before it.
func (d *desk) colleague(t *testing.T, u salesforcetest.User, change ...func(*deliver.Config)) *desk {
	t.Helper()
	access, _ := d.org.MintToken(u.ID)
	cfg := d.cfg
	cfg.UserID, cfg.Used = u.ID, nil
	cfg.Token = func(context.Context, secret.String) (secret.String, error) { return secret.New(access), nil }
	cfg.HTTP = &http.Client{}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := &desk{world: d.world, seen: d.seen}
	other.sit(t, c, change...)
	return other
}

// deliver drains the queue and returns how many calls that took.
func (d *desk) deliver(t *testing.T) int {
	t.Helper()
	before := d.org.Calls()
	if _, err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.org.Calls() - before
}

func letter(n int, from, to, more string) string {
	return fmt.Sprintf("Message-ID: <l%d@x.example>\nDate: Fri, 20 Nov 2026 09:%02d:00 +0100\nFrom: %s\nTo: %s\nSubject: Letter %d\n%s\nText of letter %d\n", n, n%60, from, to, n, more, n)
}

// withFiles is a letter with a small text file for each name.
func withFiles(n int, from, to string, names ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Message-ID: <l%d@x.example>\nDate: Fri, 20 Nov 2026 09:%02d:00 +0100\nFrom: %s\nTo: %s\nSubject: Letter %d\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nText of letter %d\n", n, n%60, from, to, n, n)
	for _, name := range names {
		fmt.Fprintf(&b, "--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=%q\n\ncontent of %s\n", name, name)
	}
	b.WriteString("--b--\n")
	return b.String()
}

// only returns the one record of an object.
func (d *desk) only(t *testing.T, object string) map[string]any {
	t.Helper()
	list := d.org.Records(object)
	if len(list) != 1 {
		t.Fatalf("%d records of %s", len(list), object)
	}
	return list[0]
}

// TestE01MatchesWhatTheUserSees: a contact that belongs to another partner is no match, not even
// one to ask about, and every call carries the user's own name.
func TestE01MatchesWhatTheUserSees(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{External: true, Private: []string{"Contact", "Lead"}}
	d := newDesk(t, org)
	b := org.AddUser(salesforcetest.User{Username: "b@partners.example"})
	mine := org.AddContact("Mine", "jane@x.example", "")
	org.Insert("Contact", map[string]any{"LastName": "Theirs", "Email": "jane@x.example", "OwnerId": b.ID})
	org.Insert("Contact", map[string]any{"LastName": "Theirs", "Email": "bob@x.example", "OwnerId": b.ID})
	d.add(letter(1, "jane@x.example", myAddress, ""))
	d.add(letter(2, "bob@x.example", myAddress, "")).Mark = capture.MarkRule
	if n := d.deliver(t); n != 3 { // what the user may do, who they are, the record
		t.Errorf("took %d calls", n)
	}
	if got := d.jobs[0].made.Matched; len(got) != 1 || got[0].RecordID != mine {
		t.Errorf("matched %+v, %+v", got, d.jobs[0].last)
	}
	if d.jobs[1].last.Verdict != deliver.Held || d.jobs[1].last.Code != fault.Unmatched {
		t.Errorf("got %+v", d.jobs[1].last)
	}
	for _, c := range org.CallLog() {
		if c.User != salesforcetest.DefaultUsername && c.User != "" {
			t.Errorf("a call as %s", c.User)
		}
	}
}

// TestE02E06EveryEmailFieldThatIsVisible: an address is found in any e-mail field of the three
// objects that the user can see, and the reason names the field that was asked.
func TestE02E06EveryEmailFieldThatIsVisible(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		org := &salesforcetest.Org{}
		if hidden {
			org.HideFields = map[string][]string{"Contact": {"Work_Email__c"}, "User": {"SenderEmail"}}
		}
		d := newDesk(t, org)
		jane := org.Insert("Contact", map[string]any{"LastName": "Jane", "Email": "home@x.example", "Work_Email__c": "jane@x.example"})
		leo := org.AddLead("Leo", "leo@y.example", "Lead Inc")
		uwe := org.Insert("User", map[string]any{"Username": "uwe@corp.example", "LastName": "Uwe", "Email": "u@corp.example", "SenderEmail": "uwe@z.example", "IsActive": true})
		job := d.add(letter(1, "Jane@X.example", myAddress, "Cc: leo@y.example, UWE@z.example\n"))
		d.deliver(t)
		want := []match.Reason{{Address: "jane@x.example", Field: "Contact.Work_Email__c", RecordID: jane}, {Address: "leo@y.example", Field: "Lead.Email", RecordID: leo}, {Address: "uwe@z.example", Field: "User.SenderEmail", RecordID: uwe}}
		if hidden {
			want = want[1:2]
		}
		if !slices.Equal(job.made.Matched, want) {
			t.Errorf("hidden %v: matched %+v", hidden, job.made.Matched)
		}
		for _, r := range want {
			_, field, _ := strings.Cut(r.Field, ".")
			if !d.seen.has(field + "+IN+%28") {
				t.Errorf("%s was not asked for", r.Field)
			}
		}
		if hidden == d.seen.has("Work_Email__c") {
			t.Errorf("hidden %v: asked for it %v", hidden, !hidden)
		}
	}
}

// TestE02TwoContactsWithOneAddress: the question names both, once; the answer is written.
func TestE02TwoContactsWithOneAddress(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{MailKey: true}
	d := newDesk(t, org)
	one := org.AddContact("Jane One", "jane@x.example", org.AddAccount("Acme", ""))
	two := org.AddContact("Jane Two", "jane@x.example", org.AddAccount("Nordwind", ""))
	job := d.add(letter(1, "jane@x.example", myAddress, ""))
	d.deliver(t)
	q := job.last.Question
	if job.last.Code != fault.ChoosePerson || q == nil || q.Subject != "jane@x.example" || len(q.Options) != 3 {
		t.Fatalf("%+v", job.last)
	}
	slices.SortFunc(q.Options, func(a, b capture.Option) int { return cmp.Compare(a.Name, b.Name) })
	if q.Options[1] != (capture.Option{ID: one, Type: "Contact", Name: "Jane One", About: "Acme"}) || q.Options[2].About != "Nordwind" {
		t.Errorf("options %+v", q.Options)
	}
	job.Answers, job.done = map[string]string{deliver.AnswerPerson + "jane@x.example": two}, false
	if n := d.deliver(t); n != 1 {
		t.Errorf("took %d calls after the answer", n)
	}
	for _, r := range d.org.Records("EmailMessageRelation") {
		if r["RelationType"] == "FromAddress" && r["RelationId"] != two {
			t.Errorf("relation %v", r)
		}
	}
}

// TestE03OpenRecords: the one open opportunity or case is linked, two are asked about, and what
// the licence hides is not asked for. All of it comes with the look-up of the people.
func TestE03OpenRecords(t *testing.T) {
	t.Parallel()
	type org = salesforcetest.Org
	for _, c := range []struct {
		name string
		org  *org
		add  func(o *org, jane, account string) (want string) // "?" asks
	}{
		{"nothing open", &org{}, func(o *org, jane, account string) string {
			o.Insert("Opportunity", map[string]any{"Name": "Won", "AccountId": account, "StageName": "Closed Won", "CloseDate": "2026-01-31"})
			o.Insert("Case", map[string]any{"Subject": "Solved", "ContactId": jane, "Status": "Closed"})
			o.AddOpportunity("Of others", o.AddAccount("Other", ""))
			return account
		}},
		{"one opportunity of the account", &org{}, func(o *org, jane, account string) string { return o.AddOpportunity("Deal", account) }},
		{"one opportunity by contact role", &org{}, func(o *org, jane, _ string) string {
			deal := o.AddOpportunity("Deal", o.AddAccount("Reseller", ""))
			o.Insert("OpportunityContactRole", map[string]any{"OpportunityId": deal, "ContactId": jane})
			return deal
		}},
		{"one opportunity both ways", &org{}, func(o *org, jane, account string) string {
			deal := o.AddOpportunity("Deal", account)
			o.Insert("OpportunityContactRole", map[string]any{"OpportunityId": deal, "ContactId": jane})
			return deal
		}},
		{"one case", &org{}, func(o *org, jane, _ string) string { return o.AddCase("It is broken", jane) }},
		{"two opportunities", &org{}, func(o *org, _, account string) string {
			o.AddOpportunity("Deal", account)
			o.AddOpportunity("Second", account)
			return "?"
		}},
		{"an opportunity and a case", &org{}, func(o *org, jane, account string) string {
			o.AddOpportunity("Deal", account)
			o.AddCase("It is broken", jane)
			return "?"
		}},
		{"a licence without opportunities", &org{HideObjects: []string{"Opportunity", "OpportunityContactRole"}}, func(o *org, jane, account string) string {
			o.AddOpportunity("Deal", account)
			return account
		}},
		{"a licence without opportunities sees cases", &org{External: true, HideObjects: []string{"Opportunity", "OpportunityContactRole"}}, func(o *org, jane, account string) string {
			o.AddOpportunity("Deal", account)
			return o.AddCase("It is broken", jane)
		}},
		{"no contact roles", &org{HideObjects: []string{"OpportunityContactRole"}}, func(o *org, jane, account string) string { return o.AddOpportunity("Deal", account) }},
		{"hidden fields", &org{HideFields: map[string][]string{"Opportunity": {"IsClosed"}, "Case": {"ContactId"}, "Account": {"Name"}}}, func(o *org, jane, account string) string {
			o.AddOpportunity("Deal", account)
			o.AddCase("It is broken", jane)
			return account
		}},
		{"a task", &org{NoEnhancedEmail: true}, func(o *org, jane, account string) string { return o.AddOpportunity("Deal", account) }},
		{"somebody else's", &org{External: true, Private: []string{"Opportunity", "Case"}}, func(o *org, jane, account string) string {
			other := o.AddUser(salesforcetest.User{Username: "b@partners.example"})
			o.Insert("Opportunity", map[string]any{"Name": "Deal", "AccountId": account, "StageName": "Prospecting", "CloseDate": "2027-01-31", "OwnerId": other.ID})
			return account
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := c.org
			o.MailKey = true
			d := newDesk(t, o)
			account := o.AddAccount("Acme", "")
			jane := o.AddContact("Jane", "jane@x.example", account)
			want := c.add(o, jane, account)
			job := d.add(letter(1, "jane@x.example", myAddress, ""))
			calls := d.deliver(t)
			if want == "?" {
				if calls != 2 || job.last.Code != fault.ChooseRelated || len(job.last.Question.Options) != 3 {
					t.Errorf("%d calls, %+v", calls, job.last)
				}
				return
			}
			object, field := "EmailMessage", "RelatedToId"
			if o.NoEnhancedEmail {
				object, field = "Task", "WhatId"
			}
			if rec := d.only(t, object); rec[field] != want || calls != 3 {
				t.Errorf("related to %v, want %s; %d calls", rec[field], want, calls)
			}
		})
	}
}

// TestE03RefusedRelationships: an org that does not know the relationships is asked without them.
func TestE03RefusedRelationships(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	jane := org.AddContact("Jane", "jane@x.example", "")
	w.warm(t)
	q := deliver.Query{Addresses: []string{"jane@x.example"}}
	none := `{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q%d"}`
	org.FailNext(1, 200, `{"compositeResponse":[{"body":[{"errorCode":"INVALID_TYPE","message":"\nFROM Cases\n     ^\nDidn't understand relationship 'Cases' in FROM part of query call."}],"httpStatusCode":400,"referenceId":"q0"},`+
		fmt.Sprintf(none, 1)+","+fmt.Sprintf(none, 2)+","+fmt.Sprintf(none, 3)+`]}`)
	_, err := w.Find(t.Context(), q)
	wantFault(t, err, fault.ServerError, false)
	var a deliver.Answer
	if n := w.cost(t, func() { a = w.mustFind(t, q) }); n != 1 {
		t.Errorf("took %d calls", n)
	}
	if p := a.People["jane@x.example"]; len(p) != 1 || p[0].ID != jane {
		t.Errorf("got %+v", a.People)
	}
}

// TestE03ManyOpenRecords: a longer list than anybody reads is cut, said to be cut, and costs no
// further calls.
func TestE03ManyOpenRecords(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{MailKey: true}
	w := newWorld(t, org)
	account := org.AddAccount("Acme", "")
	jane := org.AddContact("Jane", "jane@x.example", account)
	for i := range 1500 {
		org.AddOpportunity(fmt.Sprintf("Deal %d", i), account)
	}
	for i := range 30 {
		org.AddCase(fmt.Sprintf("Issue %d", i), jane)
	}
	w.warm(t)
	var a deliver.Answer
	if n := w.cost(t, func() { a = w.mustFind(t, deliver.Query{Addresses: []string{"jane@x.example"}}) }); n != 1 {
		t.Errorf("took %d calls", n)
	}
	if p := a.People["jane@x.example"][0]; len(p.Open) > 2*maxOpen || len(p.Open) < maxOpen || !p.More {
		t.Errorf("%d open records, more %v", len(p.Open), p.More)
	}
}

// TestE04OneLookUpForAHundredAddresses: who a hundred new addresses belong to, with the open
// opportunities and cases of each, is one call, with and without the field for the mail's key.
func TestE04OneLookUpForAHundredAddresses(t *testing.T) {
	t.Parallel()
	for _, keyed := range []bool{true, false} {
		org := &salesforcetest.Org{MailKey: keyed}
		d := newDesk(t, org)
		account := org.AddAccount("Acme", "")
		deal := org.AddOpportunity("Deal", account)
		var addresses []string
		for i := range 100 {
			addresses = append(addresses, fmt.Sprintf("p%d@x.example", i))
			if i%2 == 0 {
				org.AddContact("Jane", addresses[i], account)
			}
		}
		if _, err := d.Lookup(t.Context(), []string{"first@x.example"}); err != nil { // and what the user may do
			t.Fatal(err)
		}
		before := d.org.Calls()
		found, err := d.Lookup(t.Context(), addresses)
		if n := d.org.Calls() - before; err != nil || n != 1 {
			t.Errorf("key %v: %d calls, %v", keyed, n, err)
		}
		for i, addr := range addresses {
			if p := found[addr]; len(p) != (i+1)%2 || len(p) == 1 && (len(p[0].Open) != 1 || p[0].Open[0].ID != deal) {
				t.Errorf("key %v: %s is %+v", keyed, addr, p)
			}
		}
	}
}

// TestE04LookUpsAreCounted: one look-up for a hundred new addresses with all that hangs on them.
// Where Salesforce does not refuse doubles itself, a mail may be saved as an e-mail or as a task: that
// is asked in the same call, and a call takes five questions, so the opportunities of accounts are a
// second one where there are accounts.
func TestE04LookUpsAreCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keyed, accounts bool
		calls           int // what the user may do, the look-up, the creation
	}{{true, true, 3}, {true, false, 3}, {false, false, 3}, {false, true, 4}} {
		keyed := c.keyed
		org := &salesforcetest.Org{MailKey: keyed}
		d := newDesk(t, org)
		account := ""
		if c.accounts {
			account = org.AddAccount("Acme", "")
		}
		for i := range 100 {
			if i%10 == 0 {
				org.AddContact("Jane", fmt.Sprintf("p%d@x.example", i), account)
			}
			d.add(letter(i, fmt.Sprintf("p%d@x.example", i), fmt.Sprintf("p%d@x.example", (i+1)%100), "")).Mark = capture.MarkRule
		}
		if n := d.deliver(t); n != c.calls {
			t.Errorf("%+v: took %d calls", c, n)
		}
		if n := len(org.Records("EmailMessage")); n != 20 {
			t.Errorf("key %v: %d records", keyed, n)
		}
		if found, err := d.Lookup(t.Context(), []string{"p10@x.example", "P20@x.example", "p31@x.example"}); err != nil || len(found["p10@x.example"]) != 1 || len(found["p20@x.example"]) != 1 {
			t.Errorf("%v, %+v", err, found)
		}
		if n := d.org.Calls(); n != c.calls {
			t.Errorf("key %v: %d calls after a look-up of known addresses", keyed, n)
		}
	}
}

// TestBackfillStaysFrugal: a thousand old mails of four hundred people with accounts and open
// opportunities take at most a dozen calls.
func TestBackfillStaysFrugal(t *testing.T) {
	t.Parallel()
	for _, keyed := range []bool{true, false} {
		org := &salesforcetest.Org{MailKey: keyed}
		d := newDesk(t, org)
		deals := map[string]bool{}
		for i := range 100 {
			account := org.AddAccount(fmt.Sprintf("Account %d", i), "")
			deals[org.AddOpportunity("Deal", account)] = true
			for k := range 4 {
				org.AddContact("Customer", fmt.Sprintf("c%d@x.example", 4*i+k), account)
			}
		}
		for i := range 1000 {
			d.add(letter(i, fmt.Sprintf("c%d@x.example", i*7%400), myAddress, "")).Live = false
		}
		calls := d.deliver(t)
		if t.Logf("key %v: %d calls", keyed, calls); calls > 12 {
			t.Errorf("key %v: %d calls", keyed, calls)
		}
		n := 0
		for _, m := range org.Records("EmailMessage") {
			if related, _ := m["RelatedToId"].(string); deals[related] {
				n++
			}
		}
		if n != 1000 {
			t.Errorf("key %v: %d mails are related to their opportunity", keyed, n)
		}
	}
}

// TestE05SeveralPeople: a mail to three contacts is one e-mail with a relation for each, or one task.
func TestE05SeveralPeople(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		org  *salesforcetest.Org
		whos int
	}{{&salesforcetest.Org{}, 0}, {&salesforcetest.Org{NoEnhancedEmail: true}, 1}, {&salesforcetest.Org{NoEnhancedEmail: true, SharedActivities: true}, 3}} {
		d := newDesk(t, c.org)
		var to []string
		for i := range 3 {
			to = append(to, fmt.Sprintf("c%d@x.example", i))
			c.org.AddContact("Customer", to[i], "")
		}
		d.add(letter(1, myAddress, strings.Join(to, ", "), ""))
		d.deliver(t)
		if len(c.org.Records("Task")) != 1 || len(c.org.Records("EmailMessage")) > 1 {
			t.Errorf("%d tasks, %d e-mails", len(c.org.Records("Task")), len(c.org.Records("EmailMessage")))
		}
		if c.whos == 0 {
			n := 0
			for _, r := range c.org.Records("EmailMessageRelation") {
				if r["RelationType"] == "ToAddress" {
					n++
				}
			}
			if n != 3 {
				t.Errorf("%d relations of recipients", n)
			}
			continue
		}
		task := d.only(t, "Task")
		if whos, _ := task["TaskWhoIds"].([]string); task["WhoId"] == nil || c.whos > 1 && len(whos) != c.whos {
			t.Errorf("task %v", task)
		}
	}
}

const secretText = "sentinel"

// secretLetter says the sentinel wherever a mail says what it is about.
func secretLetter() string {
	return "Message-ID: <s@x.example>\nDate: Fri, 20 Nov 2026 09:00:00 +0100\nFrom: Jane <jane@x.example>\nTo: " + myAddress +
		"\nSubject: sentinel =?utf-8?q?sent=69nel?=\nThread-Topic: sentinel\nKeywords: sentinel\nComments: sentinel\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n" +
		"\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain\n\nsentinel\n--c\nContent-Type: text/html\n\n<p>sentinel</p>\n--c--\n" +
		"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"sentinel.txt\"\n\nsentinel\n--b--\n"
}

// TestF02NothingAboveTheLevelLeaves: at the level of headers no byte of what the mail is about
// arrives at Salesforce, as e-mail or as task; at the next only the subject does.
func TestF02NothingAboveTheLevelLeaves(t *testing.T) {
	t.Parallel()
	for _, noEmail := range []bool{false, true} {
		for _, c := range []struct {
			level   capture.Level
			subject bool
			text    bool
			files   int
		}{{capture.LevelHeaders, false, false, 0}, {capture.LevelSubject, true, false, 0}, {capture.LevelText, true, true, 0}, {capture.LevelFiles, true, true, 1}} {
			org := &salesforcetest.Org{NoEnhancedEmail: noEmail}
			d := newDesk(t, org, func(cfg *deliver.Config) {
				cfg.Content = func() capture.Content { return capture.Content{Level: c.level, Files: capture.FilesAlways} }
			})
			job := d.add(secretLetter())
			d.deliver(t)
			object, text := "EmailMessage", "TextBody"
			if noEmail {
				object, text = "Task", "Description"
			}
			rec := d.only(t, object)
			subject, _ := rec["Subject"].(string)
			body, _ := rec[text].(string)
			if strings.Contains(subject, secretText) != c.subject || strings.Contains(body, secretText) != c.text || len(org.Records("ContentVersion")) != c.files {
				t.Errorf("%s, no e-mail %v: subject %q, text %q", c.level, noEmail, subject, body)
			}
			if got := d.seen.has(secretText); got != c.subject {
				t.Errorf("%s, no e-mail %v: the sentinel arrived: %v", c.level, noEmail, got)
			}
			if job.made.Level != c.level || job.last.Verdict != deliver.Sent {
				t.Errorf("%s: %+v", c.level, job.made)
			}
		}
	}
}

// TestF04LeftOutFilesAreNamed: a file over the limit stays here, and the record says so.
func TestF04LeftOutFilesAreNamed(t *testing.T) {
	t.Parallel()
	for _, noEmail := range []bool{false, true} {
		org := &salesforcetest.Org{NoEnhancedEmail: noEmail}
		d := newDesk(t, org, func(cfg *deliver.Config) {
			cfg.Content = func() capture.Content {
				return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAlways, FileMax: 18}
			}
			cfg.LeftOut = func(named []shape.Left, more int) string {
				return fmt.Sprintf("Not saved: %s (%d bytes), %d more", named[0].Name, named[0].Size, more)
			}
		})
		job := d.add(withFiles(1, "jane@x.example", myAddress, "a.txt", "long name.txt"))
		d.deliver(t)
		object, text := "EmailMessage", "TextBody"
		if noEmail {
			object, text = "Task", "Description"
		}
		if body, _ := d.only(t, object)[text].(string); !strings.Contains(body, "Not saved: long name.txt (24 bytes), 0 more") {
			t.Errorf("no e-mail %v: text %q", noEmail, body)
		}
		if job.last.Files != 1 || job.last.LeftOut != 1 || len(org.Records("ContentVersion")) != 1 {
			t.Errorf("no e-mail %v: %+v", noEmail, job.last)
		}
	}
}

// TestF03FieldsOfTheRecord: who, when, which way, which mail and which conversation.
func TestF03FieldsOfTheRecord(t *testing.T) {
	t.Parallel()
	raw := letter(1, `"Me" <`+myAddress+`>`, "Jane <jane@x.example>", "Cc: cy@x.example\nBcc: dan@x.example\nIn-Reply-To: <root@x.example>\nReferences: <root@x.example>\n")
	org := &salesforcetest.Org{}
	d := newDesk(t, org)
	jane := org.AddContact("Jane", "jane@x.example", "")
	d.add(raw)
	d.deliver(t)
	rec := d.only(t, "EmailMessage")
	for name, want := range map[string]any{
		"Subject": "Letter 1", "Incoming": false, "MessageDate": "2026-11-20T08:01:00.000+0000", "FromAddress": myAddress, "FromName": "Me",
		"ToIds": []string{jane}, "CcAddress": "cy@x.example", "BccAddress": "dan@x.example", "MessageIdentifier": "<l1@x.example>", "ThreadIdentifier": "<root@x.example>",
	} {
		if got := rec[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	org = &salesforcetest.Org{NoEnhancedEmail: true}
	d = newDesk(t, org)
	d.add(raw)
	d.deliver(t)
	text, _ := d.only(t, "Task")["Description"].(string)
	for _, part := range []string{"Text of letter 1", "From: Me <" + myAddress + ">", "To: Jane <jane@x.example>", "Cc: cy@x.example", "Bcc: dan@x.example", "Date: Fri, 20 Nov 2026 09:01:00 +0100", "Message-ID: <l1@x.example>"} {
		if !strings.Contains(text, part) {
			t.Errorf("the task does not say %q: %s", part, text)
		}
	}
}

// TestF05InlineImages: the logo of a signature becomes no file, a link stays a link.
func TestF05InlineImages(t *testing.T) {
	t.Parallel()
	raw := "Message-ID: <i@x.example>\nDate: Fri, 20 Nov 2026 09:00:00 +0100\nFrom: jane@x.example\nTo: " + myAddress + "\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n" +
		"\n--b\nContent-Type: text/html\n\n<p>See <a href=\"https://drive.example/f\">the plan</a></p><img src=\"cid:logo\">\n" +
		"--b\nContent-Type: image/png\nContent-ID: <logo>\nContent-Disposition: inline; filename=\"logo.png\"\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b--\n"
	for _, inline := range []bool{false, true} {
		org := &salesforcetest.Org{}
		d := newDesk(t, org, func(cfg *deliver.Config) {
			cfg.Content = func() capture.Content {
				return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAlways, Inline: inline}
			}
		})
		job := d.add(raw)
		d.deliver(t)
		if n := len(org.Records("ContentVersion")); (n == 1) != inline || job.last.LeftOut != 0 {
			t.Errorf("inline %v: %d files, %+v", inline, n, job.last)
		}
		if html, _ := d.only(t, "EmailMessage")["HtmlBody"].(string); !strings.Contains(html, "https://drive.example/f") {
			t.Errorf("the link is gone: %s", html)
		}
	}
}

// TestF07RecordsAreTheUsers: everything that was made carries the signed-in user.
func TestF07RecordsAreTheUsers(t *testing.T) {
	t.Parallel()
	for _, noEmail := range []bool{false, true} {
		org := &salesforcetest.Org{External: true, NoEnhancedEmail: noEmail}
		d := newDesk(t, org)
		org.AddUser(salesforcetest.User{Username: "integration@acme.example", UserType: "Standard"})
		d.add(withFiles(1, "jane@x.example", myAddress, "a.txt", "b.txt"))
		d.deliver(t)
		n := 0
		for _, object := range []string{"EmailMessage", "EmailMessageRelation", "Task", "ContentVersion", "ContentDocument", "ContentDocumentLink"} {
			for _, r := range org.Records(object) {
				if n++; r["CreatedById"] != org.DefaultUser().ID {
					t.Errorf("%s of %v", object, r["CreatedById"])
				}
			}
		}
		if n < 9 {
			t.Errorf("%d records", n)
		}
	}
}

// TestI04ColleagueSavedItFirst: one mail, two users, one e-mail; the file that the first left out
// is there once. A mail that only claims the same Message-ID is saved for itself.
func TestI04ColleagueSavedItFirst(t *testing.T) {
	t.Parallel()
	for _, keyed := range []bool{true, false} {
		org := &salesforcetest.Org{MailKey: keyed}
		d := newDesk(t, org)
		uwe := org.AddUser(salesforcetest.User{Username: "uwe@partners.example", Email: "uwe@partners.example"})
		raw := withFiles(1, "jane@x.example", myAddress+", uwe@partners.example", "a.txt", "b.txt")
		other := d.colleague(t, uwe, func(cfg *deliver.Config) {
			cfg.Own = func() []string { return []string{"uwe@partners.example"} }
			cfg.Content = func() capture.Content { return capture.Content{Level: capture.LevelText} }
		})
		first := other.add(raw)
		first.Key = key("another user's key of it")
		other.deliver(t)
		job := d.add(raw)
		if n := d.deliver(t); n != 4 { // what the user may do, who it is, what hangs on it, the files
			t.Errorf("key %v: took %d calls", keyed, n)
		}
		if mail := d.only(t, "EmailMessage"); mail["CreatedById"] != uwe.ID || job.RecordID != mail["Id"] || job.last.Verdict != deliver.Sent || job.last.Files != 2 {
			t.Errorf("key %v: %v, %+v", keyed, mail, job.last)
		}
		if n := len(org.Records("ContentVersion")); n != 2 {
			t.Errorf("key %v: %d files", keyed, n)
		}
		for n, poison := range []string{strings.Replace(raw, "Subject: Letter 1", "Subject: Poison", 1), strings.Replace(raw, "jane@", "mallory@", 1), strings.Replace(raw, " 09:01:00", " 09:01:09", 1)} {
			p := d.add(poison)
			p.Key = key(fmt.Sprintf("with its own digest %d", n))
			d.deliver(t)
			if p.RecordID == "" || p.RecordID == job.RecordID {
				t.Errorf("key %v: poison %d became %q", keyed, n, p.RecordID)
			}
		}
	}
}
