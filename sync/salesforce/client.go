// Package salesforce carries mails into one Salesforce org over its REST API, as the signed-in
// user and with as few calls as can be.
//
// It knows hosts, versions, describes, SOQL, the composite resources and Salesforce's error
// codes, and answers in the words of package deliver, whose Target a [Client] is. It does not
// sign anyone in (the token is handed in), repeats no write by itself and keeps nothing on
// disk. A Client is safe for concurrent use; the only goroutine it starts writes an upload, and
// the call that started it waits for it.
package salesforce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"hawser/auth/secret"
	"hawser/sync/deliver"
)

// Limits of one call. They follow Salesforce's own (200 records in a collection, 5 collections
// or queries in a composite request) and what the agent's memory allows.
const (
	collection    = 200 // records in one sObject Collections request
	maxCollection = 5   // collections or queries in one composite request

	maxRecords   = 2 * collection // each collection of e-mails is followed by one of relations
	maxBytes     = 4 << 20
	maxAddresses = 400
	maxSought    = 800
	maxFiles     = collection
	maxFileBytes = 30 << 20
)

// Config is what a [Client] needs.
type Config struct {
	// Base is the address below which /services/data answers: the site's with its path for a
	// member of an Experience Cloud site, else the org's instance address.
	Base string
	// Fallback is the other of the two, "" for none. It is used when Base turns out not to
	// serve the API before it ever has.
	Fallback  string
	NetworkID string // sfdc_community_id of the site; "" outside one
	UserID    string // the signed-in user

	// Token returns an access token other than stale (empty for "any"). Its faults are passed on.
	Token func(ctx context.Context, stale secret.String) (secret.String, error)
	HTTP  *http.Client     // default: one with time limits. Its redirect policy is replaced.
	Log   *slog.Logger     // required
	Now   func() time.Time // default time.Now; its location is the user's
	// Used is told of each call that counts against the org's allocation, and of the org's own
	// count (0 when an answer did not say). Optional.
	Used func(calls int, orgUsed, orgMax int)
}

// Client is one user's way into one org. Make it with [New].
type Client struct {
	cfg  Config
	http *http.Client

	loading chan struct{} // holds one token: whoever describes the org

	mu      sync.Mutex
	base    string // Config.Base or Config.Fallback
	settled bool   // base has answered an authenticated call
	version string // "67.0"
	schema  *schema
	dropped map[string]time.Time // "Object.Field" or "Object": refused although described
	refused time.Time            // when EmailMessage was last refused to this user
}

var _ deliver.Target = (*Client)(nil)

// New returns a client; it makes no call. An error names what is wrong with cfg.
func New(cfg Config) (*Client, error) {
	if cfg.Token == nil || cfg.Log == nil {
		return nil, errors.New("salesforce: Token and Log are required")
	}
	var err error
	if cfg.Base, err = trimBase(cfg.Base); err != nil {
		return nil, err
	}
	if cfg.Fallback != "" {
		if cfg.Fallback, err = trimBase(cfg.Fallback); err != nil {
			return nil, err
		}
	}
	for _, id := range []string{cfg.UserID, cfg.NetworkID} {
		if id != "" && !validID(id) {
			return nil, errors.New("salesforce: malformed user or network id")
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Used == nil {
		cfg.Used = func(int, int, int) {}
	}
	hc := http.Client{Transport: defaultTransport()}
	if cfg.HTTP != nil {
		hc = *cfg.HTTP
	}
	// A bearer token must not travel to wherever an answer points.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	hc.Jar = nil
	c := &Client{cfg: cfg, http: &hc, base: cfg.Base, loading: make(chan struct{}, 1), dropped: map[string]time.Time{}}
	return c, nil
}

// trimBase checks an address the token may be sent to: https, or http on this very computer.
func trimBase(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("salesforce: base address cannot be read")
	}
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && (u.Scheme != "http" || !local)) {
		return "", fmt.Errorf("salesforce: base address of host %q is not a plain https address", u.Hostname())
	}
	return strings.TrimRight(raw, "/"), nil
}

// defaultTransport bounds every wait on the network. Salesforce itself gives up on a request
// after ten minutes; a composite of 400 mails is answered within one.
func defaultTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 3 * time.Minute,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   2,
		// Shorter than the server keeps a connection, so that a write rarely meets a dead one.
		IdleConnTimeout: 30 * time.Second,
	}
}

// Limits implements deliver.Target. One Relate carries as many relations as a Create has records.
func (c *Client) Limits() deliver.Limits {
	return deliver.Limits{
		Records: maxRecords, Bytes: maxBytes, Addresses: maxAddresses,
		Sought: maxSought, Files: maxFiles, FileBytes: maxFileBytes,
	}
}

// RecordURL returns the address at which a browser shows the record, "" for a malformed id.
func (c *Client) RecordURL(id string) string {
	if !validID(id) {
		return ""
	}
	if c.cfg.NetworkID != "" {
		return c.cfg.Base + "/s/detail/" + id
	}
	return c.cfg.Base + "/" + id
}

func (c *Client) where() (base string, settled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base, c.settled
}

// data returns the path of a REST resource for the version in use.
func data(version, resource string) string {
	return "/services/data/v" + version + resource
}
