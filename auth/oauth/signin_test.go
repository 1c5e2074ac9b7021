package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/oauth/oauthtest"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

func start(t *testing.T, iss *oauthtest.Issuer) string {
	t.Helper()
	srv := httptest.NewServer(iss)
	t.Cleanup(srv.Close)
	iss.URL = srv.URL + iss.URL
	return iss.URL
}

// freePort returns a port that was free on both loopback addresses a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		ls, port := bindAny(t.Context(), "localhost")
		if ls == nil {
			continue
		}
		for _, l := range ls {
			_ = l.Close()
		}
		return port
	}
	t.Fatal("no free port")
	return ""
}

func callbacks(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		out = append(out, "http://localhost:"+freePort(t)+"/callback")
	}
	return out
}

// provider returns a pretend issuer of a kind and Hawser's view of it, made by discovery.
func provider(t *testing.T, kind Kind) (*oauthtest.Issuer, Provider) {
	t.Helper()
	iss := &oauthtest.Issuer{}
	p := Provider{Kind: kind, ClientID: "hawser", Scopes: []string{"openid", "email", "mail", "offline_access"}, Need: []string{"mail"}}
	switch kind {
	case Salesforce:
		iss.Flavour, iss.URL = oauthtest.Salesforce, "/partners"
		p = NewSalesforce("", "hawser", callbacks(t, 3))
		iss.Clients = []oauthtest.Client{{ID: "hawser", Redirects: p.Callbacks}}
	case Google:
		iss.Flavour = oauthtest.Google
		p.ClientSecret, p.Scopes = secret.New("not-a-secret"), []string{"openid", "email", "mail"}
		iss.Clients = []oauthtest.Client{{ID: "hawser", Secret: "not-a-secret"}}
	case Microsoft:
		iss.Flavour = oauthtest.Microsoft
	default:
		iss.Clients = []oauthtest.Client{{ID: "hawser"}}
	}
	p.Issuer = start(t, iss)
	if kind == Salesforce {
		iss.CommunityURL = iss.URL
	}
	p, err := Discover(t.Context(), nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return iss, p
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// person answers the login pages of the pretend issuers.
func person(b oauthtest.Browser) func(context.Context, string) error {
	return func(ctx context.Context, address string) error {
		if b.User == "" {
			b.User, b.Password = "alice@example.org", "password"
		}
		_, _, err := b.Visit(ctx, address)
		return err
	}
}

func signIn(t *testing.T, p Provider, b oauthtest.Browser) (Grant, error) {
	t.Helper()
	return SignIn(t.Context(), Request{Provider: p, Open: person(b), Log: quiet(), Timeout: 10 * time.Second})
}

var kinds = map[string]Kind{"generic": Generic, "salesforce": Salesforce, "google": Google, "microsoft": Microsoft}

func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss, p := provider(t, kind)
			var steps []string
			g, err := SignIn(t.Context(), Request{Provider: p, Open: person(oauthtest.Browser{}), Log: quiet(),
				Progress: func(step, _ string) { steps = append(steps, step) }})
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"browser", "waiting", "exchanging", "checking", "done"}; !slices.Equal(steps, want) {
				t.Errorf("steps %v, want %v", steps, want)
			}
			if email, ok := iss.Active(g.Access.Reveal()); !ok || email != "alice@example.org" {
				t.Errorf("access token of %q, %v", email, ok)
			}
			if !iss.RefreshValid(g.Refresh.Reveal()) {
				t.Error("refresh token is not valid")
			}
			id := g.Identity
			if id.Email != "alice@example.org" || !id.EmailVerified || id.Issuer == "" || id.Subject == "" {
				t.Errorf("identity %+v", id)
			}
			if kind == Microsoft && strings.Count(id.Subject, "/") != 1 {
				t.Errorf("subject %q is not tenant/object", id.Subject)
			}
			if kind == Salesforce {
				if len(id.OrgID) != 18 || len(id.UserID) != 18 || g.APIBase != p.Issuer || g.Fallback == "" || g.NetworkID == "" || !g.Expiry.IsZero() {
					t.Errorf("grant %+v", g)
				}
			} else if d := time.Until(g.Expiry); d < 59*time.Minute || d > time.Hour {
				t.Errorf("expires in %v", d)
			}
		})
	}
}

