package oauth

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// TestRefusalTable holds what the three providers document or are known to answer.
func TestRefusalTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at                stage
		code, description string
		want              fault.Code
	}{
		// Salesforce.
		{atRefresh, "invalid_grant", "expired access/refresh token", fault.TokenRevoked},
		{atCode, "invalid_grant", "expired authorization code", fault.CodeExpired},
		{atCode, "invalid_grant", "invalid authorization code", fault.CodeExpired},
		{atCode, "invalid_grant", "invalid code verifier", fault.CodeExpired},
		{atRefresh, "invalid_grant", "inactive user", fault.UserInactive},
		{atCode, "invalid_grant", "inactive organization", fault.UserInactive},
		{atRefresh, "inactive_org", "", fault.UserInactive},
		{atRefresh, "invalid_grant", "ip restricted", fault.LoginRestricted},
		{atRefresh, "invalid_grant", "user hasn't approved this consumer", fault.ConsentByAdmin},
		{atCode, "invalid_client_id", "client identifier invalid", fault.AppUnknown},
		{atCode, "invalid_client", "invalid client credentials", fault.AppUnknown},
		{atAuthorize, "invalid_client", "app must be installed into org", fault.AppBlocked},
		{atAuthorize, "redirect_uri_mismatch", "redirect_uri must match configuration", fault.RedirectMismatch},
		{atAuthorize, "invalid_scope", "the requested scope is invalid", fault.ScopeMissing},
		{atAuthorize, "invalid_request", "missing required code challenge", fault.SignInRefused},
		{atCode, "unsupported_grant_type", "grant type not supported", fault.SignInRefused},
		{atCode, "unauthorized_client", "", fault.AppUnknown},
		{atAuthorize, "access_denied", "end-user denied authorization", fault.ConsentRefused},
		{atAuthorize, "access-denied", "end-user denied authorization", fault.ConsentRefused},
		{atAuthorize, "OAUTH_APP_BLOCKED", "this app is blocked by admin", fault.AppBlocked},
		{atAuthorize, "OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", fault.ConsentByAdmin},
		{atAuthorize, "OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occurred during authentication. Please try again.", fault.AppBlocked},
		{atAuthorize, "OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org", fault.AppBlocked},
		{atRefresh, "rate_limit_exceeded", "too many logins", fault.TooManyRequests},
		// Google.
		{atRefresh, "invalid_grant", "Token has been expired or revoked.", fault.TokenRevoked},
		{atCode, "invalid_grant", "Malformed auth code.", fault.CodeExpired},
		{atAuthorize, "admin_policy_enforced", "", fault.ConsentByAdmin},
		{atAuthorize, "org_internal", "", fault.AppUnknown},
		{atCode, "deleted_client", "The OAuth client was deleted.", fault.AppUnknown},
		// Microsoft.
		{atAuthorize, "access_denied", "AADSTS65004: User declined to consent to access the app.", fault.ConsentRefused},
		{atAuthorize, "access_denied", "AADSTS90094: The grant requires admin permission.", fault.ConsentByAdmin},
		{atAuthorize, "consent_required", "AADSTS65001: The user or administrator has not consented", fault.ConsentByAdmin},
		{atRefresh, "invalid_grant", "AADSTS65001: The user or administrator has not consented", fault.ConsentByAdmin},
		{atRefresh, "invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.", fault.TokenRevoked},
		{atRefresh, "invalid_grant", "AADSTS70008: expired", fault.TokenRevoked},
		{atCode, "invalid_grant", "AADSTS70008: The provided authorization code or refresh token has expired", fault.CodeExpired},
		{atRefresh, "invalid_grant", "AADSTS50173: revoked", fault.TokenRevoked},
		{atRefresh, "interaction_required", "AADSTS50076: you must use multi-factor authentication", fault.TokenRevoked},
		{atRefresh, "invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies.", fault.LoginRestricted},
		{atRefresh, "invalid_grant", "AADSTS50057: The user account is disabled.", fault.UserInactive},
		{atAuthorize, "invalid_request", "AADSTS50011: The redirect URI does not match", fault.RedirectMismatch},
		{atCode, "invalid_scope", "AADSTS70011: The provided value for scope is not valid", fault.ScopeMissing},
		{atAuthorize, "unauthorized_client", "AADSTS700016: Application was not found in the directory", fault.AppUnknown},
		{atAuthorize, "interaction_required", "AADSTS50105: not assigned to a role for the application", fault.ConsentByAdmin},
		// Nobody in particular.
		{atRefresh, "temporarily_unavailable", "", fault.ServerError},
		{atAuthorize, "server_error", "", fault.ServerError},
		{atAuthorize, "something_new", "canary text", fault.SignInRefused},
		{atAuthorize, "", "", fault.SignInRefused},
	} {
		f := refusal(c.at, "test", c.code, c.description)
		if f.Code != c.want {
			t.Errorf("%d %s %q: %s, want %s", c.at, c.code, c.description, f.Code, c.want)
		}
		if strings.Contains(f.Error(), "canary") {
			t.Errorf("%v repeats foreign text", f)
		}
	}
}

func TestAdminLink(t *testing.T) {
	t.Parallel()
	const query = "/v2.0/adminconsent?client_id=app-id&redirect_uri=http%3A%2F%2Flocalhost%2F&scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All"
	for tenant, want := range map[string]string{
		"contoso.example": "https://login.microsoftonline.com/contoso.example" + query, "organizations": "https://login.microsoftonline.com/organizations" + query,
		"common": "https://login.microsoftonline.com/organizations" + query, "consumers": "",
	} {
		if got := NewMicrosoft("app-id", tenant).AdminLink(); got != want {
			t.Errorf("%s: got  %s\nwant %s", tenant, got, want)
		}
	}
	if got := NewGoogle("x", secret.String{}).AdminLink(); got != "" {
		t.Errorf("Google: %s", got)
	}
}

func TestSalesforcePaths(t *testing.T) {
	t.Parallel()
	p := NewSalesforce("https://acme.my.site.com/partners/", "id", nil)
	if p.TokenURL != "https://acme.my.site.com/partners/services/oauth2/token" || p.Issuer != "https://acme.my.site.com/partners" {
		t.Errorf("%+v", p)
	}
}

// FuzzReply: no answer of a token endpoint brings a panic, or an access token that breaks a header.
func FuzzReply(f *testing.F) {
	f.Add(200, `{"access_token":"x","token_type":"Bearer","expires_in":3600,"scope":"a b"}`)
	f.Add(400, `{"error":"invalid_grant","error_description":"AADSTS50173"}`)
	f.Add(200, `{"access_token":"x","token_type":"Bearer","expires_in":"1e400"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		a := answer{status: status, header: http.Header{}, body: []byte(body)}
		for _, at := range []stage{atCode, atRefresh} {
			r, err := readReply(at, "fuzz", a)
			if err != nil {
				if fault.Of(err).Code == fault.Internal {
					t.Errorf("no code for %v", err)
				}
				continue
			}
			if r.access == "" || strings.ContainsAny(r.access, "\r\n \x00") || r.life < 0 || !json.Valid([]byte(body)) {
				t.Errorf("accepted %q", body)
			}
		}
	})
}
