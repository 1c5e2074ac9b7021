package oauth

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/oauth/oauthtest"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// memStore is a Store that can fail and counts.
type memStore struct {
	mu    sync.Mutex
	v     secret.String
	saved []string
	fail  error
	slow  time.Duration
}

func (m *memStore) Load(context.Context) (secret.String, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.v, nil
}

func (m *memStore) Save(_ context.Context, v secret.String) error {
	time.Sleep(m.slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.v, m.saved = v, append(m.saved, v.Reveal())
	return nil
}

// fileStore is a Store that two processes share.
type fileStore string

func (f fileStore) Load(context.Context) (secret.String, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return secret.String{}, nil
	}
	return secret.New(string(b)), err
}

func (f fileStore) Save(_ context.Context, v secret.String) error {
	tmp := fmt.Sprintf("%s.%d", f, os.Getpid())
	if err := os.WriteFile(tmp, []byte(v.Reveal()), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, string(f))
}

type rig struct {
	iss   *oauthtest.Issuer
	p     Provider
	store *memStore
	lock  string
	now   time.Time
	grant Grant
}

// signedIn returns an account that signed in at a pretend issuer.
func signedIn(t *testing.T, kind Kind) *rig {
	t.Helper()
	iss, p := provider(t, kind)
	g, err := signIn(t, p, oauthtest.Browser{})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{iss: iss, p: p, store: &memStore{v: g.Refresh}, lock: filepath.Join(t.TempDir(), "token.lock"), now: time.Now(), grant: g}
}

func (r *rig) tokens() *Tokens {
	return NewTokens(Config{Provider: r.p, Store: r.store, Lock: r.lock, Log: quiet(), Now: func() time.Time { return r.now }})
}

func (r *rig) refreshes() int { return r.iss.Count("token:refresh_token") }

func TestTokens(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedIn(t, kind)
			tk := r.tokens()
			if err := tk.Adopt(t.Context(), r.grant); err != nil {
				t.Fatal(err)
			}
			first, err := tk.Token(t.Context(), secret.String{})
			if err != nil || !first.Equal(r.grant.Access) || r.refreshes() != 0 {
				t.Fatalf("token of the sign-in: %v, %d refreshes", err, r.refreshes())
			}
			r.now = r.now.Add(10 * time.Minute)
			second, err := tk.Token(t.Context(), first)
			if err != nil || second.Equal(first) || r.refreshes() != 1 {
				t.Fatalf("after a refusal: %v, %d refreshes", err, r.refreshes())
			}
			if third, err := tk.Token(t.Context(), first); err != nil || !third.Equal(second) || r.refreshes() != 1 {
				t.Fatalf("a late refusal of the old token: %v, %d refreshes", err, r.refreshes())
			}
			if kind != Salesforce {
				r.now = r.now.Add(time.Hour)
				if third, err := tk.Token(t.Context(), secret.String{}); err != nil || third.Equal(second) || r.refreshes() != 2 {
					t.Fatalf("after expiry: %v, %d refreshes", err, r.refreshes())
				}
			} else if base, _ := tk.Hosts(); base != r.p.Issuer {
				t.Errorf("API base %q", base)
			}
			if err := tk.Revoke(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := tk.Token(t.Context(), secret.String{}); !fault.Is(err, fault.NotSignedIn) {
				t.Errorf("after sign-out: %v", err)
			}
			if kind != Microsoft && r.iss.RefreshValid(r.grant.Refresh.Reveal()) {
				t.Error("not revoked at the provider")
			}
		})
	}
}

