package tenantdb

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

const deviceColumns = "d.id, d.usr, d.registration, d.key_hash, d.state, d.state_at, d.state_by, d.created, d.last_seen, " +
	"d.agent_version, d.agent_os, d.agent_state, d.agent_fault, d.agent_policy, d.seen, d.captured, d.filtered, d.held, d.waiting, d.needs_you"

// computer is where the columns of one row go.
type computer struct {
	d                          provision.Device
	stateAt, created, lastSeen int64
}

func (c *computer) dest() []any {
	d, rep, n := &c.d, &c.d.Report, &c.d.Report.Counts
	return []any{&d.ID, &d.User, &d.Registration, &d.KeyHash, &d.State, &c.stateAt, &d.StateBy, &c.created, &c.lastSeen,
		&rep.Version, &rep.OS, &rep.State, &rep.Fault, &rep.PolicyVersion, &n.Seen, &n.Captured, &n.Filtered, &n.Held, &n.Waiting, &n.NeedsYou}
}

func (c *computer) device() provision.Device {
	d := c.d
	d.StateAt, d.Created, d.LastSeen = moment(c.stateAt), moment(c.created), moment(c.lastSeen)
	return d
}

func scanDevice(r rows) (provision.Device, error) {
	var c computer
	err := r.Scan(c.dest()...)
	return c.device(), err
}

func reportArgs(r provision.Report) []any {
	c := r.Counts
	return []any{r.Version, r.OS, r.State, r.Fault, r.PolicyVersion, c.Seen, c.Captured, c.Filtered, c.Held, c.Waiting, c.NeedsYou}
}

// deviceWhere reads one device, or returns ErrNotFound.
func deviceWhere(ctx context.Context, q querier, id reqsig.TenantID, where string, arg any) (d provision.Device, err error) {
	found := false
	err = each(ctx, q, func(r rows) (err error) {
		found = true
		d, err = scanDevice(r)
		return err
	}, "SELECT "+deviceColumns+" FROM device d WHERE d.tenant = $1 AND "+where, id.String(), arg)
	if err != nil || !found {
		return provision.Device{}, orNotFound(err)
	}
	return d, nil
}

// Register implements [provision.Devices].
func (d *DB) Register(ctx context.Context, id reqsig.TenantID, r provision.Registration, e provision.Event) (now provision.Device, err error) {
	err = d.changeOf(ctx, "register device", id, ofUser(r.Device.User), func(ctx context.Context, q querier) error {
		have, err := deviceWhere(ctx, q, id, "d.registration = $2", r.Device.Registration)
		if err == nil {
			if have.User != r.Device.User || !bytes.Equal(have.KeyHash, r.Device.KeyHash) || have.State != provision.DeviceActive {
				return provision.ErrConflict
			}
			now = have
			return nil
		}
		if !errors.Is(err, provision.ErrNotFound) {
			return err
		}
		u, err := userOf(ctx, q, id, r.Device.User)
		if err != nil {
			return err
		}
		if err := spend(ctx, q, id, r, e.At); err != nil {
			return err
		}
		if u.State != provision.Active {
			return provision.ErrState
		}
		if err := claimAll(ctx, q, id, u.ID, r.Claims); err != nil {
			return err
		}
		if now, err = insertDevice(ctx, q, id, r, e); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "UPDATE person SET bound = 1 WHERE tenant = $1 AND id = $2", id.String(), u.ID); err != nil {
			return err
		}
		return log(ctx, q, id.String(), e)
	})
	if err != nil {
		return provision.Device{}, err
	}
	return now, nil
}

// spend marks the enrolment code, if one was used, or returns ErrSpent.
func spend(ctx context.Context, q querier, id reqsig.TenantID, r provision.Registration, at time.Time) error {
	if r.Code == "" {
		return nil
	}
	n, err := q.exec(ctx, `UPDATE api_key SET spent_by = $4 WHERE tenant = $1 AND id = $2 AND role = 'code' AND usr = $3
		AND spent_by = '' AND (not_after = 0 OR not_after > $5)`,
		id.String(), r.Code, r.Device.User, r.Device.Registration, stamp(at))
	if err == nil && n == 0 {
		return provision.ErrSpent
	}
	return err
}

