package tenantdb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

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

// useAll inserts a batch with one statement. Only when a row is missing afterwards, which takes a
// replay, the rows are inserted one by one to learn which.
func (d *DB) useAll(ctx context.Context, batch []use) []error {
	err := d.b.write(ctx, "use nonces", job{do: func(ctx context.Context, q querier) error {
		n, err := q.exec(ctx, insertTexts[len(batch)], nonceArgs(batch)...)
		if err != nil {
			return err
		}
		if n != int64(len(batch)) {
			return errReplay
		}
		for _, u := range batch {
			*u.first = true
		}
		return nil
	}})
	if errors.Is(err, errReplay) {
		err = d.b.write(ctx, "use nonces", job{do: func(ctx context.Context, q querier) error {
			for i := range batch {
				n, err := q.exec(ctx, insertTexts[1], nonceArgs(batch[i:i+1])...)
				if err != nil {
					return err
				}
				*batch[i].first = n == 1
			}
			return nil
		}})
	}
	errs := make([]error, len(batch))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

var errReplay = errors.New("a nonce of the batch was used before")

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
			n, err = q.exec(ctx, `DELETE FROM nonce WHERE id IN
				(SELECT id FROM nonce WHERE expires < $1 ORDER BY expires LIMIT $2)`, stamp(now), forgetStep)
			return err
		}})
		removed += n
		if err != nil || n < forgetStep {
			return removed, err
		}
	}
	return removed, ctx.Err()
}