// TestA01ForeignState: a callback without the right state brings no token request, and the
// listener goes on waiting.
func TestA01ForeignState(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Generic)
	g, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Open: func(ctx context.Context, address string) error {
		back := redirectOf(address)
		for _, q := range []string{"?code=x", "?code=x&state=", "?code=x&state=other", "?code=x&state=" + stateOf(address) + "&state=y", "?%zz"} {
			status, body := fetch(t, http.MethodGet, back+q, nil)
			if status != http.StatusBadRequest || !strings.Contains(body, "out of date") {
				t.Errorf("%s: %d %s", q, status, body)
			}
		}
		if n := iss.Count("token:authorization_code"); n != 0 {
			t.Errorf("%d token requests", n)
		}
		return person(oauthtest.Browser{})(ctx, address)
	}})
	if err != nil || g.Access.Empty() {
		t.Fatal(err)
	}
}

// TestA02Replay: of fifty equal callbacks one makes a token request.
func TestA02Replay(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Generic)
	var mu sync.Mutex
	count := map[int]int{}
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Open: func(ctx context.Context, address string) error {
		back := codeOf(t, ctx, address)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				status, _ := fetch(t, http.MethodGet, back, nil)
				mu.Lock()
				defer mu.Unlock()
				count[status]++
			})
		}
		wg.Wait()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if count[http.StatusSeeOther]+count[http.StatusOK] != 1 || count[http.StatusBadRequest] < 1 {
		t.Errorf("statuses %v", count)
	}
	if n := iss.Count("token:authorization_code"); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

// TestA03Issuer: an iss that is wrong, missing or doubled ends the attempt without a token request.
func TestA03Issuer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]string{
		"other":   {"iss": "https://evil.example"},
		"missing": {"iss": ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss := &oauthtest.Issuer{PromiseIss: true}
			p, err := Discover(t.Context(), nil, Provider{Issuer: start(t, iss), ClientID: "hawser"})
			if err != nil || !p.PromisesIss {
				t.Fatal(err, p.PromisesIss)
			}
			iss.Misbehave(oauthtest.Mischief{Callback: change})
			_, err = signIn(t, p, oauthtest.Browser{})
			if !fault.Is(err, fault.SignInRefused) || iss.Count("token:authorization_code") != 0 {
				t.Errorf("%v, %d token requests", err, iss.Count("token:authorization_code"))
			}
		})
	}
	a := attempt{Request: Request{Provider: Provider{Issuer: "https://a.example", PromisesIss: true}}}
	if _, err := a.readCallback(url.Values{"code": {"x"}, "iss": {"https://a.example", "https://a.example"}}); err == nil {
		t.Error("two iss were accepted")
	}
	if _, err := a.readCallback(url.Values{"code": {"x"}, "iss": {"https://a.example"}}); err != nil {
		t.Error(err)
	}
	for tenant, own := range map[string]map[string]bool{
		"organizations": {"organizations/v2.0": true, "7c1b3f0e-3f0b-4f0c-9a57-0d5b6c2a9e11/v2.0": true, "7c1b3f0e-3f0b-4f0c-9a57-0d5b6c2a9e11/v1.0": false, "": false},
		"contoso":       {"contoso/v2.0": true, "7c1b3f0e-3f0b-4f0c-9a57-0d5b6c2a9e11/v2.0": false},
	} {
		m := attempt{Request: Request{Provider: NewMicrosoft("x", tenant)}}
		for path, want := range own {
			if got := m.ownIssuer("https://login.microsoftonline.com/" + path); got != want {
				t.Errorf("%s from Microsoft's %s: %t", path, tenant, got)
			}
		}
		if m.ownIssuer("https://evil.example/organizations/v2.0") {
			t.Error("another host is Microsoft")
		}
	}
}