// TestA13OneRefresh: two processes with 32 goroutines each make one refresh, whose token is
// durable before anyone has the access token.
func TestA13OneRefresh(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Salesforce)
	g, err := signIn(t, p, oauthtest.Browser{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	store := fileStore(filepath.Join(dir, "refresh"))
	if err := store.Save(t.Context(), g.Refresh); err != nil {
		t.Fatal(err)
	}
	iss.ExpireAccess("alice@example.org")
	// At once, on a busy computer too: the answer waits until both processes want it.
	lock := NewTokens(Config{Provider: p, Store: store, Lock: filepath.Join(dir, "lock"), Log: quiet()})
	iss.Misbehave(oauthtest.Mischief{TokenHook: func() {
		for end := time.Now().Add(20 * time.Second); !lock.awaited() && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		}
	}})
	var wg sync.WaitGroup
	out := make([]bytes.Buffer, 2)
	for i := range out {
		cmd := refresher(t, dir, p, &out[i])
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("%v: %s", err, out[i].String())
			}
		})
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), waitReady(t, dir, len(out)), 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := iss.Count("token:refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	seen := map[string]bool{}
	for i := range out {
		lines := bufio.NewScanner(&out[i])
		for lines.Scan() {
			if tok, ok := strings.CutPrefix(lines.Text(), "token "); ok {
				seen[tok] = true
				if _, valid := iss.Active(tok); !valid {
					t.Error("a token that is not valid")
				}
			}
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d different access tokens", len(seen))
	}
	if now, _ := store.Load(t.Context()); now.Equal(g.Refresh) || !iss.RefreshValid(now.Reveal()) {
		t.Error("the stored refresh token is not the new one")
	}
	if _, err := os.Stat(filepath.Join(dir, "lock.handover")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the hand-over is still there: %v", err)
	}
}

// refresher is a process that runs TestRefresher.
func refresher(t *testing.T, dir string, p Provider, out io.Writer, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRefresher$")
	cmd.Env = append(append(os.Environ(), "HAWSER_TEST_REFRESHER="+dir, "HAWSER_TEST_ISSUER="+p.Issuer), env...)
	cmd.Stdout = out
	return cmd
}

// waitReady waits until n processes are about to begin.
func waitReady(t *testing.T, dir string, n int) []byte {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if ready, err := filepath.Glob(filepath.Join(dir, "ready-*")); err == nil && len(ready) == n {
			return nil
		}
		if time.Now().After(end) {
			t.Fatal("the processes do not begin")
		}
	}
}

// TestHandOver: the access token goes to disk for a process that waits alone, sealed.
func TestHandOver(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	alone := r.tokens()
	if _, err := alone.Token(t.Context(), secret.String{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(alone.handOverPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("handed over to nobody: %v", err)
	}
	waiting := r.tokens().announce(t.Context())
	r.now = r.now.Add(time.Hour)
	tok, err := r.tokens().Token(t.Context(), secret.String{})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := os.ReadFile(alone.handOverPath())
	if err != nil || len(sealed) < len(tok.Reveal()) || bytes.Contains(sealed, []byte(tok.Reveal())) {
		t.Errorf("%d bytes handed over, %v", len(sealed), err)
	}
	if info, err := os.Stat(alone.handOverPath()); err != nil || info.Mode().Perm() != lockFileMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	stranger := r.tokens()
	if _, ok := stranger.takeOver(t.Context(), noScopes, secret.String{}, r.grant.Refresh); ok {
		t.Error("opened with an older refresh token")
	}
	for range 2 { // while others wait it stays
		if got, ok := stranger.takeOver(t.Context(), noScopes, secret.String{}, r.store.v); !ok || !got.Equal(tok) {
			t.Error("not taken over")
		}
	}
	if err := waiting.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := stranger.takeOver(t.Context(), noScopes, secret.String{}, r.store.v); !ok {
		t.Error("the last one does not get it")
	}
	if _, err := os.Stat(alone.handOverPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	waiting = stranger.announce(t.Context())
	defer func() { _ = waiting.Close() }()
	stranger.handOver(t.Context(), noScopes, r.store.v, held{token: tok, got: r.now})
	r.now = r.now.Add(2 * handOverLife)
	if _, ok := r.tokens().takeOver(t.Context(), noScopes, secret.String{}, r.store.v); ok {
		t.Error("taken over after its time")
	}
}

// stalledStore is a Store whose Save hangs and says so in a file.
type stalledStore struct{ fileStore }

func (s stalledStore) Save(ctx context.Context, _ secret.String) error {
	if err := os.WriteFile(string(s.fileStore)+".saving", nil, 0o600); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestRefresher is a process of TestA13OneRefresh and TestKillBetweenReplyAndSave.
func TestRefresher(t *testing.T) {
	dir := os.Getenv("HAWSER_TEST_REFRESHER")
	if dir == "" {
		return
	}
	p := NewSalesforce(os.Getenv("HAWSER_TEST_ISSUER"), "hawser", []string{"http://localhost:1/callback"})
	var store Store = fileStore(filepath.Join(dir, "refresh"))
	if os.Getenv("HAWSER_TEST_STALL") != "" {
		store = stalledStore{fileStore(filepath.Join(dir, "refresh"))}
	}
	tk := NewTokens(Config{Provider: p, Store: store, Lock: filepath.Join(dir, "lock"), Log: quiet()})
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("ready-%d", os.Getpid())), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "go")); err == nil {
			break
		}
	}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			tok, err := tk.Token(t.Context(), secret.String{})
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Println("token " + tok.Reveal())
		})
	}
	wg.Wait()
}

