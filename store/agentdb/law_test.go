package agentdb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// ledger is the test's own idea of what was done to the database.
type ledger struct {
	t     *testing.T
	d     *DB
	mails map[int]*entry
	lines []time.Time // of the journal
	now   time.Time
}

// entry is one mail as it should be.
type entry struct {
	state     State
	mark      capture.Mark
	byRules   bool // filtered, and other rules may decide otherwise
	unmatched bool
	at        time.Time // when it came into its state
}

func (e *entry) move(to State, at time.Time) {
	e.state, e.at, e.unmatched = to, at, false
}

// TestConservation drives random commands and compares every count with a map.
func TestConservation(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	d, err := Open(t.Context(), config(filepath.Join(dir, "empty")))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(filepath.Join(dir, "empty"))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			rt.Fatal(err)
		}
		d, err := Open(t.Context(), config(path))
		if err != nil {
			rt.Fatal(err)
		}
		l := &ledger{t: t, d: d, mails: map[int]*entry{}, now: time.Now().Truncate(time.Millisecond)}
		d.now = func() time.Time { return l.now }
		commands := []func(*rapid.T){l.admit, l.admit, l.deliver, l.deliver, l.decide, l.tidy, l.forget}
		for range rapid.IntRange(2, 14).Draw(rt, "commands") {
			rapid.SampledFrom(commands).Draw(rt, "command")(rt)
			l.compare(rt)
		}
		if err := errors.Join(d.CheckConservation(t.Context()), d.Close()); err != nil {
			rt.Fatal(err)
		}
	})
}

func (l *ledger) admit(rt *rapid.T) {
	var mails []NewMail
	want := 0
	for range rapid.IntRange(1, 4).Draw(rt, "mails") {
		i := rapid.IntRange(0, 7).Draw(rt, "mail")
		m := waitingMail(l.t, l.d, i, bytes.Repeat([]byte{byte(i)}, rapid.SampledFrom([]int{1, 500, pieceSize + 1}).Draw(rt, "size")))
		m.State = rapid.SampledFrom([]State{Waiting, Held, Filtered}).Draw(rt, "state")
		m.Mark = rapid.SampledFrom([]capture.Mark{capture.MarkHand, capture.MarkRule, capture.MarkFolder}).Draw(rt, "mark")
		m.Again = rapid.Bool().Draw(rt, "again")
		if m.State == Filtered {
			m.Reason = rules.NoRuleAllows
		}
		mails = append(mails, m)
		have, known := l.mails[i]
		if !known {
			want++
		}
		if !known || l.takesPlace(have, &m) {
			l.mails[i] = &entry{state: m.State, mark: m.Mark, byRules: m.State == Filtered, at: l.now}
		}
	}
	if got, err := l.d.Admit(l.t.Context(), mails, nil); err != nil || got != want {
		rt.Fatalf("%d added, want %d, %v", got, want, err)
	}
}

func (l *ledger) takesPlace(have *entry, m *NewMail) bool {
	hand := m.Mark == capture.MarkHand
	if !m.Again && !hand || have.state != Held && have.state != Filtered {
		return false
	}
	own := hand || m.Mark == capture.MarkFolder && have.mark == capture.MarkRule
	return have.byRules || own && !(have.state == Held && m.State == Held)
}

func (l *ledger) deliver(rt *rapid.T) {
	l.now = l.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(rt, "minutes")) * time.Minute)
	jobs, err := l.d.Due(l.t.Context(), l.now, rapid.IntRange(1, 5).Draw(rt, "limit"), 1<<40)
	if err != nil {
		rt.Fatal(err)
	}
	byKey := map[capture.Key]*entry{}
	for i, e := range l.mails {
		byKey[keyOf(i)] = e
	}
	var ids []int64
	var outcomes []deliver.Outcome
	for _, j := range jobs {
		ids = append(ids, j.ID)
		o := deliver.Outcome{Job: j.ID, RecordID: "02s", Kind: deliver.Email, Next: deliver.StepAttach, RetryAt: l.now.Add(time.Hour)}
		o.Verdict = rapid.SampledFrom([]deliver.Verdict{deliver.Advanced, deliver.Sent, deliver.Postponed, deliver.Doubtful, deliver.NeedsYou, deliver.Held}).Draw(rt, "verdict")
		switch e := byKey[j.Key]; o.Verdict {
		case deliver.Sent:
			e.move(Captured, l.now)
			l.lines = append(l.lines, l.now)
		case deliver.NeedsYou:
			e.move(NeedsYou, l.now)
			if rapid.Bool().Draw(rt, "asks") {
				o.Question = &capture.Question{Kind: capture.AskFiles}
			}
		case deliver.Held:
			o.Code = fault.Unmatched
			e.move(Held, l.now)
			e.unmatched = true
		}
		outcomes = append(outcomes, o)
	}
	if err := errors.Join(l.d.Begin(l.t.Context(), l.now, ids), l.d.Settle(l.t.Context(), l.now, outcomes)); err != nil {
		rt.Fatal(err)
	}
}