// TestA04MixUp: the code of one issuer, delivered to the callback of the other, goes nowhere.
func TestA04MixUp(t *testing.T) {
	t.Parallel()
	mail, mp := provider(t, Generic)
	sf, sp := provider(t, Salesforce)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sfOpen := make(chan string, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := SignIn(ctx, Request{Provider: sp, Log: quiet(), Open: func(_ context.Context, address string) error { sfOpen <- address; return nil }})
		if !fault.Is(err, fault.SignInCancelled) {
			t.Error(err)
		}
	})
	salesforceCallback := redirectOf(<-sfOpen)
	_, _ = SignIn(t.Context(), Request{Provider: mp, Log: quiet(), Timeout: time.Second, Open: func(ctx context.Context, address string) error {
		_, query, _ := strings.Cut(codeOf(t, ctx, address), "?")
		if status, _ := fetch(t, http.MethodGet, salesforceCallback+"?"+query, nil); status != http.StatusBadRequest {
			t.Errorf("mix-up answered with %d", status)
		}
		return nil
	}})
	cancel()
	wg.Wait()
	if n := mail.Count("token:authorization_code") + sf.Count("token:authorization_code"); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

// TestA05Verifiers: a thousand attempts have a thousand verifiers of 256 bits and challenges by S256,
// also for an issuer that knows no PKCE.
func TestA05Verifiers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	p := Provider{AuthorizeURL: "https://a.example/authorize", TokenURL: "https://a.example/token", ClientID: "x"}
	for range 1000 {
		a := newAttempt(Request{Provider: p})
		v := a.verifier.Reveal()
		raw, err := base64.RawURLEncoding.Strict().DecodeString(v)
		if err != nil || len(v) < 43 || len(raw) < 32 {
			t.Fatalf("verifier of %d characters: %v", len(v), err)
		}
		address, err := a.authorizeURL()
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q, sum := u.Query(), sha256.Sum256([]byte(v))
		if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || len(q.Get("state")) < 43 {
			t.Fatalf("address %s", address)
		}
		if strings.Contains(address, v) {
			t.Fatal("the address holds the verifier")
		}
		seen[v], seen[q.Get("state")] = true, true
	}
	if len(seen) != 2000 {
		t.Errorf("%d different secrets, want 2000", len(seen))
	}
	iss := &oauthtest.Issuer{NoPKCE: true}
	lax, err := Discover(t.Context(), nil, Provider{Issuer: start(t, iss), ClientID: "hawser", Scopes: []string{"offline_access"}})
	if err != nil {
		t.Fatal(err)
	}
	var asked url.Values
	_, err = SignIn(t.Context(), Request{Provider: lax, Log: quiet(), Open: person(oauthtest.Browser{}), Progress: func(step, address string) {
		if u, err := url.Parse(address); err == nil && step == "browser" {
			asked = u.Query()
		}
	}})
	if err != nil || asked.Get("code_challenge_method") != "S256" || len(asked.Get("code_challenge")) != 43 {
		t.Errorf("an issuer without PKCE: %v, asked %v", err, asked)
	}
}

// TestA06PortTaken: a port that somebody holds on either address is passed over, and the browser
// opens only when both are ours.
func TestA06PortTaken(t *testing.T) {
	t.Parallel()
	_, p := provider(t, Salesforce)
	for i, address := range []string{"127.0.0.1", "[::1]"} {
		u, _ := url.Parse(p.Callbacks[i])
		l, err := net.Listen("tcp", address+":"+u.Port())
		if err != nil {
			t.Skip("this computer has no " + address)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	var used string
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Open: person(oauthtest.Browser{}),
		Progress: func(step, address string) {
			if step == "browser" {
				used = redirectOf(address)
			}
		}})
	if err != nil || used != p.Callbacks[2] {
		t.Errorf("used %s: %v", used, err)
	}
	p.Callbacks = p.Callbacks[:2]
	if _, err := signIn(t, p, oauthtest.Browser{}); !fault.Is(err, fault.PortsBusy) {
		t.Errorf("all ports busy: %v", err)
	}
}

