package deliver

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// chaos kills the process and breaks calls at random, a bounded number of times.
type chaos struct {
	rnd   *rand.Rand
	left  int
	kinds map[string]int
}

func (c *chaos) hit(percent int) bool {
	if c.left <= 0 || c.rnd.IntN(100) >= percent {
		return false
	}
	c.left--
	return true
}

// queue is the hook of the fake queue: kills, and a database that is locked or full.
func (c *chaos) queue(op string) error {
	switch {
	case c.hit(4):
		c.kinds["killed at "+op]++
		panic(killed{})
	case op != "begun" && op != "settled" && c.hit(2):
		c.kinds["queue fails at "+op]++
		return fault.New(fault.QueueLocked, op, nil)
	}
	return nil
}

func (c *chaos) whole(op string, _ int) (effect, error) {
	if !c.hit(35) {
		return effectNow, nil
	}
	when := effect(c.rnd.IntN(3))
	answers := []error{
		deadError{},
		&fault.Error{Code: fault.Stalled, Unknown: true},
		&fault.Error{Code: fault.Offline, Unknown: true},
		&fault.Error{Code: fault.ServerError, Unknown: true},
	}
	if when == effectNever {
		answers = append(answers, fault.New(fault.ServerError, op, nil), fault.New(fault.Internal, op, nil),
			fault.New(fault.LimitReached, op, nil), fault.New(fault.TokenRevoked, op, nil))
	}
	answer := answers[c.rnd.IntN(len(answers))]
	c.kinds[fmt.Sprint(op, " ", when, " ", answer)]++
	return when, answer
}

func (c *chaos) one(op string, _ any) *fault.Error {
	if !c.hit(4) {
		return nil
	}
	codes := []fault.Code{fault.RecordLocked, fault.ReferenceRefused, fault.ServerError, fault.ValidationFailed, fault.StorageFull, fault.EmailRefused, fault.TextTooLong}
	if op == "relate" {
		codes = []fault.Code{fault.RecordLocked, fault.ServerError} // refused for good, it would be left out
	}
	f := fault.New(codes[c.rnd.IntN(len(codes))], op, nil)
	f.Unknown = f.Code == fault.ServerError && c.rnd.IntN(2) == 0
	return f
}

// TestExactlyOnce kills the process between any two steps, loses replies, delays effects
// and refuses records, and expects every mail to be one record, with one relation and each file
// once; and none to be lost.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		r.org.caps.UniqueKey = rapid.Bool().Draw(t, "unique")
		r.org.people = map[string][]match.Candidate{}
		if rapid.Bool().Draw(t, "ask for files") {
			r.cfg.Content = func() capture.Content { return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAsk} }
		}
		r.org.apart = rapid.Bool().Draw(t, "apart")
		r.org.lim = Limits{
			Records: rapid.IntRange(1, 8).Draw(t, "records"), Bytes: 40, Addresses: rapid.IntRange(1, 9).Draw(t, "addresses"),
			Sought: rapid.IntRange(1, 9).Draw(t, "sought"), Files: rapid.IntRange(1, 6).Draw(t, "files"), FileBytes: 6,
		}
		n := rapid.IntRange(1, 25).Draw(t, "mails")
		marks := []capture.Mark{capture.MarkHand, capture.MarkFolder, capture.MarkRule, capture.MarkThread}
		for i := range n {
			j := r.queue.add(mail(i, rapid.SampledFrom([]int{0, 0, 1, 4, 9}).Draw(t, "attachments")), rapid.Bool().Draw(t, "live"))
			j.Mark = rapid.SampledFrom(marks).Draw(t, "mark")
			if who := rapid.SampledFrom([][]match.Candidate{nil, {jane}, {jane, jane2}, {with(jane, deal)}, {with(jane, deal, issue), jane2}}).Draw(t, "people"); who != nil {
				r.org.people[fmt.Sprintf("s%d@x.de", i)] = who
			}
		}
		c := &chaos{rnd: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), left: rapid.IntRange(0, 60).Draw(t, "faults"), kinds: map[string]int{}}
		r.queue.hook, r.org.whole, r.org.one = c.queue, c.whole, c.one

		d, err := New(r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			err, dead := drainUnlessKilled(d, t)
			if dead {
				if d, err = New(r.cfg); err != nil {
					t.Fatal(err)
				}
			}
			if have := r.queue.count(stateWaiting) + r.queue.count(stateSent) + r.queue.count(stateNeedsYou) + r.queue.count(stateHeld); have != n {
				t.Fatalf("%d mails, %d accounted for", n, have)
			}
			if r.queue.count(stateWaiting) == 0 && r.queue.retry() == 0 {
				break
			}
			step := time.Duration(c.rnd.IntN(6)) * time.Second // 0: due at once, in the middle of a late effect
			r.clock.t = r.clock.t.Add(step)
		}
		r.clock.t = r.clock.t.Add(time.Minute)
		r.org.enter("late effects")
		if sent := r.queue.count(stateSent); sent != n || len(r.org.records) != n {
			t.Fatalf("%d mails, %d sent, %d records; faults %v", n, sent, len(r.org.records), c.kinds)
		}
		r.exactlyOnce(t)
	})
}

