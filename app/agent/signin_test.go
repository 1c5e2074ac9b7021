package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/text"
	"hawser/auth/keyring"
	"hawser/auth/oauth"
	"hawser/auth/oauth/oauthtest"
	"hawser/auth/secret"
	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// The real agent of the other tests has the registered ports: these are for the agents in here.
func init() {
	callbacks = nil
	for port := 27171; port < 27191; port++ {
		callbacks = append(callbacks, fmt.Sprintf("http://localhost:%d/callback", port))
	}
}

const (
	siteHost = "acme.my.site.com"
	orgHost  = "acme.my.salesforce.com"
	oldHost  = "acme.force.com"
	mailHost = "login.mail.example"
	annName  = salesforcetest.DefaultUsername
	bobName  = "bob@partners.example"
	siteBase = "https://" + siteHost + salesforcetest.SitePath
)

// realm is a world in which real-looking names lead to pretend servers, and one profile in it.
type realm struct {
	t      *testing.T
	org    *salesforcetest.Org
	issuer *oauthtest.Issuer
	hosts  map[string]http.Handler
	client *http.Client // of the agent
	dirs   config.Dirs
	keys   keyring.Store
	config config.Config
	log    lockedLog

	mu     sync.Mutex
	asked  []string // "host/path" of every request of agent and browser
	down   bool     // nobody answers
	opened string   // the last address given to the browser
	person func(ctx context.Context, url string) error
}

type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func newRealm(t *testing.T) *realm {
	t.Helper()
	r := &realm{t: t, keys: &keyring.Memory{}, issuer: &oauthtest.Issuer{URL: "https://" + mailHost},
		org: &salesforcetest.Org{External: true, MailKey: true, InstanceURL: "https://" + orgHost, SiteURL: siteBase}}
	r.org.AddApp(salesforcetest.App{ClientID: "hawser-app", Callbacks: callbacks})
	r.org.AddUser(salesforcetest.User{Username: bobName, Name: "Bob Other"})
	r.issuer.Users = []oauthtest.User{{Email: "alice@example.org", Password: "password"}, {Email: "mallory@example.org", Password: "password"}}
	r.hosts = map[string]http.Handler{siteHost: r.org, orgHost: r.org, oldHost: salesforcetest.Moved("https://" + siteHost), mailHost: r.issuer}
	srv := httptest.NewTLSServer(http.HandlerFunc(r.serve))
	t.Cleanup(srv.Close)
	tr := srv.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.InsecureSkipVerify = true // the names are pretended
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host != "localhost" && host != "127.0.0.1" {
			address = srv.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	t.Cleanup(tr.CloseIdleConnections)
	r.client = &http.Client{Transport: tr}
	base := t.TempDir()
	r.dirs = config.Dirs{Config: filepath.Join(base, "c"), State: filepath.Join(base, "s"), Runtime: filepath.Join(base, "r")}
	r.config.Salesforce = config.Salesforce{Site: siteBase, ClientID: "hawser-app", DailyCalls: 100}
	r.config.Mail = config.Mail{Issuer: "https://" + mailHost, ClientID: "hawser", Scopes: []string{"openid", "email", "mail", "offline_access"}, IMAP: "imap.mail.example:993"}
	return r
}

func (r *realm) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked = append(r.asked, req.Host+req.URL.Path)
	down := r.down
	r.mu.Unlock()
	h := r.hosts[req.Host]
	if down || h == nil {
		panic(http.ErrAbortHandler)
	}
	h.ServeHTTP(w, req)
}

// count returns how many requests had a path that ends with suffix.
func (r *realm) count(suffix string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, a := range r.asked {
		if strings.HasSuffix(a, suffix) {
			n++
		}
	}
	return n
}

func (r *realm) offline(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// agent opens the profile, as a start of the program does. Run is up to the test.
func (r *realm) agent() *Agent {
	r.t.Helper()
	a, err := New(r.t.Context(), Config{Dirs: r.dirs, Settings: r.config, Version: "test", Keys: r.keys, Lang: "de",
		Log: slog.New(slog.NewTextHandler(&r.log, nil)), OpenBrowser: r.open})
	if err != nil {
		r.t.Fatal(err)
	}
	a.http = r.client
	r.t.Cleanup(func() { _ = a.Close() })
	return a
}

func (r *realm) open(ctx context.Context, url string) error {
	r.mu.Lock()
	r.opened = url
	person := r.person
	r.mu.Unlock()
	return person(ctx, url)
}

// query returns the parameters of the last login page.
func (r *realm) query() url.Values {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	u, err := url.Parse(r.opened)
	if err != nil {
		r.t.Fatal(err)
	}
	return u.Query()
}

func (r *realm) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &http.Client{Transport: r.client.Transport, Jar: jar}
}

// as makes the person at the browser sign in under a name.
func (r *realm) as(side, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.person = func(ctx context.Context, url string) error {
		if side == sideMail {
			return oauthtest.Approve(ctx, r.browser(), url, name, "password")
		}
		return salesforcetest.Approve(ctx, r.browser(), url, name, salesforcetest.DefaultPassword)
	}
}

// signIn signs in and returns the steps shown.
func (r *realm) signIn(a *Agent, side, name string) ([]control.SignInStep, error) {
	r.as(side, name)
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	var steps []control.SignInStep
	err := a.SignIn(ctx, side, func(s control.SignInStep) { steps = append(steps, s) })
	return steps, err
}

// both signs in on both sides as the right people.
func (r *realm) both(a *Agent) {
	r.t.Helper()
	for side, name := range map[string]string{sideSalesforce: annName, sideMail: "alice@example.org"} {
		if _, err := r.signIn(a, side, name); err != nil {
			r.t.Fatalf("sign in to %s: %v", side, err)
		}
	}
}

