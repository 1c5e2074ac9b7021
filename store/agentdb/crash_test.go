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

// work admits and settles for ever, and prints what was acknowledged after it was.
func work(ctx context.Context, path string) error {
	d, err := Open(ctx, Config{Path: path, Key: testKey, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	c, err := d.Counts(ctx)
	if err != nil {
		return err
	}
	for next := c.Seen; ; {
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
		m.State, m.Rule = Filtered, "word"
	}
	return m, err
}

func workSend(ctx context.Context, d *DB) error {
	jobs, err := d.Due(ctx, time.Now(), 15, 1<<30)
	if err != nil {
		return err
	}
	var ids []int64
	var outcomes []deliver.Outcome
	for i, j := range jobs {
		ids = append(ids, j.ID)
		o := deliver.Outcome{Job: j.ID, Verdict: deliver.Sent, RecordID: "02s", Kind: deliver.Email}
		if i%5 == 4 {
			o.Verdict, o.RetryAt = deliver.Doubtful, time.Now()
		}
		outcomes = append(outcomes, o)
	}
	if err := d.Begin(ctx, time.Now(), ids); err != nil {
		return err
	}
	if err := d.Settle(ctx, time.Now(), outcomes); err != nil {
		return err
	}
	c, err := d.Counts(ctx)
	fmt.Println("captured", c.Captured)
	return err
}

// TestKilledAtAnyMoment kills a real process 60 times, without warning, and finds every
// acknowledged mail and every law intact after each.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	for round := range 60 {
		acked := killed(t, path, time.Duration(rand.IntN(50))*time.Millisecond)
		d, err := Open(t.Context(), config(path))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		c := counts(t, d)
		cursor, _, err := d.Cursor(t.Context(), "Salesforce")
		if err != nil {
			t.Fatal(err)
		}
		if c.Seen < acked["seen"] || c.Captured < acked["captured"] {
			t.Errorf("round %d: acknowledged %v, found %+v", round, acked, c)
		}
		if int(cursor.Next) != c.Seen {
			t.Errorf("round %d: cursor %d, %d mails", round, cursor.Next, c.Seen)
		}
		check(t, d)
		if jobs := due(t, d); len(jobs) > 0 {
			j := jobs[rand.IntN(len(jobs))]
			if raw := string(read(t, d, j.ID)); keyOf(atoi(raw)) != j.Key {
				t.Errorf("round %d: job %d reads as another mail", round, j.ID)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	d := open(t, path)
	if c := counts(t, d); c.Captured == 0 || c.Waiting == 0 || c.Filtered == 0 {
		t.Errorf("the child did not get far enough for this test to mean much: %+v", c)
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
