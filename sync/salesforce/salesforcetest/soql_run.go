package salesforcetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fold makes values comparable in a set: text regardless of case.
func fold(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ToLower(v)
	case time.Time:
		return v.UnixMilli()
	case []string:
		return len(v)
	}
	return v
}

// compare orders two stored values of the same type; text regardless of case.
func compare(a, b any) int {
	switch a := a.(type) {
	case string:
		s, _ := b.(string)
		return cmp.Compare(strings.ToLower(a), strings.ToLower(s))
	case float64:
		n, _ := b.(float64)
		return cmp.Compare(a, n)
	case time.Time:
		t, _ := b.(time.Time)
		return a.Compare(t)
	case bool:
		o, _ := b.(bool)
		return cmp.Compare(btoi(a), btoi(o))
	}
	return 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// wildcards of a LIKE pattern; escaped ones are plain runes.
const (
	anyRunes rune = -1
	oneRune  rune = -2
)

// likePattern reads a pattern as written between its quotes.
func likePattern(raw string) []rune {
	var out []rune
	for i := 0; i < len(raw); {
		switch raw[i] {
		case '%':
			out = append(out, anyRunes)
			i++
		case '_':
			out = append(out, oneRune)
			i++
		case '\\':
			var b strings.Builder
			used, ok := unescape(raw[i+1:], &b)
			if !ok {
				return out
			}
			out = append(out, []rune(strings.ToLower(b.String()))...)
			i += 1 + used
		default:
			n := strings.IndexAny(raw[i:], `%_\`)
			if n < 0 {
				n = len(raw) - i
			}
			out = append(out, []rune(strings.ToLower(raw[i:i+n]))...)
			i += n
		}
	}
	return out
}

// like matches without recursion: on a mismatch the last % takes one rune more.
func like(p, s []rune) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == anyRunes:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == oneRune || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRunes {
		i++
	}
	return i == len(p)
}

// candidates returns the rows an index leaves to test; false when no index helps.
func (x *run) candidates(e expr) ([]*record, bool) {
	switch e := e.(type) {
	case *condition:
		return x.indexed(e)
	case *logic:
		var best []*record
		found := false
		for _, part := range e.parts {
			rows, ok := x.candidates(part)
			switch {
			case e.or && !ok:
				return nil, false
			case e.or:
				best, found = append(best, rows...), true
			case ok && (!found || len(rows) < len(best)):
				best, found = rows, true
			}
		}
		return best, found
	}
	return nil, false
}

func (x *run) indexed(c *condition) ([]*record, bool) {
	if c.op != "=" && c.op != "in" || strings.Contains(c.path.text, ".") {
		return nil, false
	}
	f := x.t.obj.field(c.path.text)
	if f == nil || x.t.index[f.name] == nil && f.name != "Id" {
		return nil, false
	}
	var out []*record
	for _, v := range c.values {
		switch {
		case v.kind != tokString || v.text == "":
			return nil, false // null is not in the index
		case f.name != "Id":
			out = append(out, x.t.index[f.name][indexKey(f, v.text)]...)
		default:
			if r := x.q.org.data.find(v.text); r != nil && r.obj == x.t.obj {
				out = append(out, r)
			}
		}
	}
	return out, true
}

// rows returns what the statement selects, in order.
func (x *run) rows(scope []*record, scoped bool) ([]*record, *soqlError) {
	keep, err := x.bind(x.st.where)
	if err != nil {
		return nil, err
	}
	order, err := x.columns()
	if err != nil {
		return nil, err
	}
	from := scope
	if !scoped {
		var ok bool
		if from, ok = x.candidates(x.st.where); ok {
			from = slices.Clone(from)
			slices.SortFunc(from, func(a, b *record) int { return cmp.Compare(a.seq, b.seq) })
			from = slices.Compact(from)
		} else {
			from = x.t.rows
		}
	}
	var out []*record
	for _, r := range from {
		if (!r.deleted || x.st.all) && x.q.org.visible(x.q.user.ID, r) && keep(r) {
			out = append(out, r)
		}
	}
	if len(order) > 0 {
		slices.SortStableFunc(out, func(a, b *record) int { return x.less(a, b, order) })
	}
	out = out[min(x.st.offset, len(out)):]
	if x.st.limit >= 0 {
		out = out[:min(x.st.limit, len(out))]
	}
	return out, nil
}

func (x *run) columns() ([]column, *soqlError) {
	var out []column
	for _, o := range x.st.order {
		c, err := x.resolve(o.path)
		if err != nil {
			return nil, err
		}
		if !c.f.is('f') {
			return nil, malformed(o.path.pos, "field '%s' can not be sorted in a query call", c.f.name)
		}
		out = append(out, c)
	}
	return out, nil
}

func (x *run) less(a, b *record, order []column) int {
	for i, c := range order {
		va, vb := x.value(a, c), x.value(b, c)
		o := x.st.order[i]
		switch {
		case va == nil && vb == nil:
			continue
		case va == nil || vb == nil:
			if (va == nil) != o.nullsLast {
				return -1
			}
			return 1
		}
		if n := compare(va, vb); n != 0 {
			if o.desc {
				return -n
			}
			return n
		}
	}
	return 0
}

// restricted refuses the queries Salesforce does not run on ContentDocumentLink.
func (x *run) restricted() *soqlError {
	if x.t.obj.name != "ContentDocumentLink" {
		return nil
	}
	for _, e := range conjuncts(x.st.where) {
		c, ok := e.(*condition)
		if !ok || c.op != "=" && c.op != "in" {
			continue
		}
		switch strings.ToLower(c.path.text) {
		case "id", "contentdocumentid", "linkedentityid":
			return nil
		}
	}
	return &soqlError{code: "MALFORMED_QUERY", bare: true, text: "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator."}
}

func conjuncts(e expr) []expr {
	if l, ok := e.(*logic); ok && !l.or {
		return l.parts
	}
	return []expr{e}
}

// shape is a resolved select list.
type shape struct {
	items []item
	cols  []column
	subs  []*run
	links []*field // the child's reference back, for each subquery
}

func (x *run) shape() (*shape, *soqlError) {
	s := &shape{}
	for _, it := range x.st.items {
		var c column
		var sub *run
		var link *field
		var err *soqlError
		if it.sub == nil {
			c, err = x.resolve(it.path)
		} else {
			sub, link, err = x.childRun(it.sub)
		}
		if err != nil {
			return nil, err
		}
		s.items, s.cols = append(s.items, it), append(s.cols, c)
		s.subs, s.links = append(s.subs, sub), append(s.links, link)
	}
	return s, nil
}

func (x *run) childRun(st *statement) (*run, *field, *soqlError) {
	for _, b := range x.q.org.data.objects {
		for _, f := range b.fields {
			if f.child == "" || !strings.EqualFold(f.child, st.from.text) || !slices.Contains(f.refs, x.t.obj.name) {
				continue
			}
			if t := x.q.table(b.name); t != nil && x.q.org.sees(b, f) {
				return &run{q: x.q, t: t, st: st, now: x.now}, f, nil
			}
		}
	}
	return nil, nil, &soqlError{code: "INVALID_TYPE", pos: st.from.pos, text: fmt.Sprintf("Didn't understand relationship '%s' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", st.from.text)}
}

// show builds the answer of one row.
func (x *run) show(r *record, s *shape) (ordered, *soqlError) {
	out := ordered{{"attributes", x.q.attributes(r)}}
	for i, it := range s.items {
		if it.sub == nil {
			out = x.place(out, r, s.cols[i], s.cols[i].via)
			continue
		}
		list, err := x.children(r, s.subs[i], s.links[i])
		if err != nil {
			return nil, err
		}
		out = append(out, kv{s.links[i].child, list})
	}
	return out, nil
}

// place puts a column into the row, below its parents' names.
func (x *run) place(out ordered, r *record, c column, via []*field) ordered {
	if len(via) == 0 {
		if _, twice := out.get(c.f.name); twice {
			return out
		}
		if c.f.typ == "type" {
			return append(out, kv{"Type", r.obj.name})
		}
		return append(out, kv{c.f.name, x.q.show(r, c.f)})
	}
	up := x.q.org.data.live(r.str(via[0].name))
	for i := range out {
		if out[i].k == via[0].rel {
			if inner, ok := out[i].v.(ordered); ok {
				out[i].v = x.place(inner, up, c, via[1:])
			}
			return out
		}
	}
	if up == nil {
		return append(out, kv{via[0].rel, nil})
	}
	return append(out, kv{via[0].rel, x.place(ordered{{"attributes", x.q.attributes(up)}}, up, c, via[1:])})
}

func (x *run) children(r *record, sub *run, link *field) (any, *soqlError) {
	rows, err := sub.rows(sub.t.lookup(link, r.id), true)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	s, err := sub.shape()
	if err != nil {
		return nil, err
	}
	list := make([]ordered, len(rows))
	for i, c := range rows {
		if list[i], err = sub.show(c, s); err != nil {
			return nil, err
		}
	}
	return ordered{{"totalSize", len(rows)}, {"done", true}, {"records", list}}, nil
}
