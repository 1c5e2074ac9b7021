// Package tray is the icon and the menu through which people meet the agent.
//
// [View] decides what they see, as a plain value; [Run] draws that value with fyne.io/systray and
// passes clicks on to an [Agent]. It draws only when the value changes and never polls: the list of
// recent mails is read when the menu is opened or the mailbox has news. It knows nothing of
// mail or Salesforce, and holds no window. View is pure and safe for concurrent use; Run may be
// called once per process, because the library below it ends for good.
package tray

import (
	"time"
	"unicode/utf16"

	"hawser/app/control"
	"hawser/app/text"
)

// Slot is a place in the menu, from top to bottom. An item keeps its slot in every state, so that
// a click does not land on what has just moved there.
type Slot int

// The slots. ShowState and ShowSuccess are only read. Recent has a submenu of RecentHint, which is
// only read, and the mails from RecentFirst on; Pause has one of the four after it.
const (
	ShowState Slot = iota
	ShowSuccess
	SignIn
	Recent
	RecentHint
	RecentFirst
	recentLast = RecentFirst + RecentMails - 1
)

// The slots after the recent mails.
const (
	Open Slot = iota + recentLast + 1
	Capture
	NeedsYou
	Check
	Pause
	Pause30Minutes
	Pause2Hours
	PauseTomorrow
	PauseOpen
	Resume
	Salesforce
	Help
	Quit
	slots = int(Quit) + 1
)

// Item is what a slot shows.
type Item struct {
	Label   string
	Shown   bool
	Enabled bool
}

// Model is all there is to see. Two equal models look the same.
type Model struct {
	Icon    string // a state, as assets.Icon takes it
	Tooltip string
	Items   [slots]Item
	Lines   [RecentMails]Line // what a click on a recent mail does

	Side string // which side the sign-in item signs in
	URL  string // what the Salesforce item opens
}

// maxTooltip is how many UTF-16 units of a tooltip Windows shows.
const maxTooltip = 120

// View decides what the tray shows for s and the recent mails. Now only says how to write times, in
// its zone, and how long ago a mail was clicked.
func View(s control.Status, r Inbox, l *text.Localizer, now time.Time) Model {
	m := Model{Icon: icon(s), Side: side(s), Tooltip: tooltip(s, l, now)}
	signedIn := s.Salesforce.SignedIn || s.Mail.SignedIn
	paused := s.State == control.Paused
	if s.Salesforce.SignedIn && s.Salesforce.Host != "" {
		m.URL = "https://" + s.Salesforce.Host
	}
	m.Items[ShowState] = Item{Label: control.Headline(l, s, now), Shown: true}
	m.Items[ShowSuccess] = Item{Shown: signedIn, Label: l.T("tray.last-success", map[string]any{
		"Salesforce": l.Moment(s.Salesforce.LastSuccess, now), "Mail": l.Moment(s.Mail.LastSuccess, now)})}
	action := func(slot Slot, id string, shown bool) {
		m.Items[slot] = Item{Label: l.T("tray."+id, map[string]any{"Count": s.Counts.NeedsYou}), Shown: shown, Enabled: true}
	}
	action(SignIn, "signin-"+sideOr(m.Side), m.Side != "")
	action(Recent, "recent", inboxShown(s))
	m.recent(r, l, now)
	action(Open, "open", true)
	action(Capture, "capture", signedIn)
	action(NeedsYou, "needs-you", s.Counts.NeedsYou > 0)
	action(Check, "check", true)
	m.Items[Check].Enabled = signedIn && !paused
	action(Pause, "pause", !paused)
	action(Pause30Minutes, "pause-30m", !paused)
	action(Pause2Hours, "pause-2h", !paused)
	action(PauseTomorrow, "pause-tomorrow", !paused)
	action(PauseOpen, "pause-open", !paused)
	action(Resume, "resume", paused)
	action(Salesforce, "salesforce", m.URL != "")
	action(Help, "help", true)
	action(Quit, "quit", true)
	return m
}

// inboxShown reports whether there is a mailbox whose mails may be shown and saved.
func inboxShown(s control.Status) bool {
	return s.Mail.SignedIn && s.State != control.WrongAccount && s.State != control.Suspended
}

// tooltip is the state with the last time when both sides worked.
func tooltip(s control.Status, l *text.Localizer, now time.Time) string {
	data := map[string]any{"State": control.Headline(l, s, now)}
	last := s.Salesforce.LastSuccess
	if s.Mail.LastSuccess.Before(last) {
		last = s.Mail.LastSuccess
	}
	if last.IsZero() {
		return cut(l.T("tray.tooltip", data), maxTooltip)
	}
	data["When"] = l.Moment(last, now)
	return cut(l.T("tray.tooltip-success", data), maxTooltip)
}

// icon names the picture of a state: six of them, which differ in shape and not only in colour.
func icon(s control.Status) string {
	switch s.State {
	case control.Working:
		return "working"
	case control.Paused, control.Suspended, control.Waiting: // nothing moves, and nobody has to do anything
		return "paused"
	case control.Offline:
		return "offline"
	case control.NeedsSignIn, control.NotEnrolled:
		return "sign-in"
	case control.NeedsYou, control.WrongAccount:
		return "needs-you"
	case control.UpToDate:
	}
	return "up-to-date"
}

// side returns which side has to sign in, "" when none has.
func side(s control.Status) string {
	switch {
	case s.State != control.NeedsSignIn && s.State != control.WrongAccount:
		return ""
	case s.Which == "mail":
		return "mail"
	}
	return "salesforce"
}

// sideOr gives the sign-in item a label even while it is hidden: it must not change width later.
func sideOr(side string) string {
	if side == "" {
		return "salesforce"
	}
	return side
}

// cut shortens s to at most most UTF-16 units, without splitting a character.
func cut(s string, most int) string {
	if len(utf16.Encode([]rune(s))) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}
