package agent_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"hawser/app/control"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

const (
	bubbleName = "org.freedesktop.Notifications"
	bubblePath = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// bubbles is a notification daemon that notes what it is asked to show.
type bubbles struct {
	conn *dbus.Conn
	mu   sync.Mutex
	all  []bubble
}

type bubble struct {
	replaces    uint32
	title, body string
	actions     []string
}

// GetCapabilities is called over the bus.
func (b *bubbles) GetCapabilities() ([]string, *dbus.Error) { return []string{"body", "actions"}, nil }

// Notify is called over the bus. Its parameters are the specification's.
func (b *bubbles) Notify(_ string, replaces uint32, _, title, body string, actions []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, bubble{replaces, title, body, actions})
	if replaces != 0 {
		return replaces, nil
	}
	return uint32(len(b.all)), nil
}

// CloseNotification is called over the bus.
func (b *bubbles) CloseNotification(uint32) *dbus.Error { return nil }

func startBubbles(t *testing.T, address string) *bubbles {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := &bubbles{conn: conn}
	if err := conn.Export(b, bubblePath, bubbleName); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(bubbleName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bubbles) shown() []bubble {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// deskScene is a scene with a panel and a notification daemon, signed in on both sides.
func deskScene(t *testing.T) (*scene, *panel, *bubbles) {
	t.Helper()
	s := bareScene(t, nil)
	p, b := startPanel(t, s.user.address()), startBubbles(t, s.user.address())
	s.user.launchWithIcon()
	p.awaitLabel(t, "Sign in to Salesforce")
	s.signIn()
	p.awaitLabel(t, "Up to date")
	return s, p, b
}

// recent returns the labels below "Recent mails" with their ids.
func (p *panel) recent() map[string]int32 { return p.below("Recent mails") }

// below returns the labels of a submenu with their ids.
func (p *panel) below(menu string) map[string]int32 {
	type layout struct {
		ID    int32
		Props map[string]dbus.Variant
		Kids  []dbus.Variant
	}
	_, owner := p.icons()
	var revision uint32
	var top layout
	labels := map[string]int32{}
	call := p.conn.Object(owner, menuPath).Call(menuName+".GetLayout", 0, p.menu()[menu], int32(-1), []string{})
	if call.Store(&revision, &top) != nil {
		return nil
	}
	for _, kid := range top.Kids {
		var item layout
		if dbus.Store([]any{kid.Value()}, &item) == nil && item.Props["visible"].Value() != false {
			label, _ := item.Props["label"].Value().(string)
			labels[label] = item.ID
		}
	}
	return labels
}

// clickRecent opens the menu, waits for a line and clicks it once it counts.
func (p *panel) clickRecent(t *testing.T, label string) {
	t.Helper()
	_, owner := p.icons()
	opened := p.conn.Object(owner, menuPath).Call(menuName+".Event", 0, int32(0), "opened", dbus.MakeVariant(""), uint32(0))
	if opened.Err != nil {
		t.Fatal(opened.Err)
	}
	waitFor(t, 20*time.Second, fmt.Sprintf("%q in %v", label, p.recent()), func() bool { return p.recent()[label] != 0 })
	time.Sleep(600 * time.Millisecond) // a line that has just come under the mouse does not count
	if err := p.click(p.recent()[label]); err != nil {
		t.Fatal(err)
	}
}

// TestC02FromTheIcon: a mail of the inbox is saved by one click in the icon's menu, and the click
// that takes it back removes its record, and only that.
func TestC02FromTheIcon(t *testing.T) {
	s, p, _ := deskScene(t)
	s.dovecot.Append(t, mailUser, "INBOX", letter("another one"))
	s.dovecot.Append(t, mailUser, "INBOX", letter("an_offer"))
	line := ""
	_, owner := p.icons()
	waitFor(t, 30*time.Second, "the mail in the menu", func() bool {
		_ = p.conn.Object(owner, menuPath).Call(menuName+".Event", 0, int32(0), "opened", dbus.MakeVariant(""), uint32(0)).Err
		for label := range p.recent() {
			if strings.HasPrefix(label, "an__offer · ") {
				line = label
			}
		}
		return line != ""
	})
	p.clickRecent(t, line)
	s.saved("an_offer")
	p.clickRecent(t, "Undo: an__offer")
	waitFor(t, 20*time.Second, "the record to go", func() bool { return len(s.org.Records("EmailMessage")) == 0 })
	waitFor(t, 20*time.Second, "the mail as before", func() bool { return p.recent()[line] != 0 })
	p.clickRecent(t, line)
	s.saved("an_offer")
}

// press is a click on a button of a notice.
func (b *bubbles) press(t *testing.T, notice uint32, button string) {
	t.Helper()
	if err := b.conn.Emit(bubblePath, bubbleName+".ActionInvoked", notice, button); err != nil {
		t.Fatal(err)
	}
}

// browserOf is a browser that notes where it was sent, for a person to go on.
func (u *user) browserOf() (sentTo func() string) {
	u.t.Helper()
	script, note := filepath.Join(u.home, "browser"), filepath.Join(u.home, "sent-to")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$1\" > "+note+"\n"), 0o700); err != nil {
		u.t.Fatal(err)
	}
	u.env = append(u.env, "BROWSER="+script)
	return func() string {
		raw, _ := os.ReadFile(note) // not yet
		return strings.TrimSpace(string(raw))
	}
}

