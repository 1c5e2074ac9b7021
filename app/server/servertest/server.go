// Package servertest runs the real hawserd program on the loopback interface, for tests and the
// demo, and gives it an operator's commands.
//
// It owns the process and its folder, and nothing of what the program does. A [Server] is used from
// one goroutine; [Server.Close] waits for the process.
package servertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Config says which program to run and where.
type Config struct {
	Binary string // hawserd
	Dir    string // an existing folder of the server's own; its state and its log
	// CheckIn is how often computers report; 0 is the program's default.
	CheckIn time.Duration
	CAFile  string // PEM of the certificates that it trusts, "" for the system's
}

// Server is a running hawserd with an empty database in its folder.
type Server struct {
	URL string

	cfg  Config
	port string
	proc *exec.Cmd
	log  *os.File
}

// Start starts the program and waits until it serves.
func Start(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil { // the program takes the port; in between somebody else could
		return nil, err
	}
	s := &Server{URL: "http://127.0.0.1:" + port, cfg: cfg, port: port}
	if s.log, err = os.OpenFile(filepath.Join(cfg.Dir, "hawserd.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	return s, s.Up()
}

// Up starts the program anew, on the same port and database.
func (s *Server) Up() error {
	args := []string{"serve", "--listen", "127.0.0.1:" + s.port, "--metrics", ""}
	if s.cfg.CheckIn != 0 {
		args = append(args, "--check-in", s.cfg.CheckIn.String())
	}
	s.proc = s.command(args...)
	s.proc.Stdout, s.proc.Stderr = s.log, s.log
	s.proc.SysProcAttr = ownGroup()
	if err := s.proc.Start(); err != nil {
		return fmt.Errorf("start hawserd: %w", err)
	}
	for range 500 {
		resp, err := http.Get(s.URL + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Down(syscall.SIGKILL)
	text, _ := os.ReadFile(s.log.Name())
	return fmt.Errorf("hawserd does not serve: %s", bytes.TrimSpace(text))
}

// Down ends the program with a signal and waits for it.
func (s *Server) Down(signal syscall.Signal) {
	if s.proc == nil {
		return
	}
	_ = s.proc.Process.Signal(signal)
	_ = s.proc.Wait() // how it ended is seen in what it left
	s.proc = nil
}

// Close ends the program for good.
func (s *Server) Close() {
	s.Down(syscall.SIGTERM)
	_ = s.log.Close()
}

// Log returns what the program has logged.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.log.Name())
	return string(text)
}

// Dir is the folder of its database and its log.
func (s *Server) Dir() string { return s.cfg.Dir }

func (s *Server) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.cfg.Binary, append([]string{"--state", s.cfg.Dir}, args...)...)
	cmd.Dir = s.cfg.Dir
	cmd.Env = []string{"HOME=" + s.cfg.Dir, "PATH=" + os.Getenv("PATH")}
	if s.cfg.CAFile != "" {
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+s.cfg.CAFile)
	}
	return cmd
}

// Run runs an operator's command and returns what it prints, without the last line feed.
func (s *Server) Run(args ...string) (string, error) {
	out, err := s.command(args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("hawserd %s: %s", args[0], bytes.TrimSpace(exit.Stderr))
	}
	return strings.TrimRight(string(out), "\n"), err
}

// File writes a file into the server's folder, where its commands find it.
func (s *Server) File(name, text string) error {
	return os.WriteFile(filepath.Join(s.cfg.Dir, name), []byte(text), 0o600)
}

// Policy is what a company wants of its agents. Settings are by key: "capture.folder".
type Policy struct {
	Group    string
	Version  int
	Settings map[string]any
	Locked   []string
}

// SetPolicy signs a policy of a tenant with the key in the server's folder, making one when there is
// none, and puts it in force.
func (s *Server) SetPolicy(tenant string, p Policy) error {
	row, err := s.tenant(tenant)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, tenant+".pem")); err != nil {
		public, err := s.Run("policy", "keygen", tenant+".pem")
		if err == nil {
			_, err = s.Run("tenant", "set", tenant, "--policy-key", public)
		}
		if err != nil {
			return err
		}
	}
	text, err := json.Marshal(map[string]any{
		"tenant": row, "group": p.Group, "version": p.Version, "settings": p.Settings, "locked": p.Locked,
		"issued": time.Now().UTC(), "expires": time.Now().Add(24 * time.Hour).UTC(),
	})
	if err == nil {
		err = s.File("policy.json", string(text))
	}
	if err != nil {
		return err
	}
	signed, err := s.Run("policy", "sign", "--key", tenant+".pem", "policy.json")
	if err == nil {
		err = s.File("signed.json", signed)
	}
	if err == nil {
		_, err = s.Run("policy", "set", tenant, "signed.json")
	}
	return err
}

// tenant returns the row id of a tenant.
func (s *Server) tenant(name string) (string, error) {
	text, err := s.Run("tenant", "list", "--json")
	if err != nil {
		return "", err
	}
	var rows []struct{ ID, Name string }
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return "", fmt.Errorf("list tenants: %w", err)
	}
	for _, r := range rows {
		if r.Name == name {
			return r.ID, nil
		}
	}
	return "", fmt.Errorf("no tenant %q", name)
}
