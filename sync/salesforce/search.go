package salesforce

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"hawser/sync/match"
	"hawser/sync/shape"
)

const (
	opSearch = "search people"
	// mostFound is how many records of one type a search shows: nobody reads on.
	mostFound = 20
	// Bounds of what a person may search for (REST API guide, "Search with Parameters in the
	// Request Body"; a single character is refused).
	shortestSearch, longestSearch = 2, 200
)

// searchIn is an object of a search.
type searchIn struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
	Limit  int      `json:"limit"`
}

// Search implements deliver.Target. What is too short to search for finds nobody and costs nothing.
// Salesforce's search index lags behind by up to minutes.
func (c *Client) Search(ctx context.Context, text string) ([]match.Candidate, error) {
	text, _ = shape.Prefix(oneLine(clean(text)), longestSearch)
	if shape.Units(text) < shortestSearch {
		return nil, nil
	}
	sc, err := c.describe(ctx)
	if err != nil {
		return nil, err
	}
	var in []searchIn
	for _, name := range []string{contact, lead} {
		o := sc.objects[name]
		if o == nil || !o.query {
			continue
		}
		in = append(in, searchIn{Name: name, Limit: mostFound, Fields: present(o, "Id", "Name", "Email", "AccountId", "Company")})
	}
	if len(in) == 0 {
		return nil, nil
	}
	var out []match.Candidate
	r := jsonRequest(opSearch, data(sc.version, "/parameterizedSearch"), func(w *writer) {
		w.value(map[string]any{"q": text, "in": "ALL", "sobjects": in, "overallLimit": mostFound * len(in)})
	})
	r.answer = func(body io.Reader) error {
		out = nil
		dec := json.NewDecoder(body)
		return walkObject(dec, func(key string) error {
			if key != "searchRecords" {
				return skip(dec)
			}
			return walkArray(dec, func() error {
				var row personRow
				if err := dec.Decode(&row); err != nil {
					return err
				}
				if p := row.candidate(); p.ID != "" {
					out = append(out, p)
				}
				return nil
			})
		})
	}
	return out, c.do(ctx, r)
}

// candidate is a row of a search. What tells it from others is its address and its company.
func (r personRow) candidate() match.Candidate {
	id := id18(r.text("Id"))
	about := strings.TrimSuffix(strings.Join([]string{r.text("Email"), r.text("Company")}, ", "), ", ")
	return match.Candidate{Type: match.TypeOf(id), ID: id, Name: r.text("Name"), AccountID: id18(r.text("AccountId")), About: strings.TrimPrefix(about, ", ")}
}
