package agent_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"hawser/app/control"
	"hawser/auth/oauth/browsertest"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// person is somebody with a browser at a login page.
type person struct {
	scene    *scene
	browser  *rod.Browser
	opened   string // the file in which the agent's own opening of a browser is recorded
	user     string
	password string
	answer   string // the button of the consent page

	title, text, address string // of the page where it ended; the address with the page's referrer
}

// visit waits for the agent to open its browser, compares the address with the one that the
// command line shows, and signs in there in Chromium.
func (p *person) visit(ctx context.Context, shown string) error {
	opened, err := p.record(ctx)
	if err != nil {
		return err
	}
	if opened != shown {
		p.scene.t.Errorf("the browser was opened at %s, the command line shows %s", opened, shown)
	}
	page, err := p.browser.Context(ctx).Page(proto.TargetCreateTarget{URL: opened})
	if err != nil {
		return err
	}
	defer func() { _ = page.Close() }()
	err = browsertest.Do(page, browsertest.Type("#username", p.user), browsertest.Type("#password", p.password), browsertest.Press("#login"),
		browsertest.Press(p.answer), browsertest.Read("h1 + #text", &p.text), browsertest.Read("h1", &p.title))
	if err != nil {
		return err
	}
	where, err := page.Eval("() => location.href + ' ' + document.referrer")
	if err != nil {
		return err
	}
	p.address = where.Value.Str()
	return nil
}

// record returns the address that the agent gave to BROWSER.
func (p *person) record(ctx context.Context) (string, error) {
	for ; ; time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(p.opened)
		if address := strings.TrimSpace(string(raw)); err == nil && strings.HasSuffix(string(raw), "\n") {
			return address, os.Remove(p.opened)
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("the agent opened no browser: %w", ctx.Err())
		}
	}
}

// ends checks the page where the sign-in ended.
func (p *person) ends(t testing.TB, title string) {
	t.Helper()
	if p.title != title || !strings.Contains(p.text, "You can close this tab.") {
		t.Errorf("the browser ended at %q: %q, want %q", p.title, p.text, title)
	}
	for _, secret := range []string{"code=", "state=", "error"} {
		if p.address == "" || strings.Contains(p.address, secret) {
			t.Errorf("the address bar holds %s", p.address)
		}
	}
}

// TestBrowserSignIn signs in on both sides in a real browser, which the agent opened itself: first
// refusing, then allowing, then carrying a mail.
func TestBrowserSignIn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real browser and a real Dovecot")
	}
	t.Parallel()
	needs(t, "chromium", "xdg-open")
	s := newScene(t, nil)
	browser := browsertest.Start(t)
	opened := filepath.Join(s.user.home, "opened")
	script := filepath.Join(s.user.home, "browser")
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nprintf '%%s\\n' \"$1\" >>'%s'\n", opened), 0o700); err != nil {
		t.Fatal(err)
	}
	s.user.env = append(s.user.env, "BROWSER="+script)
	s.user.start()
	people := map[string]*person{
		"salesforce": {user: salesforcetest.DefaultUsername, password: salesforcetest.DefaultPassword},
		"mail":       {user: mailUser, password: mailPassword},
	}
	for _, side := range []string{"salesforce", "mail"} {
		p := people[side]
		p.scene, p.browser, p.opened, p.answer = s, browser, opened, "#deny"
		s.signsIn(side, p.visit).refuses(t, "signin "+side+" with Deny", fault.ConsentRefused, 4)
		p.ends(t, "You are not signed in")
	}
	var st control.Status
	if s.user.ask(&st, "status"); st.State != control.NeedsSignIn || st.Salesforce.SignedIn || st.Mail.SignedIn {
		t.Errorf("after two refusals: %+v", st)
	}
	if n := len(s.org.Tokens()) + len(s.issuer.Tokens()); n != 0 {
		t.Errorf("%d tokens were given out after two refusals", n)
	}
	for _, side := range []string{"salesforce", "mail"} {
		p := people[side]
		p.answer = "#approve"
		if out := s.signsIn(side, p.visit); out.code != 0 || !strings.Contains(out.stdout, "Signed in.") {
			t.Fatalf("hawser signin %s exits with %d: %s%s", side, out.code, out.stdout, out.stderr)
		}
		p.ends(t, "You are signed in")
	}
	if s.user.ask(&st, "status"); !st.Salesforce.SignedIn || !st.Mail.SignedIn ||
		st.Salesforce.Account != salesforcetest.DefaultUsername || st.Mail.Account != mailUser {
		t.Errorf("after both sign-ins: %+v", st)
	}
	s.mark("after a real sign-in")
	s.saved("after a real sign-in")
}
