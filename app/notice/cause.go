package notice

import (
	"time"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/sync/fault"
)

// Kind is what a cause is about; it chooses the words.
type Kind string

// The kinds.
const (
	SignIn       Kind = "sign-in"       // a sign-in ended that had worked
	WrongAccount Kind = "wrong-account" // another account than the bound one signed in
	NeedsYou     Kind = "needs-you"     // mails that wait for a decision
	Stopped      Kind = "stopped"       // a fault that only a person can end
	Stuck        Kind = "stuck"         // mails have waited for a day for something that ends by itself
	Suspended    Kind = "suspended"     // by the company
	Removed      Kind = "removed"       // by the company
	NoTray       Kind = "no-tray"       // there is no place for an icon
)

// Cause is a reason for a notice.
type Cause struct {
	ID    string // the same for as long as it is the same cause
	Kind  Kind
	Side  string     // SignIn, Stuck, WrongAccount: "salesforce" or "mail"
	Code  fault.Code // SignIn, Stopped
	Count int        // mails that it concerns

	Since time.Time     // when it began, zero where that does not matter
	Grace time.Duration // how long it may last before anybody is told
	Once  bool          // it is not told again while it lasts
	Ever  bool          // and neither when it comes back
}

// The button keys of notices; Default is a click on the notice itself.
const (
	Default = "default"
	DoSign  = "sign-in"
	DoOpen  = "open"
	DoRetry = "retry"
)

// The grace of a trouble that ends by itself: this long without success, and this long in one state,
// because a computer that slept for days has had no success either.
const (
	stuckAfter = 24 * time.Hour
	stuckState = 15 * time.Minute
)

// Trouble is what there is to tell of a status.
type Trouble struct {
	Causes []Cause
	// Hold leaves everything as it is: the status says nothing of the causes.
	Hold bool
	// Reset ends all causes without a word: there is nothing left that they were about.
	Reset bool
}

// Causes reads a status.
func Causes(s control.Status) Trouble {
	var t Trouble
	for _, n := range s.Notes {
		if n.Code == fault.NoTray {
			t.Causes = append(t.Causes, Cause{ID: string(NoTray), Kind: NoTray, Once: true, Ever: true})
		}
	}
	add := func(c Cause) { t.Causes = append(t.Causes, c) }
	switch s.State {
	case "", control.Paused:
		return Trouble{Hold: true}
	case control.NotEnrolled:
		if s.Why == fault.Removed {
			add(Cause{ID: string(Removed), Kind: Removed, Once: true})
		}
		t.Reset = s.Why != fault.Removed
		return t
	case control.Suspended:
		add(Cause{ID: string(Suspended), Kind: Suspended, Once: true})
		return t
	case control.WrongAccount:
		add(Cause{ID: string(WrongAccount), Kind: WrongAccount, Side: sideOr(s.Which)})
	case control.NeedsSignIn:
		if unasked(s.Why) {
			add(Cause{ID: string(SignIn) + "-" + sideOr(s.Which), Kind: SignIn, Side: sideOr(s.Which), Code: s.Why, Count: s.Counts.Waiting})
		}
	case control.NeedsYou:
		if s.Why != "" {
			add(Cause{ID: string(Stopped) + "-" + string(s.Why), Kind: Stopped, Code: s.Why, Count: s.Counts.Waiting})
		}
	case control.Waiting, control.Offline, control.Working, control.UpToDate:
	}
	if s.Counts.NeedsYou > 0 {
		add(Cause{ID: string(NeedsYou), Kind: NeedsYou, Count: s.Counts.NeedsYou})
	}
	t.Causes = append(t.Causes, stuck(s)...)
	return t
}

// stuck returns the sides whose trouble should have ended by itself long ago.
func stuck(s control.Status) (causes []Cause) {
	if s.State != control.Waiting && s.State != control.Offline || s.Counts.Waiting <= s.Counts.NeedsYou {
		return nil
	}
	for _, side := range []struct {
		name string
		control.Side
	}{{"salesforce", s.Salesforce}, {"mail", s.Mail}} {
		if side.Fault == "" || side.Fault.Class() != fault.Retry || side.LastSuccess.IsZero() {
			continue
		}
		c := Cause{ID: string(Stuck) + "-" + side.name, Kind: Stuck, Side: side.name, Count: s.Counts.Waiting, Since: s.Since, Grace: stuckState}
		if due := side.LastSuccess.Add(stuckAfter); due.After(s.Since.Add(stuckState)) {
			c.Since, c.Grace = side.LastSuccess, stuckAfter
		}
		causes = append(causes, c)
	}
	return causes
}

// unasked reports whether a sign-in is missing for another reason than that the person ended it, or
// never began, or is in the middle of it.
func unasked(why fault.Code) bool {
	switch why {
	case "", fault.NotSignedIn, fault.NotSetUp, fault.SignInCancelled, fault.SignInTimeout, fault.SignInOutdated, fault.ConsentRefused:
		return false
	}
	return true
}

func sideOr(which string) string {
	if which == "mail" {
		return which
	}
	return "salesforce"
}

// Button is something to do about a cause.
type Button struct{ Key, Label string }

// Notice is what a screen shows.
type Notice struct {
	Title, Body string
	Buttons     []Button
	Replaces    uint32 // of an earlier notice, 0 for none
	Good        bool   // the end of a trouble: it need not stay
}

// words returns the notice of a cause.
func words(l *text.Localizer, c Cause) Notice {
	id := "notice." + string(c.Kind)
	if c.Side != "" {
		id += "-" + c.Side
	}
	data := map[string]any{"Count": c.Count}
	n := Notice{}
	if c.Kind == Stopped || c.Code.Class() == fault.Admin { // signing in again would not do
		title, body, fix := l.Fault(c.Code)
		n.Title, n.Body = title, body+" "+fix
	} else {
		n.Title, n.Body = l.T(id+".title", data), l.T(id+".body", data)
	}
	button := func(key string) { n.Buttons = append(n.Buttons, Button{key, l.T("notice.do-"+key, nil)}) }
	switch c.Kind {
	case SignIn, WrongAccount:
		button(DoSign)
		button(DoOpen)
	case Stopped, Stuck:
		button(DoRetry)
		button(DoOpen)
	case NeedsYou, NoTray, Suspended, Removed:
		button(DoOpen)
	}
	return n
}

// good returns the notice of the end of a cause, by its ID.
func good(l *text.Localizer, id string) Notice {
	switch id {
	case string(SignIn) + "-salesforce", string(SignIn) + "-mail", string(NeedsYou):
		return Notice{Title: l.T("notice.over-"+id, nil), Body: l.T("notice.over-"+id+".body", nil), Good: true}
	}
	return Notice{Title: l.T("notice.over", nil), Body: l.T("notice.over.body", nil), Good: true}
}
