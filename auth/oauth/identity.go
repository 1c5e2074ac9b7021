package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"hawser/sync/fault"
)

// consumers is the tenant of Microsoft's personal accounts, whose addresses Microsoft verifies.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

var (
	orgID  = regexp.MustCompile(`^00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$`)
	userID = regexp.MustCompile(`^005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$`)
)

// readHosts takes the API hosts and the ids out of a Salesforce token answer. Every address in it
// has to be one that Hawser may talk to: the bearer token will go there.
func readHosts(p Provider, rep reply, g *Grant) error {
	const op = "check hosts"
	instance, site, names := text(rep.members, "instance_url"), text(rep.members, "sfdc_community_url"), p.Names
	if names == nil {
		names = p.Trust
	}
	err := errors.Join(p.trusts(instance, p.Trust), p.trusts(text(rep.members, "id"), names))
	if site != "" {
		err = errors.Join(err, p.trusts(site, p.Trust))
	}
	if err != nil {
		return fault.New(fault.SiteRefused, op, err)
	}
	g.APIBase, g.Fallback = strings.TrimRight(instance, "/"), ""
	if site != "" {
		g.APIBase, g.Fallback = strings.TrimRight(site, "/"), g.APIBase
		g.NetworkID = text(rep.members, "sfdc_community_id")
	}
	id, err := url.Parse(text(rep.members, "id"))
	if err != nil {
		return fault.New(fault.SignInRefused, op, errors.New("unreadable identity address"))
	}
	parts := strings.Split(strings.Trim(id.Path, "/"), "/")
	if n := len(parts); n >= 3 && parts[n-3] == "id" && orgID.MatchString(parts[n-2]) && userID.MatchString(parts[n-1]) {
		g.Identity.OrgID, g.Identity.UserID = parts[n-2], parts[n-1]
		return nil
	}
	return fault.New(fault.SignInRefused, op, errors.New("identity address names no org and user"))
}

// identify finds out who signed in.
func (a *attempt) identify(ctx context.Context, g *Grant) error {
	p := a.Provider
	g.Identity.Issuer = p.Issuer
	var claims map[string]json.RawMessage
	if !g.IDToken.Empty() {
		var err error
		if claims, err = a.verifyIDToken(ctx, g); err != nil {
			return err
		}
	} else if a.wantsIDToken() && (p.Kind == Google || p.Kind == Microsoft) {
		return fault.New(fault.SignInRefused, "check identity", errors.New("no id_token"))
	}
	switch p.Kind {
	case Salesforce:
		return a.identifySalesforce(ctx, g, claims)
	case Microsoft:
		tid, oid := text(claims, "tid"), text(claims, "oid")
		if tid == "" || oid == "" {
			return fault.New(fault.SignInRefused, "check identity", errors.New("id_token without tid and oid"))
		}
		// E-mail claims of a work account can be set by its administrator to anything.
		g.Identity.EmailVerified = tid == consumers || truth(claims, "xms_edov")
		g.Identity.Issuer, g.Identity.Subject = text(claims, "iss"), tid+"/"+oid
	default:
		if claims == nil && p.UserInfoURL != "" {
			ans, err := get(ctx, a.client, "read user info", p.UserInfoURL, g.Access.Reveal())
			if err != nil {
				return err
			}
			if ans.status == http.StatusOK {
				claims, _ = ans.object() // the mail server will say whose mailbox it is
			}
		}
		g.Identity.Subject = text(claims, "sub")
		g.Identity.EmailVerified = truth(claims, "email_verified")
	}
	g.Identity.Email = text(claims, "email")
	g.Identity.Username = text(claims, "preferred_username")
	if g.Identity.Username == "" {
		g.Identity.Username = g.Identity.Email
	}
	return nil
}

