package agentdb

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// filteredMail is mail n as automatic capture leaves it alone.
func filteredMail(n int, reason rules.Reason, rule string) NewMail {
	h := headOf(n)
	return NewMail{
		Key: keyOf(n), Fingerprint: capture.Fingerprint(h), State: Filtered, Reason: reason, Rule: rule, Mark: capture.MarkRule, Head: h,
		Ref: capture.Ref{Folder: "INBOX", Validity: 1, UID: uint32(n + 1)}, Received: h.Date,
	}
}

func reason(t testing.TB, d *DB, n int) Reason {
	t.Helper()
	r, ok, err := d.Reason(t.Context(), keyOf(n))
	if err != nil || !ok {
		t.Fatalf("mail %d: %v %v", n, ok, err)
	}
	return r
}

// TestJ10LedgerAnswers: for every mail that was seen, one reason.
func TestJ10LedgerAnswers(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	held := waitingMail(t, d, 3, []byte("held"))
	held.State, held.Why, held.Rule = Held, fault.SensitiveWord, "salary"
	twice := filteredMail(1, "kind-list", "")
	if n := admit(t, d, filteredMail(1, "denied-by-rule", "r7"), filteredMail(2, "kind-list", ""), held, waitingMail(t, d, 4, nil), twice); n != 4 {
		t.Errorf("%d added, want 4", n)
	}
	settle(t, d, deliver.Outcome{Job: due(t, d)[0].ID, Verdict: deliver.Sent, RecordID: "02s", Kind: deliver.Email})
	for n, want := range map[int]Reason{
		1: {State: Filtered, Why: "denied-by-rule", Rule: "r7", Mark: capture.MarkRule},
		2: {State: Filtered, Why: "kind-list", Mark: capture.MarkRule},
		3: {State: Held, Why: string(fault.SensitiveWord), Rule: "salary", Mark: capture.MarkFolder},
		4: {State: Captured, Mark: capture.MarkFolder, RecordID: "02s", Kind: deliver.Email},
	} {
		got := reason(t, d, n)
		if want.ID, want.At = got.ID, now; got != want || got.ID == 0 {
			t.Errorf("mail %d: %+v, want %+v", n, got, want)
		}
	}
	if _, ok, err := d.Reason(t.Context(), keyOf(99)); ok || err != nil {
		t.Errorf("a mail that was never seen: %v %v", ok, err)
	}
	list, err := d.List(t.Context(), "filtered", 1)
	if err != nil || len(list) != 1 || list[0].Reason != "kind-list" || list[0].State != "filtered" || !list[0].Date.Equal(now) {
		t.Errorf("filtered: %+v %v", list, err)
	}
	item, err := d.Item(t.Context(), reason(t, d, 1).ID)
	if err != nil || item.Rule != "r7" || item.Reason != "denied-by-rule" {
		t.Errorf("item %+v %v", item, err)
	}
	check(t, d)
}

