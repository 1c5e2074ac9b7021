package reqsig_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hawser/auth/reqsig"
)

var update = flag.Bool("update", false, "write testdata/vectors.json")

// vector is a signed request as it is published.
type vector struct {
	Name      string `json:"name"`
	KeyID     string `json:"keyId"`
	SecretHex string `json:"secretHex"`
	Created   int64  `json:"created"`
	Nonce     string `json:"nonce"`
	Method    string `json:"method"`
	Authority string `json:"authority"`
	Target    string `json:"target"`
	Body      string `json:"body"`

	ContentDigest  string `json:"contentDigest"`
	SignatureInput string `json:"signatureInput"`
	Base           string `json:"base"`
	Signature      string `json:"signature"`
}

// made are the vectors as this package signs them.
func made(t *testing.T) []vector {
	t.Helper()
	all := []vector{
		{Name: "no body, no query", Method: "GET", Target: "/v1/users"},
		{Name: "query kept as it is written", Method: "GET", Target: "/v1/users?after=a%20b&limit=2&limit=1"},
		{Name: "JSON body", Method: "PUT", Target: "/v1/users/ada", Body: `{"account":{"orgId":"00D000000000001EAA","userId":"0050000000000A1AAI"},"mailbox":"ada@example.com"}`},
		{Name: "escaped path", Method: "POST", Target: "/v1/a%2Fb//c", Body: "{}"},
	}
	for i := range all {
		v := &all[i]
		v.KeyID, v.SecretHex, v.Created, v.Authority = "t_EXAMPLE", strings.Repeat("0123456789abcdef", 4), 1760000000, "hawserd.example.com"
		raw := strings.Repeat(string(rune('a'+i)), 18)
		v.Nonce = base64.RawURLEncoding.EncodeToString([]byte(raw))
		r := v.request(t)
		secret, err := hex.DecodeString(v.SecretHex)
		if err != nil {
			t.Fatal(err)
		}
		if err := reqsig.Sign(r, reqsig.SigningKey{ID: v.KeyID, Secret: secret}, time.Unix(v.Created, 0), strings.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		v.ContentDigest, v.SignatureInput, v.Signature = r.Header.Get("Content-Digest"), r.Header.Get("Signature-Input"), r.Header.Get("Signature")
		// Written out here once more, so that the vectors do not only repeat the package.
		path, query, _ := strings.Cut(v.Target, "?")
		v.Base = `"@method": ` + v.Method + "\n" + `"@authority": ` + v.Authority + "\n" + `"@path": ` + path + "\n" + `"@query": ?` + query + "\n" +
			`"content-digest": ` + v.ContentDigest + "\n" + `"content-type": application/json` + "\n" +
			`"@signature-params": ` + strings.TrimPrefix(v.SignatureInput, "sig1=")
	}
	return all
}

func (v vector) request(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), v.Method, "https://"+v.Authority+v.Target, strings.NewReader(v.Body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func published(t *testing.T) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestB01Vectors(t *testing.T) {
	t.Parallel()
	all := made(t)
	if *update {
		raw, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/vectors.json", append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have := published(t)
	if len(have) != len(all) {
		t.Fatalf("%d vectors are published, %d are made", len(have), len(all))
	}
	for i, v := range have {
		if v != all[i] {
			t.Errorf("%s: published\n%+v\nmade\n%+v", v.Name, v, all[i])
		}
		secret, err := hex.DecodeString(v.SecretHex)
		if err != nil {
			t.Fatal(err)
		}
		r := v.request(t)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Digest", v.ContentDigest)
		r.Header.Set("Signature-Input", v.SignatureInput)
		r.Header.Set("Signature", v.Signature)
		check, err := reqsig.NewVerifier(reqsig.Config{
			Keys: keys{v.KeyID: {Tenant: "acme", Secret: secret}}, Nonces: &nonces{}, Authority: v.Authority,
			Now: func() time.Time { return time.Unix(v.Created, 0) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := check.Verify(received(t, wire(t, r))); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// program finds a program of the system that the test is about.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing", name)
	}
	return path
}

func TestB01VectorsWithOpenSSL(t *testing.T) {
	t.Parallel()
	program(t, "openssl")
	for _, v := range published(t) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s' "$BASE" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$SECRET" -binary | openssl base64 -A
echo
printf '%s' "$BODY" | openssl dgst -sha256 -binary | openssl base64 -A`)
		cmd.Env = append(os.Environ(), "BASE="+v.Base, "SECRET="+v.SecretHex, "BODY="+v.Body)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		mac, digest, _ := strings.Cut(string(out), "\n")
		if v.Signature != "sig1=:"+mac+":" || v.ContentDigest != "sha-256=:"+digest+":" {
			t.Errorf("%s: openssl says MAC %s and digest %s", v.Name, mac, digest)
		}
	}
}

// TestB01RequestFromAShell sends a request that openssl signed and curl carries.
func TestB01RequestFromAShell(t *testing.T) {
	t.Parallel()
	program(t, "openssl")
	program(t, "curl")
	var check *reqsig.Verifier
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := check.Verify(r)
		if err != nil {
			t.Errorf("verify: %v", err)
		}
		_, _ = w.Write(append([]byte(got.KeyID+" "+r.URL.Path+" "), got.Body...))
	}))
	defer srv.Close()
	secret := make([]byte, 32)
	rand.Read(secret)
	var err error
	check, err = reqsig.NewVerifier(reqsig.Config{
		Keys: keys{"t_acme": {Tenant: "acme", Secret: secret}}, Nonces: &nonces{}, Authority: srv.Listener.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, target, body, want string }{
		{"PUT", "/v1/users/ada", `{"a":"ü"}`, `t_acme /v1/users/ada {"a":"ü"}`},
		{"GET", "/v1/users?limit=1&after=a%20b", "", "t_acme /v1/users "},
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "testdata/request.sh", c.method, srv.URL, c.target, c.body)
		cmd.Env = append(os.Environ(), "KEY_ID=t_acme", "KEY_SECRET="+base64.RawURLEncoding.EncodeToString(secret))
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("%s %s: got %q, %v", c.method, c.target, out, err)
		}
	}
}
