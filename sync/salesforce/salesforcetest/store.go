package salesforcetest

import (
	"slices"
	"strings"
	"time"
)

// record is one row. Values are string, bool, float64, time.Time (datetime) or []string
// (junction lists); dates are strings; a missing key is null.
type record struct {
	id      string
	seq     int // order of creation over all objects
	obj     *object
	fields  map[string]any
	blob    []byte
	deleted bool
}

// copy returns the fields as the API shows them.
func (r *record) copy() map[string]any {
	out := make(map[string]any, len(r.fields)+1)
	for k, v := range r.fields {
		out[k] = shown(v)
	}
	out["Id"] = r.id
	return out
}

func (r *record) str(name string) string { s, _ := r.fields[name].(string); return s }

// table holds one object's rows in order of creation, with an index for each field that asks for one.
type table struct {
	obj   *object
	rows  []*record
	index map[string]map[string][]*record // field name → folded value → rows
}

// store is every table of the org.
type store struct {
	objects []*object
	tables  map[string]*table // by lower-case name
	byID    map[string]*record
	byKey   map[string]*object // by key prefix
	seq     int
}

func (s *store) open(o *Org) {
	s.objects = schemaOf(o)
	s.tables, s.byID, s.byKey = map[string]*table{}, map[string]*record{}, map[string]*object{}
	for _, b := range s.objects {
		t := &table{obj: b, index: map[string]map[string][]*record{}}
		for _, f := range b.fields {
			if f.is('i') && f.name != "Id" {
				t.index[f.name] = map[string][]*record{}
			}
		}
		s.tables[strings.ToLower(b.name)] = t
		s.byKey[b.prefix] = b
	}
}

func (s *store) table(name string) *table { return s.tables[strings.ToLower(name)] }

// find returns the record with that id, deleted or not; nil when there is none.
func (s *store) find(id string) *record { return s.byID[key15(id)] }

// live returns the record with that id unless it is deleted.
func (s *store) live(id string) *record {
	if r := s.find(id); r != nil && !r.deleted {
		return r
	}
	return nil
}

func (s *store) nextID(b *object) string {
	s.seq++
	return makeID(b.prefix, s.seq)
}

// lookup returns the live rows whose indexed field has the value.
func (t *table) lookup(f *field, v any) []*record {
	rows := t.index[f.name][indexKey(f, v)]
	if !slices.ContainsFunc(rows, func(r *record) bool { return r.deleted }) {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r *record) bool { return r.deleted })
}

// indexKey folds a value the way Salesforce compares it: text regardless of case, ids by their
// first 15 characters.
func indexKey(f *field, v any) string {
	s, _ := v.(string)
	if f.typ == "reference" || f.typ == "id" {
		return key15(s)
	}
	return strings.ToLower(s)
}

func (t *table) indexAdd(r *record) {
	for name, m := range t.index {
		if v, ok := r.fields[name]; ok {
			k := indexKey(t.obj.byName[strings.ToLower(name)], v)
			m[k] = append(m[k], r)
		}
	}
}

func (t *table) indexRemove(r *record) {
	for name, m := range t.index {
		if v, ok := r.fields[name]; ok {
			k := indexKey(t.obj.byName[strings.ToLower(name)], v)
			if i := slices.Index(m[k], r); i >= 0 {
				m[k] = slices.Delete(slices.Clone(m[k]), i, i+1)
			}
		}
	}
}

// tx remembers how to undo what was done since it began.
type tx struct{ undo []func() }

func (x *tx) back() { x.backTo(0) }

func (x *tx) backTo(mark int) {
	for i := len(x.undo) - 1; i >= mark; i-- {
		x.undo[i]()
	}
	x.undo = x.undo[:mark]
}

func (s *store) add(x *tx, t *table, r *record) {
	s.seq++
	r.seq = s.seq
	t.rows = append(t.rows, r)
	s.byID[key15(r.id)] = r
	t.indexAdd(r)
	x.undo = append(x.undo, func() {
		t.indexRemove(r)
		delete(s.byID, key15(r.id))
		if i := slices.Index(t.rows, r); i >= 0 {
			t.rows = slices.Delete(slices.Clone(t.rows), i, i+1)
		}
	})
}

// set changes fields of a stored record; a nil value clears the field.
func (s *store) set(x *tx, r *record, changes map[string]any) {
	t := s.table(r.obj.name)
	old := r.fields
	fresh := make(map[string]any, len(old)+len(changes))
	for k, v := range old {
		fresh[k] = v
	}
	for k, v := range changes {
		if v == nil {
			delete(fresh, k)
		} else {
			fresh[k] = v
		}
	}
	t.indexRemove(r)
	r.fields = fresh
	t.indexAdd(r)
	x.undo = append(x.undo, func() {
		t.indexRemove(r)
		r.fields = old
		t.indexAdd(r)
	})
}

func (s *store) remove(x *tx, r *record) {
	if r.deleted {
		return
	}
	r.deleted = true
	x.undo = append(x.undo, func() { r.deleted = false })
}

// shown turns a stored value into what JSON answers carry.
func shown(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000-0700")
	case []string:
		return slices.Clone(v)
	}
	return v
}
