package keyring

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	dbus "github.com/godbus/dbus/v5"

	"hawser/sync/fault"
)

const (
	// unlockedDaemon has a keyring with a password, given to it as a login does.
	unlockedDaemon = `printf testpw | gnome-keyring-daemon --foreground --unlock --components=secrets &`
	lockedDaemon   = `gnome-keyring-daemon --foreground --components=secrets &`
	noBus          = `export DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere/bus`
)

func TestSecretService(t *testing.T) {
	t.Parallel()
	session(t, t.TempDir(), "contract", unlockedDaemon)
}

// TestSecretServiceStopped: a daemon that does not answer costs the deadline, no more.
func TestSecretServiceStopped(t *testing.T) {
	t.Parallel()
	session(t, t.TempDir(), "stopped", unlockedDaemon)
}

// TestSecretServiceKilled: a daemon that dies is a fault, and the next login has the same key.
func TestSecretServiceKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	session(t, dir, "killed", unlockedDaemon)
	session(t, dir, "next-login", unlockedDaemon)
}

func TestSecretServiceLocked(t *testing.T) {
	t.Parallel()
	session(t, t.TempDir(), "locked", lockedDaemon)
}

func TestNoBus(t *testing.T) {
	t.Parallel()
	session(t, t.TempDir(), "no-bus", noBus)
}

// session runs a scenario of TestInSession in a D-Bus session of its own, with dir as its home.
func session(t *testing.T, dir, scenario, prepare string) {
	t.Helper()
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", program)
			}
			t.Skipf("%s is missing", program)
		}
	}
	// A file, as a pipe would stay open for as long as a daemon that the bus started.
	log, err := os.Create(filepath.Join(dir, scenario+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dbus-run-session", "--", "bash", "-c", prepare+"\nexec "+os.Args[0]+" -test.run=^TestInSession$ -test.v")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "XDG_DATA_HOME="+dir+"/share", "XDG_CONFIG_HOME="+dir+"/config",
		"DISPLAY=", "WAYLAND_DISPLAY=", "HAWSER_TEST_SESSION="+scenario, "HAWSER_TEST_DIR="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	out, readErr := os.ReadFile(log.Name())
	if err != nil || readErr != nil || !strings.Contains(string(out), "scenario "+scenario+" done") {
		t.Fatalf("%v %v\n%s", err, readErr, out)
	}
}

// TestInSession is the part of the tests above that runs beside the daemon.
func TestInSession(t *testing.T) {
	scenario := os.Getenv("HAWSER_TEST_SESSION")
	if scenario == "" {
		return
	}
	cfg := config(OS())
	cfg.Timeout = 10 * time.Second
	if scenario != "no-bus" {
		daemon(t)
		defer signal(t, syscall.SIGKILL)
	}
	switch scenario {
	case "contract":
		contract(t, cfg.Store)
	case "no-bus":
		if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreMissing) {
			t.Fatal(err)
		}
	case "locked":
		if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreLocked) {
			t.Fatal(err)
		}
	case "stopped":
		stopped(t, cfg)
	case "killed":
		mine := key(t, cfg)
		if err := os.WriteFile(keyCopy(), mine[:], 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.Expect = true
		signal(t, syscall.SIGKILL) // the bus starts another daemon, whose keyring is locked
		_, created, err := Key(t.Context(), cfg)
		if created || !fault.Is(err, fault.KeyStoreMissing) && !fault.Is(err, fault.KeyStoreLocked) {
			t.Fatalf("killed: %v", err)
		}
	case "next-login":
		cfg.Expect = true
		mine := key(t, cfg)
		if before, err := os.ReadFile(keyCopy()); err != nil || string(before) != string(mine[:]) {
			t.Fatalf("another key after the next login: %v", err)
		}
	}
	if !t.Failed() {
		fmt.Printf("scenario %s done\n", scenario)
	}
}

func stopped(t *testing.T, cfg Config) {
	mine := key(t, cfg)
	pid := daemon(t)
	for _, step := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := syscall.Kill(pid, step); err != nil {
			t.Fatal(err)
		}
		if step == syscall.SIGSTOP {
			cfg.Timeout = 300 * time.Millisecond
			if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreLocked) {
				t.Errorf("stopped: %v", err)
			}
			continue
		}
		cfg.Timeout = 10 * time.Second
		if again := key(t, cfg); again != mine {
			t.Error("another key after going on")
		}
	}
}

func keyCopy() string { return filepath.Join(os.Getenv("HAWSER_TEST_DIR"), "copy") }

// daemon returns the process id of the Secret Service on this session's bus. It waits for one,
// as asking too early would make the bus start another.
func daemon(t *testing.T) int {
	t.Helper()
	bus, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	for range 400 {
		var pid uint32
		if bus.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, "org.freedesktop.secrets").Store(&pid) == nil && pid > 1 {
			return int(pid)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no daemon")
	return 0
}

func signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(daemon(t), sig); err != nil {
		t.Error(err)
	}
}

func key(t *testing.T, cfg Config) [KeySize]byte {
	t.Helper()
	key, _, err := Key(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
