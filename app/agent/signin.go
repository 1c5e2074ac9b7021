package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"hawser/app/control"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/auth/site"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// callbacks are the addresses registered in every Salesforce app that Hawser uses: Salesforce
// compares them as whole strings, port included.
var callbacks = []string{
	"http://localhost:17171/callback", "http://localhost:17172/callback", "http://localhost:17173/callback",
	"http://localhost:17174/callback", "http://localhost:17175/callback",
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
}

func (l login) account() capture.Account {
	return capture.Account{OrgID: l.OrgID, UserID: l.UserID}
}

func (l login) mailbox() capture.Mailbox {
	return capture.Mailbox{Issuer: l.Issuer, Subject: l.Subject, Address: l.Address}
}

// SignIn implements control.Agent: it sends the user to the browser, checks who came back, and
// binds the two sides at the first complete sign-in.
func (a *Agent) SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error {
	if side != sideSalesforce && side != sideMail {
		return fault.New(fault.Usage, "sign in", nil)
	}
	progress(control.SignInStep{Step: "discovering"})
	provider, err := a.provider(ctx, side)
	if err != nil {
		return err
	}
	grant, err := oauth.SignIn(ctx, oauth.Request{
		Provider: provider, Open: a.cfg.OpenBrowser, HTTP: a.http, Log: a.cfg.Log, Now: a.cfg.Now,
		Progress: func(step, url string) { progress(control.SignInStep{Step: step, URL: url}) },
		Check:    func(_ context.Context, g oauth.Grant) error { return a.checkGrant(side, loginOf(g)) },
	})
	if err != nil {
		if fault.Is(err, fault.WrongAccount) {
			a.board.update(func(b *board) { b.facts.Wrong = true })
		}
		return err
	}
	return a.adopt(ctx, side, provider, grant)
}

// provider finds the authorization server of a side.
func (a *Agent) provider(ctx context.Context, side string) (oauth.Provider, error) {
	s := a.cfg.Settings
	if side == sideMail {
		p := oauth.Provider{
			Issuer: s.Mail.Issuer, ClientID: s.Mail.ClientID, ClientSecret: secret.New(s.Mail.ClientSecret), Scopes: s.Mail.Scopes,
		}
		return oauth.Discover(ctx, a.http, p)
	}
	where, err := site.Parse(s.Salesforce.Site, site.Policy{Custom: s.Trust.Hosts})
	if err != nil {
		return oauth.Provider{}, err
	}
	found, err := site.Discover(ctx, where, a.http)
	if err != nil {
		return oauth.Provider{}, err
	}
	p := oauth.NewSalesforce(found.Site.Base, s.Salesforce.ClientID, callbacks)
	p.Trust = found.Site.Trust
	if !found.Guessed {
		p.Issuer, p.PromisesIss = found.Issuer, found.PromisesIss
		p.AuthorizeURL, p.TokenURL, p.RevokeURL = found.AuthorizeURL, found.TokenURL, found.RevokeURL
		p.UserInfoURL, p.KeysURL = found.UserInfoURL, found.KeysURL
	}
	return p, nil
}

func loginOf(g oauth.Grant) login {
	name := g.Identity.Username
	if name == "" {
		name = g.Identity.Email
	}
	return login{
		Issuer: g.Identity.Issuer, Subject: g.Identity.Subject, OrgID: g.Identity.OrgID, UserID: g.Identity.UserID,
		Name: name, Address: g.Identity.Email, APIBase: g.APIBase, Fallback: g.Fallback, NetworkID: g.NetworkID,
	}
}

// checkGrant refuses a sign-in of another account than the bound one.
func (a *Agent) checkGrant(side string, l login) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.binding == nil {
		return nil
	}
	same := l.account() == a.binding.account
	if side == sideMail {
		same = l.Issuer == a.binding.mailbox.Issuer && l.Subject == a.binding.mailbox.Subject
	}
	if same {
		return nil
	}
	f := fault.New(fault.WrongAccount, "check account", nil)
	f.Detail = l.Name
	return f
}

// adopt makes a checked grant durable, then lets it count.
func (a *Agent) adopt(ctx context.Context, side string, p oauth.Provider, g oauth.Grant) error {
	l := loginOf(g)
	raw, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("store sign-in: %w", err)
	}
	tokens := a.newTokens(side, p)
	if err := tokens.Adopt(ctx, g); err != nil {
		return err
	}
	if err := a.db.SaveSecret(ctx, "login."+side, secret.New(string(raw))); err != nil {
		return fmt.Errorf("store sign-in: %w", err)
	}
	return a.useLogin(ctx, side, l, tokens)
}

// useLogin lets a sign-in count: it completes the binding, and what rested goes on.
func (a *Agent) useLogin(ctx context.Context, side string, l login, tokens *oauth.Tokens) error {
	a.mu.Lock()
	a.logins[side], a.tokens[side] = l, tokens
	both := len(a.logins) == 2
	bound := a.binding != nil
	sf, mail := a.logins[sideSalesforce], a.logins[sideMail]
	a.mu.Unlock()
	if both && !bound {
		if err := a.db.Bind(ctx, sf.account(), mail.mailbox()); err != nil {
			return fmt.Errorf("bind mailbox and account: %w", err)
		}
		a.mu.Lock()
		a.binding = &boundTo{account: sf.account(), mailbox: mail.mailbox()}
		a.mu.Unlock()
	}
	a.board.update(func(b *board) {
		s := b.sideOf(side)
		s.SignedIn, s.Account, s.Fault = true, l.Name, ""
		b.facts.Wrong = false
	})
	a.poke()
	return nil
}

func (a *Agent) newTokens(side string, p oauth.Provider) *oauth.Tokens {
	return oauth.NewTokens(oauth.Config{
		Provider: p, Store: refreshToken{a.db, side}, HTTP: a.http, Log: a.cfg.Log, Now: a.cfg.Now,
		Lock: filepath.Join(a.cfg.Dirs.State, "refresh-"+side+".lock"),
	})
}
