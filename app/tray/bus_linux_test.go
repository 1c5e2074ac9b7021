package tray

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/systray"
	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/app/text"
	"hawser/assets"
	"hawser/sync/fault"
)

// scenarioVar names, in a child process, the scenario to play. Each needs a process and a bus of
// its own: systray can be run once, and keeps its state in the package.
const scenarioVar = "HAWSER_TRAY_SCENARIO"

var scenarios = map[string]func(*testing.T){
	"menu": menuScenario, "J08-pause": pauseScenario, "J01-states": statesScenario, "recent": recentScenario, "silent-panel": silentScenario, "colours": coloursScenario,
	"J03-late": lateScenario, "J03-restart": restartScenario, "J02-no-host": noHostScenario, "bus-lost": busLostScenario, "idle": idleScenario,
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
			e.label = strings.ReplaceAll(e.label, "__", "_") // a single one marks an access key
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
	noHost chan struct{}
	clock  atomic.Int64 // how far the time has gone on, nanoseconds
}

// runTray runs the tray until the agent is stopped or the test ends.
func runTray(t *testing.T) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{agent: &mailAgent{Agent: &controltest.Agent{Stopped: cancel}}, opened: make(chan string, 1), ended: make(chan error, 1), noHost: make(chan struct{}, 2)}
	r.agent.inbox = []control.Mail{
		{Ref: "1", From: "Ann <ann@example.com>", Subject: "Offer_1"}, {Ref: "2", From: "Ann <ann@example.com>", Subject: "Offer_2"},
	}
	r.agent.Set(signedIn(control.Status{State: control.UpToDate}))
	go func() {
		r.ended <- Run(ctx, Config{
			Agent: r.agent, Text: text.New("en"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: func() time.Time { return now.Add(time.Duration(r.clock.Load())) },
			NoHost: func() { r.noHost <- struct{}{} }, Patience: 300 * time.Millisecond,
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

var upToDateMenu = []string{"(Up to date)", "(Last success: Salesforce 09:58, mailbox 24 Nov, 09:00)",
	"Recent mails", " (Click a mail to save it to Salesforce)", " Offer_1 · Ann", " Offer_2 · Ann",
	"Open Hawser", "Capture …", "Check now",
	"Pause", " For 30 minutes", " For 2 hours", " Until tomorrow", " Until I resume", "Open Salesforce", "Help", "Quit Hawser"}

// changed returns the up-to-date menu with other lines: old, new, old, new...
func changed(pairs ...string) []string {
	menu := slices.Clone(upToDateMenu)
	for i := 0; i < len(pairs); i += 2 {
		menu[slices.Index(menu, pairs[i])] = pairs[i+1]
	}
	return menu
}

// menuScenario reads the menu and clicks through it.
func menuScenario(t *testing.T) {
	w := startWatcher(t)
	if !Available(t.Context()) {
		t.Error("a panel is there, but Available says no")
	}
	r := runTray(t)
	item := w.registered(t)
	w.eventually(t, item, upToDateMenu)
	for label, call := range map[string]string{
		"Check now": "check", "Open Hawser": "open home", "Capture …": "open capture", "Help": "open help",
	} {
		w.click(t, item, label)
		r.told(t, call)
	}
	w.click(t, item, "Open Salesforce")
	if url := <-r.opened; url != "https://acme.my.site.com" {
		t.Errorf("opened %q", url)
	}

	s := r.agent.Status()
	s.State, s.Counts.NeedsYou = control.NeedsYou, 2
	r.agent.Set(s)
	w.eventually(t, item, slices.Insert(changed("(Up to date)", "(2 mails need you)"), 8, "Needs you (2)"))
	w.click(t, item, "Needs you (2)")
	r.told(t, "open activity")

	r.agent.Set(control.Status{State: control.NeedsSignIn, Which: "mail"})
	w.eventually(t, item, []string{"(Sign in to your mailbox to go on)", "Sign in to your mailbox …", "Open Hawser", "(Check now)",
		"Pause", " For 30 minutes", " For 2 hours", " Until tomorrow", " Until I resume", "Help", "Quit Hawser"})
	w.click(t, item, "Sign in to your mailbox …")
	r.told(t, "signin mail")
	w.click(t, item, "Quit Hawser")
	r.told(t, "stop")
	r.endsWell(t)
}

// pauseScenario clicks each pause (row J08: the agent keeps it over a restart and ends it).
func pauseScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	item := w.registered(t)
	w.eventually(t, item, upToDateMenu)
	paused := func(until string) []string {
		menu := changed("(Up to date)", "("+until+")", "Check now", "(Check now)", "Pause", "Resume")
		return slices.DeleteFunc(menu, func(line string) bool { return slices.Contains(upToDateMenu[10:14], line) })
	}
	for _, p := range []struct{ click, call, headline string }{
		{"For 30 minutes", "pause 2026-11-25T10:30:00Z", "Paused until 10:30"},
		{"For 2 hours", "pause 2026-11-25T12:00:00Z", "Paused until 12:00"},
		{"Until tomorrow", "pause 2026-11-26T00:00:00Z", "Paused until 26 Nov, 00:00"},
		{"Until I resume", "pause", "Paused until you resume"},
	} {
		w.click(t, item, p.click)
		r.told(t, p.call)
		w.eventually(t, item, paused(p.headline))
		w.click(t, item, "Resume")
		w.eventually(t, item, upToDateMenu)
	}
	w.click(t, item, "For 30 minutes")
	w.eventually(t, item, paused("Paused until 10:30"))
	r.agent.Set(signedIn(control.Status{State: control.UpToDate})) // it ended by itself
	w.eventually(t, item, upToDateMenu)
	w.click(t, item, "Quit Hawser")
	r.endsWell(t)
}

// statesScenario drives every state: six pictures, and a tooltip that says the state.
func statesScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	item := w.registered(t)
	pictures := map[string]string{}
	for _, s := range statuses {
		r.agent.Set(s)
		m := View(s, Inbox{}, text.New("en"), now)
		deadline := time.Now().Add(10 * time.Second)
		for !strings.Contains(fmt.Sprint(w.property(t, item, "ToolTip")), m.Tooltip) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: tooltip %v, want %q", s.State, w.property(t, item, "ToolTip"), m.Tooltip)
			}
			time.Sleep(10 * time.Millisecond)
		}
		w.waitPicture(t, item, m.Icon, pictures)
	}
	if len(pictures) != 6 {
		t.Errorf("%d pictures, want six", len(pictures))
	}
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

// waitPicture waits until the panel gets the picture of a state, the same each time and unlike all
// others: it comes a moment after the tooltip.
func (w *watcher) waitPicture(t *testing.T, item, state string, pictures map[string]string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := fmt.Sprint(w.property(t, item, "IconPixmap"))
		known, seen := pictures[state]
		others := maps.Clone(pictures)
		delete(others, state)
		if (!seen || got == known) && !slices.Contains(slices.Collect(maps.Values(others)), got) {
			pictures[state] = got
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has the wrong picture", state)
		}
	}
}

