package deliver

import (
	"time"

	"hawser/sync/fault"
)

const (
	waitFirst = time.Second
	waitMost  = 5 * time.Minute
	waitLocal = 30 * time.Second // this computer: a full disk is noticed to be free again soon
	waitLimit = 15 * time.Minute // the org's calls or its maintenance: asking sooner is useless
	afterMost = time.Hour        // however long the other side asks for
	sleepMost = time.Minute      // so that a clock that was set forward is noticed
)

// hold is why nothing is sent at the moment: a fault that concerns every call.
type hold struct {
	code   fault.Code
	detail string
	until  time.Time // zero: until woken
	soon   time.Time // when a wake may end it, so that a stream of mail is no stream of calls
}

func (h *hold) over(now time.Time) bool {
	return h == nil || (!h.until.IsZero() && !now.Before(h.until))
}

// woken is the hold after something happened: it gives a stopped delivery its next try.
func (h *hold) woken() *hold {
	if h == nil || !h.until.IsZero() {
		return h
	}
	next := *h
	next.until = next.soon
	return &next
}

// hold stops or, by nil, ends the stop of sending and of look-ups beside it. A hold is never
// changed once it is set.
func (d *Deliverer) hold(h *hold) {
	d.held = h
	d.stop.Store(h)
}

// pause stops sending after a fault that concerns every call.
func (d *Deliverer) pause(f *fault.Error) {
	d.failures++
	now := d.cfg.Now()
	soon := now.Add(d.wait(f, d.failures))
	h := &hold{code: f.Code, detail: f.Detail, until: soon, soon: soon}
	if stops(f.Code) {
		h.until = time.Time{}
	}
	d.hold(h)
	if f.Code == fault.LimitReached {
		d.cfg.Budget.Exhausted(now)
	}
}

// stops reports whether only a person can end the fault. Faults of this computer and of the way
// to Salesforce go away unannounced, so they are tried again although a person is told.
func stops(c fault.Code) bool {
	switch c {
	case fault.DiskFull, fault.KeyStoreLocked, fault.CertificateWrong:
		return false
	}
	class := c.Class()
	return class == fault.User || class == fault.Admin
}

// wait returns how long to wait before the n-th repetition (n from 1): exponential with full
// jitter, longer where the other side asked for it or is known to need it. Jitter is added to
// such a time, never taken from it.
func (d *Deliverer) wait(f *fault.Error, n int) time.Duration {
	least, top := span(f, n)
	return max(least+time.Duration(d.cfg.Rand()*float64(top)), waitFirst/4)
}

// span returns the least wait and how much jitter comes on top.
func span(f *fault.Error, n int) (least, top time.Duration) {
	top = waitMost
	switch f.Code {
	case fault.DiskFull, fault.QueueLocked, fault.KeyStoreLocked:
		top = waitLocal
	}
	if n < 20 {
		top = min(top, waitFirst<<(n-1))
	}
	least = max(0, min(f.After, afterMost))
	if f.Code == fault.LimitReached || f.Code == fault.OrgReadOnly {
		least = max(least, waitLimit)
	}
	return least, top
}
