package salesforcetest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// run is one execution of a statement on one object.
type run struct {
	q   *request
	t   *table
	st  *statement
	now time.Time
}

// column is a resolved path: the references to follow, then the field.
type column struct {
	via []*field
	f   *field
}

// test is a bound condition.
type test func(r *record) bool

func noColumn(name string, b *object, pos int) *soqlError {
	return &soqlError{code: "INVALID_FIELD", pos: pos, text: fmt.Sprintf("No such column '%s' on entity '%s'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", name, b.name)}
}

// resolve finds the field behind a dotted path.
func (x *run) resolve(path token) (column, *soqlError) {
	parts := strings.Split(path.text, ".")
	if len(parts) > 1 && x.st.alias != "" && strings.EqualFold(parts[0], x.st.alias) || len(parts) > 1 && strings.EqualFold(parts[0], x.t.obj.name) {
		parts = parts[1:]
	}
	var c column
	objects := []*object{x.t.obj}
	for _, name := range parts[:len(parts)-1] {
		ref := x.relation(objects, name)
		if ref == nil || len(c.via) == 5 {
			return c, &soqlError{code: "INVALID_FIELD", pos: path.pos, text: fmt.Sprintf("Didn't understand relationship '%s' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", name)}
		}
		c.via = append(c.via, ref)
		objects = objects[:0:0]
		for _, n := range ref.refs {
			if t := x.q.table(n); t != nil {
				objects = append(objects, t.obj)
			}
		}
	}
	last := parts[len(parts)-1]
	if strings.EqualFold(last, "Type") && len(objects) > 1 {
		c.f = &field{name: "Type", typ: "type", flags: "f"}
		return c, nil
	}
	for _, b := range objects {
		if f := b.field(last); f != nil && x.q.org.sees(b, f) {
			c.f = f
			return c, nil
		}
	}
	return c, noColumn(last, firstOr(objects, x.t.obj), path.pos)
}

func firstOr(list []*object, other *object) *object {
	if len(list) > 0 {
		return list[0]
	}
	return other
}

func (x *run) relation(objects []*object, name string) *field {
	for _, b := range objects {
		if f := b.relation(name); f != nil && x.q.org.sees(b, f) {
			return f
		}
	}
	return nil
}

// parent follows the references of a column; nil when one of them is empty.
func (x *run) parent(r *record, via []*field) *record {
	for _, f := range via {
		if r = x.q.org.data.live(r.str(f.name)); r == nil {
			return nil
		}
	}
	return r
}

// value returns a column of a record in its stored form; nil is null.
func (x *run) value(r *record, c column) any {
	r = x.parent(r, c.via)
	switch {
	case r == nil:
		return nil
	case c.f.typ == "type":
		return r.obj.name
	case c.f.name == "Id":
		return r.id
	case c.f.name == "IsDeleted":
		return r.deleted
	}
	return r.fields[c.f.name]
}

// bind turns a condition tree into a function; nil takes every row.
func (x *run) bind(e expr) (test, *soqlError) {
	switch e := e.(type) {
	case nil:
		return func(*record) bool { return true }, nil
	case *negation:
		inner, err := x.bind(e.of)
		if err != nil {
			return nil, err
		}
		return func(r *record) bool { return !inner(r) }, nil
	case *logic:
		return x.bindLogic(e)
	}
	return x.bindCondition(e.(*condition))
}

func (x *run) bindLogic(l *logic) (test, *soqlError) {
	parts := make([]test, len(l.parts))
	for i, e := range l.parts {
		t, err := x.bind(e)
		if err != nil {
			return nil, err
		}
		parts[i] = t
	}
	return func(r *record) bool {
		for _, t := range parts {
			if t(r) == l.or {
				return l.or
			}
		}
		return !l.or
	}, nil
}

func (x *run) bindCondition(c *condition) (test, *soqlError) {
	col, err := x.resolve(c.path)
	if err != nil {
		return nil, err
	}
	if !col.f.is('f') {
		return nil, &soqlError{code: "INVALID_FIELD", pos: c.path.pos, text: fmt.Sprintf("field '%s' can not be filtered in a query call", col.f.name)}
	}
	switch c.op {
	case "like":
		return x.bindLike(c, col)
	case "in", "notin", "=", "!=":
		return x.bindSet(c, col)
	}
	bound, err := x.operand(col.f, c.values[0])
	if err != nil {
		return nil, err
	}
	return func(r *record) bool {
		v := x.value(r, col)
		if v == nil || bound.v == nil {
			return false
		}
		switch c.op {
		case "<":
			return compare(v, bound.v) < 0
		case ">=":
			return compare(v, bound.v) >= 0
		case ">":
			return compare(v, bound.last()) > 0
		}
		return compare(v, bound.last()) <= 0
	}, nil
}

