package desktop

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hawser/app/text"
	"hawser/assets"
	"hawser/auth/secret"
)

// indexTime bounds the run of a program that reads some hundred small files.
const indexTime = 10 * time.Second

// Action is what a launcher's menu asks for.
type Action string

// The actions; ActOpen is a click on the launcher itself.
const (
	ActOpen    Action = "open"
	ActCapture Action = "capture"
	ActCheck   Action = "check"
	ActPause   Action = "pause"
)

// actionArgs is what starts each action from a launcher that does not speak D-Bus.
var actionArgs = []struct {
	action Action
	args   []string
}{
	{ActOpen, []string{"open"}}, {ActCapture, []string{"open", "capture"}}, {ActCheck, []string{"check"}}, {ActPause, []string{"pause", "2h"}},
}

// Request is what a launcher, or another program that opens a link, asks of the running agent.
type Request struct {
	Action Action
	Link   secret.String // of an enrolment, as ParseLink returns it; empty for none
}

// Launcher makes the program known to the desktop.
type Launcher interface {
	// Install writes, or refreshes, what the desktop needs to find this program; also after a move.
	Install() error
	Remove() error
}

// launcher is the entry in the desktop's menu of programs: with its actions, as the one that opens
// hawser:// links, and as a service that the bus starts. Links then travel over the bus instead of
// in arguments, which every program of the computer can read.
type launcher struct{ place Place }

// Install implements Launcher. It leaves everything to the files of a package where they are there.
func (l launcher) Install() error {
	for _, dir := range l.place.DataDirs {
		e, err := readEntry(filepath.Join(dir, "applications", ID+".desktop"))
		if err != nil {
			return err
		}
		if e != nil && runnable(e.program()) {
			return l.Remove()
		}
	}
	fresh := false
	for path, content := range l.files() {
		if old, err := os.ReadFile(path); err == nil && string(old) == content {
			continue
		}
		if err := writeFile(path, content); err != nil {
			return err
		}
		fresh = true
	}
	if fresh {
		l.index()
	}
	return nil
}

// index lists the links that each entry opens, in the file that desktops read. Where its program is
// missing (Debian: desktop-file-utils), so are the desktops that need it.
func (l launcher) index() {
	if indexer, err := exec.LookPath("update-desktop-database"); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), indexTime)
		defer cancel()
		_ = exec.CommandContext(ctx, indexer, filepath.Join(l.place.DataHome, "applications")).Run() // see above
	}
}

// Remove implements Launcher.
func (l launcher) Remove() error {
	gone := false
	for path := range l.files() {
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if err := removeFile(path); err != nil {
			return err
		}
		gone = true
	}
	if gone {
		l.index()
	}
	return nil
}

func (l launcher) files() map[string]string {
	data := l.place.DataHome
	service := fmt.Sprintf("[D-BUS Service]\nName=%s\nExec=%s run\n", ID, quote(l.place.Program))
	return map[string]string{
		filepath.Join(data, "applications", ID+".desktop"):                     l.entry(),
		filepath.Join(data, "dbus-1", "services", ID+".service"):               service,
		filepath.Join(data, "icons", "hicolor", "scalable", "apps", ID+".svg"): string(assets.AppDrawing),
	}
}

// entry is the desktop entry in all languages.
func (l launcher) entry() string {
	var b strings.Builder
	line := func(words ...string) string {
		exec := quote(l.place.Program)
		for _, w := range words {
			exec += " " + w
		}
		return escape(exec)
	}
	localised := func(key, id string) {
		words := text.Everywhere("tray", id)
		fmt.Fprintf(&b, "%s=%s\n", key, escape(words["en"]))
		delete(words, "en")
		for _, lang := range slices.Sorted(maps.Keys(words)) {
			fmt.Fprintf(&b, "%s[%s]=%s\n", key, lang, escape(words[lang]))
		}
	}
	b.WriteString("[Desktop Entry]\nType=Application\nName=Hawser\n")
	localised("Comment", "launcher.comment")
	fmt.Fprintf(&b, "Exec=%s\nTryExec=%s\nIcon=%s\nTerminal=false\nStartupNotify=false\n", line("open", "%u"), escape(l.place.Program), ID)
	b.WriteString("Categories=Office;Email;\nKeywords=Salesforce;CRM;\nDBusActivatable=true\nX-GNOME-SingleWindow=true\nX-GNOME-UsesNotifications=true\n")
	b.WriteString("MimeType=x-scheme-handler/" + Scheme + ";\nActions=")
	for _, a := range actionArgs {
		b.WriteString(string(a.action) + ";")
	}
	b.WriteString("\n")
	for _, a := range actionArgs {
		fmt.Fprintf(&b, "\n[Desktop Action %s]\n", a.action)
		localised("Name", "launcher."+string(a.action))
		fmt.Fprintf(&b, "Exec=%s\n", line(a.args...))
	}
	return b.String()
}
