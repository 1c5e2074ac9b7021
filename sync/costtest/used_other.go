//go:build !unix

package costtest

import "time"

var begun = time.Now()

// used returns the time on the clock, never less than the processor's for one thread.
func used() time.Duration { return time.Since(begun) }