// TestKillBetweenReplyAndSave: a process that is killed with the rotated token in its hands, and one
// whose answer is lost, cost one sign-in, never a loop.
func TestKillBetweenReplyAndSave(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testing.T, *oauthtest.Issuer, Provider, string){"kill": killed, "lost reply": lost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss, p := provider(t, Salesforce)
			g, err := signIn(t, p, oauthtest.Browser{})
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			store := fileStore(filepath.Join(dir, "refresh"))
			if err := store.Save(t.Context(), g.Refresh); err != nil {
				t.Fatal(err)
			}
			lose(t, iss, p, dir)
			if n := iss.Count("token:refresh_token"); n != 1 {
				t.Errorf("%d refreshes before", n)
			}
			tk := NewTokens(Config{Provider: p, Store: store, Lock: filepath.Join(dir, "lock"), Log: quiet()})
			for range 5 {
				if _, err := tk.Token(t.Context(), secret.String{}); !fault.Is(err, fault.TokenRevoked) {
					t.Errorf("afterwards: %v", err)
				}
			}
			if n := iss.Count("token:refresh_token"); n != 2 {
				t.Errorf("%d refreshes, want 2", n)
			}
			if g, err = signIn(t, p, oauthtest.Browser{}); err != nil {
				t.Fatal(err)
			}
			if err := tk.Adopt(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if tok, err := tk.Token(t.Context(), secret.String{}); err != nil || tok.Empty() {
				t.Errorf("after the sign-in: %v", err)
			}
		})
	}
}

// killed ends a process with SIGKILL after the answer came and before the new token is stored.
func killed(t *testing.T, _ *oauthtest.Issuer, p Provider, dir string) {
	cmd := refresher(t, dir, p, nil, "HAWSER_TEST_STALL=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), waitReady(t, dir, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "refresh.saving")); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the process does not get as far as to save")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
}

// lost cuts the connection after the issuer did its work.
func lost(t *testing.T, iss *oauthtest.Issuer, p Provider, dir string) {
	iss.Misbehave(oauthtest.Mischief{LoseReply: true, Times: 1})
	tk := NewTokens(Config{Provider: p, Store: fileStore(filepath.Join(dir, "refresh")), Lock: filepath.Join(dir, "lock"), Log: quiet()})
	_, err := tk.Token(t.Context(), secret.String{})
	if f := fault.Of(err); f.Code.Class() != fault.Retry || !f.Unknown {
		t.Errorf("lost reply: %v", err)
	}
}

// TestDurableBeforeUse: while the rotated token cannot be stored no access token is given out,
// the token is not lost, and it is never refreshed again before it is stored.
func TestDurableBeforeUse(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	tk := r.tokens()
	full := errors.New("disk is full")
	r.store.fail = full
	for range 3 {
		if tok, err := tk.Token(t.Context(), secret.String{}); !errors.Is(err, full) || !tok.Empty() {
			t.Errorf("%v", err)
		}
	}
	if r.refreshes() != 1 {
		t.Errorf("%d refreshes", r.refreshes())
	}
	r.store.fail = nil
	tok, err := tk.Token(t.Context(), secret.String{})
	if _, ok := r.iss.Active(tok.Reveal()); err != nil || !ok {
		t.Errorf("after there is room again: %v", err)
	}
	if !r.iss.RefreshValid(r.store.v.Reveal()) {
		t.Error("the stored token is not the valid one")
	}
}

