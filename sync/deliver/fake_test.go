package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// killed is what a killed process leaves behind: nothing after this point ran.
type killed struct{}

// clock is time that moves only when a test moves it.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

const (
	stateWaiting = iota
	stateSent
	stateNeedsYou
	stateHeld
)

type fakeJob struct {
	Job
	state int
	due   time.Time
	raw   []byte
	last  Outcome

	level   capture.Level
	matched []match.Reason
}

// fakeQueue is a queue in memory that survives the Deliverer. Hook, when set, runs at each step
// of it, and may return an error or panic.
type fakeQueue struct {
	mu   sync.Mutex
	jobs []*fakeJob
	hook func(op string) error
	now  func() time.Time
}

func (q *fakeQueue) at(op string) error {
	if q.hook == nil {
		return nil
	}
	return q.hook(op)
}

func (q *fakeQueue) Due(_ context.Context, now time.Time, most int, maxBytes int64) ([]Job, error) {
	if err := q.at("due"); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []Job
	var sum int64
	for _, live := range []bool{true, false} {
		for _, j := range q.jobs {
			if j.state != stateWaiting || j.Live != live || j.due.After(now) || len(out) == most {
				continue
			}
			if sum += j.Size; len(out) > 0 && sum > maxBytes {
				return out, nil
			}
			out = append(out, j.Job)
		}
	}
	return out, nil
}

func (q *fakeQueue) NextDue(context.Context) (next time.Time, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if due := j.due; j.state == stateWaiting {
			if due.IsZero() {
				due = time.Unix(1, 0)
			}
			if next.IsZero() || due.Before(next) {
				next = due
			}
		}
	}
	return next, nil
}

func (q *fakeQueue) Open(_ context.Context, job int64) (io.ReadCloser, error) {
	if err := q.at("open"); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return io.NopCloser(bytes.NewReader(q.job(job).raw)), nil
}

func (q *fakeQueue) Begin(_ context.Context, now time.Time, jobs []int64) error {
	if err := q.at("begin"); err != nil {
		return err
	}
	q.mu.Lock()
	for _, id := range jobs {
		if q.job(id).state != stateWaiting {
			q.mu.Unlock()
			return fault.New(fault.NotFound, "begin", nil)
		}
	}
	for _, id := range jobs {
		j := q.job(id)
		j.Unknown, j.Began = true, now
		j.Tries++
	}
	q.mu.Unlock()
	return q.at("begun")
}

func (q *fakeQueue) Settle(ctx context.Context, _ time.Time, outcomes []Outcome) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := q.at("settle"); err != nil {
		return err
	}
	q.mu.Lock()
	for _, o := range outcomes {
		j := q.job(o.Job)
		if j.state == stateSent {
			panic("settled twice")
		}
		j.last = o
		if o.RecordID != "" {
			j.RecordID, j.Kind = o.RecordID, o.Kind
		}
		if o.Level != "" {
			j.level, j.matched = o.Level, o.Matched
		}
		switch o.Verdict {
		case Advanced:
			j.Next, j.Unknown, j.due = o.Next, false, time.Time{}
		case Sent:
			j.state, j.Unknown = stateSent, false
		case Postponed:
			j.Unknown, j.due = false, o.RetryAt
		case Doubtful:
			if j.due = o.RetryAt; !j.Unknown {
				j.Unknown, j.Began = true, q.now()
			}
		case NeedsYou:
			j.state = stateNeedsYou
		case Held:
			j.state = stateHeld
		default:
			panic(fmt.Sprintf("verdict %d", o.Verdict))
		}
	}
	q.mu.Unlock()
	return q.at("settled")
}

func (q *fakeQueue) job(id int64) *fakeJob { return q.jobs[id-1] }

// answer is the person's answer to the question of a job.
func (q *fakeQueue) answer(j *fakeJob, key, id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j.Answers == nil {
		j.Answers = map[string]string{}
	}
	j.Answers[key] = id
	j.state, j.due = stateWaiting, time.Time{}
}

// retry is the person's "try again" on everything that needs one, the first answer to every
// question, and the release of what is held.
func (q *fakeQueue) retry() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if j.state != stateNeedsYou && j.state != stateHeld {
			continue
		}
		if j.Answers == nil {
			j.Answers = map[string]string{}
		}
		if ask := j.last.Question; j.state == stateHeld {
			j.Answers[AnswerUnmatched] = Yes
		} else if ask != nil {
			key := string(ask.Kind)
			if ask.Kind == capture.AskPerson {
				key = AnswerPerson + ask.Subject
			}
			j.Answers[key] = ask.Options[0].ID
		}
		j.state, j.due = stateWaiting, time.Time{}
		n++
	}
	return n
}

