package provision_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/auth/secret"
)

const (
	orgA, userA = "00D000000000001EAA", "0050000000000A1AAI"
	client      = "client-id"
)

// signingKey is one for all tests: drawing one takes longer than most of them.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// issuer is an OpenID provider that signs whatever it is told to.
type issuer struct {
	*httptest.Server
	mu   sync.Mutex
	key  *rsa.PrivateKey
	down bool
	hits int
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{key: signingKey()}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.hits++
		switch {
		case i.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/keys":
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: i.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// world is a server with two tenants.
type world struct {
	*testing.T
	db     database
	store  provision.Store
	close  func() error // of the store
	vault  *provision.Vault
	server *provision.Server
	http   *httptest.Server
	log    *logBuffer
	issuer *issuer
	x, y   tenant

	mu  sync.Mutex
	now time.Time
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type tenant struct {
	id     reqsig.TenantID
	key    provision.Credential
	deploy provision.Credential
	api    *provision.Client
}

func newWorld(t *testing.T, db database) *world {
	t.Helper()
	w := &world{T: t, db: db, log: new(logBuffer), issuer: newIssuer(t), now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	var err error
	if w.vault, err = provision.NewVault(bytes.Repeat([]byte{7}, provision.MasterSize)); err != nil {
		t.Fatal(err)
	}
	w.store, w.close = db.open()
	t.Cleanup(func() { w.ok(w.close()) })
	w.http = httptest.NewUnstartedServer(nil)
	w.server = w.serverOn(w.store)
	w.http.Config.Handler = w.described(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.server.ServeHTTP(rw, r) }))
	w.http.Start()
	t.Cleanup(w.http.Close)
	w.x, w.y = w.tenant("acme"), w.tenant("bolt")
	return w
}

func (w *world) serverOn(store provision.Store) *provision.Server {
	w.Helper()
	s, err := provision.NewServer(provision.ServerConfig{
		Store: store, Vault: w.vault, Authority: w.http.Listener.Addr().String(), Now: w.clock, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	w.ok(err)
	return s
}

// restart ends the server and starts it on the same database. No request may be in work.
func (w *world) restart() {
	w.Helper()
	w.ok(w.close())
	w.store, w.close = w.db.open()
	w.server = w.serverOn(w.store)
}

// second is another server of the same database. Two of them share a SQLite file inside one process only.
func (w *world) second() *provision.Server {
	w.Helper()
	if !w.db.shared {
		return w.serverOn(w.store)
	}
	store, end := w.db.open()
	w.Cleanup(func() { w.ok(end()) })
	return w.serverOn(store)
}

// described holds every answer of the server against the description.
func (w *world) described(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		switch rec.Code { // these may come of any call
		case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable:
		default:
			if bad := provision.Described(r.Method, r.URL.Path, rec.Code, rec.Body.Bytes()); bad != "" {
				w.Error(bad)
			}
		}
		maps.Copy(rw.Header(), rec.Header())
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
	})
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got %v, want no error", err)
	}
}

// code demands a refusal with a code.
func (w *world) code(err error, status int, want string) *provision.Problem {
	w.Helper()
	var p *provision.Problem
	if !errors.As(err, &p) || p.Code != want || p.Status != status {
		w.Fatalf("got %v, want %d %s", err, status, want)
	}
	return p
}

func (w *world) client(c provision.Credential) *provision.Client {
	w.Helper()
	api, err := provision.NewClient(provision.ClientConfig{Server: w.http.URL, Key: c, Now: w.clock, Base: w.http.Client().Transport})
	w.ok(err)
	return api
}

func (w *world) event() provision.Event {
	return provision.Event{At: w.clock(), Actor: "operator", Action: "test"}
}

func (w *world) tenant(name string) tenant {
	w.Helper()
	row := provision.Tenant{
		ID: provision.NewTenantID(), Name: name, CreatedAt: w.clock(), Domains: []string{"example.com"},
		Sites: []provision.Site{{Issuer: w.issuer.URL, OrgID: orgA, ClientIDs: []string{client}}},
		Mail:  []provision.MailIssuer{{Issuer: w.issuer.URL, ClientIDs: []string{client}}},
	}
	w.ok(w.store.CreateTenant(w.Context(), row, w.event()))
	t := tenant{id: reqsig.Operator(row.ID)}
	t.key = w.key(t.id, provision.RoleTenant, "")
	t.deploy = w.key(t.id, provision.RoleDeployment, "")
	t.api = w.client(t.key)
	return t
}

// change edits a tenant's row as the operator does.
func (w *world) change(t tenant, edit func(*provision.Tenant)) {
	w.Helper()
	row, err := w.store.Tenant(w.Context(), t.id)
	w.ok(err)
	edit(&row)
	w.ok(w.store.SetTenant(w.Context(), t.id, row, w.event()))
}

func (w *world) key(id reqsig.TenantID, role reqsig.Role, group string) provision.Credential {
	w.Helper()
	k, c := w.vault.NewKey(id, role, group, w.clock())
	w.ok(w.store.AddKey(w.Context(), id, k, w.event()))
	return c
}

func ada() provision.UserIn {
	return provision.UserIn{Account: provision.Account{OrgID: orgA, UserID: userA}, Mailbox: "ada@example.com", Aliases: []string{"a.l@example.com"}}
}

var report = provision.Report{Version: "1.0.0", OS: "linux", State: "up-to-date", Counts: provision.Counts{Seen: 3, Captured: 2, Waiting: 1}}

// computer is an agent that wants to register.
type computer struct {
	in     provision.RegisterIn
	secret secret.String
	sf     map[string]any
	mail   map[string]any
}

func (w *world) computer() *computer {
	c := &computer{}
	c.in.Registration, c.secret = provision.NewRegistration()
	c.in.Secret, c.in.Mailbox, c.in.Report = c.secret.Reveal(), "ada@example.com", report
	c.signIn(w)
	return c
}

// signIn goes through both browsers.
func (c *computer) signIn(w *world) {
	common := map[string]any{"iss": w.issuer.URL, "aud": client, "iat": w.clock().Unix(), "exp": w.clock().Add(2 * time.Minute).Unix()}
	c.sf, c.mail = maps.Clone(common), maps.Clone(common)
	c.sf["sub"] = "https://login.salesforce.com/id/" + orgA + "/" + userA
	c.sf["nonce"] = provision.IDTokenNonce(provision.SideSalesforce, c.in.Registration, c.in.Secret)
	c.mail["sub"], c.mail["email"], c.mail["email_verified"] = "mail-1", "ada@example.com", true
	c.mail["nonce"] = provision.IDTokenNonce(provision.SideMail, c.in.Registration, c.in.Secret)
}

// signed returns the request with both tokens.
func (c *computer) signed(w *world) provision.RegisterIn {
	c.in.Salesforce, c.in.Mail = w.issuer.token(w.T, c.sf), w.issuer.token(w.T, c.mail)
	return c.in
}

// enrolled provisions ada in a tenant and registers a computer of hers by deployment key.
func (w *world) enrolled(t tenant) (provision.RegisterOut, provision.Credential, *provision.Client) {
	w.Helper()
	_, err := t.api.PutUser(w.Context(), "ada", ada())
	w.ok(err)
	c := w.computer()
	out, err := w.client(t.deploy).Register(w.Context(), c.signed(w))
	w.ok(err)
	device, err := provision.DeviceCredential(out, c.secret)
	w.ok(err)
	return out, device, w.client(device)
}

func (w *world) codeOf(t tenant, user string) provision.Credential {
	w.Helper()
	out, err := t.api.IssueCode(w.Context(), user)
	w.ok(err)
	c, err := provision.ParseCredential(out.Code)
	w.ok(err)
	return c
}

// raw sends a signed request with any method, path and body, and returns status and body.
func (w *world) raw(c provision.Credential, method, target, body string) (int, string) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+target, bytes.NewReader([]byte(body)))
	w.ok(err)
	w.ok(reqsig.Sign(req, c.Signing(), w.clock(), rand.Reader))
	resp, err := w.http.Client().Do(req)
	w.ok(err)
	answer, err := io.ReadAll(resp.Body)
	w.ok(err)
	w.ok(resp.Body.Close())
	return resp.StatusCode, string(answer)
}
