package engine

import (
	"io"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/rules"
)

// TestTurningItOffStopsAtOnce, in the middle of a folder, and nothing is lost by it: turned on again
// with the same beginning, it goes on where it was.
func TestTurningItOffStopsAtOnce(t *testing.T) {
	t.Parallel()
	b := world()
	for range 9 {
		b.put(inbox, b.write(note("ann@cust.example")))
	}
	s := newSetup(b, everything(), capture.Company{})
	read := 0
	s.engine.cfg.ReadHeader = func(r io.Reader) (capture.Header, error) {
		if read++; read == 2 {
			s.choices.Automatic = false
		}
		return b.readHeader(r)
	}
	s.expect(t, "read before it was turned off", b.letters[8], "", "")
	if len(s.book.rows) != 0 || b.heads > b.window {
		t.Fatalf("%d rows, %d header blocks after it was turned off", len(s.book.rows), b.heads)
	}
	for _, l := range b.letters {
		if l.fetched > 0 {
			t.Error("a body was read")
		}
	}
	s.choices.Automatic = true
	for _, l := range b.letters {
		s.expect(t, "turned on again", l, Queue, "")
	}
}

// TestF24AnotherMailThanAskedFor: the server renumbers between header and body, and hands over a
// mail that nobody allowed under the number of one that was.
func TestF24AnotherMailThanAskedFor(t *testing.T) {
	t.Parallel()
	b := world()
	choices := everything()
	choices.Block = []string{"rival.example"}
	s := newSetup(b, choices, capture.Company{})
	allowed, blocked := b.write(note("ann@cust.example")), b.write(note("spy@rival.example"))
	in := &intake{cfg: &s.engine.cfg, automatic: true, role: "inbox", judged: map[capture.Ref]*judged{}}
	item := func(l *letter, raw string) capture.Item {
		return capture.Item{Ref: capture.Ref{Folder: inbox, Validity: 1, UID: 1}, Size: l.Size, Received: l.Received, Raw: stringReader(raw)}
	}
	wanted, err := in.Wanted(t.Context(), []capture.Item{item(allowed, allowed.block())})
	if err != nil || !wanted[0] {
		t.Fatalf("%v %v", wanted, err)
	}
	if err := in.Mail(t.Context(), item(blocked, blocked.raw()), nil); err != nil {
		t.Fatal(err)
	}
	if err := in.Reached(t.Context(), capture.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if m, ok := s.row(blocked); !ok || m.Verdict != Filter || m.Rule != string(rules.BlockedPersonal) {
		t.Errorf("%v %+v", ok, m)
	}
	if _, ok := s.row(allowed); ok {
		t.Error("the mail that did not come is in the ledger")
	}
}

func stringReader(s string) io.Reader { return &onlyReader{s} }

// onlyReader can be read once and nothing else, as what comes over a connection.
type onlyReader struct{ left string }

func (r *onlyReader) Read(p []byte) (int, error) {
	if r.left == "" {
		return 0, io.EOF
	}
	n := copy(p, r.left[:min(len(r.left), 7)])
	r.left = r.left[n:]
	return n, nil
}

// TestALookForAnOldConversationNotesNoOthers: while automatic capture looks further back for a
// conversation, what came before its window is not noted, except where it lies later than that.
func TestALookForAnOldConversationNotesNoOthers(t *testing.T) {
	t.Parallel()
	b := world()
	before := func(m *rules.Message) { m.Received = turnedOn.Add(-2 * time.Hour) }
	old := b.put(inbox, b.write(note("ann@cust.example", before)))
	reply := b.put(inbox, b.write(note("ann@cust.example", before, func(m *rules.Message) { m.Header.InReplyTo = "<root@x>" })))
	s := newSetup(b, everything(), capture.Company{})
	s.threads[1], s.members["<root@x>"] = turnedOn.Add(-3*time.Hour), 1
	s.expect(t, "reply", reply, Queue, "")
	s.expect(t, "another of that time", old, "", "")
	moved := b.put(inbox, b.write(note("ann@cust.example", before)))
	s.expect(t, "an old mail that came into the folder now", moved, Filter, string(rules.BeforeWindow))
}

// TestPickedByHandUnderACompanysRules: what the company forbids is not even read, and told.
func TestPickedByHandUnderACompanysRules(t *testing.T) {
	t.Parallel()
	b := world()
	company := capture.Company{Rules: []capture.Rule{{ID: "hr", Action: capture.Deny, Folders: []string{"HR"}}}}
	s := newSetup(b, capture.Choices{}, company)
	plain := b.put(inbox, b.write(note("ann@cust.example")))
	label := b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) { m.Labels = []string{"HR"} })))
	refs := []capture.Ref{{Folder: inbox, Validity: 1, UID: 1}, {Folder: inbox, Validity: 1, UID: 2}}
	for range 2 {
		rep, err := s.engine.Fetch(t.Context(), refs)
		if err != nil || rep.Denied != 1 {
			t.Errorf("%+v, %v", rep, err)
		}
	}
	if m, ok := s.row(plain); !ok || m.Verdict != Queue {
		t.Errorf("allowed: %v %+v", ok, m)
	}
	if m, ok := s.row(label); !ok || m.Verdict != Filter || m.Rule != string(rules.DeniedByRule) || m.By != "hr" || label.fetched > 0 {
		t.Errorf("forbidden: %v %+v, read %d times", ok, m, label.fetched)
	}
}

