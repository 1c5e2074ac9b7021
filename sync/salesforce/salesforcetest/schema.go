package salesforcetest

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed schema.txt
var schemaText string

// object is what describe says about one kind of record.
type object struct {
	name, prefix, label, plural string
	can                         string // letters: c create u update d delete q query s search
	fields                      []*field
	byName                      map[string]*field // lower case
}

// field is one column. flags are the letters explained in schema.txt.
type field struct {
	name, typ, label string
	length           int
	flags            string
	refs             []string // objects a reference may point to
	rel, child       string   // parent and child relationship names
	picks            []string
	def              string // default value
}

func (f *field) is(flag byte) bool { return strings.IndexByte(f.flags, flag) >= 0 }

func (f *field) custom() bool { return strings.HasSuffix(f.name, "__c") }

func (b *object) field(name string) *field { return b.byName[strings.ToLower(name)] }

func (b *object) may(verb byte) bool { return strings.IndexByte(b.can, verb) >= 0 }

// relation returns the reference field behind a parent relationship name.
func (b *object) relation(name string) *field {
	for _, f := range b.fields {
		if f.rel != "" && strings.EqualFold(f.rel, name) {
			return f
		}
	}
	return nil
}

var systemFields = []string{
	"IsDeleted|boolean|0|f|Deleted",
	"CreatedDate|datetime|0|f|Created Date",
	"CreatedById|reference|18|f|Created By ID|refs=User rel=CreatedBy",
	"LastModifiedDate|datetime|0|f|Last Modified Date",
	"LastModifiedById|reference|18|f|Last Modified By ID|refs=User rel=LastModifiedBy",
	"SystemModstamp|datetime|0|f|System Modstamp",
}

// parseSchema reads the table of schema.txt; keep says which fields this org has.
func parseSchema(text string, keep func(object, field string) bool) ([]*object, error) {
	var out []*object
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "object "); ok {
			p := strings.Split(rest, "|")
			if len(p) != 5 {
				return nil, fmt.Errorf("schema line %d: want 5 columns", n+1)
			}
			b := &object{name: p[0], prefix: p[1], label: p[2], plural: p[3], can: p[4], byName: map[string]*field{}}
			b.add(&field{name: "Id", typ: "id", label: b.label + " ID", length: 18, flags: "fdil"})
			out = append(out, b)
			continue
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("schema line %d: field before object", n+1)
		}
		f, err := parseField(line)
		if err != nil {
			return nil, fmt.Errorf("schema line %d: %w", n+1, err)
		}
		if b := out[len(out)-1]; keep(b.name, f.name) {
			b.add(f)
		}
	}
	for _, b := range out {
		for _, line := range systemFields {
			f, err := parseField(line)
			if err != nil {
				return nil, fmt.Errorf("system field %q: %w", line, err)
			}
			b.add(f)
		}
	}
	return out, nil
}

func (b *object) add(f *field) {
	b.fields = append(b.fields, f)
	b.byName[strings.ToLower(f.name)] = f
}

func parseField(line string) (*field, error) {
	p := strings.Split(line, "|")
	if len(p) < 5 {
		return nil, fmt.Errorf("want 5 or 6 columns, have %d", len(p))
	}
	length, err := strconv.Atoi(p[2])
	if err != nil {
		return nil, fmt.Errorf("length: %w", err)
	}
	f := &field{name: p[0], typ: p[1], length: length, flags: p[3], label: p[4]}
	if len(p) == 5 {
		return f, nil
	}
	extras, def, hasDef := strings.Cut(p[5], " default=")
	if hasDef {
		f.def = def
	}
	if picks, ok := strings.CutPrefix(extras, "picks="); ok {
		f.picks = strings.Split(picks, ";")
		return f, nil
	}
	for _, e := range strings.Fields(extras) {
		k, v, _ := strings.Cut(e, "=")
		switch k {
		case "refs":
			f.refs = strings.Split(v, ",")
		case "rel":
			f.rel = v
		case "child":
			f.child = v
		default:
			return nil, fmt.Errorf("unknown extra %q", k)
		}
	}
	return f, nil
}

// schemaOf returns the objects this org has.
func schemaOf(o *Org) []*object {
	objects, err := parseSchema(schemaText, func(_, field string) bool {
		switch field {
		case "Mail_Key__c":
			return o.MailKey
		case "TaskWhoIds":
			return o.SharedActivities
		}
		return true
	})
	if err != nil {
		panic("salesforcetest: " + err.Error()) // the table is part of the program
	}
	return slices.DeleteFunc(objects, func(b *object) bool {
		return o.NoEnhancedEmail && strings.HasPrefix(b.name, "EmailMessage")
	})
}

// sees says whether the users' profile lets them read the field.
func (o *Org) sees(b *object, f *field) bool { return !listed(o.HideFields, b.name, f.name) }

// seesObject says whether the users' profile knows the object at all.
func (o *Org) seesObject(b *object) bool {
	return !slices.ContainsFunc(o.HideObjects, func(n string) bool { return strings.EqualFold(n, b.name) })
}

// writes says whether field security lets the users write the field.
func (o *Org) writes(b *object, f *field) bool { return !listed(o.ReadOnlyFields, b.name, f.name) }

// may says whether the users may do verb with the object, as describe shows it.
func (o *Org) may(b *object, verb byte) bool {
	if verb == 'c' && (o.NoTask && b.name == "Task" || o.NoFiles && b.name == "ContentVersion") {
		return false
	}
	if verb == 'd' && slices.ContainsFunc(o.NoDelete, func(n string) bool { return strings.EqualFold(n, b.name) }) {
		return false
	}
	return b.may(verb)
}

func listed(m map[string][]string, object, field string) bool {
	for k, v := range m {
		if strings.EqualFold(k, object) {
			return slices.ContainsFunc(v, func(n string) bool { return strings.EqualFold(n, field) })
		}
	}
	return false
}
