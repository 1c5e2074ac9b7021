package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

var turnedOn = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// everything is allowed that nothing speaks against.
func everything() capture.Choices {
	return capture.Choices{Automatic: true, Since: turnedOn, Rules: []capture.Rule{{ID: "all", Action: capture.Allow}}}
}

// note is a mail from somebody to the user, received after automatic capture was turned on.
func note(sender string, change ...func(*rules.Message)) rules.Message {
	m := rules.Message{
		Header: capture.Header{From: []capture.Address{{Addr: sender}}, To: []capture.Address{{Addr: "me@acme.example"}}, ContentType: "text/plain"},
		Size:   1000, Received: turnedOn.Add(30 * time.Minute), Body: &rules.Body{},
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

// expect looks through the mailbox and checks what became of a letter.
func (s *setup) expect(t *testing.T, what string, l *letter, verdict Verdict, why string) NewMail {
	t.Helper()
	if err := s.look(t.Context()); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	m, ok := s.row(l)
	got := m.Rule + string(m.Why)
	if !ok && verdict != "" || ok && (m.Verdict != verdict || got != why) {
		t.Errorf("%s: known %v, %q %q, want %q %q", what, ok, m.Verdict, got, verdict, why)
	}
	if m.Verdict == Filter && (m.Content != nil || !reflect.ValueOf(m.Head).IsZero()) {
		t.Errorf("%s: kept of what is left out: %+v", what, m)
	}
	if s.book.staged != 0 {
		t.Errorf("%s: %d staged mails left over", what, s.book.staged)
	}
	return m
}

// TestD01: until it is turned on nothing is fetched that nobody marked; the dry run reads header
// blocks, stores nothing, and says what turning it on then does.
func TestD01DryRunBeforeAnythingLeaves(t *testing.T) {
	t.Parallel()
	b := world()
	for i := range 20 {
		b.put(inbox, b.write(note([]string{"ann@cust.example", "joe@gmail.com"}[i%2])))
	}
	b.put("Sent", b.letters[0]) // the same mail twice is one
	s := newSetup(b, capture.Choices{}, capture.Company{})
	s.now = turnedOn.Add(time.Hour)
	if err := s.look(t.Context()); err != nil || len(s.book.rows) != 0 || b.heads != 0 {
		t.Fatalf("while it is off: %v, %d rows, %d header blocks", err, len(s.book.rows), b.heads)
	}
	try := rules.Compile(everything(), capture.Company{}, s.own)
	var seen []rules.Message
	cursors := maps.Clone(s.book.cursors)
	err := s.engine.Survey(t.Context(), try, turnedOn, func(m rules.Message) error { seen = append(seen, m); return nil })
	if err != nil || len(seen) != 20 || len(s.book.rows) != 0 || !maps.Equal(s.book.cursors, cursors) {
		t.Fatalf("survey: %v, %d mails, ledger %d rows, cursors %v", err, len(seen), len(s.book.rows), s.book.cursors)
	}
	would := 0
	for _, m := range seen {
		if d := try.Decide(m, "", false); d.Verdict == rules.Read {
			would++
		}
	}
	if hits := try.Hits(seen); would != 10 || hits["all"] != 10 {
		t.Errorf("%d would be saved, hits %v", would, hits)
	}
	for _, l := range b.letters {
		if l.fetched != 0 {
			t.Error("a body was read")
		}
	}
	s.choices = everything()
	if err := s.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	saved := 0
	for _, row := range s.book.rows {
		if row.Verdict == Queue {
			saved++
		}
	}
	if saved != would {
		t.Errorf("%d are saved, the dry run said %d", saved, would)
	}
}

func TestSurveyEndsWithItsReader(t *testing.T) {
	t.Parallel()
	b := world()
	for range 10 {
		b.put(inbox, b.write(note("ann@cust.example")))
	}
	s := newSetup(b, everything(), capture.Company{})
	enough := errors.New("enough")
	if err := s.engine.Survey(t.Context(), s.engine.cfg.Rules(), turnedOn, func(rules.Message) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

// TestD04 chooses one folder: of 500 mails in the inbox not even a header block is read, and a new
// engine does the same.
func TestD04OnlyTheChosenFolderIsRead(t *testing.T) {
	t.Parallel()
	b := world()
	for range 500 {
		b.put(inbox, b.write(note("ann@cust.example")))
	}
	chosen := b.put("Projects", b.write(note("ann@cust.example")))
	choices := everything()
	choices.Folders = []string{"Projects"}
	s := newSetup(b, choices, capture.Company{})
	s.expect(t, "chosen", chosen, Queue, "")
	s.restart()
	later := b.put("Projects", b.write(note("ann@cust.example")))
	s.expect(t, "after a restart", later, Queue, "")
	if len(s.book.rows) != 2 || b.heads != 2 {
		t.Errorf("%d rows, %d header blocks read", len(s.book.rows), b.heads)
	}
}

// TestD05 edits the block list between two mails, without a restart.
func TestD05EditsActAtTheNextMail(t *testing.T) {
	t.Parallel()
	b := world()
	s := newSetup(b, everything(), capture.Company{})
	s.expect(t, "before", b.put(inbox, b.write(note("ann@cust.example"))), Queue, "")
	s.choices.Block = []string{"cust.example"}
	blocked := b.put(inbox, b.write(note("ann@cust.example")))
	s.expect(t, "blocked", blocked, Filter, string(rules.BlockedPersonal))
	if blocked.fetched != 0 {
		t.Error("its body was read")
	}
	s.choices.Block = nil
	s.expect(t, "unblocked", b.put(inbox, b.write(note("ann@cust.example"))), Queue, "")
	s.expect(t, "what was left out stays", blocked, Filter, string(rules.BlockedPersonal))
	s.choices.Automatic = false
	s.expect(t, "turned off", b.put(inbox, b.write(note("ann@cust.example"))), "", "")
	s.company.Block = []string{"law.example"}
	marked := b.write(note("x@law.example"))
	s.expect(t, "locked by the company, although marked", b.put("Salesforce", marked), Filter, string(rules.BlockedCompany))
	if marked.fetched != 0 {
		t.Error("its body was read")
	}
}

// TestD06 asks who is known only where that matters, once for all mails of a batch.
func TestD06KnownContactsAtFreeMail(t *testing.T) {
	t.Parallel()
	b := world()
	yes := true
	choices := everything()
	choices.Rules = []capture.Rule{{ID: "known", Action: capture.Allow, Known: &yes}}
	s := newSetup(b, choices, capture.Company{})
	s.records["joe@gmail.com"] = []string{"Contact"}
	joe, jim := b.put(inbox, b.write(note("joe@gmail.com"))), b.put(inbox, b.write(note("jim@gmail.com")))
	b.put(inbox, b.write(note("bob@acme.example")))
	if m := s.expect(t, "contact", joe, Queue, ""); m.By != "known" || m.Mark != capture.MarkRule {
		t.Errorf("%+v", m)
	}
	s.expect(t, "stranger", jim, Filter, string(rules.BlockedFreeMail))
	if slices.Sort(s.asked); !slices.Equal(s.asked, []string{"jim@gmail.com", "joe@gmail.com"}) || jim.fetched != 0 {
		t.Errorf("asked for %q", s.asked)
	}
}

// TestPeopleThatCannotBeAskedPostpone: nothing is decided without knowing, marked mail flows, and
// no fault of Salesforce ends the reading of the mailbox.
func TestPeopleThatCannotBeAskedPostpone(t *testing.T) {
	t.Parallel()
	b := world()
	yes := true
	choices := everything()
	choices.Rules[0].Known = &yes
	s := newSetup(b, choices, capture.Company{})
	people := s.engine.cfg.People
	s.engine.cfg.People = func(context.Context, []string) (map[string][]string, error) {
		return nil, fault.New(fault.APIDisabled, "query", nil)
	}
	open := b.put(inbox, b.write(note("ann@cust.example")))
	marked := b.put("Salesforce", b.write(note("ann@cust.example")))
	s.engine.todo.all()
	until, err := s.engine.round(t.Context(), 0)
	if last := s.events[len(s.events)-1]; err != nil || until.IsZero() || last.Fault != "" || last.Success.IsZero() {
		t.Errorf("%v, %v, told %+v", until, err, last)
	}
	if m, ok := s.row(marked); !ok || m.Verdict != Queue {
		t.Error("what is marked waits for a question about another mail")
	}
	if _, ok := s.row(open); ok {
		t.Error("decided without knowing")
	}
	s.engine.cfg.People = people
	s.records["ann@cust.example"] = []string{"Lead"}
	s.expect(t, "later", open, Queue, "")
}

// TestD07 reads a month of history behind everything else: pausable at any point, resumed where it
// was, and never before a mail that comes meanwhile.
func TestD07HistoryGivesWayAndResumes(t *testing.T) {
	t.Parallel()
	b := world()
	ago := func(d time.Duration) func(*rules.Message) {
		return func(m *rules.Message) { m.Received = turnedOn.Add(-d) }
	}
	const day = 24 * time.Hour
	early := b.put(inbox, b.write(note("ann@cust.example", ago(31*day))))
	var old []*letter
	for i := range 30 {
		old = append(old, b.put(inbox, b.write(note("ann@cust.example", ago(time.Duration(29-i)*day)))))
	}
	choices := everything()
	choices.Days = 30
	s := newSetup(b, choices, capture.Company{})

	ctx, pause := context.WithCancel(t.Context())
	fresh := b.write(note("new@cust.example", func(m *rules.Message) { m.Received = s.now.Add(-time.Minute) }))
	s.engine.cfg.Changed = func(e Event) {
		if e.History > 0 && e.HistoryAll != 30 {
			t.Errorf("%d of %d, want 30", e.History, e.HistoryAll)
		}
		switch e.History {
		case 9:
			b.put(inbox, fresh)
			s.engine.todo.add(inbox)
		case 18:
			pause()
		}
	}
	if err := s.look(ctx); err != nil {
		t.Fatalf("until a mail comes: %v", err)
	}
	if _, ok := s.row(fresh); ok || !s.engine.todo.due() {
		t.Fatal("history did not give way")
	}
	if err := s.engine.work(ctx); ctx.Err() == nil || err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("paused: %v, %v", err, ctx.Err())
	}
	if m, ok := s.row(fresh); !ok || !m.Live {
		t.Error("the new mail did not go first")
	}
	done := len(s.book.rows)
	if done < 10 || done > 25 {
		t.Fatalf("%d rows when paused", done)
	}
	b.heads = 0
	s.restart()
	s.engine.cfg.Changed = func(e Event) {
		if e.HistoryAll != 0 {
			t.Errorf("%d of %d after a restart in the midst", e.History, e.HistoryAll)
		}
	}
	s.expect(t, "last of history", old[29], Queue, "")
	for _, l := range old {
		if m, ok := s.row(l); !ok || m.Verdict != Queue || l.fetched != 1 {
			t.Errorf("received %v: %v %q, read %d times", l.Received, ok, m.Verdict, l.fetched)
		}
	}
	if b.heads > 30 {
		t.Errorf("%d header blocks for what was left", b.heads)
	}
	s.expect(t, "before the window", early, "", "")
	b.heads = 0
	s.restart()
	if err := s.look(t.Context()); err != nil || b.heads != 0 {
		t.Errorf("history is read once: %v, %d header blocks", err, b.heads)
	}
	s.choices.Days = 90
	s.expect(t, "a wider window", early, Queue, "")
}

// TestD10 and G04, G05: header signs are decided without the body; where only the text tells, it is
// read on this computer and dropped.
func TestD10G04G05TextIsReadHereAndDropped(t *testing.T) {
	t.Parallel()
	b := world()
	choices := everything()
	choices.Words = []string{"attorney"}
	s := newSetup(b, choices, capture.Company{})
	for name, c := range map[string]struct {
		change  func(*rules.Message)
		verdict Verdict
		why     string
		fetched int
	}{
		"newsletter":         {func(m *rules.Message) { m.Header.ListID = "<n.example>" }, Filter, "kind-list", 0},
		"auto-reply":         {func(m *rules.Message) { m.Header.AutoSubmitted = "auto-replied" }, Filter, "kind-auto-reply", 0},
		"bounce":             {func(m *rules.Message) { m.Header.ContentType = "multipart/report" }, Filter, "kind-bounce", 0},
		"encrypted":          {func(m *rules.Message) { m.Header.ContentType = "multipart/encrypted" }, Filter, "kind-encrypted", 0},
		"invitation":         {func(m *rules.Message) { m.Header.Calendar = true }, Filter, "kind-invitation", 0},
		"invitation inside":  {func(m *rules.Message) { m.Body.Types = []string{"text/calendar"} }, Filter, "kind-invitation", 1},
		"private":            {func(m *rules.Message) { m.Header.Sensitivity = "private" }, Hold, "marked-private", 1},
		"confidential":       {func(m *rules.Message) { m.Header.Sensitivity = "company-confidential" }, Hold, "marked-private", 1},
		"word in the text":   {func(m *rules.Message) { m.Body.Text = "ask your attorney" }, Hold, "sensitive-word", 1},
		"word in the header": {func(m *rules.Message) { m.Header.Subject = "Attorney" }, Hold, "sensitive-word", 1},
		"plain":              {func(m *rules.Message) { m.Body.Text = "hello" }, Queue, "", 1},
	} {
		l := b.put(inbox, b.write(note("ann@cust.example", c.change)))
		s.expect(t, name, l, c.verdict, c.why)
		if l.fetched != c.fetched {
			t.Errorf("%s: read %d times", name, l.fetched)
		}
	}
}

// TestTextThatCannotBeRead is nothing to save unseen.
func TestTextThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := world()
	s := newSetup(b, everything(), capture.Company{})
	s.engine.cfg.ReadBody = func(io.Reader, int64) (rules.Body, error) { return rules.Body{}, errors.New("odd") }
	s.expect(t, "odd", b.put(inbox, b.write(note("ann@cust.example"))), Hold, string(fault.MailUnreadable))
}

// TestC04: a reply of a followed conversation is captured although automatic capture is off, an
// older mail of it is not, and after Stop nothing is.
func TestC04FollowedConversation(t *testing.T) {
	t.Parallel()
	b := world()
	s := newSetup(b, capture.Choices{}, capture.Company{})
	s.now = turnedOn.Add(time.Hour)
	reply := func(change ...func(*rules.Message)) rules.Message {
		return note("ann@cust.example", append(change, func(m *rules.Message) { m.Header.References = []string{"<root@x>"} })...)
	}
	s.threads[7], s.members["<root@x>"] = turnedOn, 7
	first := b.put(inbox, b.write(reply()))
	before := b.put(inbox, b.write(reply(func(m *rules.Message) { m.Received = turnedOn.Add(-time.Hour) })))
	other := b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) { m.Header.InReplyTo = "<other@x>" })))
	mine := b.put("Sent", b.write(reply()))
	elsewhere := b.put("Projects", b.write(reply()))
	if m := s.expect(t, "reply", first, Queue, ""); m.Mark != capture.MarkThread {
		t.Errorf("mark %q", m.Mark)
	}
	s.expect(t, "my answer", mine, Queue, "")
	s.expect(t, "another conversation", other, "", "")
	s.expect(t, "before it was followed", before, "", "")
	s.expect(t, "in a folder of no part", elsewhere, "", "")
	if s.lookups > 3 {
		t.Errorf("%d questions about conversations for one look", s.lookups)
	}
	clear(s.threads)
	clear(s.members)
	heads := b.heads
	s.expect(t, "after Stop", b.put(inbox, b.write(reply())), "", "")
	if b.heads != heads {
		t.Error("header blocks are read for nobody")
	}
	s.choices, s.threads[8], s.members["<root@x>"] = everything(), turnedOn, 8
	if m := s.expect(t, "with automatic capture", b.put(inbox, b.write(reply())), Queue, ""); m.Mark != capture.MarkThread {
		t.Errorf("mark %q", m.Mark)
	}
}

