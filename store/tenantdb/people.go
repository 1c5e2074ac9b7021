package tenantdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

const personColumns = "p.id, p.grp, p.org, p.usr, p.mailbox, p.aliases, p.state, p.state_at, p.state_by, p.bound, p.created, p.updated"

// person is where the columns of one row go.
type person struct {
	u                                  provision.User
	aliases                            string
	stateAt, bound, created, updatedAt int64
}

func (p *person) dest() []any {
	u := &p.u
	return []any{&u.ID, &u.Group, &u.Account.OrgID, &u.Account.UserID, &u.Mailbox, &p.aliases, &u.State, &p.stateAt, &u.StateBy,
		&p.bound, &p.created, &p.updatedAt}
}

func (p *person) user() (provision.User, error) {
	u := p.u
	u.StateAt, u.Bound, u.Created, u.Updated = moment(p.stateAt), p.bound != 0, moment(p.created), moment(p.updatedAt)
	var err error
	u.Aliases, err = decode[string](p.aliases)
	return u, err
}

// userOf reads one user, or returns ErrNotFound.
func userOf(ctx context.Context, q querier, id reqsig.TenantID, user string) (provision.User, error) {
	return userWhere(ctx, q, "p.tenant = $1 AND p.id = $2", id.String(), user)
}

func userWhere(ctx context.Context, q querier, where string, args ...any) (provision.User, error) {
	var p person
	ok, err := one(ctx, q, p.dest(), "SELECT "+personColumns+" FROM person p WHERE "+where, args...)
	if err != nil || !ok {
		return provision.User{}, orNotFound(err)
	}
	return p.user()
}

