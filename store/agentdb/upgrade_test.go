package agentdb

import (
	"compress/gzip"
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// old unpacks a file that the first version wrote: mails 0 and 1 wait, 2 needs a person, 3 is held,
// 4 was filtered by a rule, 5 skipped, 6 and 7 captured.
func old(t *testing.T) string {
	t.Helper()
	packed, err := os.Open("testdata/queue-001.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queue.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), old(t)
	d := open(t, path)
	check(t, d)
	if c := counts(t, d); c != (Counts{Seen: 8, Captured: 2, Filtered: 2, Held: 1, Waiting: 3, NeedsYou: 1}) {
		t.Errorf("counts %+v", c)
	}
	for i, want := range []Reason{
		{State: Waiting, Mark: capture.MarkFolder}, {State: Waiting, Mark: capture.MarkFolder},
		{State: NeedsYou, Why: string(fault.ValidationFailed), Mark: capture.MarkFolder},
		{State: Held, Why: string(fault.MailTooLarge), Mark: capture.MarkFolder},
		{State: Filtered, Why: "not-marked"}, {State: Filtered, Why: string(rules.SkippedByHand), Mark: capture.MarkFolder},
		{State: Captured, Mark: capture.MarkFolder, RecordID: "02s" + string(keyOf(6)[:3]), Kind: deliver.Email},
		{State: Captured, Mark: capture.MarkFolder, RecordID: "02s" + string(keyOf(7)[:3]), Kind: deliver.Email},
	} {
		got, ok, err := d.Reason(ctx, keyOf(i))
		if err != nil || !ok || got.At.Year() < 2026 {
			t.Errorf("mail %d: %+v %v", i, got, err)
		}
		got.ID, got.At = 0, want.At
		if got != want {
			t.Errorf("mail %d: %+v, want %+v", i, got, want)
		}
	}
	lines, err := d.Journal(ctx, 0, 10)
	if err != nil || len(lines) != 2 || lines[0].Mark != capture.MarkFolder || lines[0].Bytes != 42 || lines[0].Files != 2 || lines[0].LeftOut != 1 {
		t.Errorf("journal %+v %v", lines, err)
	}
	if n := scalar(t, d, "SELECT count(*) FROM mail m WHERE moved_at <> coalesce((SELECT at FROM journal j WHERE j.mail = m.id), seen_at)"); n != 0 {
		t.Errorf("%d mails do not know since when they are what they are", n)
	}
	jobs := due(t, d)
	if len(jobs) != 2 || string(read(t, d, jobs[0].ID)) != "mail 0" {
		t.Errorf("jobs %+v", jobs)
	}
	if c, ok, err := d.Cursor(ctx, "Salesforce"); err != nil || !ok || c.Next != 8 {
		t.Errorf("cursor %+v %v", c, err)
	}
	if s, err := d.Secret(ctx, "refresh"); err != nil || s.Reveal() != "token" {
		t.Errorf("secret: %v", err)
	}
	// Who is in an old mail is known while its head is.
	f, err := d.Forget(ctx, "ANN1@example.com")
	if err != nil || f.Removed != 1 || len(f.Records) != 0 {
		t.Errorf("forgotten %+v %v", f, err)
	}
	if f, err = d.Forget(ctx, "me@example.net"); err != nil || f.Removed != 4 { // two waiting, one held, one skipped
		t.Errorf("forgotten %+v %v", f, err)
	}
	admit(t, d, waitingMail(t, d, 100, []byte("new")))
	check(t, d)
}

// TestUpgradeRemovesWords: what a rule kept out is reduced to what such a mail is now.
func TestUpgradeRemovesWords(t *testing.T) {
	t.Parallel()
	d := open(t, old(t))
	if n := scalar(t, d, "SELECT count(*) FROM mail WHERE why = 'not-marked' AND head IS NULL AND folder IS NULL AND uid = 0"); n != 1 {
		t.Error("a filtered mail keeps its head or its place")
	}
	if n := scalar(t, d, "SELECT count(*) FROM mail WHERE why = 'skipped-by-hand' AND head IS NOT NULL"); n != 1 {
		t.Error("a skipped mail lost its head")
	}
}

func TestUpgradedIsFresh(t *testing.T) {
	t.Parallel()
	layout := func(d *DB) (text string) {
		const all = `SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10)) FROM
			(SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name)`
		if err := d.db.Read().QueryRowContext(t.Context(), all).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if a, b := layout(open(t, old(t))), layout(open(t, filepath.Join(t.TempDir(), "queue.db"))); a != b {
		t.Errorf("upgraded:\n%s\nfresh:\n%s", a, b)
	}
}

// TestAnOlderProgramRefuses: the version before this one leaves the file as it is.
func TestAnOlderProgramRefuses(t *testing.T) {
	t.Parallel()
	path := old(t)
	d, err := Open(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	first, err := migrations.ReadFile("migrations/001_queue.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlitedb.Open(t.Context(), sqlitedb.Config{Path: path, Migrations: fstest.MapFS{"001_queue.sql": {Data: first}}})
	wantFault(t, err, fault.QueueNewer)
	check(t, open(t, path))
}

// TestUpgradeIsAllOrNothing: a file that the upgrade fails on is as it was.
func TestUpgradeIsAllOrNothing(t *testing.T) {
	t.Parallel()
	path := old(t)
	first, err := migrations.ReadFile("migrations/001_queue.sql")
	if err != nil {
		t.Fatal(err)
	}
	second, err := migrations.ReadFile("migrations/002_choosing.sql")
	if err != nil {
		t.Fatal(err)
	}
	broken := fstest.MapFS{"001_queue.sql": {Data: first}, "002_choosing.sql": {Data: append(second, "INSERT INTO mail (id) VALUES (1);\n"...)}}
	if _, err := sqlitedb.Open(t.Context(), sqlitedb.Config{Path: path, Migrations: broken}); err == nil {
		t.Fatal("a failing step passed")
	}
	before, err := sqlitedb.Open(t.Context(), sqlitedb.Config{Path: path, Migrations: fstest.MapFS{"001_queue.sql": {Data: first}}})
	if err != nil {
		t.Fatalf("the old program no longer opens it: %v", err)
	}
	var heads int
	err = before.Tx(t.Context(), "look", func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT count(*) FROM mail WHERE head IS NOT NULL").Scan(&heads)
	})
	if err != nil || heads != 6 {
		t.Errorf("%d heads, want 6, %v", heads, err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, open(t, path))
}
