package provision_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"hawser/auth/provision"
)

// TestB38AdminIdentity: an admin is who the site's own id_token says, made for the page's app, for this
// sign-in, just now; no e-mail address makes one.
func TestB38AdminIdentity(t *testing.T) {
	t.Parallel()
	site, stranger := newIssuer(t), newIssuer(t)
	now := time.Now()
	s := provision.NewAdminSignIn(nil, time.Now)
	trusted := provision.Site{Issuer: site.URL, OrgID: orgA, ClientIDs: []string{client}, AdminClientID: "web"}
	good := func() map[string]any {
		return map[string]any{
			"iss": site.URL, "aud": "web", "sub": "https://login.salesforce.com/id/" + orgA + "/" + userA, "nonce": "n",
			"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "email": "boss@corp.example", "email_verified": true,
		}
	}
	account, err := s.Account(t.Context(), trusted, site.token(t, good()), "n")
	if err != nil || account != (provision.Account{OrgID: orgA, UserID: userA}) {
		t.Fatalf("%+v %v", account, err)
	}
	for name, change := range map[string]struct {
		claim string
		value any
		code  string
	}{
		"the agents' app":       {"aud", client, provision.CodeIdentity},
		"no app":                {"aud", "", provision.CodeIdentity},
		"another sign-in":       {"nonce", "m", provision.CodeIdentity},
		"no nonce":              {"nonce", nil, provision.CodeIdentity},
		"another org":           {"sub", "https://login.salesforce.com/id/00D000000000002EAA/" + userA, provision.CodeIdentity},
		"an address as id":      {"sub", "boss@corp.example", provision.CodeIdentity},
		"another issuer":        {"iss", stranger.URL, provision.CodeIdentity},
		"issuer with a slash":   {"iss", site.URL + "/", provision.CodeIdentity},
		"yesterday":             {"iat", now.Add(-24 * time.Hour).Unix(), provision.CodeIdentityStale},
		"over":                  {"exp", now.Add(-time.Hour).Unix(), provision.CodeIdentityStale},
		"tomorrow":              {"iat", now.Add(24 * time.Hour).Unix(), provision.CodeIdentity},
		"several, none of them": {"aud", []string{"x", "y"}, provision.CodeIdentity},
	} {
		claims := good()
		claims[change.claim] = change.value
		_, err := s.Account(t.Context(), trusted, site.token(t, claims), "n")
		var p *provision.Problem
		if !errors.As(err, &p) || p.Code != change.code {
			t.Errorf("%s: %v, want %s", name, err, change.code)
		}
	}
	none := trusted
	none.AdminClientID = ""
	claims := good()
	claims["aud"] = ""
	if _, err := s.Account(t.Context(), none, site.token(t, claims), "n"); err == nil {
		t.Error("a site without an app signs admins in")
	}
	for _, token := range []string{"", "a.b.c", stranger.token(t, claims)[:40]} {
		if _, err := s.Account(t.Context(), trusted, token, "n"); err == nil {
			t.Errorf("%q signs somebody in", token)
		}
	}
	site.set(func() { site.down = true })
	_, err = provision.NewAdminSignIn(nil, time.Now).Account(t.Context(), trusted, site.token(t, good()), "n")
	var p *provision.Problem
	if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable {
		t.Errorf("a site that is down: %v", err)
	}
	if _, err := s.Endpoints(t.Context(), trusted); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable {
		t.Errorf("its addresses: %v", err)
	}
}
