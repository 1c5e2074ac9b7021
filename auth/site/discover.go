package site

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"hawser/sync/fault"
)

const (
	wellKnown   = "/.well-known/openid-configuration"
	maxHops     = 5
	maxMetadata = 256 << 10
	perTry      = 15 * time.Second
)

// Found is what a site says about itself.
type Found struct {
	Site  Site // where it is now: store this one
	Moved bool // Site is not the one that was asked for: show it to the person

	Issuer       string
	AuthorizeURL string
	TokenURL     string
	RevokeURL    string
	UserInfoURL  string
	KeysURL      string
	PromisesIss  bool // RFC 9207

	// Guessed says that no discovery document was found and the addresses are made from
	// Salesforce's fixed paths.
	Guessed bool
}

// Discover asks a site for its OAuth addresses: at the address itself, at the second path of an
// LWR site, and at the host. It follows redirects to other hosts of Salesforce's, which is how
// an address of before enhanced domains shows where the site is today. client's transport and
// timeout are used; nil means the default. Errors are *fault.Error.
func Discover(ctx context.Context, s Site, client *http.Client) (Found, error) {
	hard := &http.Client{Timeout: perTry, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if client != nil {
		hard.Transport = client.Transport
		if client.Timeout > 0 {
			hard.Timeout = client.Timeout
		}
	}
	var first error
	moved := s
	for _, base := range candidates(s) {
		doc, at, err := s.ask(ctx, hard, base)
		if err != nil {
			if ctx.Err() != nil {
				return Found{}, ctx.Err()
			}
			if first == nil {
				first = err
			}
			continue
		}
		if doc == nil { // a page where JSON was expected
			if base == s.Base {
				moved = at
			}
			continue
		}
		return s.read(doc, at)
	}
	if first != nil {
		return Found{}, first
	}
	return guess(moved, moved.Base != s.Base), nil
}

// candidates are the bases where the document may be.
func candidates(s Site) []string {
	scheme, rest, _ := strings.Cut(s.Base, "://")
	host, path, deep := strings.Cut(rest, "/")
	if !deep {
		return []string{s.Base}
	}
	root := scheme + "://" + host
	if strings.HasSuffix(path, "vforcesite") {
		return []string{s.Base, root}
	}
	return []string{s.Base, root + "/" + path + "vforcesite", root}
}

// ask reads the document below base. doc is nil when something else than JSON came.
func (s Site) ask(ctx context.Context, client *http.Client, base string) (doc map[string]any, at Site, err error) {
	const op = "discover site"
	address := base + wellKnown
	for range maxHops + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, Site{}, refuse(NotAddress)
		}
		req.Header.Set("Accept", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, Site{}, network(op, err)
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata))
		_ = resp.Body.Close()
		switch {
		case err != nil:
			return nil, Site{}, network(op, err)
		case resp.StatusCode >= 500, resp.StatusCode == 420:
			return nil, Site{}, fault.New(fault.ServerError, op, fmt.Errorf("status %d", resp.StatusCode))
		case resp.StatusCode >= 300 && resp.StatusCode < 400:
			next, err := req.URL.Parse(resp.Header.Get("Location"))
			if err != nil {
				return nil, Site{}, refuse(NotAddress)
			}
			if _, err := Parse(next.Scheme+"://"+next.Host, s.policy); err != nil {
				return nil, Site{}, err
			}
			next.Fragment = ""
			address = next.String()
			continue
		}
		at, err := Parse(strings.TrimSuffix(strings.SplitN(address, "?", 2)[0], wellKnown), s.policy)
		if err != nil {
			return nil, Site{}, err
		}
		if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &doc) != nil {
			return nil, at, nil
		}
		return doc, at, nil
	}
	return nil, Site{}, fault.New(fault.NotTheServer, op, errors.New("too many redirects"))
}

// read checks the document: the addresses that get a token have to be on hosts that the site's
// token may see.
func (s Site) read(doc map[string]any, at Site) (Found, error) {
	f := Found{Site: at}
	f.Issuer, _ = doc["issuer"].(string)
	for key, to := range map[string]*string{
		"authorization_endpoint": &f.AuthorizeURL, "token_endpoint": &f.TokenURL, "revocation_endpoint": &f.RevokeURL,
		"userinfo_endpoint": &f.UserInfoURL, "jwks_uri": &f.KeysURL, "issuer": &f.Issuer,
	} {
		*to, _ = doc[key].(string)
		if *to == "" {
			continue
		}
		u, err := url.Parse(*to)
		if err != nil || u.User != nil {
			return Found{}, refuse(NotAddress)
		}
		rule := at.Trust
		if key == "issuer" || key == "authorization_endpoint" || key == "jwks_uri" {
			rule = at.Names
		}
		if err := rule(u); err != nil {
			return Found{}, err
		}
	}
	f.PromisesIss, _ = doc["authorization_response_iss_parameter_supported"].(bool)
	if f.AuthorizeURL == "" || f.TokenURL == "" {
		return Found{}, fault.New(fault.NotTheServer, "discover site", errors.New("no endpoints"))
	}
	// A site whose document is at the host or at the LWR path is still the site that was named.
	if at.Host == s.Host {
		f.Site = s
	}
	f.Moved = f.Site.Base != s.Base
	return f, nil
}

// guess makes the addresses by Salesforce's fixed paths.
func guess(s Site, moved bool) Found {
	const oauth = "/services/oauth2/"
	return Found{
		Site: s, Moved: moved, Guessed: true, Issuer: s.Base, AuthorizeURL: s.Base + oauth + "authorize", TokenURL: s.Base + oauth + "token",
		RevokeURL: s.Base + oauth + "revoke", UserInfoURL: s.Base + oauth + "userinfo", KeysURL: s.Base + "/id/keys",
	}
}

func network(op string, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var (
		timeout net.Error
		cert    *tls.CertificateVerificationError
	)
	code := fault.Offline
	switch {
	case errors.As(err, &cert):
		code = fault.CertificateWrong
	case errors.As(err, &timeout) && timeout.Timeout():
		code = fault.Stalled
	}
	return fault.New(code, op, err)
}

// Dial is a DialContext for clients that talk to Salesforce. The address is checked on the
// socket that is about to connect, so that a name which leads to the local network (DNS
// rebinding) reaches nothing there. A host that is not Salesforce's is a proxy of the company.
func (p Policy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return p.dialer(address).DialContext(ctx, network, address)
}

func (p Policy) dialer(address string) *net.Dialer {
	d := &net.Dialer{Timeout: perTry, KeepAlive: 30 * time.Second}
	if s, err := Parse("https://"+address, p); err == nil && s.Kind != Custom {
		d.ControlContext = func(_ context.Context, _, connecting string, _ syscall.RawConn) error { return public(connecting) }
	}
	return d
}

// public refuses addresses that no server of Salesforce's has.
func public(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return refuse(IPAddress)
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(ip) {
		return refuse(IPAddress)
	}
	return nil
}