// open tells the menu that it is shown, as panels do.
func (w *watcher) open(t *testing.T, item string) {
	t.Helper()
	dest, _, _ := strings.Cut(item, "/")
	err := w.conn.Object(dest, itemPath+"/menu").Call("com.canonical.dbusmenu.Event", 0, int32(0), "opened", dbus.MakeVariant(int32(0)), uint32(0)).Err
	if err != nil {
		t.Fatal(err)
	}
}

// settle waits until clicks on lines that have just changed count.
func settle() { time.Sleep(settledTime + 50*time.Millisecond) }

// recentScenario captures mails from the menu and takes one back (row C02's short way).
func recentScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	item := w.registered(t)
	w.eventually(t, item, upToDateMenu)
	settle()
	w.click(t, item, "Offer_1 · Ann")
	r.told(t, `capture ["1"]`)
	w.eventually(t, item, changed(" Offer_1 · Ann", " Undo: Offer_1"))
	w.click(t, item, "Undo: Offer_1")
	w.eventually(t, item, upToDateMenu)
	w.click(t, item, "Offer_1 · Ann")
	w.eventually(t, item, changed(" Offer_1 · Ann", " Undo: Offer_1"))
	count := func() {
		s := r.agent.Status()
		s.Counts.Captured++
		r.agent.Set(s)
	}
	r.mail(t, "1", "captured")
	count()
	w.eventually(t, item, changed(" Offer_1 · Ann", " Undo: Offer_1"))
	r.clock.Store(int64(2 * time.Minute))
	w.open(t, item)
	w.eventually(t, item, changed(" Offer_1 · Ann", " Remove from Salesforce: Offer_1"))
	w.click(t, item, "Remove from Salesforce: Offer_1")
	w.eventually(t, item, upToDateMenu)

	r.agent.mu.Lock()
	r.agent.fault = fault.MailGone
	r.agent.mu.Unlock()
	w.click(t, item, "Offer_2 · Ann")
	w.eventually(t, item, changed(" Offer_2 · Ann", " Not done, try again: Offer_2"))
	r.agent.mu.Lock()
	r.agent.fault = ""
	r.agent.mu.Unlock()
	w.click(t, item, "Not done, try again: Offer_2")
	w.eventually(t, item, changed(" Offer_2 · Ann", " Undo: Offer_2"))
	r.mail(t, "2", "held")
	count()
	w.eventually(t, item, changed(" Offer_2 · Ann", " Needs you: Offer_2"))
	w.click(t, item, "Needs you: Offer_2")
	r.told(t, "open activity")
	r.readingsScenario(t, w, item)
}

