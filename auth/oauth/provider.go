// Package oauth signs the user in through the system browser and keeps the access tokens fresh.
//
// It owns the authorization code flow for a native app (RFC 8252) with PKCE, the loopback
// listener, the identity behind a grant, the one token source per account, revocation, and the
// reading of what Salesforce, Google, Microsoft and others answer when they refuse. It does not
// decide which hosts are Salesforce's, where the refresh token is stored or whether an account is
// the bound one: [Provider.Trust], [Store] and [Request.Check] do. Access tokens stay in memory,
// save for the sealed hand-over between two processes that [Tokens] describes.
//
// [SignIn] may run several times at once as long as callback ports last; [Tokens] is safe for
// concurrent use, in one process and across processes.
package oauth

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// Kind is whose manners a provider has.
type Kind int

const (
	Generic Kind = iota
	Salesforce
	Google
	Microsoft
)

// Provider is one authorization server and what Hawser is to it. It holds no state.
type Provider struct {
	Kind   Kind
	Issuer string // as in its metadata; an id_token must carry it

	AuthorizeURL string
	TokenURL     string
	RevokeURL    string // "": the provider has no revocation
	UserInfoURL  string
	KeysURL      string // JWKS

	ClientID     string
	ClientSecret secret.String // of an installed app, so no real secret (Google demands one)

	Scopes []string // asked for; the least that serves
	Need   []string // those without which the sign-in is of no use

	// Callbacks are the registered callback URLs, compared as whole strings by Salesforce, tried
	// in this order. Empty: any free port, for providers that ignore the port (RFC 8252 §7.3).
	Callbacks []string

	PromisesIss bool   // the callback carries iss (RFC 9207)
	LoginHint   string // prefills the user name

	// Trust decides about addresses that the provider's answers name and that a token will go to
	// (Salesforce's API hosts). Nil trusts only the host of TokenURL.
	Trust func(*url.URL) error
	// Names decides about the address by which Salesforce names an account, to which nothing is
	// ever sent. Nil is Trust.
	Names func(*url.URL) error
}

// NewSalesforce returns the provider of a login base (My Domain, site with its path, or login
// host) by Salesforce's fixed paths, for when discovery brings nothing.
func NewSalesforce(base, clientID string, callbacks []string) Provider {
	base = strings.TrimRight(base, "/")
	return Provider{
		Kind: Salesforce, Issuer: base,
		AuthorizeURL: base + "/services/oauth2/authorize",
		TokenURL:     base + "/services/oauth2/token",
		RevokeURL:    base + "/services/oauth2/revoke",
		UserInfoURL:  base + "/services/oauth2/userinfo",
		KeysURL:      base + "/id/keys",
		ClientID:     clientID,
		Callbacks:    callbacks,
		Scopes:       []string{"api", "refresh_token", "id", "openid"},
		Need:         []string{"api", "refresh_token"},
	}
}

// NewGoogle returns Google's provider for a desktop client with the scope for IMAP.
func NewGoogle(clientID string, clientSecret secret.String) Provider {
	return Provider{
		Kind: Google, Issuer: "https://accounts.google.com",
		AuthorizeURL: "https://accounts.google.com/o/oauth2/v2/auth",
		TokenURL:     "https://oauth2.googleapis.com/token",
		RevokeURL:    "https://oauth2.googleapis.com/revoke",
		UserInfoURL:  "https://openidconnect.googleapis.com/v1/userinfo",
		KeysURL:      "https://www.googleapis.com/oauth2/v3/certs",
		ClientID:     clientID, ClientSecret: clientSecret,
		Scopes: []string{"openid", "email", "https://mail.google.com/"},
		Need:   []string{"https://mail.google.com/"},
	}
}

// NewMicrosoft returns Microsoft's provider for a directory ("organizations", "common",
// "consumers" or a tenant id) with the scope for IMAP.
func NewMicrosoft(clientID, tenant string) Provider {
	base := "https://login.microsoftonline.com/" + url.PathEscape(tenant)
	return Provider{
		Kind: Microsoft, Issuer: base + "/v2.0",
		AuthorizeURL: base + "/oauth2/v2.0/authorize",
		TokenURL:     base + "/oauth2/v2.0/token",
		KeysURL:      base + "/discovery/v2.0/keys",
		ClientID:     clientID,
		Scopes:       []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access", "openid", "email", "profile"},
		Need:         []string{"https://outlook.office.com/IMAP.AccessAsUser.All"},
	}
}

