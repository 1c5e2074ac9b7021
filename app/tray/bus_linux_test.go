package tray

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/systray"
	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/app/text"
)

// scenarioVar names, in a child process, the scenario to play. Each needs a process and a bus of
// its own: systray can be run once, and keeps its state in the package.
const scenarioVar = "HAWSER_TRAY_SCENARIO"

var scenarios = map[string]func(*testing.T){
	"menu": menuScenario, "late": lateScenario, "restart": restartScenario, "bus-lost": busLostScenario, "idle": idleScenario,
}

func TestOnARealBus(t *testing.T) {
	t.Parallel()
	if name := os.Getenv(scenarioVar); name != "" {
		scenarios[name](t)
		return
	}
	runner := busRunner(t)
	for name := range scenarios {
		if name == "idle" {
			continue // TestIdleTrayDoesNotWake plays it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), runner, "--", os.Args[0], "-test.run=^TestOnARealBus$", "-test.v")
			cmd.Env = scenarioEnv(name)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// busRunner finds the program that gives a command a session bus of its own.
func busRunner(t *testing.T) string {
	t.Helper()
	runner, err := exec.LookPath("dbus-run-session")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("dbus-run-session is missing (Debian: dbus)")
		}
		t.Skip("dbus-run-session is missing (Debian: dbus)")
	}
	return runner
}

// scenarioEnv is the environment of a child that plays a scenario. With -race, one race inside
// systray, which no caller can avoid, is known.
func scenarioEnv(name string) []string {
	return append(os.Environ(), scenarioVar+"="+name, "GORACE=suppressions=testdata/race.supp")
}

// TestWithoutABus runs where no session bus is: nothing may panic, and no bus may be started.
func TestWithoutABus(t *testing.T) {
	t.Parallel()
	if os.Getenv(scenarioVar) == "none" {
		if Available(t.Context()) {
			t.Error("a tray host was found without a bus")
		}
		err := Run(t.Context(), Config{Agent: &mailAgent{Agent: &controltest.Agent{}}, Text: text.New("en"), Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, ErrNoHost) {
			t.Errorf("Run = %v, want ErrNoHost", err)
		}
		return
	}
	for _, address := range []string{"unix:path=/nonexistent/bus", "nonsense", ""} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWithoutABus$")
		cmd.Env = []string{scenarioVar + "=none", "HOME=" + t.TempDir(), "XDG_RUNTIME_DIR=" + t.TempDir(), "DBUS_SESSION_BUS_ADDRESS=" + address}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("address %q: %v\n%s", address, err, out)
		}
	}
}

// watcher is a panel as small as it can be. Like KDE's and Xfce's it keeps an item once.
type watcher struct {
	conn  *dbus.Conn
	props *prop.Properties
	mu    sync.Mutex
	items []string
	came  chan string
}

// RegisterStatusNotifierItem is called over the bus.
func (w *watcher) RegisterStatusNotifierItem(service string, sender dbus.Sender) *dbus.Error {
	id := service + itemPath
	if strings.HasPrefix(service, "/") {
		id = string(sender) + service
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.items, id) {
		return nil
	}
	w.items = append(w.items, id)
	w.props.SetMust(watcherName, "RegisteredStatusNotifierItems", slices.Clone(w.items))
	w.came <- id
	return nil
}

