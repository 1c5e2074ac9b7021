package desktop

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool finds a program that a test needs.
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

// newPlace returns the place of a program in a folder with a name that needs quoting.
func newPlace(t *testing.T) Place {
	t.Helper()
	home := t.TempDir()
	return Place{
		Program: program(t, filepath.Join(home, "Häwser $1 `50%` \"x\" \\ (neu)", "hawser")), ConfigHome: filepath.Join(home, ".config"),
		ConfigDirs: []string{filepath.Join(home, "etc")}, DataHome: filepath.Join(home, ".local/share"), DataDirs: []string{filepath.Join(home, "usr")},
		Desktops: []string{"GNOME"}, Home: home,
	}
}

// program writes a program that notes beside itself what it was started with.
func program(t *testing.T, path string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\" > \"$0.new\" && mv \"$0.new\" \"$0.started\"\n"), 0o700))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// started waits for what the program was started with.
func started(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if raw, err := os.ReadFile(path + ".started"); err == nil {
			must(t, os.Remove(path+".started"))
			return strings.TrimSpace(string(raw))
		}
	}
	t.Fatalf("%s was not started", path)
	return ""
}

func is(t *testing.T, a Autostart, what string, want State) {
	t.Helper()
	got, err := a.Get()
	if err != nil || got != want {
		t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
	}
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	if !strings.Contains(string(raw), old) {
		t.Fatalf("no %q in %s", old, raw)
	}
	must(t, os.WriteFile(path, []byte(strings.Replace(string(raw), old, new, 1)), 0o600))
}

// TestJ09SwitchReflectsReality: what people do in their desktop's own settings counts.
func TestJ09SwitchReflectsReality(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	a := xdgAutostart{p}
	on := State{On: true, Program: p.Program}
	is(t, a, "a new computer", State{})
	must(t, a.Set(false))
	is(t, a, "off before it was on", State{})
	for _, by := range []struct{ old, new string }{
		{"X-GNOME-Autostart-enabled=true", "X-GNOME-Autostart-enabled=false"}, // GNOME's tweaks
		{"Terminal=false", "Terminal=false\nHidden=true"},                     // Xfce, KDE
		{"Terminal=false", "NotShowIn=KDE;GNOME;"},
		{"Terminal=false", "OnlyShowIn=XFCE;"},
	} {
		must(t, a.Set(true))
		is(t, a, "on", on)
		edit(t, a.own(), by.old, by.new)
		is(t, a, by.new, State{Program: p.Program})
		if repaired, err := a.Repair(); repaired || err != nil {
			t.Errorf("%s: was turned on again: %v", by.new, err)
		}
	}
	must(t, a.Set(true))
	edit(t, a.own(), "Terminal=false", "OnlyShowIn=XFCE;GNOME;")
	is(t, a, "shown in this desktop", on)
	must(t, a.Set(false))
	is(t, a, "off", State{})
}

// TestJ09SurvivesAMove: the program's folder is renamed.
func TestJ09SurvivesAMove(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	a := xdgAutostart{p}
	must(t, a.Set(true))
	edit(t, a.own(), "Terminal=false", "Terminal=false\nX-GNOME-Autostart-Delay=20")
	moved := p
	moved.Program = filepath.Join(p.Home, "elsewhere", "hawser")
	must(t, os.Rename(filepath.Dir(p.Program), filepath.Dir(moved.Program)))
	b := xdgAutostart{moved}
	is(t, b, "moved", State{Program: p.Program, Moved: true})
	if repaired, err := b.Repair(); !repaired || err != nil {
		t.Fatalf("repair: %t, %v", repaired, err)
	}
	is(t, b, "repaired", State{On: true, Program: moved.Program})
	if e, err := readEntry(b.own()); err != nil || e["X-GNOME-Autostart-Delay"] != "20" {
		t.Errorf("the person's own delay is lost: %v, %v", e, err)
	}
	if repaired, err := b.Repair(); repaired || err != nil {
		t.Errorf("repaired twice: %v", err)
	}
	other := moved
	other.Program = program(t, filepath.Join(p.Home, "second", "hawser"))
	if repaired, err := (xdgAutostart{other}).Repair(); repaired || err != nil {
		t.Errorf("took over from a program that is there: %v", err)
	}
}

