package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/auth/site"
	"hawser/sync/fault"
)

// callbacks are the addresses registered in every Salesforce app that Hawser uses: Salesforce
// compares them as whole strings, port included.
var callbacks = []string{
	"http://localhost:17171/callback", "http://localhost:17172/callback", "http://localhost:17173/callback",
	"http://localhost:17174/callback", "http://localhost:17175/callback",
}

// The hosts whose manners are known without asking.
const (
	googleHost    = "accounts.google.com"
	microsoftHost = "login.microsoftonline.com"
)

// aboutIdentity are the scopes that say who somebody is, or for how long: none opens a mailbox.
var aboutIdentity = []string{"openid", "email", "profile", "offline_access"}

// place is where a side signs in.
type place struct {
	oauth.Provider
	base  string // Salesforce: the site's address as it is today
	moved bool   // and that is not the configured one
}

// find asks where a side signs in.
func (a *Agent) find(ctx context.Context, side string) (place, error) {
	if a.configured(side) == "" {
		return place{}, fault.New(fault.NotSetUp, "find sign-in", nil)
	}
	if side == sideMail {
		p := mailProvider(a.settings().Mail)
		if p.Kind != oauth.Generic {
			return place{Provider: p}, nil
		}
		p, err := oauth.Discover(ctx, a.http, p)
		return place{Provider: p}, err
	}
	where, err := site.Parse(a.settings().Salesforce.Site, a.sites())
	if err != nil {
		return place{}, a.refused(err, "site.reads", a.settings().Salesforce.Site)
	}
	found, err := site.Discover(ctx, where, a.http)
	if err != nil || found.Guessed {
		// An address of before enhanced domains may lead nowhere any more, where its successor works.
		if next, ok := where.Successor(); ok {
			if at, again := site.Discover(ctx, next, a.http); again == nil && !at.Guessed {
				found, err = at, nil
				found.Moved = true
			}
		}
	}
	switch {
	case where.Kind == site.Legacy && (err != nil || found.Guessed):
		return place{}, a.retired(err)
	case err != nil:
		return place{}, a.refused(err, "site.leads-on", "")
	}
	p := oauth.NewSalesforce(found.Site.Base, a.settings().Salesforce.ClientID, callbacks)
	p.Trust, p.Names = found.Site.Trust, found.Site.Names
	if !found.Guessed {
		p.Issuer, p.PromisesIss = found.Issuer, found.PromisesIss
		p.AuthorizeURL, p.TokenURL, p.RevokeURL = found.AuthorizeURL, found.TokenURL, found.RevokeURL
		p.UserInfoURL, p.KeysURL = found.UserInfoURL, found.KeysURL
	}
	return place{Provider: p, base: found.Site.Base, moved: found.Moved}, nil
}

// sites says which addresses may serve the site.
func (a *Agent) sites() site.Policy { return site.Policy{Custom: a.settings().Trust.Hosts} }

// refused tells the person why an address was refused: that of the settings, or one that the site
// leads on to, which as says.
func (a *Agent) refused(err error, as, address string) error {
	f, hint := fault.Of(err), site.HintOf(err)
	if hint != "" && f.Detail == "" {
		f.Detail = a.text.T(as, map[string]any{"Why": a.text.T("site."+string(hint), nil), "Address": address})
	}
	return f
}

// retired tells the person that an address of before enhanced domains leads nowhere any more. That
// there is just no network looks alike, so the fault stays what it is.
func (a *Agent) retired(err error) error {
	if err == nil {
		err = site.RefuseRetired()
	}
	f := fault.Of(err)
	f.Detail = a.text.T("site."+string(site.Retired), nil)
	return f
}

// mailProvider returns the authorization server of the mailbox: Google's and Microsoft's are
// known, any other has yet to be discovered.
func mailProvider(m config.Mail) oauth.Provider {
	clientSecret := secret.New(m.ClientSecret)
	issuer, err := url.Parse(m.Issuer)
	if err != nil {
		issuer = &url.URL{}
	}
	var p oauth.Provider
	switch strings.ToLower(issuer.Hostname()) {
	case googleHost:
		p = oauth.NewGoogle(m.ClientID, clientSecret)
	case microsoftHost:
		tenant, _, _ := strings.Cut(strings.Trim(issuer.Path, "/"), "/")
		if tenant == "" {
			tenant = "common"
		}
		p = oauth.NewMicrosoft(m.ClientID, tenant)
	default:
		return oauth.Provider{
			Issuer: m.Issuer, ClientID: m.ClientID, ClientSecret: clientSecret, Scopes: m.Scopes,
			Need: slices.DeleteFunc(slices.Clone(m.Scopes), func(s string) bool { return slices.Contains(aboutIdentity, s) }),
		}
	}
	if len(m.Scopes) > 0 {
		p.Scopes = m.Scopes
	}
	return p
}

