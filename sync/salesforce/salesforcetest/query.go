package salesforcetest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// locator is a query that has further pages.
type locator struct {
	rows  []ordered
	user  string
	batch int
	used  time.Time
}

const locatorLife = 15 * time.Minute

// soql answers /query and /queryAll: a statement, or a further page.
func (q *request) soql(all bool) answer {
	if q.method != "GET" && q.method != "HEAD" {
		return notAllowed(q.method, "GET", "HEAD")
	}
	if len(q.path) == 2 {
		return q.page(q.path[1])
	}
	if len(q.path) > 2 {
		return missing()
	}
	text := q.query.Get("q")
	if text == "" {
		return refuse(fail(400, "MALFORMED_QUERY", "SOQL statement cannot be empty"))
	}
	st, bad := parseSOQL(text)
	if bad != nil {
		return refuse(bad.api(text))
	}
	st.all = st.all || all
	t := q.table(st.from.text)
	if t == nil {
		return refuse(noType(st.from).api(text))
	}
	x := &run{q: q, t: t, st: st, now: q.org.now()}
	a, bad := x.execute()
	if bad != nil {
		return refuse(bad.api(text))
	}
	return a
}

func noType(name token) *soqlError {
	return &soqlError{code: "INVALID_TYPE", pos: name.pos, text: fmt.Sprintf("sObject type '%s' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.", name.text)}
}

func (x *run) execute() (answer, *soqlError) {
	if err := x.restricted(); err != nil {
		return answer{}, err
	}
	s, err := x.shape()
	if err != nil {
		return answer{}, err
	}
	if err := x.join(); err != nil {
		return answer{}, err
	}
	rows, err := x.rows(nil, false)
	if err != nil {
		return answer{}, err
	}
	if x.st.count {
		return answer{status: 200, body: ordered{{"totalSize", len(rows)}, {"done", true}, {"records", []any{}}}}, nil
	}
	if a, ok, err := x.aggregate(s, rows); ok || err != nil {
		return a, err
	}
	list := make([]ordered, len(rows))
	for i, r := range rows {
		if list[i], err = x.show(r, s); err != nil {
			return answer{}, err
		}
	}
	l := &locator{rows: list, user: x.q.user.ID, batch: x.q.batchSize(), used: x.now}
	return answer{status: 200, body: x.q.pageBody(l, "", 0)}, nil
}

// aggregate answers SELECT COUNT(field), without GROUP BY.
func (x *run) aggregate(s *shape, rows []*record) (answer, bool, *soqlError) {
	out := ordered{{"attributes", ordered{{"type", "AggregateResult"}}}}
	for i, it := range s.items {
		if !it.count {
			continue
		}
		n := 0
		for _, r := range rows {
			if x.value(r, s.cols[i]) != nil {
				n++
			}
		}
		out = append(out, kv{"expr" + strconv.Itoa(len(out)-1), n})
	}
	if len(out) == 1 {
		return answer{}, false, nil
	}
	if len(out) != len(s.items)+1 {
		return answer{}, false, malformed(x.st.from.pos, "Field must be grouped or aggregated")
	}
	return answer{status: 200, body: ordered{{"totalSize", 1}, {"done", true}, {"records", []ordered{out}}}}, true, nil
}

var batchSize = regexp.MustCompile(`(?i)batchSize\s*=\s*(\d+)`)

func (q *request) batchSize() int {
	m := batchSize.FindStringSubmatch(q.header.Get("Sforce-Query-Options"))
	if m == nil {
		return 2000
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 2000
	}
	return min(max(n, 200), 2000)
}

// pageBody is one page of a query; id is the locator's once it has one.
func (q *request) pageBody(l *locator, id string, offset int) ordered {
	end := min(offset+l.batch, len(l.rows))
	m := ordered{{"totalSize", len(l.rows)}, {"done", end == len(l.rows)}}
	if end < len(l.rows) {
		if id == "" {
			q.org.data.seq++
			id = makeID("01g", q.org.data.seq)
			q.org.use.locators[id] = l
		}
		m = append(m, kv{"nextRecordsUrl", fmt.Sprintf("%s/query/%s-%d", q.base(), id, end)})
	} else if id != "" {
		delete(q.org.use.locators, id)
	}
	return append(m, kv{"records", append([]ordered{}, l.rows[offset:end]...)})
}

func (q *request) page(name string) answer {
	invalid := refuse(fail(400, "INVALID_QUERY_LOCATOR", "invalid query locator"))
	id, num, ok := strings.Cut(name, "-")
	offset, err := strconv.Atoi(num)
	if !ok || err != nil {
		return invalid
	}
	l := q.org.use.locators[id]
	if l == nil && validID(id) {
		l = q.org.use.locators[id18(key15(id))]
	}
	now := q.org.now()
	if l == nil || l.user != q.user.ID || now.Sub(l.used) > locatorLife || offset < 0 || offset > len(l.rows) {
		return invalid
	}
	l.used = now
	return answer{status: 200, body: q.pageBody(l, id18(key15(id)), offset)}
}
