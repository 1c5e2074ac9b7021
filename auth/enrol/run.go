package enrol

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// How Run ends before its context does.
var (
	// ErrSettings says that the policy in force wants other settings.
	ErrSettings = errors.New("settings changed")
	// ErrRemoved says that the company ordered this computer to delete everything; the order is
	// stored, see [Member.Doomed].
	ErrRemoved = errors.New("removed by the company")
)

// When a step is tried again: after first, then ever later, up to a limit that follows from who has
// to act. Every time is spread by a fifth both ways.
const (
	first    = 5 * time.Second
	mostUser = 45 * time.Second // a person watches
	most     = 5 * time.Minute
)

// Run takes every step that can be taken, until ctx ends; see also [ErrSettings] and [ErrRemoved].
// What goes wrong is shown, never returned.
func (m *Member) Run(ctx context.Context) error {
	tries := 0
	for {
		wait, err := m.step(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrSettings), errors.Is(err, ErrRemoved):
			return err
		case err != nil:
			f := faultOf(err)
			wait = m.pause(f, tries)
			tries++
			m.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "registration step put off", slog.String("code", string(f.Code)), slog.Any("err", err))
			m.show(func(v *View) { v.Fault, v.Until = f.Code, until(m.cfg.Now(), wait) })
		default:
			tries = 0
		}
		if err := m.rest(ctx, wait); err != nil {
			return err
		}
	}
}

// never is the wait of what only a person can move on.
const never = time.Duration(-1)

func until(now time.Time, wait time.Duration) time.Time {
	if wait == never {
		return time.Time{}
	}
	return now.Add(wait)
}

// pause returns how long a fault keeps a step from being tried again.
func (m *Member) pause(f *fault.Error, tries int) time.Duration {
	switch f.Code {
	case fault.EnrolSpent, fault.EnrolRefused, fault.IdentityStale, fault.OtherAccount, fault.OtherMailbox:
		return never
	}
	if f.Code.Class() != fault.Retry {
		return provision.NextCheckIn(most)
	}
	limit := most
	if !m.registered() {
		limit = mostUser
	}
	return max(f.After, provision.NextCheckIn(min(first<<min(tries, 10), limit)))
}

func (m *Member) rest(ctx context.Context, wait time.Duration) error {
	var over <-chan time.Time
	if wait != never {
		timer := m.cfg.Timer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-over:
	case <-m.changed:
	}
	return nil
}

// step takes the one step that comes next, and returns how long to wait before the one after it.
func (m *Member) step(ctx context.Context) (time.Duration, error) {
	left := m.sayGoodbye(ctx)
	m.mu.Lock()
	rec := m.rec.clone()
	m.mu.Unlock()
	wait, err := m.forward(ctx, rec)
	if left && (wait == never || wait > most) {
		wait = most
	}
	return wait, err
}

func (m *Member) forward(ctx context.Context, rec record) (time.Duration, error) {
	switch {
	case rec.Removed != nil:
		if rec.Device != "" {
			return 0, ErrRemoved
		}
		return never, nil
	case rec.Server == "":
		return never, nil
	case rec.Device != "":
		return m.checkIn(ctx, rec)
	case !rec.SetUp:
		return 0, m.setUp(ctx, rec)
	}
	if rec.stage() == SigningIn {
		return never, nil
	}
	return m.register(ctx, rec)
}

// setUp asks what to sign in to.
func (m *Member) setUp(ctx context.Context, rec record) error {
	key, err := provision.ParseCredential(rec.Key)
	if err != nil {
		return fault.New(fault.EnrolRefused, "set up", err)
	}
	api, err := m.client(rec.Server, key)
	if err != nil {
		return fault.New(fault.EnrolRefused, "set up", err)
	}
	out, err := api.Setup(ctx)
	if err != nil {
		return refusedAs(err, fault.EnrolRefused)
	}
	pin := provision.PolicyPin{Tenant: out.Tenant, Keys: out.PolicyKeys}
	rec.Pin = pin
	return m.accept(ctx, rec, out.Policy, func(r *record) {
		r.SetUp, r.Company = true, out.TenantName
		m.answered()
	})
}

// answered notes a good answer; the lock is held.
func (m *Member) answered() {
	m.view.LastSuccess, m.view.Fault, m.view.Until = m.cfg.Now(), "", time.Time{}
}

