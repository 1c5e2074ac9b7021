package desktop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"hawser/sync/leaktest"
)

// TestMain fails the package when a goroutine outlives its tests.
func TestMain(m *testing.M) { os.Exit(leaktest.Run(m.Run)) }

// startBus runs a real bus that any service may join, and returns its address.
func startBus(t *testing.T, env ...string) string {
	t.Helper()
	// Not with the test's context: that ends before those who listen are told to end.
	cmd := exec.Command(tool(t, "dbus-daemon", "dbus"), "--session", "--nofork", "--print-address")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return strings.TrimSpace(line)
}

// join connects a service to a bus.
func join(t *testing.T, address string, names ...string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(address)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	for _, name := range names {
		if reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
			t.Fatalf("%s: %v, %v", name, reply, err)
		}
	}
	return conn
}

const sessionPath = dbus.ObjectPath("/org/freedesktop/login1/session/_32")

// login is logind as far as Hawser asks it.
type login struct {
	conn  *dbus.Conn
	props *prop.Properties
}

// GetSession is called over the bus.
func (l *login) GetSession(id string) (dbus.ObjectPath, *dbus.Error) {
	if id != "auto" {
		return "", dbus.MakeFailedError(errors.New("no such session"))
	}
	return sessionPath, nil
}

func startLogin(t *testing.T, address string, locked bool) *login {
	t.Helper()
	l := &login{conn: join(t, address)}
	must(t, l.conn.Export(l, loginPath, loginManager))
	var err error
	l.props, err = prop.Export(l.conn, sessionPath, prop.Map{loginSession: {"LockedHint": {Value: locked, Emit: prop.EmitTrue}}})
	must(t, err)
	_, err = l.conn.RequestName(loginName, dbus.NameFlagDoNotQueue)
	must(t, err)
	return l
}

// heard collects events.
type heard struct {
	events chan Event
	ended  chan error
	cancel context.CancelFunc
	first  Event // what ready heard, and may have provoked more than once
}

func listen(t *testing.T, at addresses) *heard {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h := &heard{events: make(chan Event, 64), ended: make(chan error, 1), cancel: cancel}
	go func() { h.ended <- watch(ctx, at, func(e Event) { h.events <- e }) }()
	t.Cleanup(cancel)
	return h
}

func (h *heard) next(t *testing.T, want Event) {
	t.Helper()
	for {
		select {
		case got := <-h.events:
			if got == h.first {
				continue
			}
			if h.first = ""; got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
			return
		case err := <-h.ended:
			t.Fatalf("ended instead of %s: %v", want, err)
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing heard, want %s", want)
		}
	}
}

