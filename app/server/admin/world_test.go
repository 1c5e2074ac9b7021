package admin_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/app/server/admin"
	"hawser/auth/oauth/oauthtest"
	"hawser/auth/provision"
	"hawser/auth/provision/provisiontest"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
	"hawser/sync/leaktest"
	"hawser/sync/salesforce/salesforcetest"
)

// TestMain fails the package when a goroutine outlives its tests.
func TestMain(m *testing.M) {
	os.Exit(leaktest.Run(func() int {
		defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		return pgtest.Main(m)
	}))
}

// stores are where the page's data can be.
var stores = map[string]func(t testing.TB) provision.Store{
	"memory":   func(testing.TB) provision.Store { return &provisiontest.Memory{} },
	"sqlite":   func(t testing.TB) provision.Store { return database(t, filepath.Join(t.TempDir(), "tenants.db")) },
	"postgres": func(t testing.TB) provision.Store { return database(t, postgres(t)) },
}

func database(t testing.TB, where string) provision.Store {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func postgres(t testing.TB) string {
	t.Helper()
	db := pgtest.New(t)
	if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); err != nil {
		t.Fatal(err)
	}
	return db.Server
}

// world is a server with the page, a pretend Salesforce, and two companies: acme with the groups p
// and q, and bolt, whose users have the same ids.
type world struct {
	testing.TB
	store      provision.Store
	vault      *provision.Vault
	org        *salesforcetest.Org
	site       string // issuer
	url        string
	acme, bolt reqsig.TenantID
	page       *admin.Page
	boss, pat  salesforcetest.User // admins of the whole company and of group p
	key        provision.Key       // the company's

	mu    sync.Mutex
	ahead time.Duration // of the page's clock
	log   strings.Builder
}

const appID = "hawser-admin"

func newWorld(t testing.TB, store provision.Store) *world {
	t.Helper()
	w := &world{TB: t, store: store, org: &salesforcetest.Org{}}
	sites := httptest.NewServer(w.org)
	t.Cleanup(sites.Close)
	w.site = sites.URL
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.page.ServeHTTP(rw, r) }))
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	front.StartTLS()
	t.Cleanup(front.Close)
	w.url = front.URL
	w.org.AddApp(salesforcetest.App{ClientID: appID, Name: "Hawser Admin", Callbacks: []string{w.url + "/admin/callback"}, Scopes: []string{"openid"}})
	w.boss = w.org.AddUser(salesforcetest.User{Username: "boss@acme.example"})
	w.pat = w.org.AddUser(salesforcetest.User{Username: "pat@acme.example"})
	w.org.AddUser(salesforcetest.User{Username: "zed@acme.example"})
	var err error
	master := make([]byte, provision.MasterSize)
	rand.Read(master)
	w.vault, err = provision.NewVault(master)
	w.ok(err)
	w.page, err = admin.New(admin.Config{
		Store: store, Vault: w.vault, Base: w.url, Now: w.now, Log: slog.New(slog.NewTextHandler(&lockedWriter{w}, nil)),
	})
	w.ok(err)
	w.acme, w.bolt = w.company("acme"), w.company("bolt")
	w.admin(w.boss, "")
	w.admin(w.pat, "p")
	for _, id := range []reqsig.TenantID{w.acme, w.bolt} {
		for i, group := range []string{"p", "q"} {
			w.user(id, group+"-ann", group, 10*i+1)
			w.user(id, group+"-bob", group, 10*i+2)
		}
	}
	w.key = w.newKey(w.acme, "")
	return w
}

type lockedWriter struct{ w *world }

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(b)
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) event(action, subject string) provision.Event {
	return provision.Event{At: w.now(), Actor: "operator", Action: action, Subject: subject}
}

func (w *world) company(name string) reqsig.TenantID {
	w.Helper()
	t := provision.Tenant{ID: provision.NewTenantID(), Name: name, CreatedAt: w.now()}
	t.Sites = []provision.Site{{Issuer: w.site, OrgID: w.org.OrgID(), ClientIDs: []string{"agent"}, AdminClientID: appID}}
	w.ok(w.store.CreateTenant(w.Context(), t, w.event("tenant.create", t.ID)))
	return reqsig.Operator(t.ID)
}

func (w *world) account(u salesforcetest.User) provision.Account {
	return provision.Account{OrgID: w.org.OrgID(), UserID: u.ID}
}

func (w *world) admin(u salesforcetest.User, group string) {
	w.Helper()
	w.ok(w.store.PutAdmin(w.Context(), w.acme, provision.Admin{Account: w.account(u), Group: group}, w.event("admin.put", u.ID)))
}

