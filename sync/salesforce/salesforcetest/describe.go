package salesforcetest

import (
	"net/http"
	"slices"
	"time"
)

// described is the moment the objects were last changed: describe never changes while an Org runs.
var described = time.Date(2026, 10, 17, 6, 30, 0, 0, time.UTC)

// fresh answers 304 when the asker's copy is as new as ours.
func (q *request) fresh() (answer, bool) {
	if since, err := http.ParseTime(q.header.Get("If-Modified-Since")); err == nil && !described.After(since) {
		return answer{status: 304}, true
	}
	return answer{}, false
}

func (q *request) describeGlobal() answer {
	if q.method != "GET" && q.method != "HEAD" {
		return notAllowed(q.method, "GET", "HEAD")
	}
	if a, ok := q.fresh(); ok {
		return a
	}
	list := []ordered{}
	for _, b := range q.org.data.objects {
		if q.org.seesObject(b) {
			list = append(list, q.describeBody(b, false))
		}
	}
	return answer{status: 200, body: ordered{{"encoding", "UTF-8"}, {"maxBatchSize", 200}, {"sobjects", list}},
		header: map[string]string{"Last-Modified": described.Format(http.TimeFormat)}}
}

func (q *request) describe(b *object) answer {
	if q.method != "GET" && q.method != "HEAD" {
		return notAllowed(q.method, "GET", "HEAD")
	}
	if a, ok := q.fresh(); ok {
		return a
	}
	return answer{status: 200, body: q.describeBody(b, true), header: map[string]string{"Last-Modified": described.Format(http.TimeFormat)}}
}

// describeBody is the describe result of an object, with fields and relationships when full.
func (q *request) describeBody(b *object, full bool) ordered {
	may := func(verb byte) bool { return q.org.may(b, verb) }
	url := q.base() + "/sobjects/" + b.name
	m := ordered{
		{"name", b.name}, {"label", b.label}, {"labelPlural", b.plural}, {"keyPrefix", b.prefix}, {"custom", false},
		{"customSetting", false}, {"createable", may('c')}, {"updateable", may('u')}, {"deletable", may('d')},
		{"undeletable", may('d')}, {"queryable", may('q')}, {"retrieveable", may('q')}, {"searchable", may('s')},
		{"mergeable", false}, {"triggerable", true}, {"layoutable", true}, {"activateable", false}, {"replicateable", true},
		{"feedEnabled", false}, {"mruEnabled", true}, {"deprecatedAndHidden", false}, {"hasSubtypes", false},
		{"isInterface", false}, {"isSubtype", false}, {"deepCloneable", false}, {"idEnabled", true},
		{"urls", ordered{{"sobject", url}, {"describe", url + "/describe"}, {"rowTemplate", url + "/{ID}"}}},
	}
	if !full {
		return m
	}
	fields := []ordered{}
	for _, f := range b.fields {
		if q.org.sees(b, f) {
			fields = append(fields, q.describeField(b, f))
		}
	}
	record := ordered{{"active", true}, {"available", true}, {"defaultRecordTypeMapping", true}, {"developerName", "Master"},
		{"master", true}, {"name", "Master"}, {"recordTypeId", "012000000000000AAA"}, {"urls", ordered{{"layout", url + "/describe/layouts/012000000000000AAA"}}}}
	return append(m, kv{"fields", fields}, kv{"childRelationships", q.children(b)}, kv{"recordTypeInfos", []ordered{record}},
		kv{"actionOverrides", []any{}}, kv{"namedLayoutInfos", []any{}}, kv{"networkScopeFieldName", nil}, kv{"supportedScopes", []any{}},
		kv{"searchLayoutable", true}, kv{"listviewable", nil}, kv{"lookupLayoutable", nil}, kv{"compactLayoutable", true})
}

func (q *request) children(b *object) []ordered {
	out := []ordered{}
	for _, c := range q.org.data.objects {
		for _, f := range c.fields {
			if f.child != "" && slices.Contains(f.refs, b.name) && q.org.seesObject(c) && q.org.sees(c, f) {
				out = append(out, ordered{{"childSObject", c.name}, {"field", f.name}, {"relationshipName", f.child},
					{"cascadeDelete", false}, {"restrictedDelete", false}, {"deprecatedAndHidden", false},
					{"junctionIdListNames", []string{}}, {"junctionReferenceTo", []string{}}})
			}
		}
	}
	return out
}

func (q *request) describeField(b *object, f *field) ordered {
	writes := q.org.writes(b, f)
	picks := []ordered{}
	for _, p := range f.picks {
		picks = append(picks, ordered{{"active", true}, {"defaultValue", p == f.def}, {"label", p}, {"validFor", nil}, {"value", p}})
	}
	refs := []string{}
	for _, r := range f.refs {
		if t := q.table(r); t != nil {
			refs = append(refs, r)
		}
	}
	var rel, def any
	if f.rel != "" {
		rel = f.rel
	}
	if f.def != "" {
		def = f.def
	} else if f.typ == "boolean" {
		def = false
	}
	return ordered{
		{"aggregatable", f.is('f')}, {"aiPredictionField", false}, {"autoNumber", false}, {"byteLength", f.length * 3},
		{"calculated", false}, {"calculatedFormula", nil}, {"cascadeDelete", false}, {"caseSensitive", false},
		{"compoundFieldName", nil}, {"controllerName", nil}, {"createable", f.is('c') && writes}, {"custom", f.custom()},
		{"defaultValue", def}, {"defaultValueFormula", nil}, {"defaultedOnCreate", f.is('d') || f.def != ""},
		{"dependentPicklist", false}, {"deprecatedAndHidden", false}, {"digits", 0}, {"displayLocationInDecimal", false},
		{"encrypted", false}, {"externalId", f.is('x')}, {"extraTypeInfo", nil}, {"filterable", f.is('f')},
		{"filteredLookupInfo", nil}, {"formulaTreatNullNumberAsZero", false}, {"groupable", f.is('f')}, {"highScaleNumber", false},
		{"htmlFormatted", false}, {"idLookup", f.is('l')}, {"inlineHelpText", nil}, {"label", f.label}, {"length", f.length},
		{"mask", nil}, {"maskType", nil}, {"name", f.name}, {"nameField", f.is('n')}, {"namePointing", len(f.refs) > 1},
		{"nillable", !f.is('r') && f.name != "Id" && f.typ != "boolean"}, {"permissionable", !f.is('r')}, {"picklistValues", picks},
		{"polymorphicForeignKey", len(f.refs) > 1}, {"precision", 0}, {"queryByDistance", false}, {"referenceTargetField", nil},
		{"referenceTo", refs}, {"relationshipName", rel}, {"relationshipOrder", nil}, {"restrictedDelete", false},
		{"restrictedPicklist", f.is('s')}, {"scale", 0}, {"searchPrefilterable", false}, {"soapType", soapType(f.typ)},
		{"sortable", f.is('f')}, {"type", f.typ}, {"unique", f.is('q')}, {"updateable", f.is('u') && writes}, {"writeRequiresMasterRead", false},
	}
}

func soapType(typ string) string {
	switch typ {
	case "id", "reference":
		return "tns:ID"
	case "boolean", "int", "double", "date":
		return "xsd:" + typ
	case "datetime":
		return "xsd:dateTime"
	case "base64":
		return "xsd:base64Binary"
	case "junctionIdList":
		return "urn:JunctionIdListNames"
	}
	return "xsd:string"
}
