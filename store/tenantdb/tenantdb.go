// Package tenantdb keeps the backend's data: tenants, users, devices, keys, policies, the audit log
// and used nonces, in an embedded SQLite file or in PostgreSQL.
//
// [DB] implements [provision.Store] once, with statements that both dialects take; what differs is
// behind one small interface: how a transaction is run. Every row belongs to a tenant and every
// statement names it; in PostgreSQL row-level security is a second wall, kept up by a role that
// cannot look past it. Secrets arrive sealed and claims hashed: this package holds no key, and a
// dump of its data opens nothing.
//
// A DB is safe for concurrent use; a PostgreSQL database may be shared by several processes, a
// SQLite file belongs to one. Calls that come at the same time share statements and commits. What
// computers report is written some seconds later by one goroutine, which ends in [DB.Close].
package tenantdb

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// DB is an open database.
type DB struct {
	b       backend
	id      []byte
	recent  *recent
	reports *reports
	nonces  group[use]
	keys    group[*found]
	callers group[*caller]
	lastly  func() error // what Close does first

	listening sync.Mutex // held while changes of other servers are heard of
}

var _ provision.Store = (*DB)(nil)

// ErrMoved says that the contents of a database were carried to another one: serving both would
// let a request in twice.
var ErrMoved = errors.New("the database was moved to another one")

// Open opens a database. where is the path of a SQLite file, which is created when it is missing,
// or a postgres:// address, whose tables [Migrate] made before. Errors: [ErrMoved], [ErrRole],
// [ErrSchema], and the faults of sqlitedb.Open.
func Open(ctx context.Context, where string) (*DB, error) {
	d, err := open(ctx, where)
	if err != nil {
		return nil, err
	}
	_, moved, err := d.Mark(ctx, "moved")
	if moved {
		err = ErrMoved
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// IsPostgres reports whether where is the address of a PostgreSQL database.
func IsPostgres(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// open does not mind a moved database.
func open(ctx context.Context, where string) (*DB, error) {
	var b backend
	var err error
	if IsPostgres(where) {
		b, err = openPostgres(ctx, where)
	} else {
		b, err = openLite(ctx, where)
	}
	if err != nil {
		return nil, err
	}
	d := &DB{b: b, recent: newRecent(), reports: newReports()}
	d.nonces.commit, d.keys.commit, d.callers.commit = d.useAll, d.findAll, d.standAll
	d.nonces.most, d.keys.most, d.callers.most = maxNonces, maxBatch, maxBatch
	d.nonces.lanes = b.lanes()
	fresh := make([]byte, 16)
	_, _ = rand.Read(fresh) // crypto/rand.Read never returns an error
	if d.id, err = d.SetMark(ctx, "id", fresh); err != nil {
		return nil, errors.Join(err, b.close())
	}
	ctx = context.WithoutCancel(ctx)
	d.lastly = func() error { return d.settle(ctx) }
	go d.settleInTime(ctx)
	return d, nil
}

// Close writes the reports that wait, waits for running statements and closes the database.
func (d *DB) Close() error {
	close(d.reports.stop)
	<-d.reports.done
	return errors.Join(d.lastly(), d.b.close())
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.b.ping(ctx) }

// Mark returns what is kept about the whole database under a name, and whether there is anything.
func (d *DB) Mark(ctx context.Context, name string) (value []byte, ok bool, err error) {
	err = d.b.read(ctx, "read mark", job{do: func(ctx context.Context, q querier) error {
		ok, err = one(ctx, q, []any{&value}, "SELECT value FROM meta WHERE name = $1", name)
		return err
	}})
	return value, ok, err
}

// SetMark keeps value under a name unless something is kept there already, and returns what is
// kept now: of several processes that start at the same time one decides.
func (d *DB) SetMark(ctx context.Context, name string, value []byte) ([]byte, error) {
	have, ok, err := d.Mark(ctx, name)
	if ok || err != nil {
		return have, err
	}
	err = d.b.write(ctx, "set mark", job{do: func(ctx context.Context, q querier) error {
		if _, err := q.exec(ctx, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, value); err != nil {
			return err
		}
		_, err := one(ctx, q, []any{&have}, "SELECT value FROM meta WHERE name = $1", name)
		return err
	}})
	return have, err
}

// change runs work that changes one tenant's rows, alone among such works. For a tenant that does
// not exist nothing runs.
func (d *DB) change(ctx context.Context, op string, id reqsig.TenantID, do work) error {
	return d.changeOf(ctx, op, id, "", do)
}

// changeOf is change of one user or key, so that what is remembered of others stays.
func (d *DB) changeOf(ctx context.Context, op string, id reqsig.TenantID, subject string, do work) error {
	if id.IsZero() {
		return provision.ErrNotFound
	}
	err := d.b.write(ctx, op, job{scope: scope{tenant: id.String(), alone: true}, do: func(ctx context.Context, q querier) error {
		if ok, err := d.b.tell(ctx, q, id.String(), subject); err != nil || !ok {
			return orNotFound(err)
		}
		return do(ctx, q)
	}})
	d.recent.change(id.String(), subject) // after an error too: it may be committed all the same
	return err
}

// look runs work that reads one tenant's rows.
func (d *DB) look(ctx context.Context, op string, id reqsig.TenantID, do work) error {
	if id.IsZero() {
		return provision.ErrNotFound
	}
	return d.b.read(ctx, op, job{scope: scope{tenant: id.String()}, do: do})
}

// list is look for methods that find an empty list where others find nothing.
func (d *DB) list(ctx context.Context, op string, id reqsig.TenantID, do work) error {
	if id.IsZero() {
		return nil
	}
	return d.look(ctx, op, id, do)
}

func orNotFound(err error) error {
	if err == nil {
		return provision.ErrNotFound
	}
	return err
}

// stamp and moment are the one form of times in the database: Unix microseconds, 0 for none.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// encode writes a list as JSON; a nil one and an empty one are the same.
func encode[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

func decode[T any](text string) ([]T, error) {
	if text == "[]" {
		return nil, nil
	}
	var list []T
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("decode list: %w", err)
	}
	return list, nil
}