// enqueue puts n mails into the queue.
func (r *realm) enqueue(a *Agent, n int) {
	r.t.Helper()
	for i := range n {
		staged, err := a.db.Stage(r.t.Context(), strings.NewReader(fmt.Sprintf("Subject: %d\r\n\r\nHello.\r\n", i)))
		if err != nil {
			r.t.Fatal(err)
		}
		key := capture.MailKey(a.bound().account, fmt.Sprintf("<%d@load.example>", i))
		_, err = a.db.Admit(r.t.Context(), []agentdb.NewMail{{Key: key, State: agentdb.Waiting, Mark: "folder", Received: time.Now(),
			Head: capture.Header{Subject: fmt.Sprintf("=cmd|%d", i)}, Staged: &staged}}, nil)
		if err != nil {
			r.t.Fatal(err)
		}
	}
	a.refreshCounts(r.t.Context())
}

// TestFeatureA01SiteSignIn: the browser is opened at the site's own address with PKCE and state.
func TestFeatureA01SiteSignIn(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	if _, err := r.signIn(a, sideSalesforce, annName); err != nil {
		t.Fatal(err)
	}
	q := r.query()
	if !strings.HasPrefix(r.opened, siteBase+"/services/oauth2/authorize?") {
		t.Errorf("opened %s", r.opened)
	}
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 43 || q.Get("response_type") != "code" {
		t.Errorf("asked %v", q)
	}
	if !slices.Contains(callbacks, q.Get("redirect_uri")) {
		t.Errorf("callback %s is none of those registered", q.Get("redirect_uri"))
	}
	if s := a.Status(); !s.Salesforce.SignedIn || s.Salesforce.Account != annName || s.State != control.NeedsSignIn || s.Which != sideMail {
		t.Errorf("%+v", s)
	}
}

// TestFeatureA03MovedSite: the address of before enhanced domains leads to where the site is today,
// which is shown, stored, and used from then on without asking the old one again.
func TestFeatureA03MovedSite(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	r.config.Salesforce.Site = "https://" + oldHost + salesforcetest.SitePath + "/s/login"
	a := r.agent()
	steps, err := r.signIn(a, sideSalesforce, annName)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(steps, control.SignInStep{Step: "moved", URL: siteBase}) {
		t.Errorf("steps %+v", steps)
	}
	if got := a.logins[sideSalesforce].Base; got != siteBase {
		t.Errorf("stored %q", got)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	old := r.count("openid-configuration")
	b := r.agent()
	tokens, _, err := b.tokensOf(t.Context(), sideSalesforce)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Token(t.Context(), secret.String{}); err != nil {
		t.Fatal(err)
	}
	if n := r.count("openid-configuration"); n != old || r.count(siteHost+"/partners/services/oauth2/token") != 2 {
		t.Errorf("%d discoveries more, %d token requests at the new site", n-old, r.count(siteHost+"/partners/services/oauth2/token"))
	}
}

// TestMovedAfterSignIn: a token address that redirects is found anew; no token follows the redirect.
func TestMovedAfterSignIn(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	r.config.Salesforce.Site = "https://" + oldHost + salesforcetest.SitePath
	r.hosts[oldHost] = r.org
	r.org.SiteURL = ""
	r.org.SiteURL = "https://" + oldHost + salesforcetest.SitePath
	a := r.agent()
	if _, err := r.signIn(a, sideSalesforce, annName); err != nil {
		t.Fatal(err)
	}
	before := a.logins[sideSalesforce].TokenURL
	if !strings.Contains(before, oldHost) {
		t.Fatalf("signed in at %s", before)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	r.org.SiteURL = siteBase
	r.hosts[oldHost] = salesforcetest.Moved("https://" + siteHost)
	b := r.agent()
	tokens, _, err := b.tokensOf(t.Context(), sideSalesforce)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Token(t.Context(), secret.String{}); err != nil {
		t.Fatalf("refresh after the move: %v", err)
	}
	if got := b.logins[sideSalesforce]; got.Base != siteBase || !strings.HasPrefix(got.TokenURL, siteBase) {
		t.Errorf("remembered %+v", got)
	}
}

// TestFeatureA04EitherOrder: the two sign-ins are separate, in either order.
func TestFeatureA04EitherOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{sideSalesforce, sideMail}, {sideMail, sideSalesforce}} {
		r := newRealm(t)
		a := r.agent()
		for i, side := range order {
			name := map[string]string{sideSalesforce: annName, sideMail: "alice@example.org"}[side]
			if _, err := r.signIn(a, side, name); err != nil {
				t.Fatal(err)
			}
			if bound := a.bound().mailbox.Address != ""; bound != (i == 1) {
				t.Errorf("%v: bound %t after %d sign-ins", order, bound, i+1)
			}
		}
		if s := a.Status(); s.Salesforce.Bound != annName || s.Mail.Bound != "alice@example.org" {
			t.Errorf("bound to %+v", s)
		}
	}
}

// passWord finds a place for one in the name of a field; capture.Choices.Pass lets mail pass.
var passWord = regexp.MustCompile(`(?i)passw|passphrase|passcode`)

