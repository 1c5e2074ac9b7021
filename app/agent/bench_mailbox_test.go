//go:build linux

package agent_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest"
	"hawser/sync/sourcetest/dovecottest"
)

const (
	recent  = 300 // mails of the last 30 days, in a mailbox of any size
	passes  = 50  // per round where nothing changed
	looks   = 40  // first looks per round
	notMore = 1.2 // times as much as a tenth of the mailbox costs
)

// mailbox is one folder of a full mailbox, read by this process.
type mailbox struct {
	src *imapsource.Source
	end capture.Cursor // where everything was read
}

func newMailbox(tb testing.TB, s *dovecottest.Server, n int) *mailbox {
	tb.Helper()
	user := fmt.Sprintf("size%d@example.org", n)
	s.Accept("token-"+user, user)
	now := time.Now()
	s.AppendManyAt(tb, user, "INBOX", n, func(i int) (time.Time, []byte) {
		left := n - i // 1 is the newest
		at := now.Add(-time.Duration(left) * 29 * 24 * time.Hour / (recent + 1))
		if left > recent {
			at = now.AddDate(0, 0, -40).Add(-time.Duration(left) * time.Minute)
		}
		return at, fmt.Appendf(nil, "From: Bob <bob@example.net>\r\nTo: %s\r\nSubject: mail %d\r\nMessage-ID: <m%[2]d@example.net>\r\n"+
			"Date: %[3]s\r\n\r\nThese are the words of mail %[2]d.\r\n", user, i, at.Format(time.RFC1123Z))
	})
	src, err := imapsource.New(imapsource.Config{
		Addr: s.Addr, TLS: s.TLS, User: user,
		Token: func(context.Context, secret.String) (secret.String, error) { return secret.New("token-" + user), nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(src.Close)
	m := &mailbox{src: src}
	m.first(tb) // signs in, and the server makes its index
	return m
}

// first looks into the last 30 days as if nothing had been read before.
func (m *mailbox) first(tb testing.TB) time.Duration {
	return m.scan(tb, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: true, Since: time.Now().AddDate(0, 0, -30)}, recent)
}

// pass looks for what came since, which is nothing.
func (m *mailbox) pass(tb testing.TB) time.Duration {
	return m.scan(tb, imapsource.ScanRequest{Cursor: m.end, HeadersFirst: true}, 0)
}

// scan returns the processor time that this process uses for a scan. Passes of the agent come seconds
// apart: without a pause, the one that waits longer for the server would pay more for finding the
// processor's caches cold.
func (m *mailbox) scan(tb testing.TB, req imapsource.ScanRequest, want int) time.Duration {
	tb.Helper()
	time.Sleep(10 * time.Millisecond)
	t := &thrown{}
	before := cpuTime(tb, os.Getpid())
	err := m.src.Scan(tb.Context(), req, t)
	used := cpuTime(tb, os.Getpid()) - before
	if err != nil || t.mails != want {
		tb.Fatalf("%d mails, want %d: %v", t.mails, want, err)
	}
	if want > 0 {
		m.end = t.end
	}
	return used
}

// thrown is a sink that reads everything and keeps nothing.
type thrown struct {
	mails int
	end   capture.Cursor
}

func (t *thrown) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	wanted := make([]bool, len(heads))
	for i := range wanted {
		wanted[i] = true
	}
	return wanted, nil
}

func (t *thrown) Mail(_ context.Context, item capture.Item, problem error) error {
	if problem != nil {
		return problem
	}
	t.mails++
	_, err := io.Copy(io.Discard, item.Raw)
	return err
}

func (t *thrown) Reached(_ context.Context, end capture.Cursor) error {
	t.end = end
	return nil
}

// comparison is what the same cost in two mailboxes, a median for each round; ratio is that of
// neighbours, which the machine's other work concerns alike.
type comparison struct{ ours, raw, ratio series }

// benchMailbox compares a large mailbox with a tenth of it: a pass over what did not change, and the
// first look into the last 30 days. The two take turns, and every second time the other begins.
func benchMailbox(tb testing.TB, r *report) {
	s := dovecottest.Start(tb, dovecottest.Config{Format: "mdbox"}) // opening a large Maildir takes long
	large, tenth := newMailbox(tb, s, *size), newMailbox(tb, s, *size/10)
	compare := func(c *comparison, times int, look func(m *mailbox) time.Duration) {
		runtime.GC()
		var ours, raw series
		for i := range times {
			if i%2 == 0 {
				raw = append(raw, ms(look(tenth)))
			}
			ours = append(ours, ms(look(large)))
			if i%2 == 1 {
				raw = append(raw, ms(look(tenth)))
			}
		}
		c.ours, c.raw, c.ratio = append(c.ours, ours.median()), append(c.raw, raw.median()), append(c.ratio, ours.per(raw).median())
	}
	var pass, first comparison
	for range *rounds {
		compare(&pass, passes, func(m *mailbox) time.Duration { return m.pass(tb) })
		compare(&first, looks, func(m *mailbox) time.Duration { return m.first(tb) })
	}
	r.add(row{what: fmt.Sprintf("no change in %d mails: processor", *size), unit: "ms", ours: pass.ours, raw: pass.raw, goal: atMost(notMore, "x raw", pass.ratio)})
	ratio := first.ratio.median()
	r.add(row{what: fmt.Sprintf("  first look at its %d of 30 days", recent), unit: "ms", ours: first.ours, raw: first.raw,
		goal: goal{"0.80-1.20 x raw", number(ratio), ratio >= 0.8 && ratio <= notMore}})
	r.note("mailbox: raw is the same with %d mails; medians of %d passes and of %d looks a round, each beside one of the other mailbox; the mail server's own time is not in them",
		*size/10, passes, looks)
}

// benchDryRun tries rules on a month of mail, and again after an edit.
func benchDryRun(tb testing.TB, r *report) {
	s := newScene(tb, nil)
	now := time.Now()
	s.dovecot.AppendManyAt(tb, mailUser, "INBOX", *bulk, func(i int) (time.Time, []byte) {
		at := now.Add(-time.Duration(*bulk-i) * 29 * 24 * time.Hour / time.Duration(*bulk+1))
		return at, sourcetest.NewMail(i, at)
	})
	s.user.start()
	s.signIn()
	var total, rest, edit, peak, before, raw series
	for range *rounds {
		s.stop(tb)
		s.user.launch()
		waitFor(tb, time.Minute, "quiet", func() bool { st, err := s.user.statusErr(); return err == nil && st.State == control.UpToDate })
		raw = append(raw, s.fetchHeads(tb, *bulk).Seconds())
		before = append(before, mega(s.user.peakRSS()))
		t := s.dryRun(tb)
		total, rest, edit = append(total, t.total.Seconds()), append(rest, t.rest.Seconds()), append(edit, ms(t.edit))
		peak = append(peak, mega(s.user.peakRSS()))
	}
	r.add(row{what: fmt.Sprintf("dry run of %d mails", *bulk), unit: "s", ours: total, raw: raw})
	r.add(row{what: "  from the last header block on", unit: "s", ours: rest, goal: atMost(10, "s", rest)})
	r.add(row{what: "  once more after an edit", unit: "ms", ours: edit})
	r.add(row{what: "  its peak memory", unit: "MB", ours: peak, raw: before, goal: atMost(64, "MB", peak)})
	r.note("dry run: raw is one UID FETCH of all header blocks, thrown away, and of memory the agent's peak before the dry run")
}

// tried is how long a dry run took.
type tried struct{ total, rest, edit time.Duration }

// dryRun tries the rule that most people begin with, and then one that an edit made of it.
func (s *scene) dryRun(tb testing.TB) (t tried) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	c := s.answers(ctx, tb)
	yes := true
	choices := capture.Choices{Rules: []capture.Rule{{ID: "known", Action: capture.Allow, Known: &yes}}}
	begun := time.Now()
	last := begun
	d, err := c.DryRun(ctx, control.DryRunQuery{Days: 30, Choices: &choices}, func(control.DryRunStep) { last = time.Now() })
	t.total, t.rest = time.Since(begun), time.Since(last)
	if err != nil || d.Seen != *bulk || d.Saved == 0 {
		tb.Fatalf("%d mails, %d saved: %v", d.Seen, d.Saved, err)
	}
	choices.Rules = append(choices.Rules, capture.Rule{ID: "no", Action: capture.Deny, Words: []string{"offer*", "anfrage"}})
	begun = time.Now()
	again, err := c.DryRun(ctx, control.DryRunQuery{Days: 30, Choices: &choices, Again: true}, func(control.DryRunStep) {})
	if t.edit = time.Since(begun); err != nil || again.Seen != *bulk || again.Saved >= d.Saved {
		tb.Fatalf("after an edit %d mails, %d saved: %v", again.Seen, again.Saved, err)
	}
	return t
}

// fetchHeads is the raw limit of a dry run.
func (s *scene) fetchHeads(tb testing.TB, n int) (took time.Duration) {
	tb.Helper()
	scoped(tb, func(tb testing.TB) {
		c := dialIMAP(tb, s.dovecot)
		c.do("EXAMINE INBOX")
		begun := time.Now()
		if got := c.do("UID FETCH 1:* (UID BODY.PEEK[HEADER])"); got != n {
			tb.Fatalf("the server has %d mails, want %d", got, n)
		}
		took = time.Since(begun)
	})
	return took
}
