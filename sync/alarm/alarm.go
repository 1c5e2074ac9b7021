// Package alarm is a clock for waits of seconds and more in a program that is idle for most of its
// life.
//
// A [Timer] counts the time that the computer sleeps, so that what is due is due when it wakes up.
// And it is exact where the operating system lets it be: the runtime's own timers wait in epoll,
// which Linux may end a thousandth of the wait too late, and until then a thread of the runtime
// wakes some forty times to see whether the timer is due. The package is a leaf; a Timer is used by
// one goroutine and stopped by it.
package alarm

import (
	"context"
	"time"
)

// Timer sends on C when it is due. A tick that nobody has taken is dropped.
type Timer struct {
	C    <-chan time.Time
	stop func()
}

// New returns a timer that is due once. It has to be stopped.
func New(wait time.Duration) *Timer { return newTimer(wait, false) }

// Every returns a timer that is due once in each interval. It has to be stopped.
func Every(interval time.Duration) *Timer { return newTimer(interval, true) }

// Stop ends the timer; its goroutine has ended when it returns.
func (t *Timer) Stop() { t.stop() }

// Plain returns a timer of the runtime that is due once, for tests whose time is their own.
func Plain(wait time.Duration) *Timer { return plain(wait, false) }

// plain is the timer of the runtime.
func plain(wait time.Duration, again bool) *Timer {
	if again {
		t := time.NewTicker(wait)
		return &Timer{C: t.C, stop: t.Stop}
	}
	t := time.NewTimer(wait)
	return &Timer{C: t.C, stop: func() { t.Stop() }}
}

// Context returns a context that ends after a time, or with cancel, which has to be called.
func Context(ctx context.Context, limit time.Duration) (_ context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	t := New(limit)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-t.C:
			end(context.DeadlineExceeded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		end(context.Canceled)
		<-stopped
		t.Stop()
	}
}
