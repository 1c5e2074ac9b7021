package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

const (
	// lockPoll is how often a held lock file is tried again.
	lockPoll = 25 * time.Millisecond
	// refreshLimit bounds one refresh, whoever waits for it.
	refreshLimit = 45 * time.Second
	// refreshGrace is how long a refresh goes on after its caller gave up: cut off between
	// answer and save it would cost a sign-in.
	refreshGrace = 5 * time.Second
	// early is how long before its expiry a token counts as expired.
	early = time.Minute
	// A token refused sooner than soon after it was got shows that refreshing does not help.
	soon         = 5 * time.Minute
	stormWindow  = time.Hour
	stormLimit   = 3
	noScopes     = ""
	lockFileMode = 0o600
)

// Store keeps the refresh token of one account. Load returns an empty value when there is none;
// Save returns once the value would survive a power cut, and forgets it when it is empty.
type Store interface {
	Load(ctx context.Context) (secret.String, error)
	Save(ctx context.Context, refresh secret.String) error
}

// Config is what [Tokens] needs. Provider, Store, Lock and Log are required.
type Config struct {
	Provider Provider
	Store    Store
	// Lock is a file that every process of the account locks while it refreshes. Beside it are
	// Lock + ".waiting", locked by those who wait, and for them alone Lock + ".handover".
	Lock string
	// Moved finds the provider anew when its token address answers with a redirect, as that of a
	// site does that has moved. What it returns is used from then on; nil: never.
	Moved func(ctx context.Context) (Provider, error)
	HTTP  *http.Client // its transport and timeout are used; default 30 s
	Log   *slog.Logger
	Now   func() time.Time // default time.Now
}

// Tokens is the one source of an account's access tokens.
//
// A provider that rotates refresh tokens kills the whole sign-in when it sees an old one. So one
// refresh runs at a time, in this process and, by a lock file, on this computer; the stored
// token is read again under the lock; the new one is durable before the access token is
// returned; and a refresh whose answer was lost is not repeated by itself: the next caller
// presents the same token once, which either works or costs one sign-in.
//
// Access tokens stay in memory. One exception: two processes cannot share one refresh unless the
// token goes from one to the other. So who refreshed while another process waits for the lock
// leaves the access token beside it, sealed with a key that is derived from the new refresh token
// and worth nothing without it. The last to wait removes it, and nobody takes it after a minute.
// One process alone never writes it.
type Tokens struct {
	cfg    Config // its Provider is only touched by who has the turn
	client *http.Client
	turn   chan struct{} // holds one value while a refresh runs

	mu       sync.Mutex
	access   map[string]held        // by scopes, joined with a space
	unsaved  secret.String          // rotated but not stored yet: nothing else may happen before it is
	dead     secret.String          // the refresh token that was refused for good
	fruit    map[string][]time.Time // by scopes: refreshes that brought nothing, oldest first
	apiBase  string
	fallback string
}

type held struct {
	token  secret.String
	got    time.Time
	expiry time.Time // zero: unknown
}

func (h held) good(now time.Time, stale secret.String) bool {
	return !h.token.Empty() && !h.token.Equal(stale) && (h.expiry.IsZero() || now.Before(h.expiry))
}

