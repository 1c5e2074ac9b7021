package agentdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/rules"
)

var testKey = bytes.Repeat([]byte{7}, 32)

func config(path string) Config {
	return Config{Path: path, Key: testKey, Log: slog.New(slog.DiscardHandler)}
}

func open(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func keyOf(n int) capture.Key {
	sum := sha256.Sum256(fmt.Appendf(nil, "mail %d", n))
	return capture.Key(hex.EncodeToString(sum[:]))
}

func headOf(n int) capture.Header {
	return capture.Header{
		MessageID: fmt.Sprintf("<%d@example.com>", n), Subject: fmt.Sprintf("Subject %d", n),
		Date: time.Date(2026, 3, 1, 12, 0, n%60, 0, time.UTC),
		From: []capture.Address{{Name: "Ann", Addr: fmt.Sprintf("ann%d@example.com", n)}},
		To:   []capture.Address{{Addr: "me@example.net"}},
	}
}

// waitingMail stages raw and returns mail n as a mail to be delivered.
func waitingMail(t testing.TB, d *DB, n int, raw []byte) NewMail {
	t.Helper()
	s, err := d.Stage(t.Context(), bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	h := headOf(n)
	return NewMail{
		Key: keyOf(n), Fingerprint: capture.Fingerprint(h), State: Waiting, Mark: capture.MarkFolder, Head: h,
		Ref: capture.Ref{Folder: "Salesforce", Validity: 1, UID: uint32(n)}, Received: h.Date, Staged: &s,
	}
}

func admit(t testing.TB, d *DB, mails ...NewMail) int {
	t.Helper()
	n, err := d.Admit(t.Context(), mails, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func counts(t testing.TB, d *DB) Counts {
	t.Helper()
	c, err := d.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t testing.TB, d *DB) {
	t.Helper()
	if err := d.CheckConservation(t.Context()); err != nil {
		t.Error(err)
	}
}

func due(t testing.TB, d *DB) []deliver.Job {
	t.Helper()
	jobs, err := d.Due(t.Context(), d.now(), 1000, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func read(t testing.TB, d *DB, job int64) []byte {
	t.Helper()
	r, err := d.Open(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return raw
}

func settle(t testing.TB, d *DB, o deliver.Outcome) {
	t.Helper()
	if err := d.Settle(t.Context(), d.now(), []deliver.Outcome{o}); err != nil {
		t.Fatal(err)
	}
}

func wantFault(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error %v, want fault %s", err, code)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

func TestContentComesBackWhateverItsSize(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	for i, size := range []int{0, 1, 13_600, pieceSize - 1, pieceSize, pieceSize + 1, 2 * pieceSize, 3*pieceSize + 17} {
		raw := randomBytes(size)
		m := waitingMail(t, d, i, raw)
		if m.Staged.Size != int64(size) || m.Staged.SHA256 != sha256.Sum256(raw) {
			t.Errorf("%d bytes: staged as %d with another digest or size", size, m.Staged.Size)
		}
		id := m.Staged.id
		if n := admit(t, d, m); n != 1 {
			t.Fatalf("%d bytes: %d added", size, n)
		}
		if got := read(t, d, id); !bytes.Equal(got, raw) {
			t.Errorf("%d bytes: read %d other bytes", size, len(got))
		}
	}
	check(t, d)
}

func TestStageFailsWithItsReaderAndLeavesNothing(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	broken := errors.New("link cut")
	for _, size := range []int{10, 3 * pieceSize} {
		r := io.MultiReader(bytes.NewReader(randomBytes(size)), iotestErr{broken})
		if _, err := d.Stage(t.Context(), r); !errors.Is(err, broken) {
			t.Errorf("%d bytes: error %v", size, err)
		}
	}
	s, err := d.Stage(t.Context(), bytes.NewReader(randomBytes(2*pieceSize)))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if n := scalar(t, d, "SELECT (SELECT count(*) FROM content) + (SELECT count(*) FROM spool)"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

type iotestErr struct{ err error }

func (r iotestErr) Read([]byte) (int, error) { return 0, r.err }

func scalar(t testing.TB, d *DB, query string) int {
	t.Helper()
	var n int
	if err := d.db.Read().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOrphansAreRemovedAtOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	d, err := Open(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	keep := waitingMail(t, d, 1, randomBytes(3*pieceSize))
	admit(t, d, keep)
	waitingMail(t, d, 2, randomBytes(3*pieceSize))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	if n := scalar(t, d, "SELECT count(*) FROM content"); n != 3 {
		t.Errorf("%d pieces are left, want the 3 of the admitted mail", n)
	}
	if len(read(t, d, keep.Staged.id)) != 3*pieceSize {
		t.Error("the admitted mail is cut")
	}
	check(t, d)
}

func TestAdmitTakesAKeyOnce(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	a, again := waitingMail(t, d, 1, []byte("one")), waitingMail(t, d, 1, randomBytes(2*pieceSize))
	again.Ref = capture.Ref{Folder: "INBOX", Validity: 9, UID: 77}
	cursors := []capture.Cursor{{Folder: "Salesforce", Validity: 1, Next: 2, ModSeq: 1<<64 - 1}}
	n, err := d.Admit(t.Context(), []NewMail{a, again}, cursors)
	if err != nil || n != 1 {
		t.Fatalf("%d added, %v", n, err)
	}
	jobs := due(t, d)
	if len(jobs) != 1 || string(read(t, d, jobs[0].ID)) != "one" || jobs[0].Key != keyOf(1) || jobs[0].Size != 3 {
		t.Fatalf("jobs %+v", jobs)
	}
	item, err := d.Item(t.Context(), jobs[0].ID)
	if err != nil || item.Ref != again.Ref {
		t.Errorf("place %+v is not the newest, %v", item.Ref, err)
	}
	c, ok, err := d.Cursor(t.Context(), "Salesforce")
	if err != nil || !ok || c != cursors[0] {
		t.Errorf("cursor %+v %v %v", c, ok, err)
	}
	known, err := d.Known(t.Context(), []capture.Key{keyOf(1), keyOf(2)})
	k, ok := known[keyOf(1)]
	if err != nil || len(known) != 1 || !ok || k.State != Waiting || !k.Matches(a.Fingerprint) || k.Matches([32]byte{1}) {
		t.Errorf("known %+v, %v", known, err)
	}
	check(t, d)
}

func TestCursorMoves(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	m := waitingMail(t, d, 1, []byte("x"))
	m.Ref.Folder = "Familie"
	admit(t, d, m)
	for _, validity := range []uint32{1, 2} {
		want := capture.Cursor{Folder: "Familie", Validity: validity, Next: 5}
		if _, err := d.Admit(t.Context(), nil, []capture.Cursor{want}); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := d.Cursor(t.Context(), "Familie"); err != nil || !ok || got != want {
			t.Errorf("cursor %+v %v %v", got, ok, err)
		}
	}
	if c := counts(t, d); c.Seen != 1 {
		t.Errorf("counts %+v", c)
	}
	check(t, d)
}

func TestAHandPickedMailLeavesHeldAndFiltered(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	held, filtered := waitingMail(t, d, 1, []byte("held")), waitingMail(t, d, 2, []byte("dropped"))
	held.State, filtered.State, filtered.Rule = Held, Filtered, "private"
	admit(t, d, held, filtered)
	if c := counts(t, d); c != (Counts{Seen: 2, Held: 1, Filtered: 1}) {
		t.Fatalf("counts %+v", c)
	}
	byRule := waitingMail(t, d, 2, []byte("by rule"))
	admit(t, d, byRule)
	if c := counts(t, d); c.Waiting != 0 {
		t.Fatalf("a folder mark overruled a filter: %+v", c)
	}
	h, f := waitingMail(t, d, 1, []byte("held, by hand")), waitingMail(t, d, 2, randomBytes(2*pieceSize))
	h.Mark, f.Mark = capture.MarkHand, capture.MarkHand
	if n := admit(t, d, h, f); n != 0 {
		t.Errorf("%d added, though both were known", n)
	}
	if c := counts(t, d); c != (Counts{Seen: 2, Waiting: 2}) {
		t.Errorf("counts %+v", c)
	}
	jobs := due(t, d)
	if string(read(t, d, jobs[0].ID)) != "held, by hand" || len(read(t, d, jobs[1].ID)) != 2*pieceSize {
		t.Error("content is not the newest")
	}
	check(t, d)
}

func TestAMailThatCanBeReadAfterAllTakesItsPlace(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	blank, other, read := waitingMail(t, d, 1, nil), waitingMail(t, d, 2, nil), waitingMail(t, d, 3, []byte("readable now"))
	for _, m := range []*NewMail{&blank, &other} {
		m.State, m.Why, m.Staged = Held, fault.MailUnreadable, nil
	}
	admit(t, d, blank, other)
	read.Ref, read.Mark = blank.Ref, capture.MarkHand
	if n := admit(t, d, read); n != 1 {
		t.Errorf("%d added", n)
	}
	if c := counts(t, d); c != (Counts{Seen: 2, Held: 1, Waiting: 1}) {
		t.Errorf("counts %+v", c)
	}
	check(t, d)
}

func TestAdmitRefuses(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	good := waitingMail(t, d, 1, []byte("x"))
	for name, spoil := range map[string]func(*NewMail){
		"no content": func(m *NewMail) { m.Staged = nil },
		"state":      func(m *NewMail) { m.State = Captured },
		"key":        func(m *NewMail) { m.Key = "abc" },
	} {
		bad := good
		spoil(&bad)
		if _, err := d.Admit(t.Context(), []NewMail{good, bad}, nil); err == nil {
			t.Errorf("%s: admitted", name)
		}
	}
	if c := counts(t, d); c.Seen != 0 {
		t.Errorf("half a batch is in: %+v", c)
	}
}

func TestOddHeadsAreKept(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	for i, date := range []time.Time{{}, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-4, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 99*3600))} {
		m := waitingMail(t, d, i, []byte("x"))
		m.Head, m.Received, m.Ref = capture.Header{Date: date}, time.Time{}, capture.Ref{}
		admit(t, d, m)
	}
	items, err := d.List(t.Context(), "", 10)
	if err != nil || len(items) != 4 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	for _, i := range items {
		if y := i.Date.Year(); y < 2000 || y > 3000 || i.Ref != (capture.Ref{}) {
			t.Errorf("%+v", i)
		}
	}
}

func TestDueInOrderAndWithinBounds(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	if at, err := d.NextDue(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("next due of nothing: %v %v", at, err)
	}
	for i := range 4 {
		m := waitingMail(t, d, i, make([]byte, 100))
		m.Live = i == 2
		admit(t, d, m)
	}
	order := func(limit int, bytes int64) (keys []capture.Key) {
		jobs, err := d.Due(t.Context(), time.Now(), limit, bytes)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			keys = append(keys, j.Key)
		}
		return keys
	}
	want := []capture.Key{keyOf(2), keyOf(0), keyOf(1), keyOf(3)}
	for _, c := range []struct {
		limit int
		bytes int64
		n     int
	}{{10, 1 << 30, 4}, {3, 1 << 30, 3}, {10, 250, 2}, {10, 200, 2}, {10, 1, 1}} {
		if got := order(c.limit, c.bytes); fmt.Sprint(got) != fmt.Sprint(want[:c.n]) {
			t.Errorf("limit %d, %d bytes: %v", c.limit, c.bytes, got)
		}
	}
	if at, err := d.NextDue(t.Context()); err != nil || at.IsZero() || at.After(time.Now()) {
		t.Errorf("next due %v %v", at, err)
	}
}

func TestAWrongClockDoesNotFreezeTheQueue(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	admit(t, d, waitingMail(t, d, 1, []byte("x")))
	job := due(t, d)[0].ID
	now = now.AddDate(10, 0, 0) // the clock is ten years fast while the mail is postponed
	settle(t, d, deliver.Outcome{Job: job, Verdict: deliver.Postponed, RetryAt: now.Add(time.Hour), Code: fault.Offline})
	if len(due(t, d)) != 0 {
		t.Error("a postponed mail is due")
	}
	if at, _ := d.NextDue(t.Context()); !at.Equal(now.Add(time.Hour)) {
		t.Errorf("next due %v", at)
	}
	now = now.AddDate(-10, 0, 0)
	if len(due(t, d)) != 1 {
		t.Error("the mail waits for ten years")
	}
	if at, _ := d.NextDue(t.Context()); at.After(now) {
		t.Errorf("next due %v", at)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	admit(t, d, waitingMail(t, d, 1, []byte("x")))
	id := due(t, d)[0].ID
	begin := func() {
		t.Helper()
		if err := d.Begin(t.Context(), d.now(), []int64{id}); err != nil {
			t.Fatal(err)
		}
	}
	job := func() deliver.Job {
		t.Helper()
		jobs := due(t, d)
		if len(jobs) != 1 {
			t.Fatalf("%d jobs are due", len(jobs))
		}
		return jobs[0]
	}
	past := d.now().Add(-time.Minute)

	begin()
	j := job()
	if !j.Unknown || j.Tries != 1 || j.Began.IsZero() || j.Next != deliver.StepCreate {
		t.Errorf("after Begin: %+v", j)
	}
	if items, err := d.List(t.Context(), "sending", 5); err != nil || len(items) != 1 || items[0].State != "sending" {
		t.Errorf("sending: %+v %v", items, err)
	}
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Doubtful, RetryAt: past, Code: fault.Stalled})
	if got := job(); !got.Unknown || !got.Began.Equal(j.Began) {
		t.Errorf("after Doubtful: %+v, began %v", got, j.Began)
	}
	begin()
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Postponed, RetryAt: past, Code: fault.ServerError, Detail: "busy"})
	if j = job(); j.Unknown || j.Tries != 2 {
		t.Errorf("after Postponed: %+v", j)
	}
	begin()
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.Advanced, Next: deliver.StepAttach, RecordID: "02s1", Kind: deliver.Email})
	if j = job(); j.Unknown || j.Tries != 0 || j.Next != deliver.StepAttach || j.RecordID != "02s1" || j.Kind != deliver.Email {
		t.Errorf("after Advanced: %+v", j)
	}
	begin()
	settle(t, d, deliver.Outcome{Job: id, Verdict: deliver.NeedsYou, Code: fault.ValidationFailed, Detail: "Close date?"})
	if len(due(t, d)) != 0 {
		t.Error("a mail that needs a person is due")
	}
	items, err := d.List(t.Context(), "needs-you", 5)
	if err != nil || len(items) != 1 || items[0].Why != fault.ValidationFailed || items[0].Detail != "Close date?" || items[0].Subject != "Subject 1" || !items[0].Stored {
		t.Errorf("needs-you: %+v %v", items, err)
	}
	if c := counts(t, d); c != (Counts{Seen: 1, Waiting: 1, NeedsYou: 1}) {
		t.Errorf("counts %+v", c)
	}
	if err := d.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if j = job(); !j.Unknown || j.Next != deliver.StepAttach {
		t.Errorf("after Retry: %+v", j)
	}
	sent := deliver.Outcome{Job: id, Verdict: deliver.Sent, Bytes: 42, Files: 2, LeftOut: 1}
	settle(t, d, sent)
	settle(t, d, sent) // harmless
	if c := counts(t, d); c != (Counts{Seen: 1, Captured: 1}) {
		t.Errorf("counts %+v", c)
	}
	entries, err := d.Journal(t.Context(), 0, 5)
	if err != nil || len(entries) != 1 || entries[0].RecordID != "02s1" || entries[0].Kind != deliver.Email || entries[0].Bytes != 42 ||
		entries[0].Files != 2 || entries[0].LeftOut != 1 || entries[0].Mark != capture.MarkFolder || entries[0].Mail != id {
		t.Errorf("journal %+v %v", entries, err)
	}
	_, err = d.Open(t.Context(), id)
	wantFault(t, err, fault.MailGone)
	check(t, d)
}

func TestSettleIsAllOrNone(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	admit(t, d, waitingMail(t, d, 1, []byte("x")))
	id := due(t, d)[0].ID
	for _, bad := range []deliver.Outcome{{Job: 999, Verdict: deliver.Sent}, {Job: id}} {
		if err := d.Settle(t.Context(), d.now(), []deliver.Outcome{{Job: id, Verdict: deliver.Sent, RecordID: "1"}, bad}); err == nil {
			t.Error("settled")
		}
		if c := counts(t, d); c.Captured != 0 {
			t.Errorf("half is settled: %+v", c)
		}
	}
}

func TestSkippedWhileItIsSent(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	admit(t, d, waitingMail(t, d, 1, []byte("x")), waitingMail(t, d, 2, []byte("y")))
	jobs := due(t, d)
	if err := d.Skip(t.Context(), jobs[0].ID); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.Begin(t.Context(), d.now(), []int64{jobs[1].ID, jobs[0].ID}), fault.NotFound)
	if due(t, d)[0].Unknown {
		t.Error("half a Begin was written")
	}
	settle(t, d, deliver.Outcome{Job: jobs[0].ID, Verdict: deliver.Postponed, RetryAt: d.now()})
	if c := counts(t, d); c != (Counts{Seen: 2, Filtered: 1, Waiting: 1}) {
		t.Errorf("counts %+v", c)
	}
	settle(t, d, deliver.Outcome{Job: jobs[0].ID, Verdict: deliver.Sent, RecordID: "1", Kind: deliver.Task})
	if c := counts(t, d); c != (Counts{Seen: 2, Captured: 1, Waiting: 1}) {
		t.Errorf("counts %+v", c)
	}
	check(t, d)
}

func TestPeopleDecide(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	with, without := waitingMail(t, d, 1, []byte("x")), waitingMail(t, d, 2, nil)
	with.State, without.State, without.Staged, without.Size = Held, Held, nil, 50
	admit(t, d, with, without)
	items, err := d.List(t.Context(), "held", 5)
	if err != nil || len(items) != 2 || items[0].Stored || !items[1].Stored || items[0].Size != 50 {
		t.Fatalf("held: %+v %v", items, err)
	}
	wantFault(t, d.Release(t.Context(), items[0].ID), fault.MailGone)
	wantFault(t, d.Retry(t.Context(), items[1].ID), fault.NotFound)
	if err := d.Release(t.Context(), items[1].ID); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.Release(t.Context(), items[1].ID), fault.NotFound)
	if err := d.Skip(t.Context(), items[1].ID); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.Skip(t.Context(), items[1].ID), fault.NotFound)
	skipped, err := d.Item(t.Context(), items[1].ID)
	if err != nil || skipped.State != "filtered" || skipped.Reason != rules.SkippedByHand || skipped.Stored || skipped.Subject != "Subject 1" {
		t.Errorf("skipped: %+v %v", skipped, err)
	}
	_, err = d.Item(t.Context(), 999)
	wantFault(t, err, fault.NotFound)
	_, err = d.List(t.Context(), "lost", 5)
	wantFault(t, err, fault.Usage)
	check(t, d)
}

