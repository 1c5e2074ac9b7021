package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// refuse makes the org refuse records that pick chooses, at most times each.
func (o *fakeOrg) refuse(code fault.Code, times int, pick func(Record) bool) {
	seen := map[capture.Key]int{}
	o.one = func(op string, v any) *fault.Error {
		if r, ok := v.(Record); ok && pick(r) && seen[r.Key] < times {
			seen[r.Key]++
			return &fault.Error{Code: code, Op: op, Detail: "because"}
		}
		return nil
	}
}

func always(Record) bool { return true }

func is(i int) func(Record) bool {
	return func(r Record) bool { return r.Mail.Subject == fmt.Sprint("mail ", i) }
}

func TestF39OnlyRefusedAreSentAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		bad := map[string]bool{}
		for i := range 200 {
			r.queue.add(mail(i, 0), false)
			if rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
				bad[fmt.Sprint("mail ", i)] = true
			}
		}
		r.org.refuse(fault.RecordLocked, 1, func(rec Record) bool { return bad[rec.Mail.Subject] })
		d, err := New(r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.queue.count(stateSent); got != 200-len(bad) {
			t.Fatalf("%d of %d good mails sent", got, 200-len(bad))
		}
		r.clock.t = r.clock.t.Add(time.Minute)
		if _, err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []int{200}
		if len(bad) > 0 {
			want = append(want, len(bad))
		}
		if !reflect.DeepEqual(r.org.sizes, want) {
			t.Fatalf("calls of %v records, want %v", r.org.sizes, want)
		}
		r.exactlyOnce(t)
	})
}

func TestF39EachFailsAlone(t *testing.T) {
	t.Parallel()
	const n = 60
	for i := range n {
		r := newRig()
		for k := range n {
			r.queue.add(mail(k, 0), false)
		}
		r.org.refuse(fault.ValidationFailed, 99, is(i))
		if _, err := r.deliverer(t).Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		j := r.queue.jobs[i]
		if r.queue.count(stateSent) != n-1 || j.state != stateNeedsYou || j.last.Code != fault.ValidationFailed || j.last.Detail != "because" {
			t.Fatalf("mail %d: %d sent, %+v", i, r.queue.count(stateSent), j.last)
		}
	}
}

func TestF40SameKeyTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		r := newRig()
		r.org.caps.UniqueKey = unique
		for range 3 {
			r.queue.add(mail(7, 2), false)
		}
		r.finish(t, r.deliverer(t))
		if len(r.org.records) != 1 || r.queue.count(stateSent) != 3 || slices.Max(r.org.sizes) != 1 {
			t.Errorf("unique %v: %d records, %d sent, calls of %v", unique, len(r.org.records), r.queue.count(stateSent), r.org.sizes)
		}
		r.exactlyOnce(t)
	}
}

func TestF41LockedRecordIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ locked, sent int }{{2, 10}, {99, 9}} {
		r := newRig()
		for k := range 10 {
			r.queue.add(mail(k, 0), false)
		}
		r.org.refuse(fault.RecordLocked, c.locked, is(3))
		rep := r.finish(t, r.deliverer(t))
		if rep.Sent != c.sent || len(r.org.sizes) != 3 {
			t.Errorf("locked %d times: %d sent in calls of %v", c.locked, rep.Sent, r.org.sizes)
		}
	}
}

// TestF41PoisonIsFound has one mail on which the server always breaks, known or unknown: the
// others are saved, and it ends with a person.
func TestF41PoisonIsFound(t *testing.T) {
	t.Parallel()
	for _, f := range []*fault.Error{
		{Code: fault.ServerError}, {Code: fault.ServerError, Unknown: true}, {Code: fault.Stalled, Unknown: true},
		{Code: fault.Internal}, {Code: fault.SalesforceRefused},
	} {
		for _, unique := range []bool{true, false} {
			r := newRig()
			r.org.caps.UniqueKey = unique
			for k := range 100 {
				r.queue.add(mail(k, 0), false)
			}
			r.cfg.Target = &poisoned{fakeOrg: r.org, fault: f, poison: is(37)}
			rep := r.finish(t, r.deliverer(t))
			j := r.queue.jobs[37]
			if rep.Sent != 99 || j.state != stateNeedsYou || j.last.Code != f.Code || len(r.org.records) != 99 {
				t.Errorf("%v unique %v: %d sent, %d records, poison %+v", f, unique, rep.Sent, len(r.org.records), j.last)
			}
			if rep.Calls > 100 {
				t.Errorf("%v: %d calls to find one mail", f, rep.Calls)
			}
			r.exactlyOnce(t)
		}
	}
}

