package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"hawser/app/control"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// attempt is a sign-in that runs.
type attempt struct {
	cancel context.CancelCauseFunc
	over   chan struct{} // closed when its listener and its browser tab are of no use any more
}

// errOutdated ends an attempt that a newer one, or a sign-out, has overtaken.
var errOutdated = errors.New("another sign-in began")

// begin makes a sign-in the only one of its side: an earlier one ends first, so that its tab says
// that it is out of date and its port is free. End has to be called.
func (a *Agent) begin(ctx context.Context, side string) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	mine := &attempt{cancel: cancel, over: make(chan struct{})}
	a.mu.Lock()
	before := a.attempts[side]
	a.attempts[side] = mine
	a.mu.Unlock()
	before.end(ctx)
	return ctx, func() {
		cancel(nil)
		close(mine.over)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.attempts[side] == mine {
			delete(a.attempts, side)
		}
	}
}

// end ends an attempt, if there is one, and waits until it is over.
func (t *attempt) end(ctx context.Context) {
	if t == nil {
		return
	}
	t.cancel(errOutdated)
	select {
	case <-t.over:
	case <-ctx.Done():
	}
}

// SignIn implements control.Agent: it sends the user to the browser, checks who came back, and
// binds the two sides at the first complete sign-in.
func (a *Agent) SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error {
	if side != sideSalesforce && side != sideMail {
		return fault.New(fault.Usage, "sign in", nil)
	}
	ctx, end := a.begin(ctx, side)
	defer end()
	err := a.signIn(ctx, side, progress)
	if err != nil && errors.Is(context.Cause(ctx), errOutdated) {
		return fault.New(fault.SignInOutdated, "sign in", errOutdated)
	}
	return err
}

func (a *Agent) signIn(ctx context.Context, side string, progress func(control.SignInStep)) error {
	if err := a.maySignIn(); err != nil {
		return err
	}
	progress(control.SignInStep{Step: "discovering"})
	at, err := a.find(ctx, side)
	if err != nil {
		return err
	}
	if at.moved {
		progress(control.SignInStep{Step: "moved", URL: at.base})
	}
	grant, err := oauth.SignIn(ctx, oauth.Request{
		Provider: at.Provider, Open: a.cfg.OpenBrowser, HTTP: a.http, Log: a.cfg.Log, Now: a.cfg.Now, Page: a.page,
		// The browser would sign the wrong person in again without asking.
		OtherAccount: a.isWrong(side),
		Nonce:        a.member.Nonce(side),
		Progress:     func(step, url string) { progress(control.SignInStep{Step: step, URL: url}) },
		Check: func(_ context.Context, g oauth.Grant) error {
			l, err := loginOf(side, g)
			if err != nil {
				return err
			}
			return a.checkLogin(side, l)
		},
	})
	if err != nil {
		if link := at.AdminLink(); link != "" && fault.Is(err, fault.ConsentByAdmin) {
			progress(control.SignInStep{Step: "approve", URL: link})
		}
		return err
	}
	// From here on a tab that is closed or a newer attempt changes nothing: the answer is complete.
	return a.adopt(context.WithoutCancel(ctx), side, at, grant)
}

// page words the page on which a sign-in ends in the browser.
func (a *Agent) page(err error) (title, text string) {
	if err != nil {
		return a.text.T("page.not-signed-in", nil), a.text.T("page.not-signed-in-text", nil)
	}
	return a.text.T("page.signed-in", nil), a.text.T("page.signed-in-text", nil)
}

// adopt makes a checked grant durable, then lets it count.
func (a *Agent) adopt(ctx context.Context, side string, at place, g oauth.Grant) error {
	l, err := loginOf(side, g)
	if err != nil {
		return err
	}
	l.at(at)
	l.Configured = a.configured(side)
	before, err := a.db.Secret(ctx, refreshToken{a.db, side}.name())
	if err != nil {
		return fmt.Errorf("read earlier sign-in: %w", err)
	}
	tokens := a.newTokens(side, at.Provider)
	if err := tokens.Adopt(ctx, g); err != nil {
		return err
	}
	if err := a.saveLogin(ctx, side, l); err != nil {
		return err
	}
	a.replaced(ctx, at.Provider, before)
	if err := a.prove(ctx, side, l, g.IDToken); err != nil {
		return err
	}
	if err := a.useLogin(ctx, side, l, tokens); err != nil {
		return err
	}
	a.foundAliases(ctx, side)
	return nil
}

// replaced ends the sign-in that a new one took the place of. Salesforce keeps five per user and
// app and then ends the oldest, which may be another computer's. Google must not be asked: it
// would end the new one as well.
func (a *Agent) replaced(ctx context.Context, p oauth.Provider, before secret.String) {
	if p.Kind != oauth.Salesforce || before.Empty() {
		return
	}
	if err := a.owe(ctx, p, before); err != nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "earlier sign-in not given back", slog.Any("err", err))
	}
}

// useLogin lets a sign-in count: it completes the binding, and what rested goes on.
func (a *Agent) useLogin(ctx context.Context, side string, l login, tokens *oauth.Tokens) error {
	a.mu.Lock()
	a.logins[side], a.tokens[side] = l, tokens
	a.mu.Unlock()
	if err := errors.Join(a.bind(ctx), a.named(ctx, side, l.Name)); err != nil {
		return err
	}
	a.board.update(func(b *board) {
		s := b.sideOf(side)
		s.SignedIn, s.Account, s.Fault, s.Other = true, l.Name, "", ""
		if l.Base != "" {
			s.Host = hostOf(l.Base)
		}
		b.facts.Wrong = b.sf.Other != "" || b.mail.Other != ""
	})
	a.companyChanged()
	a.poke()
	return nil
}