// PutUser implements [provision.Users].
func (d *DB) PutUser(ctx context.Context, id reqsig.TenantID, u provision.User, e provision.Event) (now provision.User, created bool, err error) {
	err = d.changeOf(ctx, "put user", id, ofUser(u.ID), func(ctx context.Context, q querier) error {
		old, err := userOf(ctx, q, id, u.ID)
		created = err != nil && isAnswer(err)
		if err != nil && !created {
			return err
		}
		if old.Bound && (old.Account != u.Account || old.Mailbox != u.Mailbox) {
			return provision.ErrBound
		}
		if err := unclaimed(ctx, q, id, u); err != nil {
			return err
		}
		at := moment(stamp(e.At))
		now = provision.User{ID: u.ID, State: provision.Active, StateAt: at, StateBy: e.Actor, Created: at}
		if !created {
			if old.State != provision.Deprovisioned {
				now = old
			}
			now.Created = old.Created
			if same(now, u) && old.State != provision.Deprovisioned {
				return nil
			}
		}
		now.Group, now.Account, now.Mailbox, now.Aliases, now.Updated = u.Group, u.Account, u.Mailbox, slices.Clone(u.Aliases), at
		if err := savePerson(ctx, q, id, now); err != nil {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
	if err != nil {
		return provision.User{}, false, err
	}
	return now, created, nil
}

// same reports whether a user has the values that a tenant sets.
func same(a, b provision.User) bool {
	return a.Group == b.Group && a.Account == b.Account && a.Mailbox == b.Mailbox && slices.Equal(a.Aliases, b.Aliases)
}

// unclaimed returns ErrConflict when another user of the tenant has the account or the mailbox.
func unclaimed(ctx context.Context, q querier, id reqsig.TenantID, u provision.User) error {
	var n int64
	taken, err := one(ctx, q, []any{&n}, `SELECT 1 FROM person WHERE tenant = $1 AND org = $2 AND usr = $3 AND id <> $5 AND live = 1
		UNION ALL SELECT 1 FROM person WHERE tenant = $1 AND mailbox = $4 AND id <> $5 AND live = 1`,
		id.String(), u.Account.OrgID, u.Account.UserID, u.Mailbox, u.ID)
	if err == nil && taken {
		return provision.ErrConflict
	}
	return err
}

func savePerson(ctx context.Context, q querier, id reqsig.TenantID, u provision.User) error {
	aliases, err := encode(u.Aliases)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `INSERT INTO person (tenant, id, grp, org, usr, mailbox, aliases, state, state_at, state_by, bound, created, updated, live)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, CASE WHEN $8 = 'deprovisioned' THEN NULL ELSE 1 END) ON CONFLICT (tenant, id) DO UPDATE SET
		grp = excluded.grp, org = excluded.org, usr = excluded.usr, mailbox = excluded.mailbox, aliases = excluded.aliases,
		state = excluded.state, state_at = excluded.state_at, state_by = excluded.state_by, bound = excluded.bound, updated = excluded.updated, live = excluded.live`,
		id.String(), u.ID, u.Group, u.Account.OrgID, u.Account.UserID, u.Mailbox, aliases, string(u.State), stamp(u.StateAt), u.StateBy,
		flag(u.Bound), stamp(u.Created), stamp(u.Updated))
	return err
}

// User implements [provision.Users].
func (d *DB) User(ctx context.Context, id reqsig.TenantID, user string) (u provision.User, err error) {
	err = d.look(ctx, "read user", id, func(ctx context.Context, q querier) (err error) {
		u, err = userOf(ctx, q, id, user)
		return err
	})
	return u, err
}

// UserByAccount implements [provision.Users].
func (d *DB) UserByAccount(ctx context.Context, id reqsig.TenantID, a provision.Account) (u provision.User, err error) {
	err = d.look(ctx, "read user", id, func(ctx context.Context, q querier) (err error) {
		u, err = userWhere(ctx, q, "p.tenant = $1 AND p.org = $2 AND p.usr = $3 AND p.live = 1", id.String(), a.OrgID, a.UserID)
		return err
	})
	return u, err
}

// ListUsers implements [provision.Users].
func (d *DB) ListUsers(ctx context.Context, id reqsig.TenantID, query provision.UserQuery) (all []provision.User, err error) {
	where, args := usersWhere(id, query)
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	err = d.list(ctx, "list users", id, func(ctx context.Context, q querier) error {
		all = nil
		err := each(ctx, q, func(r rows) error {
			var p person
			if err := r.Scan(p.dest()...); err != nil {
				return err
			}
			u, err := p.user()
			all = append(all, u)
			return err
		}, "SELECT "+personColumns+" FROM person p WHERE "+where+" ORDER BY p.id LIMIT $4", args...)
		if err != nil || len(all) == 0 {
			return err
		}
		return addDevices(ctx, q, id, all)
	})
	return all, err
}

// usersWhere writes a query's conditions; $4 is its limit.
func usersWhere(id reqsig.TenantID, query provision.UserQuery) (where string, args []any) {
	args = []any{id.String(), query.After, query.Group, int64(query.Limit)}
	where = "p.tenant = $1 AND p.id > $2 AND ($3 = '' OR p.grp = $3)"
	if query.ID != "" {
		args = append(args, query.ID)
		where += fmt.Sprintf(" AND p.id = $%d", len(args))
	}
	if query.Prefix != "" {
		// Two ranges of two indexes. What begins with a prefix comes before the prefix and the last character there is.
		mailbox := strings.ToLower(query.Prefix)
		args = append(args, query.Prefix, query.Prefix+"\U0010FFFF", mailbox, mailbox+"\U0010FFFF")
		n := len(args)
		where += fmt.Sprintf(` AND p.id IN (SELECT i.id FROM person i WHERE i.tenant = $1 AND i.id >= $%d AND i.id < $%d
			UNION SELECT m.id FROM person m WHERE m.tenant = $1 AND m.mailbox >= $%d AND m.mailbox < $%d)`, n-3, n-2, n-1, n)
	}
	return where, args
}

// addDevices fills in the devices of users, who are in order.
func addDevices(ctx context.Context, q querier, id reqsig.TenantID, users []provision.User) error {
	at := map[string]int{}
	for i, u := range users {
		at[u.ID] = i
	}
	return each(ctx, q, func(r rows) error {
		d, err := scanDevice(r)
		if i, ok := at[d.User]; ok {
			users[i].Devices = append(users[i].Devices, d)
		}
		return err
	}, "SELECT "+deviceColumns+` FROM device d WHERE d.tenant = $1 AND d.usr >= $2 AND d.usr <= $3 AND d.state IN ('active', 'wiping')
		ORDER BY d.usr, d.created DESC, d.id`, id.String(), users[0].ID, users[len(users)-1].ID)
}

// SetUserState implements [provision.Users].
func (d *DB) SetUserState(ctx context.Context, id reqsig.TenantID, user string, to provision.UserState, e provision.Event) (u provision.User, err error) {
	if to != provision.Active && to != provision.Suspended && to != provision.Deprovisioned {
		return u, fmt.Errorf("set user state: unknown state")
	}
	err = d.changeOf(ctx, "set user state", id, ofUser(user), func(ctx context.Context, q querier) (err error) {
		u, err = userOf(ctx, q, id, user)
		switch {
		case err != nil || u.State == to:
			return err
		case u.State == provision.Deprovisioned:
			return provision.ErrState
		}
		at := moment(stamp(e.At))
		u.State, u.StateAt, u.StateBy, u.Updated = to, at, e.Actor, at
		if to == provision.Deprovisioned {
			u.Bound = false
			if err := dismiss(ctx, q, id, user, e); err != nil {
				return err
			}
		}
		if err := savePerson(ctx, q, id, u); err != nil {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
	if err != nil {
		return provision.User{}, err
	}
	return u, nil
}

// dismiss takes from a user what a registration gave.
func dismiss(ctx context.Context, q querier, id reqsig.TenantID, user string, e provision.Event) error {
	if err := endCodes(ctx, q, id, user, e.At); err != nil {
		return err
	}
	if err := release(ctx, q, id, user); err != nil {
		return err
	}
	_, err := q.exec(ctx, "UPDATE device SET state = 'wiping', state_at = $3, state_by = $4 WHERE tenant = $1 AND usr = $2 AND state = 'active'",
		id.String(), user, stamp(e.At), e.Actor)
	return err
}

func release(ctx context.Context, q querier, id reqsig.TenantID, user string) error {
	_, err := q.exec(ctx, "DELETE FROM claim WHERE tenant = $1 AND usr = $2", id.String(), user)
	return err
}

// Totals implements [provision.Users].
func (d *DB) Totals(ctx context.Context, id reqsig.TenantID, group string, since time.Time) (t provision.Totals, err error) {
	t.Users = map[provision.UserState]int64{}
	if err := d.settle(ctx); err != nil {
		return t, err
	}
	err = d.list(ctx, "count users", id, func(ctx context.Context, q querier) error {
		t = provision.Totals{Users: map[provision.UserState]int64{}}
		err := each(ctx, q, func(r rows) error {
			var state provision.UserState
			var n, bound int64
			err := r.Scan(&state, &n, &bound)
			t.Users[state] += n
			t.Bound += bound
			return err
		}, "SELECT state, count(*), CAST(sum(bound) AS BIGINT) FROM person WHERE tenant = $1 AND ($2 = '' OR grp = $2) GROUP BY state", id.String(), group)
		if err != nil {
			return err
		}
		c := &t.Counts
		_, err = one(ctx, q, []any{&t.Devices, &t.Reporting, &c.Seen, &c.Captured, &c.Filtered, &c.Held, &c.Waiting, &c.NeedsYou},
			`SELECT count(*), `+sum("CASE WHEN d.last_seen > 0 AND d.last_seen >= $3 THEN 1 ELSE 0 END")+`, `+sum("d.seen")+`, `+sum("d.captured")+
				`, `+sum("d.filtered")+`, `+sum("d.held")+`, `+sum("d.waiting")+`, `+sum("d.needs_you")+`
			FROM device d JOIN person p ON p.tenant = d.tenant AND p.id = d.usr
			WHERE d.tenant = $1 AND d.state = 'active' AND ($2 = '' OR p.grp = $2)`, id.String(), group, stamp(since))
		return err
	})
	return t, err
}

// sum is of no row 0, and in both dialects a number of 64 bits.
func sum(of string) string { return "CAST(coalesce(sum(" + of + "), 0) AS BIGINT)" }