func TestF41PoisonAlone(t *testing.T) {
	t.Parallel()
	r := newRig()
	j := r.queue.add(mail(1, 0), true)
	r.cfg.Target = &poisoned{fakeOrg: r.org, fault: &fault.Error{Code: fault.ServerError}, poison: always}
	rep := r.finish(t, r.deliverer(t))
	if j.state != stateNeedsYou || rep.Calls > 20 {
		t.Errorf("%+v, %+v", j.last, rep)
	}
}

// poisoned is an org that breaks on every Create that carries a certain mail.
type poisoned struct {
	*fakeOrg
	fault  *fault.Error
	poison func(Record) bool
}

func (p *poisoned) Create(ctx context.Context, records []Record) ([]Result, error) {
	if slices.ContainsFunc(records, p.poison) {
		p.enter("create")
		return nil, p.fault
	}
	return p.fakeOrg.Create(ctx, records)
}

func TestF41OutageCostsNobodyATry(t *testing.T) {
	t.Parallel()
	r := newRig()
	for k := range 3 {
		r.queue.add(mail(k, 0), false)
	}
	down := true
	r.org.find = func(Query) error {
		if down {
			return fault.New(fault.ServerError, "find", nil)
		}
		return nil
	}
	d := r.deliverer(t)
	for range 200 {
		if _, err := d.Drain(t.Context()); err != nil {
			d.pause(fault.Of(err))
		}
		r.clock.t = r.clock.t.Add(10 * time.Minute)
	}
	if n := r.queue.count(stateWaiting); n != 3 {
		t.Fatalf("%d of 3 mails wait", n)
	}
	down = false
	r.finish(t, d)
	if n := r.queue.count(stateSent); n != 3 {
		t.Errorf("%d of 3 mails sent", n)
	}
}

func TestF41HalfAnswer(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.queue.add(mail(1, 2), false)
	r.queue.add(mail(2, 0), false)
	half := &halfAnswers{fakeOrg: r.org, left: 1}
	r.cfg.Target = half
	r.finish(t, r.deliverer(t))
	if half.left != 0 || r.queue.count(stateSent) != 2 {
		t.Errorf("%d sent", r.queue.count(stateSent))
	}
	r.exactlyOnce(t)
}

type halfAnswers struct {
	*fakeOrg
	left int
}

func (h *halfAnswers) Create(ctx context.Context, records []Record) ([]Result, error) {
	res, err := h.fakeOrg.Create(ctx, records)
	if h.left > 0 {
		h.left--
		return res[:len(res)/2], err
	}
	return res, err
}