// TestFeatureA04NoPasswordField: nowhere may anybody enter a password: no option of a command, no
// setting, nothing that a window or a tray could hand over.
func TestFeatureA04NoPasswordField(t *testing.T) {
	t.Parallel()
	overview, _ := hawserSays(t, "help")
	commands := regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(overview, -1)
	if len(commands) < 10 {
		t.Fatalf("commands %q in %s", commands, overview)
	}
	for _, c := range commands {
		said, code := hawserSays(t, "help", c[1])
		if code != 0 {
			continue // a page
		}
		for _, option := range regexp.MustCompile(`--[a-z-]+`).FindAllString(said, -1) {
			if strings.Contains(option, "pass") && option != "--passphrase-file" { // which is a file, and seals the key
				t.Errorf("%s has the option %s", c[1], option)
			}
		}
	}
	seen := map[reflect.Type]bool{}
	var walk func(at string, v reflect.Type)
	walk = func(at string, v reflect.Type) {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || seen[v] {
			return
		}
		seen[v] = true
		for i := range v.NumField() {
			f := v.Field(i)
			if passWord.MatchString(f.Name + " " + string(f.Tag)) {
				t.Errorf("%s.%s", at, f.Name)
			}
			walk(at+"."+f.Name, f.Type)
		}
	}
	walk("config", reflect.TypeFor[config.Config]())
	for m := range reflect.TypeFor[control.Agent]().Methods() {
		for i := range m.Type.NumIn() {
			walk(m.Name, m.Type.In(i))
		}
	}
	if len(seen) < 6 {
		t.Errorf("looked at %d types only", len(seen))
	}
}

// TestFeatureA05OneAccount: a second account or mailbox is refused on both sides until unbound.
func TestFeatureA05OneAccount(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	for side, name := range map[string]string{sideSalesforce: bobName, sideMail: "mallory@example.org"} {
		if _, err := r.signIn(a, side, name); !fault.Is(err, fault.WrongAccount) || fault.Of(err).Detail != name {
			t.Errorf("%s as %s: %v", side, name, err)
		}
		if s := a.Status(); s.State != control.WrongAccount || s.Which != side {
			t.Errorf("after %s as %s: %s at %q", side, name, s.State, s.Which)
		}
		if _, err := r.signIn(a, side, map[string]string{sideSalesforce: annName, sideMail: "alice@example.org"}[side]); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, fix := a.text.Fault(fault.WrongAccount); !strings.Contains(fix, "hawser unbind") {
		t.Errorf("the text does not say how to change: %s", fix)
	}
}

// TestFeatureA06WrongAccount: who signs in as B gets no token and sends nothing, both are named, the
// browser asks again who it is, and A ends the matter.
func TestFeatureA06WrongAccount(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	r.enqueue(a, 3)
	before, revoked := a.logins[sideSalesforce], r.count("/revoke")
	stored, err := a.db.Secret(t.Context(), refreshToken{a.db, sideSalesforce}.name())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.signIn(a, sideSalesforce, bobName); !fault.Is(err, fault.WrongAccount) {
		t.Fatalf("%v, want wrong-account", err)
	}
	if got := r.query().Get("prompt"); got != "" {
		t.Errorf("first attempt had prompt %q", got)
	}
	s := a.Status()
	said := control.Headline(a.text, s, time.Now())
	if s.State != control.WrongAccount || s.Which != sideSalesforce || !strings.Contains(said, bobName) || !strings.Contains(said, annName) {
		t.Errorf("state %s at %q: %s", s.State, s.Which, said)
	}
	if a.mayDeliver() || a.mayCapture() {
		t.Error("work may go on")
	}
	if n := r.count("/revoke"); n != revoked+1 {
		t.Errorf("%d revocations", n-revoked)
	}
	after, err := a.db.Secret(t.Context(), refreshToken{a.db, sideSalesforce}.name())
	if err != nil || !after.Equal(stored) || a.logins[sideSalesforce] != before || s.Counts.Waiting != 3 {
		t.Errorf("something changed: %v, waiting %d", err, s.Counts.Waiting)
	}
	if n := len(r.org.Records("EmailMessage")); n != 0 {
		t.Errorf("%d records", n)
	}
	if _, err := r.signIn(a, sideSalesforce, annName); err != nil {
		t.Fatal(err)
	}
	if got := r.query().Get("prompt"); got != "login" {
		t.Errorf("the browser is not made to ask: prompt %q", got)
	}
	if s := a.Status(); s.State == control.WrongAccount || s.Salesforce.Other != "" || !a.mayDeliver() || s.Counts.Waiting != 3 {
		t.Errorf("after the right account: %+v", s)
	}
}

// TestStoredLoginOfAnotherAccount: a sign-in of another account that lies in the store is noticed at
// the start, before anything talks to anybody.
func TestStoredLoginOfAnotherAccount(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	l := a.logins[sideSalesforce]
	l.UserID, l.Name = "005000000000001AAA", bobName
	if err := a.saveLogin(t.Context(), sideSalesforce, l); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := r.agent()
	said := control.Headline(b.text, b.Status(), time.Now())
	if s := b.Status(); s.State != control.WrongAccount || !strings.Contains(said, bobName) || !strings.Contains(said, annName) || b.mayDeliver() {
		t.Errorf("state %s: %s", s.State, said)
	}
}

// TestBatchOfAnotherAccount: the account in use is compared with the stored binding before a batch,
// and with the token's own at the start of delivery.
func TestBatchOfAnotherAccount(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	if err := a.checkBatch(t.Context()); err != nil {
		t.Fatalf("the right account: %v", err)
	}
	budget, err := a.recallBudget(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := a.newClient(t.Context(), budget)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.checkAccount(t.Context(), client); err != nil {
		t.Fatalf("the right token: %v", err)
	}
	right := a.binding
	a.binding = &boundTo{account: capture.Account{OrgID: right.account.OrgID, UserID: "005000000000001AAA"}, mailbox: right.mailbox}
	if err := a.checkAccount(t.Context(), client); !fault.Is(err, fault.WrongAccount) || a.Status().Salesforce.Other != annName {
		t.Errorf("another token: %v, %+v", err, a.Status().Salesforce)
	}
	a.binding = right
	a.board.update(func(b *board) { b.facts.Wrong, b.sf.Other = false, "" })
	l := a.logins[sideSalesforce]
	l.UserID = "005000000000001AAA"
	a.logins[sideSalesforce] = l
	if err := a.checkBatch(t.Context()); !fault.Is(err, fault.WrongAccount) || a.Status().State != control.WrongAccount {
		t.Errorf("another login: %v, %s", err, a.Status().State)
	}
}

// TestFeatureA08SecondAttempt: a second attempt ends the first, whose tab is told so; the listener is
// on this computer only.
func TestFeatureA08SecondAttempt(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	opened := make(chan string, 1)
	r.person = func(_ context.Context, url string) error { opened <- url; return nil }
	first := make(chan error, 1)
	go func() { first <- a.SignIn(t.Context(), sideSalesforce, func(control.SignInStep) {}) }()
	stale, err := url.Parse(<-opened)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(stale.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	listensHere(t, back.Port())
	for _, ip := range outside(t) {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, back.Port()), time.Second); err == nil {
			_ = c.Close()
			t.Errorf("the listener answers at %s", ip)
		}
	}
	second := make(chan error, 1)
	go func() { second <- a.SignIn(t.Context(), sideSalesforce, func(control.SignInStep) {}) }()
	if err := <-first; !fault.Is(err, fault.SignInOutdated) {
		t.Errorf("the first attempt: %v", err)
	}
	fresh, err := url.Parse(<-opened)
	if err != nil {
		t.Fatal(err)
	}
	at := fresh.Query().Get("redirect_uri")
	resp, err := r.browser().Get(at + "?code=x&state=" + url.QueryEscape(stale.Query().Get("state")))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the stale tab gets %d", resp.StatusCode)
	}
	if err := salesforcetest.Approve(t.Context(), r.browser(), fresh.String(), annName, salesforcetest.DefaultPassword); err != nil {
		t.Error(err)
	}
	if err := <-second; err != nil {
		t.Errorf("the second attempt: %v", err)
	}
}

