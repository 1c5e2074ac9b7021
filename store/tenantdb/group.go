package tenantdb

import (
	"context"
	"runtime"
	"sync"
)

// maxBatch bounds how long the first of a batch waits for the last, and the texts of statements.
const maxBatch = 64

// group lets callers that come at the same time share one commit, and so one wait for the disk. One
// of the waiting callers does the work for all of them; no goroutine runs in between. One batch is
// in work at a time: more would be smaller ones.
type group[T any] struct {
	commit func(ctx context.Context, batch []T) []error // one error per element, in order

	mu      sync.Mutex
	waiting []*seat[T]
	busy    bool
}

type seat[T any] struct {
	v    T
	lead chan struct{}
	done chan error
}

// do returns when v is committed. It does not return earlier when ctx ends, because v may be
// committed all the same.
func (g *group[T]) do(ctx context.Context, v T) error {
	s := &seat[T]{v: v, lead: make(chan struct{}, 1), done: make(chan error, 1)}
	g.mu.Lock()
	leads := !g.busy
	if g.busy = true; !leads {
		g.waiting = append(g.waiting, s)
	}
	g.mu.Unlock()
	if !leads {
		select {
		case err := <-s.done:
			return err
		case <-s.lead:
		}
	}
	g.lead(ctx, s)
	return <-s.done
}

// lead commits s and those who wait, and hands over to somebody who came meanwhile. Nobody else
// can take the next leader into a batch: it no longer stands among the waiting.
func (g *group[T]) lead(ctx context.Context, s *seat[T]) {
	runtime.Gosched() // whoever is about to come sits down first; when nobody is, this costs nothing
	g.mu.Lock()
	n := min(len(g.waiting), maxBatch-1)
	batch := append([]*seat[T]{s}, g.waiting[:n]...)
	g.waiting = g.waiting[n:]
	g.mu.Unlock()

	values := make([]T, len(batch))
	for i, b := range batch {
		values[i] = b.v
	}
	errs := g.commit(context.WithoutCancel(ctx), values)
	for i, b := range batch {
		b.done <- errs[i]
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.busy = false
		return
	}
	next := g.waiting[0]
	g.waiting = g.waiting[1:]
	next.lead <- struct{}{}
}
