package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"hawser/app/server/admin"
	"hawser/auth/provision"
)

// Limits of the admin page. An admin is counted by what their sealed session says, and strangers by
// address: whoever misbehaves behind a company's address does not keep its admins out.
const (
	strangerRate, strangerBurst = 1, 60
	adminRate, adminBurst       = 5, 100
)

// maxPages bounds the page's requests in work. It has a room of its own: a sign-in waits for
// Salesforce, and computers that check in do not wait with it.
const maxPages = 32

// pageGuard stands before the admin page as guard does before the protocol.
type pageGuard struct {
	page      *admin.Page
	guard     *guard
	inWork    chan struct{}
	strangers *limiter // by address
	admins    *limiter // by tenant and user
}

func newPageGuard(store provision.Store, vault *provision.Vault, g *guard, cfg admin.Config) (*pageGuard, error) {
	p := &pageGuard{
		guard: g, inWork: make(chan struct{}, maxPages), strangers: newLimiter(strangerRate, strangerBurst, maxTracked), admins: newLimiter(adminRate, adminBurst, maxTracked),
	}
	cfg.Store, cfg.Vault, cfg.Now, cfg.Allow = store, vault, g.now, p.allow
	var err error
	p.page, err = admin.New(cfg)
	return p, err
}

func (p *pageGuard) allow(r *http.Request, who string) bool {
	now := p.guard.now()
	if who != "" {
		return p.admins.take(who, now) == 0
	}
	ok := p.strangers.take(clientAddr(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), p.guard.proxies), now) == 0
	if !ok {
		p.guard.metrics.event("sent_away", "page")
	}
	return ok
}

// ServeHTTP implements [http.Handler].
func (p *pageGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := p.guard.now()
	out := &recorder{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		_, route, _ := strings.Cut(r.Pattern, " ") // the page's own words: its routes set it
		p.guard.metrics.request(route, out.status, p.guard.now().Sub(start))
	}()
	if !p.enter(r.Context()) {
		p.guard.metrics.event("sent_away", "load")
		out.Header().Set("Retry-After", "30")
		answer(out, http.StatusServiceUnavailable, "This server is busy. Nothing has changed. Wait half a minute, then load the page again.")
		return
	}
	defer func() { <-p.inWork }()
	p.page.ServeHTTP(out, r)
}

func (p *pageGuard) enter(ctx context.Context) bool {
	wait := time.NewTimer(maxWait)
	defer wait.Stop()
	select {
	case p.inWork <- struct{}{}:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// base is where browsers find the server: by TLS, which it or a proxy does, except on this machine.
func (o serveOptions) base() string {
	host, _, err := net.SplitHostPort(o.authority)
	if err != nil {
		host = o.authority
	}
	local := host == "localhost" || net.ParseIP(host).IsLoopback()
	if o.certFile == "" && len(o.proxies) == 0 && local {
		return "http://" + o.authority
	}
	return "https://" + o.authority
}
