package salesforcetest

import (
	"net/http"
	"sort"
	"strings"
	"time"
)

// collection answers /sobjects/X: what it is, or a new record.
func (q *request) collection(t *table) answer {
	switch q.method {
	case "GET":
		d := q.describeBody(t.obj, false)
		return answer{status: 200, body: ordered{{"objectDescribe", d}, {"recentItems", []any{}}}}
	case "POST":
		return q.create(t)
	}
	return notAllowed(q.method, "GET", "HEAD", "POST")
}

func (q *request) create(t *table) answer {
	var in map[string]any
	if err := q.decode(&in); err != nil {
		return refuse(err)
	}
	blob, err := q.onlyBlob(t)
	if err != nil {
		return refuse(err)
	}
	id, err := q.writer().insert(t, in, blob)
	if err != nil {
		return refuse(err)
	}
	return q.created(t.obj, id, nil)
}

// onlyBlob is the binary part of a multipart request for one record; its name is the blob field.
func (q *request) onlyBlob(t *table) ([]byte, *apiError) {
	for name, data := range q.blobs {
		f := t.obj.field(name)
		if f == nil || f.typ != "base64" || len(q.blobs) > 1 {
			return nil, fail(400, "INVALID_MULTIPART_REQUEST", "Binary part '"+name+"' names no blob field of "+t.obj.name)
		}
		return data, nil
	}
	return nil, nil
}

func (q *request) created(b *object, id string, extra ordered) answer {
	body := append(ordered{{"id", id}, {"success", true}, {"errors", []any{}}}, extra...)
	return answer{status: 201, body: body, header: map[string]string{"Location": q.base() + "/sobjects/" + b.name + "/" + id}}
}

// row answers /sobjects/X/{id}.
func (q *request) row(t *table, id string) answer {
	if strings.EqualFold(id, "id") && q.method == "POST" {
		return q.create(t)
	}
	r, err := q.find(t, id)
	if err != nil {
		return refuse(err)
	}
	switch q.method {
	case "GET":
		return q.read(r)
	case "PATCH":
		var in map[string]any
		if err := q.decode(&in); err != nil {
			return refuse(err)
		}
		if err := q.writer().update(r, in); err != nil {
			return refuse(err)
		}
		return answer{status: 204}
	case "DELETE":
		if err := q.writer().delete(r); err != nil {
			return refuse(err)
		}
		return answer{status: 204}
	}
	return notAllowed(q.method, "DELETE", "GET", "HEAD", "PATCH")
}

// find returns the record the user may see under that id.
func (q *request) find(t *table, id string) (*record, *apiError) {
	if !validID(id) || !strings.HasPrefix(id, t.obj.prefix) {
		return nil, fail(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+id)
	}
	r := q.org.data.find(id)
	switch {
	case r == nil || !q.org.visible(q.user.ID, r):
		return nil, fail(404, "NOT_FOUND", "The requested resource does not exist")
	case r.deleted:
		return nil, fail(404, "ENTITY_IS_DELETED", "entity is deleted")
	}
	return r, nil
}

func (q *request) read(r *record) answer {
	if since := q.header.Get("If-Modified-Since"); since != "" {
		t, err := http.ParseTime(since)
		changed, _ := r.fields["LastModifiedDate"].(time.Time)
		if err == nil && !changed.Truncate(time.Second).After(t) {
			return answer{status: 304}
		}
	}
	var names []string
	if list := q.query.Get("fields"); list != "" {
		names = strings.Split(list, ",")
	}
	body, err := q.rowBody(r, names)
	if err != nil {
		return refuse(err)
	}
	changed, _ := r.fields["LastModifiedDate"].(time.Time)
	return answer{status: 200, body: body, header: map[string]string{"Last-Modified": changed.Format(http.TimeFormat)}}
}

// rowBody shows a record with the named fields, or with all the user sees.
func (q *request) rowBody(r *record, names []string) (ordered, *apiError) {
	var fields []*field
	for _, n := range names {
		f := r.obj.field(strings.TrimSpace(n))
		if f == nil || !q.org.sees(r.obj, f) {
			return nil, fail(400, "INVALID_FIELD", "No such column '"+strings.TrimSpace(n)+"' on sobject of type "+r.obj.name)
		}
		fields = append(fields, f)
	}
	if names == nil {
		for _, f := range r.obj.fields {
			if q.org.sees(r.obj, f) && f.typ != "junctionIdList" {
				fields = append(fields, f)
			}
		}
	}
	out := ordered{{"attributes", q.attributes(r)}}
	for _, f := range fields {
		if _, twice := out.get(f.name); !twice {
			out = append(out, kv{f.name, q.show(r, f)})
		}
	}
	if _, ok := out.get("Id"); !ok {
		out = append(out, kv{"Id", r.id})
	}
	return out, nil
}