// TestOtherProcessRotated: the stored token is read again under the lock.
func TestOtherProcessRotated(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	a, b := r.tokens(), r.tokens()
	var stale secret.String
	for i := range 6 {
		tk := a
		if i%2 == 1 {
			tk = b
		}
		r.now = r.now.Add(20 * time.Minute)
		r.iss.ExpireAccess("alice@example.org")
		tok, err := tk.Token(t.Context(), stale)
		if _, ok := r.iss.Active(tok.Reveal()); i > 1 && !ok { // a token of its own that died meanwhile
			tok, err = tk.Token(t.Context(), tok)
		}
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		stale = tok
	}
}

// TestStorm: a token that is refused for ever brings three refreshes an hour and no more.
func TestStorm(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Google)
	tk := r.tokens()
	var stale secret.String
	var last error
	for range 20 {
		tok, err := tk.Token(t.Context(), stale)
		if err == nil {
			stale = tok
		}
		last = err
	}
	if f := fault.Of(last); last == nil || f.Code != fault.TooManyRequests || f.After <= 0 || f.After > time.Hour || r.refreshes() != 3 {
		t.Errorf("%v, %d refreshes", last, r.refreshes())
	}
	r.now = r.now.Add(61 * time.Minute)
	if _, err := tk.Token(t.Context(), stale); err != nil || r.refreshes() != 4 {
		t.Errorf("an hour later: %v, %d refreshes", err, r.refreshes())
	}
}

// TestInvalidGrant: the reasons behind one error code are told apart, and what may come back
// keeps its token.
func TestInvalidGrant(t *testing.T) {
	t.Parallel()
	for description, c := range map[string]struct {
		code fault.Code
		back bool // works again when the cause is gone
	}{
		"expired access/refresh token": {fault.TokenRevoked, false},
		"inactive user":                {fault.UserInactive, true},
		"inactive organization":        {fault.UserInactive, true},
		"ip restricted":                {fault.LoginRestricted, true},
	} {
		t.Run(description, func(t *testing.T) {
			t.Parallel()
			r := signedIn(t, Salesforce)
			tk := r.tokens()
			r.iss.Misbehave(oauthtest.Mischief{TokenError: "invalid_grant", TokenDescription: description, Times: 1})
			if _, err := tk.Token(t.Context(), secret.String{}); !fault.Is(err, c.code) {
				t.Fatalf("%v, want %s", err, c.code)
			}
			r.now = r.now.Add(2 * time.Hour)
			_, err := tk.Token(t.Context(), secret.String{})
			if c.back != (err == nil) || !c.back && !fault.Is(err, c.code) {
				t.Errorf("later: %v", err)
			}
			if !c.back && r.refreshes() != 1 {
				t.Errorf("%d refreshes with a dead token", r.refreshes())
			}
		})
	}
}

// TestKeepsTokenOnOutage: what is not a refusal of the token costs nothing.
func TestKeepsTokenOnOutage(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	tk := r.tokens()
	for _, c := range []struct {
		mischief oauthtest.Mischief
		code     fault.Code
	}{
		{oauthtest.Mischief{TokenStatus: 503}, fault.ServerError},
		{oauthtest.Mischief{TokenStatus: 420}, fault.ServerError},
		{oauthtest.Mischief{RawReply: "<html>log in to the wifi</html>"}, fault.NotTheServer},
	} {
		r.iss.Misbehave(c.mischief)
		if _, err := tk.Token(t.Context(), secret.String{}); !fault.Is(err, c.code) || fault.Of(err).Code.Class() != fault.Retry {
			t.Errorf("%v, want %s", err, c.code)
		}
	}
	r.iss.Misbehave(oauthtest.Mischief{})
	r.now = r.now.Add(2 * time.Hour)
	if _, err := tk.Token(t.Context(), secret.String{}); err != nil {
		t.Error(err)
	}
}

