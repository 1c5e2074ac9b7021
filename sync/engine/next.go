package engine

import (
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// Facts is everything the state depends on.
type Facts struct {
	Now        time.Time
	Configured bool
	Wrong      bool // another account than the bound one signed in
	Suspended  bool
	Removed    bool // by the company, which had everything deleted

	// CompanyFault is what keeps the company's server from letting this computer work, "" for
	// nothing; CompanyUntil is when it is asked again. Joining is the moment of registering.
	CompanyFault fault.Code
	CompanyUntil time.Time
	Joining      bool

	SalesforceSigned bool
	MailSigned       bool

	Paused      bool
	PausedUntil time.Time // zero: until resumed

	// The fault that stops a side now, "" for none; Until is when it is tried again by itself.
	MailFault       fault.Code
	SalesforceFault fault.Code
	Until           time.Time

	Waiting  int // mails that are on their way, NeedsYou apart
	NeedsYou int
	Scanning bool
}

// Result is the state with what belongs to it.
type Result struct {
	State capture.State
	Which string     // NeedsSignIn: "salesforce" or "mail"; NeedsYou also "company"
	Until time.Time  // Paused, Waiting, Offline
	Why   fault.Code // NeedsSignIn, Waiting, Offline, NeedsYou
}

// Next derives the state from facts alone: no I/O, no memory of its own. The first row that
// holds decides, so that a person sees the cause and not its consequences.
func Next(f Facts) Result {
	side, code := stopping(f)
	switch {
	case f.Removed:
		return Result{State: capture.NotEnrolled, Why: fault.Removed}
	case !f.Configured && f.CompanyFault == "":
		return Result{State: capture.NotEnrolled}
	case f.Wrong:
		return Result{State: capture.WrongAccount, Why: fault.WrongAccount}
	case f.Suspended:
		return Result{State: capture.Suspended}
	case f.CompanyFault != "" && (!f.Configured || f.SalesforceSigned && f.MailSigned):
		return companyStops(f)
	case !f.SalesforceSigned:
		return Result{State: capture.NeedsSignIn, Which: "salesforce", Why: f.SalesforceFault}
	case !f.MailSigned:
		return Result{State: capture.NeedsSignIn, Which: "mail", Why: f.MailFault}
	case f.Joining:
		return Result{State: capture.Working}
	case f.Paused && (f.PausedUntil.IsZero() || f.Now.Before(f.PausedUntil)):
		return Result{State: capture.Paused, Until: f.PausedUntil}
	case code == fault.Offline:
		return Result{State: capture.Offline, Why: code, Until: f.Until}
	case code != "" && code.Class() == fault.Retry:
		return Result{State: capture.Waiting, Why: code, Until: f.Until}
	case code != "":
		return Result{State: capture.NeedsYou, Why: code, Which: side}
	case f.Scanning || f.Waiting > 0:
		return Result{State: capture.Working}
	case f.NeedsYou > 0:
		return Result{State: capture.NeedsYou}
	default:
		return Result{State: capture.UpToDate}
	}
}

// companyStops is the state while the company's server keeps this computer from working.
func companyStops(f Facts) Result {
	if f.CompanyFault.Class() == fault.Retry {
		return Result{State: capture.Waiting, Why: f.CompanyFault, Until: f.CompanyUntil}
	}
	return Result{State: capture.NeedsYou, Why: f.CompanyFault, Which: "company"}
}

// stopping returns the side whose fault is shown: one that needs a person before one that goes
// away by itself.
func stopping(f Facts) (string, fault.Code) {
	sf, mail := f.SalesforceFault, f.MailFault
	if sf == "" || mail != "" && mail.Class() != fault.Retry && sf.Class() == fault.Retry {
		return "mail", mail
	}
	return "salesforce", sf
}
