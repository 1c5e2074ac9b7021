package tenantdb

import (
	"context"
	"fmt"
	"strings"

	"hawser/auth/provision"
)

// runAll runs a batch in one transaction. A job that ends in an error has the whole batch undone,
// and each is run on its own.
func (d *DB) runAll(ctx context.Context, jobs []job) []error {
	errs := make([]error, len(jobs))
	if d.b.write(ctx, "check in", jobs...) == nil {
		return errs
	}
	for i, j := range jobs {
		errs[i] = d.b.write(ctx, "check in", j)
	}
	return errs
}

// found is a key that is looked for, and the answer.
type found struct {
	id  string
	key provision.Key
	ok  bool
}

const keyColumns = "k.id, k.tenant, k.role, k.grp, k.usr, k.sealed, k.not_after, k.spent_by, k.created"

// findTexts holds one statement per size of a batch.
var findTexts = func() (texts [maxBatch + 1]string) {
	for n := range texts {
		var places []string
		for i := range n {
			places = append(places, fmt.Sprintf("$%d", i+1))
		}
		texts[n] = "SELECT " + keyColumns + " FROM api_key k JOIN tenant t ON t.id = k.tenant WHERE t.suspended = 0 AND k.id IN (" + strings.Join(places, ", ") + ")"
	}
	return texts
}()

// Key implements [provision.Keys]. Calls at the same time share a statement.
func (d *DB) Key(ctx context.Context, id string) (provision.Key, error) {
	if id == "" || strings.Contains(id, ",") { // the comma separates ids in a scope
		return provision.Key{}, provision.ErrNotFound
	}
	f := &found{id: id}
	if err := d.lookup.do(ctx, f); err != nil {
		return provision.Key{}, err
	}
	if !f.ok {
		return provision.Key{}, provision.ErrNotFound
	}
	return f.key, nil
}

func (d *DB) findAll(ctx context.Context, batch []*found) []error {
	ids, args := make([]string, len(batch)), make([]any, len(batch))
	for i, f := range batch {
		ids[i], args[i] = f.id, f.id
	}
	keys := map[string]provision.Key{}
	err := d.b.read(ctx, "find keys", job{single: true, scope: scope{keys: strings.Join(ids, ",")}, do: func(ctx context.Context, q querier) error {
		clear(keys)
		return each(ctx, q, func(r rows) error {
			k, err := scanKey(r)
			keys[k.ID] = k
			return err
		}, findTexts[len(batch)], args...)
	}})
	errs := make([]error, len(batch))
	for i, f := range batch {
		f.key, f.ok = keys[f.id]
		errs[i] = err
	}
	return errs
}

func scanKey(r rows) (provision.Key, error) {
	var k provision.Key
	var notAfter, created int64
	if err := r.Scan(&k.ID, &k.Tenant, &k.Role, &k.Group, &k.User, &k.Sealed, &notAfter, &k.SpentBy, &created); err != nil {
		return k, fmt.Errorf("read key: %w", err)
	}
	k.NotAfter, k.CreatedAt = moment(notAfter), moment(created)
	return k, nil
}
