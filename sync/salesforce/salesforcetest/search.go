package salesforcetest

import (
	"fmt"
	"strconv"
	"strings"
)

// target is one object of a search.
type target struct {
	name   string
	fields []string
	limit  int
}

// sosl answers FIND {text} [IN group FIELDS] RETURNING Object(Field, ...), ... [LIMIT n].
func (q *request) sosl() answer {
	if q.method != "GET" && q.method != "HEAD" {
		return notAllowed(q.method, "GET", "HEAD")
	}
	text, group, targets, limit, err := parseSOSL(q.query.Get("q"))
	if err != nil {
		return refuse(err)
	}
	return q.seek(text, group, targets, limit)
}

func badSearch(format string, args ...any) *apiError {
	return fail(400, "MALFORMED_SEARCH", fmt.Sprintf(format, args...))
}

func parseSOSL(s string) (text, group string, targets []target, limit int, err *apiError) {
	limit = 2000
	open, end := strings.IndexByte(s, '{'), -1
	if open >= 0 {
		end = closing(s, open)
	}
	if len(s) > maxStatement || end < 0 || !strings.EqualFold(strings.TrimSpace(s[:open]), "FIND") {
		return "", "", nil, 0, badSearch("No FIND {text} in the search")
	}
	text = strings.NewReplacer(`\\`, `\`, `\`, "").Replace(s[open+1 : end])
	if len(strings.Trim(text, "*? ")) < 2 {
		return "", "", nil, 0, badSearch("search term must be longer than one character: %s", text)
	}
	group = "ALL"
	rest := strings.TrimSpace(s[end+1:])
	if words := strings.Fields(rest); len(words) > 2 && strings.EqualFold(words[0], "IN") && strings.EqualFold(words[2], "FIELDS") {
		group = strings.ToUpper(words[1])
		rest = strings.TrimSpace(rest[strings.Index(upper(rest), "FIELDS")+len("FIELDS"):])
	}
	if len(rest) < 9 || !strings.EqualFold(rest[:9], "RETURNING") {
		return "", "", nil, 0, badSearch("No RETURNING in the search")
	}
	rest = rest[9:]
	if i := strings.LastIndex(upper(rest), " LIMIT "); i > strings.LastIndexByte(rest, ')') {
		n, convErr := strconv.Atoi(strings.TrimSpace(rest[i+7:]))
		if convErr != nil {
			return "", "", nil, 0, badSearch("LIMIT is no number")
		}
		limit, rest = min(n, limit), rest[:i]
	}
	targets, err = parseTargets(rest)
	return text, group, targets, limit, err
}

// upper is ToUpper that keeps every byte in its place.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

func closing(s string, open int) int {
	for i := open + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '}':
			return i
		}
	}
	return -1
}

func parseTargets(s string) ([]target, *apiError) {
	var out []target
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), ",")) {
		end := strings.IndexAny(s, "(,")
		if end < 0 {
			end = len(s)
		}
		t := target{name: strings.TrimSpace(s[:end]), limit: 250}
		s = s[end:]
		if strings.HasPrefix(s, "(") {
			end := strings.IndexByte(s, ')')
			if end < 0 {
				return nil, badSearch("missing ) in RETURNING")
			}
			for _, f := range strings.Split(s[1:end], ",") {
				t.fields = append(t.fields, strings.TrimSpace(f))
			}
			s = s[end+1:]
		}
		if t.name == "" {
			return nil, badSearch("missing object in RETURNING")
		}
		out = append(out, t)
	}
	return out, nil
}

// parameterized answers /parameterizedSearch, by query string or by JSON.
func (q *request) parameterized() answer {
	var in struct {
		Q            string   `json:"q"`
		In           string   `json:"in"`
		Fields       []string `json:"fields"`
		OverallLimit int      `json:"overallLimit"`
		DefaultLimit int      `json:"defaultLimit"`
		SObjects     []struct {
			Name   string   `json:"name"`
			Fields []string `json:"fields"`
			Limit  int      `json:"limit"`
		} `json:"sobjects"`
	}
	var targets []target
	switch q.method {
	case "GET":
		in.Q, in.In = q.query.Get("q"), q.query.Get("in")
		for _, name := range q.query["sobject"] {
			targets = append(targets, target{name: name, limit: 2000, fields: splitList(q.query.Get(name + ".fields"))})
		}
	case "POST":
		if err := q.decode(&in); err != nil {
			return refuse(err)
		}
		for _, s := range in.SObjects {
			t := target{name: s.Name, fields: s.Fields, limit: s.Limit}
			if t.fields == nil {
				t.fields = in.Fields
			}
			if t.limit == 0 {
				t.limit = max(in.DefaultLimit, 0)
			}
			targets = append(targets, t)
		}
	default:
		return notAllowed(q.method, "GET", "HEAD", "POST")
	}
	if len(in.Q) < 2 {
		return refuse(fail(400, "MISSING_ARGUMENT", "q is missing or too short"))
	}
	return q.seek(in.Q, strings.ToUpper(in.In), targets, in.OverallLimit)
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// seek looks for text in the fields of a group; limits of 0 mean 2,000.
func (q *request) seek(text, group string, targets []target, limit int) answer {
	found := []ordered{}
	text = strings.ToLower(strings.Trim(text, "*?\" "))
	if limit <= 0 {
		limit = 2000
	}
	for _, g := range targets {
		t := q.table(g.name)
		if t == nil || !t.obj.may('s') {
			return refuse(fail(400, "INVALID_TYPE", fmt.Sprintf("sObject type '%s' is not supported.", g.name)))
		}
		if len(g.fields) == 0 {
			g.fields = []string{"Id"}
		}
		n := 0
		for _, r := range t.rows {
			if len(found) == limit || g.limit > 0 && n == g.limit {
				break
			}
			if r.deleted || !q.org.visible(q.user.ID, r) || !q.mentions(r, text, group) {
				continue
			}
			row, err := q.rowBody(r, g.fields)
			if err != nil {
				return refuse(err)
			}
			found, n = append(found, row), n+1
		}
	}
	return answer{status: 200, body: ordered{{"searchRecords", found}}}
}

func (q *request) mentions(r *record, text, group string) bool {
	for _, f := range r.obj.fields {
		s, ok := r.fields[f.name].(string)
		if !ok || !q.org.sees(r.obj, f) || f.typ == "reference" {
			continue
		}
		if group == "EMAIL" && f.typ != "email" || group == "NAME" && !strings.HasSuffix(f.name, "Name") || group == "PHONE" && f.typ != "phone" {
			continue
		}
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}
