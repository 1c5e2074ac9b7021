package agent_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/salesforce/salesforcetest"
)

// dunst is a real notification daemon, as desktops have one.
type dunst struct {
	env     []string
	printed string // what it was told to show
}

// startDunst runs one on a screen and a bus for the length of the test.
func startDunst(t testing.TB, x *screen) *dunst {
	t.Helper()
	needs(t, "dunst", "dunstctl")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dunstrc"), []byte("[global]\nnotification_limit = 20\nidle_threshold = 0\n[urgency_normal]\ntimeout = 0\n[urgency_low]\ntimeout = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &dunst{env: x.env, printed: filepath.Join(dir, "printed")}
	out, err := os.Create(d.printed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	cmd := exec.Command("dunst", "-config", filepath.Join(dir, "dunstrc"), "-print")
	cmd.Env, cmd.Stdout = d.env, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(t, 20*time.Second, "dunst", func() bool { return d.displayed() == "0" })
	return d
}

// displayed is how many notices are on the screen.
func (d *dunst) displayed() string {
	cmd := exec.Command("dunstctl", "count", "displayed")
	cmd.Env = d.env
	out, _ := cmd.Output() // until it is up
	return strings.TrimSpace(string(out))
}

// titles are those of all notices so far.
func (d *dunst) titles() (all []string) {
	raw, _ := os.ReadFile(d.printed)
	for line := range strings.Lines(string(raw)) {
		if _, title, ok := strings.Cut(line, "summary: "); ok {
			all = append(all, strings.Trim(strings.TrimSpace(title), "'"))
		}
	}
	return all
}

// TestJ06FiveHundredFailures: five hundred mails fail in Salesforce, and a real notification daemon
// shows one notice; its end closes it. Switched off, the next trouble shows none.
func TestJ06FiveHundredFailures(t *testing.T) {
	const n = 500
	s := bareScene(t, func(o *salesforcetest.Org) {
		o.Validate = func(object string, rec map[string]any) error {
			if subject, _ := rec["Subject"].(string); object == "EmailMessage" && strings.HasPrefix(subject, "bad ") {
				return fmt.Errorf("a region is missing")
			}
			return nil
		}
	})
	x := startScreen(t, s.user.env)
	s.user.env = x.env
	d, p := startDunst(t, x), startPanel(t, s.user.address())
	s.user.launchWithIcon()
	p.awaitLabel(t, "Sign in to Salesforce")
	s.signIn()
	p.shows(t, "up-to-date", "Up to date")
	s.restful(func() {
		s.dovecot.AppendMany(t, mailUser, "Salesforce", n, func(i int) []byte { return letter(fmt.Sprint("bad ", i)) })
	})
	p.shows(t, "needs-you", fmt.Sprintf("%d mails need you", n))
	waitFor(t, 20*time.Second, "a notice", func() bool { return d.displayed() == "1" })
	time.Sleep(time.Second)
	if all := d.titles(); len(all) != 1 || !strings.Contains(all[0], "need") || d.displayed() != "1" {
		t.Errorf("%d failures made %q; %s on the screen", n, all, d.displayed())
	}

	c, err := s.user.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range ok[[]control.QueueItem](t)(c.Queue(t.Context(), "needs-you", n)) {
		if err := c.SkipItem(t.Context(), item.ID); err != nil {
			t.Fatal(err)
		}
	}
	p.shows(t, "up-to-date", "Up to date")
	waitFor(t, 20*time.Second, "the good news", func() bool { return len(d.titles()) == 2 })
	if all := d.titles(); all[1] != "Nothing needs you any more" {
		t.Errorf("the end is told as %q", all)
	}
	waitFor(t, 20*time.Second, "an empty screen", func() bool { return d.displayed() == "0" })

	s.mustRun(t, "settings", "set", "notices", "off")
	s.org.Revoke(salesforcetest.DefaultUsername)
	s.mark("too late")
	p.shows(t, "sign-in", "Sign in to Salesforce")
	time.Sleep(2 * time.Second)
	if all := d.titles(); len(all) != 2 || d.displayed() != "0" {
		t.Errorf("switched off, and %q", all)
	}
	s.mustRun(t, "settings", "set", "notices", "on")
	waitFor(t, 20*time.Second, "the notice of what lasts", func() bool { return slices.Contains(d.titles(), "Sign in to Salesforce again") && d.displayed() == "1" })
}
