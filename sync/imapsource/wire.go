package imapsource

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// errStalled is the cause of a wire that closed itself because the server fell silent.
var errStalled = errors.New("no byte within the time allowed")

const (
	// wireBuffer holds one TLS record (RFC 8446 section 5.1) and what a line filter may hold back.
	wireBuffer = 16<<10 + maxHead
	// Over patience times the silence limit at least trickle bytes must arrive, so that one byte
	// a minute does not hold a connection for days.
	patience = 5
	trickle  = 1 << 10
)

// wire is the connection as the IMAP library sees it: the plain text side of TLS. It owns the
// read deadlines (the library's own are too short for a large mail and absent while idle), drops
// answers the library cannot read, and keeps the server's last BYE or ALERT.
type wire struct {
	net.Conn          // TLS
	raw      net.Conn // what TLS runs on: closing it unblocks every read and write at once

	lines lineFilter // used by the library's reading goroutine alone
	own   atomic.Pointer[listener]
	buf   []byte
	out   []byte
	meter *meter

	mu     sync.Mutex
	limit  time.Duration // how long a read may wait for one byte; 0 while nothing is expected
	waited time.Duration // spent waiting since the last trickle bytes
	fresh  int           // bytes since then
	over   error         // what every further read returns
	cause  error         // why the connection ended
	notice string        // what the server said last
}

func newWire(tlsConn, raw net.Conn, m *meter) *wire {
	return &wire{Conn: tlsConn, raw: raw, meter: m, buf: make([]byte, wireBuffer)}
}

// listener is somebody who sends commands beside the library.
type listener struct {
	hear  func(line string) // in the reading goroutine: must not block
	whole bool              // untagged answers belong to those commands, too
}

// listen keeps answers to commands with ownTag, and continuation requests, from the library and
// gives them to l; nil ends that. The library must have no command under way.
func (w *wire) listen(l *listener) { w.own.Store(l) }

// SetReadDeadline does nothing: expect sets the deadlines.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// expect says that the server owes an answer and may not be silent longer than limit; 0 that
// nothing is expected any more.
func (w *wire) expect(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit, w.waited, w.fresh = limit, 0, 0
	w.deadlineLocked(time.Now())
}

func (w *wire) deadlineLocked(now time.Time) {
	var at time.Time
	if w.limit > 0 {
		at = now.Add(min(w.limit, patience*w.limit-w.waited))
	}
	_ = w.Conn.SetReadDeadline(at)
}

// Read implements [net.Conn].
func (w *wire) Read(p []byte) (int, error) {
	for {
		if len(w.out) > 0 {
			n := copy(p, w.out)
			w.out = w.out[n:]
			return n, nil
		}
		// The inside of a literal needs no look: it goes straight to the reader.
		if most := w.lines.passing(len(p)); most > 0 {
			n, err := w.read(p[:most])
			w.lines.passed(n)
			return n, err
		}
		n, err := w.read(w.buf[:16<<10])
		own := w.own.Load()
		w.lines.split, w.lines.whole = own != nil, own != nil && own.whole
		w.out = w.lines.feed(w.out[:0], w.buf[:n])
		for _, line := range w.lines.takeOwn() {
			if own != nil { // nil: it was answered later than it mattered
				own.hear(line)
			}
		}
		if text := w.lines.takeNotice(); text != "" {
			w.mu.Lock()
			w.notice = text
			w.mu.Unlock()
		}
		if err != nil && len(w.out) == 0 {
			return 0, err
		}
	}
}

// read reads once. The library tries again several times after an error, so errors stay.
func (w *wire) read(p []byte) (int, error) {
	w.mu.Lock()
	if w.over != nil {
		defer w.mu.Unlock()
		return 0, w.over
	}
	start := time.Now()
	if w.limit > 0 {
		w.deadlineLocked(start)
	}
	w.mu.Unlock()

	n, err := w.Conn.Read(p)
	w.meter.add(n)

	w.mu.Lock()
	defer w.mu.Unlock()
	w.fresh += n
	w.waited += time.Since(start)
	if w.fresh >= trickle || w.limit == 0 {
		w.fresh, w.waited = 0, 0
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errStalled
		}
		w.over = err
		w.failLocked(err)
	}
	return n, err
}

// Write implements [net.Conn].
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errStalled
		}
		w.failLocked(err)
	}
	return n, err
}

// Close closes the connection below TLS: a TLS goodbye may wait for a peer that is gone.
func (w *wire) Close() error { return w.raw.Close() }

// abort ends the connection for the given cause.
func (w *wire) abort(cause error) {
	w.mu.Lock()
	w.failLocked(cause)
	w.mu.Unlock()
	_ = w.raw.Close()
}

func (w *wire) failLocked(err error) {
	if w.cause == nil && !errors.Is(err, net.ErrClosed) {
		w.cause = err
	}
}

// end returns why the connection ended (nil: not by the network) and what the server said last.
func (w *wire) end() (cause error, notice string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause, w.notice
}