// TestA10OldTokenKept: an answer that is no token answer leaves the stored token as it was.
func TestA10OldTokenKept(t *testing.T) {
	t.Parallel()
	for name, raw := range oddReplies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedIn(t, Google)
			r.iss.Misbehave(oauthtest.Mischief{RawReply: raw, Times: 1})
			tk := r.tokens()
			if _, err := tk.Token(t.Context(), secret.String{}); err == nil || fault.Of(err).Code == fault.Internal {
				t.Errorf("%v", err)
			}
			if name == "error 200" { // which says that the token is over
				return
			}
			if !r.store.v.Equal(r.grant.Refresh) || len(r.store.saved) != 0 {
				t.Error("the stored token changed")
			}
			if _, err := tk.Token(t.Context(), secret.String{}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestG07ScopeWithdrawn: what is no longer granted at a refresh is named; the rotated token is kept.
func TestG07ScopeWithdrawn(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedIn(t, kind)
			r.iss.Misbehave(oauthtest.Mischief{Change: map[string]any{"scope": "openid refresh_token"}, Times: 1})
			tk := r.tokens()
			tok, err := tk.Token(t.Context(), secret.String{})
			if f := fault.Of(err); !tok.Empty() || !fault.Is(err, fault.ScopeMissing) || f.Detail != map[bool]string{true: "api", false: "mail"}[kind == Salesforce] {
				t.Errorf("%v", err)
			}
			if _, err := tk.Token(t.Context(), secret.String{}); err != nil {
				t.Errorf("granted again: %v", err)
			}
		})
	}
}

// TestRefreshOutlivesCaller: a caller that gives up in the middle does not cost the sign-in.
func TestRefreshOutlivesCaller(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	tk := r.tokens()
	r.iss.Misbehave(oauthtest.Mischief{TokenDelay: 300 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := tk.Token(ctx, secret.String{}); err != nil {
		t.Errorf("%v", err)
	}
	if !r.iss.RefreshValid(r.store.v.Reveal()) || r.store.v.Equal(r.grant.Refresh) {
		t.Error("the rotated token was not kept")
	}
}

// TestA09HostsAtRefresh: a refresh that points to a foreign host gives no token out. The rotated
// refresh token stays: to drop it would make a passing fault of the server cost a sign-in.
func TestA09HostsAtRefresh(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	r.iss.Misbehave(oauthtest.Mischief{Change: map[string]any{"instance_url": "https://evil.example"}})
	if tok, err := r.tokens().Token(t.Context(), secret.String{}); !fault.Is(err, fault.SiteRefused) || !tok.Empty() {
		t.Errorf("%v", err)
	}
}

func TestTokenFor(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Microsoft)
	r.iss.Consented = []string{"https://graph.microsoft.com/Calendars.ReadBasic"}
	tk := r.tokens()
	mail, err := tk.Token(t.Context(), secret.String{})
	if err != nil {
		t.Fatal(err)
	}
	graph, err := tk.TokenFor(t.Context(), []string{"https://graph.microsoft.com/Calendars.ReadBasic"}, secret.String{})
	if err != nil || graph.Equal(mail) {
		t.Fatalf("second resource: %v", err)
	}
	again, err := tk.Token(t.Context(), secret.String{})
	if err != nil || !again.Equal(mail) || r.refreshes() != 2 {
		t.Errorf("%v, %d refreshes", err, r.refreshes())
	}
}

func TestRevokeOffline(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Google)
	good := r.p.RevokeURL
	r.p.RevokeURL = "http://127.0.0.1:1/revoke"
	if err := r.tokens().Revoke(t.Context()); !fault.Is(err, fault.Offline) || r.store.v.Empty() {
		t.Errorf("offline: %v", err)
	}
	r.p.RevokeURL = good
	if err := r.tokens().Revoke(t.Context()); err != nil || !r.store.v.Empty() || r.iss.RefreshValid(r.grant.Refresh.Reveal()) {
		t.Errorf("online: %v", err)
	}
}

