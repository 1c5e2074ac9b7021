package agent_test

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"
	itemPath    = "/StatusNotifierItem"
	itemName    = "org.kde.StatusNotifierItem"
	menuPath    = "/StatusNotifierItem/menu"
	menuName    = "com.canonical.dbusmenu"
)

// panel is a desktop's panel as small as it can be: it takes icons and reads their menus.
type panel struct {
	conn *dbus.Conn
	mu   sync.Mutex
	came []string // who registered an icon
}

// RegisterStatusNotifierItem is called over the bus.
func (p *panel) RegisterStatusNotifierItem(_ string, sender dbus.Sender) *dbus.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came = append(p.came, string(sender))
	return nil
}

func startPanel(t testing.TB, address string) *panel {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p := &panel{conn: conn}
	_, err = prop.Export(conn, watcherPath, prop.Map{watcherName: {
		"RegisteredStatusNotifierItems":  {Value: []string{}, Emit: prop.EmitTrue},
		"IsStatusNotifierHostRegistered": {Value: true, Emit: prop.EmitTrue},
	}})
	if err == nil {
		err = conn.Export(p, watcherPath, watcherName)
	}
	if err == nil {
		_, err = conn.RequestName(watcherName, dbus.NameFlagDoNotQueue)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// icons returns how many icons were registered, and by whom last.
func (p *panel) icons() (n int, last string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n = len(p.came); n > 0 {
		last = p.came[n-1]
	}
	return n, last
}

// menu returns the labels of the last icon's menu with their ids.
func (p *panel) menu() map[string]int32 {
	type layout struct {
		ID    int32
		Props map[string]dbus.Variant
		Kids  []dbus.Variant
	}
	n, owner := p.icons()
	if n == 0 {
		return nil
	}
	var revision uint32
	var top layout
	labels := map[string]int32{}
	call := p.conn.Object(owner, menuPath).Call(menuName+".GetLayout", 0, int32(0), int32(-1), []string{})
	if call.Store(&revision, &top) != nil {
		return nil
	}
	for _, kid := range top.Kids {
		var item layout
		if dbus.Store([]any{kid.Value()}, &item) == nil {
			label, _ := item.Props["label"].Value().(string)
			labels[label] = item.ID
		}
	}
	return labels
}

func (p *panel) click(id int32) error {
	_, owner := p.icons()
	return p.conn.Object(owner, menuPath).Call(menuName+".Event", 0, id, "clicked", dbus.MakeVariant(""), uint32(0)).Err
}

// awaitLabel waits until the menu has an item whose label begins so.
func (p *panel) awaitLabel(t *testing.T, begin string) int32 {
	t.Helper()
	var id int32
	waitFor(t, 20*time.Second, "the menu item "+begin, func() bool {
		for label, at := range p.menu() {
			if strings.HasPrefix(label, begin) {
				id = at
				return true
			}
		}
		return false
	})
	return id
}

// launchWithIcon runs the agent as a desktop does.
func (u *user) launchWithIcon() {
	u.t.Helper()
	u.proc = exec.Command(u.binary, "run")
	u.proc.Env = u.env
	u.proc.Stderr = u.stderr
	if err := u.proc.Start(); err != nil {
		u.t.Fatal(err)
	}
	exited := make(chan struct{})
	u.exited = exited
	go func(p *exec.Cmd) { _ = p.Wait(); close(exited) }(u.proc)
}

// TestIconOutlivesItsAgent: after an unbinding the same icon shows and steers the next agent.
func TestIconOutlivesItsAgent(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := startPanel(t, s.user.address())
	s.user.launchWithIcon()
	p.awaitLabel(t, "Sign in to Salesforce")
	s.signIn()
	p.awaitLabel(t, "Up to date")
	if out, code := s.user.run("unbind", "--yes"); code != 0 {
		t.Fatalf("unbind: %s", out)
	}
	p.awaitLabel(t, "Sign in to Salesforce")
	if n, _ := p.icons(); n != 1 {
		t.Errorf("%d icons were registered", n)
	}
	waitFor(t, 10*time.Second, "the next agent", func() bool {
		got, err := s.user.statusErr()
		return err == nil && got.Mail.Bound == ""
	})
	s.signIn()
	p.awaitLabel(t, "Up to date")
	if err := p.click(p.awaitLabel(t, "Quit")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 10*time.Second, "the end", func() bool {
		select {
		case <-s.user.exited:
			return true
		default:
			return false
		}
	})
	s.user.proc = nil
}

// TestA44IconSaysWhy: with a locked key store the icon says so, and the agent begins once it opens.
func TestA44IconSaysWhy(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	address := lockedBus(t, s.user.home)
	for i, v := range s.user.env {
		if strings.HasPrefix(v, "DBUS_SESSION_BUS_ADDRESS=") {
			s.user.env[i] = "DBUS_SESSION_BUS_ADDRESS=" + address
		}
	}
	p := startPanel(t, address)
	s.user.launchWithIcon()
	p.awaitLabel(t, "This computer's password store is locked")
	if err := p.click(p.awaitLabel(t, "Quit")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 10*time.Second, "the end", func() bool {
		select {
		case <-s.user.exited:
			return true
		default:
			return false
		}
	})
	s.user.proc = nil
}

// address is where the user's session bus listens.
func (u *user) address() string {
	for _, v := range u.env {
		if address, ok := strings.CutPrefix(v, "DBUS_SESSION_BUS_ADDRESS="); ok {
			return address
		}
	}
	return ""
}