// ready waits until the listener hears: it repeats a signal that changes nothing else.
func (h *heard) ready(t *testing.T, provoke func(), first Event) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		provoke()
		select {
		case got := <-h.events:
			if got != first {
				t.Fatalf("heard %s, want %s", got, first)
			}
			h.first = first
			return
		case err := <-h.ended:
			t.Fatalf("ended: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatal("the listener never heard anything")
}

func (h *heard) endsWell(t *testing.T) {
	t.Helper()
	h.cancel()
	select {
	case err := <-h.ended:
		if err != nil {
			t.Errorf("watch: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("watch goes on")
	}
	select {
	case e := <-h.events:
		t.Errorf("and %s", e)
	default:
	}
}

// TestSleepLockAndNetwork hears what logind, NetworkManager and a screen saver say, each thing once.
func TestSleepLockAndNetwork(t *testing.T) {
	t.Parallel()
	system, session := startBus(t), startBus(t)
	l := startLogin(t, system, false)
	nm := join(t, system)
	props, err := prop.Export(nm, networkPath, prop.Map{networkName: {
		"State":             {Value: uint32(70), Emit: prop.EmitTrue},
		"PrimaryConnection": {Value: dbus.ObjectPath("/a/1"), Emit: prop.EmitTrue},
	}})
	must(t, err)
	_, err = nm.RequestName(networkName, dbus.NameFlagDoNotQueue)
	must(t, err)
	saver := join(t, session, "org.freedesktop.ScreenSaver")
	emit := func(c *dbus.Conn, path dbus.ObjectPath, name string, body ...any) {
		t.Helper()
		must(t, c.Emit(path, name, body...))
	}

	h := listen(t, addresses{system, session})
	h.ready(t, func() { emit(l.conn, loginPath, loginManager+".PrepareForSleep", true) }, Sleep)
	emit(l.conn, loginPath, loginManager+".PrepareForSleep", true)
	emit(l.conn, loginPath, loginManager+".PrepareForSleep", false)
	h.next(t, Wake)
	emit(l.conn, sessionPath, loginSession+".Lock")
	h.next(t, Locked)
	l.props.SetMust(loginSession, "LockedHint", true)
	emit(l.conn, sessionPath, loginSession+".Unlock")
	h.next(t, Unlocked)
	l.props.SetMust(loginSession, "LockedHint", false)
	l.props.SetMust(loginSession, "LockedHint", true)
	h.next(t, Locked)
	l.props.SetMust(loginSession, "LockedHint", false)
	h.next(t, Unlocked)
	emit(l.conn, "/org/freedesktop/login1/session/_33", loginSession+".Lock") // somebody else's
	emit(nm, networkPath, networkName+".StateChanged", uint32(20))
	h.next(t, Offline)
	emit(nm, networkPath, networkName+".StateChanged", uint32(40))
	emit(nm, networkPath, networkName+".StateChanged", uint32(70))
	h.next(t, Online)
	emit(nm, networkPath, networkName+".StateChanged", uint32(70))
	props.SetMust(networkName, "PrimaryConnection", dbus.ObjectPath("/a/2"))
	h.next(t, Online) // another network
	h.ready(t, func() { emit(saver, "/org/freedesktop/ScreenSaver", "org.freedesktop.ScreenSaver.ActiveChanged", true) }, Locked)
	emit(saver, "/org/freedesktop/ScreenSaver", "org.freedesktop.ScreenSaver.ActiveChanged", false)
	h.next(t, Unlocked)
	h.endsWell(t)
}

// saverTwin is a screen saver that is on.
type saverTwin struct{}

// GetActive is called over the bus.
func (saverTwin) GetActive() (bool, *dbus.Error) { return true, nil }

// TestLockedBefore: a session that was locked before the agent started is locked.
func TestLockedBefore(t *testing.T) {
	t.Parallel()
	system, session := startBus(t), startBus(t)
	startLogin(t, system, true)
	h := listen(t, addresses{system, session})
	h.next(t, Locked)
	h.endsWell(t)

	saver := join(t, session, "org.gnome.ScreenSaver")
	must(t, saver.Export(saverTwin{}, "/org/gnome/ScreenSaver", "org.gnome.ScreenSaver"))
	h = listen(t, addresses{"unix:path=/nonexistent", session})
	h.next(t, Locked)
	h.endsWell(t)
}

// TestBusesGone: without buses the kernel is heard, and the end of all buses is not the end of the agent.
func TestBusesGone(t *testing.T) {
	t.Parallel()
	h := listen(t, addresses{"unix:path=/nonexistent", "unix:path=/nonexistent"})
	h.endsWell(t)
}

// netnsVar marks the child that has a network of its own.
const netnsVar = "HAWSER_DESKTOP_NETNS"

// TestNetworkWithoutAService changes the routes of a network namespace.
func TestNetworkWithoutAService(t *testing.T) {
	t.Parallel()
	ip := tool(t, "ip", "iproute2")
	if os.Getenv(netnsVar) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNetworkWithoutAService$", "-test.v")
		cmd.Env = append(os.Environ(), netnsVar+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
			t.Skip("no network namespaces here")
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	run := func(words string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), ip, strings.Fields(words)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", words, err, out)
		}
	}
	run("link set lo up") // every kernel has it
	run("address add 192.0.2.2/32 dev lo")
	h := listen(t, addresses{"unix:path=/nonexistent", "unix:path=/nonexistent"})
	by := 0
	h.ready(t, func() { by++; run(fmt.Sprintf("route replace default via 203.0.113.%d dev lo onlink", 10+by)) }, Online)
	run("route del default")
	h.next(t, Offline)
	run("route add 198.51.100.0/24 dev lo") // not the way out
	run("route add default dev lo")
	h.next(t, Online)
	run("route replace default dev lo") // said again
	run("route replace default via 203.0.113.1 dev lo onlink")
	h.next(t, Online) // another network
	run("link set lo down")
	h.next(t, Offline)
	h.endsWell(t)
}

// TestForgedRouteMessages: what is cut or lies about its size is no route.
func TestForgedRouteMessages(t *testing.T) {
	t.Parallel()
	whole := make([]byte, 40)
	whole[0], whole[4] = 40, 24 // RTM_NEWROUTE, to everywhere
	if !news(whole) {
		t.Error("a default route is not seen")
	}
	for size := range whole {
		if news(whole[:size]) {
			t.Errorf("a message of %d bytes is one", size)
		}
	}
	for _, size := range []byte{0, 1, 15, 27, 255} {
		forged := slices.Clone(whole)
		forged[0] = size
		if news(forged) {
			t.Errorf("a message that says %d bytes is one", size)
		}
	}
}

// answer serves launchers until the test ends, and returns what they ask for.
func answer(t *testing.T, address string) <-chan Request {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	requests, ended := make(chan Request, 16), make(chan error, 1)
	go func() { ended <- serve(ctx, address, func(_ context.Context, r Request) { requests <- r }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	client := join(t, address)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var there bool
		must(t, client.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, ID).Store(&there))
		if there {
			return requests
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody answers launchers")
		}
	}
}

func nextRequest(t *testing.T, from <-chan Request, action Action, link string) {
	t.Helper()
	select {
	case r := <-from:
		if r.Action != action || r.Link.Reveal() != link {
			t.Errorf("asked for %s with %q, want %s with %q", r.Action, r.Link.Reveal(), action, link)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("nobody asked for %s", action)
	}
}

// TestJ02LauncherAndLinks lets a desktop's own tools start the launcher, its actions and a link: all
// of it comes to the running agent over the bus, and nothing in the arguments of a program.
func TestJ02LauncherAndLinks(t *testing.T) {
	t.Parallel()
	gio, validate := tool(t, "gio", "libglib2.0-bin"), tool(t, "desktop-file-validate", "desktop-file-utils")
	tool(t, "update-desktop-database", "desktop-file-utils")
	p := newPlace(t)
	p.Program = program(t, filepath.Join(p.Home, "Häwser neu", "hawser"))
	must(t, NewLauncher(p).Install())
	entry := filepath.Join(p.DataHome, "applications", ID+".desktop")
	if out, err := exec.CommandContext(t.Context(), validate, entry).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("desktop-file-validate: %v\n%s", err, out)
	}
	address := startBus(t)
	requests := answer(t, address)
	desktop := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), gio, args...)
		cmd.Env = append(os.Environ(), "HOME="+p.Home, "XDG_DATA_HOME="+p.DataHome, "XDG_CONFIG_HOME="+p.ConfigHome, "DBUS_SESSION_BUS_ADDRESS="+address)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("gio %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := desktop("mime", "x-scheme-handler/hawser"); !strings.Contains(out, ID+".desktop") {
		t.Errorf("links open with %s", out)
	}
	desktop("open", goodLink)
	nextRequest(t, requests, ActOpen, goodLink)
	client := join(t, address).Object(ID, appPath)
	none := map[string]dbus.Variant{}
	for range 5 { // five clicks on the launcher
		must(t, client.Call(appIface+".Activate", 0, none).Err)
		nextRequest(t, requests, ActOpen, "")
	}
	for _, action := range []Action{ActCapture, ActCheck, ActPause} { // what GNOME's shell calls
		must(t, client.Call(appIface+".ActivateAction", 0, string(action), []dbus.Variant{}, none).Err)
		nextRequest(t, requests, action, "")
	}
	for _, raw := range evilLinks {
		if strings.ContainsRune(raw, 0) {
			continue // the bus refuses it itself
		}
		if err := client.Call(appIface+".Open", 0, []string{raw}, none).Err; err == nil {
			t.Errorf("%.80q passed", raw)
		}
	}
	for name, err := range map[string]error{
		"no such action": client.Call(appIface+".ActivateAction", 0, "wipe", []dbus.Variant{}, none).Err,
		"two links":      client.Call(appIface+".Open", 0, []string{goodLink, goodLink}, none).Err,
	} {
		if err == nil {
			t.Errorf("%s passed", name)
		}
	}
	select {
	case r := <-requests:
		t.Errorf("asked for %v", r)
	default:
	}
	if _, err := os.Stat(p.Program + ".started"); err == nil {
		t.Error("a program was started")
	}
	desktop("launch", entry) // a launcher that knows nothing of the bus
	if args := started(t, p.Program); args != "open" {
		t.Errorf("started with %q", args)
	}
}

