//go:build linux

package window

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// TestCompanyEnablesAtLast does the check of row A07 in the window: signed in and not enabled, the
// first run waits and nothing is read; once the company enables the user it goes on by itself within a
// minute, and "Why not saved?" names the company until then.
func TestCompanyEnablesAtLast(t *testing.T) {
	l := newLive(t)
	enable := l.company()
	l.receive("Salesforce", letter{subject: "It can wait"})
	l.run()
	r := l.window("")
	r.wait("the first run", func() bool { return r.a.guide != nil && r.a.guide.step == stepSalesforce })
	r.hit("Sign in to Salesforce")
	r.wait("the mailbox's turn", func() bool { return r.a.guide.step == stepMail })
	r.hit("Sign in to your mailbox")
	r.wait("the company's turn", func() bool { return r.a.guide.step == stepWait && r.a.status.Company.Stage == control.StageWaiting })
	r.says(r.a.t("company." + control.StageWaiting))
	r.hit("Go on later")
	r.a.open(control.PageHome)
	title, _, _ := r.a.loc.Fault(fault.NotProvisioned)
	r.says(strings.TrimSuffix(title, "."))
	r.a.open(control.PageActivity)
	r.settle()
	r.hit("Why not saved?")
	r.because(letter{subject: "It can wait"}.id(), string(fault.NotProvisioned), "Copy request for IT")
	if s := r.a.status; s.Counts.Seen != 0 || len(l.saved()) != 0 {
		t.Errorf("not enabled, and %+v", s.Counts)
	}
	r.a.open(control.PageHome)
	r.a.setUp() // it stands where it was
	if r.a.guide.step != stepWait {
		t.Errorf("the first run stands at %s", r.a.guide.step)
	}
	enabled := time.Now()
	enable()
	r.wait("the choice", func() bool { return r.a.guide.step == stepChoose })
	r.wait("the mail that waited", func() bool { return l.saved()["It can wait"] == 1 && r.a.status.State == control.UpToDate })
	t.Logf("enabled, and green %v later", time.Since(enabled))
}

// TestSecondAttempt does the check of row A08 with two presses of the window's button: the page of the
// first is out of date and told so, the listener is on this computer alone, and the second succeeds.
func TestSecondAttempt(t *testing.T) {
	l := newLive(t)
	l.handsOff()
	l.run()
	r := l.window("")
	r.wait("the first run", func() bool { return r.a.guide != nil && r.a.guide.step == stepSalesforce })
	for n := range 2 {
		r.hit("Sign in to Salesforce")
		r.wait("the browser", func() bool { return len(l.pages()) == n+1 })
	}
	stale, fresh := callbackOf(t, l.pages()[0]), callbackOf(t, l.pages()[1])
	onlyHere(t, fresh.port)
	resp, err := http.Get(fresh.address + "?code=x&state=" + url.QueryEscape(stale.state))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(page), "This sign-in is out of date") || !strings.Contains(string(page), "return to Hawser") {
		t.Errorf("the page of the first attempt: %d %s %v", resp.StatusCode, page, err)
	}
	r.settle()
	if r.a.guide.step != stepSalesforce || r.a.status.Salesforce.SignedIn {
		t.Error("an old page ended the second attempt")
	}
	if err := l.approve(t.Context(), l.pages()[1]); err != nil {
		t.Fatal(err)
	}
	r.wait("the mailbox's turn", func() bool { return r.a.guide.step == stepMail })
	if c, err := net.Dial("tcp", "127.0.0.1:"+fresh.port); err == nil {
		_ = c.Close()
		t.Error("the listener is open still")
	}
}

type callback struct{ address, port, state string }

// callbackOf is where a login page sends the person back to.
func callbackOf(t *testing.T, page string) callback {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(u.Query().Get("redirect_uri"))
	if err != nil || back.Port() == "" {
		t.Fatalf("%s leads back to %v, %v", page, back, err)
	}
	return callback{back.String(), back.Port(), u.Query().Get("state")}
}

// onlyHere looks into the kernel's list of sockets: the port is open on loopback addresses alone.
func onlyHere(t *testing.T, port string) {
	t.Helper()
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, list := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, _ := os.ReadFile(list) // without IPv6 there is no second one
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
				continue
			}
			found++
			if address, _, _ := strings.Cut(f[1], ":"); address != "0100007F" && address != "00000000000000000000000001000000" {
				t.Errorf("the listener is open at %s", f[1])
			}
		}
	}
	if found == 0 {
		t.Error("the listener is in no list of sockets")
	}
}

// TestConsentWalls does the check of row A09: each wall that an administrator has to open comes back
// to the real agent's callback; the window's card says so, and what it puts into the clipboard names
// the app, the permissions and the fault.
func TestConsentWalls(t *testing.T) {
	for name, wall := range map[string]struct {
		code fault.Code
		side string
		put  func(l *live)
	}{
		"AADSTS65001": {fault.ConsentByAdmin, sideMail, func(l *live) {
			l.issuer.Misbehave(oauthtest.Mischief{ConsentError: "consent_required", ConsentDescription: "AADSTS65001: The user or administrator has not consented"})
		}},
		"admin_policy_enforced": {fault.ConsentByAdmin, sideMail, func(l *live) { l.issuer.Misbehave(oauthtest.Mischief{ConsentError: "admin_policy_enforced"}) }},
		"app must be installed": {fault.AppBlocked, sideSalesforce, func(l *live) { l.org.UninstallApp(salesforcetest.DefaultClientID) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t)
			l.run()
			r := l.window("")
			r.wait("the first run", func() bool { return r.a.guide != nil && r.a.guide.step == stepSalesforce })
			if wall.side == sideMail {
				r.hit("Sign in to Salesforce")
				r.wait("the mailbox's turn", func() bool { return r.a.guide.step == stepMail })
			}
			wall.put(l)
			r.hit(r.a.t("window.do-signin-" + wall.side))
			title, body, fix := r.a.loc.Fault(wall.code)
			r.says(title)
			r.says(body)
			r.says(fix)
			r.hit("Copy request for IT")
			app, err := l.client().App(t.Context(), wall.side)
			if err != nil {
				t.Fatal(err)
			}
			r.wait("the clipboard", func() bool { return r.a.fyne.Clipboard().Content() != "" })
			got := r.a.fyne.Clipboard().Content()
			for _, want := range append([]string{title, body, fix, app.ClientID, app.Site, app.AdminLink, string(wall.code)}, app.Scopes...) {
				if !strings.Contains(got, want) {
					t.Errorf("the request lacks %q:\n%s", want, got)
				}
			}
		})
	}
}
