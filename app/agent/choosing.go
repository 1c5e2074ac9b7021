package agent

import (
	"context"
	"io"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// errNotYet is what the commands of choosing answer until they are joined.
func errNotYet() error { return fault.New(fault.NotRunning, "choose", nil) }

// Folders implements control.Agent.
func (a *Agent) Folders(ctx context.Context) ([]capture.Folder, error) {
	src, _, err := a.running()
	if err != nil {
		return nil, err
	}
	return src.Folders(ctx)
}

// Preview implements control.Agent.
func (a *Agent) Preview(context.Context, string) (control.Preview, error) {
	return control.Preview{}, errNotYet()
}

// CaptureFile implements control.Agent.
func (a *Agent) CaptureFile(context.Context, io.Reader) (control.CaptureResult, error) {
	return control.CaptureResult{}, errNotYet()
}

// Threads implements control.Agent.
func (a *Agent) Threads(context.Context) ([]control.Thread, error) { return nil, errNotYet() }

// StopThread implements control.Agent.
func (a *Agent) StopThread(context.Context, int64) error { return errNotYet() }

// Chosen implements control.Agent.
func (a *Agent) Chosen(context.Context) (control.Chosen, error) { return control.Chosen{}, errNotYet() }

// Choose implements control.Agent.
func (a *Agent) Choose(context.Context, capture.Choices) error { return errNotYet() }

// DryRun implements control.Agent.
func (a *Agent) DryRun(context.Context, control.DryRunQuery, func(control.DryRunStep)) (control.DryRun, error) {
	return control.DryRun{}, errNotYet()
}

// Why implements control.Agent.
func (a *Agent) Why(context.Context, string) (control.Why, error) { return control.Why{}, errNotYet() }

// Answer implements control.Agent.
func (a *Agent) Answer(context.Context, int64, control.Answer) error { return errNotYet() }

// SaveUnlinked implements control.Agent.
func (a *Agent) SaveUnlinked(context.Context, int64) error { return errNotYet() }

// Ignore implements control.Agent.
func (a *Agent) Ignore(context.Context, int64, bool) error { return errNotYet() }

// Unsave implements control.Agent.
func (a *Agent) Unsave(context.Context, int64) error { return errNotYet() }

// Forget implements control.Agent.
func (a *Agent) Forget(context.Context, string) (control.Forgotten, error) {
	return control.Forgotten{}, errNotYet()
}

// Settings implements control.Agent.
func (a *Agent) Settings(context.Context) ([]control.Setting, error) { return nil, errNotYet() }

// Change implements control.Agent.
func (a *Agent) Change(context.Context, string, string) error { return errNotYet() }
