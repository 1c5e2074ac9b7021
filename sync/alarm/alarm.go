// Package alarm is a clock for waits of seconds and more in a program that is idle for most of its
// life.
//
// A [Ticker] counts the time that the computer sleeps, so that what is due is due when it wakes up.
// And it is exact where the operating system lets it be: the runtime's own timers wait in epoll,
// which Linux may end a thousandth of the wait too late, and until then a thread of the runtime
// wakes some forty times to see whether the timer is due. The package is a leaf; a Ticker is used
// by one goroutine and stopped by it.
package alarm

import "time"

// Ticker sends on C once in each interval. A tick that nobody has taken is dropped.
type Ticker struct {
	C    <-chan time.Time
	stop func()
}

// NewTicker returns a ticker, which has to be stopped.
func NewTicker(every time.Duration) *Ticker { return newTicker(every) }

// Stop ends the ticker; its goroutine has ended when it returns.
func (t *Ticker) Stop() { t.stop() }

// plain is the ticker of the runtime.
func plain(every time.Duration) *Ticker {
	t := time.NewTicker(every)
	return &Ticker{C: t.C, stop: t.Stop}
}
