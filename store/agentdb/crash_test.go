package agentdb

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/rules"
)

// workEnv names the database that a child process of this test works on until it is killed.
const workEnv = "HAWSER_TEST_WORK"

func TestMain(m *testing.M) {
	if path := os.Getenv(workEnv); path != "" {
		if err := work(context.Background(), path); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// clockAt is the child's time when it has seen n mails: it goes on where it was killed, fast enough
// that mails and lines get old.
func clockAt(n uint32) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 8 * time.Hour)
}

// work does everything that the store can do, for ever, and prints what was acknowledged after it was.
func work(ctx context.Context, path string) error {
	d, err := Open(ctx, Config{Path: path, Key: testKey, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := d.Bind(ctx, testAccount, capture.Mailbox{Issuer: "https://i", Subject: "s"}); err != nil {
		return err
	}
	cursor, _, err := d.Cursor(ctx, "Salesforce")
	if err != nil {
		return err
	}
	for next := int(cursor.Next); ; {
		d.now = func() time.Time { return clockAt(uint32(next)) }
		mails := make([]NewMail, 0, 20)
		for range 20 {
			m, err := workMail(ctx, d, next)
			if err != nil {
				return err
			}
			mails, next = append(mails, m), next+1
		}
		cursor := capture.Cursor{Folder: "Salesforce", Validity: 1, Next: uint32(next)}
		if _, err := d.Admit(ctx, mails, []capture.Cursor{cursor}); err != nil {
			return err
		}
		fmt.Println("seen", next)
		if err := workSend(ctx, d); err != nil {
			return err
		}
		if err := workDecide(ctx, d, next); err != nil {
			return err
		}
		if _, err := d.Tidy(ctx, d.now()); err != nil {
			return err
		}
		fmt.Println("tidied", next)
	}
}

func workMail(ctx context.Context, d *DB, n int) (NewMail, error) {
	size := 3000
	if n%50 == 0 {
		size = 2*pieceSize + 5
	}
	s, err := d.Stage(ctx, strings.NewReader(strconv.Itoa(n)+strings.Repeat(" ", size)))
	m := NewMail{Key: keyOf(n), State: Waiting, Mark: capture.MarkFolder, Head: headOf(n), Staged: &s,
		Ref: capture.Ref{Folder: "Salesforce", Validity: 1, UID: uint32(n)}}
	if n%7 == 0 {
		m.State, m.Reason, m.Rule = Filtered, rules.DeniedByRule, strconv.Itoa(n%5)
	}
	return m, err
}

func workSend(ctx context.Context, d *DB) error {
	jobs, err := d.Due(ctx, d.now(), 15, 1<<30)
	if err != nil {
		return err
	}
	var ids []int64
	var outcomes []deliver.Outcome
	var sent int64
	for i, j := range jobs {
		ids = append(ids, j.ID)
		o := deliver.Outcome{Job: j.ID, Verdict: deliver.Sent, RecordID: "02s", Kind: deliver.Email,
			Level: capture.LevelText, Matched: []match.Reason{{Address: "a@example.com", Field: "Contact.Email"}}}
		switch i % 7 {
		case 3:
			o.Verdict, o.Code = deliver.Held, fault.Unmatched
		case 4:
			o.Verdict, o.RetryAt = deliver.Doubtful, d.now()
		case 5:
			o.Verdict, o.Code, o.Question = deliver.NeedsYou, fault.ChoosePerson, asked("a@example.com")
		default:
			sent = j.ID
		}
		outcomes = append(outcomes, o)
	}
	if err := d.Begin(ctx, d.now(), ids); err != nil {
		return err
	}
	if err := d.Settle(ctx, d.now(), outcomes); err != nil {
		return err
	}
	fmt.Println("sent", sent)
	return nil
}

// workDecide does what a person does.
func workDecide(ctx context.Context, d *DB, next int) error {
	asking, err := d.List(ctx, "needs-you", 2)
	if err != nil {
		return err
	}
	for _, m := range asking {
		if err := d.Answer(ctx, m.ID, deliver.AnswerPerson+"a@example.com", "003b", true); err != nil {
			return err
		}
		fmt.Println("answered", m.ID)
	}
	lines, err := d.Journal(ctx, 0, 3)
	if err != nil {
		return err
	}
	if len(lines) == 3 && lines[2].Removed.IsZero() {
		if err := d.Unsaved(ctx, lines[2].Mail); err != nil {
			return err
		}
		fmt.Println("unsaved", lines[2].Mail)
	}
	if _, err := d.Forget(ctx, headOf(next - 2).From[0].Addr); err != nil {
		return err
	}
	fmt.Println("forgot", next-2)
	thread, err := d.FollowThread(ctx, []string{fmt.Sprintf("<%d@example.com>", next), "<root@example.com>"}, "title", d.now())
	if err == nil && next%3 == 0 {
		err = d.StopThread(ctx, thread)
	}
	if err != nil {
		return err
	}
	if _, err := d.SaveChoices(ctx, capture.Choices{Days: next}); err != nil {
		return err
	}
	fmt.Println("chosen", next)
	return nil
}

// TestKilledAtAnyMoment kills a real process 50 times, without warning, and finds every
// acknowledged mail, every decision and every law intact after each.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	for round := range 50 {
		acked := killed(t, path, time.Duration(rand.IntN(60))*time.Millisecond)
		d, err := Open(t.Context(), config(path))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		wantAll(t, d, acked)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("round %d, acknowledged %v", round, acked)
		}
	}
	d := open(t, path)
	c := counts(t, d)
	cursor, _, err := d.Cursor(t.Context(), "Salesforce")
	if err != nil || c.Captured == 0 || c.Waiting == 0 || c.Filtered == 0 || c.Held == 0 || c.Seen == int(cursor.Next) {
		t.Errorf("the child did not get far enough for this test to mean much: %d mails, %+v, %v", cursor.Next, c, err)
	}
	t.Logf("%d mails, %+v", cursor.Next, c)
}

