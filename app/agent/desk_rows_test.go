package agent_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"hawser/app/control"
	"hawser/app/desktop"
	"hawser/assets"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest/dovecottest"
)

// pictures are those of row J01, in the shape that panels get.
var pictures = []string{"up-to-date", "working", "paused", "offline", "sign-in", "needs-you"}

// tooltip is what the panel shows when the mouse is over the icon.
func (p *panel) tooltip() string {
	_, owner := p.icons()
	v, err := p.conn.Object(owner, itemPath).GetProperty(itemName + ".ToolTip")
	if err != nil {
		return ""
	}
	parts, _ := v.Value().([]any) // icon name, icon, title, text
	if len(parts) < 3 {
		return ""
	}
	title, _ := parts[2].(string)
	return title
}

// picture is the state whose drawing the panel shows, and no other's; "" for none.
func (p *panel) picture(t testing.TB) string {
	t.Helper()
	_, owner := p.icons()
	v, err := p.conn.Object(owner, itemPath).GetProperty(itemName + ".IconPixmap")
	if err != nil {
		return ""
	}
	pixmaps, _ := v.Value().([][]any) // width, height, ARGB
	if len(pixmaps) != 1 {
		return ""
	}
	shown, _ := pixmaps[0][2].([]byte)
	var same []string
	for _, state := range pictures {
		for _, variant := range []string{assets.IconLight, assets.IconDark} {
			if bytes.Equal(shape(t, state, variant), opaque(shown)) {
				same = append(same, state)
			}
		}
	}
	if same = slices.Compact(same); len(same) != 1 {
		return ""
	}
	return same[0]
}

// opaque keeps of ARGB pixels what makes the shape: how much each covers.
func opaque(argb []byte) []byte {
	var out []byte
	for i := 0; i+3 < len(argb); i += 4 {
		out = append(out, argb[i])
	}
	return out
}

func shape(t testing.TB, state, variant string) []byte {
	t.Helper()
	raw, err := assets.Icon(state, variant)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			_, _, _, a := img.At(x, y).RGBA()
			out = append(out, byte(a>>8))
		}
	}
	return out
}

// shows waits until the icon has the picture of a state and a tooltip that begins so.
func (p *panel) shows(t testing.TB, state, begin string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		picture, said := p.picture(t), p.tooltip()
		if picture == state && strings.HasPrefix(said, "Hawser: "+begin) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the icon shows %q, %q; want %q, %q", picture, said, state, begin)
		}
	}
}

// linked puts a link that can be cut between the agent and Salesforce.
func (s *scene) linked() *dovecottest.Proxy {
	s.t.Helper()
	at, err := url.Parse(s.site)
	if err != nil {
		s.t.Fatal(err)
	}
	link := dovecottest.NewProxy(s.t, "127.0.0.1:"+at.Port())
	_, port, _ := net.SplitHostPort(link.Addr)
	s.settings(func(c map[string]map[string]any) {
		c["salesforce"]["site"] = "http://localhost:" + port + salesforcetest.SitePath
		c["trust"]["hosts"] = []string{"localhost:" + port, "127.0.0.1:" + port}
	})
	return link
}

// TestJ01SixStates brings the real agent into each state, most of them by what its Salesforce does: the
// icon has the shape of that state, and the tooltip says it.
func TestJ01SixStates(t *testing.T) {
	s := bareScene(t, nil)
	link := s.linked()
	p := startPanel(t, s.user.address())
	s.user.launchWithIcon()
	p.awaitLabel(t, "Sign in to Salesforce")
	p.shows(t, "sign-in", "Sign in to Salesforce to go on")
	s.signIn()
	p.shows(t, "up-to-date", "Up to date")

	s.org.Delay(3 * time.Second)
	s.mark("slow")
	p.shows(t, "working", "Working")
	s.org.Delay(0)
	s.saved("slow")
	p.shows(t, "up-to-date", "Up to date")

	if err := p.click(p.within(t, "Pause", "For 30 minutes")); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "paused", "Paused until ")
	if err := p.click(p.awaitLabel(t, "Resume")); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "up-to-date", "Up to date")

	link.Cut()
	s.mark("cut off")
	p.shows(t, "offline", "Offline; mails wait on this computer")
	link.Heal()
	s.check()
	s.saved("slow", "cut off")
	p.shows(t, "up-to-date", "Up to date")

	for _, name := range []string{"Bob One", "Bob Two"} {
		s.org.AddContact(name, "bob@twins.example", "")
	}
	s.receive("Salesforce", mailOf{subject: "whose", from: "bob@twins.example"})
	p.shows(t, "needs-you", "1 mail needs you")
	if out, code := s.user.run("queue", "skip", fmt.Sprint(s.queue("--state", "needs-you")[0].ID)); code != 0 {
		t.Fatal(out)
	}
	p.shows(t, "up-to-date", "Up to date")

	s.org.Revoke(salesforcetest.DefaultUsername)
	s.mark("too late")
	p.shows(t, "sign-in", "Sign in to Salesforce to go on")
}

