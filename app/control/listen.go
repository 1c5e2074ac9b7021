package control

import (
	"fmt"
	"net"
	"path/filepath"

	"github.com/gofrs/flock"

	"hawser/sync/fault"
)

// lockName is the file whose lock makes its holder the user's one agent. The lock belongs to the
// process, so it is free after a crash although the file stays.
const lockName = "agent.lock"

// Listener is the right to be the user's one agent, and the socket at which it answers.
type Listener struct {
	lock *flock.Flock
	ln   net.Listener
}

// Listen claims dir for this process, before anything else of the agent starts. It makes dir when
// it is missing and forces it to be the user's alone; what a dead agent left there is taken over.
// Faults: AlreadyRunning when another agent holds the lock; ConfigInvalid, with the path as
// Detail, when dir or a file in it is not ours or not what it should be; DiskFull.
func Listen(dir string) (*Listener, error) {
	if err := ownDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	if err := plainOrMissing(path); err != nil {
		return nil, err
	}
	lock := flock.New(path, flock.SetFlag(lockFlags), flock.SetPermissions(0o600))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, unusable("lock agent directory", path, err)
	case !ok:
		return nil, fault.New(fault.AlreadyRunning, "lock agent directory", nil)
	}
	ln, err := listenLocal(dir)
	if err != nil {
		_ = lock.Close() // the listen error is the one to tell
		return nil, err
	}
	return &Listener{lock: lock, ln: ln}, nil
}

// Close gives the claim up. After [Listener.Serve] it has nothing left to do.
func (l *Listener) Close() error {
	lnErr := l.ln.Close()
	if err := l.lock.Close(); err != nil {
		return fmt.Errorf("unlock agent directory: %w", err)
	}
	if lnErr != nil {
		return fmt.Errorf("close control socket: %w", lnErr)
	}
	return nil
}

// unusable is the fault for a place that Hawser cannot or must not use.
func unusable(op, path string, err error) error {
	if isDiskFull(err) {
		return fault.New(fault.DiskFull, op, err)
	}
	f := fault.New(fault.ConfigInvalid, op, err)
	f.Detail = path
	return f
}
