package salesforcetest

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
)

// TestChromium signs in and follows the page in a real browser: forms, redirects, policies and
// scripts are as a browser takes them.
func TestChromium(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing")
	}
	v := newVisitor(t, &Org{External: true}, SitePath)
	mail := fillPage(v.org)
	l := launcher.New().Context(t.Context()).Bin(bin).Leakless(false).NoSandbox(true).UserDataDir(t.TempDir()).
		Set("disable-background-networking").Set("no-first-run").Set("disable-gpu")
	address, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Kill()
		l.Cleanup()
	})
	browser := rod.New().ControlURL(address)
	if err := browser.Connect(); err != nil {
		t.Fatal(err)
	}
	defer browser.MustClose()
	page := browser.Timeout(30 * time.Second).MustPage(v.authorizeURL())
	page.MustElement("#username").MustInput(DefaultUsername)
	page.MustElement("#password").MustInput("wrong")
	page.MustElement("#login").MustClick()
	page.MustElement("#error")
	page.MustElement("#password").MustInput(DefaultPassword)
	page.MustElement("#login").MustClick()
	page.MustElement("#approve").MustClick()
	select {
	case back := <-v.got:
		if status, m := v.redeem(back.Get("code")); status != 200 {
			t.Errorf("redeem: %v", m)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the browser never came back")
	}

	page.MustNavigate(v.site[:len(v.site)-len(SitePath)] + "/_org/mails/" + mail)
	page.MustElement("#live:not([hidden])")
	v.org.Insert("EmailMessage", map[string]any{"Subject": "Just arrived", "Status": "3"})
	page.MustElementR(".rows a", "Just arrived").MustClick()
	page.MustElementR("#detail h1", "Just arrived")
	if n := page.MustEval("() => document.querySelectorAll('script').length").Int(); n != 1 {
		t.Errorf("%d scripts on the page, want its own", n)
	}
}
