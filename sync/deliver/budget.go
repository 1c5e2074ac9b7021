package deliver

import (
	"sync"
	"time"
)

// Allowance is how many Salesforce calls one day may cost.
type Allowance struct {
	Normal   int // for mail that just arrived
	Backfill int // on top, for backlog
	Reserve  int // of both together, what backlog has to leave for mail that just arrived
}

// UsualAllowance fits a site licence that brings 200 calls per user and day, with room for the
// person's other programs.
var UsualAllowance = Allowance{Normal: 100, Backfill: 60, Reserve: 40}

// Usage is what a day has cost so far. It is a plain value, to be stored and handed back to
// [NewBudget].
type Usage struct {
	Day  string // UTC, "2026-11-25"
	Used int
}

const (
	// orgShare is the part of the whole org's calls above which only mail that just arrived is
	// carried: others need the rest.
	orgShare = 0.9
	// orgAge is how long Salesforce's word on the org's usage counts; the window it reports
	// slides, and without calls there is no newer word.
	orgAge = time.Hour
)

// Budget counts the day's calls and says who may still make one. Days are UTC. It is safe for
// concurrent use.
type Budget struct {
	mu       sync.Mutex
	allowed  Allowance
	usage    Usage
	orgUsed  int
	orgMax   int
	orgSeen  time.Time
	orgSpent bool
}

// NewBudget returns a budget that goes on from u; a u of another day counts as nothing used.
func NewBudget(a Allowance, u Usage) *Budget {
	return &Budget{allowed: a, usage: u}
}

// May reports whether a call may be made now for live mail or for backlog. When not, it says
// when to ask again.
func (b *Budget) May(now time.Time, live bool) (again time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turnLocked(now)
	left := b.allowed.Normal + b.allowed.Backfill - b.usage.Used
	if !live {
		left -= b.allowed.Reserve
	}
	if left <= 0 {
		return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour), false
	}
	if !live && b.orgTightLocked(now) {
		return b.orgSeen.Add(orgAge), false
	}
	return time.Time{}, true
}

// Count adds one call.
func (b *Budget) Count(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turnLocked(now)
	b.usage.Used++
}

// Org takes what Salesforce last said about the whole org's calls; max 0 is ignored.
func (b *Budget) Org(now time.Time, used, max int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if max > 0 {
		b.orgUsed, b.orgMax, b.orgSeen, b.orgSpent = used, max, now, false
	}
}

// Exhausted notes that Salesforce refused a call for want of calls.
func (b *Budget) Exhausted(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orgSpent, b.orgSeen = true, now
}

// Usage returns what the present day has cost.
func (b *Budget) Usage(now time.Time) Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turnLocked(now)
	return b.usage
}

// Total returns how many calls a day may cost in all.
func (b *Budget) Total() int { return b.allowed.Normal + b.allowed.Backfill }

func (b *Budget) turnLocked(now time.Time) {
	if day := now.UTC().Format(time.DateOnly); day != b.usage.Day {
		b.usage = Usage{Day: day}
	}
}

func (b *Budget) orgTightLocked(now time.Time) bool {
	age := now.Sub(b.orgSeen)
	if age < 0 || age >= orgAge {
		return false
	}
	return b.orgSpent || (b.orgMax > 0 && float64(b.orgUsed) > orgShare*float64(b.orgMax))
}
