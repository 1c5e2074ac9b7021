package agent_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// mailOf is a mail as a test wants it.
type mailOf struct {
	from, to, subject, body string
	header                  string // more lines, each with its line end
	answers                 string // the id of the mail that it answers
	age                     time.Duration
}

func (m mailOf) id() string { return fmt.Sprintf("<%x@choose.example>", m.subject) }

// receive puts a mail into a folder.
func (s *scene) receive(folder string, m mailOf) {
	s.t.Helper()
	if m.from == "" {
		m.from = "Ann <ann@acme.example>"
	}
	if m.to == "" {
		m.to = mailUser
	}
	at := time.Now().Add(-m.age)
	if m.answers != "" {
		m.header += "In-Reply-To: " + m.answers + "\r\nReferences: " + m.answers + "\r\n"
	}
	raw := fmt.Sprintf("Message-ID: %s\r\nFrom: %s\r\nTo: %s\r\nDate: %s\r\nSubject: %s\r\n%sMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n",
		m.id(), m.from, m.to, at.Format(time.RFC1123Z), m.subject, m.header, m.body+" text")
	s.dovecot.AppendAt(s.t, mailUser, folder, at, []byte(raw))
}

// chooser is a signed-in scene with a client.
func chooser(t *testing.T, change func(*salesforcetest.Org)) (*scene, *control.Client) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	s := newScene(t, change)
	s.org.Insert("Contact", map[string]any{"LastName": "Acme", "Email": "ann@acme.example"})
	s.user.start()
	s.signIn()
	c, err := s.user.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "the mailbox to be read", func() bool { _, err := c.Folders(t.Context()); return err == nil })
	return s, c
}

