package imapsource

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	loginBurst  = 12          // sign-ins that may follow each other quickly
	loginRefill = time.Minute // then one per this time
	steadyAfter = 5 * time.Minute
)

// waits are the pauses after the first, second, ... failure in a row; the last one repeats.
var waits = []time.Duration{
	500 * time.Millisecond, 2 * time.Second, 8 * time.Second, 30 * time.Second, time.Minute,
}

// pace spaces out the connections that Watch makes: all folders share it, so that a link that
// comes and goes costs one attempt, not one per folder.
type pace struct {
	now  func() time.Time
	turn chan struct{} // held while one watcher connects

	mu     sync.Mutex
	fails  int
	next   time.Time
	credit float64
	filled time.Time
}

func newPace(now func() time.Time) *pace {
	return &pace{now: now, turn: make(chan struct{}, 1), credit: loginBurst, filled: now()}
}

// enter waits for this watcher's turn to connect; leave must follow.
func (p *pace) enter(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		d := p.delay()
		if d <= 0 {
			return nil
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			<-p.turn
			return ctx.Err()
		}
	}
}

func (p *pace) leave() { <-p.turn }

// delay returns how long the next connection has to wait.
func (p *pace) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.fillLocked(now)
	d := p.next.Sub(now)
	if p.credit < 1 {
		d = max(d, time.Duration((1-p.credit)*float64(loginRefill))+time.Millisecond)
	}
	return d
}

func (p *pace) fillLocked(now time.Time) {
	if gone := now.Sub(p.filled); gone > 0 {
		p.credit = min(loginBurst, p.credit+float64(gone)/float64(loginRefill))
		p.filled = now
	}
}

// login counts one sign-in, whoever makes it.
func (p *pace) login() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fillLocked(p.now())
	p.credit = max(p.credit-1, -1)
}

// lost says that a connection could not be made, or ended after it had lived for a while; after
// is how long the server asked to wait. Several ends within one pause are one failure.
func (p *pace) lost(lived, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Before(p.next) {
		return
	}
	if lived >= steadyAfter {
		p.fails = 0
	}
	d := max(after, waits[min(p.fails, len(waits)-1)])
	p.fails++
	p.next = now.Add(d + time.Duration(rand.Int64N(int64(d)/4+1)))
}