func TestVault(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "queue.db")
	d := open(t, path)
	if s, err := d.Secret(ctx, "refresh"); err != nil || !s.Empty() {
		t.Errorf("a secret from nowhere: %v", err)
	}
	for _, v := range []string{"one", "two"} {
		if err := errors.Join(d.SaveSecret(ctx, "refresh", secret.New(v)), d.SaveSetting(ctx, "refresh", v+"!")); err != nil {
			t.Fatal(err)
		}
		s, err := d.Secret(ctx, "refresh")
		set, ok, err2 := d.Setting(ctx, "refresh")
		if err != nil || err2 != nil || s.Reveal() != v || set != v+"!" || !ok {
			t.Errorf("read back other values: %v %v", err, err2)
		}
	}
	if err := d.DeleteSecret(ctx, "refresh"); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Secret(ctx, "refresh"); err != nil || !s.Empty() {
		t.Errorf("a deleted secret is there: %v", err)
	}
	for _, used := range []int{5, 9, 7} {
		if err := d.SaveCalls(ctx, "2026-05-01", used); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := d.Calls(ctx, "2026-05-01"); n != 9 || err != nil {
		t.Errorf("calls %d %v", n, err)
	}
	if n, err := d.Calls(ctx, "2026-05-02"); n != 0 || err != nil {
		t.Errorf("calls %d %v", n, err)
	}
}

