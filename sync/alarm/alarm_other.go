//go:build !linux

package alarm

import "time"

func newTicker(every time.Duration) *Ticker { return plain(every) }
