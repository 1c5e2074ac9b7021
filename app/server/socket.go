package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A SQLite file belongs to the process that serves it. A command that needs it meanwhile is handed
// to that process over a socket in the state folder, which is closed to everybody else.

const (
	maxErrand   = 64 << 20
	errandLimit = 10 * time.Minute
)

// errand is a command for the running server, with the files that its words name.
type errand struct {
	Args  []string          `json:"args"`
	Files map[string][]byte `json:"files"`
}

// outcome is what came of it.
type outcome struct {
	Stdout []byte `json:"stdout"`
	Stderr []byte `json:"stderr"`
	Code   int    `json:"code"`
}

func socketPath(state string) string { return filepath.Join(state, "desk.sock") }

// send hands an errand over. ok is false when no server runs.
func send(ctx context.Context, state string, e errand) (o outcome, ok bool, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socketPath(state))
	if err != nil {
		return o, false, nil //nolint:nilerr // nobody is there: the caller opens the file itself
	}
	defer conn.Close() //nolint:errcheck // one question, one answer
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(e); err != nil {
		return o, true, fmt.Errorf("ask the running server: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&o); err != nil {
		return o, true, fmt.Errorf("ask the running server: %w", err)
	}
	return o, true, nil
}

// deskSocket runs errands one after the other.
type deskSocket struct {
	l  net.Listener
	do func(ctx context.Context, e errand, stdout, stderr io.Writer) int
}

func openDesk(ctx context.Context, state string, do func(context.Context, errand, io.Writer, io.Writer) int) (*deskSocket, error) {
	path := socketPath(state)
	// The database's lock is held: a socket that is there was left behind.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open command socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open command socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open command socket: %w", err), l.Close())
	}
	return &deskSocket{l: l, do: do}, nil
}

func (d *deskSocket) run(ctx context.Context) error {
	var closing sync.WaitGroup
	closing.Add(1)
	stop := context.AfterFunc(ctx, func() { defer closing.Done(); _ = d.l.Close() })
	defer func() {
		if stop() {
			closing.Done()
		}
		closing.Wait()
	}()
	for {
		conn, err := d.l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("command socket: %w", err)
		}
		d.one(ctx, conn)
	}
}

func (d *deskSocket) one(ctx context.Context, conn net.Conn) {
	defer conn.Close() //nolint:errcheck // the answer is written
	_ = conn.SetDeadline(time.Now().Add(errandLimit))
	var e errand
	if err := json.NewDecoder(io.LimitReader(conn, maxErrand)).Decode(&e); err != nil {
		return // whoever asked has left
	}
	var stdout, stderr bytes.Buffer
	code := d.do(ctx, e, &stdout, &stderr)
	_ = json.NewEncoder(conn).Encode(outcome{stdout.Bytes(), stderr.Bytes(), code})
}
