package salesforcetest

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visitor is an application that signs its user in: a callback listener and the requests of the
// flow.
type visitor struct {
	t        *testing.T
	org      *Org
	site     string // base address of the sign-in
	callback string
	got      chan url.Values
}

const verifier = "a-verifier-of-more-than-forty-three-characters-0123456789"

func newVisitor(t *testing.T, o *Org, prefix string) *visitor {
	t.Helper()
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	v := &visitor{t: t, org: o, site: srv.URL + prefix, got: make(chan url.Values, 1)}
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.got <- r.URL.Query()
	}))
	t.Cleanup(back.Close)
	v.callback = back.URL + "/callback"
	o.AddApp(App{ClientID: "app", Callbacks: []string{v.callback, v.callback + "?x=1"}})
	return v
}

func (v *visitor) authorizeURL(changes ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {v.callback}, "state": {"s 1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return v.site + "/services/oauth2/authorize?" + q.Encode()
}

// signIn walks the pages and returns what the callback was told.
func (v *visitor) signIn(changes ...string) url.Values {
	v.t.Helper()
	if err := Approve(v.t.Context(), nil, v.authorizeURL(changes...), DefaultUsername, DefaultPassword); err != nil {
		v.t.Fatal(err)
	}
	return <-v.got
}

func (v *visitor) token(base string, pairs ...string) (int, map[string]any) {
	v.t.Helper()
	form := url.Values{"client_id": {"app"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	res, err := http.PostForm(base+"/services/oauth2/token", form)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, m
}

func (v *visitor) redeem(code string, changes ...string) (int, map[string]any) {
	return v.token(v.site, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", v.callback, "code_verifier", verifier}, changes...)...)
}

func (v *visitor) refresh(token any) (int, map[string]any) {
	s, _ := token.(string)
	return v.token(v.site, "grant_type", "refresh_token", "refresh_token", s)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	o := &Org{External: true}
	v := newVisitor(t, o, SitePath)
	back := v.signIn("scope", "api refresh_token openid", "nonce", "n1")
	if back.Get("state") != "s 1" || !strings.HasPrefix(back.Get("code"), "aPrx") || back.Get("sfdc_community_id") != o.NetworkID() {
		t.Fatalf("callback gets %v", back)
	}
	status, m := v.redeem(back.Get("code"))
	_, port, _ := strings.Cut(strings.TrimPrefix(v.site, "http://"), ":")
	port = strings.TrimSuffix(port, SitePath)
	want := map[string]any{"token_type": "Bearer", "token_format": "opaque", "scope": "openid refresh_token api",
		"sfdc_community_url": "http://localhost:" + port + SitePath, "sfdc_community_id": o.NetworkID(),
		"instance_url": "http://127.0.0.1:" + port, "id": "http://127.0.0.1:" + port + "/id/" + o.OrgID() + "/" + o.DefaultUser().ID}
	for k, w := range want {
		if m[k] != w {
			t.Errorf("%s is %v, want %v", k, m[k], w)
		}
	}
	if _, isText := m["issued_at"].(string); status != 200 || !isText || m["expires_in"] != nil || m["refresh_token"] == nil {
		t.Errorf("token answer %d: %v", status, m)
	}
	checkIDToken(t, v, m["id_token"].(string))
	c := client{t: t, base: v.site, token: m["access_token"].(string)}
	if s, body := c.do("GET", "/services/oauth2/userinfo", ""); s != 200 || !strings.Contains(body, `"user_type":"POWER_PARTNER"`) {
		t.Errorf("user info: %d %s", s, body)
	}
	c.base = ""
	if s, body := c.do("GET", m["id"].(string)+"?format=json", ""); s != 200 || !strings.Contains(body, `"asserted_user":true`) {
		t.Errorf("identity: %d %s", s, body)
	}
	if s, _ := c.do("GET", v.site+api+"/sobjects", ""); s != 200 {
		t.Errorf("REST through the site answers %d", s)
	}
}

func checkIDToken(t *testing.T, v *visitor, token string) {
	t.Helper()
	res, err := http.Get(v.site + "/id/keys")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var keys struct{ Keys []struct{ N, E, Kid string } }
	if err := json.NewDecoder(res.Body).Decode(&keys); err != nil || len(keys.Keys) != 1 {
		t.Fatalf("keys: %v %v", keys, err)
	}
	b64 := base64.RawURLEncoding
	n, _ := b64.DecodeString(keys.Keys[0].N)
	signed, sig, _ := cutLast(token, ".")
	raw, _ := b64.DecodeString(sig)
	sum := sha256.Sum256([]byte(signed))
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], raw); err != nil {
		t.Errorf("id token: %v", err)
	}
	_, body, _ := strings.Cut(signed, ".")
	claims, _ := b64.DecodeString(body)
	for _, want := range []string{`"nonce":"n1"`, `"aud":"app"`, `/partners"`} {
		if !strings.Contains(string(claims), want) {
			t.Errorf("claims %s lack %s", claims, want)
		}
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	return s[:i], s[i+len(sep):], i >= 0
}

func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		changes []string
		before  func(o *Org)
		page    string // text of an error page, or
		back    string // error at the callback
	}{
		{"unknown app", []string{"client_id", "nope"}, nil, "error=invalid_client_id", ""},
		{"other callback", []string{"redirect_uri", "http://localhost:1/callback"}, nil, "error=redirect_uri_mismatch", ""},
		{"no challenge", []string{"code_challenge", ""}, nil, "missing required code challenge", ""},
		{"plain challenge", []string{"code_challenge_method", "plain"}, nil, "", "invalid_request"},
		{"no method", []string{"code_challenge_method", ""}, nil, "", ""},
		{"token flow", []string{"response_type", "token"}, nil, "", "unsupported_response_type"},
		{"immediate", []string{"immediate", "true"}, nil, "", "immediate_unsuccessful"},
		{"scope", []string{"scope", "api chatter_api"}, nil, "", "invalid_scope"},
		{"blocked", nil, func(o *Org) { o.BlockApp("app") }, "", "OAUTH_APP_BLOCKED"},
		{"not installed", nil, func(o *Org) { o.UninstallApp("app") }, "", "OAUTH_EC_APP_NOT_FOUND"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, &Org{}, SitePath)
			if tc.before != nil {
				tc.before(v.org)
			}
			if tc.page == "" {
				back := v.signIn(tc.changes...)
				if back.Get("error") != tc.back || back.Get("state") != "s 1" || (tc.back == "") != (back.Get("code") != "") {
					t.Errorf("callback gets %v", back)
				}
				return
			}
			res, err := http.Get(v.authorizeURL(tc.changes...))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != 400 || !strings.Contains(string(b), tc.page) {
				t.Errorf("page: %d %v %s", res.StatusCode, err, b)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, &Org{External: true}, SitePath)
	v.org.AddUser(User{Username: "gone@x.example", Inactive: true})
	for _, who := range [][2]string{{DefaultUsername, "wrong"}, {"nobody@x.example", DefaultPassword}, {"gone@x.example", DefaultPassword}} {
		if err := Approve(t.Context(), nil, v.authorizeURL(), who[0], who[1]); !errors.Is(err, ErrLogin) {
			t.Errorf("%v signs in: %v", who, err)
		}
	}
	if err := Deny(t.Context(), nil, v.authorizeURL(), DefaultUsername, DefaultPassword); err != nil {
		t.Fatal(err)
	}
	if back := <-v.got; back.Get("error") != "access_denied" || back.Get("error_description") != "end-user denied authorization" {
		t.Errorf("denial tells %v", back)
	}
	// A site's user cannot log in anywhere else.
	v.site = strings.TrimSuffix(v.site, SitePath)
	if err := Approve(t.Context(), nil, v.authorizeURL(), DefaultUsername, DefaultPassword); !errors.Is(err, ErrLogin) {
		t.Errorf("the site's user logs in at the instance: %v", err)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	now := noon
	v := newVisitor(t, &Org{Now: func() time.Time { return now }}, SitePath)
	for _, tc := range []struct {
		name    string
		changes []string
		age     time.Duration
		base    string
		want    string
	}{
		{"wrong verifier", []string{"code_verifier", strings.Repeat("x", 50)}, 0, "", "invalid code verifier"},
		{"no verifier", []string{"code_verifier", ""}, 0, "", "invalid code verifier"},
		{"other callback", []string{"redirect_uri", "http://localhost/x"}, 0, "", "redirect_uri must match configuration"},
		{"other app", []string{"client_id", DefaultClientID}, 0, "", "invalid authorization code"},
		{"unknown app", []string{"client_id", "nope"}, 0, "", "client identifier invalid"},
		{"secret", []string{"client_secret", "x"}, 0, "", "invalid client credentials"},
		{"old", nil, 16 * time.Minute, "", "expired authorization code"},
		{"other host", nil, 0, "instance", "invalid authorization code"},
		{"grant", []string{"grant_type", "password"}, 0, "", "grant type not supported"},
	} {
		code := v.signIn().Get("code")
		now = now.Add(tc.age)
		base := v.site
		if tc.base != "" {
			base = strings.TrimSuffix(v.site, SitePath)
		}
		status, m := v.token(base, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", v.callback, "code_verifier", verifier}, tc.changes...)...)
		if status != 400 || m["error_description"] != tc.want {
			t.Errorf("%s: %d %v", tc.name, status, m)
		}
	}
	code := v.signIn().Get("code")
	if status, m := v.redeem(code); status != 200 {
		t.Fatalf("redeem: %v", m)
	}
	if _, m := v.redeem(code); m["error_description"] != "expired authorization code" {
		t.Errorf("a code used twice: %v", m)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	o := &Org{}
	v := newVisitor(t, o, "")
	_, first := v.redeem(v.signIn().Get("code"))
	_, second := v.refresh(first["refresh_token"])
	if second["refresh_token"] == nil || second["refresh_token"] == first["refresh_token"] {
		t.Fatalf("no rotation: %v", second)
	}
	if _, m := v.refresh(first["refresh_token"]); m["error"] != "invalid_grant" || m["error_description"] != "expired access/refresh token" {
		t.Errorf("replay: %v", m)
	}
	if _, m := v.refresh(second["refresh_token"]); m["error"] != "invalid_grant" {
		t.Errorf("the family survives a replay: %v", m)
	}
	c := client{t: t, base: v.site, token: second["access_token"].(string)}
	if s, body := c.do("GET", api, ""); s != 401 || body != `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]` {
		t.Errorf("access after a replay: %d %s", s, body)
	}

	kept := newVisitor(t, &Org{KeepRefresh: true}, "")
	_, first = kept.redeem(kept.signIn().Get("code"))
	if _, m := kept.refresh(first["refresh_token"]); m["access_token"] == nil || m["refresh_token"] != nil {
		t.Errorf("with rotation off: %v", m)
	}
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		before func(o *Org)
		status int
		want   string
	}{
		{"inactive", func(o *Org) { o.DeactivateUser(DefaultUsername) }, 400, "inactive user"},
		{"ip", func(o *Org) { o.IPRestricted(true) }, 400, "ip restricted"},
		{"org", func(o *Org) { o.LockOrg(true) }, 400, "inactive organization"},
		{"blocked", func(o *Org) { o.BlockApp("app") }, 400, "expired access/refresh token"},
		{"revoked", func(o *Org) { o.Revoke(DefaultUsername) }, 400, "expired access/refresh token"},
		{"failing", func(o *Org) { o.FailNextToken(1, 503, `{"error":"busy","error_description":"down"}`) }, 503, "down"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, &Org{}, "")
			_, m := v.redeem(v.signIn().Get("code"))
			tc.before(v.org)
			if status, m := v.refresh(m["refresh_token"]); status != tc.status || m["error_description"] != tc.want {
				t.Errorf("%d %v", status, m)
			}
		})
	}
}

func TestMovedAndLost(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, &Org{}, "")
	_, m := v.redeem(v.signIn().Get("code"))
	v.org.MoveInstance("http://127.0.0.1:1")
	_, m = v.refresh(m["refresh_token"])
	if m["instance_url"] != "http://127.0.0.1:1" {
		t.Errorf("instance is %v", m["instance_url"])
	}
	v.org.LoseTokenReply(1)
	_, err := http.PostForm(v.site+"/services/oauth2/token", url.Values{"client_id": {"app"}, "grant_type": {"refresh_token"}, "refresh_token": {m["refresh_token"].(string)}})
	if err == nil {
		t.Fatal("the answer was not lost")
	}
	if _, m := v.refresh(m["refresh_token"]); m["error"] != "invalid_grant" {
		t.Errorf("the chain survives a lost answer: %v", m)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	now := noon
	o := &Org{Now: func() time.Time { return now }, AccessTokenLife: time.Minute}
	w := newWorld(t, o)
	w.run(nil, []step{{"GET", "", "", 200, "", ""}})
	o.APIDisabled(true)
	w.run(nil, []step{{"GET", "", "", 403, `[{"message":"The REST API is not enabled for this Organization.","errorCode":"API_DISABLED_FOR_ORG"}]`, ""}})
	o.APIDisabled(false)
	o.NotValidForREST(true)
	w.run(nil, []step{{"GET", "", "", 401, `This session is not valid for use with the REST API`, ""}})
	o.NotValidForREST(false)
	now = now.Add(time.Minute)
	w.run(nil, []step{{"GET", "", "", 401, `INVALID_SESSION_ID`, ""}})
	w.token = "junk"
	w.run(nil, []step{
		{"GET", "", "", 401, `Session expired or invalid`, ""},
		{"GET", "/services/oauth2/userinfo", "", 403, `Bad_OAuth_Token`, ""},
		{"GET", "/services/data", "", 200, "", ""},
	})
	var refresh string
	w.token, refresh = o.MintToken(DefaultUsername)
	w.run(nil, []step{{"POST", "/services/oauth2/revoke?token=x", "token=" + url.QueryEscape(refresh), 200, "", ""}})
	w.run(nil, []step{
		{"GET", "", "", 401, "", ""},
		{"POST", "/services/oauth2/revoke", "token=x", 400, `"error":"invalid_token"`, ""},
		{"POST", "/services/oauth2/introspect", "token=x&client_id=" + DefaultClientID, 401, `invalid_client`, ""},
	})
}

func TestFiveGrants(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, &Org{}, "")
	var tokens []any
	for range 6 {
		_, m := v.redeem(v.signIn().Get("code"))
		tokens = append(tokens, m["refresh_token"])
	}
	if _, m := v.refresh(tokens[0]); m["error"] != "invalid_grant" {
		t.Errorf("the oldest of six grants lives: %v", m)
	}
	if _, m := v.refresh(tokens[1]); m["access_token"] == nil {
		t.Errorf("the second of six grants is dead: %v", m)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(&Org{SiteURL: "https://acme.my.site.test/partners"})
	t.Cleanup(srv.Close)
	c := client{t: t, base: srv.URL}
	for path, issuer := range map[string]string{SitePath: "https://acme.my.site.test/partners", TwinPath: "https://acme.my.site.test/partnersvforcesite"} {
		if s, body := c.do("GET", path+"/.well-known/openid-configuration", ""); s != 200 || !strings.Contains(body, `"token_endpoint":"`+issuer+`/services/oauth2/token"`) {
			t.Errorf("%s: %d %s", path, s, body)
		}
	}
	old := httptest.NewServer(Moved(srv.URL))
	t.Cleanup(old.Close)
	if s, _ := (client{t: t, base: old.URL}).do("GET", SitePath+"/.well-known/openid-configuration", ""); s != 200 {
		t.Errorf("through the old host: %d", s)
	}
	res, err := http.PostForm(old.URL+"/services/oauth2/token", url.Values{"grant_type": {"refresh_token"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); !strings.Contains(string(b), "must use HTTP POST") {
		t.Errorf("a POST through the old host: %s", b)
	}
}

func TestApproveStops(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, &Org{}, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Approve(ctx, nil, v.authorizeURL(), DefaultUsername, DefaultPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if err := Approve(t.Context(), http.DefaultClient, v.authorizeURL("client_id", "nope"), DefaultUsername, DefaultPassword); err == nil || !strings.Contains(err.Error(), "invalid_client_id") {
		t.Errorf("on an error page: %v", err)
	}
}
