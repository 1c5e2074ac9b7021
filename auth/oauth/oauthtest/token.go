package oauthtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	communityID = "0DB5p000000k9n9GAA"
	defaultOrg  = "00D3D00000017VmUAI"
	// introspectUser and introspectPass are what a mail server authenticates with (RFC 7662).
	introspectUser = "dovecot"
	introspectPass = "s3cret"
	// tenant is the Microsoft directory of every user.
	tenant = "7c1b3f0e-3f0b-4f0c-9a57-0d5b6c2a9e11"
)

type refusal struct{ code, description string }

func (s *Issuer) token(w http.ResponseWriter, r *http.Request) {
	m := s.take(func(m Mischief) bool {
		return m.TokenError != "" || m.TokenStatus != 0 || m.TokenDelay != 0 || m.TokenHook != nil || m.LoseReply || m.RawReply != "" ||
			m.ExpireCodes || m.Change != nil || m.BadNonce
	})
	if m.TokenDelay > 0 {
		select {
		case <-time.After(m.TokenDelay):
		case <-r.Context().Done():
			return
		}
	}
	if m.TokenHook != nil {
		m.TokenHook()
	}
	switch {
	case r.Method != http.MethodPost:
		s.refuse(w, refusal{"invalid_request", "must use HTTP POST"})
		return
	case m.TokenStatus != 0:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(m.TokenStatus)
		_, _ = w.Write([]byte("<html><body>We are down for maintenance.</body></html>"))
		return
	case m.TokenError != "":
		s.refuse(w, refusal{m.TokenError, m.TokenDescription})
		return
	case m.RawReply != "":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(m.RawReply))
		return
	}
	doc, no := s.redeem(r, m)
	if no != nil {
		s.refuse(w, *no)
		return
	}
	for name, value := range m.Change {
		if value == nil {
			delete(doc, name)
			continue
		}
		doc[name] = value
	}
	if m.LoseReply {
		panic(http.ErrAbortHandler)
	}
	reply(w, http.StatusOK, doc)
}

func (s *Issuer) refuse(w http.ResponseWriter, no refusal) {
	status := http.StatusBadRequest
	if no.code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	reply(w, status, map[string]any{"error": no.code, "error_description": no.description})
}

