package tenantdb

import (
	"context"
	"runtime"
	"sync"
)

// maxBatch bounds the texts of statements, one of which is kept for each size of a batch.
const maxBatch = 64

// maxNonces bounds how long the first of a batch of nonces waits for the last.
const maxNonces = 128

// crowd is how many waiting callers are worth a lane of their own.
const crowd = 16

// group lets callers that come at the same time share one commit, and so one wait for the disk. One
// of the waiting callers does the work for all of them; no goroutine runs in between. One batch is
// in work at a time, as more would be smaller ones, until there is a crowd: then all lanes are used.
type group[T any] struct {
	commit func(ctx context.Context, batch []T) []error // one error per element, in order
	most   int                                          // in a batch
	lanes  int                                          // 0 is one

	seats   sync.Pool
	mu      sync.Mutex
	waiting []*seat[T]
	leaders int
}

type seat[T any] struct {
	v    T
	turn chan turn // holds one
}

// turn ends a wait: with what came of it, or as the next leader.
type turn struct {
	leads bool
	err   error
}

// do returns when v is committed. It does not return earlier when ctx ends, because v may be
// committed all the same.
func (g *group[T]) do(ctx context.Context, v T) error {
	s, ok := g.seats.Get().(*seat[T])
	if !ok {
		s = &seat[T]{turn: make(chan turn, 1)}
	}
	s.v = v
	g.mu.Lock()
	now := turn{leads: g.leaders == 0 || g.leaders < g.lanes && len(g.waiting) >= crowd}
	if now.leads {
		g.leaders++
	} else {
		g.waiting = append(g.waiting, s)
	}
	g.mu.Unlock()
	if !now.leads {
		now = <-s.turn
	}
	if now.leads {
		now.err = g.lead(ctx, s)
	}
	*s = seat[T]{turn: s.turn}
	g.seats.Put(s)
	return now.err
}

// lead commits s and those who wait. Before they hear of it, somebody who came meanwhile begins
// with the next batch, so that the disk works while this one is answered.
func (g *group[T]) lead(ctx context.Context, s *seat[T]) error {
	batch := g.sit(s)
	values := make([]T, len(batch))
	for i, b := range batch {
		values[i] = b.v
	}
	errs := g.commit(context.WithoutCancel(ctx), values)
	g.handOver()
	for i, b := range batch[1:] {
		b.turn <- turn{err: errs[i+1]}
	}
	return errs[0]
}

// sit takes those who wait into the batch of s, who is its first, as long as more of them come. Nobody
// else can take the next leader into a batch: it no longer stands among the waiting.
func (g *group[T]) sit(s *seat[T]) []*seat[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	for before := -1; before < len(g.waiting) && len(g.waiting) < g.most; {
		before = len(g.waiting)
		g.mu.Unlock()
		runtime.Gosched() // whoever is about to come sits down first; when nobody is, this costs nothing
		g.mu.Lock()
	}
	n := min(len(g.waiting), g.most-1)
	batch := append(append(make([]*seat[T], 0, n+1), s), g.waiting[:n]...)
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
	return batch
}

func (g *group[T]) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.leaders--
		return
	}
	next := g.waiting[0]
	g.waiting = append(g.waiting[:0], g.waiting[1:]...)
	next.turn <- turn{leads: true}
}