// wantAll compares the database with what a child printed before it was killed.
func wantAll(t *testing.T, d *DB, acked map[string]int) {
	t.Helper()
	ctx := t.Context()
	cursor, _, err := d.Cursor(ctx, "Salesforce")
	if err != nil || int(cursor.Next) < acked["seen"] {
		t.Errorf("cursor %d, %v", cursor.Next, err)
	}
	d.now = func() time.Time { return clockAt(cursor.Next) }
	seen := 0
	for n := range cursor.Next + 20 {
		_, known, err := d.Reason(ctx, keyOf(int(n)))
		old := clockAt(n).Before(d.now().Add(-Kept))
		if err != nil || known && n >= cursor.Next || !known && n < cursor.Next && !old {
			t.Errorf("mail %d of %d: known %v, %v", n, cursor.Next, known, err)
		}
		if known {
			seen++
		}
	}
	if c := counts(t, d); c.Seen != seen {
		t.Errorf("%d mails are known, %+v", seen, c)
	}
	check(t, d)
	for word, states := range map[string]string{"sent": "captured filtered", "unsaved": "filtered"} {
		item, err := d.Item(ctx, int64(acked[word]))
		if acked[word] > 0 && (err != nil || !strings.Contains(states, item.State)) {
			t.Errorf("%s %d: %+v, %v", word, acked[word], item, err)
		}
	}
	if _, ok, err := d.Pick(ctx, capture.AskPerson, "a@example.com"); err != nil || acked["answered"] > 0 && !ok {
		t.Errorf("the answer is lost, %v", err)
	}
	if c, _, err := d.Choices(ctx); err != nil || c.Days < acked["chosen"] {
		t.Errorf("chosen %d, %v", c.Days, err)
	}
	if n := acked["forgot"]; n > 0 {
		if f, err := d.Forget(ctx, headOf(n).From[0].Addr); err != nil || f.Removed > 0 || len(f.Records) > 0 {
			t.Errorf("forgotten once more: %+v, %v", f, err)
		}
	}
	if _, err := d.Threads(ctx); err != nil {
		t.Error(err)
	}
	if jobs := due(t, d); len(jobs) > 0 {
		j := jobs[rand.IntN(len(jobs))]
		if raw := string(read(t, d, j.ID)); keyOf(atoi(raw)) != j.Key {
			t.Errorf("job %d reads as another mail", j.ID)
		}
	}
}

func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return -1
	}
	return n
}

// killed runs a child on path, kills it some time after its first acknowledgement, and returns
// the last numbers that it printed.
func killed(t *testing.T, path string, after time.Duration) map[string]int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), workEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	atStart := rand.IntN(4) == 0 // one in four may hit the start, migrations included
	kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if atStart {
		kill.Reset(after)
	}
	acked := map[string]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, number, _ := strings.Cut(lines.Text(), " ")
		if word == "error" {
			t.Errorf("child: %s", number)
		}
		if len(acked) == 0 && !atStart {
			kill.Reset(after)
		}
		acked[word] = atoi(number)
	}
	_ = cmd.Wait() // it was killed
	return acked
}