// TestA06GrabbedLater: while a sign-in waits nobody else gets its port on any address, and a code
// that was stolen all the same is worth nothing without the verifier.
func TestA06GrabbedLater(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Salesforce)
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Open: func(ctx context.Context, address string) error {
		u, err := url.Parse(redirectOf(address))
		if err != nil {
			return err
		}
		for _, at := range []string{"127.0.0.1", "::1", "0.0.0.0", "::", ""} {
			if l, err := net.Listen("tcp", net.JoinHostPort(at, u.Port())); err == nil {
				_ = l.Close()
				t.Errorf("somebody else listens at %q", at)
			}
		}
		stolen, err := url.Parse(codeOf(t, ctx, address))
		if err != nil {
			return err
		}
		for _, verifier := range []string{"", "a-verifier-of-the-thief-with-forty-three-characters"} {
			ans, err := post(ctx, harden(nil), "test", p.TokenURL, url.Values{"grant_type": {"authorization_code"}, "code": {stolen.Query().Get("code")},
				"client_id": {p.ClientID}, "redirect_uri": {redirectOf(address)}, "code_verifier": {verifier}})
			if _, bad := readReply(atCode, "test", ans); err != nil || bad == nil {
				t.Errorf("the thief got in with verifier %q: %v", verifier, err)
			}
		}
		return person(oauthtest.Browser{})(ctx, address)
	}})
	if err != nil || len(iss.Tokens()) != 2 {
		t.Errorf("%v, %d tokens", err, len(iss.Tokens()))
	}
}

// TestA07Strangers: everything but the browser's own visit is answered 4xx.
func TestA07Strangers(t *testing.T) {
	_, p := provider(t, Salesforce)
	var port string
	var slow []net.Conn
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Open: func(ctx context.Context, address string) error {
		back := redirectOf(address)
		good := back + "?code=x&state=" + stateOf(address)
		for name, c := range map[string]struct {
			method, url string
			header      map[string]string
			status      int
		}{
			"host":     {"GET", good, map[string]string{"Host": "evil.example"}, 400},
			"origin":   {"GET", good, map[string]string{"Origin": "https://evil.example"}, 403},
			"post":     {"POST", good, nil, 405},
			"path":     {"GET", strings.Replace(good, "/callback", "/other", 1), nil, 404},
			"favicon":  {"GET", strings.Replace(back, "/callback", "/favicon.ico", 1), nil, 404},
			"result":   {"GET", strings.Replace(back, "/callback", resultPath, 1), nil, 404},
			"long":     {"GET", good + strings.Repeat("x", 64<<10), nil, 431},
			"options":  {"OPTIONS", good, nil, 405},
			"prefligh": {"OPTIONS", back, map[string]string{"Access-Control-Request-Private-Network": "true"}, 204},
		} {
			if status, _ := fetch(t, c.method, c.url, c.header); status != c.status {
				t.Errorf("%s: status %d, want %d", name, status, c.status)
			}
		}
		u, _ := url.Parse(back)
		port = u.Port()
		before := heap()
		for range 1000 { // slow strangers do not keep the browser out
			conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
			if err == nil {
				slow = append(slow, conn)
				_, _ = conn.Write([]byte("GET /callback HTTP/1.1\r\nHost: "))
			}
		}
		if grown := heap() - before; grown > 32<<20 {
			t.Errorf("1,000 slow connections cost %d bytes", grown)
		}
		return person(oauthtest.Browser{})(ctx, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(slow) < 900 {
		t.Errorf("only %d slow connections", len(slow))
	}
	gone(t, port, slow)
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// gone checks that nobody listens at a port any more and that its connections are closed.
func gone(t *testing.T, port string, conns []net.Conn) {
	t.Helper()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		if c, err := net.Dial("tcp", net.JoinHostPort(ip, port)); err == nil {
			_ = c.Close()
			t.Errorf("something listens at %s still", ip)
		}
	}
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection is open still")
		}
		_ = c.Close()
	}
}

// TestA07Ends: a listener whose time is up is gone with all its connections, and that time is never
// longer than five minutes.
func TestA07Ends(t *testing.T) {
	t.Parallel()
	_, p := provider(t, Salesforce)
	long := Request{Provider: p, Log: quiet(), Open: func(context.Context, string) error { return nil }, Timeout: time.Hour}
	if err := long.check(); err != nil || long.Timeout != 5*time.Minute {
		t.Errorf("may wait for %v, %v", long.Timeout, err)
	}
	var port string
	var slow []net.Conn
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Timeout: 300 * time.Millisecond, Open: func(_ context.Context, address string) error {
		u, err := url.Parse(redirectOf(address))
		if err != nil {
			return err
		}
		port = u.Port()
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		slow = append(slow, conn)
		return err
	}})
	if !fault.Is(err, fault.SignInTimeout) {
		t.Error(err)
	}
	gone(t, port, slow)
}

