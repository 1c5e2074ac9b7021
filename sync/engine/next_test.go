package engine

import (
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

func TestNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	ok := Facts{Now: now, Configured: true, SalesforceSigned: true, MailSigned: true}
	with := func(change func(*Facts)) Facts {
		f := ok
		change(&f)
		return f
	}
	rows := []struct {
		name  string
		facts Facts
		want  Result
	}{
		{"nothing to do", ok, Result{State: capture.UpToDate}},
		{"no configuration", Facts{Now: now}, Result{State: capture.NotEnrolled}},
		{"another account beats all else", with(func(f *Facts) { f.Wrong, f.SalesforceSigned = true, false }), Result{State: capture.WrongAccount, Why: fault.WrongAccount}},
		{"suspended", with(func(f *Facts) { f.Suspended = true }), Result{State: capture.Suspended}},
		{"no Salesforce sign-in", with(func(f *Facts) { f.SalesforceSigned, f.MailSigned = false, false }), Result{State: capture.NeedsSignIn, Which: "salesforce"}},
		{"sign-in lost", with(func(f *Facts) { f.SalesforceSigned, f.SalesforceFault = false, fault.TokenRevoked }), Result{State: capture.NeedsSignIn, Which: "salesforce", Why: fault.TokenRevoked}},
		{"no mail sign-in", with(func(f *Facts) { f.MailSigned = false }), Result{State: capture.NeedsSignIn, Which: "mail"}},
		{"paused for good", with(func(f *Facts) { f.Paused = true }), Result{State: capture.Paused}},
		{"paused for an hour", with(func(f *Facts) { f.Paused, f.PausedUntil = true, later }), Result{State: capture.Paused, Until: later}},
		{"pause is over", with(func(f *Facts) { f.Paused, f.PausedUntil = true, now }), Result{State: capture.UpToDate}},
		{"pause hides a fault", with(func(f *Facts) { f.Paused, f.MailFault = true, fault.Offline }), Result{State: capture.Paused}},
		{"offline", with(func(f *Facts) { f.MailFault, f.Until = fault.Offline, later }), Result{State: capture.Offline, Why: fault.Offline, Until: later}},
		{"the org is busy", with(func(f *Facts) { f.SalesforceFault, f.Until, f.Waiting = fault.LimitReached, later, 3 }), Result{State: capture.Waiting, Why: fault.LimitReached, Until: later}},
		{"an administrator is needed", with(func(f *Facts) { f.SalesforceFault = fault.APIDisabled }), Result{State: capture.NeedsYou, Why: fault.APIDisabled, Which: "salesforce"}},
		{"a person beats patience", with(func(f *Facts) { f.SalesforceFault, f.MailFault = fault.ServerError, fault.MailRefused }), Result{State: capture.NeedsYou, Why: fault.MailRefused, Which: "mail"}},
		{"scanning", with(func(f *Facts) { f.Scanning = true }), Result{State: capture.Working}},
		{"sending goes before needs-you", with(func(f *Facts) { f.Waiting, f.NeedsYou = 1, 2 }), Result{State: capture.Working}},
		{"needs you", with(func(f *Facts) { f.NeedsYou = 2 }), Result{State: capture.NeedsYou}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if got := Next(r.facts); got != r.want {
				t.Errorf("got %+v, want %+v", got, r.want)
			}
		})
	}
}

func TestBackoffIsBoundedAndPatient(t *testing.T) {
	t.Parallel()
	for tries := range 40 {
		low, high := Backoff(tries, 0, 0), Backoff(tries, 0, 0.999)
		if low < time.Second || high > 5*time.Minute || low > high {
			t.Errorf("try %d waits between %v and %v", tries, low, high)
		}
	}
	if got := Backoff(0, 90*time.Second, 0); got != 90*time.Second {
		t.Errorf("asked for 90 s, waits %v", got)
	}
	if got := Backoff(0, 365*24*time.Hour, 0); got != time.Hour {
		t.Errorf("asked for a year, waits %v", got)
	}
}