func (l *ledger) decide(rt *rapid.T) {
	i, ctx := rapid.IntRange(0, 7).Draw(rt, "mail"), l.t.Context()
	known, err := l.d.Known(ctx, []capture.Key{keyOf(i)})
	if err != nil {
		rt.Fatal(err)
	}
	k, e := known[keyOf(i)], l.mails[i]
	if e == nil {
		e = &entry{}
	}
	if k.State != e.state {
		rt.Fatalf("state %v, want %v", k.State, e.state)
	}
	ways := []struct {
		do   func() error
		from map[State]bool
		to   State
	}{
		{func() error { return l.d.Retry(ctx, k.ID) }, map[State]bool{Waiting: true, NeedsYou: true}, Waiting},
		{func() error { return l.d.Skip(ctx, k.ID) }, map[State]bool{Waiting: true, NeedsYou: true, Held: true}, Filtered},
		{func() error { return l.d.Release(ctx, k.ID) }, map[State]bool{Held: true}, Waiting},
		{func() error { return l.d.Answer(ctx, k.ID, deliver.AnswerFiles, deliver.No, false) }, map[State]bool{Waiting: true, NeedsYou: true, Held: true}, Waiting},
		{func() error { return l.d.Unsaved(ctx, k.ID) }, map[State]bool{Captured: true}, Filtered},
	}
	way := ways[rapid.IntRange(0, len(ways)-1).Draw(rt, "way")]
	err = way.do()
	switch {
	case way.from[k.State] && err == nil:
		e.move(way.to, l.now)
	case way.from[k.State] || !fault.Is(err, fault.NotFound):
		rt.Fatalf("from %v: %v", k.State, err)
	}
}

func (l *ledger) tidy(rt *rapid.T) {
	l.now = l.now.Add(rapid.SampledFrom([]time.Duration{time.Hour, HeldFor, HeldFor + 1e6, Kept, Kept + 1e6}).Draw(rt, "pause"))
	want := Tidied{}
	for i, e := range l.mails {
		if e.state == Held && e.unmatched && e.at.Before(l.now.Add(-HeldFor)) {
			e.move(Filtered, l.now)
			want.Expired++
		}
		if e.state == Filtered && e.at.Before(l.now.Add(-Kept)) {
			delete(l.mails, i)
			want.Filtered++
		}
	}
	var young []time.Time
	for _, at := range l.lines {
		if !at.Before(l.now.Add(-Kept)) {
			young = append(young, at)
		}
	}
	want.Lines = len(l.lines) - len(young)
	l.lines = young
	if got, err := l.d.Tidy(l.t.Context(), l.now); err != nil || got != want {
		rt.Fatalf("tidied %+v, want %+v, %v", got, want, err)
	}
}

func (l *ledger) forget(rt *rapid.T) {
	i := rapid.IntRange(0, 7).Draw(rt, "mail")
	if _, err := l.d.Forget(l.t.Context(), headOf(i).From[0].Addr); err != nil {
		rt.Fatal(err)
	}
	if e := l.mails[i]; e != nil && (e.state == Waiting || e.state == NeedsYou || e.state == Held) {
		e.move(Filtered, l.now)
	}
}

func (l *ledger) compare(rt *rapid.T) {
	n := map[State]int{}
	for _, e := range l.mails {
		n[e.state]++
	}
	want := Counts{
		Seen: len(l.mails), Captured: n[Captured], Filtered: n[Filtered],
		Held: n[Held], Waiting: n[Waiting] + n[NeedsYou], NeedsYou: n[NeedsYou],
	}
	got, err := l.d.Counts(l.t.Context())
	if err != nil || got != want {
		rt.Fatalf("counts %+v, want %+v, %v", got, want, err)
	}
	lines := 0
	for _, err := range l.d.Lines(l.t.Context()) {
		if err != nil {
			rt.Fatal(err)
		}
		lines++
	}
	if lines != len(l.lines) {
		rt.Fatalf("%d journal lines, want %d", lines, len(l.lines))
	}
	if err := l.d.CheckConservation(l.t.Context()); err != nil {
		rt.Fatal(err)
	}
}
