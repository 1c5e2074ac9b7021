package salesforcetest

import (
	"strings"
)

const maxRecords = 200

// collectionsRequest is the body of create and update over many records.
type collectionsRequest struct {
	AllOrNone bool             `json:"allOrNone"`
	Records   []map[string]any `json:"records"`
}

// collections answers /composite/sobjects...; path is what follows.
func (q *request) collections(path []string) answer {
	switch {
	case len(path) == 0 && q.method == "DELETE":
		return q.deleteMany()
	case len(path) == 0 && q.method == "GET":
		return missing()
	case len(path) == 0 && (q.method == "POST" || q.method == "PATCH"):
		return q.writeMany(q.one)
	case len(path) == 0:
		return notAllowed(q.method, "DELETE", "GET", "PATCH", "POST")
	}
	t := q.table(path[0])
	if t == nil {
		return missing()
	}
	switch {
	case len(path) == 1 && (q.method == "POST" || q.method == "GET"):
		return q.retrieveMany(t)
	case len(path) == 2 && q.method == "PATCH":
		f := t.obj.field(path[1])
		if f == nil || !q.org.sees(t.obj, f) || !f.is('x') && !f.is('l') {
			return refuse(fail(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+path[1]))
		}
		return q.writeMany(func(in map[string]any) ordered { return q.upsertOne(t, f, in) })
	}
	return missing()
}

// writeMany performs one write for each record and answers by position.
func (q *request) writeMany(one func(in map[string]any) ordered) answer {
	var in collectionsRequest
	if err := q.decode(&in); err != nil {
		return refuse(err)
	}
	if err := checkRecords(in.Records); err != nil {
		return refuse(err)
	}
	mark := len(q.tx.undo)
	results := make([]ordered, len(in.Records))
	failed := false
	for i, rec := range in.Records {
		results[i] = one(rec)
		success, _ := results[i].get("success")
		failed = failed || success == false
	}
	q.failed = q.failed || failed
	if failed && in.AllOrNone {
		q.tx.backTo(mark)
		rolledBack(results)
	}
	return answer{status: 200, body: results}
}

func rolledBack(results []ordered) {
	for i, r := range results {
		if success, _ := r.get("success"); success == true {
			results[i] = failedResult(fail(400, "ALL_OR_NONE_OPERATION_ROLLED_BACK",
				"Record rolled back because not all records were valid and the request was using AllOrNone header", []string{}...))
		}
	}
}

