package imapsource_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

func listFolders(t testing.TB, src *imapsource.Source) error {
	t.Helper()
	_, err := src.Folders(t.Context())
	return err
}

func TestConnectFaults(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	trusting := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trusting.NextProtos = nil
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	scripted := func(change func(*script)) func(t *testing.T) imapsource.Config {
		return func(t *testing.T) imapsource.Config {
			s := newScript(t, 1)
			change(s)
			s.start()
			cfg := config(s.addr, s.tls, "alice@example.org", "token")
			cfg.Timeouts = imapsource.Timeouts{Dial: time.Second, Command: time.Second}
			return cfg
		}
	}
	onAuth := func(f func(c *talk, tag string)) func(*script) {
		return func(s *script) {
			s.answer = func(c *talk, tag, command string) bool {
				if !strings.HasPrefix(command, "AUTHENTICATE") {
					return false
				}
				f(c, tag)
				return true
			}
		}
	}
	fixed := func(addr string, roots *tls.Config) func(*testing.T) imapsource.Config {
		return func(*testing.T) imapsource.Config {
			return config(addr, roots, "alice@example.org", "token")
		}
	}
	tests := map[string]struct {
		config func(*testing.T) imapsource.Config
		code   fault.Code
	}{
		"nobody listens": {fixed(dead.Addr().String(), nil), fault.Offline},
		"no such host": {func(t *testing.T) imapsource.Config {
			cfg := config("mail.invalid:993", nil, "alice@example.org", "token")
			cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "mail.invalid", IsNotFound: true}
			}
			return cfg
		}, fault.Offline},
		"plain web server": {fixed(web.Listener.Addr().String(), nil), fault.NotTheServer},
		"web server over TLS": {func(*testing.T) imapsource.Config {
			cfg := config(secure.Listener.Addr().String(), trusting, "alice@example.org", "token")
			cfg.Timeouts.Dial = time.Second // it waits for us to speak first
			return cfg
		}, fault.Stalled},
		"foreign certificate":    {fixed(secure.Listener.Addr().String(), nil), fault.CertificateWrong},
		"goodbye as greeting":    {scripted(func(s *script) { s.greeting = "* BYE too many connections" }), fault.MailBusy},
		"SMTP greeting":          {scripted(func(s *script) { s.greeting = "220 mail.example ESMTP" }), fault.NotTheServer},
		"signed in by greeting":  {scripted(func(s *script) { s.greeting = "* PREAUTH hello" }), fault.MailProtocol},
		"silent after greeting":  {scripted(func(s *script) { s.answer = func(*talk, string, string) bool { return true } }), fault.Stalled},
		"no token sign-in":       {scripted(func(s *script) { s.caps = "AUTH=PLAIN" }), fault.MailRefused},
		"hangs up":               {scripted(onAuth(func(c *talk, _ string) { c.hangUp() })), fault.Offline},
		"says goodbye":           {scripted(onAuth(func(c *talk, _ string) { c.say("* BYE Connection closed. 14"); c.hangUp() })), fault.MailBusy},
		"unavailable":            {scripted(onAuth(func(c *talk, tag string) { c.say("%s NO [UNAVAILABLE] Server error", tag) })), fault.MailBusy},
		"not connected":          {scripted(onAuth(func(c *talk, tag string) { c.say("%s BAD User is authenticated but not connected.", tag) })), fault.MailBusy},
		"too many":               {scripted(onAuth(func(c *talk, tag string) { c.say("%s NO Too many simultaneous connections.", tag) })), fault.MailBusy},
		"refused":                {scripted(onAuth(func(c *talk, tag string) { c.say("%s NO [AUTHENTICATIONFAILED] Invalid credentials", tag) })), fault.MailRefused},
		"refused by a challenge": {scripted(onAuth(challenge(false))), fault.MailRefused},
		"challenge and hang-up":  {scripted(onAuth(challenge(true))), fault.MailRefused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := listFolders(t, open(t, tt.config(t)))
			wantCode(t, err, tt.code)
			if strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), "token-") {
				t.Errorf("the error names somebody: %v", err)
			}
		})
	}
}

