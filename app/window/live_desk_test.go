//go:build linux

package window

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"hawser/app/control"
	"hawser/app/desktop"
	"hawser/app/server/servertest"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest/dovecottest"
)

// programs is where the programs of this package's tests are made, each once.
var programs = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "hwbin") })

// TestMain takes them away again.
func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program makes a program and returns its path.
func program(name, cgo string) (string, error) {
	dir, err := programs()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", path, "../cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// The programs: the backend, and the window itself.
var (
	hawserd   = sync.OnceValues(func() (string, error) { return program("hawserd", "0") })
	theWindow = sync.OnceValues(func() (string, error) { return program("hawser-window", "1") })
)

// company gives the world a real backend whose company this computer belongs to, and returns what
// enables its user.
func (l *live) company() (enable func()) {
	l.t.Helper()
	binary, err := hawserd()
	if err != nil {
		l.t.Fatal(err)
	}
	server, err := servertest.Start(servertest.Config{Binary: binary, Dir: l.t.TempDir(), CheckIn: 5 * time.Second})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(server.Close)
	do := func(args ...string) string {
		l.t.Helper()
		out, err := server.Run(args...)
		if err != nil {
			l.t.Fatal(err)
		}
		return out
	}
	do("tenant", "add", "Acme Marine", "--site", l.config["salesforce"]["site"].(string)+","+l.org.OrgID()+","+salesforcetest.DefaultClientID,
		"--mail", l.config["mail"]["issuer"].(string)+",hawser", "--domain", "example.org")
	l.config["company"] = map[string]any{"server": server.URL, "key": do("key", "add", "Acme Marine", "--role", "deployment")}
	return func() {
		l.t.Helper()
		row := strings.Join([]string{"alice", "", l.org.OrgID(), l.org.DefaultUser().ID, liveUser}, ",")
		if err := server.File("users.csv", "id,group,org,user,mailbox\n"+row+"\n"); err != nil {
			l.t.Fatal(err)
		}
		do("user", "import", "Acme Marine", "users.csv")
	}
}

// TestJ05OnlySalesforceTurns cuts the way to Salesforce alone: of the four lines only that one turns,
// and back. Check now is done at once, and then not again before ten seconds are over.
func TestJ05OnlySalesforceTurns(t *testing.T) {
	l := newLive(t)
	wire := dovecottest.NewMasked(t, l.dovecot, dovecottest.Mask{})
	l.mail = dovecottest.NewProxy(t, wire.Addr)
	l.config["mail"]["imap"] = l.mail.Addr
	l.company()()
	l.signedIn()
	r := l.window(control.PageHome)
	h := r.a.current().(*home)
	r.wait("an agent that is up to date", func() bool {
		return r.a.status.State == control.UpToDate && r.a.status.Company.Stage == control.StageActive && h.view.Lines[3].Last != "" && h.view.Lines[2].Last != ""
	})
	for _, line := range h.view.Lines {
		r.says(line.Name)
		if line.Fault != "" || line.Glyph != "calendar" && (line.Tone != toneGood || line.Last == "") {
			t.Errorf("before: %+v", line)
		}
	}
	l.cloud.Cut()
	l.receive("Salesforce", letter{subject: "On its way"})
	r.wait("the line of Salesforce to turn", func() bool { return h.view.Lines[2].Tone == toneError })
	title, _, fix := r.a.loc.Fault(fault.Offline)
	for i, line := range h.view.Lines {
		if turned := line.Tone == toneError; turned != (i == 2) || (line.Fault == title) != (i == 2) || (line.Fix == fix) != (i == 2) {
			t.Errorf("Salesforce is cut off: %+v", line)
		}
	}
	if n := strings.Count(r.words(), title); n != 1 {
		t.Errorf("the window says %d times that something is not reached", n)
	}
	l.cloud.Heal()
	r.hit("Check now")
	first := time.Now()
	r.wait("the line of Salesforce to turn back", func() bool { return h.view.Lines[2].Tone == toneGood && l.saved()["On its way"] == 1 })
	r.wait("a mailbox at rest", func() bool {
		before := len(wire.Commands())
		time.Sleep(time.Second)
		return len(wire.Commands()) == before
	})
	before := len(wire.Commands())
	for range 5 {
		r.hit("Check now")
	}
	for len(wire.Commands()) == before && time.Since(first) < longPatience {
		r.settle()
	}
	if waited := time.Since(first); waited < 9*time.Second || waited > longPatience {
		t.Errorf("the next check came after %v: %q", waited, wire.Commands()[before:])
	}
}

// TestJ09SwitchInTheWindow: the switch in the window is what the desktop has, whoever changed it.
func TestJ09SwitchInTheWindow(t *testing.T) {
	l := newLive(t)
	home := t.TempDir()
	program := filepath.Join(home, "hawser")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	place := desktop.Place{Program: program, ConfigHome: filepath.Join(home, ".config"), DataHome: filepath.Join(home, ".local/share"), Home: home}
	l.start = desktop.NewAutostart(place)
	l.signedIn()
	r := l.window(control.PageSettings)
	s := r.a.current().(*settings)
	box := func() *check {
		for _, f := range focusables([]fyne.CanvasObject{s.agent}) {
			if c, ok := f.(*check); ok {
				return c // the first setting
			}
		}
		return nil
	}
	shows := func(want bool) {
		t.Helper()
		r.wait("the switch", func() bool {
			r.a.open(control.PageSettings)
			r.settle()
			return box() != nil && box().Checked == want
		})
	}
	r.says("Start when I sign in to this computer")
	shows(false)
	r.a.win.Canvas().Focus(box())
	r.press(fyne.KeyReturn)
	r.wait("the desktop's own entry", func() bool { s, err := l.start.Get(); return err == nil && s.On && s.Program == program })
	shows(true)
	file := filepath.Join(place.ConfigHome, "autostart", desktop.ID+".desktop")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []struct { // a person in their desktop's settings
		text string
		on   bool
	}{{string(raw) + "Hidden=true\n", false}, {string(raw), true}, {strings.Replace(string(raw), "enabled=true", "enabled=false", 1), false}} {
		if err := os.WriteFile(file, []byte(by.text), 0o600); err != nil {
			t.Fatal(err)
		}
		shows(by.on)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	shows(false)
}

// because asks in the window until one cause is the answer, with the button that changes it.
func (r *rig) because(id, cause, button string) {
	r.t.Helper()
	w := r.a.current().(*activity).why
	title, _ := r.a.whole(fault.Code(cause))
	if cause == "captured" {
		title = r.a.t("window.state-captured")
	}
	w.answer.Objects = nil
	r.wait(cause+" of "+id, func() bool {
		r.enter(w.field, id)
		r.settle()
		said := map[string]bool{}
		for _, s := range texts(w.answer) {
			said[s.text] = true
		}
		return said[title] && (button == "" || said[button])
	})
}

// picked asks about a mail of the inbox that is picked instead of pasted.
func (r *rig) picked(subject, cause, button string) {
	r.t.Helper()
	r.a.open(control.PageCapture)
	c := r.a.current().(*capturer)
	r.wait("the mailbox", func() bool { return len(c.mails) > 0 })
	c.list.Select(slices.IndexFunc(c.mails, func(m control.Mail) bool { return m.Subject == subject }))
	r.says("Why not saved?")
	r.hit("Why not saved?")
	r.says(r.a.reason(cause))
	r.says(button)
	if r.a.page != control.PageActivity {
		r.t.Errorf("the page is %s", r.a.page)
	}
}

// TestJ10EveryCause pastes a mail of each kind that is not saved into the window before the real agent.
func TestJ10EveryCause(t *testing.T) {
	l := newLive(t)
	l.dovecot.Do(t, liveUser, "CREATE Archive")
	l.signedIn()
	l.choose(func(c *capture.Choices) {
		c.Automatic, c.Days, c.Folders, c.Block = true, 7, []string{"INBOX"}, []string{"rival.example"}
		c.Words, c.Rules = []string{"attorney"}, []capture.Rule{{ID: "all", Action: capture.Allow}}
	})
	r := l.window(control.PageActivity)
	r.hit("Why not saved?")
	for _, m := range []struct {
		folder        string
		mail          letter
		cause, button string
	}{
		{"INBOX", letter{subject: "blocked", from: "eve@rival.example"}, string(rules.BlockedPersonal), "Change the rules"},
		{"INBOX", letter{subject: "internal", from: "max@example.org"}, string(rules.BlockedInternal), "Change the rules"},
		{"INBOX", letter{subject: "private", header: "Sensitivity: Private\r\n"}, string(fault.MarkedPrivate), "Save it now"},
		{"Archive", letter{subject: "folder"}, string(rules.FolderNotChosen), "Change the folders"},
		{"INBOX", letter{subject: "large", body: strings.Repeat(strings.Repeat("x", 900)+"\r\n", 42<<10)}, string(fault.MailTooLarge), "Save it now"},
		{"INBOX", letter{subject: "no match", from: "x@nobody.example"}, string(fault.Unmatched), "Decide now"},
		{"INBOX", letter{subject: "old", age: 20 * day}, string(rules.BeforeWindow), "Change the time span"},
		{"INBOX", letter{subject: "word", body: "Ask my attorney, please."}, string(fault.SensitiveWord), "Save it now"},
		{"INBOX", letter{subject: "saved"}, "captured", "Open in Salesforce"},
		{"Archive", letter{subject: "saved"}, "captured", "Open in Salesforce"}, // the same mail elsewhere
	} {
		l.receive(m.folder, m.mail)
		r.because(m.mail.id(), m.cause, m.button)
	}
	r.picked("blocked", string(rules.BlockedPersonal), "Change the rules")
	r.because(letter{subject: "no match"}.id(), string(fault.Unmatched), "Decide now")
	r.hit("Decide now")
	v := r.a.current().(*activity)
	r.wait("the mail to decide about", func() bool { return v.view == viewHeld && len(v.items) > 0 })
	r.hit("Why not saved?")
	r.because(letter{subject: "private"}.id(), string(fault.MarkedPrivate), "Save it now")
	r.hit("Save it now")
	r.wait("the private mail's record", func() bool { return l.saved()["private"] == 1 })
	if err := l.client().Pause(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	l.receive("INBOX", letter{subject: "paused"})
	r.because(letter{subject: "paused"}.id(), string(fault.Paused), "Resume")
	r.hit("Resume")
	r.wait("the record of a mail that waited for the end of the pause", func() bool { return l.saved()["paused"] == 1 })
}

// TestJ10NoPermissionInTheWindow: the administrator's part can be copied for them.
func TestJ10NoPermissionInTheWindow(t *testing.T) {
	l := newLive(t)
	l.org.HideObjects = []string{"EmailMessage", "Task"}
	l.signedIn()
	l.receive("Salesforce", letter{subject: "nowhere"})
	r := l.window(control.PageActivity)
	r.hit("Why not saved?")
	r.because(letter{subject: "nowhere"}.id(), string(fault.NothingSavable), "Copy request for IT")
	r.hit("Copy request for IT")
	title, _, _ := r.a.loc.Fault(fault.NothingSavable)
	r.wait("the request", func() bool { return strings.HasPrefix(r.a.fyne.Clipboard().Content(), title) })
}
