package agent

import (
	"context"
	"runtime/debug"
	"time"

	"hawser/sync/capture"
)

// tidyAfter is how long the agent has to be idle before it gives memory back.
const tidyAfter = 15 * time.Second

// tidy gives the memory that a capture needed back to the computer once the agent has come to
// rest; by itself the garbage collector would keep it for the next one.
func (a *Agent) tidy(ctx context.Context) error {
	timer := time.NewTimer(tidyAfter)
	defer timer.Stop()
	resting := false
	for {
		s, changed := a.board.shown.Read()
		if rest := s.State == capture.UpToDate || s.State == capture.NeedsYou || s.State == capture.Paused; rest != resting {
			resting = rest
			if rest {
				timer.Reset(tidyAfter)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-timer.C:
			if resting {
				debug.FreeOSMemory()
			}
		}
	}
}
