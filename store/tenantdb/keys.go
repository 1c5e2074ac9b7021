package tenantdb

import (
	"context"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// insertKey reports whether the id was free, in all tenants.
func insertKey(ctx context.Context, q querier, id reqsig.TenantID, k provision.Key) (free bool, err error) {
	n, err := q.exec(ctx, `INSERT INTO api_key (id, tenant, role, grp, usr, sealed, not_after, spent_by, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
		k.ID, id.String(), string(k.Role), k.Group, k.User, some(k.Sealed), stamp(k.NotAfter), k.SpentBy, stamp(k.CreatedAt))
	return n == 1, err
}

// AddKey implements [provision.Keys].
func (d *DB) AddKey(ctx context.Context, id reqsig.TenantID, k provision.Key, e provision.Event) error {
	return d.changeOf(ctx, "add key", id, ofKey(k.ID), func(ctx context.Context, q querier) error {
		free, err := insertKey(ctx, q, id, k)
		if err != nil {
			return err
		}
		if !free {
			return provision.ErrExists
		}
		var live int64
		_, err = one(ctx, q, []any{&live}, `SELECT count(*) FROM api_key WHERE tenant = $1 AND role = $2 AND grp = $3 AND id <> $4
			AND role IN ('tenant', 'deployment') AND (not_after = 0 OR not_after > $5)`,
			id.String(), string(k.Role), k.Group, k.ID, stamp(e.At))
		if err != nil {
			return err
		}
		if live >= 2 {
			return provision.ErrTooMany // and the new one is undone
		}
		return log(ctx, q, id.String(), e)
	})
}

// EndKey implements [provision.Keys].
func (d *DB) EndKey(ctx context.Context, id reqsig.TenantID, key string, notAfter time.Time, e provision.Event) error {
	return d.changeOf(ctx, "end key", id, ofKey(key), func(ctx context.Context, q querier) error {
		var old int64
		ok, err := one(ctx, q, []any{&old}, "SELECT not_after FROM api_key WHERE tenant = $1 AND id = $2 AND role IN ('tenant', 'deployment')",
			id.String(), key)
		if err != nil || !ok {
			return orNotFound(err)
		}
		if old == stamp(notAfter) {
			return nil
		}
		if err := endKey(ctx, q, id, key, notAfter); err != nil {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
}

func endKey(ctx context.Context, q querier, id reqsig.TenantID, key string, notAfter time.Time) error {
	_, err := q.exec(ctx, "UPDATE api_key SET not_after = $3 WHERE tenant = $1 AND id = $2", id.String(), key, stamp(notAfter))
	return err
}

// TenantKeys implements [provision.Keys].
func (d *DB) TenantKeys(ctx context.Context, id reqsig.TenantID) (all []provision.Key, err error) {
	err = d.list(ctx, "list keys", id, func(ctx context.Context, q querier) error {
		return each(ctx, q, func(r rows) error {
			k, err := scanKey(r)
			k.Sealed = nil
			all = append(all, k)
			return err
		}, "SELECT "+keyColumns+" FROM api_key k WHERE k.tenant = $1 AND k.role IN ('tenant', 'deployment') ORDER BY k.created, k.id", id.String())
	})
	return all, err
}

// AddCode implements [provision.Keys].
func (d *DB) AddCode(ctx context.Context, id reqsig.TenantID, k provision.Key, e provision.Event) error {
	return d.changeOf(ctx, "add code", id, ofUser(k.User), func(ctx context.Context, q querier) error {
		u, err := userOf(ctx, q, id, k.User)
		if err != nil {
			return err
		}
		if u.State == provision.Deprovisioned {
			return provision.ErrState
		}
		if err := endCodes(ctx, q, id, k.User, e.At); err != nil {
			return err
		}
		free, err := insertKey(ctx, q, id, k)
		if err != nil {
			return err
		}
		if !free {
			return provision.ErrExists
		}
		return log(ctx, q, id.String(), e)
	})
}

// endCodes ends a user's unspent enrolment codes.
func endCodes(ctx context.Context, q querier, id reqsig.TenantID, user string, at time.Time) error {
	_, err := q.exec(ctx, `UPDATE api_key SET not_after = $3 WHERE tenant = $1 AND usr = $2 AND role = 'code' AND spent_by = ''
		AND (not_after = 0 OR not_after > $3)`, id.String(), user, stamp(at))
	return err
}
