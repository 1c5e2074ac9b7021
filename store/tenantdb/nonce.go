package tenantdb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hawser/auth/reqsig"
)

// use is one nonce to be used. id is a hash of tenant, key and nonce, 128 bits: rows stay small and
// tell nothing.
type use struct {
	id      [16]byte
	expires int64
	first   *bool
}

// Use implements [reqsig.NonceStore].
func (d *DB) Use(ctx context.Context, key reqsig.KeyRef, nonce string, expires time.Time) (bool, error) {
	if key.Tenant.IsZero() {
		return false, errors.New("use nonce: no tenant")
	}
	h := sha256.New()
	for _, part := range []string{key.Tenant.String(), key.ID, nonce} {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a hash never returns an error
		_, _ = h.Write([]byte(part))
	}
	u := use{expires: stamp(expires), first: new(bool)}
	copy(u.id[:], h.Sum(nil))
	err := d.nonces.do(ctx, u)
	return *u.first && err == nil, err
}

// useAll has the backend use a batch.
func (d *DB) useAll(ctx context.Context, batch []use) []error {
	err := d.b.use(ctx, batch)
	errs := make([]error, len(batch))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// use inserts a batch with one statement, a transaction of its own; what comes back is new. Nonces
// belong to no tenant's rows, so there is no scope to set.
func (p *postgres) use(ctx context.Context, batch []use) error {
	fresh := map[[16]byte]bool{}
	r, err := p.pool.Query(context.WithoutCancel(ctx), insertTexts[len(batch)]+" RETURNING id", nonceArgs(batch)...)
	if err == nil {
		var id []byte
		_, err = pgx.ForEachRow(r, []any{&id}, func() error { fresh[[16]byte(id)] = true; return nil })
	}
	if err != nil {
		return fmt.Errorf("use nonces: %w", err)
	}
	for _, u := range batch {
		*u.first = fresh[u.id]
		delete(fresh, u.id) // the same nonce twice in a batch is new once
	}
	return nil
}

// usedNonces is what the one process that has a SQLite file open knows of used nonces: all that are
// in the file, and those that it failed to write, which are used up all the same.
type usedNonces struct {
	mu  sync.Mutex
	all map[[16]byte]int64 // when they end
}

// load reads the file's.
func (u *usedNonces) load(ctx context.Context, q querier) error {
	u.all = map[[16]byte]int64{}
	return each(ctx, q, func(r rows) error {
		var id []byte
		var expires int64
		if err := r.Scan(&id, &expires); err != nil {
			return err
		}
		u.all[[16]byte(id)] = expires
		return nil
	}, "SELECT id, expires FROM nonce")
}

// fresh takes those of a batch that were not used.
func (u *usedNonces) fresh(batch []use) []use {
	u.mu.Lock()
	defer u.mu.Unlock()
	var fresh []use
	for _, one := range batch {
		if _, used := u.all[one.id]; !used {
			u.all[one.id] = one.expires
			fresh = append(fresh, one)
		}
	}
	return fresh
}

func (u *usedNonces) forget(before int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, expires := range u.all {
		if expires < before {
			delete(u.all, id)
		}
	}
}

func (l *lite) use(ctx context.Context, batch []use) error {
	fresh := l.used.fresh(batch)
	if len(fresh) == 0 {
		return nil
	}
	err := l.write(ctx, "use nonces", job{do: func(ctx context.Context, q querier) error {
		_, err := q.exec(ctx, insertTexts[len(fresh)], nonceArgs(fresh)...)
		return err
	}})
	if err != nil {
		return err
	}
	for _, one := range fresh {
		*one.first = true
	}
	return nil
}

var insertTexts = sized(func(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + places(2*i+1, 2) + ")"
	}
	return "INSERT INTO nonce (id, expires) VALUES " + strings.Join(rows, ", ") + " ON CONFLICT DO NOTHING"
})

func nonceArgs(batch []use) []any {
	args := make([]any, 0, 2*len(batch))
	for i := range batch {
		args = append(args, batch[i].id[:], batch[i].expires)
	}
	return args
}

// forgetStep bounds how long one step of forgetting keeps writers waiting.
const forgetStep = 5000

// Forget removes the nonces that ended before now, range by range of their index.
func (d *DB) Forget(ctx context.Context, now time.Time) (removed int64, err error) {
	for ctx.Err() == nil {
		var n int64
		err := d.b.write(ctx, "forget nonces", job{do: func(ctx context.Context, q querier) (err error) {
			n, err = q.exec(ctx, "DELETE FROM nonce WHERE "+d.b.rowName()+" IN (SELECT "+d.b.rowName()+
				" FROM nonce WHERE expires < $1 ORDER BY expires LIMIT $2)", stamp(now), forgetStep)
			return err
		}})
		removed += n
		if err != nil {
			return removed, err
		}
		if n < forgetStep {
			d.b.forgot(stamp(now))
			return removed, nil
		}
	}
	return removed, ctx.Err()
}
