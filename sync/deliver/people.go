package deliver

import (
	"time"

	"hawser/sync/match"
)

const (
	foundAge  = 24 * time.Hour // how long a person that was found is not looked up again
	absentAge = time.Hour      // a new customer is often entered soon after the first mail
	peopleMax = 2048           // addresses per generation; two generations are kept
)

// people remembers who addresses belong to, so that a conversation costs one look-up a day. When
// the young generation is full it becomes the old one: what is in use moves back, the rest goes.
type people struct {
	young, old map[string]known
}

type known struct {
	candidates []match.Candidate
	seen       time.Time
}

func (p *people) get(addr string, now time.Time) ([]match.Candidate, bool) {
	e, ok := p.young[addr]
	if !ok {
		if e, ok = p.old[addr]; !ok {
			return nil, false
		}
	}
	limit := foundAge
	if len(e.candidates) == 0 {
		limit = absentAge
	}
	if age := now.Sub(e.seen); age < 0 || age >= limit {
		return nil, false
	}
	p.keep(addr, e)
	return e.candidates, true
}

func (p *people) put(addr string, candidates []match.Candidate, now time.Time) {
	p.keep(addr, known{candidates: candidates, seen: now})
}

func (p *people) drop(addr string) {
	delete(p.young, addr)
	delete(p.old, addr)
}

func (p *people) keep(addr string, e known) {
	if _, ok := p.young[addr]; !ok && len(p.young) >= peopleMax {
		p.old, p.young = p.young, nil
	}
	if p.young == nil {
		p.young = make(map[string]known)
	}
	p.young[addr] = e
}
