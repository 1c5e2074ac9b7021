package control

import (
	"strings"
	"time"
	"unicode"

	"hawser/app/text"
)

// Headline returns the one line that says what the agent is doing, the same in tray, CLI and
// window. Times in it are as of now and in its time zone.
func Headline(l *text.Localizer, s Status, now time.Time) string {
	until := map[string]any{"Until": l.Moment(s.Until, now)}
	switch s.State {
	case NeedsSignIn:
		if s.Which == "mail" {
			return l.T("state.needs-sign-in-mail", nil)
		}
		return l.T("state.needs-sign-in-salesforce", nil)
	case Paused:
		if s.Until.IsZero() {
			return l.T("state.paused", nil)
		}
		return l.T("state.paused-until", until)
	case Waiting:
		title, _, _ := l.Fault(s.Why)
		if s.Until.IsZero() {
			return l.T("state.waiting", map[string]any{"Why": title})
		}
		until["Why"] = title
		return l.T("state.waiting-until", until)
	case NeedsYou:
		if s.Why != "" { // nothing goes on, whichever mail it is
			title, _, _ := l.Fault(s.Why)
			return strings.TrimSuffix(title, ".")
		}
		return l.T("state.needs-you", map[string]any{"Count": s.Counts.NeedsYou})
	case WrongAccount:
		for _, side := range []Side{s.Salesforce, s.Mail} {
			if side.Other != "" && side.Bound != "" {
				return l.T("state.wrong-account-named", map[string]any{"Other": oneLine(side.Other), "Bound": oneLine(side.Bound)})
			}
		}
		return l.T("state.wrong-account", nil)
	case NotEnrolled, Suspended, Offline, Working, UpToDate:
		return l.T("state."+string(s.State), nil)
	}
	return l.T("state.unknown", map[string]any{"State": string(s.State)})
}

// oneLine keeps a name that somebody else chose from looking like more than a name.
func oneLine(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
}

// Tomorrow returns the first moment of the day after now, in now's time zone: the end of a pause
// "until tomorrow".
func Tomorrow(now time.Time) time.Time {
	y, m, d := now.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())
}