func (q *fakeQueue) count(state int) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if j.state == state {
			n++
		}
	}
	return n
}

// fakeMail is the raw form that the tests' parser understands.
type fakeMail struct {
	Mail  capture.Mail
	Files [][]byte
}

func (q *fakeQueue) add(m fakeMail, live bool) *fakeJob {
	for i, f := range m.Files {
		m.Mail.Attachments = append(m.Mail.Attachments, capture.Attachment{Index: i, Name: fmt.Sprintf("f%d.bin", i/2), Type: "a/b", Size: int64(len(f))})
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return q.addRaw(raw, capture.MailKey(capture.Account{}, m.Mail.MessageID), live)
}

func (q *fakeQueue) addRaw(raw []byte, key capture.Key, live bool) *fakeJob {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := &fakeJob{raw: raw, Job: Job{ID: int64(len(q.jobs) + 1), Key: key, Next: StepCreate, Size: int64(len(raw)), Live: live}}
	q.jobs = append(q.jobs, j)
	return j
}

func readFake(_ context.Context, r io.Reader, _ int64) (capture.Mail, error) {
	var m fakeMail
	raw, err := io.ReadAll(r)
	switch {
	case err != nil:
		return m.Mail, err
	case string(raw) == "panic":
		panic("secret content")
	case string(raw) == "error":
		return m.Mail, errors.New("hopeless")
	}
	return m.Mail, json.Unmarshal(raw, &m)
}

func fileFake(_ context.Context, r io.Reader, _ int64, index int) (io.ReadCloser, error) {
	var m fakeMail
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		return nil, err
	}
	if string(m.Files[index]) == "broken" {
		return io.NopCloser(io.MultiReader(strings.NewReader("bro"), brokenReader{})), nil
	}
	return io.NopCloser(bytes.NewReader(m.Files[index])), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { panic("decoder") }

type fakeRecord struct {
	Record
	id        string
	relations []Relation
	files     []FileSeen
	foreign   bool // a colleague made it
}

// fakeOrg is a Salesforce in memory. Whole decides about each call with an effect: how it
// answers, and whether the effect happens. One decides about each record, relation and file.
type fakeOrg struct {
	mu      sync.Mutex
	caps    Capabilities
	lim     Limits
	people  map[string][]match.Candidate
	records []*fakeRecord
	calls   map[string]int
	sizes   []int // records per Create
	now     func() time.Time
	pending []pending
	apart   bool // Create does not make relations

	whole func(op string, n int) (when effect, answer error)
	one   func(op string, v any) *fault.Error
	find  func(Query) error
}

// pending is an effect that happens although nobody waits for it any more.
type pending struct {
	at time.Time
	do func()
}

type effect int

const (
	effectNow effect = iota
	effectNever
	effectLate // within the settle time
)

func newOrg(now func() time.Time) *fakeOrg {
	return &fakeOrg{
		caps: Capabilities{Email: true, Task: true, Files: true, UniqueKey: true}, now: now,
		lim:   Limits{Records: 200, Bytes: 4 << 20, Addresses: 400, Sought: 800, Files: 200, FileBytes: 30 << 20},
		calls: map[string]int{},
	}
}

func (o *fakeOrg) Limits() Limits { return o.lim }

func (o *fakeOrg) total() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.calls {
		n += c
	}
	return n
}

func (o *fakeOrg) enter(op string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls[op]++
	o.pending = slices.DeleteFunc(o.pending, func(p pending) bool {
		if p.at.After(o.now()) {
			return false
		}
		p.do()
		return true
	})
}

func (o *fakeOrg) Capabilities(context.Context) (Capabilities, error) {
	return o.caps, nil
}

func (o *fakeOrg) Find(_ context.Context, q Query) (Answer, error) {
	o.enter("find")
	if o.find != nil {
		if err := o.find(q); err != nil {
			return Answer{}, err
		}
	}
	if len(q.Addresses) > o.lim.Addresses || max(len(q.Saved), len(q.Shared), len(q.Relations), len(q.Files)) > o.lim.Sought {
		panic("query over the limits")
	}
	a := Answer{People: map[string][]match.Candidate{}, Saved: map[capture.Key]Existing{}, Related: map[string]bool{}, Files: map[string][]FileSeen{}}
	for _, addr := range q.Addresses {
		if p := o.people[addr]; p != nil {
			a.People[addr] = p
		}
	}
	for _, r := range o.records {
		for _, s := range q.Saved {
			if s.Key == r.Key && !r.foreign {
				a.Saved[s.Key] = Existing{ID: r.id, Kind: r.Kind}
			}
		}
		for _, s := range q.Shared {
			if s.MessageID == r.Mail.MessageID && r.foreign {
				a.Saved[s.Key] = Existing{ID: r.id, Kind: r.Kind, Foreign: true}
			}
		}
		if slices.Contains(q.Relations, r.id) && len(r.relations) > 0 {
			a.Related[r.id] = true
		}
		if slices.Contains(q.Files, r.id) {
			a.Files[r.id] = r.files
		}
	}
	return a, nil
}

