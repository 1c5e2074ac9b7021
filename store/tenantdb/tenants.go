package tenantdb

import (
	"bytes"
	"context"
	"errors"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

const tenantColumns = "id, name, suspended, sites, mail, domains, policy_keys, created"

func scanTenant(r rows) (t provision.Tenant, err error) {
	var suspended, created int64
	var sites, mail, domains, keys string
	if err := r.Scan(&t.ID, &t.Name, &suspended, &sites, &mail, &domains, &keys, &created); err != nil {
		return t, err
	}
	t.Suspended, t.CreatedAt = suspended != 0, moment(created)
	var errs [4]error
	t.Sites, errs[0] = decode[provision.Site](sites)
	t.Mail, errs[1] = decode[provision.MailIssuer](mail)
	t.Domains, errs[2] = decode[string](domains)
	t.PolicyKeys, errs[3] = decode[[]byte](keys)
	return t, errors.Join(errs[:]...)
}

// tenantArgs are the values of tenantColumns.
func tenantArgs(t provision.Tenant) ([]any, error) {
	sites, err1 := encode(t.Sites)
	mail, err2 := encode(t.Mail)
	domains, err3 := encode(t.Domains)
	keys, err4 := encode(t.PolicyKeys)
	return []any{t.ID, t.Name, flag(t.Suspended), sites, mail, domains, keys, stamp(t.CreatedAt)}, errors.Join(err1, err2, err3, err4)
}

// CreateTenant implements [provision.Tenancy].
func (d *DB) CreateTenant(ctx context.Context, t provision.Tenant, e provision.Event) error {
	if t.ID == "" {
		return errors.New("create tenant: no id")
	}
	args, err := tenantArgs(t)
	if err != nil {
		return err
	}
	return d.b.write(ctx, "create tenant", job{scope: scope{tenant: t.ID}, do: func(ctx context.Context, q querier) error {
		n, err := q.exec(ctx, "INSERT INTO tenant ("+tenantColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING", args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return provision.ErrExists
		}
		return log(ctx, q, t.ID, e)
	}})
}

// Tenant implements [provision.Tenancy].
func (d *DB) Tenant(ctx context.Context, id reqsig.TenantID) (t provision.Tenant, err error) {
	err = d.look(ctx, "read tenant", id, func(ctx context.Context, q querier) error {
		found := false
		err := each(ctx, q, func(r rows) error {
			found = true
			t, err = scanTenant(r)
			return err
		}, "SELECT "+tenantColumns+" FROM tenant WHERE id = $1", id.String())
		if err != nil || !found {
			return orNotFound(err)
		}
		return nil
	})
	return t, err
}

// Tenants implements [provision.Tenancy].
func (d *DB) Tenants(ctx context.Context) (all []provision.Tenant, err error) {
	err = d.b.read(ctx, "list tenants", job{scope: scope{operator: true}, do: func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(r rows) error {
			t, err := scanTenant(r)
			all = append(all, t)
			return err
		}, "SELECT "+tenantColumns+" FROM tenant ORDER BY name")
	}})
	return all, err
}

