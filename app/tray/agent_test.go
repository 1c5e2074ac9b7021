package tray

import (
	"context"
	"slices"
	"sync"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/fault"
)

// mailAgent is an agent with an inbox: what is captured waits, until a test says that it was sent.
type mailAgent struct {
	*controltest.Agent

	mu    sync.Mutex
	inbox []control.Mail
	asked int        // how often Recent was called
	fault fault.Code // of Capture and Undo; "" for none
}

// Recent implements Agent.
func (a *mailAgent) Recent(context.Context) ([]control.Mail, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return slices.Clone(a.inbox[:min(len(a.inbox), RecentMails)]), nil
}

// Capture implements Agent.
func (a *mailAgent) Capture(ctx context.Context, ref string) error {
	if _, err := a.Agent.Capture(ctx, control.CaptureRequest{Refs: []string{ref}}); err != nil {
		return err
	}
	return a.set(ref, "waiting")
}

// Undo implements Agent.
func (a *mailAgent) Undo(_ context.Context, ref string) error { return a.set(ref, "filtered") }

// set gives a mail a new state, unless calls are to fail.
func (a *mailAgent) set(ref, state string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fault != "" {
		return fault.New(a.fault, "change mail", nil)
	}
	for i := range a.inbox {
		if a.inbox[i].Ref == ref {
			a.inbox[i].State = state
		}
	}
	return nil
}