// user provisions somebody with a computer that has reported.
func (w *world) user(id reqsig.TenantID, name, group string, n int) {
	w.Helper()
	account, ok := provision.Account{OrgID: w.org.OrgID(), UserID: fmt.Sprintf("0055g%010d", n)}.Canonical()
	if !ok {
		w.Fatal("not an account")
	}
	u := provision.User{ID: name, Group: group, Account: account, Mailbox: name + "@acme.example"}
	_, _, err := w.store.PutUser(w.Context(), id, u, w.event("user.put", name))
	w.ok(err)
	w.computer(id, name, n, provision.Report{
		Version: "1.4.0", OS: "linux", State: "up-to-date",
		Counts: provision.Counts{Seen: 40, Captured: 30, Filtered: 5, Waiting: 4, NeedsYou: 1},
	})
}

func (w *world) computer(id reqsig.TenantID, user string, n int, r provision.Report) provision.Device {
	w.Helper()
	hash := sha256.Sum256([]byte(fmt.Sprint(id, user, n)))
	d := provision.Device{ID: "d_" + rand.Text(), User: user, Registration: fmt.Sprintf("registration-%d-of-%s", n, user), KeyHash: hash[:], Report: r}
	reg := provision.Registration{
		Device: d, Key: provision.Key{ID: d.ID, Role: provision.RoleDevice, User: user, Sealed: []byte("sealed"), CreatedAt: w.now()},
		Claims: []provision.Claim{{Kind: provision.ClaimAccount, Hash: sha256.Sum256([]byte(fmt.Sprint(id, user)))}},
	}
	d, err := w.store.Register(w.Context(), id, reg, w.event("device.register", d.ID))
	w.ok(err)
	_, err = w.store.CheckIn(w.Context(), id, d.ID, r, w.now().Add(-5*time.Minute))
	w.ok(err)
	return d
}

func (w *world) newKey(id reqsig.TenantID, group string) provision.Key {
	w.Helper()
	k, _ := w.vault.NewKey(id, provision.RoleTenant, group, w.now())
	w.ok(w.store.AddKey(w.Context(), id, k, w.event("key.add", k.ID)))
	return k
}

// browser is somebody with a cookie jar.
type browser struct {
	*world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	w.ok(err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	w.Cleanup(transport.CloseIdleConnections)
	return &browser{w, &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}}
}

// signIn goes through Salesforce's pages as user and returns where it ended.
func (b *browser) signIn(tenant reqsig.TenantID, user string) (int, string) {
	b.Helper()
	p := oauthtest.Browser{Client: b.client, User: user, Password: salesforcetest.DefaultPassword}
	status, page, err := p.Visit(b.Context(), b.url+admin.SignInPath(tenant.String())+"/0")
	b.ok(err)
	return status, page
}

// signedIn is somebody who is signed in to acme's page.
func (w *world) signedIn(user string) *browser {
	w.Helper()
	b := w.browser()
	if status, page := b.signIn(w.acme, user); status != http.StatusOK || !strings.Contains(page, "<h1>Users</h1>") {
		w.Fatalf("%s is not signed in: %d %s", user, status, text(page))
	}
	return b
}

// do sends a request and returns status and page; edit may change the request.
func (b *browser) do(method, path string, form url.Values, edit func(*http.Request)) (int, string, http.Header) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	b.ok(err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Origin", b.url)
	}
	if edit != nil {
		edit(req)
	}
	resp, err := b.client.Do(req)
	b.ok(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	b.ok(err)
	return resp.StatusCode, string(body), resp.Header
}

// get demands a status.
func (b *browser) get(want int, path string) string {
	b.Helper()
	status, page, _ := b.do(http.MethodGet, path, nil, nil)
	if status != want {
		b.Fatalf("GET %s: %d, want %d: %s", path, status, want, text(page))
	}
	return page
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(token|once)" value="([^"]*)">`)

// form is what a page's form sends.
func form(page string) url.Values {
	out := url.Values{}
	main := page[strings.Index(page, "<main"):]
	for _, m := range hidden.FindAllStringSubmatch(main, -1) {
		out.Set(m[1], m[2])
	}
	return out
}

// post fills in the form of a page and sends it there.
func (b *browser) post(want int, path string, more url.Values) string {
	b.Helper()
	values := form(b.get(http.StatusOK, path))
	for name, v := range more {
		values[name] = v
	}
	status, page, _ := b.do(http.MethodPost, path, values, nil)
	if status != want {
		b.Fatalf("POST %s: %d, want %d: %s", path, status, want, text(page))
	}
	return page
}

var tags = regexp.MustCompile(`(?s)<style.*?</style>|<[^>]*>|\s+`)

// text is a page's words.
func text(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
}

// events are the log's actors, actions and subjects, newest first.
func (w *world) events(n int) string {
	w.Helper()
	all, err := w.store.Events(context.WithoutCancel(w.Context()), w.acme, 0, n)
	w.ok(err)
	var lines []string
	for _, e := range all {
		lines = append(lines, e.Actor+" "+e.Action+" "+e.Subject)
	}
	return strings.Join(lines, "\n")
}

func (w *world) state(user string) provision.UserState {
	w.Helper()
	u, err := w.store.User(w.Context(), w.acme, user)
	w.ok(err)
	return u.State
}
