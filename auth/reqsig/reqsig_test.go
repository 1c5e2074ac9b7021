package reqsig_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/reqsig"
)

var (
	now    = time.Unix(1_760_000_000, 0)
	secret = []byte("0123456789abcdef0123456789abcdef")
)

// keys is a key source: two tenants, one key that ended, one that is no key.
type keys map[string]reqsig.Key

func (k keys) Key(_ context.Context, id string) (reqsig.Key, bool, error) {
	key, ok := k[id]
	if key.Role == "broken" {
		return key, true, errors.New("disk on fire")
	}
	return key, ok, nil
}

func someKeys() keys {
	return keys{
		"t_acme": {Tenant: "acme", Role: "tenant", Secret: secret, Record: 7}, "t_bolt": {Tenant: "bolt", Role: "tenant", Secret: secret},
		"t_old":   {Tenant: "acme", Role: "tenant", Secret: secret, NotAfter: now},
		"t_late":  {Tenant: "acme", Role: "tenant", Secret: secret, NotAfter: now.Add(time.Second)},
		"t_short": {Tenant: "acme", Role: "tenant", Secret: secret[:15]}, "t_none": {Role: "tenant", Secret: secret}, "t_broken": {Role: "broken"},
	}
}

// nonces is a nonce store.
type nonces struct {
	mu   sync.Mutex
	used map[string]time.Time
	fail bool
}

func (n *nonces) Use(_ context.Context, key reqsig.KeyRef, nonce string, expires time.Time) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail {
		return true, errors.New("disk full")
	}
	id := key.Tenant.String() + " " + key.ID + " " + nonce
	if _, ok := n.used[id]; ok {
		return false, nil
	}
	if n.used == nil {
		n.used = map[string]time.Time{}
	}
	n.used[id] = expires
	return true, nil
}

func (n *nonces) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.used)
}

