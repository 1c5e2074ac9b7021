package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/auth/enrol"
	"hawser/auth/provision"
	"hawser/auth/secret"
	"hawser/store/agentdb"
	"hawser/sync/fault"
)

// memberRecord is where the membership in the company lies, sealed in the store.
type memberRecord struct{ db *agentdb.DB }

const memberSecret = "company"

// Load implements enrol.Store.
func (r memberRecord) Load(ctx context.Context) (secret.String, error) {
	return r.db.Secret(ctx, memberSecret)
}

// Save implements enrol.Store.
func (r memberRecord) Save(ctx context.Context, record secret.String) error {
	return r.db.SaveSecret(ctx, memberSecret, record)
}

// openCompany takes up the membership, and puts its policy in force.
func (a *Agent) openCompany(ctx context.Context) error {
	if !a.cfg.farewell.Empty() {
		if err := (memberRecord{a.db}).Save(ctx, a.cfg.farewell); err != nil {
			return fmt.Errorf("store farewell: %w", err)
		}
	}
	member, err := enrol.Open(ctx, enrol.Config{
		Store: memberRecord{a.db}, HTTP: companyTransport(a.http), Log: a.cfg.Log, Report: a.report, Now: a.cfg.Now,
		Changed: a.companyChanged,
		Preset:  enrol.Preset{Server: a.cfg.Settings.Company.Server, Key: secret.New(a.cfg.Settings.Company.Key)},
	})
	if err != nil {
		return err
	}
	a.member = member
	a.obey()
	return nil
}

// companyTransport keeps its connection until the server ends it: a new one costs both sides more
// than a check-in. The company's server may stand in the company's own network.
func companyTransport(c *http.Client) http.RoundTripper {
	t := c.Transport.(*http.Transport).Clone()
	t.DialContext, t.IdleConnTimeout, t.MaxIdleConnsPerHost = nil, 0, 1
	return t
}

// report is what the company hears of this computer: words and numbers.
func (a *Agent) report(ctx context.Context) (provision.Report, error) {
	c, err := a.db.Counts(ctx)
	if err != nil {
		return provision.Report{}, err
	}
	s := a.board.shown.Status()
	return provision.Report{
		Version: a.cfg.Version, OS: runtime.GOOS, State: string(s.State), Fault: string(s.Why),
		Counts: provision.Counts{
			Seen: int64(c.Seen), Captured: int64(c.Captured), Filtered: int64(c.Filtered),
			Held: int64(c.Held), Waiting: int64(c.Waiting), NeedsYou: int64(c.NeedsYou),
		},
	}, nil
}

// companyChanged wakes followCompany. It is called while the membership changes, and does no more.
func (a *Agent) companyChanged() {
	select {
	case a.heard <- struct{}{}:
	default:
	}
}

// belong keeps the membership going until ctx ends, or until the company removes this computer.
func (a *Agent) belong(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.followCompany(ctx) })
	g.Go(func() error {
		for {
			err := a.member.Run(ctx)
			switch {
			case errors.Is(err, enrol.ErrSettings):
				a.obey()
			case errors.Is(err, enrol.ErrRemoved):
				if _, err = a.dissolve(ctx); err == nil {
					return nil
				}
				a.cfg.Log.LogAttrs(ctx, slog.LevelError, "order of the company not carried out", slog.Any("err", err))
				if err := a.rest(ctx, a.now().Add(restPeriod)); err != nil {
					return err
				}
			default:
				return err
			}
		}
	})
	return g.Wait()
}

// followCompany shows each change of the membership, and binds this computer once it is registered.
func (a *Agent) followCompany(ctx context.Context) error {
	for {
		a.showCompany()
		if err := a.bind(ctx); err != nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelError, "not bound", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.heard:
		}
	}
}

// settings returns what Hawser is told to do.
func (a *Agent) settings() config.Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inForce
}

// settingsEdition rises whenever the settings change.
func (a *Agent) settingsEdition() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.edition
}