// TestC05: somebody blocked joins a followed conversation.
func TestC05ABlockedPersonJoins(t *testing.T) {
	t.Parallel()
	b := world()
	s := newSetup(b, capture.Choices{Block: []string{"rival.example"}}, capture.Company{})
	s.now, s.threads[1], s.members["<root@x>"] = turnedOn.Add(time.Hour), turnedOn, 1
	joined := b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) {
		m.Header.InReplyTo, m.Header.Cc = "<root@x>", []capture.Address{{Addr: "spy@rival.example"}}
	})))
	if m := s.expect(t, "joined", joined, Hold, string(fault.BlockedAddress)); m.Content == nil || m.Mark != capture.MarkThread {
		t.Errorf("held %+v", m)
	}
	rep, err := s.engine.Fetch(t.Context(), []capture.Ref{{Folder: inbox, Validity: 1, UID: 1}})
	if m, _ := s.row(joined); err != nil || m.Verdict != Queue || m.Mark != capture.MarkHand {
		t.Errorf("released by hand: %+v, %v, %+v", rep, err, m)
	}
}

// TestAMarkOverrulesWhatRulesLeftOut, but not what its owner decided in the program.
func TestAMarkOverrulesWhatRulesLeftOut(t *testing.T) {
	t.Parallel()
	b := world()
	choices := everything()
	choices.Rules, choices.Words = nil, []string{"attorney"}
	s := newSetup(b, choices, capture.Company{})
	plain := b.put(inbox, b.write(note("ann@cust.example")))
	s.expect(t, "left out", plain, Filter, string(rules.NoRuleAllows))
	plain.keyword = true
	if m := s.expect(t, "marked", plain, Queue, ""); m.Mark != capture.MarkKeyword || s.book.seen != 1 {
		t.Errorf("%+v, seen %d", m, s.book.seen)
	}
	s.choices.Rules = everything().Rules
	sensitive := b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) { m.Body.Text = "attorney" })))
	s.expect(t, "held", sensitive, Hold, string(fault.SensitiveWord))
	b.put("Salesforce", b.folder(inbox).take(1))
	s.expect(t, "moved to the folder", sensitive, Queue, "")

	skipped := b.put("Salesforce", b.write(note("ann@cust.example")))
	s.expect(t, "saved", skipped, Queue, "")
	for key, row := range s.book.rows {
		if row.Ref.UID == 2 && row.Ref.Folder == "Salesforce" {
			row.Verdict, row.Rule, row.Head, row.Content = Filter, string(rules.SkippedByHand), capture.Header{}, nil
			s.book.rows[key] = row
		}
	}
	b.folder("Salesforce").renumber()
	s.expect(t, "skipped stays skipped", skipped, Filter, string(rules.SkippedByHand))
}

