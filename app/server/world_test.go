package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/auth/secret"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
	"hawser/sync/leaktest"
)

// asMain makes the test binary be hawserd, with its state in the named folder.
const asMain = "HAWSERD_TEST_STATE"

// TestMain fails the package when a goroutine outlives its tests.
func TestMain(m *testing.M) {
	if state := os.Getenv(asMain); state != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := Main(ctx, Env{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, State: state, Version: "test"})
		stop()
		os.Exit(code)
	}
	flag.Parse()
	os.Exit(leaktest.Run(func() int {
		defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		return pgtest.Main(m)
	}))
}

var acmeAccount, _ = provision.Account{OrgID: "00D5g000004fake", UserID: "0055g00000FakeA"}.Canonical()

// issuer is a Salesforce site that signs id_tokens for one user.
type issuer struct {
	url string
	key *ecdsa.PrivateKey
}

const clientID = "client-1"

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(map[string]string{"issuer": i.url, "jwks_uri": i.url + "/keys"})
		case "/keys":
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
		case "/sign-in":
			io.WriteString(w, i.token(t, r.URL.Query().Get("nonce"), acmeAccount))
		}
	}))
	i.url = srv.URL
	t.Cleanup(srv.Close)
	return i
}

func (i *issuer) token(t testing.TB, nonce string, a provision.Account) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "aud": clientID, "sub": "https://login.salesforce.com/id/" + a.OrgID + "/" + a.UserID,
		"iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "nonce": nonce,
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// running is a service on a real port, with one tenant.
type running struct {
	*service
	office  *office
	issuer  *issuer
	tenant  reqsig.TenantID
	key     provision.Credential
	url     string
	metrics string
	stop    func() error
}

// startOn runs a service on a database until the test ends. The tenant is made when it is missing.
func startOn(t testing.TB, where string) *running {
	t.Helper()
	dir := t.TempDir()
	db, err := tenantdb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := openVault(t.Context(), filepath.Join(filepath.Dir(where), "master.key"), db)
	if tenantdb.IsPostgres(where) {
		vault, err = openVault(t.Context(), filepath.Join(dir, "master.key"), db)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), serveOptions{listen: "127.0.0.1:0", metrics: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	o := serveOptions{listen: l.public.Addr().String(), authority: l.public.Addr().String()}
	s, err := newService(db, vault, slog.New(slog.DiscardHandler), o)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{service: s, office: &office{db: db, vault: vault}, url: "http://" + o.authority, metrics: "http://" + l.metrics.Addr().String(), issuer: newIssuer(t)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, l, nil) }()
	ended := false
	r.stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return errors.Join(<-done, db.Close())
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	r.company(t)
	return r
}

func (r *running) company(t testing.TB) {
	t.Helper()
	tenant := provision.Tenant{
		ID: provision.NewTenantID(), Name: "acme", Domains: []string{"acme.example"}, CreatedAt: time.Now(),
		Sites: []provision.Site{{Issuer: r.issuer.url, OrgID: acmeAccount.OrgID, ClientIDs: []string{clientID}}},
	}
	r.tenant = reqsig.Operator(tenant.ID)
	if err := r.db.CreateTenant(t.Context(), tenant, operator("tenant.create", tenant.ID)); err != nil {
		t.Fatal(err)
	}
	k, credential := r.office.vault.NewKey(r.tenant, provision.RoleTenant, "", time.Now())
	if err := r.db.AddKey(t.Context(), r.tenant, k, operator("key.add", k.ID)); err != nil {
		t.Fatal(err)
	}
	r.key = credential
}

// request is a signed request, ready to be sent.
func (r *running) request(t testing.TB, c provision.Credential, call, body string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := reqsig.Sign(req, c.Signing(), time.Now(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	return req
}

func send1(t testing.TB, req *http.Request) (int, string, http.Header) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

// call sends a signed request and demands a status.
func (r *running) call(t testing.TB, c provision.Credential, want int, call, body string) string {
	t.Helper()
	status, answer, _ := send1(t, r.request(t, c, call, body))
	if status != want {
		t.Fatalf("%s: %d %s, want %d", call, status, answer, want)
	}
	return answer
}

const report = `{"version":"1","os":"linux","state":"","policyVersion":0,"counts":{"seen":1,"captured":1,"filtered":0,"held":0,"waiting":0,"needsYou":0}}`

// device provisions a user and registers a computer; who tells users apart.
func (r *running) device(t testing.TB, who int) provision.Credential {
	t.Helper()
	account, ok := provision.Account{OrgID: acmeAccount.OrgID, UserID: fmt.Sprintf("0055g%010d", who)}.Canonical()
	if !ok {
		t.Fatal("not an account")
	}
	mailbox := fmt.Sprintf("u%d@acme.example", who)
	r.call(t, r.key, http.StatusCreated, fmt.Sprintf("PUT /v1/users/u%d", who),
		fmt.Sprintf(`{"account":{"orgId":%q,"userId":%q},"mailbox":%q}`, account.OrgID, account.UserID, mailbox))
	var code provision.CodeOut
	if err := json.Unmarshal([]byte(r.call(t, r.key, http.StatusCreated, fmt.Sprintf("POST /v1/users/u%d/code", who), "")), &code); err != nil {
		t.Fatal(err)
	}
	credential, err := provision.ParseCredential(code.Code)
	if err != nil {
		t.Fatal(err)
	}
	registration, secret := strings.ToLower(rand.Text()), make([]byte, 32)
	rand.Read(secret)
	text := provision.Credential{ID: "d_x", Secret: secretOf(secret)}.Text().Reveal()
	text = strings.TrimPrefix(text, "d_x.")
	token := r.issuer.token(t, provision.IDTokenNonce(provision.SideSalesforce, registration, text), account)
	var out provision.RegisterOut
	answer := r.call(t, credential, http.StatusOK, "POST /v1/register", fmt.Sprintf(
		`{"registration":%q,"secret":%q,"salesforce":%q,"mailbox":%q,"report":%s}`, registration, text, token, mailbox, report))
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		t.Fatal(err)
	}
	return provision.Credential{ID: out.Device, Secret: secretOf(secret)}
}

func secretOf(raw []byte) secret.String { return secret.New(string(raw)) }

func sqliteFile(t testing.TB) string { return filepath.Join(t.TempDir(), "hawserd.db") }

func postgresURL(t testing.TB, db pgtest.Database) string {
	t.Helper()
	if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); err != nil {
		t.Fatal(err)
	}
	return db.Server
}
