package agentdb

import (
	"path/filepath"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

func tidy(t testing.TB, d *DB) Tidied {
	t.Helper()
	got, err := d.Tidy(t.Context(), d.now())
	if err != nil {
		t.Fatal(err)
	}
	check(t, d)
	return got
}

// TestE04Expiry: an unmatched mail is given up after 14 days, not before, and nothing of it
// is left on the disk.
func TestE04Expiry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	for n := range 3 {
		admit(t, d, waitingMail(t, d, n, randomBytes(3*pieceSize)))
	}
	jobs := due(t, d)
	settle(t, d, deliver.Outcome{Job: jobs[0].ID, Verdict: deliver.Held, Code: fault.Unmatched})
	settle(t, d, deliver.Outcome{Job: jobs[1].ID, Verdict: deliver.Held, Code: fault.BlockedAddress})
	var sealed []byte
	if err := d.db.Read().QueryRowContext(t.Context(), "SELECT substr(sealed, -64) FROM content WHERE id = ?", contentID(jobs[0].ID, 1)).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	now = now.Add(HeldFor)
	if got := tidy(t, d); got != (Tidied{}) {
		t.Errorf("on the last day: %+v", got)
	}
	if !isIn(t, dir, sealed) {
		t.Fatal("the content is not where this test looks")
	}
	now = now.Add(time.Minute)
	if got := tidy(t, d); got != (Tidied{Expired: 1}) {
		t.Errorf("after it: %+v", got)
	}
	noneIn(t, dir, sealed)
	if r := reason(t, d, 0); r.State != Filtered || r.Why != string(rules.ExpiredUnmatched) || !r.At.Equal(now) {
		t.Errorf("reason %+v", r)
	}
	if c := counts(t, d); c != (Counts{Seen: 3, Filtered: 1, Held: 1, Waiting: 1}) {
		t.Errorf("counts %+v", c)
	}
	if item, err := d.Item(t.Context(), jobs[0].ID); err != nil || item.Subject != "" || item.From != nil || item.Stored || item.Ref != (capture.Ref{}) {
		t.Errorf("item %+v %v", item, err)
	}
}

// TestWhatIsOldIsForgotten: filtered mails and journal lines after 90 days, captured mails never;
// the cursor stays, so that a rescan does not meet what was forgotten.
func TestWhatIsOldIsForgotten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	const many = 2*tidyBatch + 7
	mails := make([]NewMail, many)
	for i := range mails {
		mails[i] = filteredMail(i, "no-rule-allows", "")
	}
	cursor := capture.Cursor{Folder: "INBOX", Validity: 1, Next: many + 1}
	if _, err := d.Admit(ctx, mails, []capture.Cursor{cursor}); err != nil {
		t.Fatal(err)
	}
	saved, skipped := save(t, d, many, deliver.Outcome{RecordID: "02s1", Kind: deliver.Email}), many+1
	unsaved := save(t, d, many+2, deliver.Outcome{RecordID: "02s2", Kind: deliver.Email})
	admit(t, d, waitingMail(t, d, skipped, []byte("x")))
	if err := d.Skip(ctx, reason(t, d, skipped).ID); err != nil {
		t.Fatal(err)
	}
	if err := d.Unsaved(ctx, unsaved); err != nil {
		t.Fatal(err)
	}
	now = now.Add(Kept)
	admit(t, d, filteredMail(many+3, "kind-list", ""))
	young := save(t, d, many+4, deliver.Outcome{RecordID: "02s3", Kind: deliver.Email})
	if got := tidy(t, d); got != (Tidied{}) {
		t.Errorf("on the last day: %+v", got)
	}
	now = now.Add(time.Minute)
	if got := tidy(t, d); got != (Tidied{Filtered: many + 2, Lines: 2}) {
		t.Errorf("after it: %+v", got)
	}
	if c := counts(t, d); c != (Counts{Seen: 3, Captured: 2, Filtered: 1}) {
		t.Errorf("counts %+v", c)
	}
	if n := scalar(t, d, "SELECT count(*) FROM reason"); n != 1 {
		t.Errorf("%d reasons are left, want 1", n)
	}
	if r := reason(t, d, many); r.ID != saved || r.State != Captured || r.RecordID != "02s1" || r.Kind != deliver.Email {
		t.Errorf("the captured mail: %+v", r)
	}
	if n := scalar(t, d, "SELECT count(*) FROM mail WHERE people IS NOT NULL"); n != 1 {
		t.Errorf("%d mails tell who was in them, want the young one", n)
	}
	lines, err := d.Journal(ctx, 0, 10)
	if err != nil || len(lines) != 1 || lines[0].Mail != young {
		t.Errorf("journal %+v %v", lines, err)
	}
	if c, ok, err := d.Cursor(ctx, "INBOX"); err != nil || !ok || c != cursor {
		t.Errorf("cursor %+v %v", c, err)
	}
	if n := admit(t, d, waitingMail(t, d, many, []byte("x"))); n != 0 {
		t.Error("a captured mail was captured again")
	}
	if got := tidy(t, d); got != (Tidied{}) {
		t.Errorf("once more: %+v", got)
	}
}

// TestTidyAndAWrongClock: what was written while the clock was ahead is neither kept for ever nor,
// where it is content, thrown away early.
func TestTidyAndAWrongClock(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	now := time.Date(2036, 5, 1, 8, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	admit(t, d, filteredMail(1, "kind-list", ""), waitingMail(t, d, 2, []byte("x")))
	settle(t, d, deliver.Outcome{Job: due(t, d)[0].ID, Verdict: deliver.Held, Code: fault.Unmatched})
	save(t, d, 3, deliver.Outcome{RecordID: "02s1", Kind: deliver.Email})
	now = now.AddDate(-10, 0, 0)
	if got := tidy(t, d); got != (Tidied{Filtered: 1, Lines: 1}) {
		t.Errorf("%+v", got)
	}
	now = now.Add(HeldFor + time.Minute)
	if got := tidy(t, d); got != (Tidied{Expired: 1}) {
		t.Errorf("%+v", got)
	}
}