func startWatcher(t *testing.T) *watcher {
	t.Helper()
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w := &watcher{conn: conn, came: make(chan string, 8)}
	w.props, err = prop.Export(conn, watcherPath, prop.Map{watcherName: {
		"RegisteredStatusNotifierItems":  {Value: []string{}, Emit: prop.EmitTrue},
		"IsStatusNotifierHostRegistered": {Value: true, Emit: prop.EmitTrue},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Export(w, watcherPath, watcherName); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(watcherName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("request name: %v, %v", reply, err)
	}
	return w
}

// registered waits for an item and returns it.
func (w *watcher) registered(t *testing.T) string {
	t.Helper()
	select {
	case id := <-w.came:
		return id
	case <-time.After(10 * time.Second):
		t.Fatal("no icon was registered")
		return ""
	}
}

// entry is one menu item as the bus tells it.
type entry struct {
	id      int32
	label   string
	visible bool
	enabled bool
	depth   int
}

// menuOf reads the item's menu over the bus, as a panel does.
func (w *watcher) menuOf(t *testing.T, item string) []entry {
	t.Helper()
	type layout struct {
		ID    int32
		Props map[string]dbus.Variant
		Kids  []dbus.Variant
	}
	dest, _, _ := strings.Cut(item, "/")
	var revision uint32
	var root layout
	call := w.conn.Object(dest, itemPath+"/menu").Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{})
	if err := call.Store(&revision, &root); err != nil {
		t.Fatal(err)
	}
	var all []entry
	var walk func(layout, int)
	walk = func(l layout, depth int) {
		for _, k := range l.Kids {
			var c layout
			if err := dbus.Store([]any{k.Value()}, &c); err != nil {
				t.Fatal(err)
			}
			e := entry{id: c.ID, visible: true, enabled: true, depth: depth}
			for name, to := range map[string]any{"label": &e.label, "visible": &e.visible, "enabled": &e.enabled} {
				if v, ok := c.Props[name]; ok {
					if err := v.Store(to); err != nil {
						t.Fatal(err)
					}
				}
			}
			all = append(all, e)
			walk(c, depth+1)
		}
	}
	walk(root, 0)
	return all
}

// menu is menuOf a second time: the library answers the first question without submenus.
func (w *watcher) menu(t *testing.T, item string) []entry {
	t.Helper()
	w.menuOf(t, item)
	return w.menuOf(t, item)
}

// labels returns what a person sees: disabled items in parentheses, submenus indented.
func labels(entries []entry) []string {
	var seen []string
	for _, e := range entries {
		switch {
		case !e.visible || e.label == "":
		case !e.enabled:
			seen = append(seen, strings.Repeat(" ", e.depth)+"("+e.label+")")
		default:
			seen = append(seen, strings.Repeat(" ", e.depth)+e.label)
		}
	}
	return seen
}

func (w *watcher) click(t *testing.T, item, label string) {
	t.Helper()
	dest, _, _ := strings.Cut(item, "/")
	for _, e := range w.menu(t, item) {
		if e.label == label && e.visible && e.enabled {
			err := w.conn.Object(dest, itemPath+"/menu").Call("com.canonical.dbusmenu.Event", 0, e.id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %q to click in %q", label, labels(w.menu(t, item)))
}

// eventually waits until the menu looks as wanted: a change travels over the bus.
func (w *watcher) eventually(t *testing.T, item string, want []string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := labels(w.menu(t, item))
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("menu is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func (w *watcher) property(t *testing.T, item, name string) any {
	t.Helper()
	dest, _, _ := strings.Cut(item, "/")
	v, err := w.conn.Object(dest, itemPath).GetProperty("org.kde.StatusNotifierItem." + name)
	if err != nil {
		t.Fatal(err)
	}
	return v.Value()
}

// running is a tray at work.
type running struct {
	agent  *mailAgent
	opened chan string
	ended  chan error
}

// runTray runs the tray until the agent is stopped or the test ends.
func runTray(t *testing.T) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{agent: &mailAgent{Agent: &controltest.Agent{Stopped: cancel}}, opened: make(chan string, 1), ended: make(chan error, 1)}
	r.agent.Set(signedIn(control.Status{State: control.UpToDate}))
	go func() {
		r.ended <- Run(ctx, Config{
			Agent: r.agent, Text: text.New("en"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: func() time.Time { return now },
			Open: func(_ context.Context, url string) error { r.opened <- url; return nil },
		})
	}()
	t.Cleanup(cancel)
	return r
}

func (r *running) told(t *testing.T, call string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := r.agent.Await(ctx, call); err != nil {
		t.Fatal(err)
	}
}

func (r *running) endsWell(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Run did not end")
	}
}

var upToDateMenu = []string{"(Up to date)", "(Last success: Salesforce 09:58, mailbox 24 Nov, 09:00)", "Check now",
	"Pause", " For 30 minutes", " For 2 hours", " Until tomorrow", " Until I resume", "Open Salesforce", "Quit Hawser"}

// menuScenario reads the menu and clicks through it.
func menuScenario(t *testing.T) {
	w := startWatcher(t)
	if !Available(t.Context()) {
		t.Error("a panel is there, but Available says no")
	}
	r := runTray(t)
	item := w.registered(t)
	w.eventually(t, item, upToDateMenu)
	if tip := fmt.Sprint(w.property(t, item, "ToolTip")); !strings.Contains(tip, "Hawser: Up to date") {
		t.Errorf("tooltip %q", tip)
	}
	before := fmt.Sprint(w.property(t, item, "IconPixmap"))

	w.click(t, item, "Check now")
	r.told(t, "check")
	w.click(t, item, "Open Salesforce")
	if url := <-r.opened; url != "https://acme.my.site.com" {
		t.Errorf("opened %q", url)
	}
	w.click(t, item, "For 30 minutes")
	r.told(t, "pause 2026-11-25T10:30:00Z")
	w.eventually(t, item, []string{"(Paused until 10:30)", upToDateMenu[1], "(Check now)", "Resume", "Open Salesforce", "Quit Hawser"})
	if after := fmt.Sprint(w.property(t, item, "IconPixmap")); after == before {
		t.Error("the icon did not change with the state")
	}
	w.click(t, item, "Resume")
	r.told(t, "resume")
	w.eventually(t, item, upToDateMenu)
	w.click(t, item, "Until tomorrow")
	r.told(t, "pause 2026-11-26T00:00:00Z")
	w.click(t, item, "Resume")
	w.eventually(t, item, upToDateMenu)
	w.click(t, item, "Until I resume")
	r.told(t, "pause")

	r.agent.Set(control.Status{State: control.NeedsSignIn, Which: "mail"})
	w.eventually(t, item, []string{"(Sign in to your mailbox to go on)", "Sign in to your mailbox …", "(Check now)",
		"Pause", " For 30 minutes", " For 2 hours", " Until tomorrow", " Until I resume", "Quit Hawser"})
	w.click(t, item, "Sign in to your mailbox …")
	r.told(t, "signin mail")
	w.click(t, item, "Quit Hawser")
	r.told(t, "stop")
	r.endsWell(t)
}

// lateScenario starts the panel after the tray.
func lateScenario(t *testing.T) {
	if Available(t.Context()) {
		t.Error("Available says yes without a panel")
	}
	r := runTray(t)
	select {
	case err := <-r.ended:
		t.Fatalf("Run ended without a panel: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	w := startWatcher(t)
	w.eventually(t, w.registered(t), upToDateMenu)
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

// restartScenario ends the panel and starts it again, after a signal on the shared connection that
// makes systray's own watch for panels end.
func restartScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	w.registered(t)

	shared, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	if err := shared.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.Secret.Prompt")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // systray begins to listen after it registered
	if err := w.conn.Emit("/prompt", "org.freedesktop.Secret.Prompt.Completed", false, dbus.MakeVariant("")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.conn.Close()
		w = startWatcher(t)
		item := w.registered(t)
		w.eventually(t, item, upToDateMenu)
		time.Sleep(settleTime + 200*time.Millisecond)
		if w.mu.Lock(); len(w.items) != 1 {
			t.Errorf("icons after a restart: %q", w.items)
		}
		w.mu.Unlock()
	}
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

// busLostScenario cuts the connection that systray uses.
func busLostScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	w.registered(t)
	shared, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	shared.Close()
	select {
	case err := <-r.ended:
		if !errors.Is(err, errBusLost) {
			t.Errorf("Run = %v, want errBusLost", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Run goes on without a bus")
	}
}

// idleScenario says its process id when the tray is up, and then does nothing until it is told to
// end: what it would measure itself would be its own measuring.
func idleScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	w.eventually(t, w.registered(t), upToDateMenu)
	fmt.Printf("\nidle %d\n", os.Getpid())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

func TestIdleTrayDoesNotWake(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), busRunner(t), "--", os.Args[0], "-test.run=^TestOnARealBus$", "-test.v")
	cmd.Env = scenarioEnv("idle")
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	pid := 0
	lines := bufio.NewScanner(out)
	for pid == 0 && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "idle %d", &pid) // other lines are the test's own
	}
	if pid == 0 {
		t.Fatal("the idle tray did not start")
	}
	time.Sleep(4 * time.Second) // the garbage of the start is cleared away
	before := switches(t, pid)
	time.Sleep(4 * time.Second)
	n := switches(t, pid) - before
	t.Logf("%d context switches in 4 s", n)
	if n > 4 {
		t.Errorf("an idle tray woke %d times in 4 s", n)
	}
	in.Close()
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// switches returns how often the threads of a process went to sleep so far.
func switches(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of %d: %v", pid, err)
	}
	sum := 0
	for _, task := range tasks {
		raw, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that ended
		}
		for line := range strings.Lines(string(raw)) {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}

// TestClicksReachTheirSlot guards the pairing that the whole menu depends on.
func TestClicksReachTheirSlot(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	item := &systray.MenuItem{ClickedCh: make(chan struct{})}
	clicks, done := make(chan Slot), make(chan struct{})
	go func() { forward(ctx, item.ClickedCh, Check, clicks); close(done) }()
	item.ClickedCh <- struct{}{}
	if got := <-clicks; got != Check {
		t.Errorf("slot %d, want %d", got, Check)
	}
	cancel()
	<-done
}
