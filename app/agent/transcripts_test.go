package agent_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/app/cli"
	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/app/text"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

var update = flag.Bool("update", false, "write testdata/transcripts/*.golden anew")

const transcripts = "testdata/transcripts"

// situation is something that goes wrong, told as a page.
type situation struct {
	name    string
	title   string
	mailbox bool // a real mail server is needed
	change  func(settings map[string]map[string]any)
	plays   func(s *stage)
}

const (
	ann = salesforcetest.DefaultUsername
	bob = "bob@partners.example"
)

var situations = []situation{
	{"never-signed-in", "Nobody has signed in yet", false, nil, func(s *stage) {
		s.user.start()
		s.says("Hawser runs for the first time.")
		s.types(nil, "status")
		s.types(nil, "capture", "--search", "offer")
	}},
	{"not-set-up", "Nobody has set Hawser up", false, nil, func(s *stage) {
		if err := os.Remove(filepath.Join(s.user.home, ".config/hawser/config.json")); err != nil {
			s.t.Fatal(err)
		}
		s.user.start()
		s.says("Hawser was installed, but its config.json is missing.")
		s.types(nil, "status")
		s.types(nil, "signin", "salesforce")
	}},
	{"consent-refused", "Ann refuses access", false, nil, func(s *stage) {
		s.user.start()
		s.says("Ann signs in and then presses “Deny” in the browser.")
		s.types(s.does("salesforce", ann, false), "signin", "salesforce")
		s.types(nil, "status")
	}},
	{"consent-by-admin", "Microsoft wants an administrator's approval", false, func(c map[string]map[string]any) {
		c["mail"] = map[string]any{"issuer": "https://login.microsoftonline.com/contoso.example/v2.0", "clientId": "11111111-1111-1111-1111-111111111111",
			"imap": "outlook.office365.com:993"}
	}, func(s *stage) {
		s.user.start()
		s.microsoft.Misbehave(oauthtest.Mischief{ConsentError: "consent_required",
			ConsentDescription: "AADSTS65001: The user or administrator has not consented to use the application with ID 'hawser'."})
		s.says("Ann's company lets nobody use an app that its administrator has not approved.")
		s.types(s.does("mail", mailUser, true), "signin", "mail")
		s.types(nil, "status")
	}},
	{"google-policy", "Google's administrator has not trusted the app", false, func(c map[string]map[string]any) {
		c["mail"] = map[string]any{"issuer": "https://accounts.google.com", "clientId": "1234567890-abc.apps.googleusercontent.com",
			"clientSecret": "GOCSPX-not-a-secret", "imap": "imap.gmail.com:993"}
	}, func(s *stage) {
		s.user.start()
		s.google.Misbehave(oauthtest.Mischief{ConsentError: "admin_policy_enforced"})
		s.says("Ann's company allows only apps that its Google administrator trusts.")
		s.types(s.does("mail", mailUser, true), "signin", "mail")
	}},
	{"box-unticked", "Ann unticks what Hawser needs", false, nil, func(s *stage) {
		s.user.start()
		s.issuer.Misbehave(oauthtest.Mischief{DropScopes: []string{"mail"}})
		s.says("Ann signs in, unticks “mail” among the permissions, and presses “Allow”.")
		s.types(s.does("mail", mailUser, true), "signin", "mail")
	}},
	{"account-switched-off", "Ann's Salesforce account is switched off", true, nil, func(s *stage) {
		s.readies()
		s.org.DeactivateUser(ann)
		s.org.ExpireAccess()
		s.mark("A mail for nobody")
		s.says("All worked until the Salesforce administrator deactivated Ann's account. Then a mail is marked.")
		s.until(20*time.Second, "the sign-in to be lost", func(st control.Status) bool { return !st.Salesforce.SignedIn && st.Counts.Waiting == 1 })
		s.types(nil, "status")
	}},
	{"app-not-installed", "The app is not installed in the Salesforce org", false, nil, func(s *stage) {
		s.org.UninstallApp(salesforcetest.DefaultClientID)
		s.user.start()
		s.says("The External Client App belongs to another org, or was never installed in this one.")
		s.types(s.does("salesforce", ann, true), "signin", "salesforce")
		s.types(nil, "status")
	}},
	{"app-blocked", "The Salesforce administrator blocks the app", true, nil, func(s *stage) {
		s.readies()
		s.org.BlockApp(salesforcetest.DefaultClientID)
		s.mark("A mail for a blocked app")
		s.says("All worked until the Salesforce administrator pressed “Block”. Then a mail is marked.")
		s.until(20*time.Second, "the sign-in to be lost", func(st control.Status) bool { return !st.Salesforce.SignedIn && st.Counts.Waiting == 1 })
		s.types(nil, "status")
		s.types(s.does("salesforce", ann, true), "signin", "salesforce")
	}},
	{"wrong-account", "Another person signs in on Ann's computer", true, nil, func(s *stage) {
		s.org.AddUser(salesforcetest.User{Username: bob})
		s.readies()
		s.says("Hawser is tied to Ann's account. The browser is signed in as Bob, who presses “Allow”.")
		s.types(s.does("salesforce", bob, true), "signin", "salesforce")
		s.types(nil, "status")
		s.says("Ann signs in again.")
		s.types(s.does("salesforce", ann, true), "signin", "salesforce")
		s.settled()
		s.types(nil, "status")
	}},
	{"token-revoked", "The sign-in is revoked at the mail provider", true, nil, func(s *stage) {
		s.readies()
		s.issuer.Revoke(mailUser)
		s.proxy.Drop()
		s.says("Ann has changed her mail password, which ends every sign-in.")
		s.check()
		s.until(40*time.Second, "the sign-in to be lost", func(st control.Status) bool { return !st.Mail.SignedIn })
		s.types(nil, "status")
	}},
	{"code-expired", "The proof from the browser is too old", false, nil, func(s *stage) {
		s.issuer.Misbehave(oauthtest.Mischief{ExpireCodes: true})
		s.user.start()
		s.says("The computer went to sleep between “Allow” and the end of the sign-in.")
		s.types(s.does("mail", mailUser, true), "signin", "mail")
		s.types(nil, "status")
	}},
	{"employee-address", "The address is that of the Salesforce desktop", false, func(c map[string]map[string]any) {
		c["salesforce"]["site"] = "https://acme.lightning.force.com/lightning/page/home"
	}, func(s *stage) {
		s.user.start()
		s.says("config.json holds https://acme.lightning.force.com/lightning/page/home, copied from a browser.")
		s.types(nil, "signin", "salesforce")
		s.types(nil, "status")
	}},
	{"look-alike-address", "The address is not Salesforce's", false, func(c map[string]map[string]any) {
		c["salesforce"]["site"] = "https://acme.my.site.com.evil.example/partners"
	}, func(s *stage) {
		s.user.start()
		s.says("config.json holds https://acme.my.site.com.evil.example/partners.")
		s.types(nil, "signin", "salesforce")
	}},
	{"moved-site", "The site has moved", false, func(c map[string]map[string]any) {
		c["salesforce"]["site"] = "https://acme.force.com/partners"
	}, func(s *stage) {
		s.user.start()
		s.says("config.json holds the address of years ago, https://acme.force.com/partners. The site is at https://acme.my.site.com/partners today.")
		s.types(s.does("salesforce", ann, true), "signin", "salesforce")
		s.types(nil, "status")
	}},
	{"address-out-of-use", "The old address leads nowhere any more", false, func(c map[string]map[string]any) {
		c["salesforce"]["site"] = "https://former.force.com/partners"
	}, func(s *stage) {
		s.user.start()
		s.says("config.json holds the address of years ago, https://former.force.com/partners, and nothing is there any more.")
		s.types(nil, "signin", "salesforce")
	}},
	{"api-disabled", "The user may not use the API", true, nil, func(s *stage) {
		s.readies()
		s.org.APIDisabled(true)
		s.mark("A mail without API")
		s.says("The Salesforce administrator takes the permission “API Enabled” from Ann's profile. Then a mail is marked.")
		s.until(20*time.Second, "the API to be refused", func(st control.Status) bool {
			return st.Salesforce.Fault == fault.APIDisabled && st.Counts.Waiting == 1
		})
		s.types(nil, "status")
		s.types(nil, "queue")
	}},
	{"offline", "There is no network", true, nil, func(s *stage) {
		s.readies()
		s.web.cut()
		s.proxy.Cut()
		s.says("Ann sits in a train, in a tunnel.")
		s.check()
		s.until(40*time.Second, "the agent to be offline", func(st control.Status) bool { return st.State == control.Offline })
		s.types(nil, "status")
		s.types(nil, "signin", "salesforce")
	}},
	{"key-store-missing", "There is no key store", false, nil, func(s *stage) {
		s.user.env = slices.DeleteFunc(s.user.env, func(v string) bool { return strings.HasPrefix(v, "DBUS_SESSION_BUS_ADDRESS=") })
		s.says("A Linux computer without a desktop: nothing on it keeps secrets.")
		s.types(nil, "run", "--headless")
		s.types(nil, "status")
	}},
	{"key-store-locked", "The key store is locked", false, nil, func(s *stage) {
		s.user.env = append(s.user.env, "DBUS_SESSION_BUS_ADDRESS="+lockedBus(s.t, s.user.home))
		s.says("Ann's Linux computer signed her in without her password, so that the key store stays locked.")
		s.types(nil, "run", "--headless")
		s.types(nil, "status")
	}},
	{"not-running", "Hawser does not run", false, nil, func(s *stage) {
		s.says("Hawser was stopped, or the computer has just started.")
		s.types(nil, "status")
		s.types(nil, "signin", "salesforce")
	}},
}

