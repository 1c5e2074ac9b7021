package tenantdb

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hawser/auth/reqsig"
	"hawser/store/sqlitedb"
)

// use is one nonce to be used. id is a hash of tenant, key and nonce, 128 bits: rows stay small and
// tell nothing.
type use struct {
	id      [16]byte
	expires int64
	tenant  string
	first   *bool
}

// Use implements [reqsig.NonceStore].
func (d *DB) Use(ctx context.Context, key reqsig.KeyRef, nonce string, expires time.Time) (bool, error) {
	if key.Tenant.IsZero() {
		return false, errors.New("use nonce: no tenant")
	}
	b := make([]byte, 0, 192)
	for _, part := range [...]string{key.Tenant.String(), key.ID, nonce} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	u := use{id: [16]byte(sum[:]), expires: stamp(expires), tenant: key.Tenant.String(), first: new(bool)}
	err := d.nonces.do(ctx, u)
	return *u.first && err == nil, err
}

// useAll has the backend use a batch.
func (d *DB) useAll(ctx context.Context, batch []use) []error {
	round := d.recent.round()
	seen, err := d.b.use(ctx, batch)
	if err == nil {
		err = d.listen(ctx, round, seen)
	}
	errs := make([]error, len(batch))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// use inserts a batch in a transaction of one round trip; what comes back is new. Nonces belong to
// no tenant's rows. The tenants' versions are read after the nonces are in.
func (p *postgres) use(ctx context.Context, batch []use) (seen []tenantVersion, err error) {
	slices.SortFunc(batch, func(a, b use) int { return bytes.Compare(a.id[:], b.id[:]) }) // replicas wait for each other in one order
	ids, ends := make([][]byte, len(batch)), make([]int64, len(batch))
	var tenants []string
	for i := range batch {
		ids[i], ends[i] = batch[i].id[:], batch[i].expires
		if !slices.Contains(tenants, batch[i].tenant) {
			tenants = append(tenants, batch[i].tenant)
		}
	}
	fresh := make(map[[16]byte]bool, len(batch))
	var b pgx.Batch
	b.Queue(setScope, scope{operator: true}.args()...)
	b.Queue("INSERT INTO nonce (id, expires) SELECT * FROM unnest($1::bytea[], $2::bigint[]) ON CONFLICT DO NOTHING RETURNING id", ids, ends).
		Query(func(r pgx.Rows) error {
			var id []byte
			_, err := pgx.ForEachRow(r, []any{&id}, func() error { fresh[[16]byte(id)] = true; return nil })
			return err
		})
	b.Queue("SELECT id, version FROM tenant WHERE id = ANY ($1)", tenants).Query(func(r pgx.Rows) error {
		var v tenantVersion
		_, err := pgx.ForEachRow(r, []any{&v.tenant, &v.version}, func() error { seen = append(seen, v); return nil })
		return err
	})
	ctx = context.WithoutCancel(ctx)
	conn, err := p.acquire(ctx)
	if err == nil {
		defer conn.Release()
		err = conn.SendBatch(ctx, &b).Close()
	}
	if err != nil {
		return nil, fmt.Errorf("use nonces: %w", err)
	}
	for _, u := range batch {
		*u.first = fresh[u.id]
		delete(fresh, u.id) // the same nonce twice in a batch is new once
	}
	return seen, nil
}

// usedNonces is what the one process that has a SQLite file open knows of used nonces: all that are
// in the file, and those that it failed to write, which are used up all the same. They are kept by
// when they end, so that old ones go together.
type usedNonces struct {
	mu   sync.Mutex
	all  map[int64]map[[16]byte]struct{} // by the end of the span
	last int64                           // the highest end in the file
}

// nonceSpan is as long as a nonce lasts, so that there are few spans to look into.
const nonceSpan = int64(reqsig.Keep / time.Microsecond)

// addLocked reports whether the nonce is new.
func (u *usedNonces) addLocked(id [16]byte, expires int64) bool {
	for _, some := range u.all {
		if _, used := some[id]; used {
			return false
		}
	}
	end := (expires/nonceSpan + 1) * nonceSpan
	if u.all[end] == nil {
		u.all[end] = map[[16]byte]struct{}{}
	}
	u.all[end][id] = struct{}{}
	return true
}

// load reads the file's.
func (u *usedNonces) load(ctx context.Context, q querier) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = map[int64]map[[16]byte]struct{}{}
	return eachNonce(ctx, q, func(id [16]byte, ends int64) error {
		u.addLocked(id, ends)
		u.last = max(u.last, ends)
		return nil
	})
}

