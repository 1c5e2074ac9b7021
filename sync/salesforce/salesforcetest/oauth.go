package salesforcetest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const codeLife = 15 * time.Minute

// authState is who may sign in and who has.
type authState struct {
	users    map[string]*User // by 15-character id
	apps     map[string]*App
	pending  map[string]*pending // by the key of the sign-in pages
	browsers map[string]string   // browser session cookie → user id
	codes    map[string]*code
	refresh  map[string]*family // every refresh token there was, dead ones too
	access   map[string]*session
	seq      int
	key      *rsa.PrivateKey // signs id tokens; made when first needed
}

// pending is an authorization request whose user has not decided yet.
type pending struct {
	client, redirect, state, challenge, nonce, site, host string
	scopes                                                []string
	hint                                                  string
}

type code struct {
	pending
	user string
	made time.Time
	used bool
}

// family is one grant: the refresh token that is current and what came from it.
type family struct {
	n              int
	user, client   string
	scopes         []string
	current, nonce string
	dead           bool
}

type session struct {
	family  *family
	expires time.Time
}

func (a *authState) open() {
	a.users, a.apps, a.pending, a.browsers = map[string]*User{}, map[string]*App{}, map[string]*pending{}, map[string]string{}
	a.codes, a.refresh, a.access = map[string]*code{}, map[string]*family{}, map[string]*session{}
}

func (a *authState) byName(username string) *User {
	for _, u := range a.users {
		if strings.EqualFold(u.Username, username) {
			return u
		}
	}
	return nil
}

// user finds a user by id or username.
func (a *authState) user(who string) *User {
	if u := a.users[key15(who)]; u != nil {
		return u
	}
	return a.byName(who)
}

// revoke ends every family that matches.
func (a *authState) revoke(match func(*family) bool) {
	for _, f := range a.refresh {
		if match(f) {
			f.dead = true
		}
	}
	for t, s := range a.access {
		if match(s.family) {
			s.family.dead = true
			delete(a.access, t)
		}
	}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// approve begins a family; a sixth one of the same user and app ends the oldest.
func (a *authState) approve(user, client string, scopes []string, nonce string) *family {
	var old []*family
	for _, g := range a.refresh {
		if g.user == user && g.client == client && !g.dead && !slices.Contains(old, g) {
			old = append(old, g)
		}
	}
	if len(old) >= 5 {
		first := slices.MinFunc(old, func(x, y *family) int { return x.n - y.n })
		a.revoke(func(g *family) bool { return g == first })
	}
	return a.grant(user, client, scopes, nonce)
}

func (a *authState) grant(user, client string, scopes []string, nonce string) *family {
	a.seq++
	f := &family{n: a.seq, user: user, client: client, scopes: scopes, nonce: nonce}
	if slices.Contains(scopes, "refresh_token") || slices.Contains(scopes, "offline_access") {
		a.rotate(f)
	}
	return f
}

func (a *authState) rotate(f *family) {
	f.current = "5Aep861" + random(48)
	a.refresh[f.current] = f
}

func (o *Org) accessLocked(f *family) string {
	life := o.AccessTokenLife
	if life == 0 {
		life = 2 * time.Hour
	}
	t := key15(o.firstIDLocked("Organization")) + "!AQ" + random(60)
	o.auth.access[t] = &session{family: f, expires: o.now().Add(life)}
	return t
}

// MintToken signs a user, given by id or username, in to the default app without a browser and
// without ending earlier grants.
// Both tokens are empty when there is no such user.
func (o *Org) MintToken(user string) (access, refresh string) {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	u := o.auth.user(user)
	if u == nil {
		return "", ""
	}
	f := o.auth.grant(u.ID, DefaultClientID, o.auth.apps[DefaultClientID].Scopes, "")
	return o.accessLocked(f), f.current
}

// Tokens returns every access and refresh token that is or was good, for tests that search for
// them where they must not be.
func (o *Org) Tokens() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(slices.Collect(maps.Keys(o.auth.access)), slices.Collect(maps.Keys(o.auth.refresh))...)
}

// sessionLocked returns the session of an access token if it is good.
func (o *Org) sessionLocked(token string) (*session, *User) {
	s := o.auth.access[token]
	if s == nil || s.family.dead || !o.now().Before(s.expires) {
		return nil, nil
	}
	u := o.auth.users[key15(s.family.user)]
	if u == nil || u.Inactive {
		return nil, nil
	}
	return s, u
}

func bearer(r *http.Request) string {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(kind, "Bearer") || strings.EqualFold(kind, "OAuth") {
		return strings.TrimSpace(token)
	}
	return ""
}