// claimAll takes a user's claims, always in the same order, so that two registrations that want the
// same ones do not wait for each other for ever.
func claimAll(ctx context.Context, q querier, id reqsig.TenantID, user string, claims []provision.Claim) error {
	sorted := slices.SortedFunc(slices.Values(claims), func(a, b provision.Claim) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	for _, c := range sorted {
		n, err := q.exec(ctx, "INSERT INTO claim (kind, hash, tenant, usr) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
			string(c.Kind), c.Hash[:], id.String(), user)
		if err != nil {
			return err
		}
		if n == 1 {
			continue
		}
		var one64 int64
		own, err := one(ctx, q, []any{&one64}, "SELECT 1 FROM claim WHERE kind = $1 AND hash = $2 AND tenant = $3 AND usr = $4",
			string(c.Kind), c.Hash[:], id.String(), user)
		if err != nil {
			return err
		}
		if !own {
			return provision.ErrConflict
		}
	}
	return nil
}

func insertDevice(ctx context.Context, q querier, id reqsig.TenantID, r provision.Registration, e provision.Event) (provision.Device, error) {
	d := r.Device
	d.State, d.StateAt, d.StateBy, d.Created, d.LastSeen = provision.DeviceActive, moment(stamp(e.At)), e.Actor, moment(stamp(e.At)), time.Time{}
	free, err := insertKey(ctx, q, id, r.Key)
	if err != nil {
		return d, err
	}
	if !free {
		return d, provision.ErrExists
	}
	args := []any{id.String(), d.ID, d.User, d.Registration, some(d.KeyHash), string(d.State), stamp(d.StateAt), d.StateBy, stamp(d.Created), int64(0)}
	n, err := q.exec(ctx, `INSERT INTO device (tenant, id, usr, registration, key_hash, state, state_at, state_by, created, last_seen,
		agent_version, agent_os, agent_state, agent_fault, agent_policy, seen, captured, filtered, held, waiting, needs_you)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) ON CONFLICT DO NOTHING`,
		append(args, reportArgs(d.Report)...)...)
	if err == nil && n == 0 {
		return d, provision.ErrExists
	}
	return d, err
}

// Device implements [provision.Devices].
func (d *DB) Device(ctx context.Context, id reqsig.TenantID, device string) (now provision.Device, err error) {
	if err := d.settle(ctx); err != nil {
		return now, err
	}
	err = d.look(ctx, "read device", id, func(ctx context.Context, q querier) (err error) {
		now, err = deviceWhere(ctx, q, id, "d.id = $2", device)
		return err
	})
	return now, err
}

// FinishWipe implements [provision.Devices].
func (d *DB) FinishWipe(ctx context.Context, id reqsig.TenantID, device string, r provision.Report, e provision.Event) error {
	return d.changeOf(ctx, "finish wipe", id, ofKey(device), func(ctx context.Context, q querier) error {
		args := append([]any{stamp(e.At)}, reportArgs(r)...)
		n, err := q.exec(ctx, wipeReport, append(args, id.String(), device)...)
		if err != nil || n == 0 {
			return orNotFound(err)
		}
		return endDevice(ctx, q, id, provision.Device{ID: device, State: provision.DeviceWiped}, e)
	})
}

// Leave implements [provision.Devices].
func (d *DB) Leave(ctx context.Context, id reqsig.TenantID, device string, e provision.Event) error {
	return d.changeOf(ctx, "leave", id, ofKey(device), func(ctx context.Context, q querier) error {
		gone, err := deviceWhere(ctx, q, id, "d.id = $2 AND d.state = 'active'", device)
		if err != nil {
			return err
		}
		if err := endDevice(ctx, q, id, provision.Device{ID: device, State: provision.DeviceLeft}, e); err != nil {
			return err
		}
		var n int64
		others, err := one(ctx, q, []any{&n}, "SELECT 1 FROM device WHERE tenant = $1 AND usr = $2 AND state = 'active' LIMIT 1", id.String(), gone.User)
		if err != nil || others {
			return err
		}
		if _, err := q.exec(ctx, "UPDATE person SET bound = 0 WHERE tenant = $1 AND id = $2", id.String(), gone.User); err != nil {
			return err
		}
		return release(ctx, q, id, gone.User)
	})
}

// endDevice puts a device into its last state, ends its key, and tells the audit log.
func endDevice(ctx context.Context, q querier, id reqsig.TenantID, d provision.Device, e provision.Event) error {
	_, err := q.exec(ctx, "UPDATE device SET state = $3, state_at = $4, state_by = $5 WHERE tenant = $1 AND id = $2",
		id.String(), d.ID, string(d.State), stamp(e.At), e.Actor)
	if err != nil {
		return err
	}
	if err := endKey(ctx, q, id, d.ID, e.At); err != nil {
		return err
	}
	return log(ctx, q, id.String(), e)
}