// TestA49Canaries: tokens, code and verifier are in no log line and no error, whatever is printed.
func TestA49Canaries(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Salesforce)
	var log lockedBuffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g, err := SignIn(t.Context(), Request{Provider: p, Open: person(oauthtest.Browser{}), Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	store := &memStore{v: g.Refresh}
	tk := NewTokens(Config{Provider: p, Store: store, Lock: filepath.Join(t.TempDir(), "lock"), Log: logger})
	tok, err := tk.Token(t.Context(), secret.String{})
	if err != nil {
		t.Fatal(err)
	}
	canaries := []string{g.Access.Reveal(), g.Refresh.Reveal(), g.IDToken.Reveal(), tok.Reveal(), store.v.Reveal()}
	for _, m := range []oauthtest.Mischief{
		{TokenError: "invalid_grant", TokenDescription: g.Refresh.Reveal()},
		{TokenError: store.v.Reveal() + "!", TokenDescription: "x"},
		{RawReply: store.v.Reveal()}, {RawReply: `{"access_token":"` + tok.Reveal() + `","access_token":1}`},
		{Change: map[string]any{"instance_url": "https://" + tok.Reveal()}}, {LoseReply: true},
	} {
		fresh := NewTokens(Config{Provider: p, Store: store, Lock: filepath.Join(t.TempDir(), "lock"), Log: logger})
		iss.Misbehave(m)
		_, err := fresh.Token(t.Context(), secret.String{})
		if err == nil {
			t.Fatalf("%+v went well", m)
		}
		logger.Error("it failed", slog.Any("err", err), slog.Any("grant", g))
		fmt.Fprintf(&log, "%v %+v %#v %v %+v %#v", err, err, err, g, g, g)
	}
	all := log.String()
	for i, c := range canaries {
		if strings.Contains(all, c) {
			t.Errorf("canary %d was printed", i)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestOneRefreshManyCallers: in one process too, and nobody is given a token before it is durable.
func TestOneRefreshManyCallers(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	r.store.slow = 100 * time.Millisecond
	tk := r.tokens()
	var early atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := tk.Token(t.Context(), secret.String{}); err != nil {
				t.Error(err)
			}
			r.store.mu.Lock()
			defer r.store.mu.Unlock()
			if len(r.store.saved) == 0 {
				early.Add(1)
			}
		})
	}
	wg.Wait()
	if r.refreshes() != 1 || early.Load() != 0 {
		t.Errorf("%d refreshes, %d tokens before they were durable", r.refreshes(), early.Load())
	}
}

// TestMoved: a token address that answers with a redirect gets the refresh token itself, the place it
// points at never does; what Moved finds is asked once.
func TestMoved(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Salesforce)
	stranger := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stranger++ }))
	defer elsewhere.Close()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer old.Close()
	now := r.p
	r.p.TokenURL = old.URL + "/token"
	moves := 0
	cfg := Config{Provider: r.p, Store: r.store, Lock: r.lock, Log: quiet()}
	if _, err := NewTokens(cfg).Token(t.Context(), secret.String{}); !fault.Is(err, fault.NotTheServer) {
		t.Errorf("without Moved: %v", err)
	}
	cfg.Moved = func(context.Context) (Provider, error) { moves++; return r.p, nil }
	if _, err := NewTokens(cfg).Token(t.Context(), secret.String{}); !fault.Is(err, fault.NotTheServer) || moves != 1 {
		t.Errorf("moved nowhere: %v, asked %d times", err, moves)
	}
	cfg.Moved = func(context.Context) (Provider, error) { moves++; return now, nil }
	tokens := NewTokens(cfg)
	first, err := tokens.Token(t.Context(), secret.String{})
	if err != nil {
		t.Fatalf("after the move: %v", err)
	}
	r.now = r.now.Add(10 * time.Minute)
	if _, err := tokens.Token(t.Context(), first); err != nil || moves != 2 || stranger != 0 {
		t.Errorf("%v, asked %d times, %d requests elsewhere", err, moves, stranger)
	}
}

// TestForget: what was signed out here is handed over for a later revocation, and kept when nobody
// takes it.
func TestForget(t *testing.T) {
	t.Parallel()
	r := signedIn(t, Generic)
	tokens := r.tokens()
	full := errors.New("disk full")
	if err := tokens.Forget(t.Context(), func(Provider, secret.String) error { return full }); !errors.Is(err, full) || r.store.v.Empty() {
		t.Errorf("%v, forgotten all the same: %t", err, r.store.v.Empty())
	}
	var owed secret.String
	if err := tokens.Forget(t.Context(), func(_ Provider, refresh secret.String) error { owed = refresh; return nil }); err != nil || !r.store.v.Empty() {
		t.Errorf("%v", err)
	}
	if !owed.Equal(r.grant.Refresh) || !r.iss.RefreshValid(owed.Reveal()) {
		t.Error("not the token that is owed")
	}
	if err := Revoke(t.Context(), nil, r.p, owed); err != nil || r.iss.RefreshValid(owed.Reveal()) {
		t.Errorf("%v", err)
	}
	if err := Revoke(t.Context(), nil, r.p, owed); err != nil {
		t.Errorf("twice: %v", err)
	}
}