// NewTokens returns a source without tokens in memory. It does no I/O. A Config that lacks a
// required field is a programming mistake and panics.
func NewTokens(cfg Config) *Tokens {
	if cfg.Store == nil || cfg.Lock == "" || cfg.Log == nil {
		panic("oauth: Store, Lock and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Tokens{cfg: cfg, client: harden(cfg.HTTP), turn: make(chan struct{}, 1), access: map[string]held{}, fruit: map[string][]time.Time{}}
}

// Adopt takes over what a sign-in brought: the refresh token is durable when it returns.
func (t *Tokens) Adopt(ctx context.Context, g Grant) error {
	release, err := t.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := t.cfg.Store.Save(ctx, g.Refresh); err != nil {
		return fmt.Errorf("store refresh token: %w", err)
	}
	now := t.cfg.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.access)
	t.access[noScopes] = held{token: g.Access, got: now, expiry: cautious(now, g.Expiry)}
	clear(t.fruit)
	t.unsaved, t.dead = secret.String{}, secret.String{}
	t.apiBase, t.fallback = g.APIBase, g.Fallback
	return nil
}

// Hosts returns the API hosts that Salesforce named last; "" before the first answer since start.
func (t *Tokens) Hosts() (apiBase, fallback string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.apiBase, t.fallback
}

// Token returns an access token other than stale, which is the one that was just refused, or
// empty. It refreshes only when it has none. Errors are *fault.Error or the context's.
func (t *Tokens) Token(ctx context.Context, stale secret.String) (secret.String, error) {
	return t.TokenFor(ctx, nil, stale)
}

// TokenFor is like Token for one resource of a provider whose refresh token serves several
// (Microsoft). Without scopes the token has those of the sign-in.
func (t *Tokens) TokenFor(ctx context.Context, scopes []string, stale secret.String) (secret.String, error) {
	key := strings.Join(scopes, " ")
	if tok, ok := t.cached(key, stale); ok {
		return tok, nil
	}
	release, err := t.acquire(ctx)
	if err != nil {
		return secret.String{}, err
	}
	defer release()
	if tok, ok := t.cached(key, stale); ok { // another caller refreshed while this one waited
		return tok, nil
	}
	if err := t.calm(key, stale); err != nil {
		return secret.String{}, err
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	return t.refresh(ctx, key, stale)
}

func (t *Tokens) cached(key string, stale secret.String) (secret.String, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.access[key]
	return h.token, h.good(t.cfg.Now(), stale)
}

// outlive returns a context that goes on for refreshGrace after ctx, and never beyond refreshLimit.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	var grace *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		grace = time.AfterFunc(refreshGrace, cancel)
	})
	return out, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if grace != nil {
			grace.Stop()
		}
		cancel()
	}
}

// acquire takes the turn within this process and then the lock file.
func (t *Tokens) acquire(ctx context.Context) (release func(), err error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f := flock.New(t.cfg.Lock, flock.SetPermissions(lockFileMode))
	ok, err := f.TryLock()
	if err == nil && !ok { // another process refreshes: what it gets may do for this one too
		waiting := t.announce(ctx)
		ok, err = f.TryLockContext(ctx, lockPoll)
		err = errors.Join(err, waiting.Close())
	}
	if err != nil || !ok {
		<-t.turn
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.New(fault.Internal, "lock token", err)
	}
	return func() {
		if err := f.Close(); err != nil {
			t.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "token lock not released", slog.Any("err", err))
		}
		<-t.turn
	}, nil
}

// calm refuses a refresh when the last ones brought nothing.
func (t *Tokens) calm(key string, stale secret.String) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cfg.Now()
	h := t.access[key]
	if !stale.Empty() && h.token.Equal(stale) && now.Sub(h.got) < soon {
		t.fruit[key] = append(t.fruit[key], now)
		delete(t.access, key)
	}
	late := slices.DeleteFunc(t.fruit[key], func(at time.Time) bool { return now.Sub(at) >= stormWindow })
	t.fruit[key] = late
	if len(late) < stormLimit {
		return nil
	}
	f := fault.New(fault.TooManyRequests, "refresh token", errors.New("the last refreshes brought nothing"))
	f.After = stormWindow - now.Sub(late[len(late)-stormLimit])
	return f
}

// refresh runs under the lock.
func (t *Tokens) refresh(ctx context.Context, key string, stale secret.String) (secret.String, error) {
	const op = "refresh token"
	old, err := t.stored(ctx)
	if err != nil {
		return secret.String{}, err
	}
	if tok, ok := t.takeOver(ctx, key, stale, old); ok {
		return tok, nil
	}
	sent := t.cfg.Now()
	ans, err := t.present(ctx, op, key, old)
	if err != nil {
		if fault.Is(err, fault.SignInCancelled) { // the caller gave up, not the person
			return secret.String{}, context.Canceled
		}
		return secret.String{}, err
	}
	rep, err := readReply(atRefresh, op, ans)
	if err != nil {
		t.refused(key, old, err)
		return secret.String{}, err
	}
	return t.accept(ctx, key, old, rep, sent)
}

