package tray

import (
	"context"
	"time"

	"hawser/app/control"
)

// readTime bounds the reading of the newest mails' headers.
const readTime = 30 * time.Second

// reader keeps the recent mails as fresh as the menu needs them. Its owner is the menu's loop.
type reader struct {
	agent Agent
	inbox Inbox

	counts control.Counts // when it was read last
	worked time.Time      // and when the mailbox had worked last
	opens  bool           // the panel says when the menu is opened; some do not
	busy   bool           // it is being read
	again  bool           // and has to be once more
	result chan readout   // of the reading goroutine
}

// readout is what a reading brought.
type readout struct {
	mails []control.Mail
	err   error
}

func newReader(agent Agent) *reader {
	r := &reader{agent: agent, result: make(chan readout)}
	r.forget()
	return r
}

// forget drops everything: the mailbox is another one, or nobody's.
func (r *reader) forget() {
	r.inbox = Inbox{Clicked: map[string]time.Time{}, Refused: map[string]bool{}}
}

// due takes a status and reports whether the mails have to be read: for the first time, or because
// the numbers of mails changed and the change is over, or, where nobody says when the menu is opened,
// because the mailbox was gone through, as it is when a mail comes. During a long run nobody is
// served by a reading after every mail of it.
func (r *reader) due(s control.Status) bool {
	if !inboxShown(s) {
		r.forget()
		return false
	}
	if s.State == control.Working || s.Mail.LastSuccess.IsZero() {
		return false
	}
	first := !r.inbox.Read && !r.inbox.Failed
	passed := (r.inbox.Failed || !r.opens) && !s.Mail.LastSuccess.Equal(r.worked)
	return first || passed || s.Counts != r.counts
}

// read reads the mails; the loop hands the result to take.
func (r *reader) read(ctx context.Context, s control.Status, spawn func(func())) {
	r.counts, r.worked = s.Counts, s.Mail.LastSuccess
	if r.busy {
		r.again = true
		return
	}
	r.busy, r.again = true, false
	spawn(func() {
		limited, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		mails, err := r.agent.Recent(limited)
		select {
		case r.result <- readout{mails, err}:
		case <-ctx.Done():
		}
	})
}

// take notes what a reading brought, and reports whether another one is wanted. Mails that were read
// before are better than none.
func (r *reader) take(got readout) (again bool) {
	r.busy = false
	r.inbox.Failed = got.err != nil
	if got.err == nil {
		r.inbox.Read, r.inbox.Mails = true, got.mails[:min(len(got.mails), RecentMails)]
		r.prune()
	}
	return r.again
}

// prune forgets what was done to mails that are no longer listed.
func (r *reader) prune() {
	listed := map[string]bool{}
	for _, m := range r.inbox.Mails {
		listed[m.Ref] = true
	}
	for ref := range r.inbox.Clicked {
		if !listed[ref] {
			delete(r.inbox.Clicked, ref)
		}
	}
	for ref := range r.inbox.Refused {
		if !listed[ref] {
			delete(r.inbox.Refused, ref)
		}
	}
}

// clicked notes what became of a click on a line.
func (r *reader) clicked(l Line, now time.Time, err error) {
	delete(r.inbox.Refused, l.Ref)
	switch {
	case err != nil:
		r.inbox.Refused[l.Ref] = true
	case l.Act == LineCapture:
		r.inbox.Clicked[l.Ref] = now
	case l.Act == LineUndo:
		delete(r.inbox.Clicked, l.Ref)
	}
}
