package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"hawser/app/control"
	"hawser/app/server/servertest"
	"hawser/auth/secret"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest"
)

// The demo's user as Salesforce knows them.
const (
	orgUser     = "lena.brandt@nordwind.example.partner"
	orgPassword = "demo"
)

// world is everything that runs during a demo.
type world struct {
	home    string
	fresh   bool   // nobody has joined, signed in or marked a mail yet
	agent   string // path of the binary
	backend string // path of hawserd
	server  *servertest.Server
	org     *salesforcetest.Org
	user    string // id of the demo's user in the org
	web     *http.Server
	served  sync.WaitGroup
	site    string   // login base of the org
	hosts   []string // of the org, for the agent's trust
	page    string   // address of the page that shows what the org holds
	mail    *sourcetest.Provider
	mailUp  bool
	marked  int // mails that are marked in the mailbox
	total   int
	proc    *exec.Cmd
	exited  chan struct{}
	said    bytes.Buffer // what the agent wrote to standard error
	started time.Time
}

// open starts both pretend services and the agent, as a newcomer finds them where fresh is true.
func open(agent, backend string, fresh bool) (*world, error) {
	agent, err := filepath.Abs(agent)
	if err != nil {
		return nil, err
	}
	if backend, err = filepath.Abs(backend); err != nil {
		return nil, err
	}
	w := &world{agent: agent, backend: backend, fresh: fresh, started: time.Now(), org: &salesforcetest.Org{External: true, MailKey: true}, mail: &sourcetest.Provider{}}
	for _, step := range []func() error{w.makeHome, w.openOrg, w.openMail, w.configure, w.lendBrowser, w.openCompany, w.startAgent} {
		if err := step(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *world) makeHome() (err error) {
	w.home, err = os.MkdirTemp("", "hawser-demo-")
	return err
}

// openOrg serves the org on one port of both loopback names: "localhost" is the site, "127.0.0.1"
// the org's own host.
func (w *world) openOrg() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	w.site = "http://localhost:" + port + salesforcetest.SitePath
	w.page = "http://127.0.0.1:" + port + "/_org/"
	w.hosts = []string{"localhost:" + port, "127.0.0.1:" + port}
	w.populate()
	w.web = &http.Server{Handler: w.org, ReadHeaderTimeout: 10 * time.Second}
	w.served.Go(func() { _ = w.web.Serve(l) }) // ends with close
	return nil
}

// populate puts the demo's people into the org.
func (w *world) populate() {
	for _, p := range sourcetest.DemoPeople() {
		first, last, found := strings.Cut(p.Name, " ")
		if !found {
			first, last = "", p.Name
		}
		switch p.Type {
		case "User":
			u := w.org.AddUser(salesforcetest.User{Username: p.Email + ".partner", Password: orgPassword, Name: p.Name, Email: p.Email})
			if u.Username == orgUser {
				w.user = u.ID
			}
		case "Contact":
			account := w.org.Insert("Account", map[string]any{"Name": p.Account})
			w.org.Insert("Contact", map[string]any{"FirstName": first, "LastName": last, "Email": p.Email, "AccountId": account})
		case "Lead":
			w.org.Insert("Lead", map[string]any{"FirstName": first, "LastName": last, "Email": p.Email, "Company": p.Account})
		}
	}
	if w.fresh {
		w.addDouble()
	}
}

func (w *world) openMail() error {
	if err := w.mail.Start(); err != nil {
		return err
	}
	w.mailUp = true
	for _, m := range sourcetest.DemoMailbox(time.Now()) {
		if w.fresh {
			m = unmarked(m)
		}
		w.mail.Add(sourcetest.DemoUser, m)
		w.total++
		if m.Folder == sourcetest.CaptureFolder || slices.Contains(m.Flags, sourcetest.CaptureKeyword) {
			w.marked++
		}
	}
	return nil
}

// configure writes what belongs to this computer alone: whom to trust on it.
func (w *world) configure() error {
	dir := filepath.Join(w.home, ".config", "hawser")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca := filepath.Join(w.home, "ca.pem")
	if err := os.WriteFile(ca, w.mail.CA().PEM(), 0o600); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(map[string]any{"trust": map[string]any{"caFile": ca}}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600)
}

// The demo's company, and its user there.
const (
	company     = "nordwind"
	companyUser = "lena"
	mailClient  = "hawser-sandbox"
)

// openCompany starts the company's server and does what its administrator would: the user is
// enabled, and a signed policy says where people sign in.
func (w *world) openCompany() (err error) {
	dir := filepath.Join(w.home, "company")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	w.server, err = servertest.Start(servertest.Config{Binary: w.backend, Dir: dir, CAFile: filepath.Join(w.home, "ca.pem")})
	if err != nil {
		return err
	}
	for _, command := range [][]string{
		{"tenant", "add", company, "--site", w.site + "," + w.org.OrgID() + "," + salesforcetest.DefaultClientID,
			"--mail", w.mail.OAuthURL() + "," + mailClient, "--domain", sourcetest.DemoUser[strings.IndexByte(sourcetest.DemoUser, '@')+1:]},
		{"user", "import", company, "users.csv"},
	} {
		err := w.server.File("users.csv", "id,org,user,mailbox\n"+companyUser+","+w.org.OrgID()+","+w.user+","+sourcetest.DemoUser+"\n")
		if err == nil {
			_, err = w.server.Run(command...)
		}
		if err != nil {
			return err
		}
	}
	return w.server.SetPolicy(company, servertest.Policy{Version: 1, Settings: map[string]any{
		"salesforce.site": w.site, "salesforce.clientId": salesforcetest.DefaultClientID,
		"mail.issuer": w.mail.OAuthURL(), "mail.clientId": mailClient, "mail.imap": w.mail.IMAPAddr(),
		"mail.scopes": []string{"openid", "email", "mail", "offline_access"},
		"trust.hosts": w.hosts,
	}})
}

// env is the agent's environment: a user of their own, whose browser is this program.
func (w *world) env() []string {
	if w.fresh {
		return w.newcomersEnv()
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	browser := filepath.Join(w.home, "browser")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' browse \"$1\"\n", self)
	_ = os.WriteFile(browser, []byte(script), 0o700) // a missing browser is told by the sign-in
	return []string{
		"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), "LANG=en_US.UTF-8", "BROWSER=" + browser,
		"XDG_RUNTIME_DIR=" + filepath.Join(w.home, "run"),
	}
}

// startAgent runs the real binary as a user without a key store would: with a passphrase.
func (w *world) startAgent() error {
	secret, passphrase, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = secret.Close() }()
	if _, err := passphrase.WriteString("demo passphrase\n"); err != nil {
		return err
	}
	if err := passphrase.Close(); err != nil {
		return err
	}
	args := []string{"run", "--passphrase-file", "/dev/fd/3"}
	if !w.fresh {
		args = append(args, "--headless")
	}
	w.proc = exec.Command(w.agent, args...)
	w.proc.Env = w.env()
	w.proc.ExtraFiles = []*os.File{secret}
	w.proc.Stderr = &w.said
	w.proc.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	if err := w.proc.Start(); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	w.exited = make(chan struct{})
	go func() { _ = w.proc.Wait(); close(w.exited) }() // close waits for it
	return nil
}

// client connects to the running agent, once it answers.
func (w *world) client(ctx context.Context) (*control.Client, error) {
	for {
		c, err := control.Dial(ctx, filepath.Join(w.home, "run", "hawser"))
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.exited:
			return nil, errors.New("the agent ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// settle joins the company by a link, and signs in on both sides through the browser.
func (w *world) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := w.client(ctx)
	if err != nil {
		return err
	}
	link, err := w.server.Run("user", "code", company, companyUser, "--link")
	if err != nil {
		return err
	}
	if _, err := c.Enrol(ctx, secret.New(link)); err != nil {
		return fmt.Errorf("join the company: %w", err)
	}
	for _, side := range []string{"salesforce", "mail"} {
		if err := c.SignIn(ctx, side, func(control.SignInStep) {}); err != nil {
			return fmt.Errorf("sign in to %s: %w", side, err)
		}
	}
	return nil
}

// lastWords is what the agent said, for an error.
func (w *world) lastWords() string {
	select {
	case <-w.exited:
		return "\n" + strings.TrimSpace(w.said.String())
	default:
		return ""
	}
}

// close ends everything and removes the home folder.
func (w *world) close() {
	if w.exited != nil {
		_ = w.proc.Process.Signal(syscall.SIGTERM)
		select {
		case <-w.exited:
		case <-time.After(10 * time.Second):
			_ = w.proc.Process.Kill()
			<-w.exited
		}
		w.closeWindows()
	}
	if w.server != nil {
		w.server.Close()
	}
	if w.mailUp {
		_ = w.mail.Close()
	}
	if w.web != nil {
		_ = w.web.Close()
	}
	w.served.Wait()
	if w.home != "" {
		_ = os.RemoveAll(w.home)
	}
}
