package agentdb

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// TestG09Forget: nothing about the address is left but what others said, and the records that
// exist are named once.
func TestG09Forget(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	bind(t, d)
	const eve = "eve@example.com"
	with := func(n int, place func(*capture.Header, []capture.Address)) NewMail {
		m := waitingMail(t, d, n, randomBytes(2*pieceSize))
		place(&m.Head, []capture.Address{{Name: "Eve", Addr: "EVE@example.com"}})
		return m
	}
	from := func(h *capture.Header, a []capture.Address) { h.From = a }
	cc := func(h *capture.Header, a []capture.Address) { h.Cc = a }
	bcc := func(h *capture.Header, a []capture.Address) { h.Bcc = a }
	late := func(h *capture.Header, a []capture.Address) {
		for range 2 * recipients {
			h.To = append(h.To, capture.Address{Addr: "somebody@example.com"})
		}
		h.To = append(h.To, a...)
	}
	held, skipped := with(3, cc), with(4, from)
	held.State, held.Why = Held, fault.SensitiveWord
	admit(t, d, with(1, from), with(2, late), held, skipped, with(5, bcc), with(6, cc), with(7, from), waitingMail(t, d, 8, []byte("others")),
		filteredMail(9, "blocked-personal", eve), filteredMail(10, "blocked-personal", "stev"+eve))
	id := func(n int) int64 { return reason(t, d, n).ID }
	if err := d.Skip(ctx, id(4)); err != nil {
		t.Fatal(err)
	}
	ask := asked("Eve@Example.com")
	settle(t, d, deliver.Outcome{Job: id(5), Verdict: deliver.NeedsYou, Code: fault.ChoosePerson, Question: ask})
	if err := d.Answer(ctx, id(5), deliver.AnswerPerson+eve, "003a", true); err != nil {
		t.Fatal(err)
	}
	settle(t, d, deliver.Outcome{Job: id(5), Verdict: deliver.NeedsYou, Code: fault.ChoosePerson, Question: ask})
	settle(t, d, deliver.Outcome{Job: id(6), Verdict: deliver.Sent, RecordID: "02s6", Kind: deliver.Email, Level: capture.LevelText,
		Matched: []match.Reason{{Address: eve, Field: "Contact.Email", RecordID: "003a"}, {Address: "ann@example.com", Field: "Lead.Email", RecordID: "00Q"}}})
	settle(t, d, deliver.Outcome{Job: id(7), Verdict: deliver.Advanced, Next: deliver.StepAttach, RecordID: "02s7", Kind: deliver.Email})
	settle(t, d, deliver.Outcome{Job: id(8), Verdict: deliver.Sent, RecordID: "02s8", Kind: deliver.Email})
	if _, err := d.FollowThread(ctx, []string{"<t@x>"}, "Eve's offer", time.Now()); err != nil {
		t.Fatal(err)
	}
	thread := with(11, from)
	thread.Head.References = []string{"<t@x>"}
	admit(t, d, thread)
	before := counts(t, d)
	check(t, d)

	f, err := d.Forget(ctx, " Eve@Example.com ")
	if err != nil {
		t.Fatal(err)
	}
	check(t, d)
	if after := counts(t, d); after.Seen != before.Seen || after.Waiting != 0 || after.Held != 0 || after.Captured != 2 {
		t.Errorf("counts %+v, before %+v", after, before)
	}
	records := []string{}
	for _, e := range f.Records {
		records = append(records, e.RecordID)
		if e.RecordID == "02s6" && (len(e.Matched) != 2 || e.At.IsZero()) || e.RecordID == "02s7" && (e.Kind != deliver.Email || !e.At.IsZero()) {
			t.Errorf("record %+v", e)
		}
	}
	if slices.Sort(records); !slices.Equal(records, []string{"02s6", "02s7"}) {
		t.Errorf("records %v", records)
	}
	if f.Removed != 10 { // seven queued, held or skipped, one captured, one answer, one entry
		t.Errorf("%d traces", f.Removed)
	}
	if n := scalar(t, d, "SELECT count(*) FROM content"); n != 0 {
		t.Errorf("%d pieces of content are left", n)
	}
	for _, state := range []string{"", "held", "filtered", "captured"} {
		items, err := d.List(ctx, state, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			if i.Subject != "" || i.From != nil || i.To != nil || i.Question != nil || names(i.Rule, eve) {
				t.Errorf("%s: %+v", state, i)
			}
		}
	}
	if reason(t, d, 9).Why != "blocked-personal" || reason(t, d, 10).Rule != "stev"+eve {
		t.Error("what kept mails out is no longer known")
	}
	lines, err := d.Journal(ctx, 0, 5)
	if err != nil || len(lines) != 2 || len(lines[1].Matched) != 1 || lines[1].Matched[0].Address != "ann@example.com" || lines[1].Level != capture.LevelText {
		t.Errorf("journal %+v %v", lines, err)
	}
	if list, err := d.Answers(ctx); err != nil || len(list) != 0 {
		t.Errorf("answers %+v %v", list, err)
	}
	if list, err := d.Threads(ctx); err != nil || len(list) != 1 || list[0].Title != "" {
		t.Errorf("threads %+v %v", list, err)
	}
	if f, err = d.Forget(ctx, eve); err != nil || f.Removed != 0 || len(f.Records) != 0 {
		t.Errorf("the second time: %+v %v", f, err)
	}
	// A send that was on its way when the person asked still counts: the record exists.
	settle(t, d, deliver.Outcome{Job: id(1), Verdict: deliver.Sent, RecordID: "02s1", Kind: deliver.Email})
	check(t, d)
}

// TestForgetLeavesNoBytes: not even sealed or hashed.
func TestForgetLeavesNoBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	id := save(t, d, 1, deliver.Outcome{RecordID: "02s1", Kind: deliver.Email, Matched: []match.Reason{{Address: "ann1@example.com"}}})
	admit(t, d, waitingMail(t, d, 1001, []byte("x")))
	person := d.personOf("ANN1@example.com")
	var words []byte
	if err := d.db.Read().QueryRowContext(t.Context(), "SELECT record FROM journal WHERE mail = ?", id).Scan(&words); err != nil {
		t.Fatal(err)
	}
	if !isIn(t, dir, person) || !isIn(t, dir, words[len(words)-32:]) {
		t.Fatal("the traces are not where this test looks")
	}
	if _, err := d.Forget(t.Context(), "ann1@example.com"); err != nil {
		t.Fatal(err)
	}
	noneIn(t, dir, person)
	noneIn(t, dir, words[len(words)-32:])
	if c := counts(t, d); c != (Counts{Seen: 2, Captured: 1, Waiting: 1}) {
		t.Errorf("counts %+v", c)
	}
}
