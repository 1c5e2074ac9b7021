package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// Revoke ends a token at the provider, of which kind, client id and revocation address are
// needed. A provider without such an address ends nothing, which is no error. A fault of class
// Retry says that it is worth calling again.
func Revoke(ctx context.Context, client *http.Client, p Provider, token secret.String) error {
	return revoke(ctx, harden(client), p, token)
}

// revoke ends a token at the provider (RFC 7009). A 4xx means that it was over already.
func revoke(ctx context.Context, client *http.Client, p Provider, token secret.String) error {
	const op = "revoke token"
	if p.RevokeURL == "" || token.Empty() {
		return nil
	}
	form := url.Values{"token": {token.Reveal()}}
	if p.Kind == Generic {
		form.Set("client_id", p.ClientID)
	}
	a, err := post(ctx, client, op, p.RevokeURL, form)
	switch {
	case err != nil:
		return err
	case a.status < 300, a.status == http.StatusBadRequest:
		return nil
	}
	if f := a.unusual(op); f != nil {
		return f
	}
	return fault.New(fault.SignInRefused, op, nil)
}

// Revoke ends the sign-in at the provider and forgets it here. When the provider cannot be
// reached nothing is forgotten and the fault is of class Retry: call again later.
func (t *Tokens) Revoke(ctx context.Context) error {
	release, err := t.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	refresh, err := t.newest(ctx)
	if err != nil {
		return err
	}
	if err := revoke(ctx, t.client, t.cfg.Provider, refresh); err != nil {
		return err
	}
	return t.forget(ctx)
}

// Forget ends the sign-in on this computer alone. Before that, owe gets the refresh token that is
// good at the provider still, for [Revoke], and may keep it from happening.
func (t *Tokens) Forget(ctx context.Context, owe func(p Provider, refresh secret.String) error) error {
	release, err := t.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	refresh, err := t.newest(ctx)
	if err != nil {
		return err
	}
	if !refresh.Empty() {
		if err := owe(t.cfg.Provider, refresh); err != nil {
			return err
		}
	}
	return t.forget(ctx)
}

// newest returns the refresh token that was got last; empty when there is none.
func (t *Tokens) newest(ctx context.Context) (secret.String, error) {
	t.mu.Lock()
	refresh := t.unsaved
	t.mu.Unlock()
	if !refresh.Empty() {
		return refresh, nil
	}
	refresh, err := t.cfg.Store.Load(ctx)
	if err != nil {
		return refresh, fmt.Errorf("load refresh token: %w", err)
	}
	return refresh, nil
}

func (t *Tokens) forget(ctx context.Context) error {
	t.mu.Lock()
	clear(t.access)
	t.unsaved, t.dead = secret.String{}, secret.String{}
	t.mu.Unlock()
	t.dropHandOver(ctx)
	if err := t.cfg.Store.Save(ctx, secret.String{}); err != nil {
		return fmt.Errorf("forget refresh token: %w", err)
	}
	return nil
}
