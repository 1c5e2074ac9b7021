package salesforcetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func oauthError(status int, code, description string) *reply {
	m := ordered{{"error", code}}
	if description != "" {
		m = append(m, kv{"error_description", description})
	}
	return noStore(jsonReply(status, m))
}

func noStore(p *reply) *reply {
	p.header.Set("Cache-Control", "no-store")
	p.header.Set("Pragma", "no-cache")
	return p
}

func (o *Org) tokenLocked(r *http.Request, site string, form url.Values) *reply {
	if r.Method != "POST" {
		return oauthError(400, "invalid_request", "must use HTTP POST")
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		id, secret = user, pass
	}
	app := o.auth.apps[id]
	switch {
	case o.bad.orgLocked:
		return oauthError(400, "invalid_grant", "inactive organization")
	case app == nil:
		return oauthError(400, "invalid_client_id", "client identifier invalid")
	case secret != app.Secret:
		return oauthError(400, "invalid_client", "invalid client credentials")
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return o.redeemLocked(r, site, app, form)
	case "refresh_token":
		return o.renewLocked(r, site, app, form)
	}
	return oauthError(400, "unsupported_grant_type", "grant type not supported")
}

// redeemLocked exchanges a code: once, within its life, by the same app, callback and host.
func (o *Org) redeemLocked(r *http.Request, site string, app *App, form url.Values) *reply {
	c := o.auth.codes[form.Get("code")]
	switch {
	case c == nil || c.client != app.ClientID || c.site != site || c.host != r.Host:
		return oauthError(400, "invalid_grant", "invalid authorization code")
	case c.used || o.now().Sub(c.made) > codeLife:
		return oauthError(400, "invalid_grant", "expired authorization code")
	case c.redirect != form.Get("redirect_uri"):
		return oauthError(400, "redirect_uri_mismatch", "redirect_uri must match configuration")
	}
	if c.challenge != "" {
		verifier := form.Get("code_verifier")
		sum := sha256.Sum256([]byte(verifier))
		have := base64.RawURLEncoding.EncodeToString(sum[:])
		if len(verifier) < 43 || len(verifier) > 256 || subtle.ConstantTimeCompare([]byte(have), []byte(c.challenge)) != 1 {
			return oauthError(400, "invalid_grant", "invalid code verifier")
		}
	}
	u := o.auth.users[key15(c.user)]
	if u == nil || u.Inactive {
		return oauthError(400, "invalid_grant", "inactive user")
	}
	c.used = true
	f := o.auth.approve(u.ID, app.ClientID, c.scopes, c.nonce)
	return o.tokensLocked(r, site, f, f.current)
}

// renewLocked refreshes. A refresh token that was rotated away ends the whole family.
func (o *Org) renewLocked(r *http.Request, site string, app *App, form url.Values) *reply {
	token := form.Get("refresh_token")
	f := o.auth.refresh[token]
	expired := oauthError(400, "invalid_grant", "expired access/refresh token")
	if f == nil || f.dead || f.client != app.ClientID {
		return expired
	}
	u := o.auth.users[key15(f.user)]
	switch {
	case u == nil || u.Inactive:
		return oauthError(400, "invalid_grant", "inactive user")
	case o.bad.ipRestricted:
		return oauthError(400, "invalid_grant", "ip restricted")
	case f.current != token:
		o.auth.revoke(func(g *family) bool { return g == f })
		return expired
	}
	fresh := ""
	if !o.KeepRefresh {
		o.auth.rotate(f)
		fresh = f.current
	}
	return o.tokensLocked(r, site, f, fresh)
}

// tokensLocked is a token answer; refresh is left out when empty.
func (o *Org) tokensLocked(r *http.Request, site string, f *family, refresh string) *reply {
	h := o.hostsLocked(r)
	app, u := o.auth.apps[f.client], o.auth.users[key15(f.user)]
	access := o.accessLocked(f)
	identity := o.identityURLLocked(u, h)
	issued := strconv.FormatInt(o.now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(app.Secret))
	mac.Write([]byte(identity + issued))
	scopes := slices.Clone(f.scopes)
	slices.Reverse(scopes) // their order differs from the request's
	m := ordered{{"access_token", access}}
	if refresh != "" {
		m = append(m, kv{"refresh_token", refresh})
	}
	if o.External && u.UserType != "Standard" {
		m = append(m, kv{"sfdc_community_url", h.site}, kv{"sfdc_community_id", o.firstIDLocked("Network")})
	}
	m = append(m, kv{"signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))}, kv{"token_format", "opaque"}, kv{"scope", strings.Join(scopes, " ")})
	if slices.Contains(scopes, "openid") {
		m = append(m, kv{"id_token", o.idTokenLocked(idClaims{o.loginBaseLocked(h, site), app.ClientID, identity, access, f.nonce})})
	}
	m = append(m, kv{"instance_url", h.instance}, kv{"id", identity}, kv{"token_type", "Bearer"}, kv{"issued_at", issued})
	p := noStore(jsonReply(200, m))
	p.user = u.Username
	return p
}

// loginBaseLocked is the address that served the sign-in.
func (o *Org) loginBaseLocked(h hosts, site string) string {
	if site != "" {
		return strings.TrimSuffix(h.site, SitePath) + site
	}
	return h.instance
}

// revokeLocked ends a refresh token with its access tokens, or one access token.
func (o *Org) revokeLocked(form url.Values) *reply {
	token := form.Get("token")
	if f := o.auth.refresh[token]; f != nil && !f.dead {
		o.auth.revoke(func(g *family) bool { return g == f })
		return newReply(200, "", nil)
	}
	if _, ok := o.auth.access[token]; ok {
		delete(o.auth.access, token)
		return newReply(200, "", nil)
	}
	return oauthError(400, "invalid_token", "invalid token: "+token)
}

// introspectLocked answers RFC 7662; an app without a secret may not ask.
func (o *Org) introspectLocked(r *http.Request, form url.Values) *reply {
	app := o.auth.apps[form.Get("client_id")]
	if app == nil || app.Secret == "" || app.Secret != form.Get("client_secret") {
		return oauthError(401, "invalid_client", "invalid client credentials")
	}
	s, u := o.sessionLocked(form.Get("token"))
	if s == nil {
		return noStore(jsonReply(200, ordered{{"active", false}}))
	}
	return noStore(jsonReply(200, ordered{{"active", true}, {"scope", strings.Join(s.family.scopes, " ")}, {"client_id", s.family.client},
		{"username", u.Username}, {"sub", o.identityURLLocked(u, o.hostsLocked(r))}, {"token_type", "access_token"}, {"exp", s.expires.Unix()}}))
}
