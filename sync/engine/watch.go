package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// errElsewhere ends a watch whose folders are no longer the right ones.
var errElsewhere = errors.New("engine: other folders are to be watched")

// ear is what is watched, and how to stop it.
type ear struct {
	mu     sync.Mutex
	names  []string
	cancel context.CancelCauseFunc // nil while nothing is watched
}

// watch keeps an ear on the folders in which something is expected at once.
func (e *Engine) watch(ctx context.Context) error {
	for {
		listening, cancel := context.WithCancelCause(ctx)
		e.ear.mu.Lock()
		names := slices.Clone(e.ear.names)
		e.ear.cancel = cancel
		e.ear.mu.Unlock()
		err := e.cfg.Source.Watch(listening, names, func(folder string) {
			e.todo.add(folder)
			e.poke()
		})
		elsewhere := context.Cause(listening) == errElsewhere //nolint:errorlint // it is set, never wrapped
		cancel(nil)
		if !elsewhere || ctx.Err() != nil {
			return err
		}
	}
}

// listen says which folders are to be watched. The source tells of each when it begins, so nothing
// that happens between is missed.
func (e *Engine) listen(names []string) {
	e.ear.mu.Lock()
	defer e.ear.mu.Unlock()
	if slices.Equal(e.ear.names, names) {
		return
	}
	e.ear.names = names
	if e.ear.cancel != nil {
		e.ear.cancel(errElsewhere)
	}
}

// Watched returns the folders on which an ear is kept.
func (e *Engine) Watched() []string {
	e.ear.mu.Lock()
	defer e.ear.mu.Unlock()
	return slices.Clone(e.ear.names)
}
