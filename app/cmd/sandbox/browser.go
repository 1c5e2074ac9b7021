package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"hawser/auth/oauth/oauthtest"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest"
)

// browse signs the demo's user in at a login page and allows what is asked for.
func browse(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if strings.HasPrefix(u.Path, salesforcetest.SitePath) {
		return salesforcetest.Approve(ctx, nil, address, orgUser, orgPassword)
	}
	return oauthtest.Approve(ctx, nil, address, sourcetest.DemoUser, sourcetest.DemoPassword)
}
