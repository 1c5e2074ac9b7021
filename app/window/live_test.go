//go:build linux

package window

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"hawser/app/agent"
	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/desktop"
	"hawser/auth/keyring"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/capture"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest/dovecottest"
)

const (
	liveUser     = "alice@example.org"
	livePassword = "password"
)

// longPatience bounds a wait for something that goes through the mailbox and Salesforce.
const longPatience = time.Minute

// live is the real agent in a world of a real Dovecot, a pretend sign-in and a pretend Salesforce,
// for windows that work with it.
type live struct {
	t       *testing.T
	dovecot *dovecottest.Server
	issuer  *oauthtest.Issuer
	org     *salesforcetest.Org
	mail    *dovecottest.Proxy // the way to the mailbox
	cloud   *dovecottest.Proxy // the way to Salesforce
	dirs    config.Dirs
	config  map[string]map[string]any // config.json
	keys    keyring.Memory
	start   desktop.Autostart // nil: none
	log     lockedBuffer

	mu      sync.Mutex
	visited []string                                    // login pages that the browser was sent to
	person  func(ctx context.Context, url string) error // at the browser
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newLive starts everything but the agent.
func newLive(t *testing.T) *live {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	l := &live{t: t, issuer: &oauthtest.Issuer{}, org: &salesforcetest.Org{External: true, MailKey: true}}
	l.dovecot = dovecottest.Start(t, dovecottest.Config{Active: l.issuer.Active})
	l.dovecot.Do(t, liveUser, "CREATE Salesforce")
	l.mail = dovecottest.NewProxy(t, l.dovecot.Addr)
	login, org := httptest.NewServer(l.issuer), httptest.NewServer(l.org)
	t.Cleanup(login.Close)
	t.Cleanup(org.Close)
	l.cloud = dovecottest.NewProxy(t, org.Listener.Addr().String())
	l.org.AddContact("Ann Acme", "ann@acme.example", "")
	dir, err := os.MkdirTemp("", "hw") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l.dirs = config.Dirs{Config: filepath.Join(dir, "c"), State: filepath.Join(dir, "s"), Runtime: filepath.Join(dir, "r")}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, l.dovecot.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.cloud.Addr)
	l.config = map[string]map[string]any{
		"salesforce": {"site": "http://localhost:" + port + salesforcetest.SitePath, "clientId": salesforcetest.DefaultClientID, "dailyCalls": 100_000},
		"mail":       {"issuer": login.URL, "clientId": "hawser", "scopes": []string{"openid", "email", "mail", "offline_access"}, "imap": l.mail.Addr},
		"trust":      {"hosts": []string{"localhost:" + port, "127.0.0.1:" + port}, "caFile": ca},
	}
	l.person = l.approve
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log: %s", l.log.String())
		}
	})
	return l
}

// approve fills whatever login page it is and allows.
func (l *live) approve(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 10 * time.Second}
	if strings.HasPrefix(url, fmt.Sprint(l.config["mail"]["issuer"])) {
		return oauthtest.Approve(ctx, client, url, liveUser, livePassword)
	}
	return salesforcetest.Approve(ctx, client, url, salesforcetest.DefaultUsername, salesforcetest.DefaultPassword)
}

// browse is the browser: the person at it works beside the agent.
func (l *live) browse(ctx context.Context, url string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visited = append(l.visited, url)
	if person := l.person; person != nil {
		go func() { _ = person(context.WithoutCancel(ctx), url) }() // what comes of it shows in the window
	}
	return nil
}

// pages are the login pages so far; hands off leaves the next ones alone.
func (l *live) pages() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.visited...)
}

func (l *live) handsOff() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.person = nil
}

// run starts the agent, which ends with the test or when stop is called.
func (l *live) run() (stop func()) {
	l.t.Helper()
	if err := l.dirs.Create(); err != nil {
		l.t.Fatal(err)
	}
	raw, err := json.Marshal(l.config)
	if err == nil {
		err = os.WriteFile(l.dirs.ConfigFile(), raw, 0o600)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	settings, err := config.Load(l.dirs.ConfigFile(), config.Managed{})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := agent.New(ctx, agent.Config{Dirs: l.dirs, Settings: settings, Version: "test", Keys: &l.keys, Lang: "en",
		Log: slog.New(slog.NewTextHandler(&l.log, nil)), OpenBrowser: l.browse, Autostart: l.start})
	if err != nil {
		l.t.Fatal(err)
	}
	listener, err := control.Listen(l.dirs.Runtime)
	if err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, listener) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				l.t.Errorf("the agent ended with %v", err)
			}
			if err := a.Close(); err != nil {
				l.t.Error(err)
			}
		})
	}
	l.t.Cleanup(stop)
	return stop
}