// call runs one call with an effect.
func call[T any](o *fakeOrg, op string, in []T, do func(T) Result) ([]Result, error) {
	o.enter(op)
	run := func() []Result {
		out := make([]Result, len(in))
		for i, v := range in {
			if o.one != nil {
				if f := o.one(op, v); f != nil {
					if f.Unknown {
						do(v)
					}
					out[i].Err = f
					continue
				}
			}
			out[i] = do(v)
		}
		return out
	}
	when, answer := effectNow, error(nil)
	if o.whole != nil {
		when, answer = o.whole(op, len(in))
	}
	var out []Result
	switch when {
	case effectNow:
		out = run()
	case effectLate:
		o.pending = append(o.pending, pending{o.now().Add(9 * time.Second), func() { run() }})
	}
	if _, dead := answer.(deadError); dead {
		panic(killed{})
	}
	if answer != nil {
		return nil, answer
	}
	return out, nil
}

// deadError as an answer kills the process at that point.
type deadError struct{}

func (deadError) Error() string { return "killed" }

func (o *fakeOrg) Create(_ context.Context, records []Record) ([]Result, error) {
	var sum int64
	for _, r := range records {
		sum += int64(len(r.Mail.RawHeaders) + len(r.Mail.Text) + len(r.Mail.HTML))
	}
	if len(records) > o.lim.Records || (len(records) > 1 && sum > o.lim.Bytes) {
		panic("create over the limits")
	}
	o.sizes = append(o.sizes, len(records))
	return call(o, "create", records, func(r Record) Result {
		for _, have := range o.records {
			if o.caps.UniqueKey && have.Key == r.Key && have.Kind == r.Kind {
				return Result{ID: have.id, Err: fault.New(fault.AlreadySaved, "create", nil)}
			}
		}
		rec := &fakeRecord{Record: r, id: fmt.Sprintf("02s%015d", len(o.records))}
		o.records = append(o.records, rec)
		related := r.Kind != Email || len(r.Mail.From) == 0
		if !related && !o.apart {
			rel := Relation{RecordID: rec.id, Address: r.Mail.From[0]}
			if r.Links.From != nil {
				rel.PersonID = r.Links.From.ID
			}
			rec.relations, related = append(rec.relations, rel), true
		}
		return Result{ID: rec.id, Related: related}
	})
}

