package deliver

import (
	"context"
	"log/slog"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

const (
	// settleTime is how long a call without an answer may still be at work in Salesforce. A
	// look-up before that may miss its effect.
	settleTime = 10 * time.Second
	// storeTime bounds the writing of outcomes after the agent was told to end.
	storeTime = 5 * time.Second
	// anyBytes: the raw size of a mail says little about its share of a call; attachments are
	// not held in memory.
	anyBytes = 1 << 40
)

// work is one look at the queue: what is due, by step, and what the user may do.
type work struct {
	caps    Capabilities
	lim     Limits
	create  []Job
	relate  []Job
	attach  []Job
	settled []Outcome // decided without a call
}

// round takes one batch of what is due one step further: at most one call of each kind. It
// reports whether anything was due.
func (d *Deliverer) round(ctx context.Context) (bool, error) {
	d.forget()
	lim := d.limits()
	// Jobs that wait to share an upload must not crowd out what is still to be created.
	jobs, err := d.cfg.Queue.Due(ctx, d.cfg.Now(), 3*lim.Records+lim.Files, anyBytes)
	if err != nil {
		return false, err
	}
	if jobs = d.affordable(jobs); len(jobs) == 0 {
		return false, nil
	}
	d.working(true)
	if err := d.cfg.Check(ctx); err != nil {
		return false, err
	}
	caps, err := d.capabilities(ctx)
	if err != nil {
		return false, err
	}
	w := d.sort(jobs, caps, lim)
	if err := d.settle(ctx, w.settled); err != nil {
		return false, err
	}
	if len(w.create) > 0 {
		if err := d.create(ctx, w); err != nil {
			return false, err
		}
	}
	if ready(w.relate, w.create, len(w.relate) >= lim.Records) {
		if err := d.relate(ctx, w); err != nil {
			return false, err
		}
	}
	if ready(w.attach, w.create, d.fills(w.attach, lim)) {
		if err := d.attach(ctx, w); err != nil {
			return false, err
		}
	}
	return true, nil
}

// affordable leaves out what the day's budget does not allow; live jobs come first in jobs.
func (d *Deliverer) affordable(jobs []Job) []Job {
	d.spent = time.Time{}
	if len(jobs) == 0 {
		return nil
	}
	now := d.cfg.Now()
	if _, ok := d.cfg.Budget.May(now, false); ok {
		return jobs
	}
	live := 0
	for live < len(jobs) && jobs[live].Live {
		live++
	}
	again, ok := d.cfg.Budget.May(now, true)
	if ok {
		again, _ = d.cfg.Budget.May(now, false)
	} else {
		live = 0
	}
	if live < len(jobs) {
		d.spent = again
	}
	return jobs[:live]
}

// sort splits jobs by step. Doubtful jobs whose call may still be at work wait on.
func (d *Deliverer) sort(jobs []Job, caps Capabilities, lim Limits) *work {
	w := &work{caps: caps, lim: lim}
	now := d.cfg.Now()
	for _, j := range jobs {
		if age := now.Sub(j.Began); j.Unknown && !d.unique(j) && age >= 0 && age < settleTime {
			w.settled = append(w.settled, Outcome{Job: j.ID, Verdict: Doubtful, RetryAt: j.Began.Add(settleTime)})
			continue
		}
		switch j.Next {
		case StepCreate:
			w.create = append(w.create, j)
		case StepRelate:
			w.relate = append(w.relate, j)
		case StepAttach:
			w.attach = append(w.attach, j)
		default:
			w.settled = append(w.settled, Outcome{Job: j.ID, Verdict: Sent, RecordID: j.RecordID, Kind: j.Kind})
		}
	}
	return w
}

// ready reports whether a later step is taken in this round. It waits while records are still to
// be created, so that calls are full; but what just arrived does not wait for backlog.
func ready(jobs, create []Job, full bool) bool {
	switch {
	case len(jobs) == 0:
		return false
	case full || len(create) == 0:
		return true
	default:
		return jobs[0].Live && !create[0].Live
	}
}

// fills reports whether the files of jobs fill a call, as far as they are known.
func (d *Deliverer) fills(jobs []Job, lim Limits) bool {
	files, bytes := 0, int64(0)
	for _, j := range jobs {
		n := d.notes[j.ID]
		if n == nil || !n.read {
			files++
			continue
		}
		files += len(n.files)
		bytes += n.bytes()
	}
	return files >= lim.Files || bytes >= lim.FileBytes
}

// limits returns what one call may carry at present.
func (d *Deliverer) limits() Limits {
	lim := d.cfg.Target.Limits()
	lim.Records = max(1, lim.Records>>d.narrow)
	lim.Files = max(1, lim.Files>>d.narrow)
	lim.Addresses = max(1, lim.Addresses)
	lim.Sought = max(1, lim.Sought)
	return lim
}

// capabilities asks what the user may do, and takes back what experience has shown otherwise.
func (d *Deliverer) capabilities(ctx context.Context) (Capabilities, error) {
	now := d.cfg.Now()
	caps, err := d.probeOrg(ctx)
	if err != nil {
		return caps, err
	}
	if !d.noEmail.IsZero() && now.Sub(d.noEmail) < 24*time.Hour {
		caps.Email = false
	}
	if d.kind = Email; !caps.Email {
		d.kind = Task
	}
	d.state.Missing, d.uniqueKey = caps.Missing, caps.UniqueKey
	return caps, nil
}

// probeOrg asks what the user may do and counts what that costs. It is safe beside delivery.
func (d *Deliverer) probeOrg(ctx context.Context) (Capabilities, error) {
	d.probe.Lock()
	defer d.probe.Unlock()
	now := d.cfg.Now()
	age := now.Sub(d.probed)
	fresh := !d.probed.IsZero() && age >= 0 && age < 24*time.Hour
	if !fresh {
		d.paid()
	}
	caps, err := d.cfg.Target.Capabilities(ctx)
	if err != nil {
		return caps, err
	}
	if !fresh {
		d.probed = now
	}
	d.people.relate(caps.Related)
	return caps, nil
}

// find looks up in as many calls as the limits ask for, none for an empty query, and remembers
// the people.
func (d *Deliverer) find(ctx context.Context, q Query, lim Limits) (Answer, error) {
	all := Answer{
		People: map[string][]match.Candidate{}, Saved: map[capture.Key]Existing{},
		Related: map[string]bool{}, Files: map[string][]FileSeen{},
	}
	for len(q.Addresses)+len(q.Saved)+len(q.Shared)+len(q.Relations)+len(q.Files) > 0 {
		var part Query
		part.Addresses, q.Addresses = cut(q.Addresses, lim.Addresses)
		part.Saved, q.Saved = cut(q.Saved, lim.Sought)
		part.Shared, q.Shared = cut(q.Shared, lim.Sought)
		part.Relations, q.Relations = cut(q.Relations, lim.Sought)
		part.Files, q.Files = cut(q.Files, lim.Sought)
		a, err := d.ask(ctx, part)
		if err != nil {
			return all, err
		}
		d.answered()
		for _, addr := range part.Addresses {
			all.People[addr] = a.People[addr]
		}
		for k, ex := range a.Saved { // what the user saved counts before what a colleague did
			if have, ok := all.Saved[k]; !ok || have.Foreign {
				all.Saved[k] = ex
			}
		}
		merge(all.Related, a.Related)
		merge(all.Files, a.Files)
	}
	return all, nil
}

// ask makes one look-up and remembers the people. It is safe beside delivery.
func (d *Deliverer) ask(ctx context.Context, q Query) (Answer, error) {
	d.paid()
	a, err := d.cfg.Target.Find(ctx, q)
	if err != nil {
		return a, err
	}
	now := d.cfg.Now()
	for _, addr := range q.Addresses {
		d.people.put(addr, a.People[addr], now)
	}
	return a, nil
}

func cut[T any](list []T, n int) (head, tail []T) {
	n = min(n, len(list))
	return list[:n], list[n:]
}

func merge[K comparable, V any](into, from map[K]V) {
	for k, v := range from {
		into[k] = v
	}
}

// paid counts a call about to be made. It is safe beside delivery.
func (d *Deliverer) paid() {
	d.cfg.Budget.Count(d.cfg.Now())
	d.calls.Add(1)
}

// answered notes that Salesforce did as asked.
func (d *Deliverer) answered() {
	d.answers++
	d.state.LastSuccess = d.cfg.Now()
}

// took is answered for a call with an effect: batches may grow again.
func (d *Deliverer) took() {
	d.answered()
	d.effects++
	d.failures = 0
	d.narrow = max(0, d.narrow-1)
}

// begin writes down that the next call concerns these jobs. It reports false when the person took
// one of them out of the queue meanwhile: nothing was written, and the next round looks again.
func (d *Deliverer) begin(ctx context.Context, jobs []Job) (bool, error) {
	ids := make([]int64, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	err := d.cfg.Queue.Begin(ctx, d.cfg.Now(), ids)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// settle stores outcomes, also when ctx has just ended: what is known now need not be asked
// again tomorrow. When storing fails, what was noted about the jobs is forgotten, because the
// queue still knows them as they were.
func (d *Deliverer) settle(ctx context.Context, outcomes []Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	store, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	if err := d.cfg.Queue.Settle(store, d.cfg.Now(), outcomes); err != nil {
		for _, o := range outcomes {
			delete(d.notes, o.Job)
		}
		return err
	}
	t := &d.state.Total
	for _, o := range outcomes {
		switch o.Verdict {
		case Sent:
			t.Sent++
			t.Files += o.Files
			t.LeftOut += o.LeftOut
			delete(d.notes, o.Job)
		case NeedsYou:
			t.NeedsYou++
			delete(d.notes, o.Job)
			d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "mail needs a person", slog.Int64("job", o.Job), slog.String("code", string(o.Code)))
		case Held:
			t.Held++
			*d.note(o.Job) = note{unknown: true}
		case Advanced:
			if n := d.notes[o.Job]; n != nil {
				n.strikes, n.broke = 0, false
			}
		case Postponed:
			t.Postponed++
		case Doubtful:
			t.Doubtful++
		}
	}
	d.report()
	return nil
}
