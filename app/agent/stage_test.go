package agent_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/oauth/oauthtest"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest/dovecottest"
)

// The addresses of the stage, as they could be in real life.
const (
	stageSite    = "acme.my.site.com"
	stageOrg     = "acme.my.salesforce.com"
	stageOldSite = "acme.force.com"
	stageIssuer  = "login.mail.example"
	stageIMAP    = "imap.mail.example:993"
)

// stage is one person's computer and all that it talks to, for one transcript. A proxy leads the
// real-looking addresses to the pretend servers of this process, so that the agent checks, follows
// and prints addresses as it does in real life.
type stage struct {
	*scene
	web *web
	tap *overheard

	google, microsoft *oauthtest.Issuer

	log bytes.Buffer // the transcript
}

// newStage sets up a signed-out computer. With mailbox there is a real mail server too; without,
// nothing may get as far as to read mail. change edits the configuration before it is written.
func newStage(t *testing.T, mailbox bool, change func(settings map[string]map[string]any)) *stage {
	t.Helper()
	s := &scene{t: t, issuer: &oauthtest.Issuer{URL: "https://" + stageIssuer}, site: "https://" + stageSite + salesforcetest.SitePath,
		org: &salesforcetest.Org{External: true, MailKey: true, InstanceURL: "https://" + stageOrg, SiteURL: "https://" + stageSite + salesforcetest.SitePath}}
	ear := &overheard{secrets: map[string]string{}}
	org := ear.on(s.org)
	st := &stage{scene: s, tap: ear, google: &oauthtest.Issuer{Flavour: oauthtest.Google, URL: "https://accounts.google.com"},
		microsoft: &oauthtest.Issuer{Flavour: oauthtest.Microsoft, URL: "https://login.microsoftonline.com/contoso.example/v2.0"}}
	st.web = newWeb(t, map[string]http.Handler{
		stageSite: org, stageOrg: org, stageOldSite: salesforcetest.Moved("https://" + stageSite), stageIssuer: ear.on(s.issuer),
		"accounts.google.com": byLastWord(st.google), "login.microsoftonline.com": byLastWord(st.microsoft),
	})
	trusted, imap := st.web.ca, stageIMAP
	if mailbox {
		s.dovecot = dovecottest.Start(t, dovecottest.Config{Active: s.issuer.Active})
		s.dovecot.Do(t, mailUser, "CREATE Salesforce")
		s.proxy = dovecottest.NewProxy(t, s.dovecot.Addr)
		trusted, imap = append(trusted, s.dovecot.CA...), s.proxy.Addr
	}
	ca := filepath.Join(shortDir(t), "ca.pem")
	if err := os.WriteFile(ca, trusted, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := map[string]map[string]any{
		"salesforce": {"site": s.site, "clientId": salesforcetest.DefaultClientID},
		"mail":       {"issuer": "https://" + stageIssuer, "clientId": "hawser", "scopes": []string{"openid", "email", "mail", "offline_access"}, "imap": imap},
		"trust":      {"caFile": ca},
	}
	if change != nil {
		change(settings)
	}
	written := map[string]any{}
	for k, v := range settings {
		written[k] = v
	}
	s.user = newUser(t, written)
	s.user.env = append(s.user.env, "HTTPS_PROXY="+st.web.proxy.URL, "BROWSER=true")
	return st
}

// byLastWord leads the paths of Google's and Microsoft's pages to those of a pretend issuer.
func byLastWord(issuer *oauthtest.Issuer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):]
		if to, ok := map[string]string{"/auth": "/authorize", "/keys": "/jwks"}[name]; ok {
			name = to
		}
		r.URL.Path = name
		issuer.ServeHTTP(w, r)
	})
}

// web is the part of the internet that a stage has.
type web struct {
	ca     []byte // PEM, trusts every host
	proxy  *httptest.Server
	client *http.Client // the person's browser

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

func newWeb(t *testing.T, hosts map[string]http.Handler) *web {
	t.Helper()
	names := make([]string, 0, len(hosts))
	for h := range hosts {
		names = append(names, h)
	}
	cert, pemCA := selfSigned(t, names)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hosts[r.Host].ServeHTTP(w, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the cut of a connection is meant
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	t.Cleanup(server.Close)
	n := &web{ca: pemCA, conns: map[net.Conn]bool{}}
	n.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || hosts[host] == nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		n.carry(w, server.Listener.Addr().String())
	}))
	t.Cleanup(func() { n.cut(); n.proxy.Close() })
	through, err := url.Parse(n.proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pemCA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Proxy: func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme == "http" { // the way back to this computer
			return nil, nil
		}
		return through, nil
	}}
	t.Cleanup(transport.CloseIdleConnections)
	n.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return n
}

