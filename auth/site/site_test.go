package site

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"hawser/sync/fault"
)

// rows reads testdata/hosts.tsv: an address as a JSON string, a tab, and its canonical base or
// "!" and the hint.
func rows(t testing.TB) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/hosts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		quoted, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		var in string
		if !ok || json.Unmarshal([]byte(quoted), &in) != nil {
			t.Fatalf("bad line %q", line)
		}
		out[in] = want
	}
	return out
}

// TestParse covers attack cases A15 to A20 and A22 with 300 addresses.
func TestParse(t *testing.T) {
	t.Parallel()
	all := rows(t)
	if len(all) < 300 {
		t.Errorf("only %d addresses", len(all))
	}
	for in, want := range all {
		s, err := Parse(in, Policy{})
		got := s.Base
		if err != nil {
			if !fault.Is(err, fault.SiteRefused) {
				t.Errorf("%q: %v", in, err)
			}
			got = "!" + string(HintOf(err))
		}
		if got != want {
			t.Errorf("%q\n got %s\nwant %s", in, got, want)
		}
		check(t, s, err)
	}
}

// check holds for everything that is accepted.
func check(t *testing.T, s Site, err error) {
	t.Helper()
	if err != nil {
		if s.Base != "" || s.Host != "" {
			t.Errorf("refused, but a site %q", s.Base)
		}
		return
	}
	again, err := Parse(s.Base, Policy{})
	if err != nil || again.Base != s.Base || again.Kind != s.Kind {
		t.Errorf("%q becomes %q: %v", s.Base, again.Base, err)
	}
	u, err := url.Parse(s.Base)
	if err != nil || u.Scheme != "https" || u.Host != s.Host || u.User != nil || u.Port() != "" || u.RawQuery != "" || strings.HasSuffix(s.Base, "/") {
		t.Errorf("base %q: %v", s.Base, err)
	}
	ends := false
	for _, e := range []string{".salesforce.com", ".force.com", ".site.com", ".siteforce.com", ".salesforce-sites.com", ".salesforce.mil", ".sfcrmproducts.cn", ".cloudforce.com"} {
		ends = ends || strings.HasSuffix(u.Hostname(), e)
	}
	if !ends || net.ParseIP(u.Hostname()) != nil {
		t.Errorf("host %q is not Salesforce's", u.Hostname())
	}
}

func FuzzParse(f *testing.F) {
	for in := range rows(f) {
		f.Add(in)
	}
	p := Policy{Custom: []string{"partners.acme.com", "127.0.0.1:8080"}}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(in, Policy{})
		check(t, s, err)
		named, err := Parse(in, p)
		if err != nil {
			return
		}
		if named.Kind != Custom {
			if named.Base != s.Base {
				t.Errorf("%q becomes %q, with a policy for others %q", in, s.Base, named.Base)
			}
			return
		}
		again, err := Parse(named.Base, p)
		if err != nil || again.Base != named.Base || named.Host != "partners.acme.com" && named.Host != "127.0.0.1:8080" ||
			strings.HasPrefix(named.Base, "http://") && named.Host != "127.0.0.1:8080" {
			t.Errorf("%q becomes %q, %q: %v", in, named.Base, again.Base, err)
		}
	})
}

