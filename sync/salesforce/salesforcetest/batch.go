package salesforcetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// batch answers /composite/batch: independent parts, each counted as a call.
func (q *request) batch() answer {
	var in struct {
		HaltOnError bool `json:"haltOnError"`
		Parts       []struct {
			Method    string `json:"method"`
			URL       string `json:"url"`
			RichInput any    `json:"richInput"`
		} `json:"batchRequests"`
	}
	if err := q.decode(&in); err != nil {
		q.org.countLocked(1)
		return refuse(err)
	}
	if len(in.Parts) == 0 || len(in.Parts) > 25 {
		q.org.countLocked(1)
		return refuse(fail(400, "LIMIT_EXCEEDED", "1 to 25 subrequests are needed"))
	}
	q.org.countLocked(len(in.Parts))
	list := []ordered{}
	failed := false
	for _, p := range in.Parts {
		if failed && in.HaltOnError {
			list = append(list, ordered{{"statusCode", 412}, {"result", errorList(fail(412, "BATCH_PROCESSING_HALTED", "Batch processing halted per request"))}})
			continue
		}
		a := q.batchPart(p.Method, p.URL, p.RichInput)
		failed = failed || !a.ok()
		list = append(list, ordered{{"statusCode", a.status}, {"result", a.body}})
	}
	return answer{status: 200, body: ordered{{"hasErrors", failed}, {"results", list}}}
}

func (q *request) batchPart(method, address string, body any) answer {
	*q.parts = append(*q.parts, method+" "+stripQuery(address))
	u, err := url.Parse(address)
	if err != nil {
		return missing()
	}
	_, path := splitSite("/" + strings.TrimLeft(address, "/"))
	path = strings.TrimPrefix(strings.TrimLeft(stripQuery(path), "/"), "services/data/")
	sub := &request{org: q.org, user: q.user, site: q.site, hosts: q.hosts, method: method, query: u.Query(), header: http.Header{},
		inner: true, tx: &tx{}, parts: q.parts}
	if err := sub.locate(path); err != nil {
		return refuse(err)
	}
	if len(sub.path) > 0 && strings.EqualFold(sub.path[0], "composite") {
		return refuse(fail(400, "INVALID_REQUEST", "A batch cannot hold a composite"))
	}
	if body != nil {
		if sub.body, err = json.Marshal(body); err != nil {
			return refuse(fail(400, "JSON_PARSER_ERROR", err.Error()))
		}
	}
	return sub.route()
}

// graph answers /composite/graph: up to 75 composites, each atomic.
func (q *request) graph() answer {
	var in struct {
		Graphs []struct {
			GraphID string       `json:"graphId"`
			Parts   []subrequest `json:"compositeRequest"`
		} `json:"graphs"`
	}
	if err := q.decode(&in); err != nil {
		return refuse(err)
	}
	nodes := 0
	for _, g := range in.Graphs {
		nodes += len(g.Parts)
		if err := checkParts(g.Parts); err != nil {
			return refuse(err)
		}
	}
	if len(in.Graphs) == 0 || len(in.Graphs) > 75 || nodes > 500 {
		return refuse(fail(400, "LIMIT_EXCEEDED", "1 to 75 graphs with at most 500 nodes are needed"))
	}
	out := []ordered{}
	for _, g := range in.Graphs {
		list, ok := q.perform(g.Parts, true)
		out = append(out, ordered{{"graphId", g.GraphID}, {"graphResponse", ordered{{"compositeResponse", list}}}, {"isSuccessful", ok}})
	}
	return answer{status: 200, body: ordered{{"graphs", out}}}
}

// tree answers /composite/tree/X: records with their children, all or none.
func (q *request) tree(name string) answer {
	t := q.table(name)
	if t == nil {
		return missing()
	}
	var in struct {
		Records []map[string]any `json:"records"`
	}
	if err := q.decode(&in); err != nil {
		return refuse(err)
	}
	g := &grower{q: q}
	for _, r := range in.Records {
		g.plant(t, r, nil, "")
	}
	switch {
	case g.n == 0 || g.n > maxRecords:
		q.tx.back()
		return refuse(fail(400, "EXCEEDED_ID_LIMIT", "1 to 200 records are needed"))
	case len(g.bad) > 0:
		q.tx.back()
		return answer{status: 400, body: ordered{{"hasErrors", true}, {"results", g.bad}}}
	}
	return answer{status: 201, body: ordered{{"hasErrors", false}, {"results", g.good}}}
}

// grower inserts a tree of records, parents first.
type grower struct {
	q         *request
	n, depth  int
	good, bad []ordered
}

func (g *grower) plant(t *table, in map[string]any, link *field, parent string) {
	if g.n++; g.n > maxRecords {
		return
	}
	ref, _ := attribute(in, "referenceId")
	own, nested := map[string]any{}, map[string]map[string]any{}
	for k, v := range in {
		if m, ok := v.(map[string]any); ok && k != "attributes" {
			nested[k] = m
		} else {
			own[k] = v
		}
	}
	if link != nil {
		own[link.name] = parent
	}
	id, err := g.q.writer().insert(t, own, nil)
	if err == nil && g.depth == 5 && len(nested) > 0 {
		err = fail(400, "LIMIT_EXCEEDED", "A tree has at most 5 levels")
	}
	if err != nil {
		r := failedResult(err)
		errs, _ := r.get("errors")
		g.bad = append(g.bad, ordered{{"referenceId", ref}, {"errors", errs}})
		return
	}
	g.good = append(g.good, ordered{{"referenceId", ref}, {"id", id}})
	g.depth++
	for k, m := range nested {
		g.children(t, k, m, id)
	}
	g.depth--
}

func (g *grower) children(t *table, name string, m map[string]any, parent string) {
	x := &run{q: g.q, t: t}
	sub, link, err := x.childRun(&statement{from: token{text: name}})
	if err != nil {
		g.bad = append(g.bad, ordered{{"referenceId", name}, {"errors", []ordered{{{"statusCode", err.code}, {"message", err.text}, {"fields", []string{}}}}}})
		return
	}
	list, _ := m["records"].([]any)
	for _, e := range list {
		if r, ok := e.(map[string]any); ok {
			g.plant(sub.t, r, link, parent)
		}
	}
}
