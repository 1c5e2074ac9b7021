package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"hawser/app/control"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

const (
	// revokeLimit bounds telling a provider that a sign-in is over.
	revokeLimit = 10 * time.Second
	// What a provider did not hear is told again after settleFirst, then ever later.
	settleFirst = 30 * time.Second
	settleMost  = 15 * time.Minute
)

// owedSecret is the name of the list of revocations that are still to be made.
const owedSecret = "revocations"

// revocation is a token that has yet to be ended at its provider.
type revocation struct {
	Kind     oauth.Kind `json:"kind"`
	URL      string     `json:"url"`
	ClientID string     `json:"clientId"`
	Token    string     `json:"token"`
}

// SignOut implements control.Agent.
func (a *Agent) SignOut(ctx context.Context, side string, discard bool) (control.SignOutResult, error) {
	var result control.SignOutResult
	sides := []string{side}
	switch {
	case side == "":
		sides = []string{sideSalesforce, sideMail}
	case side != sideSalesforce && side != sideMail, discard && side == sideMail: // delivery would go on
		return result, fault.New(fault.Usage, "sign out", nil)
	}
	ctx = context.WithoutCancel(ctx) // a sign-out that was asked for does not stop halfway
	for _, s := range sides {
		resume, err := a.leave(ctx, s)
		if err != nil {
			return result, err
		}
		defer resume()
	}
	if discard {
		n, err := a.discardQueue(ctx)
		result.Discarded = n
		if err != nil {
			return result, err
		}
	}
	counts, err := a.db.Counts(ctx)
	if err != nil {
		return result, err
	}
	a.refreshCounts(ctx)
	left, err := a.settle(ctx)
	result.Waiting, result.Pending = counts.Waiting, left > 0
	return result, err
}

// leave ends one side's sign-in on this computer and notes what its provider has to hear. The work
// of the side has ended when it returns and does not begin again before resume.
func (a *Agent) leave(ctx context.Context, side string) (resume func(), err error) {
	a.mu.Lock()
	running := a.attempts[side]
	a.mu.Unlock()
	running.end(ctx)
	a.board.update(func(b *board) {
		s := b.sideOf(side)
		s.SignedIn, s.Account, s.Fault, s.Other = false, "", "", ""
		b.facts.Wrong = b.sf.Other != "" || b.mail.Other != ""
	})
	a.turn[side] <- struct{}{}
	resume = func() { <-a.turn[side] }
	err = a.forget(ctx, side)
	if err == nil {
		err = a.db.DeleteSecret(ctx, "login."+side)
	}
	if err != nil {
		resume()
		return nil, fmt.Errorf("sign out: %w", err)
	}
	a.mu.Lock()
	delete(a.logins, side)
	delete(a.tokens, side)
	a.mu.Unlock()
	return resume, nil
}

// forget removes one side's tokens from this computer.
func (a *Agent) forget(ctx context.Context, side string) error {
	store := refreshToken{a.db, side}
	if refresh, err := store.Load(ctx); err != nil || refresh.Empty() {
		return err
	}
	tokens, _, err := a.tokensOf(ctx, side)
	if err != nil {
		// Where to revoke it is not known without the network: it is forgotten here all the same.
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in not given back", slog.Any("err", err))
		return store.Save(ctx, secret.String{})
	}
	return tokens.Forget(ctx, func(p oauth.Provider, refresh secret.String) error { return a.owe(ctx, p, refresh) })
}

// inTurn keeps a part from running while its side is being signed out.
func (a *Agent) inTurn(side string, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case a.turn[side] <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-a.turn[side] }()
		return run(ctx)
	}
}

// discardQueue leaves all that waits out for good. Delivery must not run.
func (a *Agent) discardQueue(ctx context.Context) (int, error) {
	rows, err := a.db.List(ctx, "", math.MaxInt32)
	if err != nil {
		return 0, err
	}
	for i, row := range rows {
		if err := a.db.Skip(ctx, row.ID); err != nil && !fault.Is(err, fault.NotFound) {
			return i, fmt.Errorf("discard mail: %w", err)
		}
	}
	return len(rows), nil
}