// within opens a submenu and returns the item in it.
func (p *panel) within(t testing.TB, menu, label string) int32 {
	t.Helper()
	var id int32
	waitFor(t, 20*time.Second, label, func() bool { id = p.below(menu)[label]; return id != 0 })
	return id
}

// TestJ03PanelComesLate starts the agent before there is a panel, and the panel twice more: each has
// the icon within a minute.
func TestJ03PanelComesLate(t *testing.T) {
	s := bareScene(t, nil)
	s.user.launchWithIcon()
	waitFor(t, 20*time.Second, "the agent", func() bool { _, err := s.user.statusErr(); return err == nil })
	for range 3 {
		p := startPanel(t, s.user.address())
		began := time.Now()
		waitFor(t, time.Minute, "the icon", func() bool { n, _ := p.icons(); return n > 0 })
		p.shows(t, "sign-in", "Sign in to Salesforce to go on")
		p.awaitLabel(t, "Sign in to Salesforce")
		t.Logf("the icon came %v after the panel", time.Since(began))
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJ08PauseOutlivesRestart pauses in the icon's menu and restarts: the pause stands, until the same
// time, and nothing is saved. One that ends while the agent runs again ends by itself.
func TestJ08PauseOutlivesRestart(t *testing.T) {
	s, p, _ := deskScene(t)
	if err := p.click(p.within(t, "Pause", "For 2 hours")); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "paused", "Paused until ")
	said, until := p.tooltip(), s.user.status().Until
	if in := time.Until(until); in < 119*time.Minute || in > 2*time.Hour {
		t.Errorf("paused for %v", in)
	}
	again := func() {
		t.Helper()
		n, _ := p.icons()
		s.user.kill()
		s.user.launchWithIcon()
		waitFor(t, 20*time.Second, "the icon", func() bool { now, _ := p.icons(); return now > n })
	}
	s.mark("meanwhile")
	again()
	p.shows(t, "paused", "Paused until ")
	if now := s.user.status().Until; p.tooltip() != said || !now.Equal(until.Truncate(time.Second)) && !now.Equal(until) {
		t.Errorf("paused until %v, and after a restart until %v; %q, %q", until, now, said, p.tooltip())
	}
	if err := p.click(p.awaitLabel(t, "Resume")); err != nil {
		t.Fatal(err)
	}
	s.saved("meanwhile")
	p.shows(t, "up-to-date", "Up to date")

	c, err := s.user.client(t.Context())
	if err == nil {
		err = c.Pause(t.Context(), time.Now().Add(6*time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.mark("soon")
	again()
	if len(s.subjects()) != 1 {
		t.Errorf("saved %q in a pause", s.subjects())
	}
	s.saved("meanwhile", "soon")
	p.shows(t, "up-to-date", "Up to date")
}

// TestJ09MovedAndStartedAtLogin turns start at login on, renames the program's folder, starts it from
// there once, and logs in: the desktop starts it from where it is.
func TestJ09MovedAndStartedAtLogin(t *testing.T) {
	needs(t, "dex")
	s := bareScene(t, nil)
	folder, moved := filepath.Join(s.user.home, "Hawser 1"), filepath.Join(s.user.home, "Hawser 2")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	shipped := s.user.binary
	s.user.binary = filepath.Join(folder, "hawser")
	if err := os.Link(shipped, s.user.binary); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.user.home, ".config/autostart", desktop.ID+".desktop")
	starts := func() string { raw, _ := os.ReadFile(file); return string(raw) }
	value := func() string {
		var all []control.Setting
		s.user.ask(&all, "settings")
		return all[slices.IndexFunc(all, func(o control.Setting) bool { return o.Key == control.SetStartAtLogin })].Value
	}
	s.user.launchWithIcon()
	waitFor(t, 20*time.Second, "the agent", func() bool { _, err := s.user.statusErr(); return err == nil })
	if value() != "off" || starts() != "" {
		t.Errorf("a new computer: %s, %s", value(), starts())
	}
	s.mustRun(t, "settings", "set", "start-at-login", "on")
	if value() != "on" || !strings.Contains(starts(), folder) {
		t.Errorf("turned on: %s, %s", value(), starts())
	}
	s.user.kill()
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	s.user.binary = filepath.Join(moved, "hawser")
	s.user.launchWithIcon()
	waitFor(t, 20*time.Second, "the entry to follow", func() bool { return strings.Contains(starts(), moved) && !strings.Contains(starts(), folder) })
	waitFor(t, 20*time.Second, "the switch", func() bool { _, err := s.user.statusErr(); return err == nil && value() == "on" })
	s.user.kill()

	login := exec.CommandContext(t.Context(), "dex", "--autostart", "--environment", "GNOME")
	login.Env = append(slices.Clone(s.user.env), "XDG_CONFIG_HOME="+filepath.Join(s.user.home, ".config"), "XDG_CONFIG_DIRS="+s.user.home)
	if err := login.Run(); err != nil { // what it prints would be waited for as long as the agent runs
		t.Fatalf("dex: %v", err)
	}
	waitFor(t, 30*time.Second, "the agent after a login", func() bool { _, err := s.user.statusErr(); return err == nil })
	s.mustRun(t, "stop")
}

// TestJ02J04NoPlaceForAnIcon runs the agent on a desktop without a panel: no window comes by itself, one
// notice tells it, once; starting it again and again shows the one window, as the launcher's actions do.
func TestJ02J04NoPlaceForAnIcon(t *testing.T) {
	s := bareScene(t, nil)
	x := startScreen(t, s.user.env)
	s.user.env = x.env
	dir := installed(t)
	self, err := os.Executable()
	if err == nil { // a copy: the window is looked for beside it
		err = exec.CommandContext(t.Context(), "cp", self, filepath.Join(dir, "impatient")).Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := startBubbles(t, s.user.address())
	s.user.binary = filepath.Join(dir, "hawser")
	s.user.launchImpatient(dir)
	waitFor(t, 30*time.Second, "the note", func() bool { return len(b.shown()) > 0 })
	time.Sleep(time.Second)
	if all := x.windows(); len(all) != 0 {
		t.Errorf("%d windows came by themselves", len(all))
	}
	if all := b.shown(); len(all) != 1 || all[0].title != "Hawser runs without an icon" || !strings.Contains(all[0].body, "menu of programs") {
		t.Errorf("notices %+v", all)
	}

	first := ""
	for range 4 { // and the first makes five
		if out, code := s.user.run("run"); code != 0 {
			t.Fatalf("another start: %d %s", code, out)
		}
		id := x.window()
		if first != "" && id != first {
			t.Errorf("window %s, then %s", first, id)
		}
		first = id
	}
	if _, err := x.do("key", "ctrl+w"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "the window to close", func() bool { return len(x.windows()) == 0 })

	s.user.kill()
	s.user.launchImpatient(dir)
	waitFor(t, 20*time.Second, "the agent", func() bool { _, err := s.user.statusErr(); return err == nil })
	time.Sleep(4 * time.Second)
	if n := len(b.shown()); n != 1 {
		t.Errorf("told %d times that there is no place for an icon", n)
	}
	s.user.kill()
	s.launcherWorks(x, b)
}

// launcherWorks starts the shipped agent and does what a desktop does with the launcher's entry.
func (s *scene) launcherWorks(x *screen, b *bubbles) {
	t := s.t
	t.Helper()
	s.user.launchWithIcon()
	waitFor(t, 20*time.Second, "the agent", func() bool { _, err := s.user.statusErr(); return err == nil })
	s.signIn()
	entry, err := os.ReadFile(filepath.Join(s.user.home, ".local/share/applications", desktop.ID+".desktop"))
	if err != nil || !strings.Contains(string(entry), "Actions=open;capture;check;pause;") || !strings.Contains(string(entry), "[Desktop Action pause]") ||
		!strings.Contains(string(entry), s.user.binary) {
		t.Errorf("the launcher's entry: %v\n%s", err, entry)
	}
	launcher := b.conn.Object(desktop.ID, "/"+dbus.ObjectPath(strings.ReplaceAll(desktop.ID, ".", "/")))
	for _, action := range []string{"pause", "capture"} {
		if err := launcher.Call("org.freedesktop.Application.ActivateAction", 0, action, []dbus.Variant{}, map[string]dbus.Variant{}).Err; err != nil {
			t.Errorf("action %s: %v", action, err)
		}
	}
	x.window()
	if st := s.user.status(); st.State != control.Paused || time.Until(st.Until) < time.Hour {
		t.Errorf("after the launcher's pause: %+v", st)
	}
}

// launchImpatient runs the agent that gives a panel little time.
func (u *user) launchImpatient(dir string) {
	u.t.Helper()
	u.proc = exec.Command(filepath.Join(dir, "impatient"))
	u.proc.Env = append(slices.Clone(u.env), impatientVar+"=1")
	u.proc.Stderr = u.stderr
	if err := u.proc.Start(); err != nil {
		u.t.Fatal(err)
	}
	exited := make(chan struct{})
	u.exited = exited
	go func(p *exec.Cmd) { _ = p.Wait(); close(exited) }(u.proc)
}
