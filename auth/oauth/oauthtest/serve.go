package oauthtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ServeHTTP implements [http.Handler].
func (s *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if u, err := url.Parse(s.URL); err == nil {
		path = strings.TrimPrefix(path, strings.TrimSuffix(u.Path, "/"))
	}
	path = strings.TrimPrefix(path, "/services/oauth2")
	name, handler := s.route(path)
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	if name == "token" {
		name += ":" + r.PostForm.Get("grant_type")
	}
	s.mu.Lock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[name]++
	s.mu.Unlock()
	handler(w, r)
}

func (s *Issuer) route(path string) (name string, h http.HandlerFunc) {
	switch {
	case strings.HasPrefix(path, "/.well-known/openid-configuration"), strings.HasPrefix(path, "/.well-known/oauth-authorization-server"):
		return "metadata", s.metadata
	case path == "/authorize":
		return "authorize", s.authorize
	case path == "/login":
		return "login", s.login
	case path == "/consent":
		return "consent", s.consent
	case path == "/token":
		return "token", s.token
	case path == "/userinfo":
		return "userinfo", s.userinfo
	case strings.HasPrefix(path, "/id/") && path != "/id/keys":
		return "identity", s.userinfo
	case path == "/jwks", path == "/id/keys":
		return "keys", s.keys
	case path == "/revoke":
		return "revoke", s.revoke
	case path == "/introspect":
		return "introspect", s.introspect
	case path == "/v1.0/me" && s.Flavour == Microsoft:
		return "graph", s.graphMe
	}
	return "", nil
}

func (s *Issuer) base(r *http.Request) string {
	if s.URL != "" {
		return strings.TrimSuffix(s.URL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// endpoint returns the path below base that this flavour advertises.
func (s *Issuer) endpoint(name string) string {
	if s.Flavour != Salesforce {
		return "/" + name
	}
	if name == "jwks" {
		return "/id/keys"
	}
	return "/services/oauth2/" + name
}

func (s *Issuer) metadata(w http.ResponseWriter, r *http.Request) {
	base := s.base(r)
	doc := map[string]any{
		"issuer":                                base,
		"authorization_endpoint":                base + s.endpoint("authorize"),
		"token_endpoint":                        base + s.endpoint("token"),
		"revocation_endpoint":                   base + s.endpoint("revoke"),
		"introspection_endpoint":                base + s.endpoint("introspect"),
		"userinfo_endpoint":                     base + s.endpoint("userinfo"),
		"jwks_uri":                              base + s.endpoint("jwks"),
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
	if !s.NoPKCE {
		doc["code_challenge_methods_supported"] = []string{"S256"}
	}
	if s.PromiseIss {
		doc["authorization_response_iss_parameter_supported"] = true
	}
	reply(w, http.StatusOK, doc)
}

func reply(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc)
}

func random(prefix string) string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return prefix + "_" + base64.RawURLEncoding.EncodeToString(b)
}

func orElse(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}