// obey puts the policy's settings in force. Both sides begin anew with them.
func (a *Agent) obey() {
	settings, locked, version := a.member.Settings()
	inForce, ignored := a.cfg.Settings.Under(config.Policy{Settings: settings, Locked: locked})
	a.mu.Lock()
	a.inForce, a.ignored, a.obeyed = inForce, ignored, version
	a.edition++
	clear(a.tokens) // they know the app that signed in
	a.mu.Unlock()
	a.board.update(func(b *board) {
		b.facts.Configured = inForce.Lacks() == ""
		if !b.sf.SignedIn {
			b.sf.Host = hostOf(inForce.Salesforce.Site)
		}
		b.mail.Host = inForce.Mail.IMAP
	})
	a.compile()
	if err := a.obeyAutostart(); err != nil {
		a.cfg.Log.Warn("start at login not set as the company wants it", slog.Any("err", err))
	}
	a.showCompany()
}

// showCompany writes the membership on the board.
func (a *Agent) showCompany() {
	v := a.member.View()
	a.mu.Lock()
	ignored, obeyed := a.ignored, a.obeyed
	a.mu.Unlock()
	a.board.update(func(b *board) {
		b.company = control.Company{
			Stage: string(v.Stage), Name: v.Company, Server: v.Server, Group: v.Group, Policy: obeyed,
			LastSuccess: v.LastSuccess, Fault: v.Fault, Since: v.Since, By: v.By,
		}
		b.companyNotes = companyNotes(v, ignored, a.now())
		b.facts.Removed, b.facts.Suspended = v.Stage == enrol.Removed, v.Stage == enrol.Suspended
		b.facts.CompanyFault, b.facts.CompanyUntil = stoppedBy(v), v.Until
		b.facts.Joining = v.Stage == enrol.Joining
		for _, side := range []string{sideSalesforce, sideMail} {
			if s := b.sideOf(side); a.member.Lacks(side) {
				s.SignedIn, s.Fault = false, v.Fault
			}
		}
	})
}

// stoppedBy returns the fault of the company's side that stops all work. A server that cannot be
// reached stops nothing once a computer is registered.
func stoppedBy(v enrol.View) fault.Code {
	switch {
	case v.Stage == enrol.Waiting:
		return fault.NotProvisioned
	case v.Stage == enrol.SettingUp, v.Stage == enrol.SigningIn, v.Stage == enrol.Joining, v.Fault == fault.KeyRefused:
		return v.Fault
	}
	return ""
}

func companyNotes(v enrol.View, ignored []string, now time.Time) (notes []control.Note) {
	if v.Refused != "" {
		notes = append(notes, control.Note{Code: fault.PolicyRefused, Detail: v.Refused})
	}
	if !v.Expires.IsZero() && !now.Before(v.Expires) {
		notes = append(notes, control.Note{Code: fault.PolicyExpired})
	}
	for _, key := range ignored {
		notes = append(notes, control.Note{Code: fault.PolicyIgnored, Detail: key})
	}
	return notes
}

// allowed reports whether the company, if there is one, lets this computer work.
func (a *Agent) allowed() bool {
	v := a.member.View()
	return (v.Stage == enrol.Apart || v.Stage == enrol.Active) && stoppedBy(v) == ""
}

// Enrol implements control.Agent. It returns once the company's server has said what to sign in to,
// or why it does not.
func (a *Agent) Enrol(ctx context.Context, pasted secret.String) (control.Company, error) {
	if err := a.member.Enrol(ctx, pasted); err != nil {
		return control.Company{}, err
	}
	a.offer(offer{}) // joined by it or by something else
	for {
		s, changed := a.board.shown.Read()
		v := a.member.View()
		switch {
		case v.Fault != "":
			return s.Company, fault.New(v.Fault, "enrol", nil)
		case v.Stage != enrol.SettingUp && s.Company.Stage == string(v.Stage) && s.Company.Policy == v.Policy:
			return s.Company, nil
		}
		select {
		case <-ctx.Done():
			return s.Company, ctx.Err()
		case <-changed:
		}
	}
}

// prove hands a sign-in to the membership, which shows it to the company while this computer is
// not registered.
func (a *Agent) prove(ctx context.Context, side string, l login, idToken secret.String) error {
	if err := a.member.Prove(ctx, side, idToken, l.Address); err != nil {
		return fmt.Errorf("keep proof of sign-in: %w", err)
	}
	return nil
}

// maySignIn refuses a sign-in that could lead to nothing.
func (a *Agent) maySignIn() error {
	if a.member.View().Stage == enrol.Removed {
		return fault.New(fault.Removed, "sign in", nil)
	}
	return nil
}