// known returns what is needed to refresh and to revoke: from the sign-in, so that a start needs no
// network, or found anew when the configured address is no longer the one that was signed in to.
func (a *Agent) known(ctx context.Context, side string, l login) (oauth.Provider, error) {
	if l.TokenURL == "" || l.Configured != a.configured(side) {
		at, err := a.find(ctx, side)
		return at.Provider, err
	}
	if side == sideMail {
		p := mailProvider(a.settings().Mail)
		p.TokenURL, p.RevokeURL = l.TokenURL, l.RevokeURL
		return p, nil
	}
	where, err := site.Parse(l.Base, a.sites())
	if err != nil {
		return oauth.Provider{}, a.refused(err, "site.reads", l.Base)
	}
	p := oauth.NewSalesforce(where.Base, a.settings().Salesforce.ClientID, callbacks)
	p.Trust, p.Names, p.TokenURL, p.RevokeURL = where.Trust, where.Names, l.TokenURL, l.RevokeURL
	return p, nil
}

// configured returns the address of a side as it stands in the settings.
func (a *Agent) configured(side string) string {
	if side == sideMail {
		return a.settings().Mail.Issuer
	}
	return a.settings().Salesforce.Site
}

// newTokens returns the token source of a side.
func (a *Agent) newTokens(side string, p oauth.Provider) *oauth.Tokens {
	return oauth.NewTokens(oauth.Config{
		Provider: p, Store: refreshToken{a.db, side}, HTTP: a.http, Log: a.cfg.Log, Now: a.cfg.Now,
		Lock:  filepath.Join(a.cfg.Dirs.State, "refresh-"+side+".lock"),
		Moved: func(ctx context.Context) (oauth.Provider, error) { return a.followMove(ctx, side) },
	})
}

// followMove finds a side whose token address answers with a redirect, and remembers where it is.
func (a *Agent) followMove(ctx context.Context, side string) (oauth.Provider, error) {
	at, err := a.find(ctx, side)
	if err != nil {
		return at.Provider, err
	}
	a.mu.Lock()
	l := a.logins[side]
	l.at(at)
	a.logins[side] = l
	a.mu.Unlock()
	if err := a.saveLogin(ctx, side, l); err != nil {
		// The next start asks the old address once more.
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "new address not stored", slog.Any("err", err))
	}
	return at.Provider, nil
}

// login is what is remembered of a sign-in beside its tokens, sealed in the store.
type login struct {
	Issuer    string `json:"issuer"`
	Subject   string `json:"subject"`
	OrgID     string `json:"orgId,omitempty"`
	UserID    string `json:"userId,omitempty"`
	Name      string `json:"name"` // for people
	Address   string `json:"address,omitempty"`
	APIBase   string `json:"apiBase,omitempty"`
	Fallback  string `json:"fallback,omitempty"`
	NetworkID string `json:"networkId,omitempty"`

	Configured string `json:"configured,omitempty"` // the address in the settings at that time
	Base       string `json:"base,omitempty"`       // Salesforce: the site as it was found
	TokenURL   string `json:"tokenUrl,omitempty"`
	RevokeURL  string `json:"revokeUrl,omitempty"`
}

// at notes where the sign-in is kept.
func (l *login) at(p place) { l.Base, l.TokenURL, l.RevokeURL = p.base, p.TokenURL, p.RevokeURL }

// loginOf returns what is remembered of a grant. It refuses one that does not say whose it is: a
// binding to nobody would fit everybody.
func loginOf(side string, g oauth.Grant) (login, error) {
	id := g.Identity
	l := login{
		Issuer: id.Issuer, Subject: id.Subject, OrgID: id.OrgID, UserID: id.UserID, Name: id.Username, Address: id.Email,
		APIBase: g.APIBase, Fallback: g.Fallback, NetworkID: g.NetworkID,
	}
	if l.Address == "" && strings.Contains(id.Username, "@") {
		l.Address = id.Username
	}
	if l.Name == "" {
		l.Name = l.Address
	}
	switch {
	case side == sideMail && (l.Issuer == "" || l.Subject == "" || l.Address == ""),
		side == sideSalesforce && (l.OrgID == "" || l.UserID == ""):
		return l, fault.New(fault.SignInRefused, "check identity", errors.New("the provider does not say whose account it is"))
	}
	return l, nil
}

func (a *Agent) saveLogin(ctx context.Context, side string, l login) error {
	raw, err := json.Marshal(l)
	if err == nil {
		err = a.db.SaveSecret(ctx, "login."+side, secret.New(string(raw)))
	}
	if err != nil {
		return fmt.Errorf("store sign-in: %w", err)
	}
	return nil
}

// App implements control.Agent. It asks nobody: an administrator's link is wanted just when the
// other side refuses to talk.
func (a *Agent) App(_ context.Context, side string) (control.App, error) {
	s := a.settings()
	switch side {
	case sideMail:
		p := mailProvider(s.Mail)
		return control.App{Side: side, Site: s.Mail.Issuer, ClientID: p.ClientID, Scopes: p.Scopes, AdminLink: p.AdminLink()}, nil
	case sideSalesforce:
		p := oauth.NewSalesforce(s.Salesforce.Site, s.Salesforce.ClientID, callbacks)
		return control.App{Side: side, Site: s.Salesforce.Site, ClientID: p.ClientID, Scopes: p.Scopes, Callbacks: p.Callbacks, AdminLink: p.AdminLink()}, nil
	}
	return control.App{}, fault.New(fault.Usage, "name app", nil)
}
