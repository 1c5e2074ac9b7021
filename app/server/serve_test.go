package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/store/tenantdb/pgtest"
)

// databases are where a service can run.
var databases = map[string]func(t testing.TB) string{
	"sqlite":   sqliteFile,
	"postgres": func(t testing.TB) string { return postgresURL(t, pgtest.New(t)) },
}

// TestB07CodeToCheckIn goes the whole way over the wire, and B08/B39 back.
func TestB07CodeToCheckIn(t *testing.T) {
	t.Parallel()
	for name, where := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startOn(t, where(t))
			d := r.device(t, 1)
			if out := r.call(t, d, 200, "POST /v1/checkin", `{"report":`+report+`}`); !strings.Contains(out, `"state":"active"`) {
				t.Error(out)
			}
			r.call(t, r.key, 200, "POST /v1/users/u1/suspend", "")
			if out := r.call(t, d, 200, "POST /v1/checkin", `{"report":`+report+`}`); !strings.Contains(out, `"state":"suspended"`) {
				t.Error(out)
			}
			r.call(t, r.key, 200, "POST /v1/users/u1/deprovision", "")
			if out := r.call(t, d, 200, "POST /v1/checkin", `{"report":`+report+`}`); !strings.Contains(out, `"state":"removed"`) {
				t.Error(out)
			}
			r.call(t, d, 200, "POST /v1/wiped", `{"report":`+report+`}`)
			r.call(t, d, 401, "POST /v1/checkin", `{"report":`+report+`}`)
		})
	}
}

// quietWriter is a ResponseWriter that keeps the status.
type quietWriter struct {
	status int
	header http.Header
}

func (w *quietWriter) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}
func (w *quietWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *quietWriter) WriteHeader(status int)      { w.status = status }

// TestB35GuessesDoNotLockOut: somebody who guesses is sent away, the company behind the same address
// works on, and so does everybody elsewhere.
func TestB35GuessesDoNotLockOut(t *testing.T) {
	t.Parallel()
	r := startOn(t, sqliteFile(t))
	r.call(t, r.key, 200, "GET /v1/users", "")
	guess := func() int {
		c := provision.Credential{ID: "c_" + rand.Text()[:10], Secret: secretOf([]byte(rand.Text()))}
		status, _, h := send1(t, r.request(t, c, "POST /v1/register", "{}"))
		if status == 429 && h.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return status
	}
	for range refusedBurst {
		if status := guess(); status != 401 {
			t.Fatalf("a guess is answered %d", status)
		}
	}
	sentAway := 0
	for range 20 {
		if guess() == 429 {
			sentAway++
		}
	}
	if sentAway < 15 {
		t.Errorf("%d of 20 guesses are sent away", sentAway)
	}
	r.call(t, r.key, 200, "GET /v1/users", "")
}

// TestDeviceFloods: a key that calls without end is told to wait, and only that key.
func TestDeviceFloods(t *testing.T) {
	t.Parallel()
	r := startOn(t, sqliteFile(t))
	d, other := r.device(t, 1), r.device(t, 2)
	last := 0
	for range deviceBurst + 30 {
		last, _, _ = send1(t, r.request(t, d, "POST /v1/checkin", `{"report":`+report+`}`))
		if last == 429 {
			break
		}
	}
	if last != 429 {
		t.Errorf("the flood ends with %d", last)
	}
	r.call(t, other, 200, "POST /v1/checkin", `{"report":`+report+`}`)
}

