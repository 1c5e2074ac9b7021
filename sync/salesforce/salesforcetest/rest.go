package salesforcetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const newestVersion, oldestVersion = 67, 31

// request is one REST call: of its own or part of a composite.
type request struct {
	org     *Org
	user    *User
	site    string // site path of answers' URLs; empty by default
	hosts   hosts
	method  string
	version int
	path    []string // below /services/data/vNN.0, unescaped
	query   url.Values
	header  http.Header
	body    []byte
	blobs   map[string][]byte // multipart: binary parts by name
	inner   bool              // part of a composite
	failed  bool              // a record of a collection was refused
	tx      *tx
	parts   *[]string // what the call log says about subrequests
}

// answer is what a REST call says.
type answer struct {
	status int
	body   any // JSON, unless raw is set; nil means no body
	header map[string]string
	raw    []byte
}

func refuse(e *apiError) answer {
	return answer{status: e.status, body: errorList(e)}
}

func (a answer) ok() bool { return a.status < 300 }

// serveRESTLocked answers everything below /services/data.
func (o *Org) serveRESTLocked(r *http.Request, site, path string, body payload) *reply {
	rest := strings.Trim(strings.TrimPrefix(path, "/services/data"), "/")
	if rest == "" {
		return jsonReply(200, versions(o.urlPrefix(site)))
	}
	user, denied := o.bearerLocked(r)
	if denied != nil {
		return denied
	}
	q := &request{org: o, user: user, site: o.urlPrefix(site), hosts: o.hostsLocked(r), method: r.Method, query: r.URL.Query(), header: r.Header,
		body: body.doc, blobs: body.blobs, tx: &tx{}, parts: &[]string{}}
	if o.Seen != nil {
		o.Seen(body.doc)
		for _, b := range body.blobs {
			o.Seen(b)
		}
	}
	a := o.runLocked(q, rest, body.bad)
	p := newReply(a.status, "", nil)
	switch {
	case a.raw != nil:
		p = newReply(a.status, "application/octet-stream", a.raw)
	case a.body != nil:
		p = jsonReply(a.status, a.body)
	}
	for k, v := range a.header {
		p.header.Set(k, v)
	}
	p.header.Set("Sforce-Limit-Info", o.limitInfoLocked())
	p.header.Set("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private")
	p.user, p.parts = user.Username, *q.parts
	return p
}

func (o *Org) urlPrefix(site string) string {
	if o.PrefixURLs {
		return site
	}
	return ""
}

