package deliver

import (
	"sync"
	"time"

	"hawser/sync/match"
)

const (
	foundAge  = 24 * time.Hour // how long a person that was found is not looked up again
	openAge   = 4 * time.Hour  // one with open opportunities or cases to ask for: those come and go
	absentAge = time.Hour      // a new customer is often entered soon after the first mail
	peopleMax = 2048           // addresses per generation; two generations are kept
)

// people remembers who addresses belong to, so that a conversation costs one look-up a day. When
// the young generation is full it becomes the old one: what is in use moves back, the rest goes.
// It is safe for concurrent use.
type people struct {
	mu         sync.Mutex
	young, old map[string]known
	related    bool // what hangs on contacts is read with them
}

type known struct {
	candidates []match.Candidate
	seen       time.Time
}

func (p *people) get(addr string, now time.Time) ([]match.Candidate, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.young[addr]
	if !ok {
		if e, ok = p.old[addr]; !ok {
			return nil, false
		}
	}
	if age := now.Sub(e.seen); age < 0 || age >= p.ageLocked(e.candidates) {
		return nil, false
	}
	p.keepLocked(addr, e)
	return e.candidates, true
}

func (p *people) ageLocked(candidates []match.Candidate) time.Duration {
	if len(candidates) == 0 {
		return absentAge
	}
	for _, c := range candidates {
		if p.related && c.Type == match.Contact {
			return openAge
		}
	}
	return foundAge
}

func (p *people) put(addr string, candidates []match.Candidate, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keepLocked(addr, known{candidates: candidates, seen: now})
}

func (p *people) drop(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.young, addr)
	delete(p.old, addr)
}

func (p *people) relate(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.related = on
}

func (p *people) keepLocked(addr string, e known) {
	if _, ok := p.young[addr]; !ok && len(p.young) >= peopleMax {
		p.old, p.young = p.young, nil
	}
	if p.young == nil {
		p.young = make(map[string]known)
	}
	p.young[addr] = e
}
