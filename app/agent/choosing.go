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

// CaptureFile implements control.Agent.
func (a *Agent) CaptureFile(context.Context, io.Reader) (control.CaptureResult, error) {
	return control.CaptureResult{}, errNotYet()
}

// DryRun implements control.Agent.
func (a *Agent) DryRun(context.Context, control.DryRunQuery, func(control.DryRunStep)) (control.DryRun, error) {
	return control.DryRun{}, errNotYet()
}
