package notice

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/app/text"
	"hawser/sync/fault"
)

func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing (Debian: %s)", name, debian)
		}
		t.Skipf("%s is missing (Debian: %s)", name, debian)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run starts a program that runs until the test has ended, and returns what it says.
func run(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return bufio.NewScanner(out)
}

// startBus runs a real session bus and returns its address.
func startBus(t *testing.T) string {
	t.Helper()
	lines := run(t, exec.Command(tool(t, "dbus-daemon", "dbus"), "--session", "--nofork", "--print-address"))
	if !lines.Scan() {
		t.Fatal("no bus")
	}
	return lines.Text()
}

// until waits for a condition.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// daemon notes what it is asked to show, by the rules of the specification.
type daemon struct {
	conn *dbus.Conn
	can  []string

	mu     sync.Mutex
	last   uint32
	on     map[uint32]string // titles
	calls  []call
	closed []uint32
}

// call is one Notify.
type call struct {
	replaces      uint32
	title, body   string
	actions       []string
	hints         map[string]dbus.Variant
	timeout       int32
	sender, image string
}

// GetCapabilities is called over the bus.
func (d *daemon) GetCapabilities() ([]string, *dbus.Error) { return d.can, nil }

// Notify is called over the bus. Its parameters are the specification's.
func (d *daemon) Notify(app string, replaces uint32, image, title, body string, actions []string, hints map[string]dbus.Variant, timeout int32) (uint32, *dbus.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, call{replaces, title, body, actions, hints, timeout, app, image})
	id := replaces
	if id == 0 {
		d.last++
		id = d.last
	}
	d.on[id] = title
	return id, nil
}

// CloseNotification is called over the bus.
func (d *daemon) CloseNotification(id uint32) *dbus.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.on[id]; !there {
		return dbus.MakeFailedError(errors.New("no such notification"))
	}
	delete(d.on, id)
	d.closed = append(d.closed, id)
	return nil
}

func (d *daemon) shown() []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

func startDaemon(t *testing.T, address string, can ...string) *daemon {
	t.Helper()
	conn, err := dbus.Connect(address)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	d := &daemon{conn: conn, can: can, on: map[uint32]string{}}
	must(t, conn.Export(d, daemonPath, daemonName))
	if reply, err := conn.RequestName(daemonName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("%v, %v", reply, err)
	}
	return d
}

// talking is a Notifier that talks to a daemon on a bus.
type talking struct {
	agent  *controltest.Agent
	ended  chan error
	cancel context.CancelFunc
}

func talk(t *testing.T, address, lang string) *talking {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a := &talking{agent: &controltest.Agent{}, ended: make(chan error, 1), cancel: cancel}
	a.agent.Set(status(control.UpToDate))
	n := New(Config{Agent: a.agent, Screen: newBubbles(address), Text: text.New(lang), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	go func() { a.ended <- n.Run(ctx) }()
	t.Cleanup(a.stop)
	return a
}

func (a *talking) stop() {
	a.cancel()
	if err, more := <-a.ended; more && err != nil {
		panic(err)
	}
	select {
	case <-a.ended:
	default:
		close(a.ended)
	}
}

// TestJ06OverTheBus: 500 failing mails are one call, its end replaces it by its number, and a daemon
// that can have buttons gets them.
func TestJ06OverTheBus(t *testing.T) {
	t.Parallel()
	address := startBus(t)
	d := startDaemon(t, address, "body", "body-markup", "actions")
	a := talk(t, address, "en")
	for n := range 500 {
		a.agent.Set(needsYou(n + 1))
	}
	until(t, "a notice", func() bool { return len(d.shown()) > 0 })
	a.agent.Set(status(control.UpToDate))
	until(t, "its end", func() bool { return len(d.shown()) > 1 })
	calls := d.shown()
	if len(calls) != 2 || calls[1].replaces != 1 || calls[1].title != "Nothing needs you any more" || calls[1].hints["transient"].Value() != true {
		t.Errorf("%+v", calls)
	}
	first := calls[0]
	if !strings.HasSuffix(first.title, "you") || !slices.Equal(first.actions[2:], []string{DoOpen, "Open Hawser"}) || first.actions[0] != Default ||
		first.sender != "Hawser" || first.hints["desktop-entry"].Value() != desktopFile {
		t.Errorf("%+v", first)
	}

	a.agent.Set(signedOut("mail", fault.TokenRevoked))
	until(t, "the next cause", func() bool { return len(d.shown()) > 2 })
	must(t, d.conn.Emit(daemonPath, daemonName+".ActionInvoked", uint32(2), DoSign))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, a.agent.Await(ctx, "signin mail"))
	a.stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.closed, []uint32{2}) {
		t.Errorf("closed at the end: %v", d.closed)
	}
}