// runLocked checks what concerns the whole call, counts it and performs it.
func (o *Org) runLocked(q *request, rest string, bad *apiError) answer {
	if o.bad.apiDisabled {
		return refuse(fail(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."))
	}
	if o.dayLocked() >= o.limit() {
		return refuse(fail(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
	}
	if err := q.locate(rest); err != nil {
		o.countLocked(1)
		return refuse(err)
	}
	if bad != nil {
		o.countLocked(1)
		return refuse(bad)
	}
	if len(q.path) != 2 || q.path[0] != "composite" || q.path[1] != "batch" {
		o.countLocked(1)
	}
	return q.route()
}

// locate reads "v67.0/sobjects/Task" into version and path.
func (q *request) locate(rest string) *apiError {
	notFound := fail(404, "NOT_FOUND", "The requested resource does not exist")
	segs := strings.Split(strings.Trim(rest, "/"), "/")
	num, ok := strings.CutPrefix(segs[0], "v")
	major, zero := strings.CutSuffix(num, ".0")
	v, err := strconv.Atoi(major)
	switch {
	case !ok || !zero || err != nil || v > newestVersion:
		return notFound
	case v < oldestVersion:
		return fail(410, "UNSUPPORTED_API_VERSION", "The requested resource is no longer available.")
	}
	q.version = v
	for _, s := range segs[1:] {
		u, err := url.PathUnescape(s)
		if err != nil {
			return notFound
		}
		q.path = append(q.path, u)
	}
	return nil
}

// versions is the list of API versions, oldest first.
func versions(prefix string) []ordered {
	var out []ordered
	for v := oldestVersion; v <= newestVersion; v++ {
		season := [3]string{"Summer", "Winter", "Spring"}[(v-oldestVersion)%3]
		year := 14 + (v-oldestVersion+2)/3
		out = append(out, ordered{{"label", fmt.Sprintf("%s '%d", season, year)},
			{"url", fmt.Sprintf("%s/services/data/v%d.0", prefix, v)}, {"version", fmt.Sprintf("%d.0", v)}})
	}
	return out
}

func (q *request) base() string { return fmt.Sprintf("%s/services/data/v%d.0", q.site, q.version) }

func notAllowed(method string, allowed ...string) answer {
	return refuse(fail(405, "METHOD_NOT_ALLOWED", fmt.Sprintf("HTTP Method '%s' not allowed. Allowed are %s", method, strings.Join(allowed, ","))))
}

func missing() answer {
	return refuse(fail(404, "NOT_FOUND", "The requested resource does not exist"))
}

// route performs the call.
func (q *request) route() answer {
	if m := q.header.Get("X-HTTP-Method-Override"); m != "" && q.method == "POST" {
		q.method = m
	}
	head := ""
	if len(q.path) > 0 {
		head = strings.ToLower(q.path[0])
	}
	switch head {
	case "":
		return q.resources()
	case "sobjects":
		return q.sobjects(q.path[1:])
	case "query", "queryall":
		return q.soql(head == "queryall")
	case "search":
		return q.sosl()
	case "parameterizedsearch":
		return q.parameterized()
	case "composite":
		return q.composites(q.path[1:])
	case "limits":
		return q.limits()
	}
	return missing()
}

func (q *request) resources() answer {
	if q.method != "GET" && q.method != "HEAD" {
		return notAllowed(q.method, "GET", "HEAD")
	}
	m := ordered{}
	for _, name := range []string{"composite", "limits", "parameterizedSearch", "query", "queryAll", "search", "sobjects"} {
		m = append(m, kv{name, q.base() + "/" + name})
	}
	return answer{status: 200, body: append(m, kv{"identity", q.org.identityURLLocked(q.user, q.hosts)})}
}

func (q *request) limits() answer {
	if q.org.External && q.user.UserType != "Standard" {
		return refuse(fail(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id"))
	}
	day := q.org.dayLocked()
	pair := func(max, left int) ordered { return ordered{{"Max", max}, {"Remaining", left}} }
	return answer{status: 200, body: ordered{{"DailyApiRequests", pair(q.org.limit(), q.org.limit()-day)},
		{"DataStorageMB", pair(1024, 1000)}, {"FileStorageMB", pair(1024, 1000)}}}
}

// sobjects answers everything below /sobjects.
func (q *request) sobjects(path []string) answer {
	if len(path) == 0 {
		return q.describeGlobal()
	}
	t := q.table(path[0])
	if t == nil {
		return missing()
	}
	switch {
	case len(path) == 1:
		return q.collection(t)
	case len(path) == 2 && strings.EqualFold(path[1], "describe"):
		return q.describe(t.obj)
	case len(path) == 2:
		return q.row(t, path[1])
	case len(path) == 3 && t.obj.field(path[1]) != nil:
		return q.external(t, path[1], path[2])
	case len(path) == 3:
		return q.blob(t, path[1], path[2])
	}
	return missing()
}

// table returns the object's table if the user sees it.
func (q *request) table(name string) *table {
	t := q.org.data.table(name)
	if t == nil || !q.org.seesObject(t.obj) {
		return nil
	}
	return t
}

func (q *request) writer() *writer { return &writer{org: q.org, tx: q.tx, user: q.user.ID} }

// decode reads a JSON body, numbers kept as written.
func (q *request) decode(v any) *apiError { return decodeJSON(q.body, v) }

func decodeJSON(body []byte, v any) *apiError {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return fail(400, "JSON_PARSER_ERROR", "Unexpected character or end of input at [line:1, column:2]: "+err.Error())
	}
	if _, err := dec.Token(); err != io.EOF {
		return fail(400, "JSON_PARSER_ERROR", "Unexpected content after the end of the JSON value")
	}
	return nil
}
