package agent

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/mailparse"
	"hawser/sync/match"
	"hawser/sync/salesforce"
)

// deliverQueue sends the queue until ctx ends.
func (a *Agent) deliverQueue(ctx context.Context) error {
	budget, err := a.recallBudget(ctx)
	if err != nil {
		return err
	}
	client, err := a.newClient(ctx, budget)
	if err != nil {
		return err
	}
	if err := a.checkAccount(ctx, client); err != nil {
		return err
	}
	d, err := deliver.New(deliver.Config{
		Queue: queueOf{a.db, a}, Target: client, Read: readMail, File: readFile, Own: a.own, Check: a.checkBatch,
		Content: a.content, LeftOut: a.leftOut, Pick: a.pick, Order: func() match.Order { return match.OrderOf(a.chosen().Order) },
		Changed: func(e deliver.Event) { a.deliveryChanged(ctx, e) }, Log: a.cfg.Log, Now: a.cfg.Now, Budget: budget,
	})
	if err != nil {
		return err
	}
	a.setDelivery(client, d)
	defer a.setDelivery(nil, nil)
	err = d.Run(ctx, a.wake)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func readMail(_ context.Context, r io.Reader, size int64) (capture.Mail, error) {
	return mailparse.Parse(r, size)
}

func readFile(_ context.Context, r io.Reader, size int64, index int) (io.ReadCloser, error) {
	return mailparse.File(r, size, index)
}

// newClient returns the Salesforce client of the sign-in.
func (a *Agent) newClient(ctx context.Context, budget *deliver.Budget) (*salesforce.Client, error) {
	tokens, l, err := a.tokensOf(ctx, sideSalesforce)
	if err != nil {
		return nil, err
	}
	return salesforce.New(salesforce.Config{
		Base: l.APIBase, Fallback: l.Fallback, NetworkID: l.NetworkID, UserID: l.UserID,
		Token: tokens.Token, HTTP: a.http, Log: a.cfg.Log, Now: a.cfg.Now,
		Used: func(calls, orgUsed, orgMax int) {
			budget.Org(a.now(), orgUsed, orgMax)
			a.board.update(func(b *board) {
				if orgMax > 0 {
					b.calls.OrgUsed, b.calls.OrgMax = orgUsed, orgMax
				}
			})
		},
	})
}

func (a *Agent) setDelivery(c *salesforce.Client, d *deliver.Deliverer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.client, a.deliverer = c, d
}

// checkAccount asks Salesforce once per start whose token this is.
func (a *Agent) checkAccount(ctx context.Context, c *salesforce.Client) error {
	me, err := c.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if (capture.Account{OrgID: me.OrgID, UserID: me.UserID}) == a.bound().account {
		return nil
	}
	return a.foreign(sideSalesforce, cmp.Or(me.Username, me.UserID))
}

// checkBatch confirms before each batch that the account in use is the one the queue belongs to.
func (a *Agent) checkBatch(ctx context.Context) error {
	stored, _, found, err := a.db.Binding(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	l := a.logins[sideSalesforce]
	a.mu.Unlock()
	if found && l.account() == stored {
		return nil
	}
	return a.foreign(sideSalesforce, l.Name)
}

// deliveryChanged writes what delivery says on the board, and the day's calls into the store.
func (a *Agent) deliveryChanged(ctx context.Context, e deliver.Event) {
	if err := a.db.SaveCalls(ctx, e.Usage.Day, e.Usage.Used); err != nil && ctx.Err() == nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelError, "calls not stored", slog.Any("err", err))
	}
	a.refreshCounts(ctx)
	a.board.update(func(b *board) {
		b.calls.Used = e.Usage.Used
		// A new try has no outcome yet: until then what stopped the last one is shown.
		if e.Fault != "" || !e.Working || e.LastSuccess.After(b.sf.LastSuccess) {
			b.sf.Fault = e.Fault
		}
		if b.sf.Fault != "" {
			b.facts.Until = e.Until
		}
		if signInLost(e.Fault) {
			b.sf.SignedIn = false
		}
		if !e.LastSuccess.IsZero() {
			b.sf.LastSuccess = e.LastSuccess
		}
		b.notes = nil
		for _, missing := range e.Missing {
			b.notes = append(b.notes, control.Note{Code: fault.PermissionMissing, Detail: missing})
		}
	})
}

// recallBudget returns the day's budget with what was used before the start.
func (a *Agent) recallBudget(ctx context.Context) (*deliver.Budget, error) {
	day := a.now().UTC().Format("2006-01-02")
	used, err := a.db.Calls(ctx, day)
	if err != nil {
		return nil, err
	}
	allow := deliver.UsualAllowance
	allow.Normal = a.settings().Salesforce.DailyCalls
	a.board.update(func(b *board) { b.calls.Used, b.calls.Budget = used, allow.Normal+allow.Backfill })
	return deliver.NewBudget(allow, deliver.Usage{Day: day, Used: used}), nil
}
