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

// TestSecretServiceLocked: neither a service without any collection nor one whose collection nobody
// unlocked gives a key, and the key is the old one once somebody does.
func TestSecretServiceLocked(t *testing.T) {
	t.Parallel()
	session(t, t.TempDir(), "locked", lockedDaemon)
	dir := t.TempDir()
	session(t, dir, "first-login", unlockedDaemon)
	session(t, dir, "locked-login", lockedDaemon)
	session(t, dir, "next-login", unlockedDaemon)
}

// TestA44LockedMidway: the collection is locked between two calls.
func TestA44LockedMidway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	session(t, dir, "locked-midway", unlockedDaemon)
	session(t, dir, "next-login", unlockedDaemon)
}

// TestA44BusDies: the bus is killed while a call waits for its answer.
func TestA44BusDies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	session(t, dir, "bus-dies", unlockedDaemon)
	session(t, dir, "next-login", unlockedDaemon)
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
		defer func() {
			if scenario != "bus-dies" { // whose daemon ends with the bus
				signal(t, syscall.SIGKILL)
			}
		}()
	}
	switch scenario {
	case "contract":
		contract(t, cfg.Store)
		odd(t, cfg.Store)
	case "no-bus":
		if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreMissing) {
			t.Fatal(err)
		}
	case "locked":
		if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreLocked) {
			t.Fatal(err)
		}
	case "locked-login":
		cfg.Expect = true
		if key, created, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreLocked) || created || key != [KeySize]byte{} {
			t.Fatalf("%v", err)
		}
	case "first-login":
		noteKey(t, cfg)
	case "locked-midway":
		lockedMidway(t, cfg)
	case "bus-dies":
		busDies(t, cfg)
	case "stopped":
		stopped(t, cfg)
	case "killed":
		noteKey(t, cfg)
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

// noteKey keeps a copy of the key for the next login to compare.
func noteKey(t *testing.T, cfg Config) {
	t.Helper()
	mine := key(t, cfg)
	if err := os.WriteFile(keyCopy(), mine[:], 0o600); err != nil {
		t.Fatal(err)
	}
}

func lockedMidway(t *testing.T, cfg Config) {
	noteKey(t, cfg)
	bus, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	const service = "org.freedesktop.Secret.Service"
	secrets := bus.Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	all, err := secrets.GetProperty(service + ".Collections")
	if err != nil {
		t.Fatal(err)
	}
	var locked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	if err := secrets.Call(service+".Lock", 0, all.Value()).Store(&locked, &prompt); err != nil || len(locked) == 0 {
		t.Fatalf("locked %v, %v", locked, err)
	}
	for _, expect := range []bool{true, false} {
		cfg.Expect = expect
		if key, created, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyStoreLocked) || created || key != [KeySize]byte{} {
			t.Fatalf("locked, expected %t: %v", expect, err)
		}
	}
}

func busDies(t *testing.T, cfg Config) {
	noteKey(t, cfg)
	bus, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	var pid uint32
	if err := bus.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, "org.freedesktop.DBus").Store(&pid); err != nil || pid < 2 {
		t.Fatalf("bus %d: %v", pid, err)
	}
	secrets := daemon(t)
	if err := syscall.Kill(secrets, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(secrets, syscall.SIGKILL) }()
	cfg.Expect = true
	answer := make(chan error, 1)
	go func() {
		_, created, err := Key(t.Context(), cfg)
		if created {
			t.Error("another key was made")
		}
		answer <- err
	}()
	time.Sleep(200 * time.Millisecond) // the call is under way
	if err := syscall.Kill(int(pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := <-answer; !fault.Is(err, fault.KeyStoreMissing) && !fault.Is(err, fault.KeyStoreLocked) || time.Since(begin) > cfg.Timeout+time.Second {
		t.Fatalf("after %v: %v", time.Since(begin), err)
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