// TestA08Reflected: foreign text of a refusal is on no page, in no error and in no log.
func TestA08Reflected(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"script": "<script>canary</script>", "crlf": "a\r\nSet-Cookie: canary=1", "long": strings.Repeat("canary", 1000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss, p := provider(t, Generic)
			iss.Misbehave(oauthtest.Mischief{ConsentError: text, ConsentDescription: text})
			var page string
			var log lockedBuffer
			_, err := SignIn(t.Context(), Request{Provider: p, Log: slog.New(slog.NewTextHandler(&log, nil)), Open: func(ctx context.Context, address string) error {
				if status, _ := fetch(t, http.MethodGet, redirectOf(address)+"?state="+stateOf(address)+"&error=x&error_description="+strings.Repeat("canary", 1<<20/6), nil); status != 431 {
					t.Errorf("a megabyte is answered with %d", status)
				}
				b := oauthtest.Browser{User: "alice@example.org", Password: "password"}
				var err error
				_, page, err = b.Visit(context.WithoutCancel(ctx), address)
				return err
			}})
			if !fault.Is(err, fault.SignInRefused) {
				t.Errorf("%.100v", err)
			}
			if said := fmt.Sprintf("%v %+v %#v", err, err, fault.Of(err)); strings.Contains(said+page+log.String(), "canary") {
				t.Errorf("repeated: %.100s %.300s %.300s", said, page, log.String())
			}
			if !strings.Contains(page, "not signed in") {
				t.Errorf("%.300s", page)
			}
		})
	}
	w := httptest.NewRecorder()
	render(w, http.StatusOK, "<b>", "<script>")
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %s", csp)
	}
	for _, bad := range []string{"<b>", "<script", "<form", "<input", "http"} {
		if strings.Contains(w.Body.String(), bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
}

// TestA09ForeignHost: a token answer that points elsewhere is dropped and its tokens are revoked.
func TestA09ForeignHost(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]any{
		"instance":  {"instance_url": "https://evil.example"},
		"http":      {"instance_url": "http://acme.my.salesforce.com"},
		"ip":        {"instance_url": "https://10.0.0.1"},
		"none":      {"instance_url": nil},
		"community": {"sfdc_community_url": "https://my.site.com.evil.example/partners"},
		"identity":  {"id": "https://evil.example/id/00D3D00000017VmUAI/0053D00000017VmUAI"},
		"userinfo":  {"id": "https://login.salesforce.com@evil.example/id/00D3D00000017VmUAI/0053D00000017VmUAI"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss, p := provider(t, Salesforce)
			iss.Misbehave(oauthtest.Mischief{Change: change})
			_, err := signIn(t, p, oauthtest.Browser{})
			if !fault.Is(err, fault.SiteRefused) || iss.Count("revoke") != 1 || iss.Count("userinfo") != 0 {
				t.Errorf("%v, %d revocations, token sent %d times", err, iss.Count("revoke"), iss.Count("userinfo"))
			}
		})
	}
}

// oddReplies are answers with status 200 that are no token answers.
var oddReplies = map[string]string{
	"html":      "<html>welcome to the hotel</html>",
	"endless":   `{"access_token":"` + strings.Repeat("x", 50<<20) + `"}`,
	"mac":       `{"access_token":"x","token_type":"mac"}`,
	"no token":  `{"token_type":"bearer"}`,
	"crlf":      `{"access_token":"x\r\nHost: y","token_type":"bearer"}`,
	"twice":     `{"access_token":"x","access_token":"y","token_type":"bearer"}`,
	"half":      `{"access_token":"x"`,
	"array":     `[]`,
	"trailing":  `{"access_token":"x","token_type":"bearer"} {}`,
	"error 200": `{"error":"invalid_grant"}`,
}