// TestJ04SecondAgentOnTheBus: the name belongs to one.
func TestJ04SecondAgentOnTheBus(t *testing.T) {
	t.Parallel()
	address := startBus(t)
	answer(t, address)
	if err := serve(t.Context(), address, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("a second one: %v", err)
	}
	if err := serve(t.Context(), "unix:path=/nonexistent", nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("without a bus: %v", err)
	}
}

// TestBusStartsTheAgent: a launcher's click starts the program through the bus when none runs.
func TestBusStartsTheAgent(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.Program = program(t, filepath.Join(p.Home, "Häwser neu", "hawser"))
	must(t, NewLauncher(p).Install())
	address := startBus(t, "XDG_DATA_HOME="+p.DataHome)
	call := join(t, address).Object(ID, appPath).Go(appIface+".Activate", 0, nil, map[string]dbus.Variant{})
	if args := started(t, p.Program); args != "run" {
		t.Errorf("started with %q", args)
	}
	_ = call // the script never answers; the connection ends with the test
	must(t, NewLauncher(p).Remove())
	for path := range (launcher{p}).files() {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s stays", path)
		}
	}
}

// TestLauncherOfAPackage: files of a package count, until the package is removed.
func TestLauncherOfAPackage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	must(t, NewLauncher(p).Install())
	shared := program(t, filepath.Join(p.Home, "usr/bin/hawser"))
	must(t, writeFile(filepath.Join(p.DataDirs[0], "applications", ID+".desktop"), fmt.Sprintf("[Desktop Entry]\nExec=%s open %%u\n", shared)))
	must(t, NewLauncher(p).Install())
	own := filepath.Join(p.DataHome, "applications", ID+".desktop")
	if _, err := os.Stat(own); err == nil {
		t.Error("our own entry hides the package's")
	}
	must(t, os.Remove(shared))
	must(t, NewLauncher(p).Install())
	before, err := os.Stat(own)
	must(t, err)
	must(t, NewLauncher(p).Install())
	if after, err := os.Stat(own); err != nil || !os.SameFile(before, after) {
		t.Errorf("a start writes the same anew: %v", err)
	}
	p.Program = program(t, filepath.Join(p.Home, "moved", "hawser"))
	must(t, NewLauncher(p).Install())
	if e, err := readEntry(own); err != nil || e.program() != p.Program {
		t.Errorf("after a move it starts %q, %v", e.program(), err)
	}
}
