package agent

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"hawser/sync/capture"
)

const (
	// tidyAfter is how long the agent has to be idle before its runtime rests, too.
	tidyAfter = 15 * time.Second
	// tidyEvery is how often memory is given back again while it stays idle.
	tidyEvery = time.Hour
	// busyPercent makes the collector run twice as often as usual: mails come in bursts.
	busyPercent = 50
	// idlePercent stops it. Otherwise the runtime collects every two minutes though there is
	// nothing to collect. The memory limit still holds.
	idlePercent = -1
)

// tidy lets the runtime rest once the agent has come to rest: memory that a capture needed is given
// back to the computer, the garbage collector stops, and one processor is enough, for with several
// each tick of a timer wakes threads that find nothing to do.
func (a *Agent) tidy(ctx context.Context) error {
	defer debug.SetGCPercent(debug.SetGCPercent(busyPercent))
	defer runtime.SetDefaultGOMAXPROCS()
	timer := time.NewTimer(tidyAfter)
	defer timer.Stop()
	resting := false
	for {
		s, changed := a.board.shown.Read()
		if rest := s.State != capture.Working; rest != resting {
			resting = rest
			debug.SetGCPercent(busyPercent)
			runtime.SetDefaultGOMAXPROCS()
			timer.Reset(tidyAfter)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-timer.C:
			if resting {
				a.forgetTried()
				debug.FreeOSMemory()
				debug.SetGCPercent(idlePercent)
				runtime.GOMAXPROCS(1)
				if err := giveBack(); err != nil {
					a.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "program pages kept", slog.Any("err", err))
				}
			}
			timer.Reset(tidyEvery)
		}
	}
}