func checkRecords(records []map[string]any) *apiError {
	if len(records) == 0 {
		return fail(400, "INVALID_INPUT", "The request has no records")
	}
	if len(records) > maxRecords {
		return fail(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records into this call")
	}
	chunks, last := 0, ""
	for _, r := range records {
		if typ, _ := attribute(r, "type"); !strings.EqualFold(typ, last) {
			chunks, last = chunks+1, typ
		}
	}
	if chunks > 10 {
		return fail(400, "LIMIT_EXCEEDED", "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking.")
	}
	return nil
}

// attribute reads one of the record's attributes.
func attribute(r map[string]any, name string) (string, bool) {
	m, _ := r["attributes"].(map[string]any)
	for k, v := range m {
		if s, ok := v.(string); ok && strings.EqualFold(k, name) {
			return s, true
		}
	}
	return "", false
}

func failedResult(e *apiError) ordered {
	fields := e.fields
	if fields == nil {
		fields = []string{}
	}
	return ordered{{"success", false}, {"errors", []ordered{{{"statusCode", e.code}, {"message", e.message}, {"fields", fields}}}}}
}

func goodResult(id string) ordered {
	return ordered{{"id", id}, {"success", true}, {"errors", []any{}}}
}

// one creates or updates one record of a collection.
func (q *request) one(in map[string]any) ordered {
	typ, _ := attribute(in, "type")
	t := q.table(typ)
	if t == nil {
		return failedResult(noType(token{text: typ}).plain())
	}
	if q.method == "PATCH" {
		return q.patchOne(t, in)
	}
	blob, err := q.partOf(t, in)
	if err != nil {
		return failedResult(err)
	}
	id, err := q.writer().insert(t, in, blob)
	if err != nil {
		return failedResult(err)
	}
	return goodResult(id)
}

func (e *soqlError) plain() *apiError { return fail(400, e.code, e.text) }

// partOf finds the binary part a record names.
func (q *request) partOf(t *table, in map[string]any) ([]byte, *apiError) {
	name, ok := attribute(in, "binaryPartName")
	if !ok {
		return nil, nil
	}
	alias, _ := attribute(in, "binaryPartNameAlias")
	f := t.obj.field(alias)
	data, have := q.blobs[name]
	if f == nil || f.typ != "base64" || !have {
		return nil, fail(400, "INVALID_MULTIPART_REQUEST", "The record names no binary part of this request: "+name)
	}
	return data, nil
}

func (q *request) patchOne(t *table, in map[string]any) ordered {
	fields := map[string]any{}
	id := ""
	for k, v := range in {
		if strings.EqualFold(k, "id") {
			id, _ = v.(string)
		} else {
			fields[k] = v
		}
	}
	if id == "" {
		return failedResult(fail(400, "MISSING_ARGUMENT", "Id not specified in an update call", "Id"))
	}
	r, err := q.find(t, id)
	if err == nil {
		err = q.writer().update(r, fields)
	}
	if err != nil {
		return failedResult(err)
	}
	return goodResult(r.id)
}

func (q *request) upsertOne(t *table, f *field, in map[string]any) ordered {
	fields := map[string]any{}
	value := ""
	for k, v := range in {
		if strings.EqualFold(k, f.name) {
			value, _ = v.(string)
		} else {
			fields[k] = v
		}
	}
	if typ, _ := attribute(in, "type"); !strings.EqualFold(typ, t.obj.name) {
		return failedResult(fail(400, "INVALID_TYPE", "The record's type does not match "+t.obj.name))
	}
	var rows []*record
	if value != "" {
		rows = q.matches(t, f, value)
	} else if f.name != "Id" {
		return failedResult(fail(400, "MISSING_ARGUMENT", f.name+" not specified", f.name))
	}
	switch {
	case len(rows) > 1:
		return failedResult(fail(400, "DUPLICATE_EXTERNAL_ID", "more than one record found for external id field: "+f.name, f.name))
	case len(rows) == 1:
		if err := q.writer().update(rows[0], fields); err != nil {
			return failedResult(err)
		}
		return append(goodResult(rows[0].id), kv{"created", false})
	case f.name == "Id" && value != "":
		return failedResult(fail(400, "NOT_FOUND", "The requested resource does not exist", "Id"))
	case f.name != "Id":
		fields[f.name] = value
	}
	id, err := q.writer().insert(t, fields, nil)
	if err != nil {
		return failedResult(err)
	}
	return append(goodResult(id), kv{"created", true})
}

func (q *request) deleteMany() answer {
	ids := splitList(q.query.Get("ids"))
	if len(ids) == 0 || len(ids) > maxRecords {
		return refuse(fail(400, "EXCEEDED_ID_LIMIT", "1 to 200 ids are needed"))
	}
	mark := len(q.tx.undo)
	results := make([]ordered, len(ids))
	failed := false
	for i, id := range ids {
		err := q.deleteOne(id)
		if err != nil {
			results[i], failed = failedResult(err), true
		} else {
			results[i] = goodResult(id18(key15(id)))
		}
	}
	q.failed = q.failed || failed
	if failed && q.query.Get("allOrNone") == "true" {
		q.tx.backTo(mark)
		rolledBack(results)
	}
	return answer{status: 200, body: results}
}

func (q *request) deleteOne(id string) *apiError {
	if !validID(id) {
		return fail(400, "MALFORMED_ID", "malformed id "+id)
	}
	r := q.org.data.find(id)
	switch {
	case r == nil || !q.org.seesObject(r.obj) || !q.org.visible(q.user.ID, r):
		return fail(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	case r.deleted:
		return fail(400, "ENTITY_IS_DELETED", "entity is deleted")
	}
	return q.writer().delete(r)
}

// retrieveMany reads up to 2,000 records by id; what cannot be seen is null.
func (q *request) retrieveMany(t *table) answer {
	var in struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	if q.method == "POST" {
		if err := q.decode(&in); err != nil {
			return refuse(err)
		}
	} else {
		in.IDs, in.Fields = splitList(q.query.Get("ids")), splitList(q.query.Get("fields"))
	}
	if len(in.IDs) > 2000 {
		return refuse(fail(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 2000 records into this call"))
	}
	if len(in.Fields) == 0 {
		return refuse(fail(400, "MISSING_ARGUMENT", "fields are missing"))
	}
	if _, err := q.rowBody(&record{obj: t.obj}, in.Fields); err != nil {
		return refuse(err) // an unreadable field refuses all
	}
	out := make([]any, len(in.IDs))
	for i, id := range in.IDs {
		r, err := q.find(t, id)
		if err != nil {
			continue
		}
		row, err := q.rowBody(r, in.Fields)
		if err != nil {
			return refuse(err)
		}
		out[i] = row
	}
	return answer{status: 200, body: out}
}