// identifySalesforce adds the names to the ids and compares every source of the ids.
func (a *attempt) identifySalesforce(ctx context.Context, g *Grant, claims map[string]json.RawMessage) error {
	id := &g.Identity
	id.Subject = id.OrgID + "/" + id.UserID
	differ := fault.New(fault.SignInRefused, "check identity", errors.New("answers name different accounts"))
	if claims != nil && !strings.HasSuffix(text(claims, "sub"), "/id/"+id.OrgID+"/"+id.UserID) {
		return differ
	}
	// The site's own userinfo, as the host of the identity address (login.salesforce.com) must
	// not see the token of a site's user.
	ans, err := get(ctx, a.client, "read user info", a.Provider.UserInfoURL, g.Access.Reveal())
	if err != nil {
		return err
	}
	info, err := ans.object()
	if ans.status != http.StatusOK || err != nil {
		// Some orgs refuse userinfo to outside users. The ids came with the tokens; only the name
		// for people is missing.
		a.Log.LogAttrs(ctx, slog.LevelWarn, "user info refused", slog.Int("status", ans.status))
		id.Username = text(claims, "preferred_username")
		return nil
	}
	if text(info, "organization_id") != id.OrgID || text(info, "user_id") != id.UserID {
		return differ
	}
	id.Username, id.Email, id.EmailVerified = text(info, "preferred_username"), text(info, "email"), truth(info, "email_verified")
	return nil
}

// verifyIDToken checks signature, audience, times, nonce, access token hash and issuer.
func (a *attempt) verifyIDToken(ctx context.Context, g *Grant) (map[string]json.RawMessage, error) {
	const op = "verify id_token"
	p := a.Provider
	keys, err := a.keys(ctx)
	if err != nil {
		return nil, err
	}
	// Microsoft's issuer contains the tenant of the user, which "common" does not know before.
	v := oidc.NewVerifier(p.Issuer, keys, &oidc.Config{ClientID: p.ClientID, Now: a.Now, SkipIssuerCheck: p.Kind == Microsoft})
	token, err := v.Verify(ctx, g.IDToken.Reveal())
	if err != nil {
		// The library quotes claims, so its text stays out of the fault.
		return nil, fault.New(fault.SignInRefused, op, errors.New("signature, issuer, audience or time is wrong"))
	}
	if token.Nonce != a.Nonce {
		return nil, fault.New(fault.SignInRefused, op, errors.New("nonce is wrong"))
	}
	if token.AccessTokenHash != "" && token.VerifyAccessToken(g.Access.Reveal()) != nil {
		return nil, fault.New(fault.SignInRefused, op, errors.New("access token hash is wrong"))
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return nil, fault.New(fault.SignInRefused, op, errors.New("unreadable claims"))
	}
	if p.Kind == Microsoft && !a.microsoftIssuer(token.Issuer, text(claims, "tid")) {
		return nil, fault.New(fault.SignInRefused, op, errors.New("issuer is wrong"))
	}
	return claims, nil
}

// ownIssuer reports whether an issuer in a callback is the provider. Microsoft may name the user's
// directory there; the id_token will say which one it is.
func (a *attempt) ownIssuer(iss string) bool {
	if a.Provider.Kind != Microsoft {
		return iss == a.Provider.Issuer
	}
	u, err := url.Parse(iss)
	if err != nil {
		return false
	}
	tid, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return a.microsoftIssuer(iss, tid)
}

// microsoftIssuer compares an id_token's issuer with the provider's, where the tenant id may
// stand in place of {tenantid}, common, organizations or consumers.
func (a *attempt) microsoftIssuer(iss, tid string) bool {
	want := a.Provider.Issuer
	if iss == want {
		return true
	}
	for _, any := range []string{"{tenantid}", "common", "organizations", "consumers"} {
		if strings.Contains(want, "/"+any+"/") && tid != "" && iss == strings.Replace(want, "/"+any+"/", "/"+tid+"/", 1) {
			return true
		}
	}
	return false
}

// keys reads the provider's signing keys. A key of an unknown kind is passed over.
func (a *attempt) keys(ctx context.Context) (*oidc.StaticKeySet, error) {
	const op = "read signing keys"
	if a.Provider.KeysURL == "" {
		return nil, fault.New(fault.ConfigInvalid, op, errors.New("no address of the signing keys"))
	}
	ans, err := get(ctx, a.client, op, a.Provider.KeysURL, "")
	if err != nil {
		return nil, err
	}
	if f := ans.unusual(op); f != nil {
		return nil, f
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	set := &oidc.StaticKeySet{}
	if json.Unmarshal(ans.body, &doc) == nil {
		for _, raw := range doc.Keys {
			var k jose.JSONWebKey
			if k.UnmarshalJSON(raw) == nil && k.Valid() && k.IsPublic() {
				set.PublicKeys = append(set.PublicKeys, k.Key)
			}
		}
	}
	if len(set.PublicKeys) == 0 {
		return nil, fault.New(fault.NotTheServer, op, errors.New("no usable key"))
	}
	return set, nil
}
