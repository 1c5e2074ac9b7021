package tenantdb

import (
	"context"
	"errors"

	"hawser/auth/provision"
)

// scope says which rows a transaction may touch. SQLite trusts the WHERE clauses; in PostgreSQL
// the scope is a second wall: row-level security shows nothing else, and an empty scope shows
// no row at all.
type scope struct {
	tenant string
	keys   string // ids, joined by commas, of keys that are looked up before their tenant is known
	// operator opens the list of tenants for reading.
	operator bool
	// alone: no other transaction with this mark runs for the same tenant at the same time.
	alone bool
	// late: a power cut may take it, if that is of use.
	late bool
}

// querier runs statements inside one transaction. Both dialects take $1 as parameters; times are
// Unix microseconds, truths are 0 and 1.
type querier interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	query(ctx context.Context, query string, args ...any) (rows, error)
}

// rows is what the result sets of both drivers have in common.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

type work func(ctx context.Context, q querier) error

// job is work with the rows that it may touch.
type job struct {
	scope  scope
	do     work
	single bool // reads with one statement, which sees one state anyway
}

// backend is a database of one dialect.
type backend interface {
	// write runs the jobs in one transaction that is durable on return, or undoes them all. A job
	// may run again after a conflict with another replica, so it keeps no state of its own.
	write(ctx context.Context, op string, jobs ...job) error
	// read runs work that changes nothing.
	read(ctx context.Context, op string, j job) error
	// use uses nonces, durably on return, and sets first of those that were not used before. Where
	// several servers share the database, it returns how often the nonces' tenants were changed, as
	// of a moment after the call.
	use(ctx context.Context, batch []use) ([]tenantVersion, error)
	// lanes is how many batches of nonces may be in work at the same time.
	lanes() int
	// tell tells other servers, when the transaction is committed, that a tenant's subject changes.
	// It reports whether there is such a tenant.
	tell(ctx context.Context, q querier, tenant, subject string) (bool, error)
	// among writes the condition that a column has one of these values, from parameter first on.
	among(first int, values []string) (condition string, args []any)
	// keep writes the reports of some devices of a tenant, in a job of write.
	keep(ctx context.Context, q querier, some []place, all map[place]report) error
	// forget removes nonces that ended before a moment.
	forget(ctx context.Context, before int64) (removed int64, err error)
	ping(ctx context.Context) error
	close() error
}

// one scans the only row of a query and reports whether there was one.
func one(ctx context.Context, q querier, dest []any, query string, args ...any) (bool, error) {
	r, err := q.query(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer r.Close()
	if !r.Next() {
		return false, r.Err()
	}
	if err := r.Scan(dest...); err != nil {
		return false, err
	}
	r.Close()
	return true, r.Err()
}

// each calls scan for every row of a query.
func each(ctx context.Context, q querier, scan func(rows) error, query string, args ...any) error {
	r, err := q.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Next() {
		if err := scan(r); err != nil {
			return err
		}
	}
	return r.Err()
}

// isAnswer reports whether err is one of the answers of a store and not a failure of it.
func isAnswer(err error) bool {
	for _, answer := range []error{
		provision.ErrNotFound, provision.ErrExists, provision.ErrConflict, provision.ErrBound, provision.ErrState,
		provision.ErrSpent, provision.ErrTooMany, provision.ErrOlder,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
