package tenantdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"hawser/auth/provision"
)

// found is a key that is looked for, and the answer.
type found struct {
	id  string
	key *provision.Key // nil: there is none
}

const keyColumns = "k.id, k.tenant, k.role, k.grp, k.usr, k.sealed, k.not_after, k.spent_by, k.created"

// sized holds one statement per size of a batch, so that both drivers can keep them prepared.
func sized(text func(n int) string) (texts [maxBatch + 1]string) {
	for n := range texts {
		texts[n] = text(n)
	}
	return texts
}

// places are n parameters from the first on, "$2, $3, $4".
func places(first, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(all, ", ")
}

// among is the condition that a column has one of these values. SQLite keeps a compiled statement
// for each number of them.
func (l *lite) among(first int, values []string) (condition string, args []any) {
	for _, v := range values {
		args = append(args, v)
	}
	return "IN (" + places(first, len(values)) + ")", args
}

// among takes one parameter for all: each statement is planned anew for each connection.
func (p *postgres) among(first int, values []string) (condition string, args []any) {
	return "= ANY ($" + strconv.Itoa(first) + ")", []any{values}
}

// Key implements [provision.Keys]. Calls at the same time share a statement.
func (d *DB) Key(ctx context.Context, id string) (provision.Key, error) {
	if id == "" || strings.Contains(id, ",") { // the comma separates ids in a scope
		return provision.Key{}, provision.ErrNotFound
	}
	f := &found{id: id}
	if err := d.keys.do(ctx, f); err != nil {
		return provision.Key{}, err
	}
	if f.key == nil {
		return provision.Key{}, provision.ErrNotFound
	}
	return *f.key, nil
}

func (d *DB) findAll(ctx context.Context, batch []*found) []error {
	now := d.recent.now()
	ids := make([]string, len(batch))
	for i, f := range batch {
		ids[i] = f.id
	}
	which, args := d.b.among(1, ids)
	keys := map[string]*provision.Key{}
	err := d.b.read(ctx, "find keys", job{single: true, scope: scope{keys: strings.Join(ids, ",")}, do: func(ctx context.Context, q querier) error {
		clear(keys)
		return each(ctx, q, func(r rows) error {
			k, err := scanKey(r)
			keys[k.ID] = &k
			return err
		}, "SELECT "+keyColumns+" FROM api_key k JOIN tenant t ON t.id = k.tenant WHERE t.suspended = 0 AND k.id "+which, args...)
	}})
	errs := make([]error, len(batch))
	for i, f := range batch {
		errs[i] = err
		if f.key = keys[f.id]; f.key != nil && err == nil {
			d.recent.keepKey(f.key, now)
		}
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
