package agentdb

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/rules"
)

// save admits mail n and has it saved as the given record.
func save(t testing.TB, d *DB, n int, o deliver.Outcome) int64 {
	t.Helper()
	admit(t, d, waitingMail(t, d, n, []byte("x")))
	o.Job = reason(t, d, n).ID
	o.Verdict = deliver.Sent
	settle(t, d, o)
	return o.Job
}

// TestG08Journal: what the first step learned is in the line that the last one writes, sealed.
func TestG08Journal(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	admit(t, d, waitingMail(t, d, 1, []byte("x")))
	id := due(t, d)[0].ID
	matched := []match.Reason{{Address: "kanarienvogel@example.com", Field: "Contact.Email", RecordID: "003a"}}
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Advanced, Next: deliver.StepAttach, RecordID: "02s1", Kind: deliver.Email,
		Matched: matched, Level: capture.LevelText})
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Sent, Bytes: 42, Files: 2, LeftOut: 1})
	lines, err := d.Journal(ctx, 0, 5)
	if err != nil || len(lines) != 1 {
		t.Fatalf("journal %+v %v", lines, err)
	}
	want := Entry{Mail: id, At: lines[0].At, Kind: deliver.Email, RecordID: "02s1", Bytes: 42, Files: 2, LeftOut: 1, Mark: capture.MarkFolder,
		Level: capture.LevelText, Matched: matched, line: lines[0].line}
	if fmt.Sprint(lines[0]) != fmt.Sprint(want) {
		t.Errorf("line %+v, want %+v", lines[0], want)
	}
	noneIn(t, dir, []byte("kanarienvogel"))
	check(t, d)
	d.exec(t, "UPDATE journal SET record = zeroblob(80)")
	_, err = d.Journal(ctx, 0, 5)
	wantFault(t, err, fault.QueueDamaged)
}

func TestJournalByPages(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	d.exec(t, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO journal (mail, at, kind, record_id, bytes, files, left_out, mark) SELECT 5000 - i, i, 'Task', 'r' || i, i, 0, 0, 'hand' FROM n`, 2*journalPage+3))
	var all, paged []string
	for e, err := range d.Lines(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.RecordID)
	}
	for before := int64(0); ; {
		page, err := d.Journal(ctx, before, 70)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			paged = append(paged, e.RecordID)
		}
		before = page[len(page)-1].Mail
	}
	if len(all) != 2*journalPage+3 || all[0] != fmt.Sprint("r", len(all)) || !slices.Equal(all, paged) {
		t.Errorf("%d lines streamed, %d by pages, first %s", len(all), len(paged), all[0])
	}
	for range d.Lines(ctx) {
		break
	}
}

// TestC06Unsave: the mail is filtered, its line stays and says so; picked by hand it is saved
// again with a line of its own.
func TestC06Unsave(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	id, other := save(t, d, 1, deliver.Outcome{RecordID: "02s1", Kind: deliver.Email}), save(t, d, 2, deliver.Outcome{RecordID: "02s2", Kind: deliver.Email})
	if err := d.Unsaved(ctx, id); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.Unsaved(ctx, id), fault.NotFound)
	if r := reason(t, d, 1); r.State != Filtered || r.Why != string(rules.RemovedAgain) || r.RecordID != "" {
		t.Errorf("reason %+v", r)
	}
	check(t, d)
	again := waitingMail(t, d, 1, []byte("x"))
	admit(t, d, again) // the capture folder has it still
	if r := reason(t, d, 1); r.State != Filtered {
		t.Errorf("it came back by itself: %+v", r)
	}
	again = waitingMail(t, d, 1, []byte("x"))
	again.Mark = capture.MarkHand
	admit(t, d, again)
	check(t, d)
	settle(t, d, deliver.Outcome{Job: reason(t, d, 1).ID, Verdict: deliver.Sent, RecordID: "02s3", Kind: deliver.Email})
	lines, err := d.Journal(ctx, 0, 5)
	if err != nil || len(lines) != 3 || lines[0].RecordID != "02s3" || lines[2].Mail != id || lines[2].Removed.IsZero() || lines[1].Mail != other || !lines[1].Removed.IsZero() {
		t.Errorf("journal %+v %v", lines, err)
	}
	if c := counts(t, d); c != (Counts{Seen: 2, Captured: 2}) {
		t.Errorf("counts %+v", c)
	}
	check(t, d)
}

func TestChoices(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	if c, version, err := d.Choices(ctx); err != nil || version != 0 || c.Automatic || c.Rules != nil {
		t.Errorf("choices nobody made: %+v %d %v", c, version, err)
	}
	for want := range int64(3) {
		c := capture.Choices{Automatic: true, Since: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Days: int(want), Block: []string{"kanarienvogel@example.com"}}
		version, err := d.SaveChoices(ctx, c)
		got, have, err2 := d.Choices(ctx)
		if errors.Join(err, err2) != nil || version != want+1 || have != version || fmt.Sprint(got) != fmt.Sprint(c) {
			t.Errorf("version %d, then %d: %+v %v %v", version, have, got, err, err2)
		}
	}
	noneIn(t, dir, []byte("kanarienvogel"))
	d.exec(t, "UPDATE setting SET sealed = zeroblob(60)")
	_, _, err := d.Choices(ctx)
	wantFault(t, err, fault.QueueDamaged)
	_, err = d.SaveChoices(ctx, capture.Choices{})
	wantFault(t, err, fault.QueueDamaged)
}