// register shows the company who signed in here.
func (m *Member) register(ctx context.Context, rec record) (time.Duration, error) {
	key, err := provision.ParseCredential(rec.Key)
	if err != nil {
		return 0, fault.New(fault.EnrolRefused, "register", err)
	}
	api, err := m.client(rec.Server, key)
	if err != nil {
		return 0, err
	}
	report, err := m.report(ctx, rec)
	if err != nil {
		return 0, err
	}
	in := provision.RegisterIn{
		Registration: rec.Registration, Secret: rec.Secret, Mailbox: rec.Mailbox, Ticket: rec.Ticket, Report: report,
	}
	if rec.Ticket == "" {
		in.Salesforce, in.Mail = rec.Proofs[provision.SideSalesforce], rec.Proofs[provision.SideMail]
	}
	out, err := api.Register(ctx, in)
	var p *provision.Problem
	if errors.As(err, &p) {
		return m.notYet(ctx, rec, p)
	}
	if err != nil {
		return 0, err
	}
	err = m.changeOf(ctx, rec, func(r *record) {
		r.Device, r.Company, r.Group, r.Suspended = out.Device, out.TenantName, out.Group, false
		r.Key, r.Proofs, r.Ticket = "", nil, ""
		m.answered()
	})
	m.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "registered")
	return 0, err // the first check-in follows at once: the group may have a policy of its own
}

// notYet stores what a refusal leaves of the proofs.
func (m *Member) notYet(ctx context.Context, rec record, p *provision.Problem) (time.Duration, error) {
	err := m.changeOf(ctx, rec, func(r *record) {
		if p.Ticket != "" {
			r.Ticket, r.Proofs = p.Ticket, nil
		}
		stopped := p.Code == provision.CodeSuspended
		if stopped != r.Suspended {
			r.Suspended, r.Since = stopped, m.cfg.Now()
		}
		switch p.Code {
		case provision.CodeIdentity, provision.CodeIdentityStale:
			r.Ticket, r.Proofs = "", nil
		case provision.CodeWrongAccount:
			delete(r.Proofs, provision.SideSalesforce)
		case provision.CodeWrongMailbox, provision.CodeUnproven:
			r.Ticket = ""
			delete(r.Proofs, provision.SideMail)
		}
		if stopped {
			m.answered()
		}
	})
	if err == nil && p.Code == provision.CodeSuspended {
		return provision.NextCheckIn(mostUser), nil
	}
	if err == nil {
		err = refusedAs(p, fault.EnrolRefused)
	}
	return 0, err
}

// report is what the company hears of this computer.
func (m *Member) report(ctx context.Context, rec record) (provision.Report, error) {
	r, err := m.cfg.Report(ctx)
	if rec.Policy != nil {
		r.PolicyVersion = rec.Policy.Version
	}
	return r, err
}

// refusedAs names a refusal of the signature by what the key was: the server says no more.
func refusedAs(err error, code fault.Code) error {
	var p *provision.Problem
	if errors.As(err, &p) && p.Code == reqsig.CodeRefused {
		return fault.New(code, "call company server", p)
	}
	return err
}

var faults = map[string]fault.Code{
	provision.CodeSpent:          fault.EnrolSpent,
	provision.CodeConflict:       fault.AccountTaken,
	provision.CodeBound:          fault.AccountTaken,
	provision.CodeIdentity:       fault.IdentityRefused,
	provision.CodeIdentityStale:  fault.IdentityStale,
	provision.CodeWrongMailbox:   fault.OtherMailbox,
	provision.CodeUnproven:       fault.MailboxUnproven,
	provision.CodeWrongAccount:   fault.OtherAccount,
	provision.CodeNotProvisioned: fault.NotProvisioned,
	provision.CodeState:          fault.NotProvisioned,
	reqsig.CodeStale:             fault.ServerError,
	reqsig.CodeReplayed:          fault.ServerError,
}

// faultOf gives a problem of the protocol its fault.
func faultOf(err error) *fault.Error {
	var p *provision.Problem
	if errors.As(err, &p) && fault.Of(err).Code == fault.Internal {
		if code, known := faults[p.Code]; known {
			return fault.New(code, "call company server", p)
		}
	}
	return fault.Of(err)
}

// Farewell returns the record with which the next profile of this computer begins, after the
// deletion of this one: it has yet to tell the server, and to show the person, what became of it.
func (m *Member) Farewell(ctx context.Context) (secret.String, error) {
	m.mu.Lock()
	rec := m.rec.clone()
	m.mu.Unlock()
	next := record{Removed: rec.Removed, Goodbyes: rec.Goodbyes}
	if rec.Device != "" {
		device, err := rec.device()
		if err != nil {
			return secret.String{}, err
		}
		bye := Goodbye{Server: rec.Server, Key: device.Text().Reveal()}
		if rec.Removed != nil {
			report, err := m.report(ctx, rec)
			if err != nil {
				return secret.String{}, err
			}
			bye.Wiped = &report
		}
		next.Goodbyes = append(next.Goodbyes, bye)
	}
	return next.text()
}
