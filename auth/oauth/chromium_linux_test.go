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
	"github.com/go-rod/rod/lib/launcher"

	"hawser/auth/oauth/oauthtest"
	"hawser/sync/fault"
)

// chromium starts a real browser for one test.
func chromium(t *testing.T) *rod.Browser {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing")
	}
	l := launcher.New().Bin(bin).NoSandbox(true).Leakless(false).UserDataDir(t.TempDir())
	control, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	b := rod.New().Context(t.Context()).ControlURL(control)
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Kill()
		l.Cleanup()
	})
	return b
}

// TestChromium fills the login pages of every kind of issuer in a real browser, and looks at the
// page where it ends.
func TestChromium(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	t.Run("stale tab", func(t *testing.T) { staleTab(t, browser) })
	for name, kind := range kinds {
		for _, button := range []string{"#approve", "#deny"} {
			if button == "#deny" && kind != Salesforce {
				continue // the pages are the same
			}
			t.Run(name+button, func(t *testing.T) {
				iss, p := provider(t, kind)
				var end, address string
				_, err := SignIn(t.Context(), Request{Provider: p, Log: quiet(), Timeout: 30 * time.Second,
					Open: func(ctx context.Context, open string) error {
						return rod.Try(func() {
							page := browser.Context(context.WithoutCancel(ctx)).Timeout(20 * time.Second).MustPage(open)
							defer page.MustClose()
							page.MustElement("#username").MustInput("alice@example.org")
							page.MustElement("#password").MustInput("password")
							page.MustElement("#login").MustClick()
							page.MustElement(button).MustClick()
							end = page.MustElement("h1 + #text").MustText()
							address = page.MustInfo().URL
						})
					}})
				want := "Return to Hawser. You can close this tab."
				if button == "#deny" {
					want = "Return to Hawser: it says what happened and what to do. You can close this tab."
				}
				if refused := fault.Is(err, fault.ConsentRefused); refused != (button == "#deny") || !refused && err != nil {
					t.Errorf("%v", err)
				}
				if end != want || !strings.HasSuffix(address, resultPath) || strings.Contains(address, "code") {
					t.Errorf("ended at %s: %s", address, end)
				}
				if n := iss.Count("token:authorization_code"); n != map[string]int{"#approve": 1, "#deny": 0}[button] {
					t.Errorf("%d token requests", n)
				}
			})
		}
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
			if text := page.Timeout(20 * time.Second).MustElement("h1").MustText(); text != "This sign-in is out of date" {
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
