package window

import (
	"time"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/sync/fault"
)

// homeView is all there is to see on the first page, apart from the chart.
type homeView struct {
	Tone     tone
	Headline string
	Body     string
	Action   string // "", or one of the actions below
	Paused   bool
	CanCheck bool
	Lines    []connection
	Tiles    []tile
	Budget   budget
	Notes    []note
}

// What the one large button of the first page does.
const (
	actSignInMail       = "signin-mail"
	actSignInSalesforce = "signin-salesforce"
	actResume           = "resume"
	actDecide           = "decide"
	actSetUp            = "setup"
)

// connection is one of the four others that Hawser talks to.
type connection struct {
	Glyph, Name, Who, Last string
	Tone                   tone
	Fault, Fix             string
}

// tile is a number with its name.
type tile struct {
	Name, Value string
	Warn        bool
}

type budget struct {
	Text, Org string
	Share     float64 // 0 to 1
}

// note is a fault worth a card although work goes on.
type note struct{ Title, Body, Fix string }

// viewHome decides what the first page shows.
func viewHome(s control.Status, l *text.Localizer, now time.Time) homeView {
	v := homeView{Headline: control.Headline(l, s, now), Paused: s.State == control.Paused}
	v.Tone, v.Body, v.Action = mood(s, l)
	v.CanCheck = (s.Salesforce.SignedIn || s.Mail.SignedIn) && !v.Paused
	v.Lines = []connection{
		side(s.Mail, "mail", l, now),
		{Glyph: "calendar", Name: l.T("window.home-calendar", nil), Who: l.T("window.home-calendar-off", nil), Tone: toneNeutral},
		side(s.Salesforce, "salesforce", l, now),
		company(s.Company, l, now),
	}
	c := s.Counts
	for _, n := range []struct {
		name  string
		count int
	}{{"window.home-seen", c.Seen}, {"window.home-captured", c.Captured}, {"window.home-filtered", c.Filtered}, {"window.home-held", c.Held}, {"window.home-waiting", c.Waiting}} {
		v.Tiles = append(v.Tiles, tile{Name: l.T(n.name, nil), Value: l.Number(n.count), Warn: n.name == "window.home-waiting" && c.NeedsYou > 0})
	}
	v.Budget = spent(s.Calls, l)
	for _, n := range s.Notes {
		title, body, fix := l.Fault(n.Code)
		if n.Detail != "" {
			title += " (" + n.Detail + ")"
		}
		v.Notes = append(v.Notes, note{title, body, fix})
	}
	return v
}

// mood is the tone of a state, what it means, and the one thing to do about it.
func mood(s control.Status, l *text.Localizer) (tone, string, string) {
	t := func(id string) string { return l.T(id, nil) }
	because := func(code fault.Code) string {
		_, body, fix := l.Fault(code)
		return sentences(body, fix)
	}
	switch s.State {
	case control.UpToDate:
		return toneGood, t("window.home-fine"), ""
	case control.Working:
		switch h := s.History; {
		case h.Done > 0 && h.All > 0:
			of := map[string]any{"Done": l.Number(min(h.Done, h.All)), "All": l.Number(h.All)}
			return toneBusy, sentences(t("window.home-working"), l.T("window.home-history-of", of)), ""
		case h.Done > 0:
			return toneBusy, sentences(t("window.home-working"), l.T("window.home-history", map[string]any{"Count": h.Done})), ""
		}
		return toneBusy, t("window.home-working"), ""
	case control.Paused:
		return toneNeutral, t("window.home-paused"), actResume
	case control.Offline:
		return toneNeutral, t("window.home-offline"), ""
	case control.Waiting:
		return toneNeutral, because(s.Why), ""
	case control.Suspended:
		return toneWarning, t("window.home-suspended"), ""
	case control.NotEnrolled:
		return toneNeutral, t("window.home-not-enrolled"), actSetUp
	case control.NeedsYou:
		if s.Why != "" {
			return toneError, because(s.Why), actDecide
		}
		return toneWarning, t("window.home-needs-you"), actDecide
	case control.WrongAccount, control.NeedsSignIn:
		why, act := s.Why, actSignInSalesforce
		if s.Which == "mail" {
			act = actSignInMail
		}
		if why == "" {
			why = fault.NotSignedIn
			if s.State == control.WrongAccount {
				why = fault.WrongAccount
			}
		}
		if s.State == control.WrongAccount {
			return toneError, because(why), act
		}
		return toneWarning, because(why), act
	}
	return toneNeutral, "", ""
}

// side is the line of one account.
func side(s control.Side, name string, l *text.Localizer, now time.Time) connection {
	c := connection{Glyph: name, Name: l.T("window.home-"+name, nil), Who: l.T("window.home-signed-out", nil), Tone: toneNeutral}
	if s.SignedIn {
		c.Who, c.Tone = s.Account, toneGood
		if s.Host != "" {
			c.Who += " · " + s.Host
		}
		c.Last = last(s.LastSuccess, l, now)
	}
	return c.faulty(s.Fault, l)
}

func company(co control.Company, l *text.Localizer, now time.Time) connection {
	c := connection{Glyph: "company", Name: l.T("window.home-company", nil), Who: l.T("window.home-company-none", nil), Tone: toneNeutral}
	if co.Stage == "" {
		return c.faulty(co.Fault, l)
	}
	c.Who = co.Name
	if co.Server != "" {
		c.Who += " · " + co.Server
	}
	switch co.Stage {
	case control.StageActive:
		c.Tone, c.Last = toneGood, last(co.LastSuccess, l, now)
	case control.StageSuspended, control.StageRemoved:
		c.Tone, c.Last = toneWarning, l.T("company."+co.Stage, nil)
	default:
		c.Tone, c.Last = toneBusy, l.T("company."+co.Stage, nil)
	}
	return c.faulty(co.Fault, l)
}

// faulty adds what is wrong with a connection.
func (c connection) faulty(code fault.Code, l *text.Localizer) connection {
	if code == "" {
		return c
	}
	c.Tone = toneError
	c.Fault, _, c.Fix = l.Fault(code)
	return c
}

func last(t time.Time, l *text.Localizer, now time.Time) string {
	if t.IsZero() {
		return l.T("window.home-never", nil)
	}
	return l.T("window.home-last", map[string]any{"When": l.Ago(t, now)})
}

func spent(c control.Calls, l *text.Localizer) budget {
	if c.Budget == 0 {
		return budget{Text: l.T("window.home-budget-none", nil)}
	}
	b := budget{
		Text:  l.T("window.home-budget-used", map[string]any{"Used": l.Number(c.Used), "Budget": l.Number(c.Budget)}),
		Share: min(1, float64(c.Used)/float64(c.Budget)),
	}
	if c.OrgMax > 0 {
		b.Org = l.T("window.home-budget-org", map[string]any{"Used": l.Number(c.OrgUsed), "Max": l.Number(c.OrgMax)})
	}
	return b
}

// perDay counts the lines of the journal for each of the last days, today last.
func perDay(items []control.JournalItem, days int, now time.Time) []int {
	counts := make([]int, days)
	y, m, d := now.Date()
	for _, it := range items {
		for i := range counts {
			from := time.Date(y, m, d-(days-1-i), 0, 0, 0, 0, now.Location())
			if at := it.At.In(now.Location()); !at.Before(from) && at.Before(from.AddDate(0, 0, 1)) {
				counts[i]++
			}
		}
	}
	return counts
}