// TestA10OddReplies: an answer that is not exactly a token answer is refused.
func TestA10OddReplies(t *testing.T) {
	t.Parallel()
	special := map[string]fault.Code{"mac": fault.SignInRefused, "no token": fault.SignInRefused, "crlf": fault.SignInRefused, "error 200": fault.CodeExpired}
	for name, raw := range oddReplies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss, p := provider(t, Generic)
			iss.Misbehave(oauthtest.Mischief{RawReply: raw})
			want := special[name]
			if want == "" {
				want = fault.NotTheServer
			}
			if _, err := signIn(t, p, oauthtest.Browser{}); !fault.Is(err, want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// TestA11WrongAccount: a grant that the caller does not want is revoked.
func TestA11WrongAccount(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Salesforce)
	var g Grant
	_, err := SignIn(t.Context(), Request{Provider: p, Open: person(oauthtest.Browser{}), Log: quiet(),
		Check: func(_ context.Context, got Grant) error {
			g = got
			return fault.New(fault.WrongAccount, "compare accounts", nil)
		}})
	if !fault.Is(err, fault.WrongAccount) {
		t.Fatal(err)
	}
	if _, ok := iss.Active(g.Access.Reveal()); ok || iss.RefreshValid(g.Refresh.Reveal()) {
		t.Error("the tokens of the wrong account are still valid")
	}
}

// TestA12Scopes: less than needed is refused with the names of what is missing; less than asked
// but enough is taken; of more than asked no use is made.
func TestA12Scopes(t *testing.T) {
	t.Parallel()
	iss, p := provider(t, Google)
	_, err := signIn(t, p, oauthtest.Browser{Untick: []string{"mail"}})
	if !fault.Is(err, fault.ScopeMissing) || fault.Of(err).Detail != "mail" || iss.Count("revoke") != 1 {
		t.Errorf("%v", err)
	}
	if g, err := signIn(t, p, oauthtest.Browser{Untick: []string{"email"}}); err != nil || slices.Contains(g.Scopes, "email") {
		t.Errorf("%v %v", g.Scopes, err)
	}
	siss, sp := provider(t, Salesforce)
	if _, err := signIn(t, sp, oauthtest.Browser{Untick: []string{"refresh_token"}}); !fault.Is(err, fault.ScopeMissing) {
		t.Errorf("%v", err)
	}
	siss.Misbehave(oauthtest.Mischief{Change: map[string]any{"scope": "full api refresh_token id openid"}})
	var log lockedBuffer
	g, err := SignIn(t.Context(), Request{Provider: sp, Open: person(oauthtest.Browser{}), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil || slices.Contains(g.Scopes, "full") || !slices.Contains(g.Scopes, "api") || !strings.Contains(log.String(), "more was granted") {
		t.Errorf("more than asked for: %v, %v, %s", g.Scopes, err, log.String())
	}
	m := NewMicrosoft("x", "common")
	for granted, want := range map[string]int{"https://outlook.office365.com/IMAP.AccessAsUser.All": 0, "https://outlook.office.com/imap.accessasuser.all openid": 0,
		"IMAP.AccessAsUser.All": 0, "https://outlook.office.com/POP.AccessAsUser.All": 1, "openid": 1} {
		if got := m.missing(strings.Fields(granted)); len(got) != want {
			t.Errorf("Microsoft granted %s: missing %v", granted, got)
		}
	}
}

// TestA14Addresses: only a web page is opened, never a program or a file.
func TestA14Addresses(t *testing.T) {
	t.Parallel()
	open := OpenBrowser(nil)
	for _, address := range []string{`https://x" & calc@y`, "-foo", "--help", "file:///etc/passwd", "javascript:alert(1)", "smb://x/y",
		"http://example.org/", "https://", "https:x", "ms-settings:", `\\x\y`, "https://u:p@example.org/", "https://a b/"} {
		if err := open(t.Context(), address); !fault.Is(err, fault.SiteRefused) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSignInRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind     Kind
		browser  oauthtest.Browser
		mischief oauthtest.Mischief
		code     fault.Code
	}{
		"denied":             {Salesforce, oauthtest.Browser{Deny: true}, oauthtest.Mischief{}, fault.ConsentRefused},
		"denied microsoft":   {Microsoft, oauthtest.Browser{Deny: true}, oauthtest.Mischief{}, fault.ConsentRefused},
		"consent wall":       {Microsoft, oauthtest.Browser{}, oauthtest.Mischief{ConsentError: "access_denied", ConsentDescription: "AADSTS90094: an administrator"}, fault.ConsentByAdmin},
		"google wall":        {Google, oauthtest.Browser{}, oauthtest.Mischief{ConsentError: "admin_policy_enforced"}, fault.ConsentByAdmin},
		"app blocked":        {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{ConsentError: "OAUTH_APP_BLOCKED", ConsentDescription: "this app is blocked by admin"}, fault.AppBlocked},
		"expired code":       {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{ExpireCodes: true}, fault.CodeExpired},
		"inactive user":      {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{TokenError: "invalid_grant", TokenDescription: "inactive user"}, fault.UserInactive},
		"maintenance":        {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{TokenStatus: 503}, fault.ServerError},
		"moved":              {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{TokenStatus: 302}, fault.NotTheServer},
		"lost reply":         {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{LoseReply: true}, fault.Offline},
		"wrong nonce":        {Google, oauthtest.Browser{}, oauthtest.Mischief{BadNonce: true}, fault.SignInRefused},
		"forged id_token":    {Google, oauthtest.Browser{}, oauthtest.Mischief{Change: map[string]any{"id_token": "e30.e30.e30"}}, fault.SignInRefused},
		"no id_token":        {Microsoft, oauthtest.Browser{}, oauthtest.Mischief{Change: map[string]any{"id_token": nil}}, fault.SignInRefused},
		"swapped access":     {Google, oauthtest.Browser{}, oauthtest.Mischief{Change: map[string]any{"access_token": "other"}}, fault.SignInRefused},
		"nobody comes":       {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{ConsentError: "OAUTH_EC_APP_NOT_FOUND", ErrorPage: true}, fault.SignInTimeout},
		"other user in info": {Salesforce, oauthtest.Browser{}, oauthtest.Mischief{Change: map[string]any{"id_token": nil, "id": "SELF/id/00D3D00000017VmUAI/0053D00000017VmUAI"}}, fault.SignInRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			iss, p := provider(t, c.kind)
			if id, ok := c.mischief.Change["id"].(string); ok {
				c.mischief.Change["id"] = strings.Replace(id, "SELF", p.Issuer, 1)
			}
			iss.Misbehave(c.mischief)
			timeout := 10 * time.Second
			if c.code == fault.SignInTimeout {
				timeout = time.Second
			}
			_, err := SignIn(t.Context(), Request{Provider: p, Open: person(c.browser), Log: quiet(), Timeout: timeout})
			if !fault.Is(err, c.code) {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}

// TestUserInfoRefused: a site whose users may not ask for userinfo still signs in, by the ids.
func TestUserInfoRefused(t *testing.T) {
	t.Parallel()
	_, p := provider(t, Salesforce)
	p.UserInfoURL = p.Issuer + "/nowhere"
	g, err := signIn(t, p, oauthtest.Browser{})
	if err != nil || g.Identity.UserID == "" {
		t.Errorf("%+v %v", g.Identity, err)
	}
}

func TestBrowserMissing(t *testing.T) {
	t.Parallel()
	_, p := provider(t, Generic)
	g, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(),
		Open: func(context.Context, string) error { return errors.New("no browser") },
		Progress: func(step, address string) {
			if step == "browser" { // a person copies the address into a browser elsewhere
				go func() { _ = person(oauthtest.Browser{})(context.Background(), address) }()
			}
		}})
	if err != nil || g.Access.Empty() {
		t.Fatal(err)
	}
}

func redirectOf(address string) string {
	u, _ := url.Parse(address)
	return u.Query().Get("redirect_uri")
}

func stateOf(address string) string {
	u, _ := url.Parse(address)
	return u.Query().Get("state")
}

// codeOf signs in like a person but stops before the callback, whose address it returns.
func codeOf(t *testing.T, ctx context.Context, address string) string {
	t.Helper()
	var back string
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		back = r.URL.String()
		return http.ErrUseLastResponse
	}}
	defer client.CloseIdleConnections()
	b := oauthtest.Browser{Client: client, User: "alice@example.org", Password: "password"}
	if _, _, err := b.Visit(ctx, address); err != nil || back == "" {
		t.Errorf("no callback: %v", err)
	}
	return back
}

func fetch(t *testing.T, method, address string, header map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	for k, v := range header {
		req.Header.Set(k, v)
		if k == "Host" {
			req.Host = v
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}
