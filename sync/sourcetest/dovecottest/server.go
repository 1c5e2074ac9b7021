package dovecottest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	binary   = "/usr/sbin/dovecot"
	password = "pass" // of every user, for the test's own connections
)

// Config says what the server is like; the zero value is a Maildir server for Alice.
type Config struct {
	// Users maps access tokens to the mailbox they open; nil: {"token-alice": "alice@example.org"}.
	Users map[string]string
	// Active says which mailbox a token opens that is not among Users; nil: none.
	Active func(token string) (address string, ok bool)
	// Format is "maildir" (default) or "mdbox" (quicker to read, slower to fill).
	Format string
	// Capability replaces what the server announces after sign-in; "": its own list.
	Capability string
	// SASL are the token mechanisms offered; "": "xoauth2 oauthbearer".
	SASL string
	// Zone is the server's time zone the way POSIX writes TZ, such as "AAA+12" for twelve hours behind
	// UTC; "": that of the test.
	Zone string
}

// Server is a running Dovecot.
type Server struct {
	Addr string      // host:port, TLS from the first byte
	TLS  *tls.Config // trusts the server's certificate
	CA   []byte      // who signed it, PEM

	dir    string
	format string
	zone   string
	active func(token string) (string, bool)
	uid    int
	gid    int
	cmd    *exec.Cmd
	alive  io.Closer // the guard's standard input
	exited chan struct{}

	mu     sync.Mutex
	tokens map[string]string
	serial int
}

// Start runs a Dovecot until the test ends. Where Dovecot is not installed the test is skipped,
// or fails with CI=true.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	if _, err := os.Stat(binary); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("dovecot is missing: install dovecot-core and dovecot-imapd")
		}
		t.Skip("dovecot is missing: install dovecot-core and dovecot-imapd")
	}
	s := &Server{format: cfg.Format, zone: cfg.Zone, active: cfg.Active, tokens: map[string]string{"token-alice": "alice@example.org"}}
	if cfg.Users != nil {
		s.tokens = make(map[string]string)
		for token, address := range cfg.Users {
			s.tokens[token] = address
		}
	}
	if s.format == "" {
		s.format = "maildir"
	}
	introspect := httptest.NewServer(http.HandlerFunc(s.introspect))
	t.Cleanup(introspect.Close)
	for try := 1; ; try++ {
		err := s.start(t, cfg, introspect.URL+"/introspect")
		if err == nil {
			break
		}
		if try == 3 {
			t.Fatalf("start dovecot: %v", err)
		}
	}
	t.Cleanup(s.Stop)
	return s
}

// introspect answers Dovecot's questions about tokens (RFC 7662).
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	email, ok := s.tokens[r.PostFormValue("token")]
	s.mu.Unlock()
	if !ok && s.active != nil {
		email, ok = s.active(r.PostFormValue("token"))
	}
	answer := map[string]any{"active": ok}
	if ok {
		answer["email"] = email
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// Accept makes a token open a mailbox.
func (s *Server) Accept(token, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = address
}

// Revoke makes the server refuse a token from now on. Open connections live on.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

func (s *Server) start(t testing.TB, cfg Config, introspect string) error {
	// Not t.TempDir: its path is too long for the sockets, and closed to other users.
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		return err
	}
	s.dir = dir
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	account, err := user.Current()
	if err == nil && account.Uid == "0" {
		account, err = user.Lookup("nobody") // Dovecot refuses to run its parts as root
	}
	if err != nil {
		return err
	}
	group, err := user.LookupGroupId(account.Gid)
	if err != nil {
		return err
	}
	s.uid, _ = strconv.Atoi(account.Uid)
	s.gid, _ = strconv.Atoi(account.Gid)
	port, err := freePort()
	if err != nil {
		return err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cert, key, err := s.certificate()
	if err != nil {
		return err
	}
	location := "maildir:~/Maildir"
	if s.format == "mdbox" {
		location = "mdbox:~/mdbox"
	}
	extra := ""
	if cfg.Capability != "" {
		extra = "imap_capability = " + cfg.Capability
	}
	sasl := cfg.SASL
	if sasl == "" {
		sasl = "xoauth2 oauthbearer"
	}
	fill := strings.NewReplacer("@DIR@", dir, "@USER@", account.Username, "@GROUP@", group.Name, "@PORT@", strconv.Itoa(port),
		"@LOCATION@", location, "@EXTRA@", extra, "@SASL@", sasl, "@PASSWORD@", password, "@INTROSPECT@", introspect)
	for name, text := range map[string]string{
		"dovecot.conf": fill.Replace(mainConf), "oauth2.conf.ext": fill.Replace(oauthConf), "cert.pem": cert, "key.pem": key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return s.run(t.Context())
}

// guard runs Dovecot until its standard input ends, which also happens when the test is killed or
// panics. Killing the whole group matters: login processes keep TLS connections after the master
// is gone.
const guard = `("$0" -F -c "$1"; kill -TERM $$) & read -r _; kill -KILL 0`

func (s *Server) run(ctx context.Context) error {
	for _, name := range []string{"home", "run", "state"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := s.own(s.dir); err != nil {
		return err
	}
	out := &bytes.Buffer{}
	s.cmd = exec.Command("/bin/sh", "-c", guard, binary, filepath.Join(s.dir, "dovecot.conf"))
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if s.zone != "" {
		s.cmd.Env = append(os.Environ(), "TZ="+s.zone)
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		s.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}
	}
	var err error
	if s.alive, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	// The port is open before anybody can answer on it: only the greeting counts.
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.exited:
			log, _ := os.ReadFile(filepath.Join(s.dir, "dovecot.log"))
			return fmt.Errorf("it ended at once: %s%s", out, log)
		default:
		}
		if s.greets(ctx) {
			return nil
		}
	}
	s.Stop()
	log, _ := os.ReadFile(filepath.Join(s.dir, "dovecot.log"))
	return fmt.Errorf("no greeting: %s", log)
}

func (s *Server) greets(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: s.TLS}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "* OK")
}

// Stop ends the server and all its connections.
func (s *Server) Stop() {
	_ = s.alive.Close()
	<-s.exited
}

// Log returns what Dovecot logged, for a failing test.
func (s *Server) Log() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "dovecot.log"))
	return string(log)
}

// own gives path and all below it to the user Dovecot runs as.
func (s *Server) own(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(p, s.uid, s.gid)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a lock of Dovecot's that is gone again
		}
		return err
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