// ok fails the test on an error.
func ok[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// choose edits what the person chose.
func choose(t testing.TB, c *control.Client, edit func(*capture.Choices)) {
	t.Helper()
	got := ok[control.Chosen](t)(c.Chosen(t.Context()))
	edit(&got.Choices)
	if err := c.Choose(t.Context(), got.Choices); err != nil {
		t.Fatal(err)
	}
}

// ref returns the reference of a mail in a list.
func ref(t testing.TB, c *control.Client, folder, subject string) string {
	t.Helper()
	for _, m := range ok[control.MailList](t)(c.Mails(t.Context(), control.MailQuery{Folder: folder, Limit: 500})).Mails {
		if m.Subject == subject {
			return m.Ref
		}
	}
	t.Fatalf("%s has no mail %q", folder, subject)
	return ""
}

// TestC02C03C07Picking: the list is live and searched, a preview leaves no trace, several mails are
// saved at once, and a mail in a file keeps its date.
func TestC02C03C07Picking(t *testing.T) {
	s, c := chooser(t, nil)
	for i := range 5 {
		s.receive("INBOX", mailOf{subject: fmt.Sprintf("Offer %d", i)})
	}
	s.receive("INBOX", mailOf{subject: "Lunch", from: "Max <max@example.org>"})
	found := ok[control.MailList](t)(c.Mails(t.Context(), control.MailQuery{Search: "Offer"})).Mails
	if len(found) != 5 {
		t.Fatalf("%d mails found, want 5", len(found))
	}
	page := ok[control.MailList](t)(c.Mails(t.Context(), control.MailQuery{Limit: 4})).Mails
	rest := ok[control.MailList](t)(c.Mails(t.Context(), control.MailQuery{Limit: 4, Before: page[3].Ref})).Mails
	if len(page) != 4 || len(rest) != 2 || rest[0].Ref == page[3].Ref {
		t.Errorf("pages of %d and %d mails", len(page), len(rest))
	}
	p := ok[control.Preview](t)(c.Preview(t.Context(), found[0].Ref))
	if p.Object != "EmailMessage" || len(p.Records) == 0 || p.Records[0].Field != "Contact.Email" || p.Verdict != "save" || !strings.Contains(p.Text, "text") {
		t.Errorf("preview %+v", p)
	}
	if n := len(s.subjects()); n != 0 || s.user.status().Counts.Seen != 0 {
		t.Errorf("a preview left %d records and %+v", n, s.user.status().Counts)
	}
	r := ok[control.CaptureResult](t)(c.Capture(t.Context(), control.CaptureRequest{Refs: []string{found[0].Ref, found[1].Ref, found[2].Ref}}))
	if r.Queued != 3 {
		t.Errorf("queued %+v", r)
	}
	s.saved(found[0].Subject, found[1].Subject, found[2].Subject)

	file := filepath.Join(t.TempDir(), "old.eml")
	if err := os.WriteFile(file, []byte("Message-ID: <old@file.example>\r\nFrom: ann@acme.example\r\nTo: alice@example.org\r\nDate: Mon, 01 Jun 2020 10:00:00 +0000\r\nSubject: From a file\r\n\r\nHello\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.user.hawser("capture", file); out.code != 0 {
		t.Fatalf("exit %d: %s", out.code, out.stderr)
	}
	s.saved(found[0].Subject, found[1].Subject, found[2].Subject, "From a file")
	if date, _ := s.records()["<old@file.example>"]["MessageDate"].(string); !strings.HasPrefix(date, "2020-06-01T10:00:00") {
		t.Errorf("the mail of a file has the date %q", date)
	}
	if _, err := c.CaptureFile(t.Context(), strings.NewReader("no mail at all")); !fault.Is(err, fault.Usage) {
		t.Errorf("a text is taken for a mail: %v", err)
	}
}

// TestC04C05Threads: a followed conversation goes on until Stop, and a blocked person in it is held.
func TestC04C05Threads(t *testing.T) {
	s, c := chooser(t, nil)
	first := mailOf{subject: "Plan"}
	s.receive("INBOX", first)
	ok[control.CaptureResult](t)(c.Capture(t.Context(), control.CaptureRequest{Refs: []string{ref(t, c, "INBOX", "Plan")}, Follow: true}))
	s.saved("Plan")
	second := mailOf{subject: "Re: Plan", answers: first.id()}
	s.receive("INBOX", second)
	s.saved("Plan", "Re: Plan")
	threads := ok[[]control.Thread](t)(c.Threads(t.Context()))
	if len(threads) != 1 || threads[0].Title != "Plan" || threads[0].Saved != 2 {
		t.Errorf("followed %+v", threads)
	}
	choose(t, c, func(ch *capture.Choices) { ch.Block = []string{"rival.example"} })
	s.receive("INBOX", mailOf{subject: "Re: Plan from a rival", from: "Eve <eve@rival.example>", answers: second.id()})
	s.until(20*time.Second, "the rival's mail to be held", func(st control.Status) bool { return st.Counts.Held == 1 })
	held := s.queue("--state", "held")
	if len(held) != 1 || held[0].Why != fault.BlockedAddress {
		t.Fatalf("held %+v", held)
	}
	if err := c.RetryItem(t.Context(), held[0].ID); err != nil { // the person releases it
		t.Fatal(err)
	}
	s.saved("Plan", "Re: Plan", "Re: Plan from a rival")
	if err := c.StopThread(t.Context(), threads[0].ID); err != nil {
		t.Fatal(err)
	}
	s.receive("INBOX", mailOf{subject: "Re: Plan after Stop", answers: second.id()})
	s.mark("Another")
	s.saved("Another", "Plan", "Re: Plan", "Re: Plan from a rival")
}

// TestC06G08G09Undo: undo deletes the record that Hawser made and nothing else, the journal is what
// was written, and an address is forgotten.
func TestC06G08G09Undo(t *testing.T) {
	s, c := chooser(t, nil)
	foreign := s.org.Insert("EmailMessage", map[string]any{"Subject": "Somebody else's", "Status": "3"})
	s.receive("Salesforce", mailOf{subject: "One"})
	s.receive("Salesforce", mailOf{subject: "Two", from: "Bob <bob@forget.example>"})
	s.until(20*time.Second, "two records", func(st control.Status) bool { return st.Counts.Captured == 2 })
	journal := ok[[]control.JournalItem](t)(c.Journal(t.Context(), control.JournalQuery{}))
	written := map[string]bool{}
	for _, r := range s.org.Records("EmailMessage") {
		if id := r["Id"].(string); id != foreign {
			written[id] = true
		}
	}
	for _, j := range journal {
		if !written[j.RecordID] || j.Level != "files" || j.Bytes == 0 {
			t.Errorf("journal line %+v", j)
		}
		delete(written, j.RecordID)
	}
	if len(journal) != 2 || len(written) > 0 {
		t.Errorf("%d lines, not in the journal: %v", len(journal), written)
	}
	out := s.user.hawser("journal", "--csv")
	rows, err := csv.NewReader(strings.NewReader(out.stdout)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Errorf("CSV of %d rows, %v", len(rows), err)
	}
	one := journal[slices.IndexFunc(journal, func(j control.JournalItem) bool { return j.RecordID == s.records()[mailOf{subject: "One"}.id()]["Id"] })]
	if err := c.Unsave(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	left := s.org.Records("EmailMessage")
	if len(left) != 2 || !slices.ContainsFunc(left, func(r map[string]any) bool { return r["Id"] == foreign }) {
		t.Errorf("after undo there are %d records", len(left))
	}
	if err := c.Unsave(t.Context(), one.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a second undo: %v", err)
	}
	f := ok[control.Forgotten](t)(c.Forget(t.Context(), "BOB@forget.example"))
	if len(f.Records) != 1 || f.Records[0].RecordID == one.RecordID {
		t.Errorf("forgotten %+v", f)
	}
	s.user.kill()
	s.user.absent("forget.example")
}

// absent searches the files of the profile for a text.
func (u *user) absent(text string) {
	u.t.Helper()
	err := filepath.WalkDir(u.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(raw), text) {
			u.t.Errorf("%s holds %q", path, text)
		}
		return err
	})
	if err != nil {
		u.t.Error(err)
	}
}

// TestD01D02D05D07Automatic: nothing by itself until it is turned on; a dry run sends nothing and
// counts again without the network; an edit of the list acts at the next mail; the window holds.
func TestD01D02D05D07Automatic(t *testing.T) {
	s, c := chooser(t, nil)
	s.receive("INBOX", mailOf{subject: "Old", age: 20 * 24 * time.Hour})
	s.receive("INBOX", mailOf{subject: "Recent", age: time.Hour})
	s.receive("INBOX", mailOf{subject: "Stranger", from: "x@stranger.example", age: time.Hour})
	s.receive("INBOX", mailOf{subject: "Colleague", from: "max@example.org", age: time.Hour})
	s.check()
	yes := true
	choose(t, c, func(ch *capture.Choices) {
		ch.Rules = []capture.Rule{{ID: "known", Action: capture.Allow, Known: &yes}}
	})
	if d := ok[control.DryRun](t)(c.DryRun(t.Context(), control.DryRunQuery{Days: 7}, func(control.DryRunStep) {})); d.Seen != 3 || d.Saved != 1 || d.Hits["known"] != 1 {
		t.Errorf("dry run %+v", d)
	}
	d := ok[control.DryRun](t)(c.DryRun(t.Context(), control.DryRunQuery{Days: 30}, func(control.DryRunStep) {}))
	if d.Seen != 4 || d.Saved != 2 || len(d.Items) != 4 {
		t.Errorf("dry run of 30 days %+v", d)
	}
	if n := len(s.subjects()); n != 0 || s.user.status().Counts.Seen != 0 {
		t.Fatalf("a dry run saved %d mails", n)
	}
	s.proxy.Cut() // an edit is counted without the network
	edited := ok[control.Chosen](t)(c.Chosen(t.Context())).Choices
	edited.Rules = append([]capture.Rule{{ID: "no-acme", Action: capture.Deny, With: []string{"acme.example"}}}, edited.Rules...)
	if d := ok[control.DryRun](t)(c.DryRun(t.Context(), control.DryRunQuery{Days: 30, Again: true, Choices: &edited}, func(control.DryRunStep) {})); d.Saved != 0 || d.Hits["no-acme"] != 2 {
		t.Errorf("after the edit %+v", d)
	}
	s.proxy.Heal()
	choose(t, c, func(ch *capture.Choices) { ch.Automatic, ch.Days = true, 7 })
	s.saved("Recent")
	s.receive("INBOX", mailOf{subject: "New"})
	s.saved("New", "Recent")
	choose(t, c, func(ch *capture.Choices) { ch.Block = []string{"ann@acme.example"} })
	s.receive("INBOX", mailOf{subject: "Blocked"})
	s.until(20*time.Second, "the blocked mail to be filtered", func(st control.Status) bool { return st.Counts.Filtered >= 1 && st.State == control.UpToDate })
	waitFor(t, 20*time.Second, "the blocked mail to be explained", func() bool {
		w, err := c.Why(t.Context(), mailOf{subject: "Blocked"}.id())
		return err == nil && w.Cause == "blocked-personal"
	})
	s.saved("New", "Recent")
	if w := ok[control.Why](t)(c.Why(t.Context(), mailOf{subject: "Old"}.id())); w.Cause != "before-window" || w.Fix != "window" {
		t.Errorf("the old mail: %+v", w)
	}
}

// TestE04Unmatched: mail without a record waits, and goes one of five ways.
func TestE04Unmatched(t *testing.T) {
	s, c := chooser(t, nil)
	choose(t, c, func(ch *capture.Choices) {
		ch.Automatic, ch.Rules = true, []capture.Rule{{ID: "all", Action: capture.Allow}}
	})
	for _, who := range []string{"found", "linked", "unlinked", "ignored", "domain"} {
		s.receive("INBOX", mailOf{subject: who, from: who + "@" + who + ".example"})
	}
	s.until(30*time.Second, "five held mails", func(st control.Status) bool { return st.Counts.Held == 5 })
	items := map[string]int64{}
	for _, it := range s.queue("--state", "held") {
		if it.Why != fault.Unmatched || !it.Unlinked {
			t.Errorf("held %+v", it)
		}
		items[it.Subject] = it.ID
	}
	s.org.Insert("Contact", map[string]any{"LastName": "Found", "Email": "found@found.example"})
	people := ok[[]control.Record](t)(c.FindRecords(t.Context(), "ann@acme"))
	if len(people) != 1 || people[0].Type != "Contact" {
		t.Fatalf("found %+v", people)
	}
	for subject, do := range map[string]func(context.Context, int64) error{
		"linked": func(ctx context.Context, id int64) error { return c.Link(ctx, id, people[0].ID) },
		"found":  c.RetryItem, "unlinked": c.SaveUnlinked,
		"ignored": func(ctx context.Context, id int64) error { return c.Ignore(ctx, id, false) },
		"domain":  func(ctx context.Context, id int64) error { return c.Ignore(ctx, id, true) },
	} {
		if err := do(t.Context(), items[subject]); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	s.saved("found", "linked", "unlinked")
	if got := ok[control.Chosen](t)(c.Chosen(t.Context())).Choices.Block; !slices.Contains(got, "ignored@ignored.example") || !slices.Contains(got, "domain.example") {
		t.Errorf("the blocklist is %q", got)
	}
}