// present sends the refresh token. A redirect is never followed with it: the provider is found
// anew, which checks where it is now, and asked once more.
func (t *Tokens) present(ctx context.Context, op, key string, old secret.String) (answer, error) {
	for asked := false; ; asked = true {
		p := t.cfg.Provider
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.Reveal()}, "client_id": {p.ClientID}}
		if !p.ClientSecret.Empty() {
			form.Set("client_secret", p.ClientSecret.Reveal())
		}
		if key != noScopes {
			form.Set("scope", key)
		}
		ans, err := post(ctx, t.client, op, p.TokenURL, form)
		if err != nil || asked || t.cfg.Moved == nil || ans.status < 300 || ans.status >= 400 {
			return ans, err
		}
		next, err := t.cfg.Moved(ctx)
		if err != nil || next.TokenURL == p.TokenURL {
			return ans, nil // the redirect is what there is to tell
		}
		t.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "token address moved")
		t.cfg.Provider = next
	}
}

// stored returns the refresh token to present.
func (t *Tokens) stored(ctx context.Context) (secret.String, error) {
	t.mu.Lock()
	unsaved, dead := t.unsaved, t.dead
	t.mu.Unlock()
	if !unsaved.Empty() {
		if err := t.save(ctx, unsaved); err != nil {
			return secret.String{}, err
		}
	}
	old, err := t.cfg.Store.Load(ctx)
	switch {
	case err != nil:
		return secret.String{}, fmt.Errorf("load refresh token: %w", err)
	case old.Empty():
		return secret.String{}, fault.New(fault.NotSignedIn, "refresh token", nil)
	case old.Equal(dead):
		return secret.String{}, fault.New(fault.TokenRevoked, "refresh token", errors.New("refused before"))
	}
	return old, nil
}

// refused remembers a token that is dead, and counts what brought nothing.
func (t *Tokens) refused(key string, old secret.String, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fruit[key] = append(t.fruit[key], t.cfg.Now())
	if fault.Is(err, fault.TokenRevoked) {
		t.dead = old
		clear(t.access)
	}
}

// accept makes a rotated token durable and then lets the access token out.
func (t *Tokens) accept(ctx context.Context, key string, old secret.String, rep reply, sent time.Time) (secret.String, error) {
	current := old
	if rep.refresh != "" && rep.refresh != old.Reveal() {
		current = secret.New(rep.refresh)
		if err := t.save(ctx, current); err != nil {
			return secret.String{}, err
		}
	}
	var g Grant
	if err := t.check(key, rep, &g); err != nil {
		t.refused(key, current, err)
		return secret.String{}, err
	}
	h := held{token: secret.New(rep.access), got: sent}
	if rep.life > 0 {
		h.expiry = cautious(sent, sent.Add(rep.life))
	}
	t.mu.Lock()
	t.access[key] = h
	if g.APIBase != "" {
		t.apiBase, t.fallback = g.APIBase, g.Fallback
	}
	t.mu.Unlock()
	t.handOver(ctx, key, current, h)
	t.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "access token refreshed", slog.Bool("rotated", !current.Equal(old)))
	return h.token, nil
}

// check looks at what a refresh brought as a sign-in looks at its grant: what was granted then may
// have been taken away, and the hosts may be others.
func (t *Tokens) check(key string, rep reply, g *Grant) error {
	p := t.cfg.Provider
	if key == noScopes && rep.scopes != nil {
		missing := slices.DeleteFunc(p.missing(rep.scopes), func(s string) bool { return s == "refresh_token" }) // it just worked
		if len(missing) > 0 {
			return scopeMissing("refresh token", missing)
		}
	}
	if p.Kind != Salesforce {
		return nil
	}
	return readHosts(p, rep, g)
}

// save stores a rotated token, and remembers it until that has worked.
func (t *Tokens) save(ctx context.Context, refresh secret.String) error {
	t.mu.Lock()
	t.unsaved = refresh
	t.mu.Unlock()
	if err := t.cfg.Store.Save(ctx, refresh); err != nil {
		return fmt.Errorf("store refresh token: %w", err)
	}
	t.mu.Lock()
	t.unsaved = secret.String{}
	t.mu.Unlock()
	return nil
}

// cautious moves an expiry forward by a minute, or a tenth of a short life.
func cautious(now, expiry time.Time) time.Time {
	if expiry.IsZero() {
		return expiry
	}
	return expiry.Add(-min(early, expiry.Sub(now)/10))
}