// carry joins a CONNECT request to a server until one side closes or the web is cut.
func (n *web) carry(w http.ResponseWriter, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	w.WriteHeader(http.StatusOK)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil || !n.open(client) {
		return
	}
	defer client.Close()
	go func() {
		_, _ = io.Copy(server, buffered)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// open notes a connection; false when the web is down.
func (n *web) open(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		_ = c.Close()
		return false
	}
	n.conns[c] = true
	return true
}

// cut pulls the plug.
func (n *web) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for c := range n.conns {
		_ = c.Close()
	}
}

// selfSigned makes a certificate for names that is its own authority.
func selfSigned(t *testing.T, names []string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stage"}, DNSNames: names, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// does fills the login page of a side as user and presses a button.
func (s *stage) does(side, user string, allow bool) visitor {
	return func(ctx context.Context, address string) error {
		switch {
		case side == "mail":
			jar, err := newJar()
			if err != nil {
				return err
			}
			b := &oauthtest.Browser{Client: &http.Client{Transport: s.web.client.Transport, Jar: jar}, User: user, Password: mailPassword, Deny: !allow}
			_, _, err = b.Visit(ctx, address)
			return err
		case allow:
			return salesforcetest.Approve(ctx, s.web.client, address, user, salesforcetest.DefaultPassword)
		}
		return salesforcetest.Deny(ctx, s.web.client, address, user, salesforcetest.DefaultPassword)
	}
}

// readies signs in on both sides, out of the transcript.
func (s *stage) readies() {
	s.t.Helper()
	s.user.start()
	for side, user := range map[string]string{"salesforce": salesforcetest.DefaultUsername, "mail": mailUser} {
		if out, code := s.runs(s.does(side, user, true), "signin", side); code != 0 {
			s.t.Fatalf("hawser signin %s exits with %d: %s", side, code, out)
		}
	}
	s.settled()
}

// says adds what a reader has to know.
func (s *stage) says(text string) { s.log.WriteString(text + "\n\n") }

// types runs a command in view of the reader; visit is the person at the browser, when one opens.
func (s *stage) types(visit visitor, args ...string) {
	s.t.Helper()
	out, code := s.runs(visit, args...)
	writeCommand(&s.log, s.plain(out), code, args)
	speaksPlainly(s.t, "hawser "+strings.Join(args, " "), out)
}

// runs runs a command and returns all that it printed, in order, and its exit code.
func (s *stage) runs(visit visitor, args ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	visited := make(chan error, 1)
	out := &watcher{found: func(address string) {
		go func() {
			if visit == nil {
				visited <- nil
				return
			}
			visited <- visit(ctx, address)
		}()
	}}
	cmd := exec.CommandContext(ctx, s.user.binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.user.env, out, out
	_ = cmd.Run() // its exit code is looked at
	if out.seen {
		if err := <-visited; err != nil {
			s.t.Logf("the browser ended with: %v", err)
		}
	}
	if cmd.ProcessState == nil {
		s.t.Fatalf("hawser %s did not start", args)
	}
	return out.buf.String(), cmd.ProcessState.ExitCode()
}

// watcher keeps what a command prints and finds the address of the login page in it.
type watcher struct {
	buf   bytes.Buffer
	seen  bool
	found func(address string)
}

func (w *watcher) Write(p []byte) (int, error) {
	w.buf.Write(p)
	whole := w.buf.String()[:strings.LastIndexByte(w.buf.String(), '\n')+1]
	if m := loginPage.FindStringSubmatch(whole); m != nil && !w.seen {
		w.seen = true
		w.found(m[1])
	}
	return len(p), nil
}

var (
	loginPage = regexp.MustCompile(`(?m)(?:^ +|"url":")(https?://[^\s"]+/auth(?:orize)?\?[^\s"]+)`)
	// changing is what differs from run to run and tells a reader nothing.
	changing = []struct {
		is    *regexp.Regexp
		reads string
	}{
		{regexp.MustCompile(`(https://\S+/auth(?:orize)?)\?\S+`), "$1?…"},
		{regexp.MustCompile(`127\.0\.0\.1:\d+`), stageIMAP},
		{regexp.MustCompile(`last success [^;\n]+`), "last success just now"},
		{regexp.MustCompile(`until \d\d:\d\d`), "until 14:30"},
		{regexp.MustCompile(`\d+ of 160 used today; whole organisation \d+ of`), "9 of 160 used today; whole organisation 812 of"},
	}
)

// plain takes out what differs from run to run.
func (s *stage) plain(out string) string {
	out = strings.ReplaceAll(out, s.user.home, "~")
	for _, c := range changing {
		out = c.is.ReplaceAllString(out, c.reads)
	}
	return out
}