// TestTranscripts plays every situation with the real program and holds what a person reads to a page
// of testdata/transcripts; -update writes the pages anew.
func TestTranscripts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot and a key store")
	}
	t.Parallel()
	for _, at := range situations {
		t.Run(at.name, func(t *testing.T) { // one after the other: a sign-in takes one of five ports
			s := newStage(t, at.mailbox, at.change)
			at.plays(s)
			holds(t, at.name, at.title, s.log.String())
		})
	}
}

// pretended are situations that take five minutes or ports which others need: a stand-in agent
// ends as the real one does, and the real command line says so.
var pretended = []struct {
	name, title, says string
	fault             fault.Code
	steps             []control.SignInStep
}{
	{"nobody-came-back", "Nobody comes back from the browser", "Ann has closed the browser's tab. Five minutes later:", fault.SignInTimeout,
		[]control.SignInStep{{Step: "discovering"}, {Step: "browser", URL: "https://acme.my.site.com/partners/services/oauth2/authorize?…"}, {Step: "waiting"}}},
	{"ports-busy", "Every place to come back to is taken", "Another program holds all five ports that are registered for the way back.", fault.PortsBusy,
		[]control.SignInStep{{Step: "discovering"}}},
	{"hours", "It is not the hour", "Salesforce lets Ann in from 8 to 18 o'clock only. It is 20 o'clock.", fault.LoginRestricted,
		[]control.SignInStep{{Step: "discovering"}, {Step: "browser", URL: "https://acme.my.site.com/partners/services/oauth2/authorize?…"}, {Step: "waiting"}, {Step: "exchanging"}}},
}

