package sourcetest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"hawser/auth/oauth/oauthtest"
)

// The user whose mailbox a Provider has from the start, and the names that capture looks for.
const (
	DemoUser     = "lena.brandt@nordwind.example"
	DemoPassword = "demo"

	CaptureFolder  = "Salesforce"
	CaptureKeyword = "$Salesforce"
)

// Provider is a mail provider. The zero value has one user, [DemoUser], with empty folders.
type Provider struct {
	// OAuth issues the tokens that IMAP takes. Without Users it gets DemoUser.
	OAuth oauthtest.Issuer

	mu       sync.Mutex
	accounts map[string]*account
	sessions map[*session]struct{}
	refuse   int
	logins   int

	ca     *CA
	wires  *wires
	imap   *imapserver.Server
	http   *http.Server
	web    net.Listener
	served sync.WaitGroup
}

// Start listens on free ports of the loopback interface.
func (p *Provider) Start() error {
	if len(p.OAuth.Users) == 0 {
		p.OAuth.Users = []oauthtest.User{{Email: DemoUser, Password: DemoPassword}}
	}
	ca, err := NewCA()
	if err != nil {
		return err
	}
	cert, err := ca.Issue("localhost", "127.0.0.1")
	if err != nil {
		return err
	}
	mail, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for imap: %w", err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("listen for oauth: %w", err), mail.Close())
	}
	p.ca, p.wires, p.web = ca, newWires(mail), web
	silent := log.New(io.Discard, "", 0) // a client that hangs up is what the tests are about
	p.imap = imapserver.New(&imapserver.Options{
		NewSession: p.newSession,
		Logger:     silent,
		Caps: imap.CapSet{
			imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapESearch: {}, imap.CapMove: {},
			imap.CapListExtended: {}, imap.CapListStatus: {}, imap.CapStatusSize: {}, imap.CapSpecialUse: {},
		},
	})
	p.http = &http.Server{Handler: &p.OAuth, ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent}
	secure := tls.NewListener(p.wires, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	p.served.Go(func() { _ = p.imap.Serve(secure) }) // both end with their listener, at Close
	p.served.Go(func() { _ = p.http.Serve(web) })
	return nil
}

// Close hangs up on everybody and returns when nothing of the provider runs any more.
func (p *Provider) Close() error {
	p.wires.stall(false)
	err := errors.Join(p.wires.Close(), p.http.Close())
	p.wires.drop()
	p.served.Wait()
	_ = p.imap.Close() // its listeners are closed already, and it says so
	for p.wires.count() > 0 || p.Connections() > 0 {
		p.wires.drop() // accepted while the listener was closed
		time.Sleep(time.Millisecond)
	}
	return err
}

// IMAPAddr is the host and port that speak IMAP over TLS.
func (p *Provider) IMAPAddr() string { return p.wires.Addr().String() }

// OAuthURL is the address of the issuer: plain HTTP, which is allowed on the loopback interface
// alone.
func (p *Provider) OAuthURL() string { return "http://" + p.web.Addr().String() }

// CA is the authority that signed the IMAP certificate.
func (p *Provider) CA() *CA { return p.ca }

// Connections is how many IMAP connections are open.
func (p *Provider) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sessions)
}

// Logins is how many IMAP sign-ins succeeded so far.
func (p *Provider) Logins() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logins
}

// DropAll cuts every IMAP connection without a goodbye.
func (p *Provider) DropAll() { p.wires.drop() }

// Stall makes the IMAP side silent: connections stay open, new ones are accepted, and no byte
// comes or is answered until Stall(false).
func (p *Provider) Stall(on bool) { p.wires.stall(on) }

// RefuseLogin refuses the next n IMAP sign-ins, whatever their token.
func (p *Provider) RefuseLogin(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = n
}

// ExpireTokens ends every access token, and the connections made with them, as Gmail does.
// Refresh tokens stay valid.
func (p *Provider) ExpireTokens() {
	p.mu.Lock()
	var users []string
	for user := range p.accounts {
		users = append(users, user)
	}
	p.mu.Unlock()
	for _, user := range users {
		p.OAuth.ExpireAccess(user)
	}
	p.Bye("Session expired, please login again.")
}

// Bye ends every IMAP connection with the given text.
func (p *Provider) Bye(text string) {
	p.mu.Lock()
	var conns []*imapserver.Conn
	for s := range p.sessions {
		conns = append(conns, s.conn)
	}
	p.mu.Unlock()
	for _, c := range conns {
		_ = c.Bye(text) // the other side may be gone already
	}
}

// active returns the account that a token opens.
func (p *Provider) active(user, token string) (*account, bool) {
	email, ok := p.OAuth.Active(token)
	if !ok || !strings.EqualFold(user, email) {
		return nil, false
	}
	a := p.account(email)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		return nil, false
	}
	p.logins++
	return a, true
}
