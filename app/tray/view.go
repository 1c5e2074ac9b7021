// Package tray is the icon and the small menu through which people meet the agent.
//
// [View] decides what they see, as a plain value; [Run] draws that value with fyne.io/systray and
// passes clicks on to a control.Agent. It draws only when the value changes and never polls. It
// knows nothing of mail or Salesforce, and holds no window. View is pure and safe for concurrent
// use; Run may be called once per process, because the library below it ends for good.
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

// The slots. The first two are only read; the last four of the pause are its submenu.
const (
	ShowState Slot = iota
	ShowSuccess
	SignIn
	Check
	Pause
	Pause30Minutes
	Pause2Hours
	PauseTomorrow
	PauseOpen
	Resume
	Open
	Quit
	slots int = iota
)

// Item is what a slot shows.
type Item struct {
	Label   string
	Shown   bool
	Enabled bool
}

// Model is all there is to see. Two equal models look the same.
type Model struct {
	Icon    string // as assets.Icon takes it
	Tooltip string
	Items   [slots]Item

	Side string // which side the sign-in item signs in
	URL  string // what the open item opens
}

// maxTooltip is how many UTF-16 units of a tooltip Windows shows.
const maxTooltip = 120

// View decides what the tray shows for s. Now only says how to write times, in its zone.
func View(s control.Status, l *text.Localizer, now time.Time) Model {
	m := Model{Icon: icon(s), Side: side(s)}
	headline := control.Headline(l, s, now)
	m.Tooltip = cut("Hawser: "+headline, maxTooltip)
	signedIn := s.Salesforce.SignedIn || s.Mail.SignedIn
	paused := s.State == control.Paused
	if s.Salesforce.SignedIn && s.Salesforce.Host != "" {
		m.URL = "https://" + s.Salesforce.Host
	}

	m.Items[ShowState] = Item{Label: headline, Shown: true}
	m.Items[ShowSuccess] = Item{Shown: signedIn, Label: l.T("tray.last-success", map[string]any{
		"Salesforce": l.Moment(s.Salesforce.LastSuccess, now), "Mail": l.Moment(s.Mail.LastSuccess, now)})}
	action := func(slot Slot, id string, shown bool) {
		m.Items[slot] = Item{Label: l.T("tray."+id, nil), Shown: shown, Enabled: true}
	}
	action(SignIn, "signin-"+sideOr(m.Side), m.Side != "")
	action(Check, "check", true)
	m.Items[Check].Enabled = signedIn && !paused
	action(Pause, "pause", !paused)
	action(Pause30Minutes, "pause-30m", !paused)
	action(Pause2Hours, "pause-2h", !paused)
	action(PauseTomorrow, "pause-tomorrow", !paused)
	action(PauseOpen, "pause-open", !paused)
	action(Resume, "resume", paused)
	action(Open, "open", m.URL != "")
	action(Quit, "quit", true)
	return m
}

// icon names the picture of a state. Pictures differ in shape, not only in colour.
func icon(s control.Status) string {
	switch s.State {
	case control.UpToDate:
		return "hawser"
	case control.Working:
		return "working"
	case control.Waiting:
		return "waiting"
	case control.Paused, control.Suspended:
		return "paused"
	case control.Offline:
		return "offline"
	case control.NeedsSignIn, control.NotEnrolled:
		return "sign-in"
	case control.NeedsYou, control.WrongAccount:
		return "needs-you"
	}
	return "hawser"
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
