package tenantdb

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// settleAfter is how long a report may wait in memory. Each is complete and takes the place of the
// one before, so what a power cut takes is back with the next.
const settleAfter = 5 * time.Second

// settleRows is how many reports one transaction writes: others wait for it.
const settleRows = 32

// reports are those that came and are not in the database yet, the last one of each device.
type reports struct {
	mu      sync.Mutex
	waiting map[place]report

	settling   sync.Mutex    // held while reports are on their way
	wake       chan struct{} // holds one when there is something to settle
	stop, done chan struct{}
}

type place struct{ tenant, device string }

type report struct {
	provision.Report
	at int64
}

func newReports() *reports {
	return &reports{waiting: map[place]report{}, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

func (r *reports) keep(p place, what report) {
	r.mu.Lock()
	first := len(r.waiting) == 0
	if what.at >= r.waiting[p].at {
		r.waiting[p] = what
	}
	r.mu.Unlock()
	if first {
		r.rouse()
	}
}

func (r *reports) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reports) take() map[place]report {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	r.waiting = make(map[place]report, len(all)) // as many will come again
	return all
}

// settleInTime writes reports until the database is closed.
func (d *DB) settleInTime(ctx context.Context) {
	r := d.reports
	defer close(r.done)
	for {
		select {
		case <-r.wake:
		case <-r.stop:
			return
		}
		late := time.NewTimer(settleAfter)
		select {
		case <-late.C:
			if d.settle(ctx) != nil { // whoever reads hears why; here it is tried again
				r.rouse()
			}
		case <-r.stop:
			late.Stop()
			return
		}
	}
}

// settle has every report that came before in the database when it returns nil.
func (d *DB) settle(ctx context.Context) error {
	r := d.reports
	r.settling.Lock()
	defer r.settling.Unlock()
	all := r.take()
	// In one order in all servers, and by neighbours: rows that share a page are written together.
	order := slices.SortedFunc(maps.Keys(all), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.device, b.device))
	})
	var errs []error
	for len(order) > 0 {
		n := 1
		for n < min(len(order), settleRows) && order[n].tenant == order[0].tenant {
			n++
		}
		if err := d.settleSome(ctx, order[:n], all); err != nil {
			errs = append(errs, err)
			for _, p := range order[:n] {
				r.keep(p, all[p])
			}
		}
		order = order[n:]
	}
	return errors.Join(errs...)
}

func (d *DB) settleSome(ctx context.Context, some []place, all map[place]report) error {
	tenant := some[0].tenant
	return d.b.write(ctx, "keep reports", job{scope: scope{tenant: tenant, late: true}, do: func(ctx context.Context, q querier) error {
		return d.b.keep(ctx, q, some, all)
	}})
}

const callable = "'active', 'wiping'" // the states of devices that may check in

// reportText keeps the report of one device that is in one of the given states.
func reportText(states string) string {
	return `UPDATE device SET last_seen = $1, agent_version = $2, agent_os = $3, agent_state = $4, agent_fault = $5, agent_policy = $6,
		seen = $7, captured = $8, filtered = $9, held = $10, waiting = $11, needs_you = $12 WHERE tenant = $13 AND id = $14 AND state IN (` + states + ")"
}

// A device that came to another server meanwhile has a newer report.
const notNewer = " AND last_seen <= "

var (
	lateReport = reportText(callable) + notNewer + "$15"
	wipeReport = reportText("'wiping'")
)

// keep goes row by row: of a list of rows, SQLite makes a table and goes through all devices.
func (l *lite) keep(ctx context.Context, q querier, some []place, all map[place]report) error {
	for _, p := range some {
		r := all[p]
		if _, err := q.exec(ctx, lateReport, append(append([]any{r.at}, reportArgs(r.Report)...), p.tenant, p.device, r.at)...); err != nil {
			return err
		}
	}
	return nil
}

const reportArgCount = 13