// TestAConversationWithAllItsPast does not make the first look read a whole mailbox.
func TestAConversationWithAllItsPast(t *testing.T) {
	t.Parallel()
	b := world()
	answer := func(age time.Duration) *letter {
		return b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) {
			m.Received, m.Header.InReplyTo = turnedOn.Add(-age), "<root@x>"
		})))
	}
	const day = 24 * time.Hour
	old, recent := answer(400*day), answer(80*day)
	s := newSetup(b, capture.Choices{}, capture.Company{})
	s.now = turnedOn
	s.threads[1], s.members["<root@x>"] = time.Unix(0, 0), 1
	s.expect(t, "of this quarter", recent, Queue, "")
	s.expect(t, "of last year", old, "", "")
	b.put(inbox, b.folder(inbox).take(0))
	s.expect(t, "of last year, and moved in now", old, Queue, "")
}

// TestOnlyInboxAndSentMailAreFollowed, beside the folders that were chosen.
func TestOnlyInboxAndSentMailAreFollowed(t *testing.T) {
	t.Parallel()
	folders := []capture.Folder{
		{Name: inbox, Role: "inbox"}, {Name: "Sent", Role: "sent"}, {Name: "Junk", Role: "junk"}, {Name: "Drafts", Role: "drafts"},
		{Name: "All", Role: "all"}, {Name: "Projects"}, {Name: "Salesforce"},
	}
	names := func(scans []scan) (unmarked []string) {
		for _, s := range scans {
			if s.mark == "" {
				unmarked = append(unmarked, s.folder.Name)
			}
		}
		return unmarked
	}
	off := rules.Compile(capture.Choices{}, capture.Company{}, nil)
	on := rules.Compile(everything(), capture.Company{}, nil)
	chosen := everything()
	chosen.Folders = []string{"projects", "Salesforce"}
	some := rules.Compile(chosen, capture.Company{}, nil)
	follow := map[int64]time.Time{1: turnedOn}
	for _, c := range []struct {
		w    wish
		want int
	}{{wish{set: off}, 0}, {wish{set: off, following: follow}, 2}, {wish{set: on}, 2}, {wish{set: on, following: follow}, 2},
		{wish{set: some}, 1}, {wish{set: some, following: follow}, 3}} {
		if got := names(plan(folders, "Salesforce", c.w)); len(got) != c.want {
			t.Errorf("automatic %v, %d followed: looks into %q", c.w.set.Automatic(), len(c.w.following), got)
		}
	}
}