func TestF42Ladder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		set   func(*rig)
		state int
		code  fault.Code
		check func(*fakeRecord, *rig) string
	}{
		{"email refused: task", func(r *rig) { r.org.refuse(fault.EmailRefused, 9, func(rec Record) bool { return rec.Kind == Email }) }, stateSent, "",
			func(rec *fakeRecord, r *rig) string {
				if rec.Kind != Task || r.org.calls["create"] != 2 {
					return fmt.Sprint(rec.Kind, r.org.calls)
				}
				return ""
			}},
		{"neither", func(r *rig) { r.org.caps = Capabilities{Missing: []string{"Edit Tasks", "API"}} }, stateNeedsYou, fault.NothingSavable, nil},
		{"email and task refused", func(r *rig) { r.org.refuse(fault.EmailRefused, 9, always) }, stateNeedsYou, fault.PermissionMissing, nil},
		{"reference refused once", func(r *rig) { r.org.refuse(fault.ReferenceRefused, 1, always) }, stateSent, "",
			func(rec *fakeRecord, _ *rig) string {
				if rec.Links.From != nil || rec.relations[0].PersonID != "" || !slices.Equal(rec.Links.ToOther, []string{"me@corp.com"}) {
					return fmt.Sprintf("%+v", rec.Links)
				}
				return ""
			}},
		{"reference refused again", func(r *rig) { r.org.refuse(fault.ReferenceRefused, 9, always) }, stateNeedsYou, fault.ReferenceRefused, nil},
		{"too long once", func(r *rig) {
			r.org.refuse(fault.TextTooLong, 9, func(rec Record) bool { return len(rec.Mail.Text) > 30_000 })
		}, stateSent, "", func(rec *fakeRecord, _ *rig) string {
			if n := len(rec.Mail.Text); n < 20_000 || !strings.HasSuffix(rec.Mail.Text, "[...]") {
				return fmt.Sprint(n)
			}
			return ""
		}},
		{"too long again", func(r *rig) { r.org.refuse(fault.TextTooLong, 9, always) }, stateNeedsYou, fault.TextTooLong, nil},
		{"validation", func(r *rig) { r.org.refuse(fault.ValidationFailed, 9, always) }, stateNeedsYou, fault.ValidationFailed, nil},
		{"required field", func(r *rig) { r.org.refuse(fault.RequiredField, 9, always) }, stateNeedsYou, fault.RequiredField, nil},
		{"permission", func(r *rig) { r.org.refuse(fault.PermissionMissing, 9, always) }, stateNeedsYou, fault.PermissionMissing, nil},
		{"server error of one record", func(r *rig) { r.org.refuse(fault.ServerError, 7, always) }, stateSent, "", nil},
		{"server error without end", func(r *rig) { r.org.refuse(fault.ServerError, 99, always) }, stateNeedsYou, fault.ServerError, nil},
		{"saved, but invisible", func(r *rig) { r.org.refuse(fault.AlreadySaved, 99, always) }, stateNeedsYou, fault.AlreadySaved, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig()
			m := mail(1, 0)
			m.Mail.Text = strings.Repeat("ä", 40_000)
			r.org.people = map[string][]match.Candidate{"s1@x.de": {{Type: match.Contact, ID: "003"}}}
			j := r.queue.add(m, false)
			c.set(r)
			r.finish(t, r.deliverer(t))
			if j.state != c.state || j.last.Code != c.code {
				t.Fatalf("state %d, %+v", j.state, j.last)
			}
			if c.code == fault.NothingSavable && j.last.Detail != "Edit Tasks\nAPI" {
				t.Errorf("detail %q", j.last.Detail)
			}
			if c.check != nil {
				if bad := c.check(r.org.records[0], r); bad != "" {
					t.Error(bad)
				}
			}
			r.exactlyOnce(t)
		})
	}
}

func TestEmailRefusedIsRememberedForADay(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.refuse(fault.EmailRefused, 99, func(rec Record) bool { return rec.Kind == Email })
	d := r.deliverer(t)
	for i := range 4 {
		r.queue.add(mail(i, 0), true)
		r.finish(t, d)
	}
	if n := r.org.calls["create"]; n != 5 {
		t.Errorf("%d creates for 4 mails, want 5", n)
	}
	r.clock.t = r.clock.t.Add(25 * time.Hour)
	r.org.one = nil
	r.queue.add(mail(9, 0), true)
	r.finish(t, d)
	if rec := r.org.records[4]; rec.Kind != Email {
		t.Errorf("a day later: %s", rec.Kind)
	}
}

func TestF44DeletedRecordIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	r := newRig()
	j := r.queue.add(mail(1, 2), false)
	deleted := false
	r.org.whole = func(op string, _ int) (effect, error) {
		if op == "attach" && !deleted {
			r.org.records, deleted = nil, true
		}
		return effectNow, nil
	}
	r.finish(t, r.deliverer(t))
	if j.state != stateNeedsYou || j.last.Code != fault.ReferenceRefused || len(r.org.records) != 0 {
		t.Errorf("%+v, %d records", j.last, len(r.org.records))
	}
}

func TestF13UnreadableMailIsAloneInIt(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.queue.add(mail(1, 1), false)
	bad := []*fakeJob{r.queue.addRaw([]byte("panic"), "p", true), r.queue.addRaw([]byte("error"), "e", false)}
	broken := mail(2, 0)
	broken.Files = [][]byte{[]byte("broken")}
	bad = append(bad, r.queue.add(broken, false))
	r.queue.add(mail(3, 2), false)
	r.finish(t, r.deliverer(t))
	for _, j := range bad {
		if j.state != stateNeedsYou || j.last.Code != fault.MailUnreadable || j.last.Detail != "" {
			t.Errorf("job %d: %+v", j.ID, j.last)
		}
	}
	if n := r.queue.count(stateSent); n != 2 {
		t.Errorf("%d sent", n)
	}
	r.exactlyOnce(t)
}

func TestStorageFullKeepsWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := newRig()
	j := r.queue.add(mail(1, 6), false)
	full, n := true, 0
	r.org.one = func(op string, _ any) *fault.Error {
		if n++; op == "attach" && full && n > 3 {
			return fault.New(fault.StorageFull, op, nil)
		}
		return nil
	}
	d := r.deliverer(t)
	r.finish(t, d)
	if j.state != stateNeedsYou || j.last.Code != fault.StorageFull {
		t.Fatalf("%+v", j.last)
	}
	full = false
	r.queue.retry()
	r.finish(t, d)
	if j.state != stateSent {
		t.Errorf("%+v", j.last)
	}
	r.exactlyOnce(t)
}

func TestFilesLeftOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		sizes        []int
		may          bool
		files, out   int
		attachedCall int
	}{
		{"all fit", []int{3, 3}, true, 2, 0, 1},
		{"one too large", []int{3, 6, 3}, true, 2, 1, 1},
		{"together too large", []int{4, 4, 4, 1}, true, 3, 1, 1},
		{"empty", []int{0, 1}, true, 1, 1, 1},
		{"none allowed", []int{1, 1}, false, 0, 2, 0},
	} {
		r := newRig()
		r.cfg.Content = func() capture.Content {
			return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAlways, FileMax: 5, FilesMax: 10}
		}
		r.org.caps.Files = c.may
		m := mail(1, 0)
		for _, n := range c.sizes {
			m.Files = append(m.Files, make([]byte, n))
		}
		j := r.queue.add(m, false)
		r.finish(t, r.deliverer(t))
		if j.state != stateSent || j.last.Files != c.files || j.last.LeftOut != c.out || r.org.calls["attach"] != c.attachedCall {
			t.Errorf("%s: %+v, calls %v", c.name, j.last, r.org.calls)
		}
	}
}

func TestRefusedRelationDoesNotHoldAMail(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.apart = true
	r.org.one = func(op string, _ any) *fault.Error {
		if op == "relate" {
			return fault.New(fault.PermissionMissing, op, nil)
		}
		return nil
	}
	j := r.queue.add(mail(1, 0), false)
	d := r.deliverer(t)
	rep, err := d.Drain(t.Context())
	if err != nil || j.state != stateSent || rep.Unrelated != 1 {
		t.Errorf("%v, %+v, %+v", err, j.last, rep)
	}
}

func TestSkippedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig()
	for i := range 3 {
		r.queue.add(mail(i, 0), false)
	}
	r.queue.hook = func(op string) error {
		if op == "begin" && r.queue.jobs[1].state == stateWaiting {
			r.queue.jobs[1].state = stateNeedsYou // stands for any state but waiting
		}
		return nil
	}
	if rep, err := r.deliverer(t).Drain(t.Context()); err != nil || rep.Sent != 2 || len(r.org.records) != 2 {
		t.Errorf("%v, %+v, %d records", err, rep, len(r.org.records))
	}
}

// TestLockedStoreConcernsAll has the queue itself fail while a mail is read: nothing is charged.
func TestLockedStoreConcernsAll(t *testing.T) {
	t.Parallel()
	for code, want := range map[fault.Code]int{fault.KeyStoreLocked: stateWaiting, fault.QueueLocked: stateWaiting, fault.QueueDamaged: stateNeedsYou} {
		r := newRig()
		j := r.queue.add(mail(1, 0), false)
		r.queue.hook = func(op string) error {
			if op == "open" {
				return fault.New(code, "open", nil)
			}
			return nil
		}
		_, err := r.deliverer(t).Drain(t.Context())
		if j.state != want || (want == stateWaiting) != fault.Is(err, code) || r.org.total() != 0 {
			t.Errorf("%s: %v, state %d", code, err, j.state)
		}
	}
}

func TestLiveBeforeBacklogAndOrder(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.lim.Records = 3
	for i := range 5 {
		r.queue.add(mail(i, 0), false)
	}
	r.queue.add(mail(5, 1), true)
	r.queue.add(mail(6, 0), true)
	r.finish(t, r.deliverer(t))
	var got []string
	for _, rec := range r.org.records {
		got = append(got, rec.Mail.Subject)
	}
	if want := []string{"mail 5", "mail 6", "mail 0", "mail 1", "mail 2", "mail 3", "mail 4"}; !slices.Equal(got, want) {
		t.Errorf("order %q", got)
	}
}

