package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hawser/auth/reqsig"
)

// AdminSignIn tells who signs in to the admin page, by the rules of a registration. It is safe for
// concurrent use.
type AdminSignIn struct{ issuers *issuers }

// NewAdminSignIn returns one that reads the issuers' documents with client; nil is one with a
// time-out of 10 s that follows no redirect.
func NewAdminSignIn(client *http.Client, now func() time.Time) *AdminSignIn {
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: noRedirect}
	}
	return &AdminSignIn{&issuers{http: client, now: now}}
}

// Endpoints are the addresses of a site's sign-in, each https, or http on this machine.
type Endpoints struct {
	Authorize, Token string
	Revoke           string // "" when the site has none
}

// Endpoints reads a site's discovery document. Its errors are a [Problem] with status 503.
func (a *AdminSignIn) Endpoints(ctx context.Context, site Site) (Endpoints, error) {
	about, err := a.issuers.about(ctx, site.Issuer)
	if err == nil && (!safeAddress(about.Authorize) || !safeAddress(about.Token)) {
		err = errors.New("discovery: an address is missing or not https")
	}
	if err != nil {
		return Endpoints{}, fmt.Errorf("%w: %w", problem(http.StatusServiceUnavailable, reqsig.CodeUnavailable), err)
	}
	if !safeAddress(about.Revoke) {
		about.Revoke = ""
	}
	return Endpoints{about.Authorize, about.Token, about.Revoke}, nil
}

// Account returns whom an id_token proves that the site issued for its admin page. Its errors are a
// [Problem]: [CodeIdentity], [CodeIdentityStale], or status 503 when the site cannot be asked.
func (a *AdminSignIn) Account(ctx context.Context, site Site, token, nonce string) (Account, error) {
	if site.AdminClientID == "" {
		return Account{}, problem(http.StatusForbidden, CodeIdentity)
	}
	account, err := a.issuers.account(ctx, token, nonce, []Site{site}, func(s Site) []string { return []string{s.AdminClientID} })
	switch {
	case errors.Is(err, errStale):
		err = problem(http.StatusForbidden, CodeIdentityStale)
	case errors.Is(err, errNotProven):
		err = problem(http.StatusForbidden, CodeIdentity)
	}
	return account, err
}

// IsUserID reports whether a text can be a user's external id.
func IsUserID(text string) bool { return externalID.MatchString(text) }

// IsGroup reports whether a text can be the name of a group.
func IsGroup(text string) bool { return groupName.MatchString(text) }