// TestDaemonRestart: another daemon's numbers are not ours, and what it cannot do it is not asked for.
func TestDaemonRestart(t *testing.T) {
	t.Parallel()
	address := startBus(t)
	old := startDaemon(t, address, "body", "actions")
	a := talk(t, address, "de")
	a.agent.Set(signedOut("mail", fault.TokenRevoked))
	until(t, "a notice", func() bool { return len(old.shown()) == 1 })
	must(t, old.conn.Close())
	fresh := startDaemon(t, address, "body")
	fresh.mu.Lock()
	fresh.on[1], fresh.last = "somebody else's", 1
	fresh.mu.Unlock()
	a.agent.Set(needsYou(1)) // the sign-in is over, without a word to this daemon
	until(t, "a notice", func() bool { return len(fresh.shown()) == 1 })
	if c := fresh.shown()[0]; c.replaces != 0 || len(c.actions) != 0 || c.title != "1 E-Mail braucht Sie" {
		t.Errorf("%+v", c)
	}
	a.stop()
	fresh.mu.Lock()
	defer fresh.mu.Unlock()
	if fresh.on[1] == "" || !slices.Equal(fresh.closed, []uint32{2}) {
		t.Errorf("closed %v, left %v", fresh.closed, fresh.on)
	}
}

// TestMarkup: what a daemon would take for markup is text.
func TestMarkup(t *testing.T) {
	t.Parallel()
	address := startBus(t)
	d := startDaemon(t, address, "body", "body-markup")
	b := newBubbles(address)
	defer b.End()
	_, err := b.Show(t.Context(), Notice{Title: "<b>", Body: `<a href="x">A & B</a>`})
	must(t, err)
	if c := d.shown()[0]; c.body != `&lt;a href="x"&gt;A &amp; B&lt;/a&gt;` || c.title != "<b>" {
		t.Errorf("%+v", c)
	}
}

// TestNoDaemon: without a bus, or without a daemon on it, it is said so, and nothing hangs.
func TestNoDaemon(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"unix:path=/nonexistent", startBus(t)} {
		b := newBubbles(address)
		if _, err := b.Show(t.Context(), Notice{Title: "x"}); !errors.Is(err, ErrNoScreen) {
			t.Errorf("%s: %v", address, err)
		}
		_ = b.Close(t.Context(), 1) // it must not hang
		b.End()
	}
}

// TestARealDaemon shows, replaces and presses notices of a real notification daemon.
func TestARealDaemon(t *testing.T) {
	t.Parallel()
	dunst, ctl, xvfb := tool(t, "dunst", "dunst"), tool(t, "dunstctl", "dunst"), tool(t, "Xvfb", "xvfb")
	home := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(home, "dunst"), 0o700))
	must(t, os.WriteFile(filepath.Join(home, "dunst/dunstrc"), []byte("[global]\nnotification_limit = 20\nidle_threshold = 0\n[urgency_normal]\ntimeout = 0\n[urgency_low]\ntimeout = 1\n"), 0o600))
	read, write, err := os.Pipe()
	must(t, err)
	server := exec.Command(xvfb, "-displayfd", "3", "-screen", "0", "640x480x24", "-nolisten", "tcp")
	server.ExtraFiles = []*os.File{write}
	run(t, server)
	must(t, write.Close())
	display, err := bufio.NewReader(read).ReadString('\n')
	must(t, err)
	must(t, read.Close())
	address := startBus(t)
	env := append(os.Environ(), "DISPLAY=:"+strings.TrimSpace(display), "DBUS_SESSION_BUS_ADDRESS="+address, "XDG_CONFIG_HOME="+home, "HOME="+home)
	printed, err := os.Create(filepath.Join(home, "printed"))
	must(t, err)
	defer func() { _ = printed.Close() }()
	real := exec.Command(dunst, "-print")
	real.Env, real.Stdout = env, printed
	must(t, real.Start())
	t.Cleanup(func() { _ = real.Process.Kill(); _ = real.Wait() })
	ask := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), ctl, args...)
		cmd.Env = env
		out, _ := cmd.Output() // until it is up
		return strings.TrimSpace(string(out))
	}
	until(t, "dunst", func() bool { return ask("count", "displayed") == "0" })

	a := talk(t, address, "en")
	for n := range 500 {
		a.agent.Set(needsYou(n + 1))
	}
	shown := func(want int) func() bool {
		return func() bool { return ask("count", "displayed") == strconv.Itoa(want) }
	}
	until(t, "one notice on the screen", shown(1))
	a.agent.Set(signedOut("salesforce", fault.TokenRevoked))
	// The mails are no cause any more: their notice turns into the news of it, beside the new cause.
	until(t, "two notices", shown(2))
	ask("action") // a click on the newest
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, a.agent.Await(ctx, "open home"))
	a.agent.Set(status(control.UpToDate))
	summaries := func() (all []string) {
		raw, err := os.ReadFile(printed.Name())
		must(t, err)
		for line := range strings.Lines(string(raw)) {
			if _, title, ok := strings.Cut(line, "summary: "); ok {
				all = append(all, strings.Trim(strings.TrimSpace(title), "'"))
			}
		}
		return all
	}
	want := []string{"need", "Nothing needs you any more", "Sign in to Salesforce again", "Signed in to Salesforce again"}
	until(t, "what the daemon was told", func() bool { return len(summaries()) >= len(want) })
	for i, title := range summaries() {
		if i >= len(want) || !strings.Contains(title, want[i]) {
			t.Errorf("the daemon was told %q, want %q", summaries(), want)
			break
		}
	}
	a.stop()
	until(t, "a screen with the good news alone", func() bool { return shown(0)() || shown(1)() })
}