// redeem turns a code or a refresh token into a token answer.
func (s *Issuer) redeem(r *http.Request, m Mischief) (map[string]any, *refusal) {
	f := r.PostForm
	c, ok := s.client(f.Get("client_id"))
	if !ok {
		return nil, &refusal{s.dialect("invalid_client_id", "unauthorized_client"), s.dialect("client identifier invalid", "AADSTS700016: Application not found")}
	}
	if secret := f.Get("client_secret"); c.Secret != "" && secret != c.Secret || s.Flavour == Google && secret == "" {
		return nil, &refusal{"invalid_client", "invalid client credentials"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.Get("grant_type") {
	case "authorization_code":
		return s.exchangeLocked(r, f, m)
	case "refresh_token":
		return s.renewLocked(r, f)
	}
	return nil, &refusal{"unsupported_grant_type", "grant type not supported"}
}

func (s *Issuer) exchangeLocked(r *http.Request, f url.Values, m Mischief) (map[string]any, *refusal) {
	g := s.codes[f.Get("code")]
	switch {
	case g == nil:
		return nil, &refusal{"invalid_grant", "invalid authorization code"}
	case g.used:
		// RFC 6749 section 4.1.2: a code that comes twice ends what the first use brought.
		s.dropLocked(func(t *token) bool { return t.family == g.family })
		fallthrough
	case time.Now().After(g.expires), m.ExpireCodes:
		return nil, &refusal{"invalid_grant", s.dialect("expired authorization code", "AADSTS70008: The provided authorization code has expired")}
	case g.client != f.Get("client_id"), g.redirect != f.Get("redirect_uri"):
		return nil, &refusal{"invalid_grant", "invalid authorization code"}
	}
	sum := sha256.Sum256([]byte(f.Get("code_verifier")))
	if !s.NoPKCE && base64.RawURLEncoding.EncodeToString(sum[:]) != strings.TrimRight(g.challenge, "=") {
		return nil, &refusal{"invalid_grant", "invalid code verifier"}
	}
	g.used = true
	doc := s.answerLocked(r, g, g.granted)
	if s.wantsRefreshLocked(g) {
		doc["refresh_token"] = s.mintLocked(s.refreshLocked(), "rt", g).value
	}
	if slices.Contains(g.granted, "openid") {
		nonce := g.nonce
		if m.BadNonce {
			nonce = random("other")
		}
		doc["id_token"] = s.idTokenLocked(r, g, nonce, doc["access_token"].(string))
	}
	return doc, nil
}

func (s *Issuer) wantsRefreshLocked(g *grant) bool {
	if s.approved == nil {
		s.approved = map[string]bool{}
	}
	before := g.user.Email + " " + g.client
	seen := s.approved[before]
	s.approved[before] = true
	if s.Flavour == Google {
		return g.offline && (!seen || g.consent)
	}
	return slices.Contains(g.granted, "offline_access") || slices.Contains(g.granted, "refresh_token")
}

func (s *Issuer) renewLocked(r *http.Request, f url.Values) (map[string]any, *refusal) {
	old := s.refresh[f.Get("refresh_token")]
	gone := &refusal{"invalid_grant", "expired access/refresh token"}
	if s.Flavour == Google {
		gone.description = "Token has been expired or revoked."
	} else if s.Flavour == Microsoft {
		gone.description = "AADSTS50173: The provided grant has expired due to it being revoked"
	}
	if old == nil || old.client != "" && old.client != f.Get("client_id") {
		return nil, gone
	}
	if old.spent {
		s.dropLocked(func(t *token) bool { return t.family == old.family })
		return nil, gone
	}
	scopes, no := s.narrow(old.scopes, strings.Fields(f.Get("scope")))
	if no != nil {
		return nil, no
	}
	user := &User{Email: old.email}
	for _, u := range s.usersLocked() {
		if u.Email == old.email {
			user = &u
		}
	}
	g := &grant{family: old.family, granted: old.scopes, pending: pending{client: old.client, user: user}}
	doc := s.answerLocked(r, g, scopes)
	switch s.rotation() {
	case RotateStrict:
		old.spent = true
		doc["refresh_token"] = s.mintLocked(s.refreshLocked(), "rt", g).value
	case RotateLoose:
		doc["refresh_token"] = s.mintLocked(s.refreshLocked(), "rt", g).value
	}
	return doc, nil
}

// narrow returns the scopes of a new access token: those of the sign-in, or what is asked for. With
// one refresh token Microsoft serves every resource that somebody has consented to, one at a time.
func (s *Issuer) narrow(granted, want []string) ([]string, *refusal) {
	if len(want) == 0 {
		return granted, nil
	}
	resource := ""
	for _, scope := range want {
		at := strings.LastIndexByte(scope, '/')
		switch {
		case !slices.Contains(granted, scope) && !slices.Contains(s.Consented, scope):
			return nil, &refusal{s.dialect("invalid_scope", "invalid_grant"),
				s.dialect("scope exceeds what was granted", "AADSTS65001: The user or administrator has not consented to use the application")}
		case s.Flavour == Microsoft && at > 0 && resource != "" && resource != scope[:at]:
			return nil, &refusal{"invalid_request", "AADSTS28000: Provided value for the input parameter scope is not valid because it contains more than one resource"}
		case at > 0:
			resource = scope[:at]
		}
	}
	return want, nil
}

func (s *Issuer) answerLocked(r *http.Request, g *grant, scopes []string) map[string]any {
	h := *g
	h.granted = scopes
	doc := map[string]any{"access_token": s.mintLocked(s.accessLocked(), "at", &h).value, "token_type": "Bearer", "scope": strings.Join(scopes, " ")}
	if s.Flavour != Salesforce {
		doc["expires_in"] = int(orElse(s.TokenLife, time.Hour) / time.Second)
		return doc
	}
	u, _ := url.Parse(s.base(r))
	doc["id"] = s.identity(r, g.user)
	doc["instance_url"] = first(s.InstanceURL, u.Scheme+"://"+u.Host)
	doc["issued_at"] = strconv.FormatInt(time.Now().UnixMilli(), 10)
	doc["signature"] = "c2lnbmF0dXJl"
	if s.CommunityURL != "" {
		doc["sfdc_community_url"], doc["sfdc_community_id"] = s.CommunityURL, communityID
	}
	return doc
}

// subject is the stable id of a user, an 18-character user id for Salesforce.
func (s *Issuer) subject(u *User) string {
	if u.Subject != "" {
		return u.Subject
	}
	sum := sha256.Sum256([]byte(strings.ToLower(u.Email)))
	id := hex.EncodeToString(sum[:])
	if s.Flavour == Salesforce {
		return "005" + id[:12] + "AAA"
	}
	return id[:21]
}

func (s *Issuer) identity(r *http.Request, u *User) string {
	at, _ := url.Parse(s.base(r))
	return at.Scheme + "://" + at.Host + "/id/" + first(s.OrgID, defaultOrg) + "/" + s.subject(u)
}

func (s *Issuer) claims(r *http.Request, u *User) map[string]any {
	c := map[string]any{"sub": s.subject(u), "email": u.Email, "email_verified": true, "preferred_username": u.Email, "name": u.Email}
	switch s.Flavour {
	case Salesforce:
		c["sub"], c["user_id"], c["organization_id"], c["username"] = s.identity(r, u), s.subject(u), first(s.OrgID, defaultOrg), u.Email
	case Microsoft:
		c["tid"], c["oid"], c["xms_edov"] = tenant, s.subject(u), true
		delete(c, "email_verified")
	}
	return c
}

func (s *Issuer) idTokenLocked(r *http.Request, g *grant, nonce, access string) string {
	now, sum := time.Now(), sha256.Sum256([]byte(access))
	c := s.claims(r, g.user)
	c["iss"], c["aud"], c["iat"], c["exp"] = s.base(r), g.client, now.Unix(), now.Add(2*time.Minute).Unix()
	c["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	if nonce != "" {
		c["nonce"] = nonce
	}
	body, _ := json.Marshal(c)
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT","kid":"1"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	hash := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.keyLocked(), crypto.SHA256, hash[:])
	if err != nil {
		panic(err) // a 2048-bit key signs every SHA-256 sum
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (s *Issuer) keyLocked() *rsa.PrivateKey {
	if s.key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err) // only a broken random source
		}
		s.key = key
	}
	return s.key
}

func (s *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	pub := s.keyLocked().PublicKey
	s.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
		"n": base64.RawURLEncoding.EncodeToString(pub.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(pub.E)).Bytes()),
	}}})
}