// eachNonce reads the nonces of a SQLite file.
func eachNonce(ctx context.Context, q querier, do func(id [16]byte, ends int64) error) error {
	return each(ctx, q, func(r rows) error {
		var ids []byte
		var ends int64
		err := r.Scan(&ids, &ends)
		if len(ids)%16 != 0 {
			err = cmp.Or(err, errors.New("a row of nonces is damaged"))
			ids = nil
		}
		for id := range slices.Chunk(ids, 16) {
			err = cmp.Or(err, do([16]byte(id), ends))
		}
		return err
	}, "SELECT ids, ends FROM nonces")
}

// fresh takes those of a batch that were not used: their ids, one after the other, and a moment at
// which all of them have ended. It is later than that of every batch before, and so names the row,
// which goes to the end of the table.
func (u *usedNonces) fresh(batch []use) (ids []byte, firsts []*bool, ends int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	ends = u.last + 1
	for _, one := range batch {
		if u.addLocked(one.id, one.expires) {
			ids, firsts, ends = append(ids, one.id[:]...), append(firsts, one.first), max(ends, one.expires)
		}
	}
	u.last = ends
	return ids, firsts, ends
}

func (u *usedNonces) forget(before int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for end := range u.all {
		if end <= before {
			delete(u.all, end)
		}
	}
}

// use appends one row for the whole batch: which nonces are new is known in memory, and the file
// is there to be read at the next start. A statement of its own is a transaction with fewer steps.
func (l *lite) use(ctx context.Context, batch []use) ([]tenantVersion, error) {
	ids, firsts, ends := l.used.fresh(batch)
	if len(firsts) == 0 {
		return nil, nil
	}
	if _, err := l.insert.ExecContext(context.WithoutCancel(ctx), ends, ids); err != nil {
		return nil, sqlitedb.Fault("use nonces", err)
	}
	for _, first := range firsts {
		*first = true
	}
	return nil, nil
}

// Forget removes the nonces that ended before now.
func (d *DB) Forget(ctx context.Context, now time.Time) (removed int64, err error) {
	return d.b.forget(ctx, stamp(now))
}

// forgetStep bounds how long one step of forgetting keeps writers waiting.
const forgetStep = 5000

func (p *postgres) forget(ctx context.Context, before int64) (removed int64, err error) {
	return inSteps(ctx, forgetStep, func() (n int64, err error) {
		err = p.write(ctx, "forget nonces", job{do: func(ctx context.Context, q querier) error {
			n, err = q.exec(ctx, "DELETE FROM nonce WHERE id IN (SELECT id FROM nonce WHERE expires < $1 ORDER BY expires LIMIT $2)", before, forgetStep)
			return err
		}})
		return n, err
	})
}

// forget removes whole rows; what is removed from memory meanwhile cannot come in any more, its
// time being over.
func (l *lite) forget(ctx context.Context, before int64) (removed int64, err error) {
	const step = forgetStep / maxNonces
	l.used.forget(before)
	_, err = inSteps(ctx, step, func() (rows int64, err error) {
		err = l.write(ctx, "forget nonces", job{do: func(ctx context.Context, q querier) error {
			var n int64
			const some = "FROM nonces WHERE ends IN (SELECT ends FROM nonces WHERE ends < $1 ORDER BY ends LIMIT $2)"
			if _, err := one(ctx, q, []any{&n}, "SELECT coalesce(sum(length(ids)), 0) / 16 "+some, before, step); err != nil {
				return err
			}
			removed += n
			rows, err = q.exec(ctx, "DELETE "+some, before, step)
			return err
		}})
		return rows, err
	})
	return removed, err
}

// inSteps repeats a step until it finds less than it could do.
func inSteps(ctx context.Context, most int64, step func() (int64, error)) (all int64, err error) {
	for ctx.Err() == nil {
		n, err := step()
		all += n
		if err != nil || n < most {
			return all, err
		}
	}
	return all, ctx.Err()
}