func (q *request) attributes(r *record) ordered {
	return ordered{{"type", r.obj.name}, {"url", q.base() + "/sobjects/" + r.obj.name + "/" + r.id}}
}

// show returns one field of a record as answers carry it.
func (q *request) show(r *record, f *field) any {
	switch {
	case f.name == "Id":
		return r.id
	case f.name == "IsDeleted":
		return r.deleted
	case f.typ == "base64":
		return q.base() + "/sobjects/" + r.obj.name + "/" + r.id + "/" + f.name
	case q.blind(r, f):
		return nil
	}
	v, ok := r.fields[f.name]
	if !ok {
		return nil
	}
	return shown(v)
}

// blind says whether a blind copy is hidden: a site user who is not the sender sees none.
func (q *request) blind(r *record, f *field) bool {
	return strings.HasPrefix(f.name, "Bcc") && r.obj.name == "EmailMessage" &&
		q.user.UserType != "Standard" && r.str("CreatedById") != q.user.ID
}

func (q *request) blob(t *table, id, name string) answer {
	f := t.obj.field(name)
	r, err := q.find(t, id)
	switch {
	case f == nil || f.typ != "base64":
		return missing()
	case err != nil:
		return refuse(err)
	case q.inner:
		return refuse(fail(400, "INVALID_REQUEST", "Blob fields cannot be read in a composite request"))
	case q.method != "GET":
		return notAllowed(q.method, "GET", "HEAD")
	}
	return answer{status: 200, raw: r.blob}
}

// external answers /sobjects/X/{field}/{value}: read, upsert, delete by external id.
func (q *request) external(t *table, name, value string) answer {
	f := t.obj.field(name)
	if !q.org.sees(t.obj, f) || !f.is('x') && !f.is('l') {
		return refuse(fail(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+name))
	}
	rows := q.matches(t, f, value)
	if len(rows) > 1 {
		return q.several(rows)
	}
	if q.method == "PATCH" || q.method == "POST" {
		var in map[string]any
		if err := q.decode(&in); err != nil {
			return refuse(err)
		}
		if len(rows) == 1 {
			return q.upsertExisting(rows[0], f, in)
		}
		return q.upsertNew(t, f, value, in)
	}
	if len(rows) == 0 {
		return missing()
	}
	return q.row(t, rows[0].id)
}

// several is the answer when an external id is not unique: 300 and where the records are.
func (q *request) several(rows []*record) answer {
	urls := make([]string, len(rows))
	for i, r := range rows {
		urls[i] = q.base() + "/sobjects/" + r.obj.name + "/" + r.id
	}
	sort.Strings(urls)
	return answer{status: 300, body: urls}
}

// matches returns the live records an external id stands for, hidden ones included: uniqueness
// does not depend on who looks.
func (q *request) matches(t *table, f *field, value string) []*record {
	if f.name == "Id" {
		if r := q.org.data.live(value); r != nil && r.obj == t.obj {
			return []*record{r}
		}
		return nil
	}
	return t.lookup(f, value)
}

// keyless refuses a body that repeats the key of the URL.
func keyless(f *field, in map[string]any) *apiError {
	for k := range in {
		if strings.EqualFold(k, f.name) || strings.EqualFold(k, "Id") {
			return fail(400, "INVALID_FIELD", "The "+k+" field should not be specified in the sobject data.")
		}
	}
	return nil
}

func (q *request) upsertExisting(r *record, f *field, in map[string]any) answer {
	err := keyless(f, in)
	if err == nil {
		err = q.writer().update(r, in)
	}
	switch {
	case err != nil:
		return refuse(err)
	case q.version < 46:
		return answer{status: 204}
	}
	return answer{status: 200, body: append(goodResult(r.id), kv{"created", false})}
}

func (q *request) upsertNew(t *table, f *field, value string, in map[string]any) answer {
	if err := keyless(f, in); err != nil {
		return refuse(err)
	}
	if q.query.Get("updateOnly") == "true" || f.name == "Id" {
		return missing()
	}
	with := map[string]any{f.name: value}
	for k, v := range in {
		with[k] = v
	}
	id, err := q.writer().insert(t, with, nil)
	if err != nil {
		return refuse(err)
	}
	return q.created(t.obj, id, ordered{{"created", true}})
}
