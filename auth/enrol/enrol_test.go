package enrol_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hawser/auth/enrol"
	"hawser/auth/provision"
	"hawser/auth/provision/provisiontest"
	"hawser/auth/reqsig"
	"hawser/auth/secret"
	"hawser/sync/alarm"
)

const (
	server = "https://hawserd.example"
	issuer = "https://acme.my.site.example"
	app    = "client"
)

var account = provision.Account{OrgID: "00D000000000001EAA", UserID: "0050000000000A1AAI"}

// errCut is a lost connection.
var errCut = errors.New("connection cut")

// world is a company with a hawserd, reached without a network so that time can be ours.
type world struct {
	*testing.T
	store   *provisiontest.Memory
	vault   *provision.Vault
	handler http.Handler
	tenant  reqsig.TenantID
	key     *ecdsa.PrivateKey
	policy  ed25519.PrivateKey
	disk    disk

	mu      sync.Mutex
	calls   int
	answers map[string]func(status int, body []byte) (int, []byte) // by path: what a liar makes of an answer
	down    bool
	cutAt   int // the number of the call whose answer is lost; 0 is none
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, store: new(provisiontest.Memory), answers: map[string]func(int, []byte) (int, []byte){}}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	var public ed25519.PublicKey
	if public, w.policy, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.vault, err = provision.NewVault(bytes.Repeat([]byte{7}, provision.MasterSize)); err != nil {
		t.Fatal(err)
	}
	w.handler, err = provision.NewServer(provision.ServerConfig{
		Store: w.store, Vault: w.vault, Authority: "hawserd.example", Log: slog.New(slog.DiscardHandler),
		HTTP: &http.Client{Transport: roundTrip(w.keys)},
	})
	if err != nil {
		t.Fatal(err)
	}
	row := provision.Tenant{
		ID: provision.NewTenantID(), Name: "Acme", CreatedAt: time.Now(), Domains: []string{"acme.example"}, PolicyKeys: [][]byte{public},
		Sites: []provision.Site{{Issuer: issuer, OrgID: account.OrgID, ClientIDs: []string{app}}},
	}
	w.ok(w.store.CreateTenant(t.Context(), row, event()))
	w.tenant = reqsig.Operator(row.ID)
	return w
}

func event() provision.Event {
	return provision.Event{At: time.Now(), Actor: "operator", Action: "test"}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// keys answers as the site's OpenID provider.
func (w *world) keys(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if strings.HasSuffix(r.URL.Path, "/keys") {
		_ = json.NewEncoder(rec).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	} else {
		_ = json.NewEncoder(rec).Encode(map[string]string{"issuer": issuer, "jwks_uri": issuer + "/keys"})
	}
	return rec.Result(), nil
}

// call carries a request of the member to the server.
func (w *world) call(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.calls++
	down, cut, change := w.down, w.calls == w.cutAt, w.answers[r.URL.Path]
	w.mu.Unlock()
	if down {
		return nil, errCut
	}
	in := httptest.NewRequest(r.Method, r.URL.RequestURI(), nil)
	in.Header, in.Host = r.Header.Clone(), r.URL.Host
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, in)
	if cut {
		return nil, errCut
	}
	out := rec.Result()
	if change != nil {
		status, body := change(rec.Code, rec.Body.Bytes())
		out.StatusCode, out.Body, out.ContentLength = status, io.NopCloser(bytes.NewReader(body)), int64(len(body))
		out.Header.Set("Content-Type", "application/json")
	}
	return out, nil
}

// lie changes the answers of a path from now on; nil ends it.
func (w *world) lie(path string, change func(int, []byte) (int, []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[path] = change
}

// disk keeps the record, and fails when it is told to.
type disk struct {
	mu     sync.Mutex
	record secret.String
	saves  int
	failAt int
}

func (d *disk) Load(context.Context) (secret.String, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record, nil
}

func (d *disk) Save(_ context.Context, record secret.String) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.saves++; d.saves == d.failAt {
		return errors.New("power cut")
	}
	d.record = record
	return nil
}

// computer is a running member.
type computer struct {
	*enrol.Member
	w     *world
	ended chan error
	stop  context.CancelFunc
}

// open starts the agent's side on what the disk holds.
func (w *world) open(preset enrol.Preset) *computer {
	w.Helper()
	m, err := enrol.Open(w.Context(), enrol.Config{
		Store: &w.disk, HTTP: roundTrip(w.call), Log: slog.New(slog.DiscardHandler), Changed: func() {}, Preset: preset, Timer: alarm.Plain,
		Report: func(context.Context) (provision.Report, error) {
			return provision.Report{Version: "1", OS: "linux"}, nil
		},
	})
	w.ok(err)
	c := &computer{Member: m, w: w}
	c.run()
	return c
}

func (c *computer) run() {
	ctx, stop := context.WithCancel(c.w.Context())
	c.ended, c.stop = make(chan error, 1), stop
	go func(ended chan error) { ended <- c.Run(ctx) }(c.ended)
}

// close ends it as a crash would: what is not on the disk is gone.
func (c *computer) close() {
	c.stop()
	<-c.ended
}

// prove signs in on both sides.
func (c *computer) prove() {
	c.w.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: c.w.key, KeyID: "1"}}, nil)
	c.w.ok(err)
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": issuer, "aud": app, "sub": "https://login.salesforce.com/id/" + account.OrgID + "/" + account.UserID,
		"iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "nonce": c.Nonce(provision.SideSalesforce),
	}).Serialize()
	c.w.ok(err)
	_ = c.Prove(c.w.Context(), provision.SideSalesforce, secret.New(token), "")
	_ = c.Prove(c.w.Context(), provision.SideMail, secret.String{}, "ada@acme.example")
}

// await lets time pass until a stage is reached.
func (c *computer) await(stage enrol.Stage, limit time.Duration) enrol.View {
	c.w.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Second) {
		synctest.Wait()
		v := c.View()
		if v.Stage == stage {
			return v
		}
		if time.Now().After(end) {
			c.w.Fatalf("after %v it is %+v, want stage %q", limit, v, stage)
		}
	}
}

func (w *world) user(state provision.UserState) {
	w.Helper()
	_, _, err := w.store.PutUser(w.Context(), w.tenant, provision.User{ID: "ada", Account: account, Mailbox: "ada@acme.example"}, event())
	w.ok(err)
	if state != provision.Active {
		_, err = w.store.SetUserState(w.Context(), w.tenant, "ada", state, event())
		w.ok(err)
	}
}

func (w *world) link() secret.String {
	w.Helper()
	e := event()
	e.Subject = "ada"
	out, err := w.vault.IssueCode(w.Context(), w.store, w.tenant, e)
	w.ok(err)
	code, err := provision.ParseCredential(out.Code)
	w.ok(err)
	return provision.Link{Server: server, Code: code}.Text()
}

// signed makes a policy of the tenant.
func (w *world) signed(version int64, change func(*provision.PolicyDocument)) provision.PolicyEnvelope {
	w.Helper()
	doc := provision.PolicyDocument{
		Tenant: w.tenant.String(), Version: version, Issued: time.Now(), Expires: time.Now().Add(time.Hour),
		Settings: map[string]json.RawMessage{"capture.folder": json.RawMessage(`"F` + base64.RawURLEncoding.EncodeToString([]byte{byte(version)}) + `"`)},
	}
	if change != nil {
		change(&doc)
	}
	e, err := provision.SignPolicy(doc, w.policy)
	w.ok(err)
	return e
}
