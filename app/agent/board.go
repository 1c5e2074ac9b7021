package agent

import (
	"slices"
	"sync"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/engine"
	"hawser/sync/fault"
)

// board is where every part of the agent writes what it knows, and from which the one status is
// derived. It is safe for concurrent use.
type board struct {
	now     func() time.Time
	version string
	shown   *control.Board

	mu     sync.Mutex
	facts  engine.Facts
	mail   control.Side
	sf     control.Side
	counts control.Counts
	calls  control.Calls
	notes  []control.Note

	company      control.Company
	companyNotes []control.Note

	noFolder string // the capture folder's name while it does not exist
	noTray   bool   // the person has to be told that there is no place for an icon
	history  control.Progress
	offer    string // the server of a link that a person has to answer
}

func newBoard(cfg *Config) *board {
	b := &board{now: cfg.Now, version: cfg.Version, shown: &control.Board{}}
	if cfg.face != nil {
		b.shown = &cfg.face.Board
	}
	b.update(func(*board) {})
	return b
}

// update changes facts under the lock and shows the status that follows from them.
func (b *board) update(change func(*board)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
	last, next := b.shown.Status(), b.derive()
	next.Since = last.Since
	if next.State != last.State {
		next.Since = b.now()
	}
	b.shown.Set(next)
}

// derive computes the status, but for Since, from the facts.
func (b *board) derive() control.Status {
	f := b.facts
	f.Now = b.now()
	f.SalesforceSigned, f.MailSigned = b.sf.SignedIn, b.mail.SignedIn
	f.SalesforceFault, f.MailFault = b.sf.Fault, b.mail.Fault
	f.Waiting, f.NeedsYou = b.counts.Waiting-b.counts.NeedsYou, b.counts.NeedsYou
	r := engine.Next(f)
	if r.State == capture.WrongAccount {
		r.Which = sideSalesforce
		if b.sf.Other == "" && b.mail.Other != "" {
			r.Which = sideMail
		}
	}
	notes := slices.Concat(b.notes, b.companyNotes)
	if b.noFolder != "" {
		notes = append(notes, control.Note{Code: fault.FolderMissing, Detail: b.noFolder})
	}
	if b.noTray {
		notes = append(notes, control.Note{Code: fault.NoTray})
	}
	return control.Status{
		State: r.State, Which: r.Which, Until: r.Until, Why: r.Why, Version: b.version, Company: b.company,
		Salesforce: b.sf, Mail: b.mail, Counts: b.counts, Calls: b.calls, History: b.history, Offer: b.offer, Notes: notes,
	}
}

// paused reports whether the user paused the agent, and until when (zero: until resumed).
func (b *board) paused() (bool, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.facts
	return f.Paused && (f.PausedUntil.IsZero() || b.now().Before(f.PausedUntil)), f.PausedUntil
}

// sideOf returns the side named by the user.
func (b *board) sideOf(side string) *control.Side {
	if side == sideMail {
		return &b.mail
	}
	return &b.sf
}

// setFault writes what stops a side, "" for nothing; until is when it is tried again by itself.
func (b *board) setFault(side string, code fault.Code, until time.Time) {
	b.update(func(b *board) {
		b.sideOf(side).Fault = code
		if code != "" || b.mail.Fault == "" && b.sf.Fault == "" {
			b.facts.Until = until
		}
	})
}
