package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hawser/auth/keyring"
	"hawser/auth/oauth"
	"hawser/store/agentdb"
	"hawser/store/sqlitedb"
	"hawser/sync/fault"
)

// open opens the sealed store with the key from the key store. A store whose key is lost, or that
// is damaged, is set aside: what waited is read from the mailbox again, and Salesforce is asked
// before anything is saved a second time.
func (a *Agent) open(ctx context.Context) error {
	if err := a.cfg.Dirs.Create(); err != nil {
		return err
	}
	path := filepath.Join(a.cfg.Dirs.State, "queue.db")
	_, missing := os.Stat(path)
	where := keyring.Config{Store: a.cfg.Keys, Service: keyService, Profile: keyProfile, Log: a.cfg.Log, Expect: missing == nil}
	key, _, err := keyring.Key(ctx, where)
	if fault.Is(err, fault.KeyLost) {
		a.cfg.Log.LogAttrs(ctx, slog.LevelError, "key lost", slog.Any("err", err))
		if err = keyring.Delete(ctx, where); err == nil {
			where.Expect = false
			key, _, err = keyring.Key(ctx, where)
		}
	}
	if err != nil {
		return err
	}
	cfg := agentdb.Config{Path: path, Key: key[:], Log: a.cfg.Log, Now: a.cfg.Now}
	a.db, err = agentdb.Open(ctx, cfg)
	if !fault.Is(err, fault.KeyLost) && !fault.Is(err, fault.QueueDamaged) {
		return wrap("open queue", err)
	}
	a.cfg.Log.LogAttrs(ctx, slog.LevelError, "queue set aside", slog.String("code", string(fault.Of(err).Code)), slog.Any("err", err))
	if _, err := sqlitedb.Quarantine(path, a.now()); err != nil {
		return fmt.Errorf("set queue aside: %w", err)
	}
	a.db, err = agentdb.Open(ctx, cfg)
	return wrap("open queue", err)
}

// recall restores what the last run knew: the sign-ins, the binding, the pause, the day's calls.
func (a *Agent) recall(ctx context.Context) error {
	account, mailbox, found, err := a.db.Binding(ctx)
	if err != nil {
		return fmt.Errorf("read binding: %w", err)
	}
	if found {
		a.binding = &boundTo{account: account, mailbox: mailbox}
	}
	if err := errors.Join(a.recallNames(ctx), a.recallAliases(ctx), a.recallOwed(ctx)); err != nil {
		return err
	}
	for _, side := range []string{sideSalesforce, sideMail} {
		if err := a.recallSide(ctx, side); err != nil {
			return err
		}
	}
	if err := a.recallPause(ctx); err != nil {
		return err
	}
	a.refreshCounts(ctx)
	return errors.Join(a.recallChoices(ctx), a.recallLanguage(ctx))
}

// hostOf returns a site's host and path, as people read an address and the icon's menu opens it.
func hostOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		return rest
	}
	return address
}

// recallSide takes up one side's earlier sign-in.
func (a *Agent) recallSide(ctx context.Context, side string) error {
	refresh, err := a.db.Secret(ctx, refreshToken{a.db, side}.name())
	if err != nil || refresh.Empty() {
		return wrap("read sign-in", err)
	}
	raw, err := a.db.Secret(ctx, "login."+side)
	if err != nil || raw.Empty() {
		return wrap("read sign-in", err)
	}
	var l login
	if err := json.Unmarshal([]byte(raw.Reveal()), &l); err != nil {
		return fmt.Errorf("read sign-in: %w", err)
	}
	if err := a.checkLogin(side, l); err != nil {
		return nil // shown, and nothing is sent until the right account signs in
	}
	a.mu.Lock()
	a.logins[side] = l
	a.mu.Unlock()
	a.board.update(func(b *board) {
		s := b.sideOf(side)
		s.SignedIn, s.Account = true, l.Name
		if l.Base != "" {
			s.Host = hostOf(l.Base)
		}
	})
	return nil
}

// tokensOf returns the token source of a side. Where the settings name another address than the
// sign-in's, its provider is found first, which needs the network.
func (a *Agent) tokensOf(ctx context.Context, side string) (*oauth.Tokens, login, error) {
	a.mu.Lock()
	tokens, l := a.tokens[side], a.logins[side]
	a.mu.Unlock()
	if tokens != nil {
		return tokens, l, nil
	}
	p, err := a.known(ctx, side, l)
	if err != nil {
		return nil, l, err
	}
	tokens = a.newTokens(side, p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[side] = tokens
	return tokens, l, nil
}

const pauseSetting = "paused-until"

// recallPause takes up a pause of the last run: "" none, "forever", or a time.
func (a *Agent) recallPause(ctx context.Context) error {
	text, _, err := a.db.Setting(ctx, pauseSetting)
	if err != nil || text == "" {
		return wrap("read pause", err)
	}
	until := time.Time{}
	if text != forever {
		if until, err = time.Parse(time.RFC3339, text); err != nil {
			return fmt.Errorf("read pause: %w", err)
		}
	}
	a.board.update(func(b *board) { b.facts.Paused, b.facts.PausedUntil = true, until })
	return nil
}

const forever = "forever"

// roots returns the certificates that are trusted: the system's and those of the configured file.
func roots(caFile string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if caFile == "" {
		return pool, nil
	}
	pem, err := os.ReadFile(caFile)
	if err == nil && !pool.AppendCertsFromPEM(pem) {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		f := fault.New(fault.ConfigInvalid, "read certificates", err)
		f.Detail = "“trust.caFile” cannot be read"
		return nil, f
	}
	return pool, nil
}

// httpClient returns a client for both sign-ins and for Salesforce, whose names dial keeps from
// leading into the local network.
func httpClient(pool *x509.CertPool, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 3 * time.Minute,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   2,
	}}
}
