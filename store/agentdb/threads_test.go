package agentdb

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

var testAccount = capture.Account{OrgID: "00D", UserID: "005"}

func bind(t testing.TB, d *DB) {
	t.Helper()
	if err := d.Bind(t.Context(), testAccount, capture.Mailbox{Issuer: "https://i", Subject: "s"}); err != nil {
		t.Fatal(err)
	}
}

// reply stages a mail with the given Message-ID that refers to others.
func reply(t testing.TB, d *DB, id string, refs ...string) NewMail {
	t.Helper()
	s, err := d.Stage(t.Context(), bytes.NewReader([]byte(id)))
	if err != nil {
		t.Fatal(err)
	}
	h := capture.Header{MessageID: id, References: refs, From: []capture.Address{{Addr: "bea@example.com"}}}
	return NewMail{Key: capture.MailKey(testAccount, id), Fingerprint: capture.Fingerprint(h), State: Waiting, Mark: capture.MarkThread, Head: h, Staged: &s}
}

func deliverAll(t testing.TB, d *DB) {
	t.Helper()
	for _, j := range due(t, d) {
		settle(t, d, deliver.Outcome{Job: j.ID, Verdict: deliver.Sent, RecordID: "02s", Kind: deliver.Email})
	}
}

func followed(t testing.TB, d *DB, mails ...[]string) []int64 {
	t.Helper()
	ids, err := d.Followed(t.Context(), mails)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestC04Thread: later mails are found, even those that name only a mail that was saved
// meanwhile; after Stop they are not.
func TestC04Thread(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "queue.db")
	d := open(t, path)
	if _, err := d.FollowThread(ctx, []string{"<a@x>"}, "", time.Time{}); !fault.Is(err, fault.NotSignedIn) {
		t.Errorf("before there are keys: %v", err)
	}
	bind(t, d)
	if got := followed(t, d, []string{"<a@x>"}, nil); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("followed %v", got)
	}
	first := reply(t, d, "<b@x>", "<a@x>")
	first.Mark = capture.MarkHand
	admit(t, d, first)
	deliverAll(t, d) // it is saved before its conversation is followed
	since := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	id, err := d.FollowThread(ctx, []string{"<a@x>", "<b@x>"}, "Offer 7", since)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.FollowThread(ctx, []string{"<b@x>", "<c@x>"}, "Other", since.AddDate(1, 0, 0)); err != nil || again != id {
		t.Errorf("followed again as %d, %v", again, err)
	}
	if got := followed(t, d, []string{"<z@x>"}, []string{"<z@x>", "<a@x>"}, []string{"<c@x>"}); !slices.Equal(got, []int64{0, id, id}) {
		t.Errorf("followed %v", got)
	}
	admit(t, d, reply(t, d, "<d@x>", "<z@x>", "<c@x>"))
	if got := followed(t, d, []string{"<d@x>"}); got[0] != 0 {
		t.Error("a mail that is not saved yet stands for its conversation")
	}
	deliverAll(t, d)
	if got := followed(t, d, []string{"<d@x>"}); got[0] != id {
		t.Error("a reply to a saved mail is not found")
	}
	list, err := d.Threads(ctx)
	if err != nil || len(list) != 1 || list[0].ID != id || list[0].Title != "Offer 7" || !list[0].Since.Equal(since) || list[0].Saved != 2 || list[0].Last.IsZero() {
		t.Errorf("threads %+v %v", list, err)
	}
	check(t, d)
	if err := d.StopThread(ctx, id); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.StopThread(ctx, id), fault.NotFound)
	if got := followed(t, d, []string{"<a@x>"}, []string{"<d@x>"}); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("after Stop: %v", got)
	}
	if list, err := d.Threads(ctx); err != nil || len(list) != 0 {
		t.Errorf("threads %+v %v", list, err)
	}
	if next, err := d.FollowThread(ctx, []string{"<a@x>"}, "Offer 7", since); err != nil || next == id {
		t.Errorf("the number %d was given twice, %v", next, err)
	}
	check(t, d)
}

func TestThreadsAreSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "queue.db"))
	bind(t, d)
	id, err := d.FollowThread(t.Context(), []string{"<KANARIENVOGEL@x>"}, "KANARIENVOGEL", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	noneIn(t, dir, []byte("KANARIENVOGEL"))
	key, err := keyBytes(capture.MailKey(testAccount, "<KANARIENVOGEL@x>"))
	if err != nil {
		t.Fatal(err)
	}
	noneIn(t, dir, key[:8])
	d.exec(t, "UPDATE thread SET title = zeroblob(60)")
	_, err = d.Threads(t.Context())
	wantFault(t, err, fault.QueueDamaged)
	if err := errors.Join(d.StopThread(t.Context(), id), d.Wipe(t.Context())); err != nil {
		t.Fatal(err)
	}
}
