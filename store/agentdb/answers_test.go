package agentdb

import (
	"maps"
	"path/filepath"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

// asked is a question about the given address.
func asked(address string) *capture.Question {
	return &capture.Question{Kind: capture.AskPerson, Subject: address, Options: []capture.Option{
		{ID: "003a", Type: "Contact", Name: "Ann", About: "Acme"}, {ID: "003b", Type: "Contact", Name: "Ann", About: "Beta"}}}
}

func ask(t testing.TB, d *DB, n int, q *capture.Question) int64 {
	t.Helper()
	admit(t, d, waitingMail(t, d, n, []byte("x")))
	id := reason(t, d, n).ID
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.NeedsYou, Code: fault.ChoosePerson, Question: q})
	return id
}

// TestE02AskedOnce: the question waits with the mail, the answer goes with the job and holds
// for the next time.
func TestE02AskedOnce(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	id := ask(t, d, 1, asked("kanarienvogel@example.com"))
	item, err := d.Item(ctx, id)
	if err != nil || item.Question == nil || item.Question.Options[1].About != "Beta" || item.Why != fault.ChoosePerson {
		t.Fatalf("item %+v %v", item, err)
	}
	if _, ok, err := d.Pick(ctx, capture.AskPerson, "kanarienvogel@example.com"); ok || err != nil {
		t.Errorf("picked before it was answered: %v", err)
	}
	const key = deliver.AnswerPerson + "kanarienvogel@example.com"
	wantFault(t, d.Answer(ctx, id, deliver.AnswerFiles, deliver.Yes, false), fault.Usage)
	wantFault(t, d.Answer(ctx, id, key, "003c", false), fault.Usage)
	wantFault(t, d.Answer(ctx, 999, key, "003b", false), fault.NotFound)
	if len(due(t, d)) != 0 {
		t.Error("a wrong answer made the mail due")
	}
	if err := d.Answer(ctx, id, key, "003b", true); err != nil {
		t.Fatal(err)
	}
	jobs := due(t, d)
	if len(jobs) != 1 || !maps.Equal(jobs[0].Answers, map[string]string{key: "003b"}) || jobs[0].Mark != capture.MarkFolder {
		t.Errorf("jobs %+v", jobs)
	}
	if item, err = d.Item(ctx, id); err != nil || item.Question != nil {
		t.Errorf("item %+v %v", item, err)
	}
	if option, ok, err := d.Pick(ctx, capture.AskPerson, " KANARIENVOGEL@example.com"); option != "003b" || !ok || err != nil {
		t.Errorf("pick %q %v %v", option, ok, err)
	}
	if _, ok, err := d.Pick(ctx, capture.AskRelated, "kanarienvogel@example.com"); ok || err != nil {
		t.Errorf("another kind: %v %v", ok, err)
	}
	noneIn(t, dir, []byte("kanarienvogel"))
	noneIn(t, dir, []byte("Beta"))

	// A second question of the same mail keeps the first answer.
	related := &capture.Question{Kind: capture.AskRelated, Subject: "001", Options: []capture.Option{{ID: "006", Name: "Big deal"}}}
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.NeedsYou, Code: fault.ChooseRelated, Question: related})
	if err := d.Answer(ctx, id, deliver.AnswerRelated, "", false); err != nil {
		t.Fatal(err)
	}
	if jobs = due(t, d); !maps.Equal(jobs[0].Answers, map[string]string{key: "003b", deliver.AnswerRelated: ""}) {
		t.Errorf("answers %v", jobs[0].Answers)
	}
	list, err := d.Answers(ctx)
	if err != nil || len(list) != 1 || list[0].Option.About != "Beta" || list[0].Subject != "kanarienvogel@example.com" || list[0].At.IsZero() {
		t.Errorf("answers %+v %v", list, err)
	}
	if err := d.ForgetAnswers(ctx, "kanarienvogel@example.com"); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.ForgetAnswers(ctx, "kanarienvogel@example.com"), fault.NotFound)
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Sent, RecordID: "02s", Kind: deliver.Email})
	check(t, d)
}

// TestE04SaveWithoutLink: an unmatched mail is queued by an answer without a question.
func TestE04SaveWithoutLink(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	admit(t, d, waitingMail(t, d, 1, []byte("x")))
	id := reason(t, d, 1).ID
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Held, Code: fault.Unmatched, Detail: "nobody"})
	if c := counts(t, d); c != (Counts{Seen: 1, Held: 1}) {
		t.Errorf("counts %+v", c)
	}
	check(t, d)
	item, err := d.Item(ctx, id)
	if err != nil || item.Why != fault.Unmatched || !item.Stored || item.Expires.Sub(d.now()) < HeldFor-1e9*60 {
		t.Errorf("item %+v %v", item, err)
	}
	wantFault(t, d.Answer(ctx, id, deliver.AnswerUnmatched, deliver.Yes, true), fault.Usage)
	if err := d.Answer(ctx, id, deliver.AnswerUnmatched, deliver.Yes, false); err != nil {
		t.Fatal(err)
	}
	if jobs := due(t, d); len(jobs) != 1 || jobs[0].Answers[deliver.AnswerUnmatched] != deliver.Yes || string(read(t, d, id)) != "x" {
		t.Errorf("jobs %+v", jobs)
	}
	blank := waitingMail(t, d, 2, nil)
	blank.State, blank.Why, blank.Staged = Held, fault.MailTooLarge, nil
	admit(t, d, blank)
	wantFault(t, d.Answer(ctx, reason(t, d, 2).ID, deliver.AnswerUnmatched, deliver.Yes, false), fault.MailGone)
	if c := counts(t, d); c != (Counts{Seen: 2, Held: 1, Waiting: 1}) {
		t.Errorf("counts %+v", c)
	}
	check(t, d)
}

func TestAnswersGivenBeforehand(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	m := waitingMail(t, d, 1, []byte("x"))
	m.Answers = map[string]string{deliver.AnswerFiles: deliver.No}
	admit(t, d, m)
	if jobs := due(t, d); len(jobs) != 1 || jobs[0].Answers[deliver.AnswerFiles] != deliver.No {
		t.Errorf("jobs %+v", jobs)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ann@x.example": true, "Ann <ANN@x.example>": true, "write to ann@x.example.": true, "(ann@x.example)": true, "": false,
		"joann@x.example": false, "ann@x.example.com": false, "ann@x.examples": false, "jo.ann@x.example": false, "ann@x.example-y": false,
		"joann@x.example ann@x.example": true, "éann@x.example": false,
	} {
		if got := names(text, "ann@x.example"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
