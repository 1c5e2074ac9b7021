package alarm_test

import (
	"testing"
	"time"

	"hawser/sync/alarm"
)

func TestTicker(t *testing.T) {
	t.Parallel()
	const every = 20 * time.Millisecond
	begun := time.Now()
	ticker := alarm.NewTicker(every)
	for range 3 {
		<-ticker.C
	}
	if took := time.Since(begun); took < 3*every {
		t.Errorf("three ticks after %v", took)
	}
	time.Sleep(5 * every) // ticks that nobody takes
	ticker.Stop()
	left := 0
	for {
		select {
		case <-ticker.C:
			left++
			continue
		case <-time.After(3 * every):
		}
		break
	}
	if left > 1 {
		t.Errorf("%d ticks were kept", left)
	}
}