func (o *fakeOrg) record(id string) *fakeRecord {
	for _, r := range o.records {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (o *fakeOrg) Relate(_ context.Context, relations []Relation) ([]Result, error) {
	return call(o, "relate", relations, func(r Relation) Result {
		rec := o.record(r.RecordID)
		rec.relations = append(rec.relations, r)
		return Result{ID: "rel"}
	})
}

func (o *fakeOrg) Attach(_ context.Context, files []File) ([]Result, error) {
	var sum int64
	for _, f := range files {
		sum += f.Size
	}
	if len(files) > o.lim.Files || (len(files) > 1 && sum > o.lim.FileBytes) {
		panic("attach over the limits")
	}
	for _, f := range files {
		rc, err := f.Open()
		if err != nil {
			return nil, fault.New(fault.ServerError, "attach", err)
		}
		n, err := io.Copy(io.Discard, rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			return nil, fault.New(fault.ServerError, "attach", err)
		}
		if n != f.Size {
			panic("file of another size")
		}
	}
	return call(o, "attach", files, func(f File) Result {
		rec := o.record(f.RecordID)
		if rec == nil {
			return Result{Err: fault.New(fault.ReferenceRefused, "attach", nil)}
		}
		rec.files = append(rec.files, FileSeen{Title: f.Name, Size: f.Size})
		return Result{ID: "068"}
	})
}

func (o *fakeOrg) Search(_ context.Context, text string) (out []match.Candidate, err error) {
	o.enter("search")
	for _, list := range o.people {
		for _, c := range list {
			if strings.Contains(strings.ToLower(c.Name), strings.ToLower(text)) {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

func (o *fakeOrg) Unsave(_ context.Context, id string) (int, error) {
	o.enter("unsave")
	if o.whole != nil {
		if _, err := o.whole("unsave", 1); err != nil {
			return 1, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records = slices.DeleteFunc(o.records, func(r *fakeRecord) bool { return r.id == id })
	return 2, nil
}

// rig is a queue, an org and how to make a Deliverer between them.
type rig struct {
	clock *clock
	queue *fakeQueue
	org   *fakeOrg
	cfg   Config
}

func newRig() *rig {
	c := &clock{t: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)}
	r := &rig{clock: c, queue: &fakeQueue{now: c.now}, org: newOrg(c.now)}
	r.cfg = Config{
		Queue: r.queue, Target: r.org, Read: readFake, File: fileFake,
		Own:   func() []string { return []string{"me@corp.com"} },
		Check: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		Now: c.now, Rand: func() float64 { return 0.5 },
		Budget: NewBudget(Allowance{Normal: 1 << 20}, Usage{}),
	}
	return r
}

func (r *rig) deliverer(t testing.TB) *Deliverer {
	t.Helper()
	d, err := New(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// mail makes a mail with n files of distinct sizes, two of each name.
func mail(i, files int) fakeMail {
	m := fakeMail{Mail: capture.Mail{Header: capture.Header{
		MessageID: fmt.Sprintf("<%d@x.de>", i), Subject: fmt.Sprint("mail ", i), Date: time.Date(2026, 11, 1, 0, 0, i, 0, time.UTC),
		From: []capture.Address{{Addr: fmt.Sprintf("s%d@x.de", i)}}, To: []capture.Address{{Addr: "me@corp.com"}},
	}, Text: "hello"}}
	for f := range files {
		m.Files = append(m.Files, bytes.Repeat([]byte{'x'}, 1+f/3))
	}
	return m
}

// finish drains, moving time on, until nothing waits, and fails when that takes too long.
func (r *rig) finish(t testing.TB, d *Deliverer) Report {
	t.Helper()
	var all Report
	for range 500 {
		rep, err := d.Drain(t.Context())
		all.Sent += rep.Sent
		all.NeedsYou += rep.NeedsYou
		all.Postponed += rep.Postponed
		all.Calls += rep.Calls
		next, _ := r.queue.NextDue(t.Context())
		switch {
		case next.IsZero():
			return all
		case err != nil:
			r.clock.t = r.clock.t.Add(5 * time.Second)
		case next.After(r.clock.t):
			r.clock.t = next
		}
	}
	t.Fatal("delivery does not come to an end")
	return all
}

// exactlyOnce checks that every sent mail is one record with one relation and each file once,
// and that there are no other records.
func (r *rig) exactlyOnce(t interface{ Fatalf(string, ...any) }) {
	sent := map[capture.Key]*fakeJob{}
	for _, j := range r.queue.jobs {
		if j.state == stateSent {
			sent[j.Key] = j
		}
	}
	seen := map[capture.Key]bool{}
	for _, rec := range r.org.records {
		if seen[rec.Key] {
			t.Fatalf("%s has two records", rec.Mail.MessageID)
		}
		seen[rec.Key] = true
		j := sent[rec.Key]
		if j == nil {
			continue
		}
		var m fakeMail
		if err := json.Unmarshal(j.raw, &m); err != nil {
			t.Fatalf("raw: %v", err)
		}
		if n := len(rec.relations); (rec.Kind == Email && len(m.Mail.From) > 0 && n != 1) || (rec.Kind == Task && n != 0) {
			t.Fatalf("%s, a %s, has %d relations", rec.Mail.MessageID, rec.Kind, n)
		}
		var want, got []string
		for _, a := range m.Mail.Attachments {
			want = append(want, fmt.Sprint(a.Name, " ", a.Size))
		}
		for _, f := range rec.files {
			got = append(got, fmt.Sprint(f.Title, " ", f.Size))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Fatalf("%s has files %q, want %q", rec.Mail.MessageID, got, want)
		}
		if j.last.Files != len(want) || j.RecordID != rec.id || j.Kind != rec.Kind {
			t.Fatalf("%s: journal says %+v, record is %s %s with %d files", rec.Mail.MessageID, j.last, rec.Kind, rec.id, len(want))
		}
	}
	for k, j := range sent {
		if !seen[k] {
			t.Fatalf("job %d is sent, but there is no record", j.ID)
		}
	}
}