// TestI09: whatever happened to the cursor, a daily comparison with the last seven days finds what
// is missing, and an edit of the rules reaches back as far as the hit count that is shown for it.
func TestI09DailyComparison(t *testing.T) {
	t.Parallel()
	b := world()
	choices := everything()
	choices.Block = []string{"cust.example"}
	s := newSetup(b, choices, capture.Company{})
	blocked := b.put(inbox, b.write(note("ann@cust.example")))
	s.expect(t, "blocked", blocked, Filter, string(rules.BlockedPersonal))
	var lost []*letter
	for _, folder := range []string{inbox, "Sent", "Salesforce"} {
		lost = append(lost, b.put(folder, b.write(note("ann@other.example"))))
	}
	keyword := b.put("Projects", b.write(note("ann@other.example")))
	for name, cur := range s.book.cursors { // as if the server had forgotten to tell
		if cur.Next != 0 {
			cur.Next += 1
			s.book.cursors[name] = cur
		}
	}
	s.choices.Block = nil
	keyword.keyword = true
	for _, l := range lost {
		if _, ok := s.row(l); ok {
			t.Fatal("not lost at all")
		}
	}
	s.now = s.now.Add(25 * time.Hour)
	for _, l := range append(lost, keyword, blocked) {
		s.expect(t, fmt.Sprint("letter ", l.n), l, Queue, "")
	}
	heads := b.heads
	if err := s.look(t.Context()); err != nil || b.heads != heads+1 { // the keyword's
		t.Errorf("compared again within a day: %v, %d more header blocks", err, b.heads-heads)
	}
	s.choices.Block = []string{"late.example"}
	old := b.put(inbox, b.write(note("x@late.example")))
	s.expect(t, "blocked", old, Filter, string(rules.BlockedPersonal))
	s.choices.Block = nil
	s.now = turnedOn.Add(9 * 24 * time.Hour)
	s.expect(t, "older than a week", old, Filter, string(rules.BlockedPersonal))
}