func TestOneBinding(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	if _, _, ok, err := d.Binding(ctx); ok || err != nil {
		t.Errorf("bound to nothing: %v", err)
	}
	a, m := capture.Account{OrgID: "00D", UserID: "005"}, capture.Mailbox{Issuer: "https://i", Subject: "s", Address: "a@b"}
	if err := d.Bind(ctx, a, m); err != nil {
		t.Fatal(err)
	}
	m.Address = "new@b"
	if err := d.Bind(ctx, a, m); err != nil {
		t.Errorf("bind again: %v", err)
	}
	wantFault(t, d.Bind(ctx, capture.Account{OrgID: "00D", UserID: "006"}, m), fault.WrongAccount)
	wantFault(t, d.Bind(ctx, a, capture.Mailbox{Issuer: "https://i", Subject: "other"}), fault.WrongAccount)
	ga, gm, ok, err := d.Binding(ctx)
	if ga != a || gm != m || !ok || err != nil {
		t.Errorf("binding %v %v %v %v", ga, gm, ok, err)
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "queue.db")
	d := open(t, path)
	for i := range 20 {
		admit(t, d, waitingMail(t, d, i, randomBytes(50_000)))
	}
	settle(t, d, deliver.Outcome{Job: due(t, d)[0].ID, Verdict: deliver.Sent, RecordID: "1"})
	if err := errors.Join(d.SaveSecret(ctx, "a", secret.New("b")), d.Bind(ctx, capture.Account{OrgID: "1"}, capture.Mailbox{})); err != nil {
		t.Fatal(err)
	}
	if err := d.Wipe(ctx); err != nil {
		t.Fatal(err)
	}
	if c := counts(t, d); c != (Counts{}) {
		t.Errorf("counts %+v", c)
	}
	if _, _, ok, err := d.Binding(ctx); ok || err != nil {
		t.Errorf("still bound, %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Size() > 300_000 {
		t.Errorf("the file did not shrink: %v %v", st.Size(), err)
	}
	admit(t, d, waitingMail(t, d, 1, []byte("again")))
	check(t, d)
}

func TestCanariesAreNowhere(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	const word = "KANARIENVOGEL"
	for i, pad := range []int{100, 3 * pieceSize} {
		m := waitingMail(t, d, i, []byte(word+strings.Repeat("x", pad)+word))
		m.Head.Subject, m.Head.From[0] = word+" s", capture.Address{Name: word, Addr: word + "@example.com"}
		m.Ref.Folder = "Privat/" + word
		if _, err := d.Admit(ctx, []NewMail{m}, []capture.Cursor{{Folder: m.Ref.Folder, Validity: 1, Next: 2}}); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(d.SaveSecret(ctx, "refresh", secret.New(word)), d.SaveSetting(ctx, "x", word),
		d.Bind(ctx, capture.Account{OrgID: word}, capture.Mailbox{Address: word}))
	if err != nil {
		t.Fatal(err)
	}
	jobs := due(t, d)
	settle(t, d, deliver.Outcome{Job: jobs[0].ID, Verdict: deliver.Postponed, RetryAt: d.now(), Detail: word,
		Matched: []match.Reason{{Address: word, Field: word}}})
	question := asked(word)
	settle(t, d, deliver.Outcome{Job: jobs[1].ID, Verdict: deliver.NeedsYou, Code: fault.ChoosePerson, Question: question})
	err = d.Answer(ctx, jobs[1].ID, questionKey(question), "003a", true)
	settle(t, d, deliver.Outcome{Job: jobs[1].ID, Verdict: deliver.NeedsYou, Code: fault.ChoosePerson, Question: question})
	_, err2 := d.FollowThread(ctx, []string{"<" + word + "@x>"}, word, d.now())
	_, err3 := d.SaveChoices(ctx, capture.Choices{Block: []string{word}})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	admit(t, d, filteredMail(99, rules.BlockedPersonal, word))
	noneIn(t, dir, []byte(word))
	noneIn(t, dir, []byte(strings.ToLower(word)))

	// Once they are sent, not even the sealed texts are left.
	var sealed [][]byte
	for _, q := range []string{"SELECT substr(sealed, -64) FROM content", "SELECT head FROM mail", "SELECT detail FROM mail WHERE detail IS NOT NULL",
		"SELECT question FROM mail WHERE question IS NOT NULL", "SELECT answers FROM mail WHERE answers IS NOT NULL"} {
		rows, err := d.db.Read().QueryContext(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				t.Fatal(err)
			}
			sealed = append(sealed, b[len(b)-32:])
		}
		_ = rows.Close()
	}
	if len(sealed) != 10 || !isIn(t, dir, sealed[0]) {
		t.Fatal("the sealed texts are not where this test looks")
	}
	for _, j := range jobs {
		settle(t, d, deliver.Outcome{Job: j.ID, Verdict: deliver.Sent, RecordID: "1"})
	}
	for _, b := range sealed {
		noneIn(t, dir, b)
	}
}

func isIn(t *testing.T, dir string, word []byte) bool {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, word) {
			return true
		}
	}
	return false
}

func noneIn(t *testing.T, dir string, word []byte) {
	t.Helper()
	if isIn(t, dir, word) {
		t.Errorf("%q is on the disk", word)
	}
}

func TestCancelledCallsSaySo(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	m := waitingMail(t, d, 1, []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Admit(ctx, []NewMail{m}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := admit(t, d, m); n != 1 {
		t.Errorf("%d added after a cancelled try", n)
	}
}
