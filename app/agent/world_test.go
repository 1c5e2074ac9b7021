package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hawser/app/control"
)

// build makes the agent's binary once for all tests, as it is shipped.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hawser-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "hawser")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", path, "./app/cmd/hawser")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build agent: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if os.Getenv(impatientVar) != "" {
		os.Exit(impatient())
	}
	code := m.Run()
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// needs skips the test when a program is missing, and fails it where everything must be there.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join("/usr/sbin", p)); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", p)
		}
		t.Skipf("%s is not installed", p)
	}
}

// bus is a session bus of its own with an unlocked Secret Service on it.
type bus struct{ address string }

// startBus starts dbus-daemon and gnome-keyring-daemon for the length of the test.
func startBus(t testing.TB, home string) bus {
	t.Helper()
	needs(t, "dbus-daemon", "gnome-keyring-daemon")
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	line := make([]byte, 512)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("dbus-daemon said nothing: %v", err)
	}
	b := bus{address: strings.TrimSpace(string(line[:n]))}
	b.unlock(t, home)
	return b
}

// unlock starts an unlocked Secret Service on the bus for the length of the test.
func (b bus) unlock(t testing.TB, home string) {
	t.Helper()
	keys := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	keys.Env = b.env(home)
	keys.Stdin = strings.NewReader("testpw")
	if err := keys.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Process.Kill(); _ = keys.Wait() })
	waitFor(t, 10*time.Second, "the Secret Service", func() bool {
		cmd := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets")
		cmd.Env = b.env(home)
		reply, err := cmd.Output()
		return err == nil && bytes.Contains(reply, []byte("true"))
	})
}

// env is the whole environment of a user whose home is home: nothing of ours leaks in.
func (b bus) env(home string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANG=en_US.UTF-8", "DBUS_SESSION_BUS_ADDRESS=" + b.address,
		"XDG_RUNTIME_DIR=" + filepath.Join(home, "r"), "XDG_DATA_HOME=" + filepath.Join(home, ".local/share"),
	}
}

// waitFor polls until ok, or fails the test saying what it waited for.
func waitFor(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}

// shortDir makes a temporary folder with a path short enough for a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// user is one person's computer: a home folder, a session bus with keys, and the real agent.
type user struct {
	t      testing.TB
	home   string
	env    []string
	binary string
	proc   *exec.Cmd
	exited chan struct{}
	stderr *syncBuffer
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newUser makes the home folder with its configuration.
func newUser(t testing.TB, settings map[string]any) *user {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	home := shortDir(t)
	u := &user{t: t, home: home, binary: binary, stderr: &syncBuffer{}}
	for _, dir := range []string{"r", ".local/share", ".config/hawser"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".config/hawser/config.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	u.env = startBus(t, home).env(home)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(home, ".local/state/hawser/hawser.log"))
			t.Logf("stderr: %s\nlog: %s", u.stderr, log)
		}
		u.kill()
	})
	return u
}

// start runs the agent and waits until it answers.
func (u *user) start() {
	u.t.Helper()
	u.launch()
	waitFor(u.t, 15*time.Second, "the agent's socket", func() bool {
		select {
		case <-u.exited:
			u.t.Fatalf("the agent ended: %s", u.stderr)
		default:
		}
		_, err := u.statusErr()
		return err == nil
	})
}

// launch runs the agent without waiting for it.
func (u *user) launch() {
	u.t.Helper()
	u.proc = exec.Command(u.binary, "run", "--headless")
	u.proc.Env = u.env
	u.proc.Stderr = u.stderr
	if err := u.proc.Start(); err != nil {
		u.t.Fatal(err)
	}
	exited := make(chan struct{})
	u.exited = exited
	go func(p *exec.Cmd) { _ = p.Wait(); close(exited) }(u.proc)
}

// kill ends the agent as a power cut would.
func (u *user) kill() {
	if u.proc == nil {
		return
	}
	_ = u.proc.Process.Signal(syscall.SIGKILL)
	<-u.exited
	u.proc = nil
}

// client returns a connection to the running agent.
func (u *user) client(ctx context.Context) (*control.Client, error) {
	return control.Dial(ctx, filepath.Join(u.home, "r", "hawser"))
}

func (u *user) statusErr() (control.Status, error) {
	ctx, cancel := context.WithTimeout(u.t.Context(), 2*time.Second)
	defer cancel()
	var s control.Status
	c, err := u.client(ctx)
	if err != nil {
		return s, err
	}
	err = c.Watch(ctx, func(got control.Status) error { s = got; return errEnough })
	if s.State == "" {
		return s, fmt.Errorf("no status: %w", err)
	}
	return s, nil
}

var errEnough = fmt.Errorf("enough")

func (u *user) status() control.Status {
	u.t.Helper()
	s, err := u.statusErr()
	if err != nil {
		u.t.Fatalf("status: %v\n%s", err, u.stderr)
	}
	return s
}

// run runs the command line and returns what it printed and its exit code.
func (u *user) run(args ...string) (string, int) {
	u.t.Helper()
	cmd := exec.Command(u.binary, args...)
	cmd.Env = u.env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		u.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// peakRSS returns the most memory the agent ever held, in bytes (VmHWM).
func (u *user) peakRSS() int64 { return u.proc1("VmHWM:") << 10 }

// switches returns how often the agent's threads were put on a core so far.
func (u *user) switches() int64 {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", u.proc.Process.Pid))
	var n int64
	for _, path := range tasks {
		n += field(path, "voluntary_ctxt_switches:") + field(path, "nonvoluntary_ctxt_switches:")
	}
	return n
}

func (u *user) proc1(key string) int64 {
	return field(fmt.Sprintf("/proc/%d/status", u.proc.Process.Pid), key)
}

func field(path, key string) int64 {
	raw, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// plainClient is an HTTP client for form filling.
func plainClient() *http.Client { return &http.Client{Timeout: 10 * time.Second} }