// TestLiveFilesDoNotWaitForBacklog has a new mail with a file arrive before a long backlog.
func TestLiveFilesDoNotWaitForBacklog(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.lim.Records = 3
	for i := range 30 {
		r.queue.add(mail(i, 1), false)
	}
	live := r.queue.add(mail(99, 1), true)
	backlog := -1
	r.queue.hook = func(op string) error {
		if op == "settled" && live.state == stateSent && backlog < 0 {
			backlog = len(r.org.records) - 1
		}
		return nil
	}
	r.finish(t, r.deliverer(t))
	if backlog > 6 {
		t.Errorf("%d mails of the backlog were created before the new one was done", backlog)
	}
	if n := r.org.calls["attach"]; n > 3 {
		t.Errorf("%d uploads for 31 small files", n)
	}
}

func TestDoubtIsVerifiedAndKept(t *testing.T) {
	t.Parallel()
	r := newRig()
	j := r.queue.add(mail(1, 0), false)
	down := true
	r.org.find = func(q Query) error {
		if len(q.Saved) != 1 {
			t.Errorf("not asked whether it is saved: %+v", q)
		}
		if down {
			return fault.New(fault.ServerError, "find", nil)
		}
		return nil
	}
	d := r.deliverer(t)
	j.Unknown, j.Began = true, r.clock.t.Add(-settleTime)
	r.org.records = []*fakeRecord{{Record: Record{Key: j.Key, Kind: Email, Mail: mail(1, 0).Mail}, id: "02s", relations: make([]Relation, 1)}}
	if _, err := d.Drain(t.Context()); !fault.Is(err, fault.ServerError) || j.last.Verdict != Doubtful {
		t.Errorf("%v, %+v", err, j.last)
	}
	down = false
	r.org.find = nil
	r.finish(t, d)
	if j.RecordID != "02s" || r.org.calls["create"] != 0 {
		t.Errorf("%+v, calls %v", j.Job, r.org.calls)
	}
	r.exactlyOnce(t)
}

func TestRetryByAPersonStartsAnew(t *testing.T) {
	t.Parallel()
	r := newRig()
	j := r.queue.add(mail(1, 0), false)
	r.org.refuse(fault.RecordLocked, lockedStrikes+2, always)
	d := r.deliverer(t)
	r.finish(t, d)
	if j.state != stateNeedsYou {
		t.Fatalf("%+v", j.last)
	}
	r.queue.retry()
	r.finish(t, d)
	if j.state != stateSent || len(d.notes) != 0 {
		t.Errorf("%+v, %d notes", j.last, len(d.notes))
	}
}

func TestNotesAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig()
	d := r.deliverer(t)
	for i := range int64(3 * notesMost) {
		d.note(i)
		d.forget()
	}
	if len(d.notes) > notesMost+1 {
		t.Errorf("%d notes", len(d.notes))
	}
}

func TestIncoming(t *testing.T) {
	t.Parallel()
	r := newRig()
	out := mail(1, 0)
	out.Mail.From = []capture.Address{{Addr: "ME@corp.com"}}
	nobody := mail(2, 0)
	nobody.Mail.From = nil
	r.queue.add(out, false)
	r.queue.add(nobody, false)
	r.queue.add(mail(3, 0), false)
	r.finish(t, r.deliverer(t))
	for i, want := range []bool{false, true, true} {
		if got := r.org.records[i].Incoming; got != want {
			t.Errorf("record %d: incoming %v", i, got)
		}
	}
	r.exactlyOnce(t)
}

// TestCallsPerThousand delivers mails of 13 KB from a thousand senders within the calls that a
// site licence allows.
func TestCallsPerThousand(t *testing.T) {
	t.Parallel()
	for records, unique := range map[int]bool{200: false, 400: true} {
		r := newRig()
		r.org.lim.Records = records
		r.org.caps.UniqueKey = unique
		for i := range 1000 {
			m := mail(i, 0)
			if i%10 == 0 {
				m = mail(i, 1)
			}
			m.Mail.HTML = strings.Repeat("x", 13<<10)
			r.queue.add(m, false)
		}
		r.finish(t, r.deliverer(t))
		calls, attach := r.org.total(), r.org.calls["attach"]
		if calls-attach+1 > 12 || attach > 1 || r.queue.count(stateSent) != 1000 {
			t.Errorf("%d at once, unique %v: calls %v", records, unique, r.org.calls)
		}
		r.exactlyOnce(t)
	}
}

func TestParsedMailInMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.lim.Bytes = 100 << 10
	for i := range 40 {
		m := mail(i, 0)
		m.Mail.Text = strings.Repeat("x", 30<<10)
		if i == 7 {
			m.Mail.Text = strings.Repeat("x", 300<<10)
		}
		r.queue.add(m, false)
	}
	r.finish(t, r.deliverer(t)) // the org panics over its limits
	if r.queue.count(stateSent) != 40 || slices.Max(r.org.sizes) != 3 {
		t.Errorf("calls of %v", r.org.sizes)
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("😀", 200) + ".pdf"
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", " \t": "attachment-3", "a\r\n b\x00c": "a b c",
		strings.Repeat("x", 300) + ".pdf": strings.Repeat("x", 251) + ".pdf",
		strings.Repeat("x", 300):          strings.Repeat("x", 255),
		long:                              strings.Repeat("😀", 125) + ".pdf",
	} {
		if got := title(in, 2); got != want {
			t.Errorf("title(%.20q) = %q", in, got)
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		most := rapid.IntRange(6, 40).Draw(t, "most")
		got := clip(s, most)
		if len(got) > most || (len(s) <= most) != (got == s) || strings.ToValidUTF8(got, "?") != got {
			t.Fatalf("clip(%q, %d) = %q", s, most, got)
		}
	})
	m := shorten(capture.Mail{Text: "t", HTML: strings.Repeat("h", 1<<20), RawHeaders: strings.Repeat("r", 1<<20)})
	if m.HTML != "" || m.Text != "t" || len(m.RawHeaders) > shortText {
		t.Errorf("%d %d %d", len(m.HTML), len(m.Text), len(m.RawHeaders))
	}
	if m = shorten(capture.Mail{HTML: strings.Repeat("h", 1<<20)}); len(m.HTML) == 0 || len(m.HTML) > shortText {
		t.Errorf("html alone: %d", len(m.HTML))
	}
}

func TestPeopleAreRemembered(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.org.people = map[string][]match.Candidate{"s1@x.de": {{Type: match.Contact, ID: "003"}}}
	d := r.deliverer(t)
	asked := map[string]int{}
	r.org.find = func(q Query) error {
		for _, a := range q.Addresses {
			asked[a]++
		}
		return nil
	}
	send := func(i int) {
		m := mail(i, 0)
		m.Mail.From = []capture.Address{{Addr: "S1@x.de"}}
		m.Mail.To = []capture.Address{{Addr: "nobody@x.de"}}
		r.queue.add(m, true)
		r.finish(t, d)
	}
	for i, want := range []struct {
		after         time.Duration
		found, absent int
	}{{0, 1, 1}, {59 * time.Minute, 1, 1}, {2 * time.Minute, 1, 2}, {23 * time.Hour, 2, 3}} {
		r.clock.t = r.clock.t.Add(want.after)
		send(i)
		if asked["s1@x.de"] != want.found || asked["nobody@x.de"] != want.absent {
			t.Errorf("step %d: asked %v", i, asked)
		}
	}
	var p people
	for i := range 5 * peopleMax {
		p.put(fmt.Sprint(i), nil, r.clock.t)
		p.get("0", r.clock.t)
	}
	if _, ok := p.get("0", r.clock.t); !ok || len(p.young)+len(p.old) > 2*peopleMax {
		t.Errorf("in use: %v, %d kept", ok, len(p.young)+len(p.old))
	}
}

func TestNewWantsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("no error")
	}
}

func TestErrorsCarryNoContent(t *testing.T) {
	t.Parallel()
	r := newRig()
	d := r.deliverer(t)
	j := r.queue.addRaw([]byte("panic"), "k", false)
	_, err := d.parse(t.Context(), j.Job)
	if err == nil || strings.Contains(err.Error(), "secret") || !errors.Is(err, errPanic) {
		t.Errorf("%v", err)
	}
	if _, err := json.Marshal(d.state); err != nil {
		t.Error(err)
	}
}
