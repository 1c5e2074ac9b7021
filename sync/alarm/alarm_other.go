//go:build !linux

package alarm

import "time"

func newTimer(wait time.Duration, again bool) *Timer { return plain(wait, again) }
