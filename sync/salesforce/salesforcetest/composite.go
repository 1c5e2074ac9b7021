package salesforcetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// subrequest is one part of a composite.
type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        any               `json:"body"`
	HTTPHeaders map[string]string `json:"httpHeaders"`
}

type compositeRequest struct {
	AllOrNone bool         `json:"allOrNone"`
	Parts     []subrequest `json:"compositeRequest"`
}

// composites answers everything below /composite; path is what follows.
func (q *request) composites(path []string) answer {
	head := ""
	if len(path) > 0 {
		head = strings.ToLower(path[0])
	}
	switch {
	case head == "sobjects":
		return q.collections(path[1:])
	case q.inner:
		return refuse(fail(400, "INVALID_REQUEST", "A composite cannot hold another one"))
	case q.method == "GET" && head == "":
		return answer{status: 200, body: ordered{{"composite", q.base() + "/composite"}, {"sobjects", q.base() + "/composite/sobjects"},
			{"batch", q.base() + "/composite/batch"}, {"graph", q.base() + "/composite/graph"}, {"tree", q.base() + "/composite/tree"}}}
	case q.method != "POST":
		return notAllowed(q.method, "POST")
	case head == "":
		return q.composite()
	case head == "batch":
		return q.batch()
	case head == "graph":
		return q.graph()
	case head == "tree" && len(path) == 2:
		return q.tree(path[1])
	}
	return missing()
}

func (q *request) composite() answer {
	var in compositeRequest
	if err := q.decode(&in); err != nil {
		return refuse(err)
	}
	if len(in.Parts) > 25 {
		return refuse(fail(400, "LIMIT_EXCEEDED", "The number of subrequests exceeds the limit of 25"))
	}
	if err := checkParts(in.Parts); err != nil {
		return refuse(err)
	}
	if n := heavy(in.Parts); n > 5 {
		return refuse(fail(400, "LIMIT_EXCEEDED", fmt.Sprintf("The number of query and collection subrequests exceeds the limit of 5: %d", n)))
	}
	list, _ := q.perform(in.Parts, in.AllOrNone)
	return answer{status: 200, body: ordered{{"compositeResponse", list}}}
}