func verifier(t testing.TB, n *nonces, at time.Time) *reqsig.Verifier {
	t.Helper()
	v, err := reqsig.NewVerifier(reqsig.Config{Keys: someKeys(), Nonces: n, Authority: "api.example.com", Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signed is a request with everything that makes up its signature.
func signed(t testing.TB, key, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://api.example.com"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := reqsig.Sign(r, reqsig.SigningKey{ID: key, Secret: secret}, now, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return r
}

// wire is what a request looks like on the line.
func wire(t testing.TB, r *http.Request) string {
	t.Helper()
	var b bytes.Buffer
	r = r.Clone(r.Context())
	if r.GetBody != nil {
		r.Body, _ = r.GetBody()
	}
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// received is what a server makes of it; nil when net/http refuses it by itself.
func received(t testing.TB, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return nil
	}
	return r.WithContext(t.Context())
}

func code(err error) string {
	var r *reqsig.Refusal
	if errors.As(err, &r) {
		return fmt.Sprint(r.Status, " ", r.Code)
	}
	return fmt.Sprint(err)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	n := &nonces{}
	for _, c := range []struct{ method, target, body string }{
		{"GET", "/v1/users", ""}, {"POST", "/v1/users/a@b+c~d", `{"a":1}`}, {"PUT", "/v1/x?a=1&a=2&b=%20+", "x"}, {"DELETE", "/v1/a%2Fb%20c", ""}, {"POST", "/v1/a//b/", "\x00\xff"},
	} {
		got, err := verifier(t, n, now).Verify(received(t, wire(t, signed(t, "t_acme", c.method, c.target, c.body))))
		if err != nil || got.Tenant.String() != "acme" || got.KeyID != "t_acme" || got.Role != "tenant" || got.Record != 7 || string(got.Body) != c.body {
			t.Errorf("%s %s: got %+v, %v", c.method, c.target, got, err)
		}
	}
	for _, expires := range n.used {
		if !expires.Equal(now.Add(reqsig.Keep)) {
			t.Errorf("a nonce is kept until %v, want %v after the request", expires, reqsig.Keep)
		}
	}
}

func TestB25SignedHeaders(t *testing.T) {
	t.Parallel()
	n := &nonces{}
	for _, name := range []string{"Signature", "Signature-Input", "Content-Digest", "Content-Type"} {
		for kind, change := range map[string]func(line string) string{
			"missing":       func(string) string { return "" },
			"empty":         func(string) string { return name + ": \r\n" },
			"doubled":       func(line string) string { return line + line },
			"two in one":    func(line string) string { return line[:len(line)-2] + ", " + line[len(name)+2:] },
			"folded":        func(line string) string { return line[:len(line)-5] + "\r\n " + line[len(line)-5:] },
			"8 KB":          func(line string) string { return line[:len(line)-2] + strings.Repeat("a", 8192) + "\r\n" },
			"space in it":   func(line string) string { return line[:len(line)-5] + " " + line[len(line)-5:] },
			"tab in it":     func(line string) string { return line[:len(line)-5] + "\t" + line[len(line)-5:] },
			"cut":           func(line string) string { return line[:len(line)-3] + "\r\n" },
			"another label": func(line string) string { return strings.Replace(line, "sig1", "sig2", 1) + "X-Odd: 1\r\n" },
		} {
			if kind == "another label" && !strings.HasPrefix(name, "Signature") {
				continue
			}
			raw := wire(t, signed(t, "t_acme", "POST", "/v1/x", "body"))
			at := strings.Index(raw, "\r\n"+name+": ") + 2
			end := at + strings.Index(raw[at:], "\r\n") + 2
			r := received(t, raw[:at]+change(raw[at:end])+raw[end:])
			if r == nil {
				continue // net/http answered 400 by itself
			}
			if _, err := verifier(t, n, now).Verify(r); code(err) != "401 refused" {
				t.Errorf("%s %s: got %v", name, kind, err)
			}
		}
	}
	if n.count() != 0 {
		t.Errorf("%d nonces of refused requests are kept", n.count())
	}
}

func TestB26OneBitChanged(t *testing.T) {
	t.Parallel()
	raw := wire(t, signed(t, "t_acme", "POST", "/v1/x?a=1&b=2", `{"a":1}`))
	if _, err := verifier(t, &nonces{}, now).Verify(received(t, raw)); err != nil {
		t.Fatal(err)
	}
	want, refused := parts(t, raw), 0
	for i := range len(raw) {
		for bit := range 8 {
			b := []byte(raw)
			b[i] ^= 1 << bit
			r := received(t, string(b))
			if r == nil {
				continue
			}
			// Host is a proxy's to change; what else is not signed means nothing here.
			switch _, err := verifier(t, &nonces{}, now).Verify(r); {
			case err == nil && parts(t, string(b)) != want:
				t.Fatalf("bit %d of byte %d (%q) changed, and the request passed", bit, i, raw[max(0, i-10):i+10])
			case err != nil:
				refused++
			}
		}
	}
	if refused < 8*200 {
		t.Errorf("%d changes were refused; the test has lost its object", refused)
	}
}

// parts are the parts of a request that are signed, as a server reads them.
func parts(t *testing.T, raw string) string {
	r := received(t, raw)
	body, err := io.ReadAll(r.Body)
	return fmt.Sprintf("%q", []any{r.Method, r.RequestURI, r.Header["Signature-Input"], r.Header["Signature"],
		r.Header["Content-Digest"], r.Header["Content-Type"], body, err})
}

func TestB26Reordered(t *testing.T) {
	t.Parallel()
	raw := wire(t, signed(t, "t_acme", "POST", "/v1/x?a=1&b=2", "body"))
	for name, change := range map[string]string{
		"query order": "/v1/x?b=2&a=1", "doubled": "/v1/x?a=1&a=2", "slashes": "/v1//x?a=1&b=2", "dots": "/v1/./x?a=1&b=2", "dots escaped": "/v1/y/%2e%2e/x?a=1&b=2",
		"escaped": "/v1/%78?a=1&b=2", "query escaped": "/v1/x?a=%31&b=2", "bare mark": "/v1/x?a=1&b=2?", "fragment": "/v1/x?a=1&b=2#f", "absolute": "https://api.example.com/v1/x?a=1&b=2", "line feed": "/v1/x%0a?a=1&b=2",
	} {
		r := received(t, strings.Replace(raw, "/v1/x?a=1&b=2", change, 1))
		if r == nil {
			continue
		}
		if _, err := verifier(t, &nonces{}, now).Verify(r); code(err) != "401 refused" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	bare := wire(t, signed(t, "t_acme", "GET", "/v1/x", ""))
	r := received(t, strings.Replace(bare, "/v1/x ", "/v1/x? ", 1))
	if _, err := verifier(t, &nonces{}, now).Verify(r); code(err) != "401 refused" {
		t.Errorf("a bare question mark: got %v", err)
	}
}

// input replaces Signature-Input's parameters in a request; the MAC is not made anew, as all of
// these are refused before it, or by it.
func input(t *testing.T, params string) *http.Request {
	r := signed(t, "t_acme", "POST", "/v1/x", "body")
	const covered = `sig1=("@method" "@authority" "@path" "@query" "content-digest" "content-type")`
	r.Header.Set("Signature-Input", covered+params)
	return received(t, wire(t, r))
}

func TestB28TimeAndNonce(t *testing.T) {
	t.Parallel()
	const rest = `;nonce="AAAAAAAAAAAAAAAAAAAAAAAA";keyid="t_acme";alg="hmac-sha256";tag="hawser-v1"`
	at := func(nonce string) string {
		return fmt.Sprintf(`;created=%d;nonce="%s";keyid="t_acme";alg="hmac-sha256";tag="hawser-v1"`, now.Unix(), nonce)
	}
	n := &nonces{}
	for params, want := range map[string]string{
		";created=1760000000000" + rest:       "401 stale", // milliseconds
		";created=-1" + rest:                  "401 stale",
		";created=9223372036854775808" + rest: "401 refused",
		";created=9223372036854775807" + rest: "401 refused",
		";created=1e9" + rest:                 "401 refused",
		";created= 1760000000" + rest:         "401 refused",
		";created=+1760000000" + rest:         "401 refused",
		";created=01760000000" + rest:         "401 refused",
		";created=1760000000.0" + rest:        "401 refused",
		`;created="1760000000"` + rest:        "401 refused",
		`;created="abc"` + rest:               "401 refused",
		";created=" + rest:                    "401 refused",
		";created" + rest:                     "401 refused",
		at(""):                                "400 malformed",
		at("AAAAAAAAAAAAAAA"):                 "400 malformed",
		at(strings.Repeat("A", 65)):           "400 malformed",
		at(strings.Repeat("A", 10_000)):       "401 refused", // past every bound
		at("AAAAAAAAAAAAAAAAAAAAAA=="):        "400 malformed",
		at("AAAAAAAAAAAA/AAAAAAAAA++"):        "400 malformed",
		at(`AAAAAAAAAAAA"AAAAAAAAAAA`):        "401 refused",
		at(`AAAAAAAAAAAA\AAAAAAAAAAA`):        "401 refused",
		at(`AAAAAAAAAAA;AAAAAAAAAAAA`):        "401 refused",
	} {
		if _, err := verifier(t, n, now).Verify(input(t, params)); code(err) != want {
			t.Errorf("%.80s: got %v, want %s", params, err, want)
		}
	}
	if n.count() != 0 {
		t.Errorf("%d nonces of refused requests are kept", n.count())
	}
}

func TestB02Window(t *testing.T) {
	t.Parallel()
	for off, want := range map[time.Duration]string{
		-301 * time.Second: "401 stale", 301 * time.Second: "401 stale", -299 * time.Second: "<nil>", 299 * time.Second: "<nil>",
		-300 * time.Second: "<nil>", 300 * time.Second: "<nil>", 1000 * time.Hour: "401 stale", 0: "<nil>",
	} {
		raw := wire(t, signed(t, "t_acme", "GET", "/v1/x", ""))
		if _, err := verifier(t, &nonces{}, now.Add(off)).Verify(received(t, raw)); code(err) != want {
			t.Errorf("clock %v off: got %v, want %s", off, err, want)
		}
		unknown := wire(t, signed(t, "t_nobody", "GET", "/v1/x", ""))
		if _, err := verifier(t, &nonces{}, now.Add(off)).Verify(received(t, unknown)); want == "401 stale" && code(err) != want {
			t.Errorf("unknown key, clock %v off: got %v: the window tells keys apart", off, err)
		}
	}
}

func TestB29Replay(t *testing.T) {
	t.Parallel()
	n := &nonces{}
	raw := wire(t, signed(t, "t_acme", "POST", "/v1/x", "body"))
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for range 200 {
		v := verifier(t, n, now.Add(time.Second)) // each on a server of its own
		wg.Go(func() {
			_, err := v.Verify(received(t, raw))
			mu.Lock()
			defer mu.Unlock()
			answers[code(err)]++
		})
	}
	wg.Wait()
	if answers["<nil>"] != 1 || answers["409 replayed"] != 199 {
		t.Errorf("200 replays: %v", answers)
	}
	if _, err := verifier(t, n, now.Add(299*time.Second)).Verify(received(t, raw)); code(err) != "409 replayed" {
		t.Errorf("after 299 s: got %v", err)
	}
	if _, err := verifier(t, n, now.Add(301*time.Second)).Verify(received(t, raw)); code(err) != "401 stale" {
		t.Errorf("after 301 s: got %v", err)
	}
}

// stutter is a source of the same nonce for ever.
type stutter struct{}

func (stutter) Read(p []byte) (int, error) { return len(p), nil }

func TestB30NonceOfAnotherTenant(t *testing.T) {
	t.Parallel()
	n := &nonces{}
	for _, key := range []string{"t_acme", "t_bolt"} {
		r := signed(t, key, "POST", "/v1/x", "body")
		if err := reqsig.Sign(r, reqsig.SigningKey{ID: key, Secret: secret}, now, stutter{}); err != nil {
			t.Fatal(err)
		}
		if _, err := verifier(t, n, now).Verify(received(t, wire(t, r))); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestB31BadSignaturesLeaveNothing(t *testing.T) {
	t.Parallel()
	n := &nonces{}
	v := verifier(t, n, now)
	for range 20_000 {
		r := signed(t, "t_acme", "GET", "/v1/x", "")
		r.Header.Set("Signature", "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
		r.RequestURI = r.URL.RequestURI()
		if _, err := v.Verify(r); code(err) != "401 refused" {
			t.Fatalf("got %v", err)
		}
	}
	if n.count() != 0 {
		t.Errorf("%d nonces are kept", n.count())
	}
}

func TestB32Algorithm(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{
		`;alg="none";tag="hawser-v1"`, `;alg="sha1";tag="hawser-v1"`, `;alg="hmac-sha512";tag="hawser-v1"`, `;tag="hawser-v1"`, `;alg="hmac-sha256"`,
		`;alg="hmac-sha256";tag="hawser-v2"`, `;alg="hmac-sha256";tag=""`, `;alg="hmac-sha256";tag="hawser-v1";expires=9999999999`,
		`;alg="hmac-sha256";tag="hawser-v1";tag="hawser-v1"`, `;alg="hmac-sha256";tag="hawser-v1";`, `;alg="hmac-sha256";tag="hawser-v1";keyid="t_bolt"`,
		`;alg="hmac-sha256"; tag="hawser-v1"`, `;ALG="hmac-sha256";tag="hawser-v1"`, `;alg=hmac-sha256;tag="hawser-v1"`, `;alg="hmac-sha256";tag="hawser-v1", sig2=()`,
	} {
		params := fmt.Sprintf(`;created=%d;nonce="AAAAAAAAAAAAAAAAAAAAAAAA";keyid="t_acme"`, now.Unix()) + tail
		if _, err := verifier(t, &nonces{}, now).Verify(input(t, params)); code(err) != "401 refused" {
			t.Errorf("%s: got %v", tail, err)
		}
	}
	for _, covered := range []string{
		`()`, `("@method")`, `("@method" "@authority" "@path" "content-digest" "content-type")`, `("@path" "@method" "@authority" "@query" "content-digest" "content-type")`,
		`("@method" "@authority" "@path" "@query" "content-digest" "content-type" "date")`, `("@method";req "@authority" "@path" "@query" "content-digest" "content-type")`,
	} {
		r := signed(t, "t_acme", "POST", "/v1/x", "body")
		_, params, _ := strings.Cut(r.Header.Get("Signature-Input"), ")")
		r.Header.Set("Signature-Input", "sig1="+covered+params)
		if _, err := verifier(t, &nonces{}, now).Verify(received(t, wire(t, r))); code(err) != "401 refused" {
			t.Errorf("%s: got %v", covered, err)
		}
	}
}

func TestB33Keys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"t_acme": "<nil>", "t_late": "<nil>", "t_old": "401 refused", "t_nobody": "401 refused", "t_short": "401 refused", "t_none": "401 refused", "t_broken": "503 unavailable",
	} {
		if _, err := verifier(t, &nonces{}, now).Verify(received(t, wire(t, signed(t, key, "GET", "/v1/x", "")))); code(err) != want {
			t.Errorf("%s: got %v, want %s", key, err, want)
		}
	}
	n := &nonces{fail: true}
	if _, err := verifier(t, n, now).Verify(received(t, wire(t, signed(t, "t_acme", "GET", "/v1/x", "")))); code(err) != "503 unavailable" {
		t.Errorf("without a nonce store: got %v", err)
	}
}

func TestB37Body(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 64<<10+1)
	n := &nonces{}
	if _, err := verifier(t, n, now).Verify(received(t, wire(t, signed(t, "t_acme", "POST", "/v1/x", big[1:])))); err != nil {
		t.Errorf("64 KiB: got %v", err)
	}
	r := signed(t, "t_acme", "POST", "/v1/x", big)
	if _, err := verifier(t, n, now).Verify(received(t, wire(t, r))); code(err) != "413 too-large" {
		t.Errorf("declared: got %v", err)
	}
	r.ContentLength = -1
	chunked := received(t, wire(t, r))
	if _, err := verifier(t, n, now).Verify(chunked); code(err) != "413 too-large" {
		t.Errorf("chunked: got %v", err)
	}
	packed := signed(t, "t_acme", "POST", "/v1/x", "body")
	packed.Header.Set("Content-Encoding", "gzip")
	if _, err := verifier(t, n, now).Verify(received(t, wire(t, packed))); code(err) != "401 refused" {
		t.Errorf("packed: got %v", err)
	}
	// Nobody makes the server read a body without the key.
	bad := received(t, wire(t, signed(t, "t_nobody", "POST", "/v1/x", "body")))
	bad.Body = io.NopCloser(failing{t})
	if _, err := verifier(t, n, now).Verify(bad); code(err) != "401 refused" {
		t.Errorf("got %v", err)
	}
	if n.count() != 1 {
		t.Errorf("%d nonces are kept, want 1", n.count())
	}
}

// failing is a body that must not be read.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body was read before the MAC was right")
	return 0, io.EOF
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, authority := range []string{"", "a b", "https://a", "a/b", "u@a", "a?b"} {
		if _, err := reqsig.NewVerifier(reqsig.Config{Keys: keys{}, Nonces: &nonces{}, Authority: authority}); err == nil {
			t.Errorf("authority %q was taken", authority)
		}
	}
	if _, err := reqsig.NewVerifier(reqsig.Config{Authority: "a"}); err == nil {
		t.Error("taken without keys")
	}
	for in, want := range map[string]string{"API.example.com:443": "api.example.com", "a:8443": "a:8443", "[::1]:443": "[::1]"} {
		if got := reqsig.Authority(in); got != want {
			t.Errorf("authority of %q: got %q, want %q", in, got, want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	good := reqsig.SigningKey{ID: "k", Secret: secret}
	for name, c := range map[string]struct {
		key    reqsig.SigningKey
		method string
		url    string
		random io.Reader
	}{
		"short key":  {reqsig.SigningKey{ID: "k", Secret: secret[:15]}, "GET", "https://a/b", rand.Reader},
		"no id":      {reqsig.SigningKey{Secret: secret}, "GET", "https://a/b", rand.Reader},
		"odd id":     {reqsig.SigningKey{ID: `k"`, Secret: secret}, "GET", "https://a/b", rand.Reader},
		"long id":    {reqsig.SigningKey{ID: strings.Repeat("k", 65), Secret: secret}, "GET", "https://a/b", rand.Reader},
		"method":     {good, "get", "https://a/b", rand.Reader},
		"fragment":   {good, "GET", "https://a/b#c", rand.Reader},
		"bare mark":  {good, "GET", "https://a/b?", rand.Reader},
		"no entropy": {good, "GET", "https://a/b", strings.NewReader("short")},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := reqsig.Sign(r, c.key, now, c.random); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

// BenchmarkB31BadSignature is what a request without the key costs the server.
func BenchmarkB31BadSignature(b *testing.B) {
	r := signed(b, "t_nobody", "POST", "/v1/x", strings.Repeat("x", 1024))
	r.RequestURI = r.URL.RequestURI()
	v := verifier(b, &nonces{}, now)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r); err == nil {
			b.Fatal("passed")
		}
	}
}

// forgetful remembers a key until the nonce is used, as a store does that hears of a change by then.
type forgetful struct {
	keys
	asked int
	after func(*forgetful) // the change
}

func (f *forgetful) Key(ctx context.Context, id string) (reqsig.Key, bool, error) {
	f.asked++
	return f.keys.Key(ctx, id)
}

func (f *forgetful) Recall(id string) (reqsig.Key, bool) {
	k, ok := f.keys[id]
	return k, ok
}

func (f *forgetful) Holds(reqsig.Key) bool { return f.after == nil }

func (f *forgetful) Use(context.Context, reqsig.KeyRef, string, time.Time) (bool, error) {
	if f.after != nil {
		f.after(f)
	}
	return true, nil
}

// TestB39RememberedKey: a remembered key saves the look into the source, unless using the nonce told of a
// change; a wrong MAC is worth a look for every id, so that time tells nobody which ids are remembered.
func TestB39RememberedKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key   string
		after func(*forgetful)
		spoil bool
		want  string
		asked int
	}{
		"remembered":           {key: "t_acme", want: "<nil>", asked: 0},
		"changed meanwhile":    {key: "t_acme", after: func(*forgetful) {}, want: "<nil>", asked: 1},
		"removed meanwhile":    {key: "t_acme", after: func(f *forgetful) { delete(f.keys, "t_acme") }, want: "401 refused", asked: 1},
		"ended meanwhile":      {key: "t_acme", after: func(f *forgetful) { f.keys["t_acme"] = f.keys["t_old"] }, want: "401 refused", asked: 1},
		"remembered but ended": {key: "t_old", want: "401 refused", asked: 1},
		"wrong mac":            {key: "t_acme", spoil: true, want: "401 refused", asked: 1},
		"unknown":              {key: "t_unknown", want: "401 refused", asked: 1},
		"source broken":        {key: "t_acme", after: func(f *forgetful) { f.keys["t_acme"] = reqsig.Key{Role: "broken"} }, want: "503 unavailable", asked: 1},
	} {
		f := &forgetful{keys: someKeys(), after: c.after}
		v, err := reqsig.NewVerifier(reqsig.Config{Keys: f, Nonces: f, Authority: "api.example.com", Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		r := signed(t, c.key, "POST", "/v1/x", "{}")
		if c.spoil {
			r.Header.Set("Signature", "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
		}
		if _, err := v.Verify(received(t, wire(t, r))); code(err) != c.want || f.asked != c.asked {
			t.Errorf("%s: %s after %d looks, want %s after %d", name, code(err), f.asked, c.want, c.asked)
		}
	}
}