// lateReports keep the reports of n devices in one round trip. The parameters are device, time and
// report of each, and last the tenant.
var lateReports = sized(func(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + places(1+i*reportArgCount, reportArgCount) + ")"
	}
	if n > 0 { // the types of all rows are taken from the first
		rows[0] = "($1::text, $2::bigint, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::bigint)"
	}
	return "WITH v (id, at, version, os, state, fault, policy, seen, captured, filtered, held, waiting, needs_you) AS (VALUES " + strings.Join(rows, ", ") +
		`) UPDATE device SET last_seen = v.at, agent_version = v.version, agent_os = v.os, agent_state = v.state, agent_fault = v.fault,
		agent_policy = v.policy, seen = v.seen, captured = v.captured, filtered = v.filtered, held = v.held, waiting = v.waiting, needs_you = v.needs_you
		FROM v WHERE device.tenant = $` + strconv.Itoa(1+n*reportArgCount) + " AND device.id = v.id AND device.state IN (" + callable + ")" + notNewer + "v.at"
})

func (p *postgres) keep(ctx context.Context, q querier, some []place, all map[place]report) error {
	args := make([]any, 0, len(some)*reportArgCount+1)
	for _, p := range some {
		args = append(append(args, p.device, all[p].at), reportArgs(all[p].Report)...)
	}
	_, err := q.exec(ctx, lateReports[len(some)], append(args, some[0].tenant)...)
	return err
}

const standingText = `SELECT d.id, t.name, p.grp, p.aliases, p.state, p.state_at, d.state, d.state_at, d.state_by,
	coalesce((SELECT y.version FROM policy y WHERE y.tenant = p.tenant AND y.grp = p.grp),
		(SELECT y.version FROM policy y WHERE y.tenant = p.tenant AND y.grp = ''), 0)
	FROM device d JOIN person p ON p.tenant = d.tenant AND p.id = d.usr JOIN tenant t ON t.id = d.tenant
	WHERE d.tenant = $1 AND t.suspended = 0 AND d.state IN (` + callable + ") AND d.id "

// caller is a device that is looked for, and the answer.
type caller struct {
	place
	standing *provision.Standing // nil: there is none that may check in
}

// CheckIn implements [provision.Devices].
func (d *DB) CheckIn(ctx context.Context, id reqsig.TenantID, device string, r provision.Report, at time.Time) (provision.Standing, error) {
	if id.IsZero() {
		return provision.Standing{}, provision.ErrNotFound
	}
	c := &caller{place: place{id.String(), device}}
	if c.standing = d.recent.standing(c.tenant, device); c.standing == nil {
		if err := d.callers.do(ctx, c); err != nil {
			return provision.Standing{}, err
		}
	}
	if c.standing == nil {
		return provision.Standing{}, provision.ErrNotFound
	}
	d.reports.keep(c.place, report{r, stamp(at)})
	return *c.standing, nil
}

// standAll reads where devices stand, those of a tenant with one statement.
func (d *DB) standAll(ctx context.Context, batch []*caller) []error {
	now := d.recent.now()
	of := map[string][]*caller{}
	for _, c := range batch {
		of[c.tenant] = append(of[c.tenant], c)
	}
	fail := map[string]error{}
	for tenant, some := range of {
		fail[tenant] = d.standSome(ctx, tenant, some)
	}
	errs := make([]error, len(batch))
	for i, c := range batch {
		if errs[i] = fail[c.tenant]; c.standing != nil {
			d.recent.keepStanding(c.device, c.standing, now)
		}
	}
	return errs
}

func (d *DB) standSome(ctx context.Context, tenant string, some []*caller) error {
	ids, found := make([]string, len(some)), map[string]*provision.Standing{}
	for i, c := range some {
		ids[i] = c.device
	}
	which, args := d.b.among(2, ids)
	err := d.b.read(ctx, "read standing", job{single: true, scope: scope{tenant: tenant}, do: func(ctx context.Context, q querier) error {
		return each(ctx, q, func(r rows) error {
			var s provision.Standing
			var device, aliases string
			var userAt, deviceAt int64
			err := r.Scan(&device, &s.TenantName, &s.Group, &aliases, &s.User, &userAt, &s.Device, &deviceAt, &s.DeviceBy, &s.PolicyVersion)
			if err == nil {
				s.Aliases, err = decode[string](aliases)
			}
			s.UserAt, s.DeviceAt = moment(userAt), moment(deviceAt)
			found[device] = &s
			return err
		}, standingText+which, append([]any{tenant}, args...)...)
	}})
	for _, c := range some {
		c.standing = found[c.device]
	}
	return err
}