// listensHere looks into the kernel's list of sockets: the port is open on loopback addresses alone.
func listensHere(t *testing.T, port string) {
	t.Helper()
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	here := map[string]bool{"0100007F": true, "00000000000000000000000001000000": true}
	found := 0
	for _, list := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(list)
		if errors.Is(err, fs.ErrNotExist) { // not Linux, or no IPv6
			continue
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
				continue
			}
			found++
			if address, _, _ := strings.Cut(f[1], ":"); !here[address] {
				t.Errorf("%s: listens at %s", list, f[1])
			}
		}
	}
	if _, err := os.Stat("/proc/net/tcp"); err == nil && found == 0 {
		t.Error("the listener is in no list")
	}
}

// outside returns this computer's addresses that others reach.
func outside(t *testing.T) []string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var ips []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			ips = append(ips, n.IP.String())
		}
	}
	return ips
}

// TestFeatureA09ForIT: what an administrator needs is known without asking the side that refuses.
func TestFeatureA09ForIT(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	r.org.BlockApp("hawser-app")
	a := r.agent()
	r.person = func(ctx context.Context, url string) error {
		resp, err := r.browser().Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := a.SignIn(t.Context(), sideSalesforce, func(control.SignInStep) {}); !fault.Is(err, fault.AppBlocked) {
		t.Errorf("blocked app: %v", err)
	}
	walls := map[string]struct {
		change      func(*realm)
		error, text string
		link        string
	}{
		"microsoft": {(*realm).microsoft, "consent_required", "AADSTS65001: The user or administrator has not consented",
			"https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=hawser&"},
		"google": {func(r *realm) { r.google(`{}`) }, "admin_policy_enforced", "", ""},
	}
	for name, wall := range walls {
		r := newRealm(t)
		wall.change(r)
		r.issuer.Misbehave(oauthtest.Mischief{ConsentError: wall.error, ConsentDescription: wall.text})
		steps, err := r.signIn(r.agent(), sideMail, "alice@example.org")
		if !fault.Is(err, fault.ConsentByAdmin) {
			t.Errorf("%s: %v", name, err)
		}
		last := steps[len(steps)-1]
		if link := last.Step == "approve"; link != (wall.link != "") || link && !strings.HasPrefix(last.URL, wall.link) {
			t.Errorf("%s: last step %+v", name, last)
		}
	}
	app, err := a.App(t.Context(), sideSalesforce)
	if err != nil || app.ClientID != "hawser-app" || app.Site != siteBase || !slices.Equal(app.Callbacks, callbacks) || !slices.Contains(app.Scopes, "api") {
		t.Errorf("%+v %v", app, err)
	}
	r.config.Mail = config.Mail{Issuer: "https://login.microsoftonline.com/contoso.example/v2.0", ClientID: "entra-app", IMAP: "outlook.office365.com:993"}
	if app, err = r.again(a).App(t.Context(), sideMail); err != nil ||
		!strings.HasPrefix(app.AdminLink, "https://login.microsoftonline.com/contoso.example/v2.0/adminconsent?") || !strings.Contains(app.AdminLink, "client_id=entra-app") {
		t.Errorf("%+v %v", app, err)
	}
}

// again closes the profile and opens it anew.
func (r *realm) again(a *Agent) *Agent {
	r.t.Helper()
	if err := a.Close(); err != nil {
		r.t.Fatal(err)
	}
	return r.agent()
}

// google makes the mail provider Google, with its own addresses.
func (r *realm) google(aliases string) {
	r.issuer = &oauthtest.Issuer{Flavour: oauthtest.Google, URL: "https://" + googleHost,
		Clients: []oauthtest.Client{{ID: "hawser", Secret: "not-a-secret"}}}
	paths := map[string]string{"/o/oauth2/v2/auth": "/authorize", "/oauth2/v3/certs": "/jwks", "/v1/userinfo": "/userinfo"}
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if to, ok := paths[req.URL.Path]; ok {
			req.URL.Path = to
		}
		r.issuer.ServeHTTP(w, req)
	})
	for _, host := range []string{googleHost, "oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"} {
		r.hosts[host] = h
	}
	r.hosts["gmail.googleapis.com"] = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, ok := r.issuer.Active(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")); !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(aliases))
	})
	r.config.Mail = config.Mail{Issuer: "https://" + googleHost, ClientID: "hawser", ClientSecret: "not-a-secret", IMAP: "imap.gmail.com:993"}
}

