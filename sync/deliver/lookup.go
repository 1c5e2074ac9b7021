package deliver

import (
	"context"
	"strings"

	"hawser/sync/fault"
	"hawser/sync/match"
)

// Lookup answers who addresses belong to, as the user sees it, for rules and previews. It uses and
// fills delivery's memory, asks for many addresses in one call, and leaves the day's reserve to
// delivery: without calls left it is BudgetSpent, and After says when to ask again. While delivery
// is stopped by a fault it is that fault. Addresses are compared in lower case; each one that was
// asked for has an entry, empty for nobody. It may be called at any time.
func (d *Deliverer) Lookup(ctx context.Context, addresses []string) (map[string][]match.Candidate, error) {
	select {
	case d.asking <- struct{}{}: // so that two askers pay for an address once
		defer func() { <-d.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found := make(map[string][]match.Candidate, len(addresses))
	var unknown []string
	for _, addr := range addresses {
		addr = strings.ToLower(strings.TrimSpace(addr))
		if _, twice := found[addr]; twice {
			continue
		}
		known, ok := d.people.get(addr, d.cfg.Now())
		found[addr] = known
		if !ok && match.Plausible(addr) {
			unknown = append(unknown, addr)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	if err := d.mayCall(ctx, false); err != nil {
		return nil, err
	}
	if _, err := d.probeOrg(ctx); err != nil {
		return nil, err
	}
	most := max(1, d.cfg.Target.Limits().Addresses)
	for len(unknown) > 0 {
		if err := d.affords(false); err != nil {
			return nil, err
		}
		var part []string
		part, unknown = cut(unknown, most)
		a, err := d.ask(ctx, Query{Addresses: part})
		if err != nil {
			return nil, err
		}
		for _, addr := range part {
			found[addr] = a.People[addr]
		}
	}
	return found, nil
}

// Search finds contacts and leads by what the person types, such as part of a name, for a mail that
// nobody in Salesforce belongs to. It costs one call and may be called at any time.
func (d *Deliverer) Search(ctx context.Context, text string) ([]match.Candidate, error) {
	if err := d.mayCall(ctx, true); err != nil {
		return nil, err
	}
	if _, err := d.probeOrg(ctx); err != nil {
		return nil, err
	}
	d.paid()
	return d.cfg.Target.Search(ctx, text)
}

// Unsave takes a saved mail back: the record that this user created, and what was made for it. A
// record that is not there is taken back. A colleague's is OthersRecord, one that the user may not
// delete PermissionMissing; nothing is removed then. It may be called at any time.
func (d *Deliverer) Unsave(ctx context.Context, recordID string) error {
	if err := d.mayCall(ctx, true); err != nil {
		return err
	}
	if _, err := d.probeOrg(ctx); err != nil {
		return err
	}
	calls, err := d.cfg.Target.Unsave(ctx, recordID)
	for range calls {
		d.paid()
	}
	return err
}

// mayCall reports what speaks against a call beside delivery: its stop, the budget, the account.
func (d *Deliverer) mayCall(ctx context.Context, live bool) error {
	now := d.cfg.Now()
	if h := d.stop.Load(); !h.over(now) {
		f := fault.New(h.code, "ask beside delivery", nil)
		f.Detail, f.After = h.detail, max(0, h.until.Sub(now))
		return f
	}
	if err := d.affords(live); err != nil {
		return err
	}
	return d.cfg.Check(ctx)
}

func (d *Deliverer) affords(live bool) error {
	now := d.cfg.Now()
	again, ok := d.cfg.Budget.May(now, live)
	if ok {
		return nil
	}
	f := fault.New(fault.BudgetSpent, "ask beside delivery", nil)
	f.After = again.Sub(now)
	return f
}

// ForgetPerson makes the next look-up ask for an address again, as after a person was entered.
func (d *Deliverer) ForgetPerson(address string) {
	d.people.drop(strings.ToLower(strings.TrimSpace(address)))
}
