package deliver

import (
	"context"
	"slices"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// relate makes the sender's relation of records whose creation did not. It looks first whether
// the relation exists, unless this process knows that it does not.
func (d *Deliverer) relate(ctx context.Context, w *work) error {
	jobs, done, err := d.learnt(ctx, w.relate[:min(len(w.relate), w.lim.Records)], w)
	if err != nil {
		return err
	}
	var q Query
	for _, j := range jobs {
		n := d.note(j.ID)
		if j.Unknown || !n.sure {
			q.Relations = append(q.Relations, j.RecordID)
			q.Addresses = append(q.Addresses, d.unasked(n)...)
		}
	}
	slices.Sort(q.Addresses)
	q.Addresses = slices.Compact(q.Addresses)
	a, err := d.find(ctx, q, w.lim)
	if err != nil {
		return d.callFailed(ctx, jobs, false, err, done)
	}
	var open []Job
	var relations []Relation
	for _, j := range jobs {
		n := d.note(j.ID)
		if a.Related[j.RecordID] || n.from.Addr == "" {
			done = append(done, d.passed(j, n, true))
			continue
		}
		open = append(open, j)
		relations = append(relations, Relation{RecordID: j.RecordID, Address: n.from, PersonID: d.sender(j, n)})
	}
	if len(open) == 0 {
		return d.settle(ctx, done)
	}
	if ok, err := d.begin(ctx, open); err != nil {
		return err
	} else if !ok {
		return d.settle(ctx, done)
	}
	d.paid()
	results, err := d.cfg.Target.Relate(ctx, relations)
	if err == nil {
		err = answersAll(len(results), len(open))
	}
	if err != nil {
		return d.callFailed(ctx, open, true, err, done)
	}
	d.took()
	for i, r := range results {
		done = append(done, d.related(ctx, open[i], r))
	}
	return d.settle(ctx, done)
}

// related decides about one result of Relate. A relation refused for good is no reason to keep
// the mail from being saved: the record itself names the sender.
func (d *Deliverer) related(ctx context.Context, j Job, r Result) Outcome {
	n := d.note(j.ID)
	if r.Err == nil || r.Err.Code == fault.AlreadySaved {
		return d.passed(j, n, true)
	}
	d.logRefused(ctx, j, r.Err)
	o := d.refused(j, Email, r.Err)
	if o.Verdict != NeedsYou || passing(r.Err.Code) {
		return o
	}
	d.state.Total.Unrelated++
	return d.passed(j, n, true)
}

// unasked returns the sender's address when it has to be looked up.
func (d *Deliverer) unasked(n *note) []string {
	if n.bare || n.person != "" {
		return nil
	}
	addresses := match.Addresses(senderOnly(n))
	return slices.DeleteFunc(addresses, func(addr string) bool {
		_, known := d.people.get(addr, d.cfg.Now())
		return known
	})
}

// sender returns the record id of a mail's sender as far as it is known.
func (d *Deliverer) sender(j Job, n *note) string {
	if n.bare || n.person != "" {
		return n.person
	}
	h := senderOnly(n)
	found := make(map[string][]match.Candidate)
	for _, addr := range match.Addresses(h) {
		found[addr], _ = d.people.get(addr, d.cfg.Now())
	}
	if l := d.cfg.Order().Choose(h, found, d.cfg.Own(), d.picks(j)); l.From != nil {
		return l.From.ID
	}
	return ""
}

func senderOnly(n *note) capture.Header {
	return capture.Header{From: []capture.Address{n.from}}
}

// learnt returns those of jobs whose mail is known, reading again what is not, and the outcomes
// of those that cannot be read any more.
func (d *Deliverer) learnt(ctx context.Context, jobs []Job, w *work) (known []Job, done []Outcome, err error) {
	for _, j := range jobs {
		if n := d.notes[j.ID]; n == nil || !n.read {
			_, unread, err := d.learn(ctx, j, w.caps)
			if err != nil {
				return nil, nil, err
			}
			if unread != nil {
				done = append(done, *unread)
				continue
			}
		}
		known = append(known, j)
	}
	return known, done, nil
}
