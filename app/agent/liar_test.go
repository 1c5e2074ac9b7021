package agent_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"hawser/sync/sourcetest"
	"hawser/sync/sourcetest/dovecottest"
)

// liar stands between the agent and a mail server, ends TLS on both sides, and changes what the
// server answers.
type liar struct {
	addr string

	target *dovecottest.Server
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	tell  func([]byte) []byte
	times int64
}

// hangUp in an answer ends the connection after what stands before it.
const hangUp = "\x00hang up"

func newLiar(t testing.TB, target *dovecottest.Server, ca *sourcetest.CA) *liar {
	t.Helper()
	cert, err := ca.Issue("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{addr: ln.Addr().String(), target: target, conns: map[net.Conn]bool{}}
	l.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		l.mu.Lock()
		for c := range l.conns {
			_ = c.Close()
		}
		l.mu.Unlock()
		l.wg.Wait()
	})
	return l
}

// lie changes the next answers that hold a mail's text; nil ends it. An answer is everything from
// its first line to its last, literals included.
func (l *liar) lie(tell func(answer []byte) []byte, times int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell, l.times = tell, times
}

func (l *liar) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := tls.Dial("tcp", l.target.Addr, l.target.TLS)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.conns[client], l.conns[server] = true, true
	l.mu.Unlock()
	l.wg.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	r := bufio.NewReaderSize(server, 64<<10)
	for {
		answer, err := readAnswer(r)
		if err != nil {
			return
		}
		answer, over := l.change(answer)
		if _, err := client.Write(answer); err != nil || over {
			return
		}
	}
}

// change tells the lie, if it is time for one.
func (l *liar) change(answer []byte) (_ []byte, over bool) {
	if !bytes.Contains(answer, []byte(" FETCH (")) || !bytes.Contains(answer, []byte("BODY[")) {
		return answer, false
	}
	l.mu.Lock()
	tell := l.tell
	if l.times--; l.times < 0 {
		tell = nil
	}
	l.mu.Unlock()
	if tell == nil {
		return answer, false
	}
	return bytes.CutSuffix(tell(answer), []byte(hangUp))
}

var literal = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// readAnswer reads one answer of the server, with its literals (RFC 3501 section 4.3).
func readAnswer(r *bufio.Reader) ([]byte, error) {
	var answer []byte
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		answer = append(answer, line...)
		m := literal.FindSubmatch(line)
		if m == nil {
			return answer, nil
		}
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return nil, err
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		answer = append(answer, body...)
	}
}

var firstLiteral = regexp.MustCompile(`\{(\d+)\}\r\n`)

// shorten takes n bytes off the end of an answer's first literal, and says so honestly.
func shorten(answer []byte, n int) []byte {
	at := firstLiteral.FindSubmatchIndex(answer)
	if at == nil {
		return answer
	}
	size, _ := strconv.Atoi(string(answer[at[2]:at[3]]))
	if size <= n {
		return answer
	}
	body := at[1]
	out := fmt.Appendf(nil, "%s{%d}\r\n", answer[:at[0]], size-n)
	out = append(out, answer[body:body+size-n]...)
	return append(out, answer[body+size:]...)
}