// TestF49Herd: more than the server works on at once is sent away with different moments to come back.
func TestF49Herd(t *testing.T) {
	t.Parallel()
	m := newMetrics(time.Now())
	release := make(chan struct{})
	g := newGuard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }), m, nil, time.Now)
	var inside sync.WaitGroup
	serve := func() (int, string) {
		w := &quietWriter{status: 200}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/checkin", nil)
		if err != nil {
			t.Error(err)
		}
		req.RemoteAddr = "192.0.2.1:1"
		g.ServeHTTP(w, req)
		return w.status, w.Header().Get("Retry-After")
	}
	for range maxInWork {
		inside.Go(func() { serve() })
	}
	for len(g.inWork) < maxInWork {
		time.Sleep(time.Millisecond)
	}
	var mu sync.Mutex
	moments := map[string]bool{}
	var herd sync.WaitGroup
	for range 50 {
		herd.Go(func() {
			status, after := serve()
			mu.Lock()
			defer mu.Unlock()
			moments[after] = true
			if status != 503 {
				t.Errorf("the herd is answered %d", status)
			}
		})
	}
	herd.Wait()
	close(release)
	inside.Wait()
	if len(moments) < 15 {
		t.Errorf("the herd comes back at %d moments only", len(moments))
	}
}

// TestB40ClientAddress: X-Forwarded-For counts as far as it comes from a proxy of ours.
func TestB40ClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		peer, forwarded, want string
	}{
		{"192.0.2.7:5", "203.0.113.1", "192.0.2.7"},
		{"10.0.0.1:5", "203.0.113.1", "203.0.113.1"},
		{"10.0.0.1:5", "6.6.6.6, 203.0.113.1, 10.0.0.2", "203.0.113.1"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"[2001:db8:1:2:3:4:5:6]:5", "", "2001:db8:1:2::/64"},
		{"[::ffff:10.0.0.1]:5", "203.0.113.9", "203.0.113.9"},
		{"garbage", "203.0.113.9", "unknown"},
	} {
		if got := clientAddr(c.peer, []string{c.forwarded}, proxies); got != c.want {
			t.Errorf("%s for %q counts as %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// TestEndsInOrder: while a server ends it says so, finishes what it has in work, and lets go of its file.
func TestEndsInOrder(t *testing.T) {
	t.Parallel()
	file := sqliteFile(t)
	r := startOn(t, file)
	status, body, _ := send1(t, get(t, r.url+"/readyz"))
	if status != 200 || body != "ok\n" {
		t.Errorf("readyz: %d %q", status, body)
	}
	if status, _, _ := send1(t, get(t, r.url+"/healthz")); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	r.ending.Store(true)
	if status, body, _ := send1(t, get(t, r.url+"/readyz")); status != 503 || body != "ending\n" {
		t.Errorf("readyz of a server that ends: %d %q", status, body)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	again := startAgain(t, file)
	if events, err := again.db.Events(t.Context(), r.tenant, 0, 10); err != nil || len(events) != 2 {
		t.Errorf("after a restart: %d events, %v", len(events), err)
	}
}

func startAgain(t *testing.T, file string) *office {
	t.Helper()
	a := &app{state: filepath.Dir(file)}
	o, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestMetrics: numbers are there, on their own port, and carry no name of a tenant or user.
func TestMetrics(t *testing.T) {
	t.Parallel()
	r := startOn(t, sqliteFile(t))
	d := r.device(t, 7)
	r.call(t, d, 200, "POST /v1/checkin", `{"report":`+report+`}`)
	send1(t, get(t, r.url+"/v1/secret-name"))
	_, text, h := send1(t, get(t, r.metrics+"/metrics"))
	for _, want := range []string{
		`hawserd_request_seconds_count{route="/v1/checkin",code="200"} 1`, `hawserd_request_seconds_count{route="other",code="401"} 1`,
		`hawserd_events_total{event="refused",kind="401"} 1`, "hawserd_requests_in_work 0", "process_start_time_seconds 1", "hawserd_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "u7") || strings.Contains(text, "acme") || strings.Contains(text, "secret-name") {
		t.Errorf("the metrics tell names:\n%s", text)
	}
	if !strings.HasPrefix(h.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Error(h)
	}
	if status, _, _ := send1(t, get(t, r.url+"/metrics")); status != 404 {
		t.Errorf("the public port answers %d for metrics", status)
	}
}

// TestEveryCallIsCounted: a call that is added gets a line of its own in the metrics.
func TestEveryCallIsCounted(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(provision.OpenAPI, &doc); err != nil || len(doc.Paths) < 10 {
		t.Fatalf("%d calls, %v", len(doc.Paths), err)
	}
	for path := range doc.Paths {
		if got := routeOf(strings.ReplaceAll(path, "{id}", "ada")); got != path {
			t.Errorf("%s is counted as %s", path, got)
		}
	}
}

// TestDumpHoldsNoCanary: after a registration with everything, neither the files nor the log hold a
// secret, a token, or the claims' plain words.
func TestDumpHoldsNoCanary(t *testing.T) {
	t.Parallel()
	file := sqliteFile(t)
	r := startOn(t, file)
	d := r.device(t, 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	canaries := map[string]string{
		"tenant secret": r.key.Secret.Reveal(), "device secret": d.Secret.Reveal(), "id_token": "eyJ",
	}
	err := filepath.WalkDir(filepath.Dir(file), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for name, canary := range canaries {
			if bytes.Contains(raw, []byte(canary)) {
				t.Errorf("%s holds a %s", filepath.Base(path), name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTLS serves with a certificate from files and takes a renewed one without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	l, err := listen(t.Context(), serveOptions{listen: "127.0.0.1:0", certFile: certFile, keyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	c := &certificate{certFile: certFile, keyFile: keyFile}
	serial := func() int64 {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	writeCertificate(t, certFile, keyFile, 2)
	if err := os.Chtimes(certFile, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	if n := serial(); n != 2 {
		t.Errorf("certificate %d after renewal", n)
	}
	if err := os.WriteFile(certFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	if n := serial(); n != 2 {
		t.Errorf("certificate %d during a renewal", n)
	}
	if _, err := listen(t.Context(), serveOptions{listen: "127.0.0.1:0", certFile: certFile, keyFile: keyFile}); err == nil {
		t.Error("serves without a certificate")
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
		t.Error("the half file loads")
	}
}

func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServeFlags: what would send secrets in the clear, or signs another host than clients, is refused.
func TestServeFlags(t *testing.T) {
	t.Parallel()
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		o         serveOptions
		authority string // "": refused
	}{
		{serveOptions{listen: "127.0.0.1:8440"}, "127.0.0.1:8440"},
		{serveOptions{listen: "localhost:1"}, "localhost:1"},
		{serveOptions{listen: ":8440"}, ""},
		{serveOptions{listen: "0.0.0.0:8440", authority: "h"}, ""},
		{serveOptions{listen: ":443", certFile: "c", keyFile: "k"}, ""},
		{serveOptions{listen: ":443", certFile: "c", authority: "h"}, ""},
		{serveOptions{listen: ":443", certFile: "c", keyFile: "k", authority: "h"}, "h"},
		{serveOptions{listen: ":80", proxies: proxy}, ""},
		{serveOptions{listen: ":80", proxies: proxy, authority: "h"}, "h"},
		{serveOptions{listen: "nonsense"}, ""},
	} {
		c.o.checkIn = time.Minute
		err := c.o.check()
		if (err == nil) != (c.authority != "") || err == nil && c.o.authority != c.authority {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// TestMasterKey: a key file is made once, for a new database only, and another one is noticed.
func TestMasterKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	a := &app{state: state}
	o, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := o.db.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(a.key())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"missing": func() error { return os.Remove(a.key()) },
		"another": func() error { return os.WriteFile(a.key(), []byte(strings.Repeat("A", 43)+"="), 0o600) },
		"short":   func() error { return os.WriteFile(a.key(), []byte("AAAA"), 0o600) },
		"open": func() error {
			return errors.Join(os.WriteFile(a.key(), kept, 0o600), os.Chmod(a.key(), 0o644))
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if o, err := a.open(t.Context()); err == nil {
			t.Errorf("opens with a key that is %s", name)
			o.db.Close()
		}
		if err := errors.Join(os.WriteFile(a.key(), kept, 0o600), os.Chmod(a.key(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if o, err = a.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.db.Close(); err != nil {
		t.Fatal(err)
	}
}
