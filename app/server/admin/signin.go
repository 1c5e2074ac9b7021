package admin

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// flowLife is how long a sign-in may take at Salesforce.
const flowLife = 10 * time.Minute

// How long this server waits for Salesforce: for a whole step of a sign-in, and for taking back the
// token, which the admin does not wait for longer.
const (
	siteWait   = 20 * time.Second
	revokeWait = 3 * time.Second
)

// flow is a sign-in under way, in a sealed cookie of the browser that began it.
type flow struct {
	Tenant   string              `json:"tenant"`
	Issuer   string              `json:"issuer"`
	Client   string              `json:"client"`
	Ends     time.Time           `json:"ends"`
	State    string              `json:"state"`
	Nonce    string              `json:"nonce"`
	Verifier string              `json:"verifier"`
	Places   provision.Endpoints `json:"places"`
}

func (f flow) oauth(p *Page) *oauth2.Config {
	return &oauth2.Config{
		ClientID: f.Client, RedirectURL: p.cfg.Base + root + "callback", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: f.Places.Authorize, TokenURL: f.Places.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
}

// door is a site at which admins may sign in.
type door struct{ Host, Link string }

// company finds the tenant of a sign-in's address. An id that nobody has, a suspended company and
// one without an app for the page are not told apart.
func (p *Page) company(ctx context.Context, id string) (provision.Tenant, error) {
	if !word(id) {
		return provision.Tenant{}, provision.ErrNotFound
	}
	t, err := p.cfg.Store.Tenant(ctx, reqsig.Operator(id))
	if err == nil && t.Suspended {
		err = provision.ErrNotFound
	}
	return t, err
}

func (p *Page) chooseSite(r *http.Request) (view, error) {
	t, err := p.company(r.Context(), r.PathValue("tenant"))
	if err != nil {
		return view{}, err
	}
	var doors []door
	for i, site := range t.Sites {
		if site.AdminClientID != "" {
			doors = append(doors, door{hostOf(site.Issuer), SignInPath(t.ID) + "/" + strconv.Itoa(i)})
		}
	}
	if len(doors) == 0 {
		return view{}, provision.ErrNotFound
	}
	return view{name: "sign-in", heading: say("sign-in.heading"), data: doors}, nil
}

// hostOf is an issuer as people know it.
func hostOf(issuer string) string {
	_, rest, _ := strings.Cut(issuer, "://")
	return strings.TrimSuffix(rest, "/")
}

// beginSignIn sends the browser to Salesforce. It is a link and no form, as the page's own policy
// lets forms lead nowhere else.
func (p *Page) beginSignIn(r *http.Request) (view, error) {
	t, err := p.company(r.Context(), r.PathValue("tenant"))
	if err != nil {
		return view{}, err
	}
	at, err := strconv.Atoi(r.PathValue("site"))
	if err != nil || at < 0 || at >= len(t.Sites) || t.Sites[at].AdminClientID == "" {
		return view{}, provision.ErrNotFound
	}
	site := t.Sites[at]
	places, err := p.signIn.Endpoints(r.Context(), site)
	if err != nil {
		return view{}, err
	}
	f := flow{
		Tenant: t.ID, Issuer: site.Issuer, Client: site.AdminClientID, Ends: p.cfg.Now().Add(flowLife), Places: places,
		State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(),
	}
	// A browser that was left signed in to Salesforce does not open the page by itself.
	to := f.oauth(p).AuthCodeURL(f.State, oauth2.S256ChallengeOption(f.Verifier),
		oauth2.SetAuthURLParam("nonce", f.Nonce), oauth2.SetAuthURLParam("prompt", "login"))
	out := redirect(to)
	out.cookies = []*http.Cookie{p.seal(flowCookie, f, flowLife)}
	return out, nil
}

// endSignIn takes what Salesforce sent the browser back with.
func (p *Page) endSignIn(r *http.Request) (view, error) {
	var f flow
	begun := p.unseal(r, flowCookie, &f)
	out, err := p.finish(r, f, begun)
	if err != nil {
		out = p.explained(r.Context(), out, err)
	}
	out.cookies = append(out.cookies, dropped(flowCookie))
	return out, nil
}

func (p *Page) finish(r *http.Request, f flow, begun bool) (view, error) {
	q := r.URL.Query()
	switch {
	case !begun || p.cfg.Now().After(f.Ends):
		return outside(f.Tenant, "sign-in-old"), nil
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(f.State)) != 1, q.Has("iss") && q.Get("iss") != f.Issuer:
		return outside(f.Tenant, "sign-in-other"), nil
	case q.Get("error") != "" || q.Get("code") == "":
		return outside(f.Tenant, "sign-in-refused"), nil
	}
	t, err := p.company(r.Context(), f.Tenant)
	if err != nil {
		return view{}, err
	}
	for _, site := range t.Sites {
		if site.Issuer == f.Issuer && site.AdminClientID == f.Client {
			return p.prove(r, f, site)
		}
	}
	return outside(f.Tenant, "sign-in-old"), nil
}

