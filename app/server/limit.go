package server

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits. A key is counted only after its signature was found right, so nobody can use up the
// allowance of somebody else's key. An address is counted only for refused requests, and a key
// that was right from an address before is let in even when that address misbehaves: a stranger
// behind the same NAT does not lock a company out.
const (
	deviceRate, deviceBurst   = 2, 30 // an agent calls a few times an hour
	tenantRate, tenantBurst   = 200, 2000
	refusedRate, refusedBurst = 1, 60 // per address
	maxTracked                = 100_000
	forgetAfter               = time.Hour
)

// limiter holds token buckets by name. When too many names are tracked, those that have not been
// used for longest are forgotten, which is in their favour.
type limiter struct {
	rate  rate.Limit
	burst int
	most  int

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	*rate.Limiter
	used time.Time
}

func newLimiter(r rate.Limit, burst, most int) *limiter {
	return &limiter{rate: r, burst: burst, most: most, buckets: map[string]*bucket{}}
}

// take uses one token of name. When there is none it returns how long until there is.
func (l *limiter) take(name string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, now := l.bucketLocked(name, now)
	if b.AllowN(now, 1) {
		return 0
	}
	return time.Duration(float64(time.Second) * (1 - b.TokensAt(now)) / float64(l.rate))
}

// owe uses one token of name whether or not there is one, for what was done already: of requests at
// the same time each finds the last token in its place.
func (l *limiter) owe(name string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, now := l.bucketLocked(name, now)
	b.ReserveN(now, 1)
}

// bucketLocked returns a bucket and the moment to ask it about. Requests at the same time come with
// moments of their own, and a bucket would fill again for each look back in time.
func (l *limiter) bucketLocked(name string, now time.Time) (*bucket, time.Time) {
	b := l.buckets[name]
	if b == nil {
		l.sweep(now)
		b = &bucket{Limiter: rate.NewLimiter(l.rate, l.burst)}
		l.buckets[name] = b
	}
	if now.Before(b.used) {
		now = b.used
	}
	b.used = now
	return b, now
}

// empty reports whether name has no token left, without using one.
func (l *limiter) empty(name string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[name]
	if b != nil && now.Before(b.used) {
		now = b.used
	}
	return b != nil && b.TokensAt(now) < 1
}

// sweep forgets what has not been used for as long as it takes to fill up again, and then, if
// need be, everything: a full table costs memory, an emptied one only gives somebody a new burst.
func (l *limiter) sweep(now time.Time) {
	if len(l.buckets) < l.most && now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	full := time.Duration(float64(l.burst)/float64(l.rate)) * time.Second
	for name, b := range l.buckets {
		if now.Sub(b.used) > full {
			delete(l.buckets, name)
		}
	}
	if len(l.buckets) >= l.most {
		clear(l.buckets)
	}
}

// familiar remembers which key was right from which address.
type familiar struct {
	mu   sync.Mutex
	seen map[acquaintance]time.Time
}

type acquaintance struct{ addr, key string }

func (f *familiar) add(addr, key string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen) >= maxTracked {
		clear(f.seen)
	}
	f.seen[acquaintance{addr, key}] = now
}

func (f *familiar) has(addr, key string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := f.seen[acquaintance{addr, key}]
	return ok && now.Sub(at) < forgetAfter
}

// clientAddr is the address that limits count. Behind proxies it is the last one in
// X-Forwarded-For that is not a proxy's; from anybody else that header is ignored. IPv6 counts by
// /64, which is what one customer gets.
func clientAddr(peer string, forwarded []string, proxies []netip.Prefix) string {
	ap, err := netip.ParseAddrPort(peer)
	if err != nil {
		return "unknown"
	}
	addr := ap.Addr().Unmap()
	var hops []string
	if within(addr, proxies) {
		hops = strings.Split(strings.Join(forwarded, ","), ",")
	}
	for i := len(hops) - 1; i >= 0 && within(addr, proxies); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
