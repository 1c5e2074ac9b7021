package tenantdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"hawser/auth/provision"
)

// ErrNotEmpty says that the database to move into holds tenants already.
var ErrNotEmpty = errors.New("the database to move into is not empty")

// moveRows is how many rows one statement carries.
const moveRows = 100

// The tables that Move carries, in the order of their references; tenant comes first in each.
var tenantTables = []table{
	{"tenant", "id, name, suspended, sites, mail, domains, policy_keys, created"},
	{"admin", "tenant, org, usr, grp, since"},
	{"api_key", "tenant, id, role, grp, usr, sealed, not_after, spent_by, created"},
	{"person", "tenant, id, grp, org, usr, mailbox, aliases, state, state_at, state_by, bound, created, updated, live"},
	{"device", "tenant, " + strings.ReplaceAll(deviceColumns, "d.", "")},
	{"claim", "tenant, kind, hash, usr"},
	{"policy", "tenant, grp, version, payload, signature, key_id"},
	{"audit", "tenant, id, at, actor, action, subject, detail"},
}

type table struct{ name, columns string }

// Moved counts the rows that were carried, by table.
type Moved map[string]int64

// Move carries everything from a SQLite file to an empty PostgreSQL database: tenants, devices,
// keys, the audit log, and the nonces, so that no request of before is let in again. Nobody may
// serve the file meanwhile, which its lock sees to. Either all of it arrives or nothing; afterwards
// the file is marked and [Open] refuses it. A repetition after an interruption finishes the work.
func Move(ctx context.Context, from, to string) (Moved, error) {
	if IsPostgres(from) || !IsPostgres(to) {
		return nil, errors.New("move: only from a SQLite file to PostgreSQL")
	}
	src, err := open(ctx, from)
	if err != nil {
		return nil, err
	}
	dst, err := Open(ctx, to)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	moved, err := move(ctx, src, dst)
	return moved, errors.Join(err, dst.Close(), src.Close())
}

func move(ctx context.Context, src, dst *DB) (Moved, error) {
	origin, ok, err := dst.Mark(ctx, "origin")
	if err != nil {
		return nil, err
	}
	if ok && !bytes.Equal(origin, src.id) {
		return nil, ErrNotEmpty
	}
	moved := Moved{}
	if !ok {
		if moved, err = carry(ctx, src, dst); err != nil {
			return nil, err
		}
	}
	_, err = src.SetMark(ctx, "moved", dst.id)
	return moved, err
}

// carry does the whole move in one transaction of dst.
func carry(ctx context.Context, src, dst *DB) (Moved, error) {
	there, err := dst.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	if len(there) > 0 {
		return nil, ErrNotEmpty
	}
	tenants, err := src.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	c := carrier{src: src, moved: Moved{}}
	jobs := []job{{do: c.shared}}
	for _, t := range tenants {
		jobs = append(jobs, job{scope: scope{tenant: t.ID}, do: func(ctx context.Context, q querier) error { return c.tenant(ctx, q, t) }})
	}
	return c.moved, dst.b.write(ctx, "move", jobs...)
}

// carrier copies rows; it may start over when the transaction does.
type carrier struct {
	src   *DB
	moved Moved
}

// shared copies what belongs to no tenant.
func (c *carrier) shared(ctx context.Context, q querier) error {
	clear(c.moved)
	if _, err := q.exec(ctx, "INSERT INTO meta (name, value) VALUES ('origin', $1)", c.src.id); err != nil {
		return err
	}
	check, ok, err := c.src.Mark(ctx, CheckMark)
	if err != nil {
		return err
	}
	if ok {
		n, err := q.exec(ctx, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", CheckMark, check)
		if err == nil && n == 0 {
			err = ErrNotEmpty // a server with another sealing key has used it
		}
		if err != nil {
			return err
		}
	}
	var last int64
	err = c.src.b.read(ctx, "read audit", job{do: func(ctx context.Context, from querier) error {
		_, err := one(ctx, from, []any{&last}, "SELECT coalesce(max(id), 0) FROM audit")
		return err
	}})
	if err == nil && last > 0 {
		_, err = one(ctx, q, []any{&last}, "SELECT setval(pg_get_serial_sequence('audit', 'id'), $1)", last)
	}
	if err != nil {
		return err
	}
	return c.nonces(ctx, q)
}

// nonces copies the used nonces, which the file keeps by batches.
func (c *carrier) nonces(ctx context.Context, q querier) error {
	return c.src.b.read(ctx, "move", job{single: true, do: func(ctx context.Context, from querier) error {
		return eachNonce(ctx, from, func(id [16]byte, expires int64) error {
			n, err := q.exec(ctx, "INSERT INTO nonce (id, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING", id[:], expires)
			c.moved["nonce"] += n
			return err
		})
	}})
}

// CheckMark is the name of the mark by which a server recognises its sealing key.
const CheckMark = "check"

func (c *carrier) tenant(ctx context.Context, q querier, t provision.Tenant) error {
	for _, tab := range tenantTables {
		key, _, _ := strings.Cut(tab.columns, ",")
		if err := c.copy(ctx, q, tab, " WHERE "+key+" = $1", t.ID); err != nil {
			return fmt.Errorf("%s: %w", tab.name, err)
		}
	}
	return nil
}

// copy carries the rows of one table that where selects.
func (c *carrier) copy(ctx context.Context, to querier, tab table, where string, args ...any) error {
	columns := strings.Count(tab.columns, ",") + 1
	batch := make([]any, 0, moveRows*columns)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		n, err := to.exec(ctx, insertText(tab, columns, len(batch)/columns), batch...)
		if err == nil && n != int64(len(batch)/columns) {
			err = fmt.Errorf("%d rows of %d arrived", n, len(batch)/columns)
		}
		c.moved[tab.name] += n
		batch = batch[:0]
		return err
	}
	return c.src.b.read(ctx, "move", job{single: true, do: func(ctx context.Context, from querier) error {
		err := each(ctx, from, func(r rows) error {
			row, dest := make([]any, columns), make([]any, columns)
			for i := range row {
				dest[i] = &row[i]
			}
			if err := r.Scan(dest...); err != nil {
				return err
			}
			if batch = append(batch, row...); len(batch) == cap(batch) {
				return flush()
			}
			return nil
		}, "SELECT "+tab.columns+" FROM "+tab.name+where, args...)
		if err != nil {
			return err
		}
		return flush()
	}})
}

// insertText is an INSERT of n rows.
func insertText(tab table, columns, n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + tab.name + " (" + tab.columns + ") VALUES ")
	for i := range n * columns {
		switch {
		case i%columns > 0:
			b.WriteString(", ")
		case i > 0:
			b.WriteString("), (")
		default:
			b.WriteString("(")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return b.String()
}
