package salesforcetest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"time"
)

func (o *Org) identityURLLocked(u *User, h hosts) string {
	return h.instance + "/id/" + o.firstIDLocked("Organization") + "/" + u.ID
}

// whoLocked checks the token of the identity service, which refuses in plain text with 403.
func (o *Org) whoLocked(r *http.Request) (*User, *reply) {
	token := bearer(r)
	if token == "" {
		token = r.URL.Query().Get("oauth_token")
	}
	if token == "" {
		return nil, newReply(403, typeText, []byte("Missing_OAuth_Token"))
	}
	if _, u := o.sessionLocked(token); u != nil {
		return u, nil
	}
	return nil, newReply(403, typeText, []byte("Bad_OAuth_Token"))
}

func userType(u *User) string {
	switch u.UserType {
	case "PowerPartner":
		return "POWER_PARTNER"
	case "CspLitePortal":
		return "CSP_LITE_PORTAL"
	case "PowerCustomerSuccess":
		return "POWER_CUSTOMER_SUCCESS"
	}
	return strings.ToUpper(u.UserType)
}

func (o *Org) urls(h hosts, u *User) ordered {
	host := h.instance
	if o.External && u.UserType != "Standard" {
		host = h.site
	}
	rest := host + "/services/data/v{version}/"
	return ordered{{"rest", rest}, {"sobjects", rest + "sobjects/"}, {"search", rest + "search/"}, {"query", rest + "query/"},
		{"profile", host + "/" + u.ID}, {"custom_domain", h.instance}}
}

func (o *Org) userInfoLocked(r *http.Request) *reply {
	u, denied := o.whoLocked(r)
	if denied != nil {
		return denied
	}
	h := o.hostsLocked(r)
	first, last := splitName(u.Name)
	p := jsonReply(200, ordered{{"sub", o.identityURLLocked(u, h)}, {"user_id", u.ID}, {"organization_id", o.firstIDLocked("Organization")},
		{"preferred_username", u.Username}, {"nickname", u.Name}, {"name", u.Name}, {"email", u.Email}, {"email_verified", true},
		{"given_name", first}, {"family_name", last}, {"zoneinfo", "Europe/Berlin"}, {"urls", o.urls(h, u)}, {"active", !u.Inactive},
		{"user_type", userType(u)}, {"language", "en_US"}, {"locale", "en_US"}, {"utcOffset", 3600000},
		{"updated_at", o.now().Format("2006-01-02T15:04:05Z")}, {"is_app_installed", true}})
	p.user = u.Username
	return p
}

// identityLocked answers /id/{org}/{user}.
func (o *Org) identityLocked(r *http.Request, path string) *reply {
	u, denied := o.whoLocked(r)
	if denied != nil {
		return denied
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) != 3 || key15(parts[1]) != key15(o.firstIDLocked("Organization")) {
		return newReply(403, typeText, []byte("Wrong_Org"))
	}
	asked := o.auth.users[key15(parts[2])]
	if asked == nil {
		return newReply(404, typeText, []byte("Bad_Id"))
	}
	h := o.hostsLocked(r)
	first, last := splitName(asked.Name)
	p := jsonReply(200, ordered{{"id", o.identityURLLocked(asked, h)}, {"asserted_user", asked == u}, {"user_id", asked.ID},
		{"organization_id", o.firstIDLocked("Organization")}, {"username", asked.Username}, {"nick_name", asked.Name},
		{"display_name", asked.Name}, {"email", asked.Email}, {"email_verified", true}, {"first_name", first}, {"last_name", last},
		{"timezone", "Europe/Berlin"}, {"urls", o.urls(h, asked)}, {"active", !asked.Inactive}, {"user_type", userType(asked)},
		{"language", "en_US"}, {"locale", "en_US"}, {"utcOffset", 3600000}, {"is_app_installed", true}})
	p.user = u.Username
	return p
}

// discoveryLocked answers OpenID discovery. An LWR site keeps it below the second path alone;
// this site is of the other kind and answers below both.
func (o *Org) discoveryLocked(r *http.Request, site string) *reply {
	base := o.loginBaseLocked(o.hostsLocked(r), site)
	oauth := base + "/services/oauth2/"
	return jsonReply(200, ordered{{"issuer", base}, {"authorization_endpoint", oauth + "authorize"}, {"token_endpoint", oauth + "token"},
		{"revocation_endpoint", oauth + "revoke"}, {"userinfo_endpoint", oauth + "userinfo"}, {"jwks_uri", base + "/id/keys"},
		{"introspection_endpoint", oauth + "introspect"}, {"end_session_endpoint", base + "/services/auth/idp/oidc/logout"},
		{"scopes_supported", []string{"api", "refresh_token", "openid", "id", "offline_access"}},
		{"response_types_supported", []string{"code"}}, {"subject_types_supported", []string{"public"}},
		{"id_token_signing_alg_values_supported", []string{"RS256"}},
		{"token_endpoint_auth_methods_supported", []string{"client_secret_post", "client_secret_basic"}}})
}

const keyID = "246"

func (o *Org) keyLocked() *rsa.PrivateKey {
	if o.auth.key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic("salesforcetest: " + err.Error()) // crypto/rand never fails
		}
		o.auth.key = key
	}
	return o.auth.key
}

func (o *Org) jwksLocked() *reply {
	pub := o.keyLocked().PublicKey
	b64 := base64.RawURLEncoding
	return jsonReply(200, ordered{{"keys", []ordered{{{"kty", "RSA"}, {"n", b64.EncodeToString(pub.N.Bytes())},
		{"e", b64.EncodeToString(big.NewInt(int64(pub.E)).Bytes())}, {"use", "sig"}, {"alg", "RS256"}, {"kid", keyID}}}}})
}

// idClaims is what an id token says besides its times.
type idClaims struct{ issuer, audience, subject, access, nonce string }

// idTokenLocked signs an OpenID Connect id token (OpenID Connect Core 1.0, section 2).
func (o *Org) idTokenLocked(c idClaims) string {
	b64 := base64.RawURLEncoding
	sum := sha256.Sum256([]byte(c.access))
	now := o.now()
	claims := ordered{{"at_hash", b64.EncodeToString(sum[:16])}, {"sub", c.subject}, {"aud", c.audience}, {"iss", c.issuer},
		{"exp", now.Add(2 * time.Minute).Unix()}, {"iat", now.Unix()}}
	if c.nonce != "" {
		claims = append(claims, kv{"nonce", c.nonce})
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic("salesforcetest: " + err.Error()) // strings and numbers always encode
	}
	signed := b64.EncodeToString([]byte(`{"kid":"`+keyID+`","typ":"JWT","alg":"RS256"}`)) + "." + b64.EncodeToString(body)
	digest := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, o.keyLocked(), crypto.SHA256, digest[:])
	if err != nil {
		panic("salesforcetest: " + err.Error())
	}
	return signed + "." + b64.EncodeToString(sig)
}