// drainUnlessKilled drains; a kill ends it like the end of a process.
func drainUnlessKilled(d *Deliverer, t *rapid.T) (err error, dead bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, dead = p.(killed); !dead {
				panic(p)
			}
		}
	}()
	_, err = d.Drain(t.Context())
	return err, false
}

// TestSecondComputer delivers the same mails from two computers, the second in the middle of the
// first: it adopts what exists and adds what is missing.
func TestSecondComputer(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		for _, op := range []string{"create", "relate", "attach", "none"} {
			t.Run(fmt.Sprint(unique, op), func(t *testing.T) {
				t.Parallel()
				r := newRig()
				r.org.caps.UniqueKey, r.org.apart = unique, true
				second := &fakeQueue{now: r.clock.now}
				for i := range 20 {
					r.queue.add(mail(i, i%4), false)
					second.add(mail(i, i%4), false)
				}
				stop := true
				r.org.whole = func(at string, _ int) (effect, error) {
					if stop && at == op {
						return effectNow, &fault.Error{Code: fault.Offline, Unknown: true}
					}
					return effectNow, nil
				}
				if _, err := r.deliverer(t).Drain(t.Context()); (err != nil) != (op != "none") {
					t.Fatalf("first computer: %v", err)
				}
				stop = false
				first := r.queue
				r.clock.t = r.clock.t.Add(time.Minute)
				r.queue, r.cfg.Queue = second, second
				r.finish(t, r.deliverer(t))
				r.exactlyOnce(t)
				r.queue, r.cfg.Queue = first, first
				r.finish(t, r.deliverer(t))
				r.exactlyOnce(t)
				if len(r.org.records) != 20 {
					t.Errorf("%d records", len(r.org.records))
				}
			})
		}
	}
}

// TestTaskWaitsForALostEmail: an e-mail whose reply was lost may still become a record when a
// second attempt is refused: a task is made only if it did not.
func TestTaskWaitsForALostEmail(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} { // the refusal is another mail's, and this one breaks
		for _, when := range []effect{effectNever, effectLate} {
			r := newRig()
			j := r.queue.add(mail(1, 0), true)
			calls := 0
			r.org.whole = func(op string, _ int) (effect, error) {
				if calls++; calls == 1 {
					return when, &fault.Error{Code: fault.Offline, Unknown: true}
				}
				return effectNow, nil
			}
			d := r.deliverer(t)
			if _, err := d.Drain(t.Context()); err == nil {
				t.Fatal("the first call is answered")
			}
			landed := r.clock.t.Add(9 * time.Second)
			early := func(rec Record) bool { return rec.Kind == Email && r.clock.t.Before(landed) }
			if r.org.refuse(fault.EmailRefused, 9, early); other {
				r.org.refuse(fault.ServerError, 1, early)
				if _, err := d.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				d.noEmail = r.clock.t // as the other mail's refusal leaves it
			}
			r.finish(t, d)
			r.clock.t = r.clock.t.Add(time.Minute)
			r.org.enter("late effects")
			want := map[effect]Kind{effectNever: Task, effectLate: Email}[when]
			if j.state != stateSent || len(r.org.records) != 1 || r.org.records[0].Kind != want {
				t.Errorf("other %v, effect %v: state %d, %d records", other, when, j.state, len(r.org.records))
			}
			r.exactlyOnce(t)
		}
	}
}