func TestPretendedTranscripts(t *testing.T) {
	t.Parallel()
	for _, at := range pretended {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			fmt.Fprintf(&log, "%s\n\n", at.says)
			pretends(t, &log, "en", &controltest.Agent{Steps: at.steps, Faults: map[string]controltest.Fault{"signin": {Code: at.fault}}})
			holds(t, at.name, at.title, log.String())
		})
	}
}

// pretends signs in at a stand-in agent and adds what a person reads.
func pretends(t *testing.T, log *bytes.Buffer, lang string, fake *controltest.Agent) {
	t.Helper()
	dir := shortDir(t)
	fake.Apps = map[string]control.App{"salesforce": {Side: "salesforce", Site: "https://acme.my.site.com/partners", ClientID: "3MVG9...",
		Scopes: []string{"api", "refresh_token", "id", "openid"}, Callbacks: []string{"http://localhost:17171/callback"}}}
	fake.Set(control.Status{State: control.NeedsSignIn, Which: "salesforce"})
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- l.Serve(ctx, fake, slog.New(slog.DiscardHandler)) }()
	args := []string{"signin", "salesforce"}
	var out bytes.Buffer
	code := cli.Main(t.Context(), cli.Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, ControlDir: dir, Lang: lang})
	writeCommand(log, out.String(), code, args)
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// refusals are all the ways in which a sign-in ends badly, for one page in each language.
var refusals = []fault.Code{
	fault.ConsentRefused, fault.ConsentByAdmin, fault.AppBlocked, fault.AppUnknown, fault.RedirectMismatch, fault.ScopeMissing,
	fault.CodeExpired, fault.SignInTimeout, fault.SignInCancelled, fault.SignInOutdated, fault.SignInRefused, fault.UserInactive,
	fault.LoginRestricted, fault.TooManyRequests, fault.WrongAccount, fault.SiteRefused, fault.NotSetUp, fault.PortsBusy, fault.Offline,
	fault.Stalled, fault.NotTheServer, fault.ServerError, fault.CertificateWrong,
}