func TestCustom(t *testing.T) {
	t.Parallel()
	p := Policy{Custom: []string{"partners.acme.com", "127.0.0.1:8080", "localhost:8081", "[::1]:8082", "10.0.0.1", "other.acme.com:8443", "http://wrong.example"}}
	for in, want := range map[string]string{
		"https://partners.acme.com/x/s/login": "https://partners.acme.com/x",
		"PARTNERS.acme.com.":                  "https://partners.acme.com",
		"https://partners.acme.com:443":       "https://partners.acme.com",
		"http://127.0.0.1:8080/partners":      "http://127.0.0.1:8080/partners",
		"https://127.0.0.1:8080":              "https://127.0.0.1:8080",
		"http://localhost:8081":               "http://localhost:8081",
		"http://[::1]:8082/p":                 "http://[::1]:8082/p",
		"http://partners.acme.com":            "!not-https",
		"https://x.partners.acme.com":         "!foreign",
		"https://partners.acme.com:8443":      "!port",
		"http://127.0.0.1:8081":               "!not-https",
		"http://127.0.0.1":                    "!not-https",
		"https://10.0.0.1":                    "!ip-address",
		"https://other.acme.com:8443":         "!port",
		"https://wrong.example":               "!foreign",
	} {
		s, err := Parse(in, p)
		got := s.Base
		if err != nil {
			got = "!" + string(HintOf(err))
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
		if err == nil {
			if again, err := Parse(s.Base, p); err != nil || again.Base != s.Base || s.Kind != Custom {
				t.Errorf("%q becomes %q: %v", s.Base, again.Base, err)
			}
		}
	}
}

// TestA21Trust: a token of a site goes to the site, to its own org, and nowhere else.
func TestA21Trust(t *testing.T) {
	t.Parallel()
	p := Policy{Custom: []string{"partners.acme.com"}}
	for _, c := range []struct {
		site, url string
		ok        bool
	}{
		{"https://acme.my.site.com/partners", "https://acme.my.site.com/partners", true},
		{"https://acme.my.site.com/partners", "https://acme.my.salesforce.com", true},
		{"https://acme.my.site.com/partners", "https://ACME.my.salesforce.com.", true},
		{"https://acme--qa.sandbox.my.site.com", "https://acme--qa.sandbox.my.salesforce.com", true},
		{"https://login.salesforce.com", "https://login.salesforce.com", true},
		{"https://acme.my.site.com/partners", "https://partners.acme.com", true},
		{"https://login.salesforce.com", "https://acme.my.salesforce.com", true},
		{"https://acme.force.com", "https://acme.my.salesforce.com", true},
		{"https://acme.my.site.com/partners", "https://login.salesforce.com/id/00D/005", false}, // read, never called
		{"https://acme.my.salesforce.com", "https://test.salesforce.com", false},
		{"https://login.salesforce.com", "https://test.salesforce.com", false},
		{"https://acme.my.site.com/partners", "https://evil.my.salesforce.com", false},
		{"https://acme.my.site.com/partners", "https://acme--qa.sandbox.my.salesforce.com", false},
		{"https://acme.my.site.com/partners", "https://evil.my.site.com", false},
		{"https://acme.my.site.com/partners", "https://acme.force.com", false},
		{"https://acme.my.salesforce.com", "https://acme.my.site.com", false},
		{"https://acme.my.salesforce.com", "http://acme.my.salesforce.com", false},
		{"https://acme.my.salesforce.com", "https://acme.my.salesforce.com:8443", false},
		{"https://acme.my.salesforce.com", "https://x.salesforce-sites.com", false},
		{"https://acme.my.salesforce.com", "https://10.0.0.1", false},
		{"https://acme.my.salesforce.com", "https://evil.example", false},
	} {
		s, err := Parse(c.site, p)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Trust(u); (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.site, c.url, err)
		}
		login := u.Host == "login.salesforce.com" || u.Host == "test.salesforce.com"
		if err := s.Names(u); (err == nil) != (c.ok || login) {
			t.Errorf("%s named by %s: %v", c.site, c.url, err)
		}
	}
}

