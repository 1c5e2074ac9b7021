package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hawser/sync/deliver"
	"hawser/sync/fault"
)

// Versions this package was tested with; an org may offer older and newer ones.
const (
	oldestVersion = 50
	newestVersion = 67
)

// Identity is the account behind the token, by its immutable ids (18 characters).
type Identity struct {
	OrgID    string
	UserID   string
	Username string
}

// WhoAmI asks Salesforce who the token belongs to, for the check against the bound account. One
// call to the sign-in service, which does not count against the org's allocation unless its
// answer says so.
func (c *Client) WhoAmI(ctx context.Context) (Identity, error) {
	var id Identity
	err := c.probe(ctx, request{
		op: "ask who signed in", method: http.MethodGet, path: "/services/oauth2/userinfo",
		answer: func(body io.Reader) error {
			var info struct {
				Org  string `json:"organization_id"`
				User string `json:"user_id"`
				Name string `json:"preferred_username"`
			}
			if err := json.NewDecoder(body).Decode(&info); err != nil {
				return err
			}
			id = Identity{OrgID: id18(info.Org), UserID: id18(info.User), Username: clean(info.Name)}
			if id.OrgID == "" || id.UserID == "" {
				return errShape
			}
			return nil
		},
	})
	return id, err
}

// Version returns the API version in use, such as "67.0": the newest the org offers among those
// tested. The first use asks the org, which is not counted.
func (c *Client) Version(ctx context.Context) (string, error) {
	c.mu.Lock()
	known := c.version
	c.mu.Unlock()
	if known != "" {
		return known, nil
	}
	const op = "list API versions"
	best := 0
	err := c.probe(ctx, request{
		op: op, method: http.MethodGet, path: "/services/data", anonymous: true,
		answer: func(body io.Reader) error {
			var list []struct {
				Version string `json:"version"`
			}
			if err := json.NewDecoder(body).Decode(&list); err != nil {
				return err
			}
			for _, v := range list {
				n, err := strconv.Atoi(strings.TrimSuffix(v.Version, ".0"))
				if err == nil && n >= oldestVersion && n <= newestVersion {
					best = max(best, n)
				}
			}
			return nil
		},
	})
	if err != nil {
		return "", err
	}
	if best == 0 {
		return "", fault.New(fault.SalesforceRefused, op, errors.New("no supported version is offered"))
	}
	version := strconv.Itoa(best) + ".0"
	c.mu.Lock()
	c.version = version
	c.mu.Unlock()
	return version, nil
}

// probe performs r and, as long as no address has proved itself, tries the other one where this
// one does not serve the API at all. Salesforce's pages disagree about whether a site member's
// calls go to the site or to the instance, so either may be the one that works.
func (c *Client) probe(ctx context.Context, r request) error {
	before, settled := c.where()
	err := c.do(ctx, r)
	if err == nil {
		if !r.anonymous {
			c.settle(before)
		}
		return nil
	}
	if settled || c.cfg.Fallback == "" || !elsewhere(err) {
		return err
	}
	other := c.cfg.Fallback
	if before == other {
		other = c.cfg.Base
	}
	c.mu.Lock()
	c.base = other
	c.mu.Unlock()
	if again := c.do(ctx, r); again != nil {
		c.mu.Lock()
		c.base = before
		c.mu.Unlock()
		return err
	}
	c.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "salesforce answers at its other address")
	if !r.anonymous {
		c.settle(other)
	}
	return nil
}

func (c *Client) settle(base string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == base {
		c.settled = true
	}
}

// elsewhere reports whether err says that this address does not serve the API.
func elsewhere(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) || fault.Is(err, fault.CertificateWrong) ||
		errors.Is(err, errNoSuchPage) || errors.Is(err, errNotForREST)
}

// Capabilities implements deliver.Target: describes the org at most once a day.
func (c *Client) Capabilities(ctx context.Context) (deliver.Capabilities, error) {
	sc, err := c.describe(ctx)
	if err != nil {
		return deliver.Capabilities{}, err
	}
	return sc.capabilities(c.emailRefused()), nil
}

