package agentdb

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

// ledger is the test's own idea of what was done to the database since it began.
type ledger struct {
	t      *testing.T
	d      *DB
	base   int    // the first of its 16 mails
	before Counts // when it began
	states map[capture.Key]State
	now    time.Time
}

// TestConservation drives random commands and compares every count with a map.
func TestConservation(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "queue.db"))
	base := 0
	rapid.Check(t, func(rt *rapid.T) {
		base += 16
		l := &ledger{t: t, d: d, base: base, before: counts(t, d), states: map[capture.Key]State{}, now: time.Now()}
		d.now = func() time.Time { return l.now }
		commands := []func(*rapid.T){l.admit, l.deliver, l.decide}
		for range rapid.IntRange(2, 9).Draw(rt, "commands") {
			rapid.SampledFrom(commands).Draw(rt, "command")(rt)
			l.compare(rt)
		}
		if err := d.CheckConservation(t.Context()); err != nil {
			rt.Fatal(err)
		}
		left, err := d.List(t.Context(), "", 100)
		if err != nil {
			rt.Fatal(err)
		}
		for _, m := range left { // the next round finds an empty queue
			if err := d.Skip(t.Context(), m.ID); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

func (l *ledger) admit(rt *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(rt, "mails")
	var mails []NewMail
	want := 0
	for range n {
		i := l.base + rapid.IntRange(0, 15).Draw(rt, "mail")
		m := waitingMail(l.t, l.d, i, bytes.Repeat([]byte{byte(i)}, rapid.SampledFrom([]int{1, 500, pieceSize + 1}).Draw(rt, "size")))
		m.State = rapid.SampledFrom([]State{Waiting, Held, Filtered}).Draw(rt, "state")
		m.Mark = rapid.SampledFrom([]capture.Mark{capture.MarkHand, capture.MarkRule}).Draw(rt, "mark")
		mails = append(mails, m)
		have, known := l.states[m.Key]
		switch {
		case !known:
			want++
			l.states[m.Key] = m.State
		case m.State == Waiting && m.Mark == capture.MarkHand && (have == Held || have == Filtered):
			l.states[m.Key] = Waiting
		}
	}
	if got, err := l.d.Admit(l.t.Context(), mails, nil); err != nil || got != want {
		rt.Fatalf("%d added, want %d, %v", got, want, err)
	}
}

func (l *ledger) deliver(rt *rapid.T) {
	l.now = l.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(rt, "minutes")) * time.Minute)
	jobs, err := l.d.Due(l.t.Context(), l.now, rapid.IntRange(1, 5).Draw(rt, "limit"), 1<<40)
	if err != nil {
		rt.Fatal(err)
	}
	var ids []int64
	var outcomes []deliver.Outcome
	for _, j := range jobs {
		ids = append(ids, j.ID)
		o := deliver.Outcome{Job: j.ID, RecordID: "02s", Kind: deliver.Email, Next: deliver.StepAttach, RetryAt: l.now.Add(time.Hour)}
		o.Verdict = rapid.SampledFrom([]deliver.Verdict{deliver.Advanced, deliver.Sent, deliver.Postponed, deliver.Doubtful, deliver.NeedsYou}).Draw(rt, "verdict")
		switch o.Verdict {
		case deliver.Sent:
			l.states[j.Key] = Captured
		case deliver.NeedsYou:
			l.states[j.Key] = NeedsYou
		}
		outcomes = append(outcomes, o)
	}
	if err := errors.Join(l.d.Begin(l.t.Context(), l.now, ids), l.d.Settle(l.t.Context(), l.now, outcomes)); err != nil {
		rt.Fatal(err)
	}
}

func (l *ledger) decide(rt *rapid.T) {
	key := keyOf(l.base + rapid.IntRange(0, 15).Draw(rt, "mail"))
	known, err := l.d.Known(l.t.Context(), []capture.Key{key})
	if err != nil {
		rt.Fatal(err)
	}
	k := known[key]
	if k.State != l.states[key] {
		rt.Fatalf("state %v, want %v", k.State, l.states[key])
	}
	ways := []struct {
		do   func() error
		from map[State]bool
		to   State
	}{
		{func() error { return l.d.Retry(l.t.Context(), k.ID) }, map[State]bool{Waiting: true, NeedsYou: true}, Waiting},
		{func() error { return l.d.Skip(l.t.Context(), k.ID) }, map[State]bool{Waiting: true, NeedsYou: true, Held: true}, Filtered},
		{func() error { return l.d.Release(l.t.Context(), k.ID) }, map[State]bool{Held: true}, Waiting},
	}
	way := ways[rapid.IntRange(0, 2).Draw(rt, "way")]
	err = way.do()
	switch {
	case way.from[k.State] && err == nil:
		l.states[key] = way.to
	case way.from[k.State] || !fault.Is(err, fault.NotFound):
		rt.Fatalf("from %v: %v", k.State, err)
	}
}

func (l *ledger) compare(rt *rapid.T) {
	n := map[State]int{}
	for _, s := range l.states {
		n[s]++
	}
	want := Counts{
		Seen: l.before.Seen + len(l.states), Captured: l.before.Captured + n[Captured], Filtered: l.before.Filtered + n[Filtered],
		Held: l.before.Held + n[Held], Waiting: l.before.Waiting + n[Waiting] + n[NeedsYou], NeedsYou: l.before.NeedsYou + n[NeedsYou],
	}
	got, err := l.d.Counts(l.t.Context())
	if err != nil || got != want {
		rt.Fatalf("counts %+v, want %+v, %v", got, want, err)
	}
}