// firstRefusal is when Salesforce refused the agent for the first time.
func (s *scene) firstRefusal() time.Time {
	for _, c := range s.org.CallLog() {
		if c.Status == http.StatusUnauthorized || c.Status == http.StatusBadRequest && strings.HasSuffix(c.Path, "/token") {
			return c.Time
		}
	}
	s.t.Error("Salesforce refused nothing")
	return time.Now()
}

// TestJ07SignInExpired: the sign-in is revoked. The icon says so within a minute of the first refusal,
// one notice has a button that signs in, nothing is lost, and the end replaces the notice.
func TestJ07SignInExpired(t *testing.T) {
	s := bareScene(t, nil)
	sentTo := s.user.browserOf()
	p, b := startPanel(t, s.user.address()), startBubbles(t, s.user.address())
	s.user.launchWithIcon()
	p.awaitLabel(t, "Sign in to Salesforce")
	s.signIn()
	p.shows(t, "up-to-date", "Up to date")
	s.mark("first")
	s.saved("first")
	s.org.ForgetCalls()
	s.org.Revoke(salesforcetest.DefaultUsername)
	for i := range 20 {
		s.mark(fmt.Sprintf("meanwhile %d", i))
	}
	p.shows(t, "sign-in", "Sign in to Salesforce to go on")
	if late := time.Since(s.firstRefusal()); late > time.Minute {
		t.Errorf("the icon changed %v after the first refusal", late)
	}
	s.trouble(control.NeedsSignIn, "salesforce", fault.TokenRevoked)
	p.awaitLabel(t, "Sign in to Salesforce to go on")
	waitFor(t, 20*time.Second, "the notice", func() bool { return len(b.shown()) > 0 })
	s.until(20*time.Second, "the mails to wait", func(st control.Status) bool { return st.Counts.Waiting == 20 })
	all := b.shown()
	if len(all) != 1 || all[0].title != "Sign in to Salesforce again" || !slices.Contains(all[0].actions, "sign-in") {
		t.Fatalf("notices %+v", all)
	}

	before := sentTo() // nothing was opened for the first sign-in, whose address the test took
	b.press(t, 1, "sign-in")
	waitFor(t, 20*time.Second, "the browser", func() bool { return sentTo() != before })
	if err := approves("salesforce")(t.Context(), sentTo()); err != nil {
		t.Fatal(err)
	}
	want := []string{"first"}
	for i := range 20 {
		want = append(want, fmt.Sprintf("meanwhile %d", i))
	}
	s.saved(want...)
	waitFor(t, 20*time.Second, "the good news", func() bool { return len(b.shown()) > 1 })
	if all = b.shown(); len(all) != 2 || all[1].replaces != 1 || all[1].title != "Signed in to Salesforce again" {
		t.Errorf("notices %+v", all)
	}
	p.shows(t, "up-to-date", "Up to date")
}

// TestJ04FiveStarts: whoever starts the program again and again has one agent and one icon.
func TestJ04FiveStarts(t *testing.T) {
	s := bareScene(t, nil)
	p := startPanel(t, s.user.address())
	s.user.launchWithIcon()
	p.awaitLabel(t, "Sign in to Salesforce")
	for range 4 {
		again := exec.CommandContext(t.Context(), s.user.binary, "run")
		again.Env = s.user.env
		ended := make(chan string, 1)
		go func() {
			out, _ := again.CombinedOutput() // it ends with a code when there is no window to show
			ended <- string(out)
		}()
		select {
		case out := <-ended:
			if code := again.ProcessState.ExitCode(); code != 0 && !strings.Contains(out, string(fault.AlreadyRunning)) {
				t.Errorf("another start: exit code %d\n%s", code, out)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("another start runs on")
		}
	}
	if n, _ := p.icons(); n != 1 {
		t.Errorf("%d icons were registered", n)
	}
	select {
	case <-s.user.exited:
		t.Error("the first agent is gone")
	default:
	}
	s.user.status()
}
