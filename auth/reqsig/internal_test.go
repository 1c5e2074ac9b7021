package reqsig

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestB01RFC9421Vector holds the MAC against the example of RFC 9421, appendix B.2.5. Its list of
// components is not the profile's, so that its signature base is given.
func TestB01RFC9421Vector(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
	if err != nil {
		t.Fatal(err)
	}
	const base = `"date": Tue, 20 Apr 2021 02:07:55 GMT
"@authority": example.com
"content-type": application/json
"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`
	if got, want := encodeBytes(mac(key, []byte(base))), ":pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// The same example's body, from appendix B.2: RFC 9530 digests.
	if got, want := digest([]byte(`{"hello": "world"}`)), "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// parse reads a signature base back. That it can be read back is why no two requests share one.
func parse(base string) (components, bool) {
	var c components
	lines := strings.Split(base, "\n")
	into := []*string{&c.method, &c.authority, &c.path, &c.query, &c.digest, new(string), &c.params}
	names := []string{"@method", "@authority", "@path", "@query", "content-digest", "content-type", "@signature-params"}
	if len(lines) != len(names) {
		return c, false
	}
	for i, line := range lines {
		value, ok := strings.CutPrefix(line, `"`+names[i]+`": `)
		if !ok {
			return c, false
		}
		*into[i] = value
	}
	return c, true
}

// accepted returns the components of a request that passes the bounds.
func accepted(method, uri, params string) (components, bool) {
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return components{}, false
	}
	c := components{method: method, authority: "a.example", digest: digest(nil), params: params}
	if c.path, c.query, err = target(&http.Request{RequestURI: uri, URL: u}); err != nil || !token(method) {
		return c, false
	}
	_, err = parseParams(params)
	return c, err == nil
}

func FuzzB27NoSharedSigningString(f *testing.F) {
	good := params{created: 1, nonce: strings.Repeat("a", 22), keyID: "k"}.text()
	for _, s := range [][2]string{{"/v1/x", "/v1/x?"}, {"/v1/x%0a", "/v1/x\n"}, {"/?a=1&a=2", "/?a=2&a=1"}, {"//", "/"}, {"/%2e%2e", "/.."}, {"/?a+b", "/?a%20b"}, {"/a%2Fb", "/a/b"}, {"/a%2fb", "/a%2Fb"}, {"/é", "/%C3%A9"}} {
		f.Add("GET", s[0], good, "GET", s[1], good)
	}
	f.Add("GET", "/", good, "GET", "/", strings.Replace(good, "k", "k\"\n", 1))
	f.Fuzz(func(t *testing.T, m1, u1, p1, m2, u2, p2 string) {
		c, ok := accepted(m1, u1, p1)
		d, okToo := accepted(m2, u2, p2)
		if ok {
			if back, read := parse(string(c.base())); !read || back != c {
				t.Fatalf("the base of %+v reads back as %+v", c, back)
			}
		}
		if ok && okToo && (m1 != m2 || u1 != u2 || p1 != p2) && string(c.base()) == string(d.base()) {
			t.Fatalf("%q %q %q and %q %q %q share a base", m1, u1, p1, m2, u2, p2)
		}
	})
}

// FuzzMAC holds the MAC to the standard library's.
func FuzzMAC(f *testing.F) {
	for _, size := range []int{0, 1, 16, 31, 32, 33, 63, 64, 65, 200} {
		f.Add([]byte(strings.Repeat("k", size)), []byte(strings.Repeat("m", 7*size)))
	}
	f.Fuzz(func(t *testing.T, secret, base []byte) {
		want := hmac.New(sha256.New, secret)
		want.Write(base)
		if got := mac(secret, base); !bytes.Equal(got[:], want.Sum(nil)) {
			t.Fatalf("%x under %x gives %x", base, secret, got)
		}
	})
}

// FuzzVerifyHeaders looks for headers that make the verifier panic, or pass without the key.
func FuzzVerifyHeaders(f *testing.F) {
	good := "sig1=" + params{created: 1_760_000_000, nonce: strings.Repeat("a", 22), keyID: "k"}.text()
	f.Add(good, "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:", digest(nil), "/v1/x")
	f.Add("sig1=("+`;created="abc"`, "sig1=::", "sha-256=::", "/")
	f.Fuzz(func(t *testing.T, input, signature, contentDigest, uri string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: uri, Header: http.Header{
			"Signature-Input": {input}, "Signature": {signature}, "Content-Digest": {contentDigest}, "Content-Type": {contentType}}}
		v := Verifier{cfg: Config{Authority: "a.example", MaxBody: 10}}
		_, p, err := v.bounds(r)
		if err == nil && (len(p.nonce) < MinNonce || p.keyID == "") {
			t.Fatalf("passed with %+v", p)
		}
	})
}

// TestOperatorDoor holds the callers of Operator to the few who may name a tenant unproven.
func TestOperatorDoor(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`\breqsig\.Operator\(`)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "dist") {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(path, "../../"))
		if d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || strings.Contains(rel, "test/") {
			return nil
		}
		for _, allowed := range []string{"app/server/", "app/cmd/sandbox/", "store/tenantdb/", "auth/reqsig/"} {
			if strings.HasPrefix(rel, allowed) {
				return nil
			}
		}
		src, err := os.ReadFile(path)
		if err == nil && call.Match(src) {
			t.Errorf("%s names a tenant that nobody proved", rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
