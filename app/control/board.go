package control

import (
	"context"
	"reflect"
	"sync"
)

// Board holds the present [Status] and tells everybody who watches when it changes. A slow
// watcher sees the newest status next, never a backlog, and never slows down [Board.Set]. The
// zero value is ready for use.
type Board struct {
	mu      sync.Mutex
	status  Status
	changed chan struct{} // closed and replaced at each change
}

// Set makes s the present status. A status equal to the present one wakes nobody.
func (b *Board) Set(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if reflect.DeepEqual(s, b.status) {
		return
	}
	b.status = s
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Status returns the present status.
func (b *Board) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// Watch implements [Agent.Watch]: it returns changed's error, or ctx's when ctx ends.
func (b *Board) Watch(ctx context.Context, changed func(Status) error) error {
	for {
		s, next := b.Read()
		if err := changed(s); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next:
		}
	}
}

// Read returns the present status and a channel that closes at the next change.
func (b *Board) Read() (Status, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.status, b.changed
}
