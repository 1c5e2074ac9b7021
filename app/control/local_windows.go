package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

const lockFlags = os.O_CREATE | os.O_RDWR

var (
	errForeign = errors.New("belongs to another user")
	errKind    = errors.New("not the kind of file that belongs here")
)

// ownDir makes dir. It lies in the user's profile, whose access list already keeps others out, and
// the pipe has an access list of its own.
func ownDir(dir string) error {
	const op = "prepare agent directory"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(op, dir, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return unusable(op, dir, err)
	}
	if !info.IsDir() { // also refuses a junction
		return unusable(op, dir, errKind)
	}
	return nil
}

// plainOrMissing refuses a link or a directory in place of the lock file.
func plainOrMissing(path string) error {
	const op = "check lock file"
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(op, path, err)
	case !info.Mode().IsRegular():
		return unusable(op, path, errKind)
	}
	return nil
}

// userSID returns the string form of the id of the user this process runs as.
func userSID() (string, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("read process token: %w", err)
	}
	return user.User.Sid.String(), nil
}

// pipePath names the pipe after the user and the directory, because pipe names are one space for
// the whole computer.
func pipePath(sid, dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("agent directory: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.ToLower(abs)))
	return `\\.\pipe\hawser-` + sid + "-" + hex.EncodeToString(sum[:8]), nil
}

// listenLocal opens the pipe with its owner as the only one on the access list. The library
// creates the first instance, so a pipe that somebody else made beforehand is an error, and
// rejects clients from other computers.
func listenLocal(dir string) (net.Listener, error) {
	const op = "open control pipe"
	sid, err := userSID()
	if err != nil {
		return nil, unusable(op, dir, err)
	}
	path, err := pipePath(sid, dir)
	if err != nil {
		return nil, unusable(op, dir, err)
	}
	ln, err := winio.ListenPipe(path, &winio.PipeConfig{
		SecurityDescriptor: "O:" + sid + "D:P(A;;GA;;;" + sid + ")",
	})
	if err != nil {
		return nil, unusable(op, path, err)
	}
	return ln, nil
}

// guard has nothing to add: the pipe's access list names one user.
func guard(ln net.Listener, _ *slog.Logger) net.Listener { return ln }

// dialLocal connects to the agent, and refuses a pipe that another user's process made.
func dialLocal(ctx context.Context, dir string) (net.Conn, error) {
	const op = "connect"
	sid, err := userSID()
	if err != nil {
		return nil, unusable(op, dir, err)
	}
	path, err := pipePath(sid, dir)
	if err != nil {
		return nil, unusable(op, dir, err)
	}
	conn, err := winio.DialPipeContext(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := checkOwner(conn, sid); err != nil {
		_ = conn.Close() // the owner error is the one to tell
		return nil, unusable(op, path, err)
	}
	return conn, nil
}

// checkOwner compares the owner in the pipe's security descriptor, which only its maker sets.
func checkOwner(conn net.Conn, sid string) error {
	file, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return errKind
	}
	sd, err := windows.GetSecurityInfo(windows.Handle(file.Fd()), windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("read pipe owner: %w", err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("read pipe owner: %w", err)
	}
	if owner.String() != sid {
		return errForeign
	}
	return nil
}

// nobodyListens reports whether a dial error means that no agent runs.
func nobodyListens(err error) bool { return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) }

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
