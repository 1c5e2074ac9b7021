package tray

import (
	"flag"
	"fmt"
	"os"
	"slices"
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

// inbox has a mail for each line that there is.
var inbox = Inbox{
	Read: true,
	Mails: []control.Mail{
		{Ref: "1", From: "Ann Onym <ann@example.com>", Subject: "Offer for_two & more"},
		{Ref: "2", From: "bob@example.org", Subject: strings.Repeat("A long subject, ", 10)},
		{Ref: "3", From: "Roe, Jane <jane@example.com>, Bob <b@example.com>", Subject: "", State: "filtered"},
		{Ref: "4", From: "x@example.com", Subject: "By a rule", State: "waiting"},
		{Ref: "5", From: "x@example.com", Subject: "Just clicked", State: "waiting"},
		{Ref: "6", From: "x@example.com", Subject: "By a rule, sent", State: "captured"},
		{Ref: "7", From: "x@example.com", Subject: "Clicked and sent", State: "captured"},
		{Ref: "8", From: "x@example.com", Subject: "Clicked before", State: "captured"},
		{Ref: "9", From: "x@example.com", Subject: "Private", State: "held"},
		{Ref: "10", From: "Mallory\n\u202e <m@example.com>", Subject: "evil\r\n\u202eQuit\tCtrl+Q"},
		{Ref: "11", From: "x@example.com", Subject: "One too many"},
	},
	Clicked: map[string]time.Time{"5": now.Add(-time.Hour), "7": now.Add(-30 * time.Second), "8": now.Add(-time.Hour)},
	Refused: map[string]bool{"10": true},
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
		if s := Slot(slot); s >= Pause30Minutes && s <= PauseOpen || s >= RecentHint && s <= recentLast {
			indent = "      "
		}
		line := indent + it.Label
		if !it.Enabled {
			line = indent + "(" + it.Label + ")"
		}
		switch Slot(slot) {
		case SignIn:
			line += " -> " + m.Side
		case Salesforce:
			line += " -> " + m.URL
		}
		if i := slot - int(RecentFirst); i >= 0 && i < RecentMails && m.Lines[i].Act != LineNone {
			line += " -> " + [...]string{"", "capture ", "undo ", "open for "}[m.Lines[i].Act] + m.Lines[i].Ref
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
		var parts []string
		for _, s := range statuses {
			fmt.Fprintf(&b, "== %s %s\n%s\n", s.State, s.Which, View(s, Inbox{Read: true, Mails: inbox.Mails[:1]}, l, now).show())
		}
		for name, r := range map[string]Inbox{"recent mails": inbox, "nothing read": {}, "no mails": {Read: true}, "unreadable": {Failed: true, Mails: inbox.Mails[:1]}} {
			parts = append(parts, fmt.Sprintf("== %s\n%s\n", name, View(statuses[len(statuses)-3], r, l, now).show()))
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, ""))
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
	pictures := map[string]bool{}
	for _, s := range statuses {
		m := View(s, inbox, l, now)
		pictures[m.Icon] = true
		for _, variant := range []string{assets.IconLight, assets.IconDark} {
			if _, err := assets.Icon(m.Icon, variant); err != nil {
				t.Errorf("%s: %v", s.State, err)
			}
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
	if len(pictures) != 6 {
		t.Errorf("pictures %v, want six", pictures)
	}
}

// TestJ01StateInText: whoever sees no picture reads the same state, in the tooltip and in the menu.
func TestJ01StateInText(t *testing.T) {
	t.Parallel()
	for _, lang := range text.Languages() {
		l := text.New(lang)
		said := map[string]control.State{}
		for _, s := range statuses {
			m := View(s, inbox, l, now)
			state := control.Headline(l, s, now)
			if m.Items[ShowState].Label != state || !strings.HasPrefix(m.Tooltip, strings.TrimSuffix(cut(l.T("tray.tooltip", map[string]any{"State": state}), maxTooltip), "…")) {
				t.Errorf("%s, %s: menu %q, tooltip %q", lang, s.State, m.Items[ShowState].Label, m.Tooltip)
			}
			if len(utf16.Encode([]rune(m.Tooltip))) > maxTooltip {
				t.Errorf("%s, %s: the tooltip is too long", lang, s.State)
			}
			if other, same := said[state]; same && other != s.State {
				t.Errorf("%s: %s and %s read the same", lang, s.State, other)
			}
			said[state] = s.State
		}
	}
}

// TestRecentNeedsItsMailbox: no mail is shown of a mailbox that is not the user's, or not signed in.
func TestRecentNeedsItsMailbox(t *testing.T) {
	t.Parallel()
	for _, s := range statuses {
		m := View(s, inbox, text.New("en"), now)
		if want := s.Mail.SignedIn && s.State != control.WrongAccount && s.State != control.Suspended; m.Items[Recent].Shown != want || m.Items[RecentFirst].Shown != want {
			t.Errorf("%s: mails shown %t, want %t", s.State, m.Items[RecentFirst].Shown, want)
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