// TestJ09SharedEntry: a package starts Hawser for all users of a computer.
func TestJ09SharedEntry(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	a := xdgAutostart{p}
	shared := program(t, filepath.Join(p.Home, "usr/bin/hawser"))
	must(t, writeFile(filepath.Join(p.ConfigDirs[0], "autostart", ID+".desktop"), "[Desktop Entry]\nType=Application\nName=Hawser\nExec="+shared+" run\n"))
	is(t, a, "installed", State{On: true, Program: shared, Shared: true})
	must(t, a.Set(false))
	is(t, a, "off for this user", State{})
	must(t, a.Set(true))
	is(t, a, "on again", State{On: true, Program: shared, Shared: true})
	if _, err := os.Stat(a.own()); err == nil {
		t.Error("two entries start it")
	}
	must(t, os.Remove(shared))
	is(t, a, "uninstalled", State{Program: shared, Shared: true, Moved: true})
	must(t, a.Set(true))
	is(t, a, "this program instead", State{On: true, Program: p.Program})
}

// TestJ09LoginStartsIt lets a real starter of autostart entries read ours.
func TestJ09LoginStartsIt(t *testing.T) {
	t.Parallel()
	dex, validate := tool(t, "dex", "dex"), tool(t, "desktop-file-validate", "desktop-file-utils")
	p := newPlace(t)
	a := xdgAutostart{p}
	login := func() {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), dex, "--autostart", "--environment", "GNOME")
		cmd.Env = append(os.Environ(), "HOME="+p.Home, "XDG_CONFIG_HOME="+p.ConfigHome, "XDG_CONFIG_DIRS="+p.ConfigDirs[0])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("dex: %v\n%s", err, out)
		}
	}
	must(t, a.Set(true))
	if out, err := exec.CommandContext(t.Context(), validate, a.own()).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("desktop-file-validate: %v\n%s", err, out)
	}
	// dex takes a leading quote and a per cent sign for more than the specification does, so that it
	// gets a path with spaces and letters alone; desktop-file-validate has seen the other one.
	p.Program = program(t, filepath.Join(p.Home, "Häwser neu", "hawser"))
	a.place = p
	must(t, a.Set(true))
	login()
	if args := started(t, p.Program); args != "run" {
		t.Errorf("started with %q", args)
	}
	must(t, a.Set(false))
	must(t, writeFile(a.own(), "[Desktop Entry]\nType=Application\nName=Hawser\nHidden=true\n"))
	login()
	must(t, os.Remove(a.own()))
	must(t, a.Set(true))
	must(t, os.Rename(filepath.Dir(p.Program), filepath.Join(p.Home, "moved")))
	login() // nothing is there to start
	if _, err := os.Stat(filepath.Join(p.Home, "moved", "hawser.started")); err == nil {
		t.Error("started although it was off or gone")
	}
}

