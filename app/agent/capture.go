package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/engine"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
	"hawser/sync/rules"
)

// capture reads the mailbox until ctx ends or a fault needs a person.
func (a *Agent) capture(ctx context.Context) error {
	received := newTally()
	src, err := a.newSource(ctx, received)
	if err != nil {
		return err
	}
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer received.end()
	defer src.Close()
	keeping.Go(func() { a.keepReceived(context.WithoutCancel(ctx), received) })
	eng, err := engine.New(engine.Config{
		Source: source{src}, Ledger: ledger{a.db}, Account: a.bound().account, ReadHeader: mailparse.ReadHeader,
		Wake: a.wakeDelivery, Changed: func(e engine.Event) { a.captureChanged(ctx, e) }, Log: a.cfg.Log,
		Rules: a.rules, ReadBody: readBody, People: a.recordTypes, Following: a.following, Followed: a.db.Followed,
		Folder: a.settings().Capture.Folder, Keyword: a.settings().Capture.Keyword, MaxSize: rules.MaxMail, Now: a.cfg.Now,
	})
	if err != nil {
		return err
	}
	a.setCapture(src, eng)
	defer a.setCapture(nil, nil)
	return eng.Run(ctx)
}

// newSource returns the mailbox of the mail sign-in.
func (a *Agent) newSource(ctx context.Context, received *tally) (*imapsource.Source, error) {
	tokens, l, err := a.tokensOf(ctx, sideMail)
	if err != nil {
		return nil, err
	}
	used, err := a.received(ctx)
	if err != nil {
		return nil, err
	}
	return imapsource.New(imapsource.Config{
		Addr: a.settings().Mail.IMAP, TLS: &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12}, User: l.Address,
		Token: tokens.Token, Log: a.cfg.Log, Now: a.cfg.Now,
		State: func(c fault.Code) { a.watchChanged(c) }, Awake: a.member.Awake,
		Used: used, Received: received.put,
	})
}

func (a *Agent) setCapture(src *imapsource.Source, eng *engine.Engine) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.source, a.engine = src, eng
}

// captureChanged writes what the engine says on the board.
func (a *Agent) captureChanged(ctx context.Context, e engine.Event) {
	if !e.Scanning {
		a.refreshCounts(ctx)
	}
	a.board.update(func(b *board) {
		b.facts.Scanning, b.history = e.Scanning, control.Progress{Done: e.History, All: e.HistoryAll}
		if e.Scanning {
			return
		}
		b.mail.Fault = e.Fault
		if e.Fault != "" {
			b.facts.Until = e.Until
		}
		if !e.Success.IsZero() {
			b.mail.LastSuccess, b.noFolder = e.Success, ""
			if e.NoFolder {
				b.noFolder = a.settings().Capture.Folder
			}
		}
	})
}

// watchChanged shows that the connection which waits for mail is in trouble, or fine again. What
// needs a person is told by the capture's own end.
func (a *Agent) watchChanged(c fault.Code) {
	if c == "" || c.Class() == fault.Retry {
		a.board.update(func(b *board) { b.mail.Fault = c })
	}
}

// bound returns the accounts this profile is tied to; callers run only when there are.
func (a *Agent) bound() boundTo {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.binding == nil {
		return boundTo{}
	}
	return *a.binding
}

// boundTo is the one account and the one mailbox of a profile.
type boundTo struct {
	account capture.Account
	mailbox capture.Mailbox
}

// running returns the mailbox and the engine when the capture runs, else why it does not.
func (a *Agent) running() (*imapsource.Source, *engine.Engine, error) {
	a.mu.Lock()
	src, eng := a.source, a.engine
	a.mu.Unlock()
	if src != nil {
		return src, eng, nil
	}
	s := a.board.shown.Status()
	switch {
	case !s.Mail.SignedIn || !s.Salesforce.SignedIn:
		return nil, nil, fault.New(fault.NotSignedIn, "reach mailbox", nil)
	case s.Mail.Fault != "":
		return nil, nil, fault.New(s.Mail.Fault, "reach mailbox", nil)
	case s.State == capture.Paused:
		return nil, nil, fault.New(fault.Paused, "reach mailbox", nil)
	default:
		return nil, nil, fault.New(fault.MailBusy, "reach mailbox", errors.New("capture is not running"))
	}
}