// check refuses a provider that cannot work or would talk in the clear.
func (p Provider) check() error {
	if p.ClientID == "" || p.AuthorizeURL == "" || p.TokenURL == "" {
		return fault.New(fault.ConfigInvalid, "check provider", errors.New("client id, authorize and token address are required"))
	}
	for _, raw := range []string{p.AuthorizeURL, p.TokenURL, p.RevokeURL, p.UserInfoURL, p.KeysURL} {
		if raw == "" {
			continue
		}
		if _, err := secureURL(raw); err != nil {
			return fault.New(fault.ConfigInvalid, "check provider", err)
		}
	}
	if p.Kind == Salesforce && len(p.Callbacks) == 0 {
		return fault.New(fault.ConfigInvalid, "check provider", errors.New("no callback addresses"))
	}
	return nil
}

// trusts checks an address that came in an answer, by a rule for hosts other than the provider's.
func (p Provider) trusts(raw string, rule func(*url.URL) error) error {
	u, err := secureURL(raw)
	if err != nil {
		return err
	}
	if own, err := url.Parse(p.TokenURL); err == nil && strings.EqualFold(own.Host, u.Host) && own.Scheme == u.Scheme {
		return nil
	}
	if rule == nil {
		return errors.New("host is not the provider's")
	}
	return rule(u)
}

// wider reports whether more was granted than asked for. Google and Microsoft write what they
// grant in other words than it was asked for in.
func (p Provider) wider(granted []string) bool {
	return len(p.Scopes) > 0 && p.Kind != Google && p.Kind != Microsoft &&
		slices.ContainsFunc(granted, func(s string) bool { return !slices.Contains(p.Scopes, s) })
}

// missing returns the needed scopes that are not among granted.
func (p Provider) missing(granted []string) []string {
	var out []string
	for _, need := range p.Need {
		same := []string{need}
		switch {
		case p.Kind == Microsoft: // outlook.office.com and outlook.office365.com are one resource
			if slices.ContainsFunc(granted, func(s string) bool { return strings.EqualFold(lastPart(s), lastPart(need)) }) {
				continue
			}
		case p.Kind != Salesforce:
		case need == "api":
			same = append(same, "full")
		case need == "refresh_token", need == "offline_access":
			same = []string{"refresh_token", "offline_access"}
		}
		if !slices.ContainsFunc(same, func(s string) bool { return slices.Contains(granted, s) }) {
			out = append(out, need)
		}
	}
	return out
}

// lastPart returns a permission of Microsoft's without its resource.
func lastPart(scope string) string { return scope[strings.LastIndexByte(scope, '/')+1:] }

func scopeMissing(op string, missing []string) error {
	f := fault.New(fault.ScopeMissing, op, errors.New("less was granted than is needed"))
	f.Detail = strings.Join(missing, " ")
	return f
}

// AdminLink returns the page where an administrator approves the app for a whole directory; ""
// where the provider has none.
func (p Provider) AdminLink() string {
	if p.Kind != Microsoft {
		return ""
	}
	base, _, ok := strings.Cut(p.AuthorizeURL, "/oauth2/v2.0/")
	host, tenant := base[:strings.LastIndexByte(base, '/')+1], base[strings.LastIndexByte(base, '/')+1:]
	switch {
	case !ok, tenant == "consumers": // nobody administers personal accounts
		return ""
	case tenant == "common": // which stands for those too, so that Microsoft does not take it here
		base = host + "organizations"
	}
	// offline_access and the OpenID scopes need no approval of an administrator.
	var scopes []string
	for _, s := range p.Scopes {
		if strings.Contains(s, "://") {
			scopes = append(scopes, s)
		}
	}
	q := url.Values{"client_id": {p.ClientID}, "scope": {strings.Join(scopes, " ")}, "redirect_uri": {"http://localhost/"}}
	return base + "/v2.0/adminconsent?" + q.Encode()
}

// secureURL accepts https, and http on this computer, without user information.
func secureURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not an address")
	}
	switch {
	case u.User != nil, u.Host == "", u.Opaque != "":
		return nil, errors.New("not a plain address")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("scheme %q is not allowed", u.Scheme)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