// TestExecQuoting: what is written is what is read, whatever is in a path.
func TestExecQuoting(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/usr/bin/hawser", "/a b/h", `/q"u/h`, "/100%/h", `/back\slash/h`, "/$HOME/`id`/h", "/Ä/🙂", "/a;b&c|d/h", `/\n/h`} {
		a := xdgAutostart{Place{Program: path, ConfigHome: t.TempDir()}}
		must(t, a.Set(true))
		e, err := readEntry(a.own())
		if err != nil || e.program() != path || e["TryExec"] != path {
			t.Errorf("%q reads as %q and %q, %v", path, e.program(), e["TryExec"], err)
		}
	}
}

// registryTwin is a hive in memory.
type registryTwin map[string]string

func (r registryTwin) text(key, name string) (string, error) { return r[key+"|"+name], nil }
func (r registryTwin) raw(key, name string) ([]byte, error)  { return []byte(r[key+"|"+name]), nil }
func (r registryTwin) setText(key, name, value string) error {
	r[key+"|"+name] = value
	return nil
}
func (r registryTwin) remove(key, name string) error {
	delete(r, key+"|"+name)
	return nil
}

// TestJ09RunKey plays what Windows, Task Manager and an installer do to the registry.
func TestJ09RunKey(t *testing.T) {
	t.Parallel()
	there := map[string]bool{`C:\Program Files\Hawser\hawser.exe`: true}
	own, all := registryTwin{}, registryTwin{}
	a := runAutostart{program: `C:\Program Files\Hawser\hawser.exe`, own: own, all: all, exists: func(p string) bool { return there[p] }}
	on := State{On: true, Program: a.program}
	is(t, a, "a new computer", State{})
	must(t, a.Set(true))
	is(t, a, "on", on)
	if line := own[runKey+"|Hawser"]; line != `"C:\Program Files\Hawser\hawser.exe" run` {
		t.Errorf("Windows would run %q", line)
	}
	own[approvedKey+"|Hawser"] = "\x03\x00\x00\x00\x12\x34\x56\x78\x9a\xbc\xde\x01" // Task Manager
	is(t, a, "turned off in Task Manager", State{Program: a.program})
	if repaired, err := a.Repair(); repaired || err != nil {
		t.Errorf("was turned on again: %v", err)
	}
	own[approvedKey+"|Hawser"] = "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	is(t, a, "turned on in Task Manager", on)
	own[approvedKey+"|Hawser"] = "\x03"
	must(t, a.Set(true))
	is(t, a, "turned on here", on)

	old := a.program
	a.program = `D:\Hawser\hawser.exe`
	delete(there, old)
	there[a.program] = true
	is(t, a, "moved", State{Program: old, Moved: true})
	if repaired, err := a.Repair(); !repaired || err != nil {
		t.Errorf("repair: %t, %v", repaired, err)
	}
	is(t, a, "repaired", State{On: true, Program: a.program})
	must(t, a.Set(false))
	is(t, a, "off", State{})

	all[runKey+"|Hawser"] = `D:\Hawser\hawser.exe run`
	is(t, a, "by an installer", State{On: true, Program: a.program, Shared: true})
	if err := a.Set(false); err == nil || !strings.Contains(err.Error(), ErrShared.Error()) {
		t.Errorf("turned off for all: %v", err)
	}
	must(t, registerLinks(own, a.program))
	if got := own[classesKey+`\shell\open\command|`]; got != `"D:\Hawser\hawser.exe" open "%1"` {
		t.Errorf("links start %q", got)
	}
}

// TestJ09LaunchAgent plays macOS.
func TestJ09LaunchAgent(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	off := false
	a := agentAutostart{place: p, disabled: func() (bool, error) { return off, nil }, enable: func() error { off = false; return nil }}
	is(t, a, "a new computer", State{})
	must(t, a.Set(true))
	raw, err := os.ReadFile(a.path())
	must(t, err)
	if err := xml.Unmarshal(raw, new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("%v in %s", err, raw)
	}
	is(t, a, "on", State{On: true, Program: p.Program})
	off = true
	is(t, a, "turned off in the settings", State{Program: p.Program})
	must(t, a.Set(true))
	is(t, a, "turned on here", State{On: true, Program: p.Program})
	edit(t, a.path(), "<key>RunAtLoad</key>", "<key>Disabled</key>\n\t<true/>\n\t<key>RunAtLoad</key>")
	is(t, a, "turned off in the file", State{Program: p.Program})
	must(t, a.Set(true))
	must(t, os.Rename(filepath.Dir(p.Program), filepath.Join(p.Home, "moved")))
	is(t, a, "moved", State{Program: p.Program, Moved: true})
	a.place.Program = filepath.Join(p.Home, "moved", "hawser")
	if repaired, err := a.Repair(); !repaired || err != nil {
		t.Errorf("repair: %t, %v", repaired, err)
	}
	is(t, a, "repaired", State{On: true, Program: a.place.Program})
	must(t, a.Set(false))
	is(t, a, "off", State{})
}