// TestF23F30: renumbered, renamed, moved out and back, in five folders: one record, nothing missing.
func TestF23F30OneRecordWhereverItLies(t *testing.T) {
	t.Parallel()
	b := world()
	s := newSetup(b, everything(), capture.Company{})
	var letters []*letter
	for i := range 8 {
		l := b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) {
			if i == 7 {
				m.Header.MessageID = "none"
			}
		})))
		letters = append(letters, l)
	}
	all := func(what string) {
		t.Helper()
		for _, l := range letters {
			s.expect(t, what, l, Queue, "")
		}
		if len(s.book.rows) != len(letters) || s.book.seen != len(letters) {
			t.Errorf("%s: %d rows for %d mails", what, len(s.book.rows), len(letters))
		}
	}
	all("at first")
	b.folder(inbox).renumber()
	all("renumbered")
	b.put("Projects", b.folder(inbox).take(2))
	all("moved out")
	b.put(inbox, b.folder("Projects").take(0))
	all("and back")
	for _, name := range []string{"Sent", "Projects", "Salesforce", "Trash"} {
		b.put(name, letters[0])
	}
	letters[0].keyword = true
	all("in five folders")
	b.folder("Sent").Name = "Gesendet"
	letters = append(letters, b.put("Gesendet", b.write(note("me@acme.example", func(m *rules.Message) {
		m.Header.To = []capture.Address{{Addr: "ann@cust.example"}}
	}))))
	all("renamed")
}

