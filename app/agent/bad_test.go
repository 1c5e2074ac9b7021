package agent_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/auth/oauth/oauthtest"
	"hawser/store/sqlitedb"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest"
)

// badScene is a scene for one kind of bad input: the agent runs and is signed in.
func badScene(t *testing.T, change func(*salesforcetest.Org)) *scene {
	t.Helper()
	s := bareScene(t, change)
	s.user.start()
	s.signIn()
	s.settled()
	return s
}

// bareScene is one whose agent does not run yet.
func bareScene(t *testing.T, change func(*salesforcetest.Org)) *scene {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	return newScene(t, change)
}

// settings changes config.json; the agent reads it when it starts.
func (s *scene) settings(change func(c map[string]map[string]any)) {
	s.t.Helper()
	path := filepath.Join(s.user.home, ".config/hawser/config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	c := map[string]map[string]any{"capture": {}}
	if err := json.Unmarshal(raw, &c); err != nil {
		s.t.Fatal(err)
	}
	change(c)
	if raw, err = json.Marshal(c); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// restart kills the agent and starts it again.
func (s *scene) restart() {
	s.t.Helper()
	s.user.kill()
	s.user.start()
}

// TestBadFolder: the capture folder does not exist. Other ways to mark a mail work, the status
// says so, and the folder counts as soon as it is there.
func TestBadFolder(t *testing.T) {
	s := bareScene(t, nil)
	s.settings(func(c map[string]map[string]any) { c["capture"]["folder"] = "Kunden" })
	s.user.start()
	s.signIn()
	s.dovecot.Append(t, mailUser, "INBOX", letter("by keyword"), "$Salesforce")
	s.saved("by keyword")
	s.user.hawser("capture", "--folder", "Nowhere").refuses(t, "capture from a missing folder", fault.FolderMissing, 4)
	missing := control.Note{Code: fault.FolderMissing, Detail: "Kunden"}
	s.until(20*time.Second, "a note about the folder", func(st control.Status) bool { return slices.Contains(st.Notes, missing) })
	said := s.user.hawser("status").stdout
	explains(t, "hawser status", said, fault.FolderMissing)
	if !strings.Contains(said, "Kunden") {
		t.Errorf("hawser status does not name the folder:\n%s", said)
	}
	s.dovecot.Append(t, mailUser, "Kunden", letter("in the folder"))
	s.check()
	s.saved("by keyword", "in the folder")
	s.until(10*time.Second, "no note any more", func(st control.Status) bool { return !slices.Contains(st.Notes, missing) })
}

// TestBadMailHost: the mail server's address is that of nobody, of a web server, or of a server
// with another name. What is marked meanwhile is captured once the address is right.
func TestBadMailHost(t *testing.T) {
	s := badScene(t, nil)
	s.mark("before")
	s.saved("before")
	right, ca := s.proxy.Addr, s.trustNewCA()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, c := range []struct {
		name, addr string
		state      control.State
		code       fault.Code
		exit       int
	}{
		{"nobody there", closed.Addr().String(), control.Offline, fault.Offline, 6},
		{"not TLS", serveBad(t, nil), control.Waiting, fault.NotTheServer, 6},
		{"not IMAP", serveBad(t, ca, "127.0.0.1"), control.Waiting, fault.NotTheServer, 6},
		{"another name", serveBad(t, ca, "mail.other.example"), control.NeedsYou, fault.CertificateWrong, 4},
	} {
		s.settings(func(set map[string]map[string]any) { set["mail"]["imap"] = c.addr })
		s.restart()
		st := s.trouble(c.state, "", c.code)
		if st.Mail.Fault != c.code || st.Salesforce.Fault != "" {
			t.Errorf("%s: faults %q and %q", c.name, st.Mail.Fault, st.Salesforce.Fault)
		}
		s.user.hawser("capture").refuses(t, "capture with "+c.name, c.code, c.exit)
		s.mark(c.name)
	}
	s.settings(func(set map[string]map[string]any) { set["mail"]["imap"] = right })
	s.restart()
	s.saved("before", "nobody there", "not TLS", "not IMAP", "another name")
	s.settled()
}

// trustNewCA makes the agent trust one more authority at its next start.
func (s *scene) trustNewCA() *sourcetest.CA {
	s.t.Helper()
	ca, err := sourcetest.NewCA()
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(shortDir(s.t), "two.pem")
	if err := os.WriteFile(path, append(bytes.Clone(s.dovecot.CA), ca.PEM()...), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.settings(func(c map[string]map[string]any) { c["trust"]["caFile"] = path })
	return ca
}

// serveBad serves a web page where IMAP is expected, in the clear without ca, else under the names.
func serveBad(t *testing.T, ca *sourcetest.CA, names ...string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	addr := ln.Addr().String()
	if ca != nil {
		cert, err := ca.Issue(names...)
		if err != nil {
			t.Fatal(err)
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>Bad Request</html>")
				_, _ = io.Copy(io.Discard, io.LimitReader(c, 1))
				_ = c.Close()
			}()
		}
	}()
	return addr
}

// TestBadConsent: sign-ins that come to nothing say why and leave nothing behind.
func TestBadConsent(t *testing.T) {
	s := bareScene(t, nil)
	s.user.start()
	expired := `{"error":"invalid_grant","error_description":"expired authorization code"}`
	for _, c := range []struct {
		name, side string
		visit      visitor
		before     func()
		code       fault.Code
		exit       int
	}{
		{"Deny", "salesforce", denies("salesforce"), nil, fault.ConsentRefused, 4},
		{"Deny", "mail", denies("mail"), nil, fault.ConsentRefused, 4},
		{"an expired code", "salesforce", approves("salesforce"), func() { s.org.FailNextToken(1, 400, expired) }, fault.CodeExpired, 4},
		{"an expired code", "mail", approves("mail"), func() { s.issuer.Misbehave(oauthtest.Mischief{ExpireCodes: true, Times: 1}) }, fault.CodeExpired, 4},
		{"maintenance", "salesforce", approves("salesforce"), func() { s.org.FailNextToken(1, 503, "<html>Maintenance</html>") }, fault.ServerError, 6},
		{"a captive portal", "salesforce", approves("salesforce"), func() { s.org.FailNextToken(1, 200, "<html>Welcome</html>") }, fault.NotTheServer, 6},
		{"an administrator's veto", "mail", approves("mail"), func() {
			s.issuer.Misbehave(oauthtest.Mischief{ConsentError: "admin_policy_enforced", Times: 1})
		}, fault.ConsentByAdmin, 5},
	} {
		if c.before != nil {
			c.before()
		}
		s.signsIn(c.side, c.visit).refuses(t, "signin "+c.side+" with "+c.name, c.code, c.exit)
	}
	var st control.Status
	if s.user.ask(&st, "status"); st.State != control.NeedsSignIn || st.Salesforce.SignedIn || st.Mail.SignedIn || st.Counts != (control.Counts{}) {
		t.Errorf("after refused sign-ins: %+v", st)
	}
	if n := len(s.org.Tokens()) + len(s.issuer.Tokens()); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
	s.user.hawser("capture").refuses(t, "capture", fault.NotSignedIn, 4)
	s.restart()
	if s.user.ask(&st, "status"); st.State != control.NeedsSignIn {
		t.Errorf("after a start: state %s", st.State)
	}
	s.mark("afterwards")
	s.signedIn("salesforce")
	s.signedIn("mail")
	s.saved("afterwards")
}

// TestBadToken: one side after the other revokes the sign-in. Mails wait, and go out after the next
// sign-in.
func TestBadToken(t *testing.T) {
	s := badScene(t, nil)
	s.mark("first")
	s.saved("first")

	s.org.Revoke(salesforcetest.DefaultUsername)
	s.mark("while Salesforce is revoked")
	s.trouble(control.NeedsSignIn, "salesforce", fault.TokenRevoked)
	s.until(10*time.Second, "the mail to wait", func(st control.Status) bool { return st.Counts.Waiting == 1 })
	if q := s.queue(); len(q) != 1 || q[0].State != "waiting" || q[0].Subject != "while Salesforce is revoked" {
		t.Errorf("queue %+v", q)
	}
	s.restart() // the queue outlives it
	if st := s.trouble(control.NeedsSignIn, "salesforce", fault.TokenRevoked); st.Counts.Waiting != 1 {
		t.Errorf("after a start: %+v", st.Counts)
	}
	s.signedIn("salesforce")
	s.saved("first", "while Salesforce is revoked")
	s.settled()

	s.issuer.Revoke(mailUser)
	s.proxy.Drop()
	s.mark("while the mailbox is revoked")
	s.trouble(control.NeedsSignIn, "mail", fault.TokenRevoked)
	s.user.hawser("capture").refuses(t, "capture", fault.NotSignedIn, 4)
	s.signedIn("mail")
	s.saved("first", "while Salesforce is revoked", "while the mailbox is revoked")
	s.settled()
}

// TestBadAccount: another person signs in, on either side. Nothing is written for them, and the
// queue stays as it is until the right one is back.
func TestBadAccount(t *testing.T) {
	s := badScene(t, func(o *salesforcetest.Org) { o.AddUser(salesforcetest.User{Username: "eve@partners.example"}) })
	s.issuer.AddUser(oauthtest.User{Email: "eve@example.org", Password: "password"})
	s.mark("of the right one")
	s.saved("of the right one")
	s.org.FailNext(1_000, 503, "<html>maintenance</html>")
	s.mark("waiting")
	s.until(10*time.Second, "the mail to wait", func(st control.Status) bool { return st.Counts.Waiting == 1 })

	asEve := func(ctx context.Context, url string) error {
		return oauthtest.Approve(ctx, plainClient(), url, "eve@example.org", "password")
	}
	for side, visit := range map[string]visitor{"salesforce": asSalesforceUser("eve@partners.example"), "mail": asEve} {
		out := s.signsIn(side, visit)
		out.refuses(t, "signin "+side+" as somebody else", fault.WrongAccount, 4)
		if !strings.Contains(out.stderr, "eve@") {
			t.Errorf("signin %s does not name the other account:\n%s", side, out.stderr)
		}
		s.trouble(control.WrongAccount, "", fault.WrongAccount)
		s.org.Calm()
		before := s.org.Calls()
		s.check()
		time.Sleep(500 * time.Millisecond) // time in which something could be written
		if n := s.org.Calls() - before; n != 0 {
			t.Errorf("%d calls while another account is signed in to %s", n, side)
		}
		if q := s.queue(); len(q) != 1 || q[0].Subject != "waiting" {
			t.Errorf("queue %+v", q)
		}
		if got := s.subjects(); len(got) != 1 {
			t.Errorf("saved %q", got)
		}
		s.org.FailNext(1_000, 503, "<html>maintenance</html>")
		s.signedIn(side)
	}
	s.org.Calm()
	s.check()
	s.saved("of the right one", "waiting")
	for _, r := range s.org.Records("EmailMessage") {
		if r["CreatedById"] != s.org.DefaultUser().ID {
			t.Errorf("%v was written by %v", r["Subject"], r["CreatedById"])
		}
	}
}

// TestBadDisk fills the disk under the queue. Nothing is half taken on, and with room again all
// goes on by itself.
func TestBadDisk(t *testing.T) {
	s := bareScene(t, nil)
	state := filepath.Join(s.user.home, ".local/state/hawser")
	if err := errors.Join(os.MkdirAll(state, 0o700), syscall.Mount("tmpfs", state, "tmpfs", 0, "size=6m,mode=0700")); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skip("a small tmpfs cannot be mounted here, which takes the rights of root:", err)
	}
	t.Cleanup(func() {
		s.user.kill()
		if err := syscall.Unmount(state, 0); err != nil {
			t.Error(err)
		}
	})
	s.user.start()
	s.signIn()
	s.mark("with room")
	s.saved("with room")
	filler := filepath.Join(state, "filler")
	fill(t, filler)
	large := func(subject string) []byte {
		return append(letter(subject), bytes.Repeat([]byte("All work and no play makes a full disk.\r\n"), 20_000)...)
	}
	s.dovecot.Append(t, mailUser, "Salesforce", large("without room"))
	st := s.trouble(control.NeedsYou, "", fault.DiskFull)
	if st.Counts.Captured != 1 || len(s.subjects()) != 1 {
		t.Errorf("on a full disk: %+v, saved %q", st.Counts, s.subjects())
	}
	s.user.hawser("pause").refuses(t, "pause on a full disk", fault.DiskFull, 4)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.saved("with room", "without room") // by itself
	s.settled()

	fill(t, filler)
	s.restart() // which a full disk does not keep it from
	s.dovecot.Append(t, mailUser, "Salesforce", large("after a start"))
	s.trouble(control.NeedsYou, "", fault.DiskFull)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.check()
	s.saved("with room", "without room", "after a start")
	s.settled()
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// TestBadQueue: somebody else holds the queue, before and while the agent runs.
func TestBadQueue(t *testing.T) {
	s := badScene(t, nil)
	s.mark("first")
	s.saved("first")

	s.user.hawser("run", "--headless").refuses(t, "a second agent", fault.AlreadyRunning, 4)

	path := filepath.Join(s.user.home, ".local/state/hawser/queue.db")
	release := lockForWriting(t, path)
	s.mark("while locked")
	s.trouble(control.Waiting, "", fault.QueueLocked)
	s.user.hawser("pause").refuses(t, "pause with a locked queue", fault.QueueLocked, 6)
	release()
	s.saved("first", "while locked")
	s.settled()

	s.user.kill()
	db, err := sqlitedb.Open(t.Context(), sqlitedb.Config{Path: path, Migrations: os.DirFS("../../store/agentdb/migrations")})
	if err != nil {
		t.Fatal(err)
	}
	s.user.hawser("run", "--headless").refuses(t, "run with a locked queue", fault.QueueLocked, 6)
	s.user.hawser("status").refuses(t, "status without an agent", fault.NotRunning, 3)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.user.start()
	s.mark("last")
	s.saved("first", "while locked", "last")
}

// lockForWriting does to a database in WAL mode what another program in the middle of a
// transaction does (byte 120 of the shared memory file is the writer's lock).
func lockForWriting(t *testing.T, path string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 120, Len: 1}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return func() { _ = f.Close() }
}

// TestBadMail: a mail of 60 MB, and mails made to overwhelm who reads them, stand between two
// ordinary ones, which do not wait for them.
func TestBadMail(t *testing.T) {
	s := bareScene(t, nil)
	bad := map[string][]byte{
		"sixty megabytes": attached("sixty megabytes", 44<<20),
		"deep":            nested("deep", 5_000),
		"wide":            wide("wide", 100_000),
		"letters within":  letters("letters within", 2_000),
		"long header":     fmt.Appendf(headerOf("long header"), "X-Long: %s\r\n\r\nHello.\r\n", strings.Repeat("x", 3<<20)),
		"many addresses":  fmt.Appendf(headerOf("many addresses"), "Cc: %sc@d.example\r\n\r\nHello.\r\n", strings.Repeat("a@b.example, ", 100_000)),
		"zeros":           attached("zeros", 20<<20),
	}
	names := []string{"sixty megabytes", "deep", "wide", "letters within", "long header", "many addresses", "zeros"}
	s.dovecot.AppendMany(t, mailUser, "Salesforce", len(names), func(i int) []byte { return bad[names[i]] })
	s.user.start()
	s.signIn()
	begun := time.Now()
	s.mark("the next one")
	s.until(20*time.Second, "the next mail", func(control.Status) bool { return slices.Contains(s.subjects(), "the next one") })
	t.Logf("the next mail took %v", time.Since(begun))
	st := s.until(20*time.Second, "all mails to be looked at", func(st control.Status) bool {
		return st.Counts.Seen == len(names)+1 && st.Counts.Waiting == st.Counts.NeedsYou
	})
	t.Logf("counts %+v, saved %q", st.Counts, s.subjects())
	held := s.queue("--state", "held")
	if len(held) != 1 || held[0].Why != fault.MailTooLarge || held[0].Subject != "sixty megabytes" || held[0].Size < 60<<20 {
		t.Errorf("held %+v", held)
	}
	explainsItem(t, s.user.hawser("queue"), fault.MailTooLarge)
	want := slices.Sorted(slices.Values(append(names[1:], "the next one")))
	if got := s.subjects(); !slices.Equal(got, want) {
		t.Errorf("saved %q, want %q; queue %+v", got, want, s.queue())
	}
	if rss := s.user.peakRSS(); rss > 64<<20 {
		t.Errorf("peak memory %d MB, more than 64", rss>>20)
	}
}

// explainsItem checks what "hawser queue" says about a mail that needs somebody.
func explainsItem(t testing.TB, out outcome, code fault.Code) {
	t.Helper()
	if out.code != 0 {
		t.Errorf("hawser queue exits with %d: %s", out.code, out.stderr)
	}
	title, _, fix := wording(code)
	if !strings.Contains(out.stdout, title) || !strings.Contains(out.stdout, fix) {
		t.Errorf("hawser queue does not say %q and %q:\n%s", title, fix, out.stdout)
	}
	speaksPlainly(t, "hawser queue", out.stdout+out.stderr)
}

// attached is a mail with one file of zeros.
func attached(subject string, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n%s", headerOf(subject))
	b.WriteString("\r\n--b\r\n\r\nHello.\r\n--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=zeros.zip\r\n\r\n")
	line := base64.StdEncoding.EncodeToString(make([]byte, 57)) + "\r\n"
	b.WriteString(strings.Repeat(line, size/57))
	b.WriteString("--b--\r\n")
	return b.Bytes()
}

// headerOf is the header block of a letter, without its empty line.
func headerOf(subject string) []byte {
	head, _, _ := bytes.Cut(letter(subject), []byte("\r\n\r\n"))
	return append(head, "\r\n"...)
}

// nested is a multipart within a multipart and so on.
func nested(subject string, depth int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\n%s", headerOf(subject))
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\nThe bottom.\r\n")
	return b.Bytes()
}

// wide is a mail of very many parts.
func wide(subject string, parts int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n%s\r\n", headerOf(subject))
	for range parts {
		b.WriteString("--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n")
	}
	b.WriteString("--b--\r\n")
	return b.Bytes()
}

// letters is a mail that holds a mail that holds a mail.
func letters(subject string, depth int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\n%s", headerOf(subject))
	for range depth {
		b.WriteString("Content-Type: message/rfc822\r\n\r\n")
	}
	b.WriteString("Subject: the innermost\r\n\r\nHello.\r\n")
	return b.Bytes()
}

// TestBadLink cuts and stalls the link in the middle of what the mailbox sends.
func TestBadLink(t *testing.T) {
	s := badScene(t, nil)
	const n = 15
	var want []string
	put := func(from int) {
		s.restful(func() {
			for i := range n {
				subject := fmt.Sprintf("number %d", from+i)
				want = append(want, subject)
				s.dovecot.Append(t, mailUser, "Salesforce", append(letter(subject), bytes.Repeat([]byte("0123456789 abcdefghijklmnopqrstuvwxyz\r\n"), 8_000)...))
			}
		})
	}
	put(0)
	s.proxy.CutAfter(700_000)
	s.check()
	s.until(10*time.Second, "the first cut", func(st control.Status) bool { return st.Mail.Fault != "" || st.Counts.Seen > 0 })
	s.proxy.CutAfter(1_500_000)
	s.saved(want...)
	s.settled()

	put(n)
	s.proxy.Slow(1_000_000)
	s.check()
	s.until(10*time.Second, "the reading to begin", func(st control.Status) bool { return st.State == control.Working })
	time.Sleep(time.Second)
	s.proxy.Stall()
	time.Sleep(2 * time.Second)
	if st := s.user.status(); st.State == control.UpToDate || st.Counts.Captured == 2*n {
		t.Errorf("over a stalled link: %+v", st)
	}
	s.proxy.Heal()
	s.saved(want...)
	s.settled()
}

// restful does something while the agent is paused.
func (s *scene) restful(do func()) {
	s.t.Helper()
	for _, step := range []struct {
		command string
		then    func()
	}{{"pause", do}, {"resume", func() {}}} {
		if out := s.user.hawser(step.command); out.code != 0 {
			s.t.Fatalf("hawser %s exits with %d: %s", step.command, out.code, out.stderr)
		}
		step.then()
	}
}

// TestBadServer: the mail server leaves mails out, cuts them short, talks nonsense and says
// goodbye. Whatever it says, each mail ends as one record with its whole text.
func TestBadServer(t *testing.T) {
	s := bareScene(t, nil)
	l := newLiar(t, s.dovecot, s.trustNewCA())
	s.settings(func(c map[string]map[string]any) { c["mail"]["imap"] = l.addr })
	s.user.start()
	s.signIn()
	s.settled()
	var want []string
	for _, lie := range []struct {
		name  string
		tell  func(answer []byte) []byte
		times int64
	}{
		{"left out", func([]byte) []byte { return nil }, 1},
		{"cut short", func(a []byte) []byte { return shorten(a, 180) }, 1},
		{"another size", func(a []byte) []byte { return bytes.Replace(a, []byte("RFC822.SIZE "), []byte("RFC822.SIZE 9"), 1) }, 1},
		{"hung up", func(a []byte) []byte { return append(a[:len(a)/2:len(a)/2], hangUp...) }, 1},
	} {
		l.lie(lie.tell, lie.times)
		s.mark(lie.name)
		want = append(want, lie.name)
		s.saved(slices.Clone(want)...)
	}
	l.lie(func([]byte) []byte { return []byte("* BYE Too many connections\r\n" + hangUp) }, 1_000_000)
	s.mark("goodbye")
	s.trouble(control.Waiting, "", fault.MailBusy)
	l.lie(nil, 0)
	s.check()
	want = append(want, "goodbye")
	s.saved(slices.Clone(want)...)

	// Nonsense about one mail may not keep the next one from its way: a person is asked.
	l.lie(func(a []byte) []byte {
		if bytes.Contains(a, []byte("nonsense")) {
			return []byte("* 1 FETCH (UID 1 FLAGS (\\Seen BODY[] {\r\n")
		}
		return a
	}, 1_000_000)
	s.mark("nonsense")
	s.mark("sense")
	s.saved(append(slices.Clone(want), "sense")...)
	held := s.queue("--state", "held")
	if len(held) != 1 || held[0].Why != fault.MailUnreadable {
		t.Fatalf("held %+v", held)
	}
	explainsItem(t, s.user.hawser("queue"), fault.MailUnreadable)
	s.user.hawser("queue", "retry", fmt.Sprint(held[0].ID)).refuses(t, "retry while it is not readable", fault.MailUnreadable, 4)
	l.lie(nil, 0)
	if out := s.user.hawser("queue", "retry", fmt.Sprint(held[0].ID)); out.code != 0 {
		t.Errorf("queue retry exits with %d: %s", out.code, out.stderr)
	}
	s.saved(append(want, "sense", "nonsense")...)
	for _, r := range s.org.Records("EmailMessage") {
		if text, _ := r["TextBody"].(string); plain(text) != fmt.Sprintf("Hello, this is %s.", r["Subject"]) {
			t.Errorf("%v has the text %q", r["Subject"], text)
		}
	}
	s.settled()
}

// TestBadOrg: Salesforce answers with web pages, then refuses one mail of ten.
func TestBadOrg(t *testing.T) {
	var strict atomic.Bool
	const rule = "Name a project, please <b>now</b>."
	s := badScene(t, func(o *salesforcetest.Org) {
		o.Validate = func(object string, rec map[string]any) error {
			if strict.Load() && object == "EmailMessage" && rec["Subject"] == "tenth 3" {
				return errors.New(rule)
			}
			return nil
		}
	})
	s.org.ServeHTML(1_000_000)
	s.mark("through a portal")
	s.trouble(control.Waiting, "", fault.NotTheServer)
	s.org.Calm()
	s.org.FailNext(1_000, http.StatusServiceUnavailable, "<html>Down for maintenance</html>")
	s.check()
	s.trouble(control.Waiting, "", fault.ServerError)
	if st := s.user.status(); st.Counts.Waiting != 1 || len(s.subjects()) != 0 {
		t.Errorf("counts %+v, saved %q", st.Counts, s.subjects())
	}
	s.org.Calm()
	s.check()
	want := []string{"through a portal"}
	s.saved(slices.Clone(want)...)

	strict.Store(true)
	s.restful(func() {
		for i := range 10 {
			s.mark(fmt.Sprintf("tenth %d", i))
		}
	})
	for i := range 10 {
		if i != 3 {
			want = append(want, fmt.Sprintf("tenth %d", i))
		}
	}
	s.saved(slices.Clone(want)...)
	st := s.until(10*time.Second, "one mail to need somebody", func(st control.Status) bool { return st.Counts.NeedsYou == 1 })
	if st.State != control.NeedsYou || st.Counts.Captured != 10 || st.Counts.Waiting != 1 {
		t.Errorf("%+v", st)
	}
	q := s.queue()
	if len(q) != 1 || q[0].State != "needs-you" || q[0].Why != fault.ValidationFailed || !strings.Contains(q[0].Detail, "Name a project, please") {
		t.Fatalf("queue %+v", q)
	}
	out := s.user.hawser("queue")
	explainsItem(t, out, fault.ValidationFailed)
	if !strings.Contains(out.stdout, "Name a project, please") {
		t.Errorf("the rule's own words are missing:\n%s", out.stdout)
	}
	if said := s.user.hawser("status").stdout; !strings.Contains(said, "1 mail needs you") {
		t.Errorf("hawser status says\n%s", said)
	}
	s.user.hawser("queue", "retry", "987654").refuses(t, "retry of nothing", fault.NotFound, 2)
	strict.Store(false)
	if out := s.user.hawser("queue", "retry", fmt.Sprint(q[0].ID)); out.code != 0 {
		t.Errorf("queue retry exits with %d: %s", out.code, out.stderr)
	}
	s.saved(append(want, "tenth 3")...)
	s.settled()
}

// TestBadEmailRight: the org takes no e-mail records from this user, and says so only when it is
// tried. Mails become tasks.
func TestBadEmailRight(t *testing.T) {
	s := badScene(t, func(o *salesforcetest.Org) { o.RefuseEmail = true })
	s.mark("as a task")
	s.mark("as another task")
	s.saved("as a task", "as another task")
	if n := len(s.org.Records("EmailMessage")); n != 0 {
		t.Errorf("%d e-mail records", n)
	}
	var journal []control.JournalItem
	s.user.ask(&journal, "journal")
	for _, j := range journal {
		if j.Object != "Task" {
			t.Errorf("journal %+v", j)
		}
	}
	if len(journal) != 2 {
		t.Errorf("%d lines in the journal", len(journal))
	}
	st := s.settled()
	if len(st.Notes) == 0 {
		t.Error("the status does not say what is missing")
	}
	explains(t, "hawser status", s.user.hawser("status").stdout, fault.PermissionMissing)
}

// TestBadRights: neither e-mails nor tasks may be saved. The mail waits for an administrator, with
// the missing right named, and goes out once it is there.
func TestBadRights(t *testing.T) {
	s := badScene(t, func(o *salesforcetest.Org) { o.NoEnhancedEmail, o.NoTask = true, true })
	s.mark("nowhere to go")
	s.until(20*time.Second, "the mail to need somebody", func(st control.Status) bool { return st.Counts.NeedsYou == 1 })
	q := s.queue()
	if len(q) != 1 || q[0].Why != fault.NothingSavable || !strings.Contains(q[0].Detail, "Edit Tasks") || !strings.Contains(q[0].Detail, "Enhanced Email") {
		t.Fatalf("queue %+v", q)
	}
	out := s.user.hawser("queue")
	explainsItem(t, out, fault.NothingSavable)
	if !strings.Contains(out.stdout, "Edit Tasks") {
		t.Errorf("the missing right is not named:\n%s", out.stdout)
	}
	if n := len(s.org.Records("EmailMessage")) + len(s.org.Records("Task")); n != 0 {
		t.Errorf("%d records", n)
	}
	// The only place to change the org's rights while it serves: this runs while it is locked.
	s.org.LoseReply(func(string, string) bool { s.org.NoTask = false; return false }, 1)
	if out := s.user.hawser("queue", "retry", fmt.Sprint(q[0].ID)); out.code != 0 {
		t.Errorf("queue retry exits with %d: %s", out.code, out.stderr)
	}
	s.saved("nowhere to go")
	s.settled()
}
