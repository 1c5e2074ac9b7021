package tray

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/assets"
	"hawser/sync/fault"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

var now = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

func signedIn(s control.Status) control.Status {
	s.Salesforce = control.Side{SignedIn: true, Host: "acme.my.site.com", LastSuccess: now.Add(-2 * time.Minute)}
	s.Mail = control.Side{SignedIn: true, LastSuccess: now.Add(-25 * time.Hour)}
	return s
}

// statuses has at least one status for every state.
var statuses = []control.Status{
	{State: control.NotEnrolled},
	{State: control.NeedsSignIn, Which: "salesforce"},
	{State: control.NeedsSignIn, Which: "mail", Salesforce: control.Side{SignedIn: true, Host: "acme.my.site.com"}},
	signedIn(control.Status{State: control.WrongAccount, Which: "mail"}),
	signedIn(control.Status{State: control.Suspended}),
	signedIn(control.Status{State: control.Waiting, Until: now.Add(5 * time.Minute), Why: fault.TooManyRequests}),
	signedIn(control.Status{State: control.Paused}),
	signedIn(control.Status{State: control.Paused, Until: control.Tomorrow(now)}),
	signedIn(control.Status{State: control.Offline}),
	signedIn(control.Status{State: control.Working}),
	signedIn(control.Status{State: control.UpToDate}),
	signedIn(control.Status{State: control.NeedsYou, Counts: control.Counts{Waiting: 2, NeedsYou: 2}}),
	signedIn(control.Status{State: "levitating"}),
}

// show writes a model as the menu looks.
func (m Model) show() string {
	var b strings.Builder
	fmt.Fprintf(&b, "icon %s, tooltip %q\n", m.Icon, m.Tooltip)
	for slot, it := range m.Items {
		if !it.Shown {
			continue
		}
		indent := "  "
		if s := Slot(slot); s >= Pause30Minutes && s <= PauseOpen {
			indent = "      "
		}
		line := indent + it.Label
		if !it.Enabled {
			line = indent + "(" + it.Label + ")"
		}
		switch Slot(slot) {
		case SignIn:
			line += " -> " + m.Side
		case Open:
			line += " -> " + m.URL
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func TestViewOfEveryState(t *testing.T) {
	t.Parallel()
	for _, lang := range text.Languages() {
		l := text.New(lang)
		var b strings.Builder
		for _, s := range statuses {
			fmt.Fprintf(&b, "== %s %s\n%s\n", s.State, s.Which, View(s, l, now).show())
		}
		file := "testdata/view_" + lang + ".golden"
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != string(want) {
			t.Errorf("%s differs (go test -update, then look at the diff):\n%s", file, got)
		}
	}
}

func TestEveryViewCanBeDrawn(t *testing.T) {
	t.Parallel()
	l := text.New("de")
	for _, s := range statuses {
		m := View(s, l, now)
		if _, err := assets.Icon(m.Icon); err != nil {
			t.Errorf("%s: %v", s.State, err)
		}
		for slot, it := range m.Items {
			if it.Label == "" {
				t.Errorf("%s: slot %d has no label", s.State, slot)
			}
		}
		if !m.Items[Quit].Enabled || !m.Items[Quit].Shown {
			t.Errorf("%s: cannot be quit", s.State)
		}
		if m.Items[Pause].Shown == m.Items[Resume].Shown {
			t.Errorf("%s: needs exactly one of pause and resume", s.State)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "12345": "12345", "123456": "1234…", "1234🙂": "1234…", "123🙂": "123🙂", "🙂🙂🙂": "🙂🙂…"} {
		got := cut(in, 5)
		if got != want || len(utf16.Encode([]rune(got))) > 5 {
			t.Errorf("cut(%q) = %q, want %q", in, got, want)
		}
	}
}
