package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"hawser/auth/oauth/browsertest"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/fault"
)

// TestChromium fills the login pages of every kind of issuer in a real browser, in good days and in
// bad ones, and looks at the page where it ends.
func TestChromium(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	t.Run("stale tab", func(t *testing.T) { staleTab(t, browser) })
	t.Run("slow user", func(t *testing.T) { slowUser(t, browser) })
	for name, v := range visits {
		t.Run(name, func(t *testing.T) { v.run(t, browser) })
	}
}

// visit is one person's way through the login pages, and how it ends.
type visit struct {
	kind     Kind
	deny     bool
	mischief oauthtest.Mischief
	other    bool // than the account that is wanted
	want     fault.Code
	redeemed int // codes that reached the token endpoint
}

var visits = map[string]visit{
	"generic":            {kind: Generic, redeemed: 1},
	"google":             {kind: Google, redeemed: 1},
	"microsoft":          {kind: Microsoft, redeemed: 1},
	"salesforce":         {kind: Salesforce, redeemed: 1},
	"refusal salesforce": {kind: Salesforce, deny: true, want: fault.ConsentRefused},
	"refusal microsoft":  {kind: Microsoft, deny: true, want: fault.ConsentRefused},
	"wall microsoft": {kind: Microsoft, want: fault.ConsentByAdmin,
		mischief: oauthtest.Mischief{ConsentError: "consent_required", ConsentDescription: "AADSTS65001: The user or administrator has not consented"}},
	"wall google": {kind: Google, want: fault.ConsentByAdmin, mischief: oauthtest.Mischief{ConsentError: "admin_policy_enforced"}},
	"wall salesforce": {kind: Salesforce, want: fault.AppBlocked,
		mischief: oauthtest.Mischief{ConsentError: "invalid_client", ConsentDescription: "app must be installed into org"}},
	"wrong account": {kind: Salesforce, other: true, want: fault.WrongAccount, redeemed: 1},
	"expired code":  {kind: Generic, mischief: oauthtest.Mischief{ExpireCodes: true}, want: fault.CodeExpired, redeemed: 1},
}

func (v visit) run(t *testing.T, browser *rod.Browser) {
	iss, p := provider(t, v.kind)
	iss.Misbehave(v.mischief)
	button, want := "#approve", "Return to Hawser. You can close this tab."
	if v.deny {
		button = "#deny"
	}
	if v.want != "" {
		want = "Return to Hawser: it says what happened and what to do. You can close this tab."
	}
	var end, address string
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Timeout: 3 * time.Minute,
		Check: func(context.Context, Grant) error {
			if v.other {
				return fault.New(fault.WrongAccount, "compare accounts", nil)
			}
			return nil
		},
		Open: func(ctx context.Context, open string) error {
			page, err := logIn(browser.Context(context.WithoutCancel(ctx)), open)
			if err != nil {
				return err
			}
			defer page.MustClose()
			if err := browsertest.Do(page, browsertest.Press(button), browsertest.Read("h1 + #text", &end)); err != nil {
				return err
			}
			address = page.MustInfo().URL
			return nil
		}})
	if v.want == "" && err != nil || v.want != "" && !fault.Is(err, v.want) {
		t.Errorf("%v, want %s", err, v.want)
	}
	if end != want || !strings.HasSuffix(address, resultPath) || strings.Contains(address, "code") {
		t.Errorf("ended at %s: %s", address, end)
	}
	if n := iss.Count("token:authorization_code"); n != v.redeemed {
		t.Errorf("%d token requests", n)
	}
	if left := len(iss.Tokens()); v.want != "" && left != 0 {
		t.Errorf("%d tokens are good still", left)
	}
}

// logIn opens a login page and fills it.
func logIn(browser *rod.Browser, open string) (*rod.Page, error) {
	page, err := browser.Page(proto.TargetCreateTarget{URL: open})
	if err != nil {
		return nil, err
	}
	return page, browsertest.Do(page, browsertest.Type("#username", "alice@example.org"),
		browsertest.Type("#password", "password"), browsertest.Press("#login"))
}

// slowUser presses Allow when nobody waits any more: the code goes nowhere.
func slowUser(t *testing.T, browser *rod.Browser) {
	iss, p := provider(t, Microsoft)
	opened := make(chan string, 1)
	_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Timeout: 200 * time.Millisecond,
		Open: func(_ context.Context, open string) error { opened <- open; return nil }})
	if !fault.Is(err, fault.SignInTimeout) {
		t.Errorf("%v", err)
	}
	page, err := logIn(browser, <-opened)
	if err != nil {
		t.Fatal(err)
	}
	defer page.MustClose()
	if err := browsertest.Do(page, browsertest.Press("#approve")); err != nil {
		t.Fatal(err)
	}
	var shown string
	for deadline := time.Now().Add(browsertest.Patience); !strings.Contains(shown, "localhost"); time.Sleep(50 * time.Millisecond) {
		if body, err := page.Eval(`() => document.body.innerText`); err == nil {
			shown = body.Value.Str()
		}
		if time.Now().After(deadline) {
			t.Fatalf("the browser shows %q", shown)
		}
	}
	if n := iss.Count("token:authorization_code"); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

// staleTab: the tab of an attempt that is over says so.
func staleTab(t *testing.T, browser *rod.Browser) {
	_, p := provider(t, Salesforce)
	var stale string
	ctx, cancel := context.WithCancel(t.Context())
	_, err := SignIn(ctx, Request{Provider: p, Log: quiet(), Open: func(ctx context.Context, address string) error {
		stale = codeOf(t, ctx, address)
		cancel()
		return nil
	}})
	if !fault.Is(err, fault.SignInCancelled) {
		t.Fatal(err)
	}
	_, err = SignIn(t.Context(), Request{Provider: p, Log: quiet(), Open: func(ctx context.Context, address string) error {
		err := rod.Try(func() {
			page := browser.MustPage(stale)
			defer page.MustClose()
			if text := page.Timeout(browsertest.Patience).MustElement("h1").MustText(); text != "This sign-in is out of date" {
				t.Errorf("the stale tab says %q", text)
			}
		})
		if err != nil {
			t.Error(err)
		}
		return person(oauthtest.Browser{})(ctx, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenBrowser: the address reaches the browser that BROWSER names whole and as one argument.
func TestOpenBrowser(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("xdg-open"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xdg-open is missing")
		}
		t.Skip("xdg-open is missing")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "browser")
	if err := os.WriteFile(script, []byte(fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$#\" \"$1\" > '%s/got'\n", dir)), 0o700); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	address := srv.URL + "/authorize?a=1&b=$(touch%20x)&c=%27;%22"
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "BROWSER=" + script}
	if err := OpenBrowser(env)(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "got"))
	if err != nil || string(b) != "1\n"+address+"\n" {
		t.Errorf("the browser got %q, %v", b, err)
	}
}
