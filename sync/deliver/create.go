package deliver

import (
	"context"
	"slices"
	"strings"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// draft is a mail that is about to be created.
type draft struct {
	job   Job
	mail  capture.Mail
	links match.Links
}

// create makes the records of one batch: reads the mails, looks up people and what exists
// already, and creates the rest in one call.
func (d *Deliverer) create(ctx context.Context, w *work) error {
	kind := d.kind
	if kind == Task && !w.caps.Task {
		return d.unsavable(ctx, w)
	}
	drafts, done, err := d.drafts(ctx, w)
	if err != nil {
		return err
	}
	found, saved, err := d.lookUp(ctx, drafts, w)
	if err != nil {
		return d.callFailed(ctx, jobsOf(drafts), false, err, done)
	}
	fresh, decided := d.fresh(drafts, found, saved)
	if done = append(done, decided...); len(fresh) == 0 {
		return d.settle(ctx, done)
	}
	jobs := jobsOf(fresh)
	for _, j := range jobs {
		d.note(j.ID).tried = kind
	}
	if ok, err := d.begin(ctx, jobs); err != nil {
		return err
	} else if !ok {
		return d.settle(ctx, done)
	}
	d.paid()
	results, err := d.cfg.Target.Create(ctx, d.records(fresh, kind))
	if err == nil {
		err = answersAll(len(results), len(jobs))
	}
	if err != nil {
		return d.callFailed(ctx, jobs, true, err, done)
	}
	d.took()
	created := make([]Outcome, len(jobs))
	for i, r := range results {
		created[i] = d.created(ctx, fresh[i], kind, r)
	}
	if err := d.settle(ctx, append(done, created...)); err != nil {
		return err
	}
	for i, r := range results {
		if n := d.notes[jobs[i].ID]; n != nil && r.Err == nil {
			n.sure = true
		}
	}
	return nil
}

// fresh returns the drafts that are to be created, joined to records, and the outcomes of the
// others: they exist already, or wait for a person.
func (d *Deliverer) fresh(drafts []draft, found map[string][]match.Candidate, saved map[capture.Key]Existing) (fresh []draft, done []Outcome) {
	for _, dr := range drafts {
		links, wait := d.decide(dr, found)
		ex, exists := saved[dr.job.Key]
		switch {
		case exists && d.note(dr.job.ID).askYes:
			done = append(done, *d.whetherFiles(dr.job))
		case exists:
			done = append(done, d.adopt(dr.job, ex, ex.Foreign))
		case wait != nil:
			done = append(done, *wait)
		default:
			dr.links = links
			fresh = append(fresh, dr)
		}
	}
	return fresh, done
}

// unsavable hands every mail to the person: neither object may be created.
func (d *Deliverer) unsavable(ctx context.Context, w *work) error {
	done := make([]Outcome, len(w.create))
	for i, j := range w.create {
		done[i] = person(j, fault.NothingSavable, strings.Join(w.caps.Missing, "\n"))
	}
	return d.settle(ctx, done)
}

// drafts reads mails until a call is full. At most the limit's bytes and one more mail are held.
// A key that stands in the queue twice is taken once: the second finds the first saved.
func (d *Deliverer) drafts(ctx context.Context, w *work) (drafts []draft, done []Outcome, err error) {
	var bytes int64
	keys := make(map[capture.Key]bool)
	for _, j := range w.create {
		if len(drafts) == w.lim.Records {
			break
		}
		if keys[j.Key] {
			continue
		}
		m, unread, err := d.learn(ctx, j, w.caps)
		if err != nil {
			return nil, nil, err
		}
		if unread != nil {
			done = append(done, *unread)
			continue
		}
		n := d.note(j.ID)
		if len(drafts) > 0 && bytes+n.text > w.lim.Bytes {
			break
		}
		if n.short {
			m = shorten(m)
		}
		bytes += n.text
		keys[j.Key] = true
		drafts = append(drafts, draft{job: j, mail: m})
	}
	return drafts, done, nil
}

// lookUp finds the people of a batch, and the mails that may be saved already: a step without an
// answer and, where Salesforce does not refuse doubles itself, any mail, because another
// computer may have sent it.
func (d *Deliverer) lookUp(ctx context.Context, drafts []draft, w *work) (map[string][]match.Candidate, map[capture.Key]Existing, error) {
	var q Query
	now := d.cfg.Now()
	found := make(map[string][]match.Candidate)
	for _, dr := range drafts {
		n := d.note(dr.job.ID)
		for _, addr := range d.wanted(dr) {
			if _, ok := found[addr]; ok {
				continue
			}
			known, ok := d.people.get(addr, now)
			found[addr] = known
			if !ok || n.unknown && len(known) == 0 {
				q.Addresses = append(q.Addresses, addr)
			}
		}
		n.unknown = false
		if dr.job.Unknown || !w.caps.UniqueKey || n.broke {
			q.Saved = append(q.Saved, sought(dr, n))
		}
	}
	q.Shared = d.shared(drafts, found, len(q.Addresses)+len(q.Saved) > 0, w.caps)
	a, err := d.find(ctx, q, w.lim)
	merge(found, a.People)
	return found, a.Saved, err
}

// wanted returns the addresses of a mail, and the ids of records that the person named for them
// and that are not known to carry them.
func (d *Deliverer) wanted(dr draft) []string {
	list, picks := match.Addresses(dr.mail.Header), d.picks(dr.job)
	for _, addr := range list {
		id, ok := picks(addr)
		if !ok || match.TypeOf(id) == "" {
			continue
		}
		known, _ := d.people.get(addr, d.cfg.Now())
		if !slices.ContainsFunc(known, func(c match.Candidate) bool { return c.ID == id }) {
			list = append(list, id)
		}
	}
	return list
}

func sought(dr draft, n *note) Sought {
	return Sought{Key: dr.job.Key, MessageID: dr.mail.MessageID, Date: dr.mail.Date, From: n.from.Addr, Subject: n.subject}
}

// shared returns the mails that a colleague may have saved. A look-up that is made anyway asks for
// all of them; a call of its own is made only where a colleague is in a mail.
func (d *Deliverer) shared(drafts []draft, found map[string][]match.Candidate, anyway bool, caps Capabilities) (list []Sought) {
	if !caps.Email {
		return nil
	}
	own := d.cfg.Own()
	for _, dr := range drafts {
		if dr.mail.MessageID != "" {
			list = append(list, sought(dr, d.note(dr.job.ID)))
			anyway = anyway || colleagues(dr.mail.Header, found, own)
		}
	}
	if !anyway {
		return nil
	}
	return list
}

// colleagues reports whether a mail has a colleague of the user in it: somebody else who is a
// user of the org, or has an address of the user's own domain.
func colleagues(h capture.Header, found map[string][]match.Candidate, own []string) bool {
	for _, addr := range match.Addresses(h) {
		if match.Own(addr, own) {
			continue
		}
		domain := addr[strings.LastIndexByte(addr, '@'):]
		if slices.ContainsFunc(found[addr], func(c match.Candidate) bool { return c.Type == match.User }) ||
			slices.ContainsFunc(own, func(o string) bool { return strings.HasSuffix(strings.ToLower(strings.TrimSpace(o)), domain) }) {
			return true
		}
	}
	return false
}

func (d *Deliverer) records(drafts []draft, kind Kind) []Record {
	own := d.cfg.Own()
	records := make([]Record, len(drafts))
	for i, dr := range drafts {
		n := d.note(dr.job.ID)
		n.person = ""
		if dr.links.From != nil {
			n.person = dr.links.From.ID
		}
		records[i] = Record{Key: dr.job.Key, Kind: kind, Mail: dr.mail, Links: dr.links, Incoming: !match.Own(n.from.Addr, own)}
	}
	return records
}

// created decides about one result of Create.
func (d *Deliverer) created(ctx context.Context, dr draft, kind Kind, r Result) Outcome {
	switch {
	case r.Err == nil:
		j := dr.job
		j.RecordID, j.Kind = r.ID, kind
		return d.passed(j, d.note(j.ID), r.Related)
	case r.Err.Code == fault.AlreadySaved && r.ID != "":
		return d.adopt(dr.job, Existing{ID: r.ID, Kind: kind}, r.Related)
	}
	d.logRefused(ctx, dr.job, r.Err)
	if n := d.note(dr.job.ID); r.Err.Code == fault.ReferenceRefused && (!n.related || n.account) {
		for _, addr := range match.Addresses(dr.mail.Header) {
			d.people.drop(addr) // one of them is gone or hidden: look again next time
		}
	}
	return d.refused(dr.job, kind, r.Err)
}

// adopt goes on with a record that exists already. What hangs on it is not known: its note is
// not sure, so later steps look first.
func (d *Deliverer) adopt(j Job, ex Existing, related bool) Outcome {
	j.RecordID, j.Kind = ex.ID, ex.Kind
	return d.passed(j, d.note(j.ID), related)
}

func jobsOf(drafts []draft) []Job {
	jobs := make([]Job, len(drafts))
	for i, dr := range drafts {
		jobs[i] = dr.job
	}
	return jobs
}

// answersAll guards against an answer that does not fit the question: nothing is known then.
func answersAll(got, want int) error {
	if got == want {
		return nil
	}
	return &fault.Error{Code: fault.ServerError, Op: "read results", Unknown: true}
}
