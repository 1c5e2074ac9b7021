package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"hawser/sync/fault"
)

// Discover fills the endpoints of p from the metadata of p.Issuer (OpenID Connect Discovery, or
// RFC 8414 where that is missing). The metadata has to name the same issuer, and every address
// in it has to be https, or on this computer when the issuer is.
func Discover(ctx context.Context, client *http.Client, p Provider) (Provider, error) {
	const op = "discover provider"
	issuer, err := secureURL(p.Issuer)
	if err != nil || issuer.RawQuery != "" || issuer.Fragment != "" {
		return p, fault.New(fault.ConfigInvalid, op, errors.New("issuer is no plain https address"))
	}
	hard := harden(client)
	base := strings.TrimRight(p.Issuer, "/")
	origin := issuer.Scheme + "://" + issuer.Host
	var last error
	for _, address := range []string{
		base + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + strings.TrimRight(issuer.EscapedPath(), "/"),
	} {
		ans, err := get(ctx, hard, op, address, "")
		if err != nil {
			return p, err
		}
		if ans.status != http.StatusOK {
			last = fault.New(fault.NotTheServer, op, errors.New("no metadata"))
			if f := ans.unusual(op); f != nil {
				last = f
			}
			continue
		}
		m, err := ans.object()
		if err != nil {
			last = fault.New(fault.NotTheServer, op, err)
			continue
		}
		return p.fill(m, issuer)
	}
	return p, last
}

func (p Provider) fill(m map[string]json.RawMessage, issuer *url.URL) (Provider, error) {
	const op = "read metadata"
	named := text(m, "issuer")
	if strings.TrimRight(named, "/") != strings.TrimRight(p.Issuer, "/") && p.Kind != Microsoft {
		return p, fault.New(fault.SignInRefused, op, errors.New("metadata is of another issuer"))
	}
	p.Issuer = named
	for key, to := range map[string]*string{
		"authorization_endpoint": &p.AuthorizeURL, "token_endpoint": &p.TokenURL, "revocation_endpoint": &p.RevokeURL,
		"userinfo_endpoint": &p.UserInfoURL, "jwks_uri": &p.KeysURL,
	} {
		*to = text(m, key)
		if *to == "" {
			continue
		}
		u, err := secureURL(*to)
		if err != nil || u.Scheme == "http" && issuer.Scheme != "http" {
			return p, fault.New(fault.SignInRefused, op, errors.New("metadata names an address in the clear"))
		}
	}
	p.PromisesIss = truth(m, "authorization_response_iss_parameter_supported")
	return p, p.check()
}
