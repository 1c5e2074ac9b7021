package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hawser/app/server/admin"
	"hawser/auth/oauth/oauthtest"
	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/sync/salesforce/salesforcetest"
)

// pageService is a service with TLS, a company and two admins of it.
type pageService struct {
	*service
	url, signIn string
}

func startPage(t *testing.T) *pageService {
	t.Helper()
	file := sqliteFile(t)
	db, err := tenantdb.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	vault, err := openVault(t.Context(), filepath.Join(filepath.Dir(file), "master.key"), db)
	if err != nil {
		t.Fatal(err)
	}
	org := &salesforcetest.Org{}
	sites := httptest.NewServer(org)
	t.Cleanup(sites.Close)
	front := httptest.NewUnstartedServer(nil)
	p := &pageService{url: "https://" + front.Listener.Addr().String()}
	p.service, err = newService(db, vault, slog.New(slog.DiscardHandler), serveOptions{authority: front.Listener.Addr().String(), certFile: "a file"})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = p.handler()
	front.StartTLS()
	t.Cleanup(front.Close)
	org.AddApp(salesforcetest.App{ClientID: "web", Callbacks: []string{p.url + "/admin/callback"}, Scopes: []string{"openid"}})
	tenant := provision.Tenant{ID: provision.NewTenantID(), Name: "acme", CreatedAt: time.Now()}
	tenant.Sites = []provision.Site{{Issuer: sites.URL, OrgID: org.OrgID(), ClientIDs: []string{clientID}, AdminClientID: "web"}}
	if err := db.CreateTenant(t.Context(), tenant, operator("tenant.create", tenant.ID)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"boss", "deputy"} {
		u := org.AddUser(salesforcetest.User{Username: name + "@acme.example"})
		one := provision.Admin{Account: provision.Account{OrgID: org.OrgID(), UserID: u.ID}}
		if err := db.PutAdmin(t.Context(), reqsig.Operator(tenant.ID), one, operator("admin.put", u.ID)); err != nil {
			t.Fatal(err)
		}
	}
	p.signIn = p.url + admin.SignInPath(tenant.ID) + "/0"
	return p
}

// browser is a client that keeps cookies and believes the test's certificate.
func (p *pageService) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func (p *pageService) signedIn(t *testing.T, user string) *http.Client {
	t.Helper()
	c := p.browser(t)
	status, page, err := (&oauthtest.Browser{Client: c, User: user + "@acme.example", Password: salesforcetest.DefaultPassword}).Visit(t.Context(), p.signIn)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s is not signed in: %d %v %s", user, status, err, page)
	}
	return c
}

// get returns the status of a page.
func (p *pageService) get(t *testing.T, c *http.Client, path string) int {
	t.Helper()
	resp, err := c.Do(get(t, p.url+path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// TestAdminPageLimits: strangers who flood do not keep an admin of the same address out, and one admin
// who floods does not keep out another.
func TestAdminPageLimits(t *testing.T) {
	t.Parallel()
	p := startPage(t)
	boss, deputy, stranger := p.signedIn(t, "boss"), p.signedIn(t, "deputy"), p.browser(t)
	flood := func(c *http.Client, most int) {
		t.Helper()
		for range most {
			if p.get(t, c, "/admin/") == http.StatusTooManyRequests {
				return
			}
		}
		t.Errorf("nobody stops the flood")
	}
	flood(stranger, 3*strangerBurst)
	for name, c := range map[string]*http.Client{"boss": boss, "deputy": deputy} {
		if status := p.get(t, c, "/admin/users"); status != http.StatusOK {
			t.Errorf("a stranger's flood keeps %s out: %d", name, status)
		}
	}
	flood(boss, 3*adminBurst)
	if status := p.get(t, deputy, "/admin/users"); status != http.StatusOK {
		t.Errorf("one admin's flood keeps another out: %d", status)
	}
	// A full page sends admins away, and computers do not notice.
	for range cap(p.admin.inWork) {
		p.admin.inWork <- struct{}{}
	}
	if status := p.get(t, deputy, "/admin/users"); status != http.StatusServiceUnavailable {
		t.Errorf("a full page answers %d", status)
	}
	if status := p.get(t, stranger, "/v1/openapi.json"); status != http.StatusOK {
		t.Errorf("beside a full page the protocol answers %d", status)
	}
	for range cap(p.admin.inWork) {
		<-p.admin.inWork
	}
	var out strings.Builder
	p.metrics.print(&out)
	for _, want := range []string{`route="/admin/users",code="200"`, `route="/admin/callback",code="303"`, `event="sent_away",kind="page"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(out.String(), "/n_") {
		t.Error("the metrics name a tenant")
	}
}

// TestBase: where browsers are sent back to.
func TestBase(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		o    serveOptions
		want string
	}{
		{serveOptions{authority: "127.0.0.1:8440"}, "http://127.0.0.1:8440"},
		{serveOptions{authority: "localhost:8440"}, "http://localhost:8440"},
		{serveOptions{authority: "127.0.0.1:8440", certFile: "x"}, "https://127.0.0.1:8440"},
		{serveOptions{authority: "hawser.example.com"}, "https://hawser.example.com"}, // a proxy on this machine
		{serveOptions{authority: "[::1]:8440"}, "http://[::1]:8440"},
	} {
		if got := one.o.base(); got != one.want {
			t.Errorf("%+v: %s", one.o, got)
		}
	}
	r := startOn(t, sqliteFile(t))
	if status, _, h := send1(t, get(t, r.url+"/admin/")); status != http.StatusForbidden || h.Get("Strict-Transport-Security") != "" {
		t.Errorf("without TLS: %d %v", status, fmt.Sprint(h))
	}
}