// challenge refuses a token the way Google does.
func challenge(hangUp bool) func(c *talk, tag string) {
	return func(c *talk, tag string) {
		c.say("+ %s", base64.StdEncoding.EncodeToString([]byte(`{"status":"400","schemes":"Bearer"}`)))
		if hangUp {
			c.hangUp()
			return
		}
		line, _ := c.r.ReadString('\n')
		if strings.TrimSpace(line) != "AQ==" {
			c.say("%s BAD Invalid base64 data: %s", tag, line)
			return
		}
		c.say("%s NO SASL authentication failed", tag)
	}
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{Users: map[string]string{"new": "alice@example.org"}})
	supply := &tokens{list: []string{"old", "new"}}
	cfg := config(s.Addr, s.TLS, "alice@example.org")
	cfg.Token = supply.token
	if err := listFolders(t, open(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(supply.stale, []string{"old"}) {
		t.Errorf("stale tokens were %v", supply.stale)
	}

	supply = &tokens{list: []string{"a", "b", "c"}}
	cfg.Token = supply.token
	wantCode(t, listFolders(t, open(t, cfg)), fault.MailRefused)
	if !slices.Equal(supply.stale, []string{"a"}) {
		t.Errorf("stale tokens were %v", supply.stale)
	}

	revoked := fault.New(fault.TokenRevoked, "refresh", nil)
	supply = &tokens{list: []string{"a"}, err: revoked}
	cfg.Token = supply.token
	if err := listFolders(t, open(t, cfg)); !errors.Is(err, revoked) {
		t.Errorf("got %v", err)
	}

	supply = &tokens{list: []string{"new"}}
	cfg.Token = supply.token
	cfg.User = "bob@example.org" // a token of somebody else opens nothing
	wantCode(t, listFolders(t, open(t, cfg)), fault.MailRefused)
}

func TestOAuthBearerWhereXOAuth2IsMissing(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{SASL: "oauthbearer"})
	if err := listFolders(t, open(t, config(s.Addr, s.TLS, "alice@example.org", "token-alice"))); err != nil {
		t.Fatal(err)
	}
	wantCode(t, listFolders(t, open(t, config(s.Addr, s.TLS, "alice@example.org", "wrong"))), fault.MailRefused)
}

func TestConnectionIsReusedAndReplaced(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	s.Append(t, "alice@example.org", "INBOX", mail(1))
	link := dovecottest.NewProxy(t, s.Addr)
	src := open(t, config(link.Addr, s.TLS, "alice@example.org", "token-alice"))
	req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}
	for range 3 {
		scan(t, src, req)
	}
	if n := link.Accepted(); n != 1 {
		t.Errorf("three scans used %d connections", n)
	}
	link.Drop() // the kept connection is dead now
	scan(t, src, req)
	if err := listFolders(t, src); err != nil {
		t.Error(err)
	}
	link.Drop()
	if err := listFolders(t, src); err != nil {
		t.Error(err)
	}
	if n := link.Accepted(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	src.Close()
	if err := listFolders(t, src); err == nil {
		t.Error("a closed source still works")
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	s := newScript(t, 3)
	s.answer = func(c *talk, tag, command string) bool { return isBodyFetch(command) } // never answers
	s.start()
	src := s.source(func(cfg *imapsource.Config) { cfg.Timeouts.Command = time.Hour })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := src.Scan(ctx, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, &recorder{t: t})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	s := newScript(t, 2)
	s.mails[1] = "Subject: CANARY-SUBJECT\r\n\r\nCANARY-BODY\r\n"
	s.answer = func(c *talk, tag, command string) bool {
		if !strings.Contains(command, "BODY") {
			return false
		}
		c.say("* 1 FETCH (UID 1 BODY[] {10}\r\n%s", s.mails[1]) // the rest is read as an answer
		return true
	}
	s.start()
	src := s.source(func(cfg *imapsource.Config) {
		cfg.Log = slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Token = func(context.Context, secret.String) (secret.String, error) { return secret.New("CANARY-TOKEN"), nil }
	})
	err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, &recorder{t: t})
	text := buf.String()
	if err != nil {
		text += err.Error()
	}
	for _, canary := range []string{"CANARY", "alice", "BODY", "INBOX"} {
		if strings.Contains(text, canary) {
			t.Errorf("%q is in %s", canary, text)
		}
	}
	if !strings.Contains(text, "mail cannot be read") {
		t.Errorf("the odd mail is not logged: %s", text)
	}
}
