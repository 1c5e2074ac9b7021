package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"

	"hawser/app/control"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// chromium starts a real browser for the length of the test.
func chromium(t testing.TB) *rod.Browser {
	t.Helper()
	needs(t, "chromium")
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	l := launcher.New().Bin(bin).NoSandbox(true).Headless(true).Leakless(false).UserDataDir(shortDir(t)).
		Set("disable-gpu").Set("no-first-run").Set("disable-background-networking").Set("disable-component-update").Set("disable-sync").
		Append("disable-features", "BackForwardCache") // a frozen page that the test still asks never answers
	address, err := l.Launch()
	if err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	t.Cleanup(func() {
		l.Kill()
		l.Cleanup()
	})
	b := rod.New().Context(t.Context()).ControlURL(address)
	if err := b.Connect(); err != nil {
		t.Fatalf("connect to chromium: %v", err)
	}
	return b
}

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
	for _, step := range []struct {
		selector string
		do       func(*rod.Element) error
	}{
		{"#username", func(e *rod.Element) error { return errors.Join(e.SelectAllText(), e.Input(p.user)) }},
		{"#password", func(e *rod.Element) error { return e.Input(p.password) }},
		{"#login", press},
		{p.answer, press},
		{"h1 + #text", func(e *rod.Element) (err error) { p.text, err = e.Text(); return err }},
		{"h1", func(e *rod.Element) (err error) { p.title, err = e.Text(); return err }},
	} {
		e, err := find(ctx, page, step.selector)
		if err == nil {
			err = step.do(e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.selector, err)
		}
	}
	where, err := page.Eval("() => location.href + ' ' + document.referrer")
	if err != nil {
		return err
	}
	p.address = where.Value.Str()
	return nil
}

func press(e *rod.Element) error { return e.Click(proto.InputMouseButtonLeft, 1) }

// find waits for an element.
func find(ctx context.Context, page *rod.Page, selector string) (*rod.Element, error) {
	e, err := page.Context(ctx).Timeout(30 * time.Second).Element(selector)
	if err != nil {
		return nil, err
	}
	return e.CancelTimeout(), nil
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
	browser := chromium(t)
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