// microsoft makes the mail provider Microsoft, with its own addresses.
func (r *realm) microsoft() {
	r.issuer = &oauthtest.Issuer{Flavour: oauthtest.Microsoft, URL: "https://" + microsoftHost + "/organizations/v2.0"}
	r.hosts[microsoftHost] = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch name := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]; name {
		case "keys":
			req.URL.Path = "/jwks"
		default:
			req.URL.Path = "/" + name
		}
		r.issuer.ServeHTTP(w, req)
	})
	r.hosts["graph.microsoft.com"] = r.issuer
	r.config.Mail = config.Mail{Issuer: "https://" + microsoftHost + "/organizations/v2.0", ClientID: "hawser", IMAP: "outlook.office365.com:993"}
}

// TestFeatureG07LeastScopes: each consent page asks for what is needed and no more.
func TestFeatureG07LeastScopes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		side   string
		change func(*realm)
		want   string
	}{
		"salesforce": {sideSalesforce, func(*realm) {}, "api refresh_token id openid"},
		"google":     {sideMail, func(r *realm) { r.google(`{}`) }, "openid email https://mail.google.com/"},
		"microsoft":  {sideMail, (*realm).microsoft, "https://outlook.office.com/IMAP.AccessAsUser.All offline_access openid email profile"},
		"generic":    {sideMail, func(*realm) {}, "openid email mail offline_access"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t)
			row.change(r)
			a := r.agent()
			who := map[string]string{sideSalesforce: annName, sideMail: "alice@example.org"}[row.side]
			if _, err := r.signIn(a, row.side, who); err != nil {
				t.Fatal(err)
			}
			if got := r.query().Get("scope"); got != row.want {
				t.Errorf("asked for %q, want %q", got, row.want)
			}
		})
	}
}

// TestFeatureG07Withdrawn: a permission that is taken away later stops its own side, in words, and
// the other one goes on.
func TestFeatureG07Withdrawn(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	r.issuer.Misbehave(oauthtest.Mischief{Change: map[string]any{"scope": "openid email offline_access"}})
	b := r.again(a)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- b.keep(ctx, part{name: "capture", side: sideMail, ready: b.mayCapture, run: b.inTurn(sideMail, b.useMailToken)})
	}()
	for end := time.Now().Add(10 * time.Second); b.Status().Mail.Fault == ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody noticed")
		}
	}
	s := b.Status()
	if s.State != control.NeedsSignIn || s.Which != sideMail || s.Mail.SignedIn || s.Mail.Fault != fault.ScopeMissing || s.Why != fault.ScopeMissing {
		t.Errorf("%+v", s)
	}
	if title, body, fix := b.text.Fault(s.Why); title == "" || body == "" || fix == "" {
		t.Error("there are no words for it")
	}
	if !s.Salesforce.SignedIn || !b.mayDeliver() {
		t.Errorf("the other side: %+v", s.Salesforce)
	}
	tokens, _, err := b.tokensOf(t.Context(), sideSalesforce)
	if err == nil {
		_, err = tokens.Token(t.Context(), secret.String{})
	}
	if err != nil {
		t.Errorf("the other side: %v", err)
	}
	cancel()
	<-ended
}

// useMailToken is a capture that does no more than to ask for its token.
func (a *Agent) useMailToken(ctx context.Context) error {
	tokens, _, err := a.tokensOf(ctx, sideMail)
	if err == nil {
		_, err = tokens.Token(ctx, secret.String{})
	}
	return err
}

// TestScopeUnticked: a permission that was not granted ends the sign-in with its name.
func TestScopeUnticked(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.person = func(ctx context.Context, url string) error {
		_, _, err := (&oauthtest.Browser{Client: r.browser(), User: "alice@example.org", Password: "password", Untick: []string{"mail"}}).Visit(ctx, url)
		return err
	}
	err := a.SignIn(t.Context(), sideMail, func(control.SignInStep) {})
	if !fault.Is(err, fault.ScopeMissing) || !strings.Contains(fault.Of(err).Detail, "mail") || a.Status().Mail.SignedIn {
		t.Errorf("%v", err)
	}
}