// client is a connection to the agent, for what is not the window's part of a test.
func (l *live) client() *control.Client {
	l.t.Helper()
	c, err := control.Dial(l.t.Context(), l.dirs.Runtime)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// choose edits what the person chose, past the window.
func (l *live) choose(edit func(*capture.Choices)) {
	l.t.Helper()
	got, err := l.client().Chosen(l.t.Context())
	if err == nil {
		edit(&got.Choices)
		err = l.client().Choose(l.t.Context(), got.Choices)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// signedIn starts the agent and signs in on both sides.
func (l *live) signedIn() {
	l.t.Helper()
	l.run()
	for _, side := range []string{sideSalesforce, sideMail} {
		if err := l.client().SignIn(l.t.Context(), side, func(control.SignInStep) {}); err != nil {
			l.t.Fatalf("sign in to %s: %v", side, err)
		}
	}
	for end := time.Now().Add(longPatience); ; time.Sleep(20 * time.Millisecond) {
		_, err := l.client().Folders(l.t.Context())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("the mailbox is not read: %v", err)
		}
	}
}

// window opens a window before the agent, at a page.
func (l *live) window(page string) *rig {
	l.t.Helper()
	f := test.NewTempApp(l.t)
	w := test.NewTempWindow(l.t, nil)
	w.SetPadded(false)
	r := &rig{t: l.t, work: make(chan func(), 1000), dir: l.dirs.Runtime}
	ctx, cancel := context.WithCancel(context.Background())
	r.a = newApp(ctx, f, w, Config{Dir: r.dir, Lang: "en", Version: "test", Page: page,
		Browse: func(u string) error { r.opens = append(r.opens, u); return nil }, do: func(f func()) { r.work <- f }})
	w.Resize(fyne.NewSize(1080, 740))
	r.a.start()
	l.t.Cleanup(func() { r.end(cancel) })
	r.until("a status", func() bool { return r.a.agent != nil })
	return r
}

// wait lets drawing happen until something holds, be it inside the window or not.
func (r *rig) wait(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(longPatience); !holds(); {
		r.settle()
		if time.Now().After(end) {
			r.t.Fatalf("waited for %s; the window says\n%s", what, r.words())
		}
	}
}

// words are all texts of the window, and of what is over it.
func (r *rig) words() string {
	var all []string
	for _, root := range append([]fyne.CanvasObject{r.a.win.Content()}, r.a.win.Canvas().Overlays().List()...) {
		for _, s := range texts(root) {
			all = append(all, s.text)
		}
	}
	return strings.Join(all, "\n")
}

// says waits until the window shows a text, alone or in a longer one.
func (r *rig) says(text string) {
	r.t.Helper()
	r.wait(fmt.Sprintf("%q", text), func() bool { return strings.Contains(r.words(), text) })
}

// enter types into a line and presses Enter.
func (r *rig) enter(f *field, text string) {
	r.t.Helper()
	r.a.win.Canvas().Focus(f)
	f.SetText("")
	for _, c := range text {
		f.TypedRune(c)
	}
	r.press(fyne.KeyReturn)
}

// fieldOf is the line in view whose hint is that of a text.
func (r *rig) fieldOf(hint string) *field {
	r.t.Helper()
	roots := []fyne.CanvasObject{r.a.win.Content()}
	if top := r.a.win.Canvas().Overlays().Top(); top != nil {
		roots = []fyne.CanvasObject{top}
	}
	for _, f := range focusables(roots) {
		if e, ok := f.(*field); ok && e.PlaceHolder == r.a.t(hint) {
			return e
		}
	}
	r.t.Fatalf("no line with the hint %q", r.a.t(hint))
	return nil
}

// letter is a mail as a test wants it.
type letter struct {
	from, subject, body, header string
	age                         time.Duration
}

func (m letter) id() string { return fmt.Sprintf("<%x@live.example>", m.subject) }

// receive puts mails into a folder.
func (l *live) receive(folder string, mails ...letter) {
	l.t.Helper()
	for _, m := range mails {
		if m.from == "" {
			m.from = "Ann Acme <ann@acme.example>"
		}
		at := time.Now().Add(-m.age)
		raw := fmt.Sprintf("Message-ID: %s\r\nFrom: %s\r\nTo: %s\r\nDate: %s\r\nSubject: %s\r\n%sMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s text\r\n",
			m.id(), m.from, liveUser, at.Format(time.RFC1123Z), m.subject, m.header, m.body)
		l.dovecot.AppendAt(l.t, liveUser, folder, at, []byte(raw))
	}
}

// saved are the subjects of the records that mails became.
func (l *live) saved() map[string]int {
	got := map[string]int{}
	for _, r := range l.org.Records("EmailMessage") {
		got[fmt.Sprint(r["Subject"])]++
	}
	return got
}

// writes are the requests so far that could have changed something in Salesforce.
func (l *live) writes() []string {
	var all []string
	for _, c := range l.org.CallLog() {
		for _, one := range append([]string{c.Method + " " + c.Path}, c.Parts...) {
			verb, path, _ := strings.Cut(one, " ")
			if verb != http.MethodGet && strings.Contains(path, "/sobjects") {
				all = append(all, one)
			}
		}
	}
	return all
}