// owe notes that a token has to be ended at its provider, however long that takes.
func (a *Agent) owe(ctx context.Context, p oauth.Provider, token secret.String) error {
	if p.RevokeURL == "" { // Microsoft has no such thing: the token dies unused
		return nil
	}
	a.owing.Lock()
	defer a.owing.Unlock()
	list, err := a.owed(ctx)
	if err != nil {
		return err
	}
	list = append(list, revocation{Kind: p.Kind, URL: p.RevokeURL, ClientID: p.ClientID, Token: token.Reveal()})
	if err := a.saveOwed(ctx, list); err != nil {
		return err
	}
	select {
	case a.owes <- struct{}{}:
	default:
	}
	return nil
}

// owed returns what the providers have yet to hear.
func (a *Agent) owed(ctx context.Context) ([]revocation, error) {
	raw, err := a.db.Secret(ctx, owedSecret)
	if err != nil || raw.Empty() {
		return nil, wrap("read revocations", err)
	}
	var list []revocation
	if err := json.Unmarshal([]byte(raw.Reveal()), &list); err != nil {
		return nil, fmt.Errorf("read revocations: %w", err)
	}
	return list, nil
}

// recallOwed takes over what a run that was unbound has left.
func (a *Agent) recallOwed(ctx context.Context) error {
	if len(a.cfg.owed) == 0 {
		return nil
	}
	list, err := a.owed(ctx)
	if err != nil {
		return err
	}
	return a.saveOwed(ctx, append(list, a.cfg.owed...))
}

func (a *Agent) saveOwed(ctx context.Context, list []revocation) error {
	if len(list) == 0 {
		return wrap("store revocations", a.db.DeleteSecret(ctx, owedSecret))
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("store revocations: %w", err)
	}
	return wrap("store revocations", a.db.SaveSecret(ctx, owedSecret, secret.New(string(raw))))
}

// settle tells the providers what they have yet to hear, and returns how much is left for later.
// The list is not held while they are asked: a provider that cannot be reached delays no sign-in.
func (a *Agent) settle(ctx context.Context) (left int, err error) {
	list, err := a.owed(ctx)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	settled := map[revocation]bool{}
	for _, r := range list {
		err := a.revoke(ctx, r)
		if err != nil && (ctx.Err() != nil || fault.Of(err).Code.Class() == fault.Retry) {
			continue
		}
		if err != nil { // asking again would be answered alike
			a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in not revoked", slog.Any("err", err))
		}
		settled[r] = true
	}
	a.owing.Lock()
	defer a.owing.Unlock()
	ctx = context.WithoutCancel(ctx) // what was revoked is not to be revoked again
	if list, err = a.owed(ctx); err != nil {
		return 0, err
	}
	list = slices.DeleteFunc(list, func(r revocation) bool { return settled[r] })
	return len(list), a.saveOwed(ctx, list)
}

func (a *Agent) revoke(ctx context.Context, r revocation) error {
	ctx, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	return oauth.Revoke(ctx, a.http, oauth.Provider{Kind: r.Kind, RevokeURL: r.URL, ClientID: r.ClientID}, secret.New(r.Token))
}

// settleAll settles at start, whenever something is owed anew, and until nothing is. It does not
// wake while nothing is owed. Only ctx ends it.
func (a *Agent) settleAll(ctx context.Context) error {
	wait := settleFirst
	for {
		left, err := a.settle(ctx)
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelError, "revocations not settled", slog.Any("err", err))
		}
		var nudged <-chan struct{}
		again := time.NewTimer(wait)
		if left > 0 {
			nudged = a.nudged()
		} else {
			again.Stop()
		}
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-again.C:
			wait = min(2*wait, settleMost)
		case <-nudged:
		case <-a.owes:
			wait = settleFirst
		}
		again.Stop()
	}
}
