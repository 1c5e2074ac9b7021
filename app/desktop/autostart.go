package desktop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Autostart is the switch "start at login" as the operating system has it.
type Autostart interface {
	// Get says what will happen at the next login. It asks the system each time: people flip the
	// switch in their system's settings too.
	Get() (State, error)
	// Set turns it on for this program, or off.
	Set(on bool) error
	// Repair points an entry that is on to this program when the one that it names is gone, as after
	// a move, and reports whether it had to.
	Repair() (bool, error)
}

// State is whether Hawser starts at login.
type State struct {
	On      bool
	Program string // what is started, or would be
	Moved   bool   // it would be, but Program is gone
	Shared  bool   // an entry for all users of this computer decides
}

// Place is where this program is and where the desktop looks for it.
type Place struct {
	Program string // absolute path of hawser

	// Freedesktop desktops. Folders of all users come in order of precedence.
	ConfigHome string
	ConfigDirs []string
	DataHome   string
	DataDirs   []string
	Desktops   []string // names of the running one, such as "GNOME"

	Home string // macOS
}

// arguments of the start at login.
var loginArgs = []string{"run"}

// xdgAutostart follows the Desktop Application Autostart Specification 0.5.
type xdgAutostart struct{ place Place }

func (a xdgAutostart) own() string {
	return filepath.Join(a.place.ConfigHome, "autostart", ID+".desktop")
}

// shared returns the entry that counts when the user has none, "" for none.
func (a xdgAutostart) shared() (path string, e entry, err error) {
	for _, dir := range a.place.ConfigDirs {
		path := filepath.Join(dir, "autostart", ID+".desktop")
		if e, err := readEntry(path); e != nil || err != nil {
			return path, e, err
		}
	}
	return "", nil, nil
}

// Get implements Autostart.
func (a xdgAutostart) Get() (State, error) {
	e, err := readEntry(a.own())
	shared := false
	if err == nil && e == nil {
		_, e, err = a.shared()
		shared = e != nil
	}
	if err != nil || e == nil {
		return State{}, err
	}
	s := State{Program: e.program(), Shared: shared}
	if !a.wanted(e) {
		return s, nil
	}
	s.Moved = !runnable(s.Program) || e["TryExec"] != "" && !runnable(e["TryExec"])
	s.On = !s.Moved
	return s, nil
}

// wanted reports whether the running desktop would try to start the entry.
func (a xdgAutostart) wanted(e entry) bool {
	if e["Hidden"] == "true" || e["X-GNOME-Autostart-enabled"] == "false" || e["X-MATE-Autostart-enabled"] == "false" {
		return false
	}
	named := func(key string) bool {
		return slices.ContainsFunc(list(e[key]), func(d string) bool { return slices.Contains(a.place.Desktops, d) })
	}
	return !named("NotShowIn") && (e["OnlyShowIn"] == "" || named("OnlyShowIn"))
}

// Set implements Autostart.
func (a xdgAutostart) Set(on bool) error {
	path, e, err := a.shared()
	switch {
	case err != nil:
		return err
	case on && e != nil && a.wanted(e) && runnable(e.program()):
		return removeFile(a.own()) // the one for all users does it, also after an update
	case on:
		return writeFile(a.own(), a.text())
	case path != "":
		return writeFile(a.own(), "[Desktop Entry]\nType=Application\nName=Hawser\nHidden=true\n")
	}
	return removeFile(a.own())
}

func (a xdgAutostart) text() string {
	line := quote(a.place.Program)
	for _, arg := range loginArgs {
		line += " " + quote(arg)
	}
	return "[Desktop Entry]\nType=Application\nName=Hawser\nExec=" + escape(line) + "\nTryExec=" + escape(a.place.Program) +
		"\nIcon=" + ID + "\nTerminal=false\nStartupNotify=false\nX-GNOME-Autostart-enabled=true\n"
}

// Repair implements Autostart. Other keys of the entry, such as a delay, stay.
func (a xdgAutostart) Repair() (bool, error) {
	s, err := a.Get()
	if err != nil || !s.Moved || s.Shared {
		return false, err
	}
	raw, err := os.ReadFile(a.own())
	if err != nil {
		return false, err
	}
	fresh := map[string]string{}
	for line := range strings.Lines(a.text()) {
		if key, _, ok := strings.Cut(line, "="); ok {
			fresh[key] = line
		}
	}
	var b strings.Builder
	for line := range strings.Lines(string(raw)) {
		if key, _, _ := strings.Cut(line, "="); key == "Exec" || key == "TryExec" {
			line = fresh[key]
		}
		b.WriteString(line)
	}
	return true, writeFile(a.own(), b.String())
}

// runnable reports whether a program is there; a bare name is one that is looked for elsewhere.
func runnable(path string) bool {
	if path == "" {
		return false
	}
	if !filepath.IsAbs(path) {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
