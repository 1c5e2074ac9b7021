package window

import (
	"context"
	"path/filepath"

	"hawser/app/control"
	"hawser/sync/fault"
)

// door is the way to a window that is open: a socket like the agent's, on which only
// [control.Chooser.Open] means anything.
type door struct {
	control.Agent // nil: nobody asks a window for more
	open          func(page string)
}

// Status implements control.Agent for the greeting of a client.
func (d door) Status() control.Status { return control.Status{} }

// Open implements control.Agent.
func (d door) Open(_ context.Context, page string) error {
	d.open(page)
	return nil
}

// doorDir is where the window's own socket is, below the agent's directory.
func doorDir(dir string) string { return filepath.Join(dir, "window") }

// claim makes this process the user's one window. It returns nil, nil after another window was
// told to show page instead.
func claim(ctx context.Context, dir, page string) (*control.Listener, error) {
	l, err := control.Listen(doorDir(dir))
	if err == nil || !fault.Is(err, fault.AlreadyRunning) {
		return l, err
	}
	other, err := control.Dial(ctx, doorDir(dir))
	if err != nil {
		return nil, err
	}
	return nil, other.Open(ctx, page)
}
