package agentdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/rules"
)

// filled makes a closed database with mails in every state and returns its path.
func filled(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue.db")
	d, err := Open(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func fill(t testing.TB, d *DB) {
	t.Helper()
	for i := range 40 {
		m := waitingMail(t, d, i, fmt.Appendf(nil, "mail %d %s", i, bytes.Repeat([]byte("-"), 3000)))
		switch i % 4 {
		case 1:
			m.State = Held
		case 2:
			m.State, m.Reason, m.Rule = Filtered, rules.DeniedByRule, fmt.Sprint("rule ", i)
		}
		admit(t, d, m)
	}
	bind(t, d)
	for i, j := range due(t, d) {
		switch i % 4 {
		case 0, 2:
			settle(t, d, deliver.Outcome{Job: j.ID, Verdict: deliver.Sent, RecordID: "02s", Kind: deliver.Email, Level: capture.LevelText,
				Matched: []match.Reason{{Address: "ann@example.com", Field: "Contact.Email", RecordID: "003a"}}})
		case 1:
			question := asked(fmt.Sprintf("ann%d@example.com", i))
			settle(t, d, deliver.Outcome{Job: j.ID, Verdict: deliver.NeedsYou, Code: fault.ChoosePerson, Detail: "which?", Question: question})
			if i%8 == 1 {
				continue
			}
			if err := d.Answer(t.Context(), j.ID, questionKey(question), "003a", true); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := d.FollowThread(t.Context(), []string{"<a@x>"}, "title", time.Now())
	_, err2 := d.SaveChoices(t.Context(), capture.Choices{Days: 30})
	if err := errors.Join(err, err2, d.SaveSecret(t.Context(), "refresh", secret.New("token"))); err != nil {
		t.Fatal(err)
	}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	path := filled(t)
	for _, key := range [][]byte{bytes.Repeat([]byte{8}, 32), nil, {1}} {
		cfg := config(path)
		cfg.Key = key
		_, err := Open(t.Context(), cfg)
		wantFault(t, err, fault.KeyLost)
	}
	if c := counts(t, open(t, path)); c.Seen != 40 {
		t.Errorf("the right key finds %+v", c)
	}
}

func TestTwoOpeners(t *testing.T) {
	t.Parallel()
	path := filled(t)
	d := open(t, path)
	start := time.Now()
	_, err := Open(t.Context(), config(path))
	wantFault(t, err, fault.QueueLocked)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	if c := counts(t, d); c.Seen != 40 {
		t.Errorf("the first one finds %+v", c)
	}
}

// readAll reads everything a user can ask for. It returns an error with a fault, or the truth.
func readAll(t *testing.T, path string) (err error) {
	t.Helper()
	ctx := t.Context()
	d, err := Open(ctx, config(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	jobs, err := d.Due(ctx, time.Now(), 100, 1<<30)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		r, err := d.Open(ctx, j.ID)
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(string(raw), "mail %d", &n); err != nil || keyOf(n) != j.Key || len(raw) < 3000 {
			t.Errorf("job %d reads as other bytes, unnoticed", j.ID)
		}
	}
	if err := readWords(t, d); err != nil {
		return err
	}
	if s, err := d.Secret(ctx, "refresh"); err != nil || s.Reveal() != "token" {
		return err
	}
	return d.CheckConservation(ctx)
}

// readWords reads what people and delivery are told.
func readWords(t *testing.T, d *DB) error {
	t.Helper()
	ctx := t.Context()
	for _, state := range []string{"", "held", "filtered", "captured"} {
		items, err := d.List(ctx, state, 100)
		if err != nil {
			return err
		}
		for _, m := range items {
			n := 0
			if m.Question != nil {
				if _, err := fmt.Sscanf(m.Question.Subject, "ann%d@", &n); err != nil || len(m.Question.Options) != 2 {
					t.Errorf("mail %d asks something else, unnoticed: %+v", m.ID, m.Question)
				}
			}
			if m.State == "filtered" && (m.Reason != rules.DeniedByRule || m.Rule == "") {
				t.Errorf("mail %d was left out for something else, unnoticed: %+v", m.ID, m)
			}
		}
	}
	for e, err := range d.Lines(ctx) {
		if err != nil {
			return err
		}
		if len(e.Matched) != 0 && e.Matched[0].RecordID != "003a" {
			t.Errorf("line %d says something else, unnoticed", e.line)
		}
	}
	_, err := d.Threads(ctx)
	_, err2 := d.Answers(ctx)
	_, _, err3 := d.Choices(ctx)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	option, ok, err := d.Pick(ctx, capture.AskPerson, "ann5@example.com")
	if ok && option != "003a" {
		t.Errorf("picks %q, unnoticed", option)
	}
	return err
}

// TestDamagedFile flips bytes and cuts the file. Nothing may panic, and nothing may read as
// another mail; where it is noticed, it is noticed with a code.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	path := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	for i := range 100 {
		b := bytes.Clone(whole)
		if i%4 == 3 {
			b = b[:1+rand.IntN(len(b)-1)]
		} else {
			for range 40 {
				b[rand.IntN(len(b))] ^= byte(1 + rand.IntN(255))
			}
		}
		bad := filepath.Join(t.TempDir(), "queue.db")
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readAll(t, bad); err != nil {
			noticed++
			var f *fault.Error
			if !errors.As(err, &f) {
				t.Errorf("round %d: %v has no code", i, err)
			} else if f.Code == fault.Internal {
				t.Logf("round %d: %v", i, err)
			}
		}
	}
	if noticed < 60 {
		t.Errorf("only %d of 100 damages were noticed", noticed)
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	t.Parallel()
	path := filled(t)
	if err := os.WriteFile(path, bytes.Repeat([]byte("not a database "), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), config(path))
	wantFault(t, err, fault.QueueDamaged)
	moved, err := sqlitedb.Quarantine(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(moved); err != nil || !bytes.HasPrefix(b, []byte("not a database")) {
		t.Errorf("set aside: %v", err)
	}
	if c := counts(t, open(t, path)); c.Seen != 0 {
		t.Errorf("the new one holds %+v", c)
	}
}

// copyOf copies the files of an open database as a crash or a backup would find them.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "queue.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestWALOfAnUncleanStop(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	d := open(t, path)
	fill(t, d)
	admit(t, d, waitingMail(t, d, 1000, []byte("mail 1000"+string(make([]byte, 3000)))))

	if err := readAll(t, copyOf(t, path)); err != nil {
		t.Errorf("as it was: %v", err)
	}
	lost := copyOf(t, path)
	if err := os.Remove(lost + "-wal"); err != nil {
		t.Fatal(err)
	}
	wantSaneOrFault(t, "without its WAL", readAll(t, lost))
	foreign := copyOf(t, path)
	otherPath := filepath.Join(t.TempDir(), "queue.db")
	cfg := config(otherPath)
	cfg.Key = bytes.Repeat([]byte{8}, 32)
	other, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	admit(t, other, waitingMail(t, other, 1, []byte("other")))
	wal, err := os.ReadFile(otherPath + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign+"-wal", wal, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFault(t, readAll(t, foreign), fault.KeyLost)
	torn := copyOf(t, path)
	if err := os.Truncate(torn+"-wal", 20_000); err != nil {
		t.Fatal(err)
	}
	wantSaneOrFault(t, "with a torn WAL", readAll(t, torn))
}

func wantSaneOrFault(t *testing.T, what string, err error) {
	t.Helper()
	var f *fault.Error
	if err != nil && !errors.As(err, &f) {
		t.Errorf("%s: %v has no code", what, err)
	}
}

// TestContentCannotBeMoved writes to the file as somebody without the key could.
func TestContentCannotBeMoved(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]string{
		"swapped":   "UPDATE content SET id = -1 WHERE id = 1048576; UPDATE content SET id = 1048576 WHERE id = 2097152",
		"reordered": "UPDATE content SET id = -1 WHERE id = 1048576; UPDATE content SET id = 1048576 WHERE id = 1048577; UPDATE content SET id = 1048577 WHERE id = -1",
		"cut short": "DELETE FROM content WHERE id = 1048578",
		"ended":     "DELETE FROM content WHERE id > 1048576 AND id < 2097152; UPDATE content SET last = 1 WHERE id = 1048576",
		"flipped":   "UPDATE content SET sealed = zeroblob(100) WHERE id = 1048576",
		"folder":    "UPDATE folder SET name = zeroblob(60)",
		"key":       "UPDATE mail SET key = zeroblob(32) WHERE id = 2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, filepath.Join(t.TempDir(), "queue.db"))
			a, b := waitingMail(t, d, 1, randomBytes(2*pieceSize+5)), waitingMail(t, d, 2, []byte("b"))
			admit(t, d, a, b)
			if a.Staged.id != 1 || b.Staged.id != 2 {
				t.Fatal("this test expects ids 1 and 2")
			}
			d.exec(t, tamper)
			var err error
			switch name {
			case "folder":
				_, err = d.List(t.Context(), "", 5)
			case "key":
				_, err = d.Due(t.Context(), time.Now(), 5, 100)
			default:
				var r io.ReadCloser
				if r, err = d.Open(t.Context(), 1); err == nil {
					_, err = io.Copy(io.Discard, r)
				}
			}
			wantFault(t, err, fault.QueueDamaged)
		})
	}
}

// TestWordsCannotBeMoved changes every sealed column of choosing, and moves it to another row.
func TestWordsCannotBeMoved(t *testing.T) {
	t.Parallel()
	rows := map[string]string{ // where a row has the column, and what finds it
		"mail.question": "SELECT id FROM mail WHERE question IS NOT NULL", "mail.answers": "SELECT id FROM mail WHERE answers IS NOT NULL",
		"mail.record": "SELECT id FROM mail WHERE record IS NOT NULL", "journal.record": "SELECT id FROM journal", "reason.sealed": "SELECT id FROM reason",
		"thread.title": "SELECT id FROM thread", "answer.sealed": "SELECT hash FROM answer", "setting.sealed": "SELECT name FROM setting",
	}
	for column, find := range rows {
		for _, how := range []string{"flipped", "cut", "moved"} {
			t.Run(column+" "+how, func(t *testing.T) {
				t.Parallel()
				d := open(t, filepath.Join(t.TempDir(), "queue.db"))
				fill(t, d)
				_, err := d.FollowThread(t.Context(), []string{"<other@x>"}, "other", time.Now())
				if err := errors.Join(err, d.SaveSetting(t.Context(), "other", "{}")); err != nil {
					t.Fatal(err)
				}
				for _, j := range due(t, d) {
					settle(t, d, deliver.Outcome{Job: j.ID, Verdict: deliver.Advanced, Next: deliver.StepAttach, RecordID: "02s", Kind: deliver.Email, Level: capture.LevelText})
				}
				table, name, _ := strings.Cut(column, ".")
				id := strings.Fields(find)[1]
				value := map[string]string{
					"flipped": fmt.Sprintf("CAST(substr(%[1]s, 1, length(%[1]s) - 1) || x'%02x' AS BLOB)", name, 7), "cut": fmt.Sprintf("substr(%s, 1, length(%[1]s) - 1)", name),
					"moved": fmt.Sprintf("(SELECT o.%s FROM %s o WHERE o.%s <> %s.%s AND o.%s IS NOT NULL)", name, table, id, table, id, name),
				}[how]
				d.exec(t, fmt.Sprintf("CREATE TABLE o AS SELECT %[1]s id, %[2]s v FROM %[3]s; UPDATE %[3]s SET %[4]s = (SELECT v FROM o WHERE o.id = %[3]s.%[1]s) WHERE %[1]s IN (%[5]s)",
					id, value, table, name, find))
				if column == "mail.record" {
					for _, j := range due(t, d) {
						settle(t, d, deliver.Outcome{Job: j.ID, Verdict: deliver.Sent})
					}
				}
				_, err = d.Due(t.Context(), time.Now(), 100, 1<<30)
				wantFault(t, errors.Join(err, readWords(t, d)), fault.QueueDamaged)
			})
		}
	}
}

// TestFullDisk bounds the file in the way a full disk does and expects a coded pause, then
// work again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	fill(t, d)
	before := counts(t, d)
	d.exec(t, "PRAGMA max_page_count = 90")
	var full error
	for i := 100; i < 200 && full == nil; i++ {
		var s Staged
		if s, full = d.Stage(t.Context(), bytes.NewReader(randomBytes(40_000))); full == nil {
			m := NewMail{Key: keyOf(i), State: Waiting, Mark: capture.MarkFolder, Head: headOf(i), Staged: &s}
			if _, full = d.Admit(t.Context(), []NewMail{m}, nil); full == nil {
				before.Seen, before.Waiting = before.Seen+1, before.Waiting+1
			}
		}
	}
	wantFault(t, full, fault.DiskFull)
	_, err := d.Stage(t.Context(), bytes.NewReader(randomBytes(3*pieceSize)))
	wantFault(t, err, fault.DiskFull)
	if c := counts(t, d); c != before {
		t.Errorf("counts %+v, want %+v", c, before)
	}
	check(t, d)
	d.exec(t, "PRAGMA max_page_count = 100000")
	if n := admit(t, d, waitingMail(t, d, 300, randomBytes(3*pieceSize))); n != 1 {
		t.Errorf("%d added with room again", n)
	}
	check(t, d)
}

// exec runs statements past the package's own rules.
func (d *DB) exec(t *testing.T, statements string) {
	t.Helper()
	err := d.db.Tx(t.Context(), "tamper", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statements)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