// TestNobody: a mailbox without a stable id binds nothing.
func TestNobody(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]oauth.Identity{
		"no subject": {Issuer: "https://x.example", Email: "alice@example.org"},
		"no address": {Issuer: "https://x.example", Subject: "1", Username: "alice"},
		"no issuer":  {Subject: "1", Email: "alice@example.org"},
	} {
		if _, err := loginOf(sideMail, oauth.Grant{Identity: id}); !fault.Is(err, fault.SignInRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := loginOf(sideSalesforce, oauth.Grant{Identity: oauth.Identity{OrgID: "00D3D00000017VmUAI"}}); !fault.Is(err, fault.SignInRefused) {
		t.Errorf("no user id: %v", err)
	}
	if l, err := loginOf(sideMail, oauth.Grant{Identity: oauth.Identity{Issuer: "i", Subject: "s", Username: "alice@contoso.example"}}); err != nil || l.Address != "alice@contoso.example" {
		t.Errorf("a user name that is an address: %+v %v", l, err)
	}
}

// TestFeatureA10Aliases: of six addresses four count, two are said not to, and a person decides.
func TestFeatureA10Aliases(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	var doc struct {
		SendAs []map[string]any `json:"sendAs"`
	}
	doc.SendAs = append(doc.SendAs, map[string]any{"sendAsEmail": "alice@example.org", "isPrimary": true})
	for i := range 5 {
		doc.SendAs = append(doc.SendAs, map[string]any{"sendAsEmail": fmt.Sprintf("alias%d@example.org", i), "verificationStatus": "accepted"})
	}
	doc.SendAs = append(doc.SendAs, map[string]any{"sendAsEmail": "pending@example.org", "verificationStatus": "pending"})
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	r.google(string(raw))
	a := r.agent()
	r.both(a)
	own := func(a *Agent) string { return strings.Join(a.own(), " ") }
	if got := own(a); got != "alice@example.org alias0@example.org alias1@example.org alias2@example.org" {
		t.Errorf("own addresses %s", got)
	}
	known, err := a.Aliases(t.Context())
	if err != nil || len(known) != 6 || !known[0].Primary || known[5].On {
		t.Errorf("%+v %v", known, err)
	}
	if err := a.SetAlias(t.Context(), "alias4@example.org", true); !fault.Is(err, fault.Usage) {
		t.Errorf("a fifth one: %v", err)
	}
	if err := a.SetAlias(t.Context(), "alice@example.org", false); !fault.Is(err, fault.Usage) {
		t.Errorf("the mailbox's own: %v", err)
	}
	if err := a.SetAlias(t.Context(), "else@example.org", true); !fault.Is(err, fault.NotFound) {
		t.Errorf("one that is not known: %v", err)
	}
	if err := errors.Join(a.SetAlias(t.Context(), "alias0@example.org", false), a.SetAlias(t.Context(), "Alias4@example.org", true)); err != nil {
		t.Fatal(err)
	}
	b := r.again(a)
	if got := own(b); got != "alice@example.org alias1@example.org alias2@example.org alias4@example.org" {
		t.Errorf("after a restart: %s", got)
	}
	if _, err := r.signIn(b, sideMail, "alice@example.org"); err != nil {
		t.Fatal(err)
	}
	if got := own(b); strings.Contains(got, "alias0") {
		t.Errorf("a choice was forgotten: %s", got)
	}
}

// TestGraphAliases: Exchange tells its addresses through Graph, whose permission is not asked for in
// the browser; a directory that has not consented to it costs no more than the proposal.
func TestGraphAliases(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		consented []string
		want      string
	}{
		"consented": {[]string{graphScope}, "alice@example.org sales@example.org info@example.org alice@contoso.onmicrosoft.com"},
		"not":       {nil, "alice@example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t)
			r.microsoft()
			r.issuer.Consented = row.consented
			r.issuer.Users = []oauthtest.User{{Email: "alice@example.org", Password: "password", Addresses: []string{"SIP:alice@example.org",
				"smtp:alice@contoso.onmicrosoft.com", "smtp:sales@example.org", "SMTP:alice@example.org", "smtp:info@example.org", "X500:/o=Exchange/cn=alice",
				"smtp:alice@contoso.mail.onmicrosoft.com"}}}
			a := r.agent()
			r.both(a)
			if got := strings.Join(a.own(), " "); got != row.want {
				t.Errorf("own addresses %s, want %s", got, row.want)
			}
			if known, err := a.Aliases(t.Context()); err != nil || row.consented != nil && (len(known) != 5 || known[4].On || known[1].Source != control.FromProvider) {
				t.Errorf("%+v %v", known, err)
			}
			if strings.Contains(r.query().Get("scope"), "graph") {
				t.Errorf("asked for %s", r.query().Get("scope"))
			}
			tokens, _, err := a.tokensOf(t.Context(), sideMail)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tokens.Token(t.Context(), secret.String{}); err != nil {
				t.Errorf("the mailbox's own token: %v", err)
			}
		})
	}
}

