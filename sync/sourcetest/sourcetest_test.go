package sourcetest

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"hawser/sync/mailparse"
)

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); code == 0 && n > before {
		buf := make([]byte, 1<<20)
		os.Stderr.Write(buf[:runtime.Stack(buf, true)])
		os.Stderr.WriteString("goroutines were left behind\n")
		code = 1
	}
	os.Exit(code)
}

func start(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// xoauth2 is a client's side of XOAUTH2.
type xoauth2 struct {
	user, token string
	challenge   string
}

func (x *xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

func (x *xoauth2) Next(challenge []byte) ([]byte, error) {
	x.challenge = string(challenge)
	return []byte{1}, nil
}

func dial(t *testing.T, p *Provider, handler *imapclient.UnilateralDataHandler) *imapclient.Client {
	t.Helper()
	config := p.CA().TLSConfig()
	config.ServerName = "localhost"
	conn, err := tls.Dial("tcp", p.IMAPAddr(), config)
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: handler})
	t.Cleanup(func() { conn.Close(); c.Close() })
	return c
}

func signIn(t *testing.T, p *Provider, handler *imapclient.UnilateralDataHandler) *imapclient.Client {
	t.Helper()
	c := dial(t, p, handler)
	token, _ := p.OAuth.Issue(DemoUser)
	if err := c.Authenticate(&xoauth2{user: DemoUser, token: token}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	p := start(t)
	token, _ := p.OAuth.Issue(DemoUser)
	other, _ := p.OAuth.Issue("someone.else@nordwind.example")
	refused := func(name string, auth sasl.Client) {
		t.Helper()
		if err := dial(t, p, nil).Authenticate(auth); err == nil || !strings.Contains(err.Error(), "AUTHENTICATIONFAILED") {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := &xoauth2{user: DemoUser, token: "nonsense"}
	refused("unknown token", bad)
	if !strings.Contains(bad.challenge, `"status":"400"`) {
		t.Errorf("challenge = %q", bad.challenge)
	}
	refused("another user's token", &xoauth2{user: DemoUser, token: other})
	p.RefuseLogin(1)
	refused("refused on request", &xoauth2{user: DemoUser, token: token})
	if err := dial(t, p, nil).Authenticate(&xoauth2{user: DemoUser, token: token}); err != nil {
		t.Errorf("good token: %v", err)
	}
	bearer := sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: DemoUser, Token: token, Host: "localhost", Port: 993})
	if err := dial(t, p, nil).Authenticate(bearer); err != nil {
		t.Errorf("OAUTHBEARER: %v", err)
	}
	if err := dial(t, p, nil).Login(DemoUser, DemoPassword).Wait(); err == nil {
		t.Error("a password was taken")
	}
	if p.Logins() != 2 {
		t.Errorf("%d sign-ins, want 2", p.Logins())
	}
	p.ExpireTokens()
	refused("expired token", &xoauth2{user: DemoUser, token: token})
	config := p.CA().TLSConfig()
	config.ServerName = "imap.elsewhere.example"
	if _, err := tls.Dial("tcp", p.IMAPAddr(), config); err == nil {
		t.Error("the certificate fits another name")
	}
	resp, err := http.Get(p.OAuthURL() + "/.well-known/openid-configuration")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("discovery: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestMailboxOnTheWire(t *testing.T) {
	t.Parallel()
	p := start(t)
	now := time.Now()
	p.Fill(now)
	c := signIn(t, p, nil)
	list, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDValidity: true}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	roles, counts := map[string]bool{}, map[string]uint32{}
	for _, l := range list {
		for _, attr := range l.Attrs {
			roles[l.Mailbox+string(attr)] = true
		}
		counts[l.Mailbox] = *l.Status.NumMessages
	}
	if !roles[`Sent\Sent`] || !roles[`Trash\Trash`] || counts[CaptureFolder] != 8 {
		t.Errorf("folders: %v, %v", roles, counts)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Flag: []imap.Flag{CaptureKeyword}}, nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if len(found.AllUIDs()) != 4 {
		t.Errorf("%d mails carry the keyword, want 4", len(found.AllUIDs()))
	}
	raw := NewMail(1, now)
	uid := p.Deliver(raw)
	if err := c.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	mails, err := c.Fetch(imap.UIDSetNum(imap.UID(uid)), &imap.FetchOptions{UID: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(mails) != 1 {
		t.Fatalf("fetch: %d mails, %v", len(mails), err)
	}
	if got := mails[0].FindBodySection(section); !bytes.Equal(got, raw) || mails[0].RFC822Size != int64(len(raw)) {
		t.Errorf("%d bytes came back of %d", len(got), len(raw))
	}
}

func TestIdleHearsOfNewMailAndMarks(t *testing.T) {
	t.Parallel()
	p := start(t)
	heard := make(chan string, 10)
	c := signIn(t, p, &imapclient.UnilateralDataHandler{
		Mailbox: func(*imapclient.UnilateralDataMailbox) { heard <- "mailbox" },
		Fetch: func(m *imapclient.FetchMessageData) {
			if data, err := m.Collect(); err == nil && len(data.Flags) > 0 {
				heard <- string(data.Flags[0])
			}
		},
		Expunge: func(uint32) { heard <- "expunge" },
	})
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if !strings.EqualFold(got, want) {
				t.Errorf("heard %q, want %q", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("nothing heard, want %q", want)
		}
	}
	uid := p.Deliver(NewMail(0, time.Now()))
	expect("mailbox")
	if err := p.Flag(DemoUser, "INBOX", uid, CaptureKeyword); err != nil {
		t.Fatal(err)
	}
	expect(CaptureKeyword)
	moved, err := p.Move(DemoUser, "INBOX", uid, CaptureFolder)
	if err != nil || moved != 1 {
		t.Fatalf("moved to %d, %v", moved, err)
	}
	for got := ""; got != "expunge"; { // the flag \Deleted comes first, or in the same moment
		select {
		case got = <-heard:
		case <-time.After(5 * time.Second):
			t.Fatal("nothing heard of the move")
		}
	}
	if _, err := p.Move(DemoUser, "INBOX", 99, CaptureFolder); err == nil {
		t.Error("a mail that is not there was moved")
	}
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
}

func TestMischief(t *testing.T) {
	t.Parallel()
	p := start(t)
	first := p.Deliver([]byte("Message-ID: <a@b.example>\r\n\r\none"))
	ends := func(name string, do func()) {
		t.Helper()
		c := signIn(t, p, nil)
		do()
		select {
		case <-c.Closed():
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the connection is still open", name)
		}
	}
	ends("drop", p.DropAll)
	ends("bye", func() { p.Bye("Too many connections") })
	ends("expire", p.ExpireTokens)

	c := signIn(t, p, nil)
	before, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.BumpUIDValidity(DemoUser, "INBOX"); err != nil {
		t.Fatal(err)
	}
	c = signIn(t, p, nil)
	after, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	if err != nil || before.UIDValidity == after.UIDValidity || len(found.AllUIDs()) != 1 || uint32(found.AllUIDs()[0]) == first {
		t.Errorf("validity %d then %d, UIDs %v, %v", before.UIDValidity, after.UIDValidity, found, err)
	}

	p.Stall(true)
	noop := c.Noop()
	answered := make(chan error, 1)
	go func() { answered <- noop.Wait() }()
	select {
	case err := <-answered:
		t.Errorf("a stalled provider answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	p.Stall(false)
	if err := <-answered; err != nil {
		t.Errorf("after the stall: %v", err)
	}
}

func TestDemoMailbox(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	people := map[string]bool{}
	for _, person := range DemoPeople() {
		people[person.Email] = true
	}
	ids, matched, files, marked, folder := map[string]bool{}, 0, 0, 0, 0
	mails := DemoMailbox(now)
	for _, d := range mails {
		m, err := mailparse.Parse(bytes.NewReader(d.Raw), int64(len(d.Raw)))
		if err != nil || len(m.Warnings) > 0 || m.MessageID == "" || ids[m.MessageID] || len(m.From) != 1 || m.Text == "" {
			t.Errorf("%q: %v %+v", m.Subject, err, m)
		}
		if d.Date.After(now) || !m.Date.Equal(d.Date) {
			t.Errorf("%q is of %v, its Date field says %v", m.Subject, d.Date, m.Date)
		}
		ids[m.MessageID] = true
		files += len(m.Attachments)
		if people[m.From[0].Addr] {
			matched++
		}
		if d.Folder == CaptureFolder {
			folder++
		}
		for _, flag := range d.Flags {
			if flag == CaptureKeyword && d.Folder == "INBOX" {
				marked++
			}
		}
	}
	if len(mails) < 55 || folder != 8 || marked != 4 || files < 9 || matched < len(mails)-6 {
		t.Errorf("%d mails, %d in the folder, %d with the keyword, %d files, %d from people of the org", len(mails), folder, marked, files, matched)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	const n = 3000
	ids, total, files, again := map[string]bool{}, 0, 0, [][]byte{}
	for raw := range Generate(7, n) {
		m, err := mailparse.Parse(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		ids[m.MessageID] = true
		total += len(raw)
		if len(m.Attachments) > 0 && m.ContentType == "multipart/mixed" {
			files++
		}
		if len(again) < 100 {
			again = append(again, raw)
		}
	}
	if mean := total / n; len(ids) != n || mean < 10_000 || mean > 20_000 || files < n*3/100 || files > n*8/100 {
		t.Errorf("%d ids, %d bytes on average, %d with files", len(ids), mean, files)
	}
	i := 0
	for raw := range Generate(7, 100) {
		if !bytes.Equal(raw, again[i]) {
			t.Fatalf("mail %d differs in the second run", i)
		}
		i++
	}
}

func TestNewMailIsNewEachTime(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for n := range 12 {
		h, err := mailparse.ReadHeader(bytes.NewReader(NewMail(n, time.Now())))
		if err != nil || h.Subject == "" {
			t.Errorf("mail %d: %v", n, err)
		}
		ids[h.MessageID] = true
	}
	if len(ids) != 12 {
		t.Errorf("%d different ids of 12", len(ids))
	}
}
