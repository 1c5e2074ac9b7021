package dovecottest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Mask says how a [Masked] server differs from the Dovecot behind it. The zero value only counts.
type Mask struct {
	// Hide are capabilities that are neither announced nor understood: a command that uses one is
	// answered BAD, what a server says by itself because of one is left out.
	Hide []string
	// Claim are capabilities that are announced, but not understood.
	Claim []string
	// Labels makes it a server with Gmail's extension (X-GM-EXT-1): it returns the labels of a mail
	// as they are written on the wire. X-GM-RAW knows from:, subject:, rfc822msgid: and words.
	Labels func(folder string, uid uint32) []string
	// ASCII refuses a SEARCH with a CHARSET, as Exchange does.
	ASCII bool
	// Before, when set, is told each command, without its tag and before the server sees it; it
	// may change the mailbox meanwhile.
	Before func(command string)
}

// All is everything that a [Mask] can hide: what is left is like Exchange Online.
var All = []string{
	"CONDSTORE", "QRESYNC", "ENABLE", "ESEARCH", "SEARCHRES", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "MOVE", "UIDPLUS",
	"IDLE", "BINARY", "LITERAL+", "LITERAL-", "SORT", "THREAD", "NOTIFY", "WITHIN", "PREVIEW", "SNIPPET", "STATUS=SIZE", "SAVEDATE",
}

// Masked is a Dovecot seen through a [Mask].
type Masked struct {
	Addr string // host:port; TLS as of the server behind

	t      testing.TB
	server *Server
	mask   Mask
	ln     net.Listener
	wg     sync.WaitGroup

	mu       sync.Mutex
	ended    bool
	conns    map[net.Conn]struct{}
	commands []string
	sent     int64
	received int64
}

// NewMasked puts a mask before s until the test ends.
func NewMasked(t testing.TB, s *Server, mask Mask) *Masked {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	m := &Masked{Addr: ln.Addr().String(), t: t, server: s, mask: mask, ln: ln, conns: make(map[net.Conn]struct{})}
	m.wg.Go(m.accept)
	t.Cleanup(func() {
		m.mu.Lock()
		m.ended = true
		for c := range m.conns {
			_ = c.Close()
		}
		m.mu.Unlock()
		_ = ln.Close()
		m.wg.Wait()
	})
	return m
}

// Commands returns the commands so far that begin with one of prefixes; none given: all. The
// token of a sign-in is left out.
func (m *Masked) Commands(prefixes ...string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []string
	for _, c := range m.commands {
		if len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(c, p) }) {
			found = append(found, c)
		}
	}
	return found
}

// Bytes returns how much the client sent and received so far, without TLS.
func (m *Masked) Bytes() (sent, received int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent, m.received
}

// Reset forgets the commands and bytes so far.
func (m *Masked) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commands, m.sent, m.received = nil, 0, 0
}

// keep takes hold of a connection; false: it is too late.
func (m *Masked) keep(c net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ended {
		m.conns[c] = struct{}{}
	}
	return !m.ended
}

func (m *Masked) accept() {
	for {
		client, err := m.ln.Accept()
		if err != nil {
			return
		}
		m.wg.Go(func() {
			defer func() { _ = client.Close() }()
			server, err := tls.Dial("tcp", m.server.Addr, m.server.TLS)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			if m.keep(client) && m.keep(server) {
				(&masking{m: m, client: client, server: server}).run()
			}
			m.mu.Lock()
			delete(m.conns, client)
			delete(m.conns, server)
			m.mu.Unlock()
		})
	}
}

// masking is one connection.
type masking struct {
	m              *Masked
	client, server net.Conn

	mu      sync.Mutex
	signing string // tag of the sign-in under way, whose lines are no commands
	labels  string // tag of the FETCH that asked for labels
	folder  string // the selected one, as it was written
	out     sync.Mutex
}

func (k *masking) run() {
	var wg sync.WaitGroup
	wg.Go(func() {
		k.answers()
		_ = k.client.Close()
	})
	k.orders()
	_ = k.server.Close()
	wg.Wait()
}

// say answers the client in the server's place.
func (k *masking) say(format string, args ...any) {
	k.out.Lock()
	defer k.out.Unlock()
	_, _ = fmt.Fprintf(k.client, format+"\r\n", args...)
}

var sizeAtEnd = regexp.MustCompile(`\{(\d+)(\+?)\}\r?\n$`)

// orders passes on the client's commands, whole ones with literals that need no asking.
func (k *masking) orders() {
	r := bufio.NewReader(k.client)
	for {
		var command bytes.Buffer
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			k.count(&k.m.sent, len(line))
			size := sizeAtEnd.FindStringSubmatch(line)
			if size == nil {
				command.WriteString(line)
				break
			}
			n, _ := strconv.Atoi(size[1])
			if size[2] == "" {
				k.say("+ go on")
			} else if slices.Contains(k.m.mask.Hide, "LITERAL+") {
				k.say("* BYE what is %s", strings.TrimSpace(size[0]))
				return
			}
			command.WriteString(line[:len(line)-len(size[0])] + "{" + size[1] + "+}\r\n")
			if _, err := io.CopyN(&command, r, int64(n)); err != nil {
				return
			}
			k.count(&k.m.sent, n)
		}
		if !k.order(command.String()) {
			return
		}
	}
}

func (k *masking) count(what *int64, n int) {
	k.m.mu.Lock()
	*what += int64(n)
	k.m.mu.Unlock()
}

// order passes one command on, or refuses it.
func (k *masking) order(text string) bool {
	k.mu.Lock()
	signing := k.signing != ""
	k.mu.Unlock()
	tag, command, ok := strings.Cut(strings.TrimRight(text, "\r\n"), " ")
	if signing || !ok { // a token, or DONE
		_, err := io.WriteString(k.server, text)
		return err == nil
	}
	words := strings.Fields(command)
	logged := command
	k.mu.Lock()
	switch strings.ToUpper(words[0]) {
	case "AUTHENTICATE":
		k.signing = tag
		logged = "AUTHENTICATE"
	case "LOGIN":
		logged = "LOGIN"
	case "SELECT", "EXAMINE":
		k.folder = strings.Trim(strings.TrimSuffix(command[len(words[0])+1:], " (CONDSTORE)"), `"`)
	}
	k.mu.Unlock()
	k.m.mu.Lock()
	k.m.commands = append(k.m.commands, logged)
	k.m.mu.Unlock()
	if k.m.mask.Before != nil {
		k.m.mask.Before(logged)
	}
	if answer := k.m.mask.refusal(command); answer != "" {
		k.say("%s %s", tag, answer)
		return true
	}
	if k.m.mask.Labels != nil {
		command = k.gmail(tag, command)
	}
	_, err := io.WriteString(k.server, tag+" "+command+"\r\n")
	return err == nil
}

// answers passes on what the server says.
func (k *masking) answers() {
	r := bufio.NewReaderSize(k.server, 64<<10)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		text := k.answer(line)
		k.out.Lock()
		n, err := io.WriteString(k.client, text)
		if size := sizeAtEnd.FindStringSubmatch(line); err == nil && size != nil && !strings.HasPrefix(line, "* OK") {
			more, _ := strconv.ParseInt(size[1], 10, 64)
			var copied int64
			copied, err = io.CopyN(k.client, r, more)
			n += int(copied)
		}
		k.out.Unlock()
		k.count(&k.m.received, n)
		if err != nil {
			return
		}
	}
}
