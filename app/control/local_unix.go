//go:build linux || darwin

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	socketName = "control.sock"
	// O_NOFOLLOW: a link planted in place of the lock file must not make us create its target.
	lockFlags = os.O_CREATE | os.O_RDWR | unix.O_NOFOLLOW
)

var (
	errForeign = errors.New("belongs to another user")
	errKind    = errors.New("not the kind of file that belongs here")
	errTooLong = errors.New("path too long for a socket")
)

// ownDir makes dir, or takes it over, as a directory that only the user can enter.
func ownDir(dir string) error {
	const op = "prepare agent directory"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(op, dir, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return unusable(op, dir, err)
	}
	if !info.IsDir() { // also refuses a link, which could be turned elsewhere later
		return unusable(op, dir, errKind)
	}
	if owner(info) != os.Geteuid() {
		return unusable(op, dir, errForeign)
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return unusable(op, dir, err)
		}
	}
	return nil
}

// plainOrMissing refuses anything at path but nothing, or a file of ours with one name.
func plainOrMissing(path string) error {
	const op = "check lock file"
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(op, path, err)
	case !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink != 1:
		return unusable(op, path, errKind)
	case owner(info) != os.Geteuid():
		return unusable(op, path, errForeign)
	}
	return nil
}

func owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// listenLocal opens the socket. The caller holds the lock, so a socket already there is a dead
// agent's.
func listenLocal(dir string) (net.Listener, error) {
	const op = "open control socket"
	path, err := socketPath(dir)
	if err != nil {
		return nil, unusable(op, dir, err)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, unusable(op, path, err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, unusable(op, path, errKind)
	default:
		if err := os.Remove(path); err != nil {
			return nil, unusable(op, path, err)
		}
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, unusable(op, path, err)
	}
	// Nobody can have come in before this: the directory is 0700.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close() // the chmod error is the one to tell
		return nil, unusable(op, path, err)
	}
	return ln, nil
}

// socketPath refuses a path that the kernel would cut or reject: sun_path holds 108 bytes on
// Linux and 104 on macOS, with the zero at its end.
func socketPath(dir string) (string, error) {
	path := filepath.Join(dir, socketName)
	if len(path) >= len(unix.RawSockaddrUnix{}.Path) {
		return "", fmt.Errorf("%d bytes: %w", len(path), errTooLong)
	}
	return path, nil
}

// guarded is a listener that lets only the user's own processes in. The directory's mode already
// keeps others out; this holds when somebody opened it up.
type guarded struct {
	net.Listener
	uid int
	log *slog.Logger
}

// guard wraps the raw listener for Serve.
func guard(ln net.Listener, log *slog.Logger) net.Listener {
	return guarded{Listener: ln, uid: os.Geteuid(), log: log}
}

// Accept waits for the next connection from a process of our user.
func (g guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := checkPeer(conn, g.uid); err == nil {
			return conn, nil
		}
		_ = conn.Close() // refused either way
		g.log.Warn("control connection refused", slog.String("reason", "another user"))
	}
}

// checkPeer asks the kernel who is at the other end.
func checkPeer(conn net.Conn, uid int) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return fmt.Errorf("peer of control socket: %w", err)
	}
	var peer int
	var peerErr error
	if err := raw.Control(func(fd uintptr) { peer, peerErr = peerUID(int(fd)) }); err != nil {
		return fmt.Errorf("peer of control socket: %w", err)
	}
	if peerErr != nil {
		return fmt.Errorf("peer of control socket: %w", peerErr)
	}
	if peer != uid {
		return errForeign
	}
	return nil
}

// dialLocal connects to the agent, and refuses a socket that another user's process holds.
func dialLocal(ctx context.Context, dir string) (net.Conn, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, unusable("connect", dir, err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn, os.Geteuid()); err != nil {
		_ = conn.Close() // the peer error is the one to tell
		return nil, unusable("connect", path, err)
	}
	return conn, nil
}

// nobodyListens reports whether a dial error means that no agent runs.
func nobodyListens(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOTDIR)
}

func isDiskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
