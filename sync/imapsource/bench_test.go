package imapsource_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// counter is the cheapest sink.
type counter struct {
	mails int
	bytes int64
	buf   [32 << 10]byte
}

func (c *counter) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	wanted := make([]bool, len(heads))
	for i := range wanted {
		wanted[i] = true
	}
	return wanted, nil
}

func (c *counter) Mail(_ context.Context, item capture.Item, problem error) error {
	if problem != nil {
		return problem
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{item.Raw}, c.buf[:])
	c.mails++
	c.bytes += n
	return err
}

func (c *counter) Reached(context.Context, capture.Cursor) error { return nil }

// BenchmarkScan reads 10,000 mails of 13.6 KB from Dovecot, beside the same bytes read by a client
// that looks at nothing.
func BenchmarkScan(b *testing.B) {
	const n, size = 10000, 13600
	s := dovecottest.Start(b, dovecottest.Config{Format: "mdbox"})
	s.AppendMany(b, "alice@example.org", "INBOX", n, func(i int) []byte { return sized(i, size) })
	src := open(b, config(s.Addr, s.TLS, "alice@example.org", "token-alice"))
	run := func(b *testing.B, headersFirst bool) {
		used := cpu(b)
		for b.Loop() {
			c := &counter{}
			req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: headersFirst}
			if err := src.Scan(b.Context(), req, c); err != nil || c.mails != n || c.bytes != n*size {
				b.Fatalf("%d mails, %d bytes: %v", c.mails, c.bytes, err)
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		b.ReportMetric(n*float64(b.N)/(cpu(b)-used).Seconds(), "mails/cpu-s")
	}
	b.Run("raw", func(b *testing.B) {
		used := cpu(b)
		for b.Loop() {
			rawRead(b, s)
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		b.ReportMetric(n*float64(b.N)/(cpu(b)-used).Seconds(), "mails/cpu-s")
	})
	b.Run("scan", func(b *testing.B) { run(b, false) })
	b.Run("headers first", func(b *testing.B) { run(b, true) })
}

// cpu returns the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawRead is the fastest way to get the bytes: one command, nothing understood.
func rawRead(b *testing.B, s *dovecottest.Server) {
	c, err := tls.Dial("tcp", s.Addr, s.TLS)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	r := bufio.NewReaderSize(c, 64<<10)
	for i, command := range []string{"LOGIN alice@example.org pass", "EXAMINE INBOX", "UID FETCH 1:* (UID BODY.PEEK[])"} {
		if _, err := fmt.Fprintf(c, "R%d %s\r\n", i, command); err != nil {
			b.Fatal(err)
		}
		for tag := fmt.Sprintf("R%d OK", i); ; {
			line, err := r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if strings.HasPrefix(string(line[:min(len(line), len(tag))]), tag) {
				break
			}
			var size int
			if i == 2 && line[0] == '*' {
				open := strings.LastIndexByte(string(line), '{')
				if _, err := fmt.Sscanf(string(line[open:]), "{%d}", &size); open >= 0 && err == nil {
					if _, err := r.Discard(size); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
}
