package alarm_test

import (
	"context"
	"testing"
	"time"

	"hawser/sync/alarm"
)

func TestEvery(t *testing.T) {
	t.Parallel()
	const every = 20 * time.Millisecond
	begun := time.Now()
	ticker := alarm.Every(every)
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

func TestNew(t *testing.T) {
	t.Parallel()
	const wait = 30 * time.Millisecond
	for _, wait := range []time.Duration{wait, 0, -1} {
		begun := time.Now()
		timer := alarm.New(wait)
		<-timer.C
		if took := time.Since(begun); took < wait {
			t.Errorf("%v took %v", wait, took)
		}
		select {
		case <-timer.C:
			t.Errorf("%v was due twice", wait)
		case <-time.After(2 * wait):
		}
		timer.Stop()
	}
	timer := alarm.New(time.Hour)
	timer.Stop()
}

func TestContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := alarm.Context(t.Context(), 20*time.Millisecond)
	<-ctx.Done()
	if err := context.Cause(ctx); err != context.DeadlineExceeded {
		t.Errorf("ended with %v", err)
	}
	cancel()
	ctx, cancel = alarm.Context(t.Context(), time.Hour)
	cancel()
	if ctx.Err() == nil {
		t.Error("cancel did not end it")
	}
}