// TestFeatureA11NothingInFiles: tokens of 6 kB come back whole after a restart and are in no file;
// the key store has one short entry.
func TestFeatureA11NothingInFiles(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	long := strings.Repeat("zanzibar", 6<<10/8)
	r.issuer.Misbehave(oauthtest.Mischief{Change: map[string]any{"refresh_token": long}})
	a := r.agent()
	r.both(a)
	b := r.again(a)
	got, err := b.db.Secret(t.Context(), refreshToken{b.db, sideMail}.name())
	if err != nil || got.Reveal() != long {
		t.Errorf("%d bytes came back: %v", len(got.Reveal()), err)
	}
	entry, err := r.keys.Get(t.Context(), keyService, keyProfile)
	if err != nil || len(entry) > 2560 {
		t.Errorf("the key store's entry has %d bytes: %v", len(entry), err)
	}
	words := append(r.org.Tokens(), append(r.issuer.Tokens(), "zanzibar", entry)...)
	err = filepath.WalkDir(filepath.Dir(r.dirs.State), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, w := range words {
			if bytes.Contains(raw, []byte(w)) {
				t.Errorf("%s holds a token", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFeatureA12SignOut: both providers hear of it, nothing is left in the store, and what waits is
// kept or left out as asked.
func TestFeatureA12SignOut(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	r.enqueue(a, 3)
	tokens := len(r.issuer.Tokens())
	got, err := a.SignOut(t.Context(), "", false)
	if err != nil || got != (control.SignOutResult{Waiting: 3}) {
		t.Fatalf("%+v %v", got, err)
	}
	if n := r.count("/revoke"); n != 2 || len(r.issuer.Tokens()) >= tokens {
		t.Errorf("%d revocations", n)
	}
	for _, name := range []string{"refresh.salesforce", "refresh.mail", "login.salesforce", "login.mail", owedSecret} {
		if s, err := a.db.Secret(t.Context(), name); err != nil || !s.Empty() {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if s := a.Status(); s.State != control.NeedsSignIn || s.Salesforce.SignedIn || s.Mail.SignedIn || s.Counts.Waiting != 3 {
		t.Errorf("%+v", s)
	}
	if _, err := r.signIn(a, sideSalesforce, bobName); !fault.Is(err, fault.WrongAccount) {
		t.Errorf("a sign-out unbinds: %v", err)
	}
	r.both(a)
	if got, err = a.SignOut(t.Context(), sideSalesforce, true); err != nil || got.Discarded != 3 || got.Waiting != 0 {
		t.Errorf("discard: %+v %v", got, err)
	}
	if s := a.Status(); s.Counts.Filtered != 3 || s.Counts.Seen != 3 || !s.Mail.SignedIn {
		t.Errorf("%+v", s)
	}
	if _, err := a.SignOut(t.Context(), sideMail, true); !fault.Is(err, fault.Usage) {
		t.Errorf("discard with the mailbox alone: %v", err)
	}
}

// TestSignOutOffline: what a provider could not hear is told after the next start.
func TestSignOutOffline(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	refresh, err := a.db.Secret(t.Context(), refreshToken{a.db, sideMail}.name())
	if err != nil {
		t.Fatal(err)
	}
	r.offline(true)
	got, err := a.SignOut(t.Context(), "", false)
	if err != nil || !got.Pending || a.Status().Mail.SignedIn {
		t.Fatalf("%+v %v", got, err)
	}
	if s, err := a.db.Secret(t.Context(), "refresh.mail"); err != nil || !s.Empty() {
		t.Errorf("the token is still in use: %v", err)
	}
	b := r.again(a)
	if left, err := b.settle(t.Context()); err != nil || left != 2 {
		t.Errorf("still offline: %d left, %v", left, err)
	}
	r.offline(false)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.settleAll(ctx) }()
	for end := time.Now().Add(10 * time.Second); r.issuer.RefreshValid(refresh.Reveal()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the provider was never told")
		}
	}
	cancel()
	<-done
	if left, err := b.settle(t.Context()); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
}

// TestFewApprovals: signing in again gives the earlier sign-in back, so that it does not use up one
// of the five that Salesforce keeps per user and app.
func TestFewApprovals(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	other, refresh := r.org.MintToken(annName) // another computer's
	for range 7 {
		if _, err := r.signIn(a, sideSalesforce, annName); err != nil {
			t.Fatal(err)
		}
		if _, err := a.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if tokens := r.org.Tokens(); !slices.Contains(tokens, other) || refresh == "" {
		t.Error("another computer's sign-in was ended")
	}
	tokens, _, err := a.tokensOf(t.Context(), sideSalesforce)
	if err != nil {
		t.Fatal(err)
	}
	first, err := tokens.Token(t.Context(), secret.String{})
	if err == nil {
		_, err = tokens.Token(t.Context(), first)
	}
	if err != nil {
		t.Errorf("the last sign-in does not work: %v", err)
	}
}

// TestUnbind: nothing of the old binding is left, the key is another, and anybody may sign in.
func TestUnbind(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	r.enqueue(a, 2)
	key, err := r.keys.Get(t.Context(), keyService, keyProfile)
	if err != nil {
		t.Fatal(err)
	}
	r.offline(true)
	got, err := a.Unbind(t.Context())
	if err != nil || got != (control.UnbindResult{Deleted: 2, Pending: true}) {
		t.Fatalf("%+v %v", got, err)
	}
	end := a.unbound
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	where := keyring.Config{Store: r.keys, Service: keyService, Profile: keyProfile, Log: a.cfg.Log}
	if err := forgetProfile(t.Context(), r.dirs, where); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(r.dirs.State, "queue.db*")); err != nil || slices.ContainsFunc(left, func(p string) bool { return !strings.HasSuffix(p, ".lock") }) {
		t.Errorf("left behind: %q, %v", left, err)
	}
	b, err := New(t.Context(), Config{Dirs: r.dirs, Settings: r.config, Keys: r.keys, Log: a.cfg.Log, OpenBrowser: r.open, owed: end.owed})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	b.http = r.client
	if now, err := r.keys.Get(t.Context(), keyService, keyProfile); err != nil || now == key {
		t.Errorf("the key is the old one: %v", err)
	}
	if s := b.Status(); s.State != control.NeedsSignIn || s.Counts.Seen != 0 || s.Salesforce.Bound != "" {
		t.Errorf("%+v", s)
	}
	r.offline(false)
	if left, err := b.settle(t.Context()); err != nil || left != 0 || r.count("/revoke") < 2 {
		t.Errorf("%d revocations left, %v", left, err)
	}
	if _, err := r.signIn(b, sideSalesforce, bobName); err != nil {
		t.Errorf("another account: %v", err)
	}
}

// TestA47CopiedStore: a store that was copied to another computer, whose key store has another key,
// opens there as an empty one.
func TestA47CopiedStore(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(filepath.Join(r.dirs.State, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"another computer", "another user with a key of their own"} {
		r.keys = &keyring.Memory{}
		if strings.HasPrefix(who, "another user") {
			if _, _, err := keyring.Key(t.Context(), keyring.Config{Store: r.keys, Service: keyService, Profile: keyProfile, Log: a.cfg.Log}); err != nil {
				t.Fatal(err)
			}
		}
		r.dirs.State = t.TempDir()
		if err := os.WriteFile(filepath.Join(r.dirs.State, "queue.db"), copied, 0o600); err != nil {
			t.Fatal(err)
		}
		b := r.agent()
		if s := b.Status(); s.State != control.NeedsSignIn || s.Salesforce.Bound != "" || s.Salesforce.SignedIn || s.Mail.SignedIn || b.binding != nil {
			t.Errorf("%s: %+v", who, s)
		}
		if _, err := r.signIn(b, sideSalesforce, bobName); err != nil {
			t.Errorf("%s does not start clean: %v", who, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, word := range append(r.org.Tokens(), append(r.issuer.Tokens(), annName, "alice@example.org", siteHost)...) {
		if bytes.Contains(copied, []byte(word)) {
			t.Errorf("the copied file tells %.20s", word)
		}
	}
}

// TestA24NoDiscoveryOfMailServers: the mail server and the sign-in page are those of the settings:
// nothing is asked of a domain that was made from an address.
func TestA24NoDiscoveryOfMailServers(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	for _, asked := range r.asked {
		host, _, _ := strings.Cut(asked, "/")
		if r.hosts[host] == nil || strings.Contains(asked, "auto") && !strings.HasPrefix(host, "localhost") {
			t.Errorf("%s was asked", asked)
		}
	}
}

// TestPageSpeaks: the page in the browser speaks the user's language.
func TestPageSpeaks(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	said := make(chan string, 1)
	r.person = func(ctx context.Context, url string) error {
		_, page, err := (&oauthtest.Browser{Client: r.browser(), User: "alice@example.org", Password: "password"}).Visit(context.WithoutCancel(ctx), url)
		said <- page
		return err
	}
	if err := a.SignIn(t.Context(), sideMail, func(control.SignInStep) {}); err != nil {
		t.Fatal(err)
	}
	if page := <-said; !strings.Contains(page, "Sie sind angemeldet") {
		t.Errorf("the page says %s", page)
	}
}

// TestRefusedAddress: a refused address comes with the reason in words.
func TestRefusedAddress(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	r.config.Salesforce.Site = "https://acme.lightning.force.com/lightning/page/home"
	err := r.agent().SignIn(t.Context(), sideSalesforce, func(control.SignInStep) {})
	if f := fault.Of(err); f.Code != fault.SiteRefused || !strings.Contains(f.Detail, "Anmeldeseite") || r.opened != "" {
		t.Errorf("%v: %q", err, f.Detail)
	}
}

// TestFeatureA02Refusal: an address is refused before anything is asked of anybody, and the text names
// the endings that are good.
func TestFeatureA02Refusal(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://evil-force.com", "https://my.site.com.evil.org", "https://force.com@evil.org", "http://acme.my.site.com",
		"https://127.0.0.1", "https://\u0430cme.my.site.com", "https://acme.my.salesforce.com:8443"} {
		r := newRealm(t)
		r.config.Salesforce.Site = address
		a := r.agent()
		err := a.SignIn(t.Context(), sideSalesforce, func(control.SignInStep) {})
		if f := fault.Of(err); f.Code != fault.SiteRefused || !strings.Contains(f.Detail, address) {
			t.Errorf("%s: %v %q", address, err, f.Detail)
		}
		if r.opened != "" || len(r.asked) != 0 {
			t.Errorf("%s: opened %q, asked %q", address, r.opened, r.asked)
		}
	}
	for _, lang := range text.Languages() {
		_, body, _ := text.New(lang).Fault(fault.SiteRefused)
		for _, ending := range []string{"my.site.com", "my.salesforce.com", "siteforce.com", "force.com"} {
			if !strings.Contains(body, ending) {
				t.Errorf("%s: %s does not name %s", lang, body, ending)
			}
		}
	}
}

// TestFeatureA03OutOfUse: an old address that leads nowhere is tried at its likely successor, once,
// and the person is told what may be the cause.
func TestFeatureA03OutOfUse(t *testing.T) {
	t.Parallel()
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>gone</html>")) })
	for name, row := range map[string]struct {
		old, successor http.Handler
		want           fault.Code // "" is signed in
	}{
		"dead, successor lives": {nil, nil, ""},
		"page, successor lives": {nothing, nil, ""},
		"dead, no successor":    {nil, http.NotFoundHandler(), fault.Offline},
		"page, no successor":    {nothing, http.NotFoundHandler(), fault.SiteRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t)
			r.config.Salesforce.Site = "https://" + oldHost + salesforcetest.SitePath
			delete(r.hosts, oldHost)
			if row.old != nil {
				r.hosts[oldHost] = row.old
			}
			if row.successor != nil {
				r.hosts[siteHost] = row.successor
			}
			a := r.agent()
			steps, err := r.signIn(a, sideSalesforce, annName)
			if row.want == "" {
				if err != nil || a.logins[sideSalesforce].Base != siteBase || !slices.Contains(steps, control.SignInStep{Step: "moved", URL: siteBase}) {
					t.Errorf("%v, %+v, stored %q", err, steps, a.logins[sideSalesforce].Base)
				}
				return
			}
			if f := fault.Of(err); f.Code != row.want || !strings.Contains(f.Detail, "force.com") || !strings.Contains(f.Detail, "Sites") || r.opened != "" {
				t.Errorf("%v: %q, opened %q", err, f.Detail, r.opened)
			}
		})
	}
}

// TestNothingToSignInTo: without settings there is no address to refuse.
func TestNothingToSignInTo(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	r.config = config.Config{}
	a := r.agent()
	for _, side := range []string{sideSalesforce, sideMail} {
		if err := a.SignIn(t.Context(), side, func(control.SignInStep) {}); !fault.Is(err, fault.NotSetUp) || len(r.asked) != 0 {
			t.Errorf("%s: %v", side, err)
		}
	}
}