var referenceID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]*$`)

// checkParts refuses what Salesforce refuses before it performs anything.
func checkParts(parts []subrequest) *apiError {
	if len(parts) == 0 {
		return fail(400, "JSON_PARSER_ERROR", "compositeRequest is missing or empty")
	}
	seen := map[string]bool{}
	for _, p := range parts {
		if !referenceID.MatchString(p.ReferenceID) || seen[p.ReferenceID] {
			return fail(400, "JSON_PARSER_ERROR", "referenceId is missing, not unique or has forbidden characters: "+p.ReferenceID)
		}
		seen[p.ReferenceID] = true
		for h := range p.HTTPHeaders {
			switch http.CanonicalHeaderKey(h) {
			case "Accept", "Authorization", "Content-Type":
				return fail(400, "JSON_PARSER_ERROR", "The header "+h+" is not allowed in a subrequest")
			}
		}
	}
	return nil
}

// heavy counts the subrequests of which a composite may hold five.
func heavy(parts []subrequest) int {
	n := 0
	for _, p := range parts {
		_, path := splitSite(p.URL)
		path, _, _ = strings.Cut(path, "?")
		segs := strings.Split(strings.ToLower(strings.Trim(path, "/")), "/")
		if len(segs) < 4 {
			continue
		}
		if segs[3] == "query" || segs[3] == "queryall" || segs[3] == "composite" && len(segs) > 4 && segs[4] == "sobjects" {
			n++
		}
	}
	return n
}

// results are the answers so far, by reference id; values are made generic when first asked for.
type results map[string]*result

type result struct {
	answer  answer
	generic any
	made    bool
}

func (r *result) value() any {
	if !r.made {
		r.made = true
		b, err := json.Marshal(r.answer.body)
		if err != nil || decodeJSON(b, &r.generic) != nil {
			r.generic = nil
		}
	}
	return r.generic
}

// perform runs the parts in order. With allOrNone the first failure undoes everything.
func (q *request) perform(parts []subrequest, allOrNone bool) (list []ordered, ok bool) {
	done := results{}
	mark := len(q.tx.undo)
	bad := -1
	answers := make([]answer, len(parts))
	for i, p := range parts {
		q.failed = false
		answers[i] = q.performOne(p, done)
		done[p.ReferenceID] = &result{answer: answers[i]}
		if !answers[i].ok() && answers[i].status != 304 || allOrNone && q.failed {
			bad = i
			if allOrNone {
				break
			}
		}
	}
	if bad >= 0 && allOrNone {
		q.tx.backTo(mark)
		halted := refuse(fail(400, "PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed."))
		for i := range answers {
			if i != bad {
				answers[i] = halted
			}
		}
	}
	for i, p := range parts {
		a := answers[i]
		headers := ordered{}
		if l := a.header["Location"]; l != "" {
			headers = ordered{{"Location", l}}
		}
		list = append(list, ordered{{"body", a.body}, {"httpHeaders", headers}, {"httpStatusCode", a.status}, {"referenceId", p.ReferenceID}})
	}
	return list, bad < 0
}

func (q *request) performOne(p subrequest, done results) answer {
	*q.parts = append(*q.parts, p.Method+" "+stripQuery(p.URL))
	sub, err := q.sub(p, done)
	if err != nil {
		return refuse(err)
	}
	a := sub.route()
	q.failed = q.failed || sub.failed
	return a
}

func stripQuery(u string) string {
	u, _, _ = strings.Cut(u, "?")
	return u
}

// sub builds the inner request of a part, its references replaced.
func (q *request) sub(p subrequest, done results) (*request, *apiError) {
	u, parseErr := url.Parse(p.URL)
	_, path := splitSite(p.URL)
	if parseErr != nil || !strings.HasPrefix(path, "/services/data/v") {
		return nil, fail(404, "NOT_FOUND", "The requested resource does not exist")
	}
	if p.Method != strings.ToUpper(p.Method) {
		return nil, fail(400, "METHOD_NOT_ALLOWED", "Methods are upper case: "+p.Method)
	}
	sub := &request{org: q.org, user: q.user, site: q.site, hosts: q.hosts, method: p.Method, query: url.Values{}, header: http.Header{},
		inner: true, tx: q.tx, parts: q.parts}
	if err := sub.locate(strings.TrimPrefix(stripQuery(path), "/services/data/")); err != nil {
		return nil, err
	}
	var err *apiError
	for i, s := range sub.path {
		if sub.path[i], err = done.text(s); err != nil {
			return nil, err
		}
	}
	for k, vs := range u.Query() {
		for _, v := range vs {
			if v, err = done.text(v); err != nil {
				return nil, err
			}
			sub.query.Add(k, v)
		}
	}
	for k, v := range p.HTTPHeaders {
		sub.header.Set(k, v)
	}
	body, err := done.fill(p.Body)
	if err != nil || body == nil {
		return sub, err
	}
	b, marshalErr := json.Marshal(body)
	if marshalErr != nil {
		return nil, fail(400, "JSON_PARSER_ERROR", marshalErr.Error())
	}
	sub.body = b
	return sub, nil
}

var reference = regexp.MustCompile(`@\{([A-Za-z0-9][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+|\[[0-9]+\])*)\}`)

// text replaces the references inside a string.
func (d results) text(s string) (string, *apiError) {
	if !strings.Contains(s, "@{") {
		return s, nil
	}
	var bad *apiError
	out := reference.ReplaceAllStringFunc(s, func(m string) string {
		v, err := d.lookup(m)
		if err != nil {
			bad = err
		}
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	})
	return out, bad
}

// fill replaces the references in a body; a string that is one reference takes the value's type.
func (d results) fill(v any) (any, *apiError) {
	switch v := v.(type) {
	case string:
		if m := reference.FindString(v); m != "" && m == v {
			return d.lookup(m)
		}
		return d.text(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			f, err := d.fill(e)
			if err != nil {
				return nil, err
			}
			out[k] = f
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			f, err := d.fill(e)
			if err != nil {
				return nil, err
			}
			out[i] = f
		}
		return out, nil
	}
	return v, nil
}

// lookup follows one reference into an earlier answer.
func (d results) lookup(m string) (any, *apiError) {
	g := reference.FindStringSubmatch(m)
	ref, path := g[1], g[2]
	halted := fail(400, "PROCESSING_HALTED", fmt.Sprintf("Invalid reference specified. No value for %s%s found in %s", ref, path, ref))
	r := d[ref]
	if r == nil || !r.answer.ok() {
		return nil, halted
	}
	v := r.value()
	for path != "" {
		var ok bool
		if v, path, ok = descend(v, path); !ok {
			return nil, halted
		}
	}
	return v, nil
}

// descend takes one step of ".name" or "[3]".
func descend(v any, path string) (inner any, rest string, ok bool) {
	end := strings.IndexAny(path[1:], ".[")
	if end < 0 {
		end = len(path) - 1
	}
	step, rest := path[:end+1], path[end+1:]
	if step[0] == '.' {
		m, isMap := v.(map[string]any)
		inner, ok = m[step[1:]]
		return inner, rest, isMap && ok
	}
	list, _ := v.([]any)
	n := 0
	if _, err := fmt.Sscanf(step, "[%d]", &n); err != nil || n >= len(list) {
		return nil, "", false
	}
	return list[n], rest, true
}
