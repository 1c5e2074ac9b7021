package dovecottest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Append puts one mail into a folder through IMAP, as another program of the user would: idle
// connections hear of it. The folder is made where it is missing. raw has CRLF line ends.
func (s *Server) Append(t testing.TB, user, folder string, raw []byte, flags ...string) {
	t.Helper()
	s.append(t, user, folder, "("+strings.Join(flags, " ")+")", raw)
}

// AppendAt is Append for a mail that the mailbox received (INTERNALDATE) at the given time.
func (s *Server) AppendAt(t testing.TB, user, folder string, at time.Time, raw []byte) {
	t.Helper()
	s.append(t, user, folder, at.Format(dateTime), raw)
}

// dateTime is RFC 3501's date-time.
const dateTime = `"_2-Jan-2006 15:04:05 -0700"`

func (s *Server) append(t testing.TB, user, folder, about string, raw []byte) {
	t.Helper()
	c := s.dial(t, user)
	defer c.close()
	_, _ = c.command("CREATE " + quote(folder))
	if _, err := c.command(fmt.Sprintf("APPEND %s %s {%d}", quote(folder), about, len(raw)), raw); err != nil {
		t.Fatalf("append to %q: %v", folder, err)
	}
}

// Do signs in as user and runs commands ("SELECT INBOX", "UID STORE 1 +FLAGS (x)"), each of which
// must come out OK. It returns the untagged lines of the last one.
func (s *Server) Do(t testing.TB, user string, commands ...string) []string {
	t.Helper()
	c := s.dial(t, user)
	defer c.close()
	var lines []string
	for _, command := range commands {
		var err error
		if lines, err = c.command(command); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	return lines
}

// AppendMany puts n mails into a folder before anybody watches: quickly where the format is
// Maildir, by writing the files. mail returns the i-th one (from 0 on) with CRLF line ends. The UIDs
// follow the order of i.
func (s *Server) AppendMany(t testing.TB, user, folder string, n int, mail func(i int) []byte) {
	t.Helper()
	s.AppendManyAt(t, user, folder, n, func(i int) (time.Time, []byte) { return time.Now(), mail(i) })
}

// AppendManyAt is AppendMany for mails that the mailbox received (INTERNALDATE) at given times.
func (s *Server) AppendManyAt(t testing.TB, user, folder string, n int, mail func(i int) (time.Time, []byte)) {
	t.Helper()
	if s.format != "maildir" {
		c := s.dial(t, user)
		defer c.close()
		_, _ = c.command("CREATE " + quote(folder))
		for next := 0; next < n; {
			var many strings.Builder // RFC 3502, as much as fits well
			many.WriteString("APPEND " + quote(folder))
			for ; next < n && many.Len() < 1<<20; next++ {
				at, raw := mail(next)
				fmt.Fprintf(&many, " %s {%d+}\r\n%s", at.Format(dateTime), len(raw), raw)
			}
			if _, err := c.command(many.String()); err != nil {
				t.Fatalf("append to %q: %v", folder, err)
			}
			_ = c.c.SetDeadline(time.Now().Add(time.Minute))
		}
		return
	}
	root := filepath.Join(s.dir, "home", user, "Maildir")
	dir := root
	if !strings.EqualFold(folder, "INBOX") {
		dir = filepath.Join(root, "."+strings.ReplaceAll(folder, "/", "."))
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	serial := s.serial
	s.serial += n
	s.mu.Unlock()
	// UIDs are given out in the order of the names, times and numbers first.
	now := time.Now().Add(-24 * time.Hour).Unix()
	for i := range n {
		at, raw := mail(i)
		name := fmt.Sprintf("%d.M%07dP1.test,S=%d,W=%d:2,", now, serial+i, len(raw), len(raw))
		name = filepath.Join(dir, "cur", name)
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.own(filepath.Join(s.dir, "home", user)); err != nil {
		t.Fatal(err)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// conn is the smallest IMAP client: one command after the other.
type conn struct {
	c   *tls.Conn
	r   *bufio.Reader
	tag int
}

func (s *Server) dial(t testing.TB, user string) *conn {
	t.Helper()
	c, err := tls.Dial("tcp", s.Addr, s.TLS)
	if err != nil {
		t.Fatalf("dial dovecot: %v", err)
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	conn := &conn{c: c, r: bufio.NewReader(c)}
	if _, err := conn.r.ReadString('\n'); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	if _, err := conn.command("LOGIN " + quote(user) + " " + password); err != nil {
		t.Fatalf("login: %v\n%s", err, s.Log())
	}
	return conn
}

func (c *conn) close() { _ = c.c.Close() }

// command sends one command, its literals when the server asks for them, and returns the
// untagged lines. Literals in answers come as lines of their own.
func (c *conn) command(text string, literals ...[]byte) ([]string, error) {
	c.tag++
	tag := "D" + strconv.Itoa(c.tag)
	if _, err := fmt.Fprintf(c.c, "%s %s\r\n", tag, text); err != nil {
		return nil, err
	}
	var lines []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "+") && len(literals) > 0:
			if _, err := c.c.Write(append(append([]byte(nil), literals[0]...), "\r\n"...)); err != nil {
				return nil, err
			}
			literals = literals[1:]
		case strings.HasPrefix(line, tag+" OK"):
			return lines, nil
		case strings.HasPrefix(line, tag+" "):
			return nil, fmt.Errorf("refused: %s", line)
		default:
			lines = append(lines, line)
		}
	}
}
