//go:build linux || darwin

package control

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hawser/sync/fault"
)

func runDir(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("", "hw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return filepath.Join(base, "run")
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]os.FileMode{"": 0o700, socketName: 0o600, lockName: 0o600} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %o, want %o", name, got, want)
		}
	}
}

// TestPlantedFilesAreRefused (A50): what somebody else laid there beforehand is not used.
func TestPlantedFilesAreRefused(t *testing.T) {
	t.Parallel()
	victim := filepath.Join(t.TempDir(), "victim")
	plant := map[string]func(dir string) error{
		"directory is a link": func(dir string) error { return os.Symlink(t.TempDir(), dir) },
		"directory is a file": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"lock is a link": func(dir string) error {
			return inside(dir, func() error { return os.Symlink(victim, filepath.Join(dir, lockName)) })
		},
		"lock is a second name": func(dir string) error {
			return inside(dir, func() error {
				other := filepath.Join(dir, "other")
				return errors.Join(os.WriteFile(other, nil, 0o600), os.Link(other, filepath.Join(dir, lockName)))
			})
		},
		"lock is a fifo": func(dir string) error {
			return inside(dir, func() error { return unix.Mkfifo(filepath.Join(dir, lockName), 0o600) })
		},
		"socket is a file": func(dir string) error {
			return inside(dir, func() error { return os.WriteFile(filepath.Join(dir, socketName), []byte("mine"), 0o600) })
		},
		"socket is a link": func(dir string) error {
			return inside(dir, func() error { return os.Symlink(victim, filepath.Join(dir, socketName)) })
		},
	}
	for name, do := range plant {
		dir := runDir(t)
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		l, err := Listen(dir)
		if err == nil {
			l.Close()
			t.Errorf("%s: accepted", name)
			continue
		}
		if f := fault.Of(err); f.Code != fault.ConfigInvalid || !strings.HasPrefix(f.Detail, dir) {
			t.Errorf("%s: %v with detail %q, want config-invalid with the path", name, err, f.Detail)
		}
	}
	if _, err := os.Lstat(victim); err == nil {
		t.Error("a planted link made us create its target")
	}
}

func inside(dir string, do func() error) error {
	return errors.Join(os.Mkdir(dir, 0o700), do())
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(runDir(t), strings.Repeat("d", 120))
	_, err := Listen(dir)
	if fault.Of(err).Code != fault.ConfigInvalid {
		t.Errorf("Listen = %v", err)
	}
	if _, err := Dial(t.Context(), dir); fault.Of(err).Code != fault.ConfigInvalid {
		t.Errorf("Dial = %v", err)
	}
}

// TestAnotherUserIsRefused (A50) plays the agent of the next user id, for which this process is foreign.
func TestAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	if err := ownDir(dir); err != nil {
		t.Fatal(err)
	}
	ln, err := listenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := guarded{Listener: ln, uid: os.Geteuid() + 1, log: slog.New(slog.DiscardHandler)}
	accepted := make(chan error, 1)
	go func() {
		conn, err := g.Accept()
		if err == nil {
			conn.Close()
		}
		accepted <- err
	}()
	conn, err := net.Dial("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from an agent that must hang up", n)
	}
	ln.Close()
	if err := <-accepted; err == nil {
		t.Error("the foreign connection was accepted")
	}
	if err := checkPeer(conn, os.Geteuid()+1); !errors.Is(err, errForeign) {
		t.Errorf("the client side check says %v", err)
	}
}

// TestKilledAgentLeavesNoObstacle (A51) kills a process that holds lock and socket: the next one has both
// within a second.
func TestKilledAgentLeavesNoObstacle(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("CONTROL_TEST_HOLD"); dir != "" {
		if _, err := Listen(dir); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	dir := runDir(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAgentLeavesNoObstacle$")
	cmd.Env = append(os.Environ(), "CONTROL_TEST_HOLD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if s, err := bufio.NewReader(out).ReadString('\n'); s != "held\n" {
		t.Fatalf("holder said %q, %v", s, err)
	}
	if _, err := Listen(dir); fault.Of(err).Code != fault.AlreadyRunning {
		t.Errorf("Listen beside a living agent = %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed is what we wanted
	if _, err := os.Lstat(filepath.Join(dir, socketName)); err != nil {
		t.Fatalf("the killed agent left no socket, so this proves nothing: %v", err)
	}
	began := time.Now()
	l, err := Listen(dir)
	if err != nil {
		t.Fatalf("Listen after a kill: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("taken over after %v", took)
	}
	l.Close()
}
