package salesforcetest

import "slices"

// maxJoins is how many subqueries one WHERE may hold.
const maxJoins = 2

// join runs the subqueries of the WHERE clause and puts what they select in their place (SOQL and
// SOSL Reference, "Semi-Joins with IN and Anti-Joins with NOT IN").
func (x *run) join() *soqlError {
	joins := 0
	for _, e := range conjuncts(x.st.where) {
		c, ok := e.(*condition)
		if !ok || c.sub == nil {
			continue
		}
		if joins++; joins > maxJoins {
			return malformed(c.opPos, "maximum 2 semi join sub-selects are allowed")
		}
		if err := x.joinOne(c); err != nil {
			return err
		}
	}
	if deep := subqueries(x.st.where); deep != joins {
		return malformed(0, "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.")
	}
	return nil
}

// subqueries counts the subqueries of a condition tree, wherever they stand.
func subqueries(e expr) (n int) {
	switch e := e.(type) {
	case *logic:
		for _, p := range e.parts {
			n += subqueries(p)
		}
	case *negation:
		return subqueries(e.of)
	case *condition:
		if e.sub != nil {
			return 1
		}
	}
	return n
}

func (x *run) joinOne(c *condition) *soqlError {
	left, err := x.resolve(c.path)
	if err != nil {
		return err
	}
	st := c.sub
	t := x.q.table(st.from.text)
	switch {
	case t == nil:
		return noType(st.from)
	case len(st.items) != 1 || st.items[0].sub != nil || st.items[0].count || st.count:
		return malformed(st.from.pos, "The inner select must select exactly one field")
	case len(st.order) > 0 || st.limit >= 0 || st.offset > 0 || subqueries(st.where) > 0:
		return malformed(st.from.pos, "ORDER BY, LIMIT and nested sub-selects are not allowed in semi join sub-selects")
	}
	inner := &run{q: x.q, t: t, st: st, now: x.now}
	s, err := inner.shape()
	if err != nil {
		return err
	}
	right := s.cols[0]
	if !isID(left.f) || !isID(right.f) || len(right.via) > 0 || !kin(left.f, x.t.obj, right.f, t.obj) {
		return malformed(c.path.pos, "The selected field '%s' in the subquery and the left operand field '%s' in the where expression in the outer query should point to the same object type", right.f.name, left.f.name)
	}
	rows, err := inner.rows(nil, false)
	if err != nil {
		return err
	}
	c.values = nil
	for _, r := range rows {
		if id, _ := inner.value(r, right).(string); id != "" {
			c.values = append(c.values, token{kind: tokString, text: id, raw: id})
		}
	}
	return nil
}

func isID(f *field) bool { return f.typ == "id" || f.typ == "reference" }

// kin reports whether two id fields may point to the same kind of record.
func kin(a *field, aOf *object, b *field, bOf *object) bool {
	return slices.ContainsFunc(targets(a, aOf), func(n string) bool { return slices.Contains(targets(b, bOf), n) })
}

func targets(f *field, of *object) []string {
	if f.name == "Id" {
		return []string{of.name}
	}
	return f.refs
}
