package enrol

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"hawser/auth/provision"
	"hawser/sync/fault"
)

// Why a policy was refused, as [View.Refused] says it.
const (
	ReasonUnsigned = "unsigned" // by no key of the company
	ReasonForeign  = "foreign"  // another company's
	ReasonOlder    = "older"    // than one that was accepted before
	ReasonExpired  = "expired"
)

// Doomed reports whether a proven order to delete everything has not been carried out yet.
func (m *Member) Doomed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rec.Removed != nil && m.rec.Device != ""
}

// checkIn reports, and does what the company wants.
func (m *Member) checkIn(ctx context.Context, rec record) (time.Duration, error) {
	device, err := rec.device()
	if err != nil {
		return 0, err
	}
	api, err := m.client(rec.Server, device)
	if err != nil {
		return 0, err
	}
	report, err := m.report(ctx, rec)
	if err != nil {
		return 0, err
	}
	out, err := api.CheckIn(ctx, report)
	if err != nil {
		err = refusedAs(err, fault.KeyRefused)
		if fault.Is(err, fault.KeyRefused) && !rec.Refused { // stored, or a cut line would undo it
			err = errors.Join(err, m.changeOf(ctx, rec, func(r *record) { r.Refused = true }))
		}
		return 0, err
	}
	if out.State == provision.StandingRemoved {
		return 0, m.removed(ctx, rec, out)
	}
	if err := m.heard(ctx, rec, out); err != nil {
		return 0, err
	}
	wait := m.nextCheckIn(min(max(time.Duration(out.Interval)*time.Second, first), most))
	if out.PolicyVersion == 0 || rec.Policy != nil && rec.Policy.Version == out.PolicyVersion && rec.Group == out.Group {
		return wait, nil
	}
	envelope, err := api.Policy(ctx)
	if err != nil {
		return 0, err
	}
	return wait, m.accept(ctx, rec, &envelope, func(*record) {})
}

// nextCheckIn returns how long the next check-in may take, which is close to the fifth more than the
// interval that a company reckons with: most come earlier, with [Member.Awake].
func (m *Member) nextCheckIn(interval time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.early = m.cfg.Now().Add(interval * 2 / 3)
	return interval*6/5 - rand.N(interval/20)
}

// Awake says that the computer is awake for something else: a check-in that is due soon costs less
// now than a wake-up of its own.
func (m *Member) Awake() {
	m.mu.Lock()
	soon := m.rec.stage() == Active && !m.early.IsZero() && m.cfg.Now().After(m.early)
	m.mu.Unlock()
	if soon {
		m.tell()
	}
}

// removed stores a proven order; what cannot be proven is not obeyed.
func (m *Member) removed(ctx context.Context, rec record, out provision.CheckInOut) error {
	device, err := rec.device()
	if err != nil {
		return err
	}
	if out.Wipe == nil || !out.Wipe.Valid(device) {
		return fault.New(fault.NotTheServer, "check in", errors.New("order to delete is not signed"))
	}
	err = m.changeOf(ctx, rec, func(r *record) {
		r.Removed = &Order{At: out.Wipe.At, By: out.Wipe.By, Company: out.TenantName}
		m.answered()
	})
	if err != nil {
		return err
	}
	return ErrRemoved
}

// heard stores what a check-in changed; most change nothing, and are shown only.
func (m *Member) heard(ctx context.Context, rec record, out provision.CheckInOut) error {
	suspended := out.State == provision.StandingSuspended
	if !rec.Refused && rec.Suspended == suspended && rec.Company == out.TenantName && rec.Group == out.Group {
		m.mu.Lock()
		m.answered()
		m.mu.Unlock()
		m.cfg.Changed()
		return nil
	}
	return m.changeOf(ctx, rec, func(r *record) {
		r.Refused = false
		if r.Suspended = suspended; suspended {
			r.Since = out.Since
		}
		r.Company, r.Group = out.TenantName, out.Group
		m.answered()
	})
}

// accept puts a policy in force when it passes the pin of rec; else the last good one stays, and the
// refusal is shown until a good one comes. A refused policy ends no check-in. What else is to be
// stored goes with it in one write; e may be nil.
func (m *Member) accept(ctx context.Context, rec record, e *provision.PolicyEnvelope, also func(*record)) error {
	pin, policy, refused := rec.Pin, rec.Policy, ""
	if e != nil {
		doc, next, err := pin.Accept(*e, m.cfg.Now())
		if err == nil {
			policy, pin = &doc, next
		} else {
			m.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "policy refused", slog.Any("err", err))
			refused = reason(err)
		}
	}
	err := m.changeOf(ctx, rec, func(r *record) {
		r.Pin, r.Policy = pin, policy
		m.view.Refused = refused
		also(r)
	})
	if err == nil && !sameSettings(rec.Policy, policy) {
		err = ErrSettings
	}
	return err
}

func reason(err error) string {
	switch {
	case errors.Is(err, provision.ErrPolicyForeign):
		return ReasonForeign
	case errors.Is(err, provision.ErrPolicyOlder):
		return ReasonOlder
	case errors.Is(err, provision.ErrPolicyExpired):
		return ReasonExpired
	}
	return ReasonUnsigned
}

// sayGoodbye tells servers what they have yet to hear, and reports whether some is left. A key that
// is refused is dead already, which is all that was wanted.
func (m *Member) sayGoodbye(ctx context.Context) (left bool) {
	m.mu.Lock()
	list := slices.Clone(m.rec.Goodbyes)
	m.mu.Unlock()
	for _, bye := range list {
		err := m.bye(ctx, bye)
		if err != nil && (ctx.Err() != nil || faultOf(err).Code.Class() == fault.Retry) {
			left = true
			continue
		}
		err = m.change(ctx, func(r *record) {
			r.Goodbyes = slices.DeleteFunc(r.Goodbyes, func(g Goodbye) bool { return g.Key == bye.Key })
		})
		if err != nil {
			m.cfg.Log.LogAttrs(ctx, slog.LevelError, "goodbye not stored", slog.Any("err", err))
			left = true
		}
	}
	return left
}

func (m *Member) bye(ctx context.Context, bye Goodbye) error {
	key, err := provision.ParseCredential(bye.Key)
	if err != nil {
		return err
	}
	api, err := m.client(bye.Server, key)
	if err != nil {
		return err
	}
	if bye.Wiped != nil {
		return api.Wiped(ctx, *bye.Wiped)
	}
	return api.Leave(ctx)
}