// world is a transport in which a few names of Salesforce's exist, over a real server.
func world(t *testing.T, h http.HandlerFunc) *http.Client {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	tr := srv.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.InsecureSkipVerify = true // the names are pretended; trust is not what is tested
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func document(base string) map[string]any {
	return map[string]any{
		"issuer": base, "authorization_endpoint": base + "/services/oauth2/authorize", "token_endpoint": base + "/services/oauth2/token",
		"revocation_endpoint": base + "/services/oauth2/revoke", "userinfo_endpoint": base + "/services/oauth2/userinfo", "jwks_uri": base + "/id/keys",
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	docs := map[string]map[string]any{
		"acme.my.site.com/partners":          document("https://acme.my.site.com/partners"),
		"lwr.my.site.com/partnersvforcesite": document("https://lwr.my.site.com/partnersvforcesite"),
		"root.my.site.com":                   document("https://root.my.site.com"),
		"evil.my.site.com":                   document("https://evil.example"),
		"other.my.site.com":                  document("https://else.my.salesforce.com"),
		"clear.my.site.com":                  document("http://clear.my.site.com"),
	}
	client := world(t, func(w http.ResponseWriter, r *http.Request) {
		at := r.Host + strings.TrimSuffix(r.URL.Path, wellKnown)
		switch {
		case docs[at] != nil:
			_ = json.NewEncoder(w).Encode(docs[at])
		case r.Host == "acme.force.com":
			http.Redirect(w, r, "https://acme.my.site.com"+r.URL.Path, http.StatusMovedPermanently)
		case r.Host == "hop.force.com":
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		case r.Host == "down.force.com":
			http.Redirect(w, r, "http://acme.my.site.com"+r.URL.Path, http.StatusFound)
		case r.Host == "loop.my.site.com":
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		case r.Host == "sick.my.site.com":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>this is not JSON</html>"))
		}
	})
	for in, want := range map[string]struct {
		base, token    string
		moved, guessed bool
		code           fault.Code
		hint           Hint
	}{
		"https://acme.my.site.com/partners":       {base: "https://acme.my.site.com/partners", token: "https://acme.my.site.com/partners/services/oauth2/token"},
		"https://acme.force.com/partners/s/login": {base: "https://acme.my.site.com/partners", token: "https://acme.my.site.com/partners/services/oauth2/token", moved: true},
		"https://lwr.my.site.com/partners":        {base: "https://lwr.my.site.com/partners", token: "https://lwr.my.site.com/partnersvforcesite/services/oauth2/token"},
		"https://root.my.site.com/partners":       {base: "https://root.my.site.com/partners", token: "https://root.my.site.com/services/oauth2/token"},
		"https://silent.my.site.com/partners":     {base: "https://silent.my.site.com/partners", token: "https://silent.my.site.com/partners/services/oauth2/token", guessed: true},
		"https://evil.my.site.com":                {code: fault.SiteRefused, hint: Foreign},
		"https://other.my.site.com":               {code: fault.SiteRefused, hint: Foreign},
		"https://clear.my.site.com":               {code: fault.SiteRefused, hint: NotHTTPS},
		"https://hop.force.com":                   {code: fault.SiteRefused, hint: Foreign},
		"https://down.force.com/partners":         {code: fault.SiteRefused, hint: NotHTTPS},
		"https://loop.my.site.com":                {code: fault.NotTheServer},
		"https://sick.my.site.com":                {code: fault.ServerError},
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			s, err := Parse(in, Policy{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := Discover(t.Context(), s, client)
			if want.code != "" {
				if !fault.Is(err, want.code) || HintOf(err) != want.hint {
					t.Errorf("%v, want %s %s", err, want.code, want.hint)
				}
				return
			}
			if err != nil || f.Site.Base != want.base || f.TokenURL != want.token || f.Moved != want.moved || f.Guessed != want.guessed {
				t.Errorf("%+v %v", f, err)
			}
		})
	}
}

func TestSuccessor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://acme.force.com/partners":        "https://acme.my.site.com/partners",
		"https://acme.force.com":                 "https://acme.my.site.com",
		"https://acme.secure.force.com/partners": "",
		"https://acme.my.site.com/partners":      "",
	} {
		s, err := Parse(in, Policy{})
		if err != nil {
			t.Fatal(err)
		}
		if next, ok := s.Successor(); next.Base != want || ok != (want != "") {
			t.Errorf("%s: %q", in, next.Base)
		}
	}
}

// TestA22Dial: a listed name that leads to the local network is refused on the socket, also when it
// led elsewhere a moment ago.
func TestA22Dial(t *testing.T) {
	t.Parallel()
	refusesAll(t, "127.0.0.1", "https://[::1]", "https://0x7f.1", "https://2130706433", "https://169.254.169.254", "https://[::ffff:10.0.0.1]")
	for _, ip := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
		"[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[::]"} {
		if err := public(ip + ":443"); HintOf(err) != IPAddress {
			t.Errorf("%s: %v", ip, err)
		}
	}
	for _, ip := range []string{"13.110.54.1", "[2606:4700::1111]", "[::ffff:13.110.54.1]"} {
		if err := public(ip + ":443"); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	address := srv.Listener.Addr().String()
	conn, err := (Policy{Custom: []string{address}}).Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("host named by policy: %v", err)
	}
	_ = conn.Close()
	_, port, _ := net.SplitHostPort(address)
	for _, rebound := range [][4]byte{{127, 0, 0, 1}, {169, 254, 169, 254}, {10, 0, 0, 1}} {
		d := Policy{}.dialer("acme.my.site.com:443")
		d.Resolver = nameServer(t, rebound)
		if conn, err := d.DialContext(t.Context(), "tcp", "acme.my.site.com:"+port); HintOf(err) != IPAddress {
			t.Errorf("%v: %v", rebound, err)
			if err == nil {
				_ = conn.Close()
			}
		}
	}
	proxy := Policy{}.dialer("proxy.acme.example:3128") // which may be in the company's own network
	proxy.Resolver = nameServer(t, [4]byte{127, 0, 0, 1})
	if conn, err = proxy.DialContext(t.Context(), "tcp", "proxy.acme.example:"+port); err != nil {
		t.Fatalf("a proxy: %v", err)
	}
	_ = conn.Close()
}

// nameServer is a resolver for which every name has the one address.
func nameServer(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	at, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := at.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: ip}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = at.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() { _ = at.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", at.LocalAddr().String())
	}}
}