// SetTenant implements [provision.Tenancy].
func (d *DB) SetTenant(ctx context.Context, id reqsig.TenantID, t provision.Tenant, e provision.Event) error {
	args, err := tenantArgs(t)
	if err != nil {
		return err
	}
	args[0] = id.String()
	taken, err := d.nameTaken(ctx, id, t.Name)
	if err != nil {
		return err
	}
	if taken && !id.IsZero() {
		return provision.ErrExists
	}
	return d.change(ctx, "set tenant", id, func(ctx context.Context, q querier) error {
		_, err := q.exec(ctx, `UPDATE tenant SET name = $2, suspended = $3, sites = $4, mail = $5, domains = $6, policy_keys = $7
			WHERE id = $1`, args[:7]...)
		if err != nil {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
}

// nameTaken reports whether another tenant has the name. It reads in a transaction of its own:
// other tenants are invisible in this one's. Of two that take a name at the same time, the unique
// index stops one.
func (d *DB) nameTaken(ctx context.Context, id reqsig.TenantID, name string) (taken bool, err error) {
	err = d.b.read(ctx, "read names", job{scope: scope{operator: true}, do: func(ctx context.Context, q querier) error {
		var n int64
		taken, err = one(ctx, q, []any{&n}, "SELECT 1 FROM tenant WHERE name = $1 AND id <> $2", name, id.String())
		return err
	}})
	return taken, err
}

// PutAdmin implements [provision.Tenancy].
func (d *DB) PutAdmin(ctx context.Context, id reqsig.TenantID, a provision.Admin, e provision.Event) error {
	return d.change(ctx, "put admin", id, func(ctx context.Context, q querier) error {
		n, err := q.exec(ctx, `INSERT INTO admin (tenant, org, usr, grp, since) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant, org, usr) DO UPDATE SET grp = excluded.grp WHERE admin.grp <> excluded.grp`,
			id.String(), a.Account.OrgID, a.Account.UserID, a.Group, stamp(e.At))
		if err != nil || n == 0 {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
}

// DeleteAdmin implements [provision.Tenancy].
func (d *DB) DeleteAdmin(ctx context.Context, id reqsig.TenantID, a provision.Account, e provision.Event) error {
	return d.change(ctx, "delete admin", id, func(ctx context.Context, q querier) error {
		n, err := q.exec(ctx, "DELETE FROM admin WHERE tenant = $1 AND org = $2 AND usr = $3", id.String(), a.OrgID, a.UserID)
		if err != nil || n == 0 {
			return orNotFound(err)
		}
		return log(ctx, q, id.String(), e)
	})
}

// EndSessions implements [provision.Tenancy].
func (d *DB) EndSessions(ctx context.Context, id reqsig.TenantID, a provision.Account, e provision.Event) error {
	return d.change(ctx, "end sessions", id, func(ctx context.Context, q querier) error {
		n, err := q.exec(ctx, "UPDATE admin SET since = $4 WHERE tenant = $1 AND org = $2 AND usr = $3", id.String(), a.OrgID, a.UserID, stamp(e.At))
		if err != nil || n == 0 {
			return orNotFound(err)
		}
		return log(ctx, q, id.String(), e)
	})
}

// Admins implements [provision.Tenancy].
func (d *DB) Admins(ctx context.Context, id reqsig.TenantID) (all []provision.Admin, err error) {
	err = d.list(ctx, "list admins", id, func(ctx context.Context, q querier) error {
		return each(ctx, q, func(r rows) error {
			var a provision.Admin
			var since int64
			err := r.Scan(&a.Account.OrgID, &a.Account.UserID, &a.Group, &since)
			a.Since = moment(since)
			all = append(all, a)
			return err
		}, "SELECT org, usr, grp, since FROM admin WHERE tenant = $1 ORDER BY org, usr", id.String())
	})
	return all, err
}

// Record implements [provision.Tenancy].
func (d *DB) Record(ctx context.Context, id reqsig.TenantID, e provision.Event) error {
	return d.changeOf(ctx, "record event", id, ofKey(""), func(ctx context.Context, q querier) error {
		return log(ctx, q, id.String(), e)
	})
}

// Events implements [provision.Tenancy].
func (d *DB) Events(ctx context.Context, id reqsig.TenantID, before int64, limit int) (some []provision.Event, err error) {
	err = d.list(ctx, "list events", id, func(ctx context.Context, q querier) error {
		return each(ctx, q, scanEvents(&some), `SELECT id, at, actor, action, subject, detail FROM audit WHERE tenant = $1 AND ($2 = 0 OR id < $2)
			ORDER BY id DESC LIMIT $3`, id.String(), before, int64(limit))
	})
	return some, err
}

func scanEvents(into *[]provision.Event) func(rows) error {
	return func(r rows) error {
		var e provision.Event
		var at int64
		err := r.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &e.Detail)
		e.At = moment(at)
		*into = append(*into, e)
		return err
	}
}

// ofGroup: the first word of an action says what its subject is the id of.
const ofGroup = `SELECT a.id, a.at, a.actor, a.action, a.subject, a.detail FROM audit a WHERE a.tenant = $1 AND ($2 = 0 OR a.id < $2) AND (
	(a.action LIKE 'user.%' OR a.action LIKE 'code.%') AND EXISTS (
		SELECT 1 FROM person p WHERE p.tenant = a.tenant AND p.id = a.subject AND p.grp = $4)
	OR a.action LIKE 'device.%' AND EXISTS (SELECT 1 FROM device d JOIN person p ON p.tenant = d.tenant AND p.id = d.usr
		WHERE d.tenant = a.tenant AND d.id = a.subject AND p.grp = $4)
	OR a.action LIKE 'key.%' AND EXISTS (SELECT 1 FROM api_key k WHERE k.tenant = a.tenant AND k.id = a.subject AND k.grp = $4)
	OR a.action LIKE 'policy.%' AND a.subject = $4)
	ORDER BY a.id DESC LIMIT $3`

// GroupEvents implements [provision.Tenancy].
func (d *DB) GroupEvents(ctx context.Context, id reqsig.TenantID, group string, before int64, limit int) (some []provision.Event, err error) {
	if group == "" {
		return d.Events(ctx, id, before, limit)
	}
	err = d.list(ctx, "list events", id, func(ctx context.Context, q querier) error {
		return each(ctx, q, scanEvents(&some), ofGroup, id.String(), before, int64(limit), group)
	})
	return some, err
}

// log writes an event.
func log(ctx context.Context, q querier, tenant string, e provision.Event) error {
	_, err := q.exec(ctx, "INSERT INTO audit (tenant, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)",
		tenant, stamp(e.At), e.Actor, e.Action, e.Subject, e.Detail)
	return err
}

// PutPolicy implements [provision.Policies].
func (d *DB) PutPolicy(ctx context.Context, id reqsig.TenantID, p provision.Policy, e provision.Event) error {
	return d.change(ctx, "put policy", id, func(ctx context.Context, q querier) error {
		old, ok, err := policyOf(ctx, q, id, p.Group)
		switch {
		case err != nil:
			return err
		case ok && old.Version == p.Version && old.KeyID == p.KeyID && bytes.Equal(old.Payload, p.Payload) && bytes.Equal(old.Signature, p.Signature):
			return nil
		case ok && p.Version <= old.Version:
			return provision.ErrOlder
		}
		_, err = q.exec(ctx, `INSERT INTO policy (tenant, grp, version, payload, signature, key_id) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant, grp) DO UPDATE SET version = excluded.version, payload = excluded.payload,
				signature = excluded.signature, key_id = excluded.key_id`,
			id.String(), p.Group, p.Version, some(p.Payload), some(p.Signature), p.KeyID)
		if err != nil {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
}

// some is b, or an empty slice where the drivers would write NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Policy implements [provision.Policies].
func (d *DB) Policy(ctx context.Context, id reqsig.TenantID, group string) (p provision.Policy, err error) {
	err = d.look(ctx, "read policy", id, func(ctx context.Context, q querier) error {
		var ok bool
		p, ok, err = policyOf(ctx, q, id, group)
		if err == nil && !ok && group != "" {
			p, ok, err = policyOf(ctx, q, id, "")
		}
		if err != nil || !ok {
			return orNotFound(err)
		}
		return nil
	})
	return p, err
}

func policyOf(ctx context.Context, q querier, id reqsig.TenantID, group string) (p provision.Policy, ok bool, err error) {
	ok, err = one(ctx, q, []any{&p.Group, &p.Version, &p.Payload, &p.Signature, &p.KeyID},
		"SELECT grp, version, payload, signature, key_id FROM policy WHERE tenant = $1 AND grp = $2", id.String(), group)
	return p, ok, err
}