func TestAFilteredMailKeepsHashesOnly(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	m := filteredMail(1, "blocked-personal", "ann1@example.com")
	m.Staged = waitingMail(t, d, 1, randomBytes(2*pieceSize)).Staged
	admit(t, d, m)
	if n := scalar(t, d, `SELECT (SELECT count(*) FROM mail) + (SELECT count(*) FROM content) + (SELECT count(*) FROM spool) +
		(SELECT count(*) FROM folder)`); n != 0 {
		t.Errorf("%d other rows tell of it", n)
	}
	key, err := keyBytes(m.Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(d.path(t))
	for _, word := range [][]byte{key, key[:hashSize], []byte("ann1"), []byte("blocked-personal"), []byte("INBOX"), m.Fingerprint[:8]} {
		noneIn(t, dir, word)
	}
	known, err := d.Known(t.Context(), []capture.Key{m.Key})
	k := known[m.Key]
	if err != nil || k.State != Filtered || !k.Matches(m.Fingerprint) || k.Matches([32]byte{1}) {
		t.Errorf("known %+v %v", known, err)
	}
	if n := admit(t, d, m); n != 0 {
		t.Errorf("%d added the second time", n)
	}
	check(t, d)
}

// path is where the database lies.
func (d *DB) path(t *testing.T) (path string) {
	t.Helper()
	if err := d.db.Read().QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWhoMayBringAMailBack: other rules may decide otherwise; what a person decided, or has to
// decide, gives way to that person's own mark alone.
func TestWhoMayBringAMailBack(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	marks := []capture.Mark{capture.MarkHand, capture.MarkFolder, capture.MarkKeyword, capture.MarkThread, capture.MarkRule}
	type was string
	const filtered, marked, skipped, held, waiting was = "filtered", "filtered though marked", "skipped", "held", "waiting"
	want := map[was]string{filtered: "yes yes yes yes yes", marked: "yes yes yes yes yes", skipped: "yes yes yes no no", held: "yes yes yes no no", waiting: "no no no no no"}
	n := 0
	for state, answers := range want {
		got := ""
		for _, mark := range marks {
			n++
			first := filteredMail(n, "no-rule-allows", "")
			if state != filtered && state != marked {
				first = waitingMail(t, d, n, []byte("first"))
				first.Mark = capture.MarkRule
			}
			switch state {
			case marked:
				first.Mark = capture.MarkFolder
			case held:
				first.State, first.Why = Held, fault.SensitiveWord
			}
			admit(t, d, first)
			if state == skipped {
				if err := d.Skip(t.Context(), reason(t, d, n).ID); err != nil {
					t.Fatal(err)
				}
			}
			second := waitingMail(t, d, n, []byte("second"))
			second.Mark = mark
			before := counts(t, d)
			if mark != capture.MarkHand {
				admit(t, d, second)
				if r := reason(t, d, n); counts(t, d) != before || r.Mark != first.Mark {
					t.Errorf("%s, %s: taken without leave", state, mark)
				}
				second = waitingMail(t, d, n, []byte("second"))
				second.Mark, second.Again = mark, true
			}
			if added := admit(t, d, second); added != 0 {
				t.Errorf("%s, %s: counted as new", state, mark)
			}
			answer := " no"
			if r := reason(t, d, n); r.State == Waiting && r.Mark == mark && string(read(t, d, r.ID)) == "second" {
				answer = " yes"
			}
			if got += answer; counts(t, d).Seen != before.Seen {
				t.Errorf("%s, %s: seen changed", state, mark)
			}
		}
		if got = got[1:]; got != answers {
			t.Errorf("%s: %s comes back %s, want %s", state, fmt.Sprint(marks), got, answers)
		}
	}
	check(t, d)
}

// TestAQueuedMailSeenWhereItWouldBeFiltered stays queued.
func TestAQueuedMailSeenWhereItWouldBeFiltered(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	admit(t, d, waitingMail(t, d, 1, []byte("x")))
	if n := admit(t, d, filteredMail(1, "no-rule-allows", "")); n != 0 {
		t.Errorf("%d added", n)
	}
	item, err := d.Item(t.Context(), due(t, d)[0].ID)
	if err != nil || item.Ref.Folder != "INBOX" || item.Ref.UID != 2 {
		t.Errorf("%+v %v", item, err)
	}
	check(t, d)
}

// TestAHeldMailKeepsItsContent when it is picked by hand and still cannot be queued.
func TestAHeldMailKeepsItsContent(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	first, second := waitingMail(t, d, 1, []byte("first")), waitingMail(t, d, 1, nil)
	first.State, first.Why, first.Mark = Held, fault.SensitiveWord, capture.MarkRule
	second.State, second.Why, second.Mark, second.Again, second.Staged = Held, fault.MailTooLarge, capture.MarkHand, true, nil
	admit(t, d, first, second)
	if r := reason(t, d, 1); r.Why != string(fault.SensitiveWord) || string(read(t, d, r.ID)) != "first" {
		t.Errorf("reason %+v", r)
	}
}

// TestIdsGoOnAfterAStart: filtered mails and those of the queue share their numbers.
func TestIdsGoOnAfterAStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	d, err := Open(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	admit(t, d, waitingMail(t, d, 1, []byte("x")), filteredMail(2, rules.KindList, ""), filteredMail(3, rules.KindList, ""))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	admit(t, d, waitingMail(t, d, 4, []byte("x")), filteredMail(5, rules.KindList, ""))
	if a, b := reason(t, d, 4).ID, reason(t, d, 5).ID; a <= reason(t, d, 3).ID || b == a {
		t.Errorf("numbers %d and %d", a, b)
	}
	check(t, d)
}