// TestWatchFollowsTheChoices keeps an ear on the chosen folders, and on no more than four.
func TestWatchFollowsTheChoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := world()
		s := newSetup(b, everything(), capture.Company{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.engine.Run(ctx) }()
		watched := func() (names []string) {
			synctest.Wait()
			for len(b.watching) > 0 {
				names = <-b.watching
			}
			return names
		}
		if names := watched(); !slices.Equal(names, []string{"Salesforce", inbox, "Sent"}) {
			t.Errorf("watches %q", names)
		}
		l := b.put("Sent", b.write(note("me@acme.example", func(m *rules.Message) { m.Header.To = []capture.Address{{Addr: "ann@cust.example"}} })))
		synctest.Wait()
		if _, ok := s.row(l); !ok {
			t.Error("a sent mail waits for the next poll")
		}
		s.choices.Automatic = false
		s.engine.CheckNow()
		if names := watched(); !slices.Equal(names, s.engine.Watched()) || len(names) != 2 {
			t.Errorf("watches %q after it was turned off", names)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestTakeAMailFromAFile(t *testing.T) {
	t.Parallel()
	src, led := newBox(), newBook()
	e := newEngine(t, src, led, nil)
	rep, err := e.Take(t.Context(), strings.NewReader(mailWith("<1@x>", "from a file")))
	again, err2 := e.Take(t.Context(), strings.NewReader(mailWith("<1@x>", "from a file")))
	if errors.Join(err, err2) != nil || rep.Queued != 1 || again.Already != 1 || len(led.rows) != 1 {
		t.Errorf("%+v %v, again %+v %v", rep, err, again, err2)
	}
	for _, row := range led.rows {
		if row.Verdict != Queue || row.Mark != capture.MarkHand || row.Head.Subject != "from a file" || row.Size == 0 {
			t.Errorf("%+v", row)
		}
	}
	if _, err := e.Take(t.Context(), strings.NewReader("\x00\x01 a picture")); !fault.Is(err, fault.Usage) {
		t.Errorf("no mail: %v", err)
	}
	huge := io.MultiReader(strings.NewReader(mailWith("<2@x>", "huge")), bytes.NewReader(make([]byte, 2<<20)))
	if _, err := e.Take(t.Context(), huge); !fault.Is(err, fault.MailTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if led.staged != 0 || len(led.rows) != 1 {
		t.Errorf("%d staged mails left over, %d rows", led.staged, len(led.rows))
	}
}

// TestLogsSayNothing captures with a log and looks for what mails say.
func TestLogsSayNothing(t *testing.T) {
	t.Parallel()
	b := world()
	var log bytes.Buffer
	s := newSetup(b, everything(), capture.Company{})
	s.engine.cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.expect(t, "saved", b.put(inbox, b.write(note("ann@cust.example", func(m *rules.Message) { m.Header.Subject = "canary" }))), Queue, "")
	s.choices.Block = []string{"cust.example"}
	s.expect(t, "blocked", b.put(inbox, b.write(note("ann@cust.example"))), Filter, string(rules.BlockedPersonal))
	if text := log.String(); text == "" || strings.Contains(text, "canary") || strings.Contains(text, "cust.example") {
		t.Errorf("log: %s", text)
	}
}
