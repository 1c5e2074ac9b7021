package tray

import (
	"strings"
	"time"
	"unicode"

	"hawser/app/control"
	"hawser/app/text"
)

// undoTime is how long a click on a mail is called undone rather than its record removed.
const undoTime = time.Minute

// The longest parts of a line, in UTF-16 units.
const (
	maxSubject = 48
	maxSender  = 24
)

// Inbox is what is known of the recent mails.
type Inbox struct {
	Mails  []control.Mail // the newest first
	Read   bool           // they were read from the mailbox
	Failed bool           // the last reading failed
	// Clicked is when a mail was captured from this menu, Refused which ones were to be and were not;
	// both by Ref.
	Clicked map[string]time.Time
	Refused map[string]bool
}

// LineAct is what a click on a recent mail does.
type LineAct int

// The acts.
const (
	LineNone LineAct = iota
	LineCapture
	LineUndo
	LineOpen // the page of what needs a decision
)

// Line is a recent mail in the menu.
type Line struct {
	Ref string
	Act LineAct
}

// recent fills the submenu.
func (m *Model) recent(r Inbox, l *text.Localizer, now time.Time) {
	shown := m.Items[Recent].Shown
	hint := "hint"
	switch {
	case r.Failed:
		hint = "failed"
	case !r.Read:
		hint = "loading"
	case len(r.Mails) == 0:
		hint = "none"
	}
	m.Items[RecentHint] = Item{Label: l.T("tray.recent-"+hint, nil), Shown: shown}
	for i := range RecentMails {
		if i >= len(r.Mails) {
			m.Items[RecentFirst+Slot(i)] = Item{Label: "-"} // a place that is never seen
			continue
		}
		mail := r.Mails[i]
		id, act := line(mail, r, now)
		label := l.T("tray.mail"+id, map[string]any{"Subject": subject(mail, l), "From": cut(sender(mail.From), maxSender)})
		m.Items[RecentFirst+Slot(i)] = Item{Label: label, Shown: shown, Enabled: act != LineNone}
		m.Lines[i] = Line{Ref: mail.Ref, Act: act}
	}
}

// line decides what a mail's line says and does. What was captured from here can be taken back from
// here; what other ways captured is only shown, so that no slip of the mouse removes it.
func line(mail control.Mail, r Inbox, now time.Time) (id string, act LineAct) {
	clicked, mine := r.Clicked[mail.Ref]
	switch mail.State {
	case "held", "needs-you":
		return "-held", LineOpen
	case "waiting", "sending":
		if mine {
			return "-undo", LineUndo
		}
		return "-waiting", LineNone
	case "captured":
		switch {
		case !mine:
			return "-saved", LineNone
		case r.Refused[mail.Ref]:
			return "-failed", LineUndo
		case now.Sub(clicked) < undoTime:
			return "-undo", LineUndo
		}
		return "-unsave", LineUndo
	}
	if r.Refused[mail.Ref] {
		return "-failed", LineCapture
	}
	return "", LineCapture
}

// subject is what a mail is called in the menu.
func subject(mail control.Mail, l *text.Localizer) string {
	if s := oneLine(mail.Subject); s != "" {
		return cut(s, maxSubject)
	}
	return l.T("tray.no-subject", nil)
}

// sender is the name of who wrote a mail, or the address where there is none.
func sender(from string) string {
	from, _, _ = strings.Cut(from, ">, ") // the first of several
	if name, _, ok := strings.Cut(from, " <"); ok && strings.TrimSpace(name) != "" {
		from = name
	}
	return oneLine(from)
}

// oneLine keeps foreign text from looking like more than a part of a line: no line breaks, no marks
// that turn the direction of what follows.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r) || r == '\u200d': // the joiner inside emoji
			return r
		}
		return -1
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