// prove turns the code into an account, and an account that is an admin's into a session.
func (p *Page) prove(r *http.Request, f flow, site provision.Site) (view, error) {
	ctx, cancel := context.WithTimeout(r.Context(), siteWait)
	defer cancel()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.bounded())
	tokens, err := f.oauth(p).Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		// The error repeats what the site answered.
		p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in code not taken", slog.String("site", hostOf(f.Issuer)))
		return outside(f.Tenant, "sign-in-failed"), nil
	}
	p.giveBack(ctx, f, tokens)
	idToken, _ := tokens.Extra("id_token").(string)
	account, err := p.signIn.Account(ctx, site, idToken, f.Nonce)
	if err != nil {
		if code := refusal(err); code != "" {
			p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sign-in not proven", slog.String("site", hostOf(f.Issuer)), slog.String("code", code))
			return outside(f.Tenant, "sign-in-failed"), nil
		}
		return view{}, err
	}
	tenant, now := reqsig.Operator(f.Tenant), p.cfg.Now()
	e := provision.Event{At: now, Actor: "admin:" + account.UserID, Action: "admin.signin", Subject: account.UserID}
	_, ok, err := p.adminOf(ctx, tenant, account)
	if err == nil && !ok {
		e.Actor, e.Action = "stranger:"+account.UserID, "admin.refuse"
	}
	if err == nil {
		err = p.cfg.Store.Record(ctx, tenant, e)
	}
	if err != nil {
		return view{}, err
	}
	if !ok {
		out := outside(f.Tenant, "stranger")
		out.message = out.message.about(account.UserID)
		return out, nil
	}
	s := session{
		ID: random(), Tenant: f.Tenant, Issuer: f.Issuer, Account: account, Begun: now, Seen: now, Token: random(),
	}
	out := redirect(root + "users")
	out.cookies = []*http.Cookie{p.seal(sessionCookie, s, 0)}
	return out, nil
}

// giveBack revokes the access token, which is of no use here (RFC 7009). When the site does not take
// it, it ends by itself.
func (p *Page) giveBack(ctx context.Context, f flow, tokens *oauth2.Token) {
	if f.Places.Revoke == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, revokeWait)
	defer cancel()
	form := url.Values{"token": {tokens.AccessToken}, "client_id": {f.Client}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Places.Revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.bounded().Do(req)
	if err == nil {
		err = resp.Body.Close()
	}
	if err != nil {
		p.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "access token not given back", slog.String("site", hostOf(f.Issuer)))
	}
}

// bounded is the client for calls that carry a code or a token.
func (p *Page) bounded() *http.Client {
	c := *p.cfg.HTTP
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

func (p *Page) signOut(r *http.Request, v *visit) (view, error) {
	if err := p.cfg.Store.EndSessions(r.Context(), v.tenant, v.session.Account, v.event("admin.signout", v.session.Account.UserID)); err != nil {
		return view{}, err
	}
	out := outside(v.session.Tenant, "bye")
	out.status = http.StatusOK
	out.cookies = []*http.Cookie{dropped(sessionCookie)}
	return out, nil
}
