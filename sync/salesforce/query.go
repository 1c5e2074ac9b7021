package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"hawser/sync/fault"
)

const (
	opFind = "look up records"
	// maxPages bounds how far a query's further rows are followed, 2,000 or fewer at a time.
	maxPages = 50
)

// run performs up to five queries in one call, and follows those with more rows than one answer holds.
func (c *Client) run(ctx context.Context, sc *schema, queries []query) error {
	var (
		subs    []sub
		refs    []string
		readers []reader
		parts   []part
	)
	for i, q := range queries {
		refs = append(refs, "q"+strconv.Itoa(i))
		subs = append(subs, sub{ref: refs[i], path: queryPath(sc.version, q.soql)})
		readers = append(readers, rows(q.row))
	}
	r := compositeRequest(opFind, sc.version, subs)
	r.answer = func(body io.Reader) (err error) {
		parts, err = composite(body, refs, readers)
		return err
	}
	if err := c.do(ctx, r); err != nil {
		return err
	}
	for i, p := range parts {
		if err := c.queryFault(sc, queries[i], p); err != nil {
			return err
		}
		if head := queries[i].head; head != nil {
			*head = *head || !p.done
			continue
		}
		if err := c.follow(ctx, sc, queries[i], p); err != nil {
			return err
		}
	}
	return nil
}

// queryFault returns why a query was refused. Where the describe in use was wrong, the next
// attempt asks differently, so that fault is one that passes.
func (c *Client) queryFault(sc *schema, q query, p part) error {
	if p.ok() && len(p.errs) == 0 {
		return nil
	}
	f := p.fault(opFind, subject{})
	if len(p.errs) == 0 {
		return f
	}
	e := p.errs[0]
	// Not the object itself, but what hangs on it.
	relationship := q.hanging && e.code() == "INVALID_TYPE" && !strings.Contains(e.Message.V, "'"+q.object+"'")
	if !relationship && c.learn(sc, q.object, e) || q.hanging && p.status < http.StatusInternalServerError && c.plain(sc) {
		f.Code = fault.ServerError
	}
	return f
}

// plain takes note that the org refuses to tell what hangs on contacts.
func (c *Client) plain(sc *schema) bool {
	if sc.plain {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped[hanging] = c.cfg.Now()
	if c.schema == sc {
		next := *sc
		next.plain = true
		c.schema = &next
	}
	return true
}

var locatorShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// follow reads the further rows of a query, a call each. Of nextRecordsUrl only the last segment
// is used: whether it carries a site's path is not settled, and where calls go is not for an
// answer to decide.
func (c *Client) follow(ctx context.Context, sc *schema, q query, p part) error {
	for page := 1; !p.done; page++ {
		locator := p.more[strings.LastIndexByte(p.more, '/')+1:]
		if !locatorShape.MatchString(locator) {
			return fault.New(fault.ServerError, opFind, errShape)
		}
		if page == maxPages {
			if q.some {
				c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "query has too many rows, the oldest are left out", slog.String("object", q.object))
				return nil
			}
			return fault.New(fault.SalesforceRefused, opFind, errors.New("query has too many rows"))
		}
		p = part{status: http.StatusOK}
		err := c.do(ctx, request{
			op: opFind, method: http.MethodGet, path: data(sc.version, "/query/"+locator),
			answer: func(body io.Reader) error { return rows(q.row)(json.NewDecoder(body), &p) },
		})
		if err != nil {
			return err
		}
		if err := c.queryFault(sc, q, p); err != nil {
			return err
		}
	}
	return nil
}
