package deliver

import (
	"context"
	"log/slog"
	"time"

	"hawser/sync/fault"
)

const (
	mostStrikes   = 8 // tries of one mail that failed alone
	lockedStrikes = 3 // a record that somebody holds: short tries, then a person decides
	brokenWeight  = 3 // strikes of a mail on which the server breaks while it saves others
)

// blame says whose fault it may be that a call failed as a whole.
type blame int

const (
	blameWorld  blame = iota // the account, the way, this computer: no mail's
	blameEither              // the server broke, perhaps on one of the mails
	blameMail                // the server is well and refused what it was given
)

func blameOf(c fault.Code) blame {
	switch c {
	case fault.ServerError, fault.Stalled:
		return blameEither
	case fault.Internal, fault.SalesforceRefused, fault.ValidationFailed, fault.RequiredField,
		fault.TextTooLong, fault.FileRefused, fault.ReferenceRefused, fault.MailUnreadable:
		return blameMail
	default:
		return blameWorld
	}
}

// callFailed decides what a call that failed as a whole means for the jobs it carried. Begun
// says whether their intent was written down. done are outcomes decided before. Nil means that
// the next round may follow at once, in smaller batches; else nothing is sent for a while, and
// the jobs are not charged.
func (d *Deliverer) callFailed(ctx context.Context, jobs []Job, begun bool, err error, done []Outcome) error {
	if ctx.Err() != nil {
		return ctx.Err() // the queue knows begun jobs as unknown, and rightly so
	}
	f := fault.Of(err)
	who := blameOf(f.Code)
	if who != blameWorld && len(jobs) > 1 {
		d.narrow = min(d.narrow+1, 16)
	}
	for _, j := range jobs {
		doubt := j.Unknown
		if begun {
			doubt = f.Unknown
		}
		switch {
		case who != blameWorld && len(jobs) == 1:
			done = append(done, d.suspect(j, doubt, who, f))
		case begun:
			done = append(done, d.again(j, doubt, d.cfg.Now(), f))
		}
	}
	if err := d.settle(ctx, done); err != nil {
		return err
	}
	if who == blameMail {
		return nil
	}
	return err
}

// suspect decides about a mail whose call failed although it carried nothing else. A server that
// broke proves nothing by itself: it counts when it saved something else since the last time,
// and a little when it answered a look-up; so an outage uses up nobody's tries.
func (d *Deliverer) suspect(j Job, doubt bool, who blame, f *fault.Error) Outcome {
	if who == blameMail {
		return person(j, f.Code, f.Detail)
	}
	n := d.note(j.ID)
	switch {
	case !n.broke:
	case d.effects > n.effects:
		n.strikes += brokenWeight
	case d.answers > n.answers:
		n.strikes++
	}
	n.broke, n.answers, n.effects, n.sure = true, d.answers, d.effects, false
	if n.strikes >= mostStrikes {
		return person(j, f.Code, f.Detail)
	}
	// Later than the pause that follows, so that the next mail has its turn first.
	least, top := span(f, d.failures+1)
	return d.again(j, doubt, d.cfg.Now().Add(least+2*top), f)
}

// refused decides about a mail that Salesforce refused by itself; the others of the call are not
// touched by it.
func (d *Deliverer) refused(j Job, kind Kind, f *fault.Error) Outcome {
	n, now := d.note(j.ID), d.cfg.Now()
	code := f.Code
	switch {
	case code == fault.EmailRefused && j.Next == StepCreate && kind == Email:
		// The next round saves a Task; not before an earlier attempt at an e-mail is over.
		d.noEmail, d.kind = now, Task
		return d.again(j, f.Unknown, now, f)
	case code == fault.ReferenceRefused && n.related && !n.account && j.Next == StepCreate:
		n.account = true // an opportunity may be seen by more people than may add to it
		return d.again(j, f.Unknown, now, f)
	case code == fault.ReferenceRefused && !n.bare && j.Next != StepAttach:
		n.bare, n.person = true, ""
		return d.again(j, f.Unknown, now, f)
	case code == fault.TextTooLong && !n.short && j.Next == StepCreate:
		n.short = true
		return d.again(j, f.Unknown, now, f)
	case code == fault.EmailRefused:
		return person(j, fault.PermissionMissing, f.Detail)
	case !passing(code):
		return person(j, code, f.Detail)
	}
	n.strikes++
	most := mostStrikes
	if code == fault.RecordLocked {
		most = lockedStrikes
	}
	if n.strikes >= most && !f.Unknown {
		return person(j, code, f.Detail)
	}
	return d.again(j, f.Unknown, now.Add(d.wait(f, n.strikes)), f)
}

// passing reports whether a record's refusal may go away by itself.
func passing(c fault.Code) bool {
	return c.Class() == fault.Retry && c != fault.ReferenceRefused && c != fault.EmailRefused
}

// again puts a step off. In doubt it is not before the lost call can no longer be at work. The
// doubt about an earlier attempt outlives the answer to a later one.
func (d *Deliverer) again(j Job, doubt bool, at time.Time, f *fault.Error) Outcome {
	doubt = doubt || j.Unknown && d.cfg.Now().Before(j.Began.Add(settleTime))
	o := Outcome{Job: j.ID, Verdict: Postponed, RecordID: j.RecordID, Kind: j.Kind, RetryAt: at, Code: f.Code, Detail: f.Detail}
	if doubt {
		o.Verdict = Doubtful
		if settled := d.cfg.Now().Add(settleTime); !d.unique(j) && at.Before(settled) {
			o.RetryAt = settled
		}
	}
	return o
}

// unique reports whether Salesforce itself refuses to make the step's effect twice: an e-mail under
// way stops another e-mail, but no task.
func (d *Deliverer) unique(j Job) bool {
	n := d.notes[j.ID]
	return j.Next == StepCreate && d.uniqueKey && n != nil && n.tried == d.kind
}

// person hands a mail to the person, who reads the code's text and the detail.
func person(j Job, code fault.Code, detail string) Outcome {
	return Outcome{Job: j.ID, Verdict: NeedsYou, RecordID: j.RecordID, Kind: j.Kind, Code: code, Detail: detail}
}

// passed returns the outcome of a job whose record exists: the step that is still to do, or Sent.
func (d *Deliverer) passed(j Job, n *note, related bool) Outcome {
	o := Outcome{Job: j.ID, Verdict: Advanced, RecordID: j.RecordID, Kind: j.Kind}
	if j.Next == StepCreate {
		o.Matched, o.Level = n.matched, n.level
	}
	switch {
	case j.Kind == Email && !related && n.from.Addr != "" && j.Next < StepAttach:
		o.Next = StepRelate
	case n.missing() > 0:
		o.Next = StepAttach
	default:
		o.Verdict, o.Next = Sent, StepDone
		o.Bytes, o.Files, o.LeftOut = n.text+n.bytes(), len(n.files), n.leftOut
	}
	return o
}

func (d *Deliverer) logRefused(ctx context.Context, j Job, f *fault.Error) {
	d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "salesforce refused a step", slog.Int64("job", j.ID),
		slog.Int("step", int(j.Next)), slog.String("code", string(f.Code)))
}
