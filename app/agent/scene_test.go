package agent_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest"
	"hawser/sync/sourcetest/dovecottest"
)

const (
	mailUser     = "alice@example.org"
	mailPassword = "password"
)

// scene is a whole world for one test: a real Dovecot behind a proxy, a pretend mail sign-in, a
// pretend org, and one person's computer.
type scene struct {
	t       testing.TB
	dovecot *dovecottest.Server
	proxy   *dovecottest.Proxy
	issuer  *oauthtest.Issuer
	org     *salesforcetest.Org
	site    string
	user    *user

	userSettings map[string]any // of user's config.json
}

// newScene starts everything but the agent. The org is a site with the Hawser package installed,
// unless change says otherwise.
func newScene(t testing.TB, change func(*salesforcetest.Org)) *scene {
	t.Helper()
	s := &scene{t: t, issuer: &oauthtest.Issuer{}, org: &salesforcetest.Org{External: true, MailKey: true}}
	if change != nil {
		change(s.org)
	}
	s.dovecot = dovecottest.Start(t, dovecottest.Config{Active: s.issuer.Active})
	s.dovecot.Do(t, mailUser, "CREATE Salesforce")
	s.proxy = dovecottest.NewProxy(t, s.dovecot.Addr)
	login := httptest.NewServer(s.issuer)
	t.Cleanup(login.Close)
	org := httptest.NewServer(s.org)
	t.Cleanup(org.Close)
	s.site = strings.Replace(org.URL, "127.0.0.1", "localhost", 1) + salesforcetest.SitePath
	s.populate()
	ca := filepath.Join(shortDir(t), "ca.pem")
	if err := os.WriteFile(ca, s.dovecot.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	s.userSettings = map[string]any{
		"salesforce": map[string]any{"site": s.site, "clientId": salesforcetest.DefaultClientID, "dailyCalls": 100_000},
		"mail": map[string]any{
			"issuer": login.URL, "clientId": "hawser", "scopes": []string{"openid", "email", "mail", "offline_access"}, "imap": s.proxy.Addr,
		},
		"trust": map[string]any{"hosts": []string{strings.TrimPrefix(org.URL, "http://"), strings.Replace(org.URL, "http://127.0.0.1", "localhost", 1)}, "caFile": ca},
	}
	s.user = newUser(t, s.userSettings)
	return s
}

// populate gives the org the people who write the generated mails.
func (s *scene) populate() {
	for _, p := range sourcetest.DemoPeople() {
		if p.Type == "Contact" {
			s.org.Insert("Contact", map[string]any{"LastName": p.Name, "Email": p.Email})
		}
	}
}

// signIn signs in on both sides with a form-filling browser.
func (s *scene) signIn() {
	s.t.Helper()
	for _, side := range []string{"salesforce", "mail"} {
		if err := s.signInAs(side, salesforcetest.DefaultUsername, salesforcetest.DefaultPassword); err != nil {
			s.t.Fatalf("sign in to %s: %v", side, err)
		}
	}
}

// signInAs signs in on one side; the names are those of the Salesforce user.
func (s *scene) signInAs(side, username, password string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	c, err := s.user.client(ctx)
	if err != nil {
		return err
	}
	filled := make(chan error, 1)
	err = c.SignIn(ctx, side, func(step control.SignInStep) {
		if step.Step != "browser" {
			return
		}
		go func() {
			if side == "mail" {
				filled <- oauthtest.Approve(ctx, plainClient(), step.URL, mailUser, mailPassword)
				return
			}
			filled <- salesforcetest.Approve(ctx, plainClient(), step.URL, username, password)
		}()
	})
	if err != nil {
		return err
	}
	return <-filled
}

// await waits until the agent has captured n mails and nothing waits.
func (s *scene) await(n int, limit time.Duration) control.Status {
	s.t.Helper()
	var last control.Status
	waitFor(s.t, limit, fmt.Sprintf("%d captured mails", n), func() bool {
		got, err := s.user.statusErr()
		if err == nil {
			last = got
		}
		return err == nil && got.Counts.Captured >= n && got.Counts.Waiting == got.Counts.NeedsYou
	})
	s.conserved(last)
	return last
}

// conserved checks the law: what was seen is captured, filtered, held or waiting.
func (s *scene) conserved(st control.Status) {
	s.t.Helper()
	if c := st.Counts; c.Seen != c.Captured+c.Filtered+c.Held+c.Waiting {
		s.t.Errorf("the numbers do not add up: %+v", c)
	}
}

// records returns the org's e-mails by Message-ID and fails on doubles.
func (s *scene) records() map[string]map[string]any {
	s.t.Helper()
	byID := map[string]map[string]any{}
	for _, r := range s.org.Records("EmailMessage") {
		id, _ := r["MessageIdentifier"].(string)
		key, _ := r["Mail_Key__c"].(string)
		if id == "" {
			id = key
		}
		if _, twice := byID[id+key]; twice {
			s.t.Errorf("two records of one mail")
		}
		byID[id+key] = r
		byID[id] = r
	}
	return byID
}

// corpus returns the real and broken mails kept beside the project, or skips the test.
func corpus(t testing.TB) [][]byte {
	t.Helper()
	dir, _ := filepath.Abs(".")
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		top := filepath.Join(dir, "shared", "corpus")
		if _, err := os.Stat(top); err != nil {
			continue
		}
		var mails [][]byte
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") && !strings.HasSuffix(path, ".raw") {
				return err
			}
			raw, err := os.ReadFile(path)
			mails = append(mails, raw)
			return err
		})
		if err != nil || len(mails) == 0 {
			t.Fatalf("read corpus: %v", err)
		}
		return mails
	}
	return nil
}
