package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/auth/keyring"
	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// The profile's key in the key store.
const (
	keyService = "io.hawser.Hawser"
	keyProfile = "default"
)

func (l login) account() capture.Account {
	return capture.Account{OrgID: l.OrgID, UserID: l.UserID}
}

func (l login) mailbox() capture.Mailbox {
	return capture.Mailbox{Issuer: l.Issuer, Subject: l.Subject, Address: l.Address}
}

// checkLogin refuses a sign-in of another account than the bound one, and freezes all work: what
// waits belongs to the bound one.
func (a *Agent) checkLogin(side string, l login) error {
	a.mu.Lock()
	bound := a.binding
	a.mu.Unlock()
	if bound == nil {
		return nil
	}
	same := l.account() == bound.account
	if side == sideMail {
		same = l.Issuer == bound.mailbox.Issuer && l.Subject == bound.mailbox.Subject
	}
	if same {
		return nil
	}
	return a.foreign(side, cmp.Or(l.Name, l.Subject))
}

// foreign shows that another account than the bound one signed in, and returns the fault. Its name
// is for people.
func (a *Agent) foreign(side, name string) error {
	a.board.update(func(b *board) {
		b.facts.Wrong = true
		b.sideOf(side).Other = cmp.Or(name, "?")
	})
	f := fault.New(fault.WrongAccount, "check account", nil)
	f.Detail = name
	return f
}

// isWrong reports whether another account than the bound one signed in last on a side.
func (a *Agent) isWrong(side string) bool {
	s := a.board.shown.Status()
	if side == sideMail {
		return s.Mail.Other != ""
	}
	return s.Salesforce.Other != ""
}

// bind ties the profile to its account and mailbox at the first complete sign-in. A computer that
// joins a company is bound once the company has registered it: until then a wrong account is put
// right by signing in again.
func (a *Agent) bind(ctx context.Context) error {
	a.binder.Lock()
	defer a.binder.Unlock()
	a.mu.Lock()
	due := a.binding == nil && len(a.logins) == 2
	sf, mail := a.logins[sideSalesforce], a.logins[sideMail]
	a.mu.Unlock()
	if !due || a.member.Pending() {
		return nil
	}
	if err := a.db.Bind(ctx, sf.account(), mail.mailbox()); err != nil {
		return fmt.Errorf("bind mailbox and account: %w", err)
	}
	a.mu.Lock()
	a.binding = &boundTo{account: sf.account(), mailbox: mail.mailbox()}
	a.mu.Unlock()
	err := errors.Join(a.named(ctx, sideSalesforce, sf.Name), a.named(ctx, sideMail, mail.Name))
	a.poke()
	return err
}

// named stores and shows under which name people know a bound account today.
func (a *Agent) named(ctx context.Context, side, name string) error {
	if a.bound() == (boundTo{}) {
		return nil
	}
	if err := a.db.SaveSetting(ctx, "bound."+side, name); err != nil {
		return fmt.Errorf("store name of account: %w", err)
	}
	a.board.update(func(b *board) { b.sideOf(side).Bound = name })
	return nil
}

// recallNames shows the names of the bound accounts.
func (a *Agent) recallNames(ctx context.Context) error {
	for _, side := range []string{sideSalesforce, sideMail} {
		name, found, err := a.db.Setting(ctx, "bound."+side)
		if err != nil {
			return fmt.Errorf("read name of account: %w", err)
		}
		if found {
			a.board.update(func(b *board) { b.sideOf(side).Bound = name })
		}
	}
	return nil
}

// unbound ends a run of the agent whose profile is to begin anew.
type unbound struct {
	owed     []revocation // what the providers have yet to hear
	farewell secret.String
}

func (*unbound) Error() string { return "unbound" }

// Unbind implements control.Agent.
func (a *Agent) Unbind(ctx context.Context) (control.UnbindResult, error) { return a.dissolve(ctx) }

// dissolve deletes all that this computer knows of both accounts. The run ends soon after with an
// error of type *unbound, which [Foreground] answers with an empty profile; only its key makes what
// is left on the disk unreadable for good.
func (a *Agent) dissolve(ctx context.Context) (control.UnbindResult, error) {
	ctx = context.WithoutCancel(ctx) // half an unbinding would be none
	counts, err := a.db.Counts(ctx)
	if err != nil {
		return control.UnbindResult{}, err
	}
	farewell, err := a.member.Farewell(ctx)
	if err != nil {
		return control.UnbindResult{}, err
	}
	for _, side := range []string{sideSalesforce, sideMail} {
		if _, err := a.leave(ctx, side); err != nil { // what was stopped stays so: the run ends
			return control.UnbindResult{}, err
		}
	}
	a.mu.Lock()
	a.binding = nil
	a.mu.Unlock()
	if _, err := a.settle(ctx); err != nil {
		return control.UnbindResult{}, err
	}
	owed, err := a.owed(ctx)
	if err != nil {
		return control.UnbindResult{}, err
	}
	if err := a.db.Wipe(ctx); err != nil {
		return control.UnbindResult{}, fmt.Errorf("wipe queue: %w", err)
	}
	a.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "unbound", slog.Int("waiting", counts.Waiting), slog.Int("pending", len(owed)))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unbound = &unbound{owed: owed, farewell: farewell}
	if a.stop != nil {
		a.stop()
	}
	return control.UnbindResult{Deleted: counts.Waiting + counts.Held, Pending: len(owed) > 0}, nil
}

// forgetProfile removes the store, which nobody has open, and then its key.
func forgetProfile(ctx context.Context, dirs config.Dirs, where keyring.Config) error {
	path := filepath.Join(dirs.State, "queue.db")
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove queue: %w", err)
		}
	}
	return keyring.Delete(ctx, where)
}
