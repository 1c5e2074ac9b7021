package imapsource_test

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
)

// mail makes a small mail whose Message-ID and subject say i.
func mail(i int) []byte { return sized(i, 300) }

// sized makes a mail of exactly n bytes (n large enough for its header block).
func sized(i, n int) []byte {
	head := fmt.Sprintf("From: Bob <bob@example.net>\r\nTo: alice@example.org\r\nSubject: mail %d\r\n"+
		"Message-ID: <m%d@example.net>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\n", i, i)
	var b strings.Builder
	b.Grow(n)
	b.WriteString(head)
	for k := 0; b.Len() < n; k++ {
		line := fmt.Sprintf("line %d of mail %d, with some words to fill it up\r\n", k, i)
		if rest := n - b.Len(); rest < len(line)+2 {
			line = strings.Repeat("x", max(0, rest-2)) + "\r\n"
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}

// got is one mail that a recorder received.
type got struct {
	item    capture.Item
	raw     string
	problem error
}

// recorder is a sink that keeps everything; it checks what every sink may rely on.
type recorder struct {
	t      testing.TB
	mails  []got
	heads  []string
	cur    []capture.Cursor
	want   func(head string) bool        // nil: all
	onMail func(item capture.Item) error // called before the body is read
}

func (r *recorder) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	wanted := make([]bool, len(heads))
	for i, h := range heads {
		b, err := io.ReadAll(h.Raw)
		if err != nil {
			return nil, err
		}
		r.heads = append(r.heads, string(b))
		wanted[i] = r.want == nil || r.want(string(b))
	}
	return wanted, nil
}

func (r *recorder) Mail(_ context.Context, item capture.Item, problem error) error {
	if r.onMail != nil {
		if err := r.onMail(item); err != nil {
			return err
		}
	}
	g := got{item: item, problem: problem}
	if item.Raw != nil {
		b, err := io.ReadAll(item.Raw)
		if err != nil {
			return err
		}
		g.raw = string(b)
	}
	r.mails = append(r.mails, g)
	return nil
}

func (r *recorder) Reached(_ context.Context, cur capture.Cursor) error {
	r.cur = append(r.cur, cur)
	return nil
}

// last returns the cursor to go on from.
func (r *recorder) last(t testing.TB) capture.Cursor {
	t.Helper()
	if len(r.cur) == 0 {
		t.Fatal("no cursor was reached")
	}
	return r.cur[len(r.cur)-1]
}

// subjects returns the numbers in the subjects of the mails, in the order they came.
func (r *recorder) numbers(t testing.TB) []int {
	t.Helper()
	var out []int
	for _, m := range r.mails {
		if m.problem != nil {
			t.Fatalf("mail %v has a problem: %v", m.item.Ref, m.problem)
		}
		out = append(out, number(t, m.raw))
	}
	return out
}

func number(t testing.TB, raw string) int {
	t.Helper()
	_, rest, ok := strings.Cut(raw, "Subject: mail ")
	var n int
	if _, err := fmt.Sscanf(rest, "%d", &n); !ok || err != nil {
		t.Fatalf("no number in %.80q", raw)
	}
	return n
}

func upTo(from, to int) []int {
	var out []int
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// tokens hands out tokens in turn: the first until it is called stale, then the next.
type tokens struct {
	mu    sync.Mutex
	list  []string
	stale []string
	err   error
}

func (s *tokens) token(_ context.Context, stale secret.String) (secret.String, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return secret.String{}, s.err
	}
	if !stale.Empty() {
		s.stale = append(s.stale, stale.Reveal())
		if stale.Reveal() == s.list[0] && len(s.list) > 1 {
			s.list = s.list[1:]
		}
	}
	return secret.New(s.list[0]), nil
}

func config(addr string, roots *tls.Config, user string, list ...string) imapsource.Config {
	return imapsource.Config{Addr: addr, TLS: roots, User: user, Token: (&tokens{list: list}).token}
}

func open(t testing.TB, cfg imapsource.Config) *imapsource.Source {
	t.Helper()
	s, err := imapsource.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func scan(t testing.TB, s *imapsource.Source, req imapsource.ScanRequest) *recorder {
	t.Helper()
	r := &recorder{t: t}
	if err := s.Scan(t.Context(), req, r); err != nil {
		t.Fatalf("scan: %v", err)
	}
	return r
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("got %v, want a fault with code %s", err, code)
	}
}

// within waits until ok holds.
func within(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// TestMain fails when goroutines of this package or of the IMAP library outlive the tests.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // they wait more than they compute
	code := m.Run()
	if code == 0 {
		buf := make([]byte, 1<<20)
		for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			text := string(buf[:runtime.Stack(buf, true)])
			if !strings.Contains(text, "imapclient.") && !strings.Contains(text, "imapsource.(") {
				break
			}
			if time.Now().After(end) {
				fmt.Println("goroutines outlive the tests:\n" + text)
				code = 1
				break
			}
		}
	}
	os.Exit(code)
}