// bindSet handles =, !=, IN and NOT IN through one hash set, so long lists stay quick.
func (x *run) bindSet(c *condition, col column) (test, *soqlError) {
	set := make(map[any]bool, len(c.values))
	var spans []bound
	for _, tok := range c.values {
		b, err := x.operand(col.f, tok)
		if err != nil {
			return nil, err
		}
		if b.end != nil {
			spans = append(spans, b)
		} else {
			set[fold(b.v)] = true
		}
	}
	want := c.op == "=" || c.op == "in"
	return func(r *record) bool {
		v := x.value(r, col)
		in := set[fold(v)]
		for _, s := range spans {
			in = in || v != nil && compare(v, s.v) >= 0 && compare(v, s.last()) <= 0
		}
		return in == want
	}, nil
}

func (x *run) bindLike(c *condition, col column) (test, *soqlError) {
	if tok := c.values[0]; tok.kind != tokString || col.f.typ == "boolean" || col.f.typ == "datetime" || col.f.typ == "date" ||
		col.f.typ == "reference" || col.f.typ == "id" {
		return nil, &soqlError{code: "INVALID_QUERY_FILTER_OPERATOR", pos: c.opPos, text: "invalid operator on " + col.f.typ + " field"}
	}
	pattern := likePattern(c.values[0].raw)
	return func(r *record) bool {
		s, ok := x.value(r, col).(string)
		return ok && like(pattern, []rune(strings.ToLower(s)))
	}, nil
}

// bound is one operand; end is set for a span of days, whose last moment it precedes.
type bound struct {
	v   any
	end any
}

func (b bound) last() any {
	switch end := b.end.(type) {
	case time.Time:
		return end.Add(-time.Millisecond)
	case string:
		return end
	}
	return b.v
}

// operand converts a literal to the field's type.
func (x *run) operand(f *field, t token) (bound, *soqlError) {
	if t.is("null") {
		return bound{}, nil
	}
	wrong := &soqlError{code: "INVALID_FIELD", pos: t.pos, text: fmt.Sprintf("value of filter criterion for field '%s' must be of type %s and should %sbe enclosed in quotes", f.name, f.typ, map[bool]string{true: "", false: "not "}[quoted(f.typ)])}
	switch {
	case f.typ == "boolean":
		if !t.is("true") && !t.is("false") {
			return bound{}, wrong
		}
		return bound{v: t.is("true")}, nil
	case f.typ == "int" || f.typ == "double":
		n, err := strconv.ParseFloat(t.text, 64)
		if t.kind != tokNumber || err != nil {
			return bound{}, wrong
		}
		return bound{v: n}, nil
	case f.typ == "datetime" || f.typ == "date":
		if t.kind != tokDate {
			return bound{}, wrong
		}
		return x.dateOperand(f, t, wrong)
	case t.kind != tokString:
		return bound{}, wrong
	case f.typ == "id" || f.typ == "reference":
		if t.text != "" && !validID(t.text) {
			return bound{}, &soqlError{code: "INVALID_QUERY_FILTER_OPERATOR", pos: t.pos, text: "invalid ID field: " + t.text}
		}
		if t.text != "" {
			return bound{v: id18(key15(t.text))}, nil
		}
	}
	if t.text == "" {
		return bound{}, nil
	}
	return bound{v: t.text}, nil
}

func quoted(typ string) bool {
	return typ != "boolean" && typ != "int" && typ != "double" && typ != "datetime" && typ != "date"
}

func (x *run) dateOperand(f *field, t token, wrong *soqlError) (bound, *soqlError) {
	from, to, literal := dateLiteral(t.text)
	relative := false
	if !literal {
		from, to, relative = relativeSpan(t.text, x.now)
	}
	switch {
	case !literal && !relative, literal && f.typ == "datetime" && from != to, literal && f.typ == "date" && from == to:
		return bound{}, wrong
	case f.typ == "datetime" && relative:
		return bound{v: from, end: to}, nil
	case f.typ == "datetime":
		return bound{v: from}, nil
	}
	return bound{v: from.Format("2006-01-02"), end: to.AddDate(0, 0, -1).Format("2006-01-02")}, nil
}
