package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// Limits of what is in work at the same time. What waits longer than half a second is sent away with
// a moment to come back at, spread out, so that a hundred thousand agents which lost their server
// do not come back together again. Who is let in is answered within a second, waiting included.
const (
	maxInWork   = 256
	maxWait     = time.Second / 2
	comeBackMin = 5
	comeBackMax = 120 // seconds
)

// guard stands before the protocol: it counts, limits, and sends away what is too much.
type guard struct {
	next    http.Handler
	metrics *metrics
	proxies []netip.Prefix
	now     func() time.Time

	inWork  chan struct{}
	keys    *limiter // small keys: a device's, a code's
	tenants *limiter // the keys of servers and installers
	refused *limiter // by address
	known   familiar
	bodies  readers
}

func newGuard(next http.Handler, m *metrics, proxies []netip.Prefix, now func() time.Time) *guard {
	g := &guard{
		next: next, metrics: m, proxies: proxies, now: now, inWork: make(chan struct{}, maxInWork),
		keys:    newLimiter(deviceRate, deviceBurst, maxTracked),
		tenants: newLimiter(tenantRate, tenantBurst, maxTracked),
		refused: newLimiter(refusedRate, refusedBurst, maxTracked),
		known:   familiar{seen: map[acquaintance]time.Time{}},
		bodies:  readers{now: map[string]int{}},
	}
	m.gauge("hawserd_requests_in_work", func() float64 { return float64(len(g.inWork)) })
	return g
}

// visit is what the guard learns of a request while it is served. It is the request's context.
type visit struct {
	context.Context
	addr   string
	proven bool // the signature was right
	out    recorder
	body   countedBody
}

type visitKey struct{}

// Value implements [context.Context].
func (v *visit) Value(key any) any {
	if key == (visitKey{}) {
		return v
	}
	return v.Context.Value(key)
}

// ServeHTTP implements [http.Handler].
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := g.now()
	v := &visit{
		Context: r.Context(), addr: clientAddr(r.RemoteAddr, r.Header["X-Forwarded-For"], g.proxies),
		out: recorder{ResponseWriter: w, status: http.StatusOK},
	}
	out := &v.out
	defer func() { g.metrics.request(routeOf(r.URL.Path), out.status, g.now().Sub(start)) }()

	claimed := claimedKey(r)
	if l, name := g.bucket(claimed, v.addr); l.empty(name, start) {
		g.sendAway(out, "key", http.StatusTooManyRequests, 1)
		return
	}
	if g.refused.empty(v.addr, start) && !g.known.has(v.addr, claimed, start) {
		g.sendAway(out, "address", http.StatusTooManyRequests, 5)
		return
	}
	if !g.enter(r.Context()) {
		g.sendAway(out, "load", http.StatusServiceUnavailable, comeBackMin+rand.IntN(comeBackMax-comeBackMin))
		return
	}
	defer func() { <-g.inWork }()
	r = r.WithContext(v)
	if r.Body != nil {
		v.body = countedBody{ReadCloser: r.Body, readers: &g.bodies, key: claimed}
		defer v.body.end(http.ErrBodyReadAfterClose)
		r.Body = &v.body
	}
	g.next.ServeHTTP(out, r)
	if !v.proven && (out.status == http.StatusUnauthorized || out.status == http.StatusBadRequest) {
		g.refused.owe(v.addr, start)
		g.metrics.event("refused", strconv.Itoa(out.status))
	}
}

func (g *guard) enter(ctx context.Context) bool {
	select {
	case g.inWork <- struct{}{}:
		return true
	default:
	}
	wait := time.NewTimer(maxWait)
	defer wait.Stop()
	select {
	case g.inWork <- struct{}{}:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// sendAway answers without having looked at the signature.
func (g *guard) sendAway(w http.ResponseWriter, kind string, status, seconds int) {
	g.metrics.event("sent_away", kind)
	w.Header().Set("Date", g.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%d,"code":"too-many-requests","title":"Come back later."}`, status)
}

// bucket returns where a key is counted. Many computers share a deployment key, and any of them may
// have fallen into wrong hands, so that key is counted by address.
func (g *guard) bucket(id, addr string) (*limiter, string) {
	switch {
	case strings.HasPrefix(id, "t_"):
		return g.tenants, id
	case strings.HasPrefix(id, "p_"):
		return g.tenants, id + " " + addr
	default:
		return g.keys, id
	}
}

// claimedKey is the key id that a request names, believed by nobody: it is held only against what
// the key itself has used up.
func claimedKey(r *http.Request) string {
	inputs := r.Header["Signature-Input"]
	if len(inputs) == 0 {
		return ""
	}
	_, after, _ := strings.Cut(inputs[0], `keyid="`)
	id, _, _ := strings.Cut(after, `"`)
	if len(id) > reqsig.MaxKeyID {
		return ""
	}
	return id
}

// countedStore tells the guard of requests whose signature was right: the nonce is used next.
type countedStore struct {
	provision.Store
	guard *guard
}

// Use implements [reqsig.NonceStore].
func (s countedStore) Use(ctx context.Context, key reqsig.KeyRef, nonce string, expires time.Time) (bool, error) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		now := s.guard.now()
		v.proven = true
		l, name := s.guard.bucket(key.ID, v.addr)
		l.take(name, now)
		s.guard.known.add(v.addr, key.ID, now)
	}
	first, err := s.Store.Use(ctx, key, nonce, expires)
	if err == nil && !first {
		s.guard.metrics.event("replayed", "nonce")
	}
	return first, err
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// routes are the routes that metrics tell apart.
var routes = []string{
	"/v1/checkin", "/v1/users", "/v1/users/{id}", "/v1/users/{id}/suspend", "/v1/users/{id}/resume", "/v1/users/{id}/deprovision",
	"/v1/users/{id}/code", "/v1/counts", "/v1/policy", "/v1/register", "/v1/setup", "/v1/wiped", "/v1/leave", "/v1/openapi.json",
}

// routeOf names a path's route with words of ours, so that nobody fills the metrics with names.
func routeOf(path string) string {
	if user, ok := strings.CutPrefix(path, "/v1/users/"); ok {
		_, what, more := strings.Cut(user, "/")
		path = "/v1/users/{id}"
		if more {
			path += "/" + what
		}
	}
	if i := slices.Index(routes, path); i >= 0 {
		return routes[i]
	}
	return "other"
}
