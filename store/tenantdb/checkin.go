package tenantdb

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// checkIn is one report, and the answer.
type checkIn struct {
	tenant, device string
	args           []any // device, time, report
	standing       provision.Standing
	ok             bool
}

const reportArgCount = 13

// reportText keeps the reports of n devices that are in one of the given states. The parameters are
// device, time and report of each, and last the tenant.
func reportText(n int, states string) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + places(1+i*reportArgCount, reportArgCount) + ")"
	}
	if n > 0 { // PostgreSQL takes the types of all rows from the first
		rows[0] = "(CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS BIGINT), " +
			"CAST($8 AS BIGINT), CAST($9 AS BIGINT), CAST($10 AS BIGINT), CAST($11 AS BIGINT), CAST($12 AS BIGINT), CAST($13 AS BIGINT))"
	}
	return "WITH v (id, at, version, os, state, fault, policy, seen, captured, filtered, held, waiting, needs_you) AS (VALUES " + strings.Join(rows, ", ") +
		`) UPDATE device SET last_seen = v.at, agent_version = v.version, agent_os = v.os, agent_state = v.state, agent_fault = v.fault,
		agent_policy = v.policy, seen = v.seen, captured = v.captured, filtered = v.filtered, held = v.held, waiting = v.waiting, needs_you = v.needs_you
		FROM v WHERE device.tenant = $` + strconv.Itoa(1+n*reportArgCount) + ` AND device.id = v.id AND device.state IN (` + states + ")"
}

const callable = "'active', 'wiping'" // the states of devices that may check in

var (
	reportTexts   = sized(func(n int) string { return reportText(n, callable) })
	standingTexts = sized(func(n int) string {
		return "SELECT " + deviceColumns + ", " + personColumns + `, coalesce((SELECT y.version FROM policy y WHERE y.tenant = p.tenant AND y.grp = p.grp),
			(SELECT y.version FROM policy y WHERE y.tenant = p.tenant AND y.grp = ''), 0)
			FROM device d JOIN person p ON p.tenant = d.tenant AND p.id = d.usr
			WHERE d.tenant = $1 AND d.id IN (` + places(2, n) + ") AND d.state IN (" + callable + ")"
	})
)

// CheckIn implements [provision.Devices]. Check-ins at the same time share statements and a commit.
func (d *DB) CheckIn(ctx context.Context, id reqsig.TenantID, device string, r provision.Report, at time.Time) (provision.Standing, error) {
	if id.IsZero() {
		return provision.Standing{}, provision.ErrNotFound
	}
	c := &checkIn{tenant: id.String(), device: device, args: append([]any{device, stamp(at)}, reportArgs(r)...)}
	err := d.reports.do(ctx, c)
	if err == nil && !c.ok {
		err = provision.ErrNotFound
	}
	if err != nil {
		return provision.Standing{}, err
	}
	return c.standing, nil
}

// checkInAll commits a batch. A device that is in it twice is served in two rounds, as a statement
// changes a row once.
func (d *DB) checkInAll(ctx context.Context, batch []*checkIn) []error {
	at := map[*checkIn]int{}
	for i, c := range batch {
		at[c] = i
	}
	errs := make([]error, len(batch))
	for len(batch) > 0 {
		round, rest := map[string][]*checkIn{}, []*checkIn(nil)
		seen := map[string]bool{}
		for _, c := range batch {
			if key := c.tenant + "\n" + c.device; seen[key] {
				rest = append(rest, c)
			} else {
				seen[key] = true
				round[c.tenant] = append(round[c.tenant], c)
			}
		}
		var jobs []job
		for _, tenant := range slices.Sorted(maps.Keys(round)) { // in one order on all replicas
			some := round[tenant]
			jobs = append(jobs, job{scope: scope{tenant: tenant}, do: func(ctx context.Context, q querier) error { return reportSome(ctx, q, tenant, some) }})
		}
		err := d.b.write(ctx, "check in", jobs...)
		for _, some := range round {
			for _, c := range some {
				errs[at[c]] = err
			}
		}
		batch = rest
	}
	return errs
}

// reportSome keeps the reports of one tenant's devices and says where each stands.
func reportSome(ctx context.Context, q querier, tenant string, some []*checkIn) error {
	reports, ids := make([]any, 0, len(some)*reportArgCount+1), append(make([]any, 0, 1+len(some)), tenant)
	of := map[string]*checkIn{}
	for _, c := range some {
		reports, ids = append(reports, c.args...), append(ids, c.device)
		of[c.device], c.ok = c, false
	}
	if _, err := q.exec(ctx, reportTexts[len(some)], append(reports, tenant)...); err != nil {
		return err
	}
	return each(ctx, q, func(r rows) error {
		var dev computer
		var p person
		var s provision.Standing
		err := r.Scan(append(append(dev.dest(), p.dest()...), &s.PolicyVersion)...)
		if err != nil {
			return err
		}
		s.Device = dev.device()
		s.User, err = p.user()
		of[s.Device.ID].standing, of[s.Device.ID].ok = s, true
		return err
	}, standingTexts[len(some)], ids...)
}