// readingsScenario: the mailbox is read when the numbers of mails changed or the menu is opened,
// and for nothing else; a mail that has just come under the mouse is not captured.
func (r *running) readingsScenario(t *testing.T, w *watcher, item string) {
	t.Helper()
	asked := func() int {
		r.agent.mu.Lock()
		defer r.agent.mu.Unlock()
		return r.agent.asked
	}
	before := asked()
	for i := range 20 {
		s := r.agent.Status()
		s.Mail.LastSuccess = now.Add(time.Duration(i) * time.Minute)
		r.agent.Set(s)
		w.eventually(t, item, changed(" Offer_2 · Ann", " Needs you: Offer_2", upToDateMenu[1], "("+View(s, Inbox{}, text.New("en"), now).Items[ShowSuccess].Label+")"))
	}
	if n := asked() - before; n != 0 {
		t.Errorf("the mailbox was read %d times although nothing came", n)
	}
	r.agent.mu.Lock()
	r.agent.inbox = append([]control.Mail{{Ref: "3", From: "Eve <eve@example.com>", Subject: "Fresh"}}, r.agent.inbox...)
	r.agent.mu.Unlock()
	w.open(t, item)
	for deadline := time.Now().Add(10 * time.Second); !slices.Contains(labels(w.menuOf(t, item)), " Fresh · Eve"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new mail is not listed")
		}
	}
	w.click(t, item, "Fresh · Eve") // meant for what was there
	settle()
	for _, call := range r.agent.Calls() {
		if call == `capture ["3"]` {
			t.Error("a mail that came under the mouse was captured")
		}
	}
	w.click(t, item, "Fresh · Eve")
	r.told(t, `capture ["3"]`)
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

// silentScenario has a panel that never says that the menu is opened: a mail that came is listed when
// the agent has gone through the mailbox.
func silentScenario(t *testing.T) {
	w := startWatcher(t)
	r := runTray(t)
	item := w.registered(t)
	w.eventually(t, item, upToDateMenu)
	r.agent.mu.Lock()
	r.agent.inbox = append([]control.Mail{{Ref: "3", From: "Eve <eve@example.com>", Subject: "Fresh"}}, r.agent.inbox...)
	r.agent.mu.Unlock()
	s := r.agent.Status()
	s.Mail.LastSuccess = s.Mail.LastSuccess.Add(time.Second)
	r.agent.Set(s)
	w.eventually(t, item, slices.Insert(slices.Clone(upToDateMenu), 4, " Fresh · Eve"))
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

// mail gives a mail of the inbox another state.
func (r *running) mail(t *testing.T, ref, state string) {
	t.Helper()
	if err := r.agent.set(ref, state); err != nil {
		t.Fatal(err)
	}
}

// portal is the settings portal of a desktop as far as the icon asks it.
type portal struct{ scheme uint32 }

// Read is called over the bus. The portal wraps its answer twice.
func (p portal) Read(space, key string) (dbus.Variant, *dbus.Error) {
	if space != lookSpace || key != lookKey {
		return dbus.Variant{}, dbus.MakeFailedError(errors.New("not found"))
	}
	return dbus.MakeVariant(dbus.MakeVariant(p.scheme)), nil
}

// coloursScenario starts on a dark desktop that becomes a light one.
func coloursScenario(t *testing.T) {
	w := startWatcher(t)
	if err := w.conn.Export(portal{preferDark}, portalPath, settingsName); err != nil {
		t.Fatal(err)
	}
	if _, err := w.conn.RequestName(portalName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	r := runTray(t)
	item := w.registered(t)
	looks := func(variant string) {
		t.Helper()
		raw, err := assets.Icon("up-to-date", variant)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			pixels, _ := w.property(t, item, "IconPixmap").([][]any)
			if len(pixels) == 1 {
				if shown, _ := pixels[0][2].([]byte); sameAt(shown, img) {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("the icon is not the %s one", variant)
			}
		}
	}
	looks(assets.IconDark)
	for _, step := range []struct {
		scheme  uint32
		variant string
	}{{2, assets.IconLight}, {1, assets.IconDark}, {0, assets.IconLight}} {
		if err := w.conn.Emit(portalPath, settingsName+".SettingChanged", lookSpace, lookKey, dbus.MakeVariant(step.scheme)); err != nil {
			t.Fatal(err)
		}
		looks(step.variant)
	}
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
}

// sameAt compares the middle row of a picture as the bus tells it (ARGB, 48 by 48) with a picture.
func sameAt(shown []byte, img image.Image) bool {
	if len(shown) != 48*48*4 {
		return false
	}
	for x := range 48 {
		r, g, b, a := img.At(x, 24).RGBA()
		at := (24*48 + x) * 4
		if !bytes.Equal(shown[at:at+4], []byte{byte(a), byte(r), byte(g), byte(b)}) {
			return false
		}
	}
	return true
}

// noHostScenario waits for a panel that does not come, until one does.
func noHostScenario(t *testing.T) {
	r := runTray(t)
	select {
	case <-r.noHost:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody said that there is no panel")
	}
	w := startWatcher(t)
	w.eventually(t, w.registered(t), upToDateMenu)
	if err := r.agent.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.endsWell(t)
	if len(r.noHost) != 0 {
		t.Error("it was said twice")
	}
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