// Forget makes the next use ask the org anew what the user may do, such as after a person says
// that an administrator has changed it.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schema, c.refused = nil, time.Time{}
	clear(c.dropped)
}

func (c *Client) emailRefused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.refused.IsZero() && c.cfg.Now().Sub(c.refused) < remembered
}

// noteEmailRefused remembers for a day that an e-mail was refused to this user whatever the
// describe says: external users meet that, since saving one also makes a task.
func (c *Client) noteEmailRefused(ctx context.Context) {
	c.mu.Lock()
	first := c.refused.IsZero() || c.cfg.Now().Sub(c.refused) >= remembered
	c.refused = c.cfg.Now()
	c.mu.Unlock()
	if first {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "salesforce refuses e-mail records to this user")
	}
}

// describe returns what the user sees of the org, from memory or by one call.
func (c *Client) describe(ctx context.Context) (*schema, error) {
	select {
	case c.loading <- struct{}{}:
		defer func() { <-c.loading }()
	case <-ctx.Done():
		return nil, networkFault("describe the org", ctx.Err(), false)
	}
	c.mu.Lock()
	sc := c.schema
	c.mu.Unlock()
	if sc != nil && c.cfg.Now().Sub(sc.at) < remembered {
		return sc, nil
	}
	version, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	if sc, err = c.fetchSchema(ctx, version); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, at := range c.dropped {
		if c.cfg.Now().Sub(at) >= remembered {
			delete(c.dropped, name)
		}
	}
	sc.at, sc.version = c.cfg.Now(), version
	c.schema = sc.without(c.dropped)
	return c.schema, nil
}

func (c *Client) fetchSchema(ctx context.Context, version string) (*schema, error) {
	const op = "describe the org"
	subs := make([]sub, 0, len(described)+1)
	refs := make([]string, 0, len(described)+1)
	for _, name := range described {
		subs = append(subs, sub{ref: name, path: data(version, "/sobjects/"+name+"/describe")})
		refs = append(refs, name)
	}
	subs = append(subs, sub{ref: "TaskStatus", path: queryPath(version, "SELECT ApiName FROM TaskStatus WHERE IsClosed = true")})
	refs = append(refs, "TaskStatus")

	r := compositeRequest(op, version, subs)
	var (
		sc    *schema
		parts []part
	)
	r.answer = func(body io.Reader) (err error) {
		sc, parts, err = decodeSchema(body, refs)
		return err
	}
	if err := c.probe(ctx, r); err != nil {
		return nil, err
	}
	for i, p := range parts[:len(described)] {
		if p.ok() {
			continue
		}
		f := p.fault(op, subject{})
		// An object the user has no access to is answered "not found" or, by some orgs,
		// "insufficient access"; anything else is trouble that passes.
		if f.Code != fault.PermissionMissing {
			return nil, f
		}
		delete(sc.objects, described[i])
	}
	return sc, nil
}

// learn takes note of a refusal that contradicts the describe in use, and reports whether the
// same write, planned anew, will differ.
func (c *Client) learn(sc *schema, objectName string, e apiError) bool {
	o := sc.objects[objectName]
	if o == nil {
		return false
	}
	var gone []string
	switch e.code() {
	case "INVALID_TYPE", "NOT_FOUND":
		gone = []string{objectName}
	case "INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE":
		for _, n := range e.names() {
			if _, used := o.fields[n]; used {
				gone = append(gone, objectName+"."+n)
			}
		}
	}
	if len(gone) == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range gone {
		c.dropped[name] = c.cfg.Now()
	}
	if c.schema == sc {
		c.schema = nil
	}
	return true
}

// fault turns the failure of a subrequest into a fault.
func (p part) fault(op string, s subject) *fault.Error {
	if len(p.errs) == 0 {
		return fault.New(fault.ServerError, op, errors.New("subrequest refused without a reason"))
	}
	f := p.errs[0].fault(op, s)
	if p.status >= 500 && f.Code == fault.SalesforceRefused {
		f.Code = fault.ServerError
	}
	return f
}