// bearerLocked checks a REST call's token; the reply is set when it is refused.
func (o *Org) bearerLocked(r *http.Request) (*User, *reply) {
	token := bearer(r)
	if token == "" && r.Header.Get("Authorization") != "" {
		return nil, errorReply(fail(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"))
	}
	s, u := o.sessionLocked(token)
	if s == nil {
		return nil, errorReply(fail(401, "INVALID_SESSION_ID", "Session expired or invalid"))
	}
	if o.bad.notValid || !slices.Contains(s.family.scopes, "api") && !slices.Contains(s.family.scopes, "full") {
		p := errorReply(fail(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"))
		p.user = u.Username
		return nil, p
	}
	return u, nil
}

// serveAuthLocked answers OAuth, identity, discovery and the sign-in pages.
func (o *Org) serveAuthLocked(r *http.Request, site, path string, body []byte) *reply {
	form := r.URL.Query()
	if r.Method == "POST" {
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return oauthError(400, "invalid_request", "malformed body")
		}
		form = posted
	}
	switch {
	case path == "/login":
		return o.loginLocked(r, site, form)
	case path == "/consent":
		return o.consentLocked(r, site, form)
	case path == "/.well-known/openid-configuration":
		return o.discoveryLocked(r, site)
	case path == "/.well-known/auth-configuration":
		return jsonReply(200, ordered{{"OrgId", o.firstIDLocked("Organization")}, {"LoginPage", ordered{{"LoginPageType", "STANDARD"}}}})
	case path == "/id/keys":
		return o.jwksLocked()
	case strings.HasPrefix(path, "/id/"):
		return o.identityLocked(r, path)
	}
	switch name := strings.TrimPrefix(path, "/services/oauth2/"); {
	case name == "authorize" || strings.HasPrefix(name, "authorize/"):
		return o.authorizeLocked(r, site, form)
	case name == "token":
		return o.tokenLocked(r, site, form)
	case name == "revoke":
		return o.revokeLocked(form)
	case name == "introspect":
		return o.introspectLocked(r, form)
	case name == "userinfo":
		return o.userInfoLocked(r)
	}
	return newReply(404, typeHTML, []byte("<html><body>URL No Longer Exists</body></html>"))
}

// authorizeLocked begins a sign-in. What a stranger could forge is answered here; every other
// refusal goes to the callback.
func (o *Org) authorizeLocked(r *http.Request, site string, form url.Values) *reply {
	app := o.auth.apps[form.Get("client_id")]
	switch {
	case app == nil:
		return errorPage("invalid_client_id", "client identifier invalid")
	case !slices.Contains(app.Callbacks, form.Get("redirect_uri")):
		return errorPage("redirect_uri_mismatch", "redirect_uri must match configuration")
	case form.Get("code_challenge") == "" && !app.PKCEOptional:
		return newReply(400, "", []byte("error=invalid_request&error_description=missing required code challenge"))
	}
	p := &pending{client: app.ClientID, redirect: form.Get("redirect_uri"), state: form.Get("state"), challenge: form.Get("code_challenge"),
		nonce: form.Get("nonce"), site: site, host: r.Host, scopes: strings.Fields(form.Get("scope")), hint: form.Get("login_hint")}
	if len(p.scopes) == 0 {
		p.scopes = app.Scopes
	}
	method := form.Get("code_challenge_method")
	switch {
	case form.Get("response_type") != "code":
		return p.back("unsupported_response_type", "response type not supported")
	case method != "" && method != "S256":
		return p.back("invalid_request", "code challenge method not supported")
	case o.bad.blockedApps[app.ClientID]:
		return p.back("OAUTH_APP_BLOCKED", "this app is blocked by admin")
	case o.bad.missingApps[app.ClientID]:
		return p.back("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org")
	case form.Get("immediate") == "true":
		return p.back("immediate_unsuccessful", "")
	}
	key := random(18)
	o.auth.pending[key] = p
	next := "/login"
	if o.browserLocked(r) != nil && !slices.Contains(strings.Fields(form.Get("prompt")), "login") {
		next = "/consent"
	}
	return redirect(site + next + "?auth=" + url.QueryEscape(key))
}

func redirect(to string) *reply {
	p := newReply(302, "", nil)
	p.header.Set("Location", to)
	p.header.Set("Cache-Control", "no-store")
	p.header.Set("Referrer-Policy", "no-referrer")
	return p
}

// back sends the browser to the callback with an error.
func (p *pending) back(code, description string) *reply {
	v := url.Values{"error": {code}}
	if description != "" {
		v.Set("error_description", description)
	}
	return p.callback(v)
}

func (p *pending) callback(v url.Values) *reply {
	if p.state != "" {
		v.Set("state", p.state)
	}
	sep := "?"
	if strings.Contains(p.redirect, "?") {
		sep = "&"
	}
	return redirect(p.redirect + sep + v.Encode())
}

func (p *pending) allowed(app *App) bool {
	known := append([]string{"offline_access", "profile", "email", "address", "phone"}, app.Scopes...)
	return !slices.ContainsFunc(p.scopes, func(s string) bool { return !slices.Contains(known, s) })
}
