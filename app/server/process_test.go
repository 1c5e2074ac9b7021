package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// process is hawserd as a process of its own: this test binary, which TestMain makes be it.
type process struct {
	url   string // as clients know it
	state string

	cmd    *exec.Cmd
	log    *lockedBuffer
	ended  chan struct{}
	client *http.Client
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// site is where a process runs: its folder, its database, its address.
type site struct {
	state, database string // database "" is SQLite in the folder
	listen          string
	authority       string // "" is the address
	env             []string
}

func newSite(t testing.TB, database string) site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return site{state: filepath.Join(t.TempDir(), "state"), database: database, listen: listen, authority: listen}
}

// start runs "hawserd serve" and waits until it is ready.
func (s site) start(t testing.TB) *process {
	t.Helper()
	p := &process{url: "http://" + s.authority, state: s.state, log: &lockedBuffer{}, ended: make(chan struct{}), client: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}}
	p.cmd = exec.Command(os.Args[0], "serve", "--listen", s.listen, "--authority", s.authority, "--metrics", "", "--database", s.database)
	p.cmd.Env = append(append(os.Environ(), asMain+"="+s.state), s.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // it may be killed
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := p.client.Get("http://" + s.listen + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p
			}
		}
		select {
		case <-p.ended:
			t.Fatalf("hawserd ended: %s", p.log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("hawserd does not get ready: %v\n%s", err, p.log)
		}
	}
}

// kill ends the process as kill -9 does, and may be called again.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be dead
	<-p.ended
	p.client.CloseIdleConnections()
}

// stop ends the process as systemd does.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.client.CloseIdleConnections()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("hawserd does not end\n%s", p.log)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("hawserd exits with %d\n%s", code, p.log)
	}
}

// inOffice opens the database in this process, which nobody serves meanwhile.
func (s site) inOffice(t testing.TB, work func(ctx context.Context, o *office) error) {
	t.Helper()
	a := &app{state: s.state, database: s.database}
	o, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(work(t.Context(), o), o.db.Close()); err != nil {
		t.Fatal(err)
	}
}

// colony is a tenant of a site with a key.
type colony struct {
	id     reqsig.TenantID
	key    provision.Credential
	issuer *issuer
}

func (s site) colony(t testing.TB, name string, i *issuer) colony {
	t.Helper()
	c := colony{issuer: i}
	s.inOffice(t, func(ctx context.Context, o *office) error {
		row := provision.Tenant{
			ID: provision.NewTenantID(), Name: name, Domains: []string{name + ".example"}, CreatedAt: time.Now(),
			Sites: []provision.Site{{Issuer: i.url, OrgID: acmeAccount.OrgID, ClientIDs: []string{clientID}}},
		}
		c.id = reqsig.Operator(row.ID)
		if err := o.db.CreateTenant(ctx, row, operator("tenant.create", row.ID)); err != nil {
			return err
		}
		k, credential := o.vault.NewKey(c.id, provision.RoleTenant, "", time.Now())
		c.key = credential
		return o.db.AddKey(ctx, c.id, k, operator("key.add", k.ID))
	})
	return c
}

// citizen is the n-th user of a colony, before and after registering.
type citizen struct {
	user, mailbox string
	account       provision.Account
	code          provision.Credential
	registration  string
	secret        []byte
}

func person(t testing.TB, domain string, n int) citizen {
	t.Helper()
	account, ok := provision.Account{OrgID: acmeAccount.OrgID, UserID: fmt.Sprintf("0055g%010d", n)}.Canonical()
	if !ok {
		t.Fatal("not an account")
	}
	c := citizen{user: fmt.Sprintf("u%d", n), mailbox: fmt.Sprintf("u%d@%s.example", n, domain), account: account, registration: strings.ToLower(rand.Text()), secret: make([]byte, 32)}
	_, _ = rand.Read(c.secret)
	return c
}

// settle provisions the user in the database and issues a code.
func (c *citizen) settle(ctx context.Context, o *office, id reqsig.TenantID) error {
	if _, _, err := o.db.PutUser(ctx, id, provision.User{ID: c.user, Account: c.account, Mailbox: c.mailbox}, operator("user.put", c.user)); err != nil {
		return err
	}
	out, err := o.vault.IssueCode(ctx, o.db, id, operator("code.issue", c.user))
	if err != nil {
		return err
	}
	c.code, err = provision.ParseCredential(out.Code)
	return err
}

// register is the body of the registration, after a sign-in.
func (c citizen) register(t testing.TB, i *issuer) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString(c.secret)
	return fmt.Sprintf(`{"registration":%q,"secret":%q,"salesforce":%q,"mailbox":%q,"report":%s}`,
		c.registration, text, i.token(t, provision.IDTokenNonce(provision.SideSalesforce, c.registration, text), c.account), c.mailbox, report)
}

// try sends a signed request; err is of the transport.
func (p *process) try(t testing.TB, c provision.Credential, call, body string, headers ...string) (status int, answer string, err error) {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	if err := reqsig.Sign(req, c.Signing(), time.Now(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// enrol registers a citizen and demands that it works.
func (p *process) enrol(t testing.TB, c citizen, i *issuer) provision.Credential {
	t.Helper()
	status, answer, err := p.try(t, c.code, "POST /v1/register", c.register(t, i))
	var out provision.RegisterOut
	if err != nil || status != http.StatusOK || json.Unmarshal([]byte(answer), &out) != nil {
		t.Fatalf("register %s: %d %s, %v\n%s", c.user, status, answer, err, p.log)
	}
	return provision.Credential{ID: out.Device, Secret: secretOf(c.secret)}
}

// trap kills something at the n-th step of several that it is told of.
type trap struct {
	mu     sync.Mutex
	armed  bool
	left   int
	steps  int
	sprung bool
	kill   func()
}

func (tr *trap) arm(n int, kill func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.armed, tr.left, tr.steps, tr.sprung, tr.kill = true, n, 0, false, kill
}

func (tr *trap) disarm() (sprung bool, steps int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.armed = false
	return tr.sprung, tr.steps
}

// step reports whether the step may be taken. All later ones of an armed trap may not.
func (tr *trap) step() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.armed {
		return true
	}
	tr.steps++
	if tr.left--; tr.left >= 0 {
		return true
	}
	if !tr.sprung {
		tr.sprung = true
		tr.kill()
	}
	return false
}

// tollgate passes connections on, and asks the trap before it passes on what came in either way.
func tollgate(t testing.TB, to string, tr *trap) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	pass := func(from, to net.Conn) {
		defer from.Close()
		defer to.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 && !tr.step() {
				return
			}
			if n > 0 {
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			stop := context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
			all.Go(func() { pass(in, out) })
			all.Go(func() { pass(out, in); stop() })
		}
	})
	t.Cleanup(func() { cancel(); _ = l.Close(); all.Wait() })
	return l.Addr().String()
}