// TestRefusalsReadWell holds a page of all refusals in each language.
func TestRefusalsReadWell(t *testing.T) {
	t.Parallel()
	for _, lang := range text.Languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			for _, code := range refusals {
				pretends(t, &log, lang, &controltest.Agent{Faults: map[string]controltest.Fault{"signin": {Code: code}},
					Steps: []control.SignInStep{{Step: "discovering"}}})
			}
			holds(t, "refusals-"+lang, "Every refusal of a sign-in, in the language “"+lang+"”", log.String())
		})
	}
}

// TestEveryTranscriptIsPlayed finds pages that no situation writes any more.
func TestEveryTranscriptIsPlayed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(transcripts + "/*.golden")
	if err != nil || len(files) < 12 {
		t.Fatalf("transcripts %q, %v", files, err)
	}
	known := map[string]bool{}
	for _, at := range situations {
		known[at.name] = true
	}
	for _, at := range pretended {
		known[at.name] = true
	}
	for _, lang := range text.Languages() {
		known["refusals-"+lang] = true
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".golden"); !known[name] {
			t.Errorf("nobody plays %s", f)
		}
	}
}

// writeCommand adds a command, what it printed and its exit code.
func writeCommand(log *bytes.Buffer, out string, code int, args []string) {
	fmt.Fprintf(log, "$ hawser %s\n%s[exit code %d]\n\n", strings.Join(args, " "), out, code)
}

// holds compares a page with its golden file.
func holds(t *testing.T, name, title, log string) {
	t.Helper()
	got := title + "\n" + strings.Repeat("=", len(title)) + "\n\n" + strings.TrimRight(log, "\n") + "\n"
	path := filepath.Join(transcripts, name+".golden")
	if *update {
		if err := os.MkdirAll(transcripts, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s reads\n%s\nwant\n%s", path, got, want)
	}
}

// lockedBus starts a session bus whose key store nobody has unlocked, and returns its address.
func lockedBus(t testing.TB, home string) string {
	t.Helper()
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	line := make([]byte, 512)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("dbus-daemon said nothing: %v", err)
	}
	b := bus{address: strings.TrimSpace(string(line[:n]))}
	keys := exec.Command("gnome-keyring-daemon", "--foreground", "--components=secrets")
	keys.Env = b.env(home)
	if err := keys.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Process.Kill(); _ = keys.Wait() })
	waitFor(t, 10*time.Second, "the locked Secret Service", func() bool {
		cmd := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets")
		cmd.Env = b.env(home)
		reply, err := cmd.Output()
		return err == nil && bytes.Contains(reply, []byte("true"))
	})
	return b.address
}

func newJar() (http.CookieJar, error) { return cookiejar.New(nil) }
