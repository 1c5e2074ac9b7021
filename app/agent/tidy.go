package agent

import (
	"context"
	"runtime/debug"
	"time"

	"hawser/sync/capture"
)

const (
	// tidyAfter is how long the agent has to be idle before it gives memory back.
	tidyAfter = 15 * time.Second
	// tidyEvery is how often it does so again while it stays idle.
	tidyEvery = time.Hour
	// busyPercent makes the collector run twice as often as usual: mails come in bursts.
	busyPercent = 50
	// idlePercent stops it. Otherwise the runtime collects every two minutes though there is
	// nothing to collect, which costs more wake-ups than all the rest of an idle agent. The memory
	// limit still holds.
	idlePercent = -1
)

// tidy gives the memory that a capture needed back to the computer once the agent has come to
// rest, and lets the garbage collector rest with it.
func (a *Agent) tidy(ctx context.Context) error {
	defer debug.SetGCPercent(debug.SetGCPercent(busyPercent))
	timer := time.NewTimer(tidyAfter)
	defer timer.Stop()
	resting := false
	for {
		s, changed := a.board.shown.Read()
		if rest := s.State != capture.Working; rest != resting {
			resting = rest
			debug.SetGCPercent(busyPercent)
			timer.Reset(tidyAfter)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-timer.C:
			if resting {
				debug.FreeOSMemory()
				debug.SetGCPercent(idlePercent)
			}
			timer.Reset(tidyEvery)
		}
	}
}