func (s *Issuer) userinfo(w http.ResponseWriter, r *http.Request) {
	t, ok := s.lookup(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if !ok {
		if s.Flavour == Salesforce {
			http.Error(w, "Bad_OAuth_Token", http.StatusForbidden)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "invalid token", http.StatusUnauthorized)
		return
	}
	u := s.find(t.email)
	if u == nil {
		u = &User{Email: t.email}
	}
	reply(w, http.StatusOK, s.claims(r, u))
}

// graphMe is Microsoft Graph's GET /me, for a token of Graph's alone.
func (s *Issuer) graphMe(w http.ResponseWriter, r *http.Request) {
	t, ok := s.lookup(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if !ok || !slices.Contains(t.scopes, "https://graph.microsoft.com/User.Read") {
		reply(w, http.StatusUnauthorized, map[string]any{"error": map[string]any{"code": "InvalidAuthenticationToken", "message": "Access token validation failure. Invalid audience."}})
		return
	}
	doc := map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity"}
	u := s.find(t.email)
	if u == nil {
		u = &User{Email: t.email}
	}
	all := map[string]any{"id": s.subject(u), "mail": u.Email, "userPrincipalName": u.Email, "proxyAddresses": append([]string{}, u.Addresses...), "otherMails": []string{}}
	for _, name := range strings.Split(r.URL.Query().Get("$select"), ",") {
		if v, known := all[name]; known {
			doc[name] = v
		}
	}
	reply(w, http.StatusOK, doc)
}

// revoke ends a refresh token with its family, or one access token (RFC 7009).
func (s *Issuer) revoke(w http.ResponseWriter, r *http.Request) {
	v := r.Form.Get("token")
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[v]
	if t != nil {
		s.dropLocked(func(o *token) bool { return o.family == t.family })
		return
	}
	if s.access[v] == nil && s.Flavour == Salesforce {
		s.refuse(w, refusal{"unsupported_token_type", "this token type is not supported"})
		return
	}
	delete(s.access, v)
}

func (s *Issuer) introspect(w http.ResponseWriter, r *http.Request) {
	id, pass, basic := r.BasicAuth()
	if !basic {
		id, pass = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id != introspectUser || pass != introspectPass {
		s.refuse(w, refusal{"invalid_client", "invalid client credentials"})
		return
	}
	t, ok := s.lookup(r.PostForm.Get("token"))
	if !ok {
		reply(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	reply(w, http.StatusOK, map[string]any{"active": true, "email": t.email, "username": t.email, "sub": t.email,
		"scope": strings.Join(t.scopes, " "), "client_id": t.client, "token_type": "access_token", "exp": t.expires.Unix()})
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
