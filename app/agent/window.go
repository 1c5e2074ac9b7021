package agent

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"hawser/app/control"
	"hawser/sync/fault"
)

// Open implements control.Agent. A window that is open already shows the page and comes to the
// front: it sees to that itself.
func (a *Agent) Open(_ context.Context, page string) error {
	if page != "" && !slices.Contains(control.Pages, page) {
		return fault.New(fault.Usage, "open window", nil)
	}
	if a.cfg.OpenWindow == nil {
		return fault.New(fault.WindowMissing, "open window", nil)
	}
	return a.cfg.OpenWindow(page)
}

// openWindow returns what starts the program of the window, which lies beside this one. It runs
// without its parent: an agent that ends leaves it open, and it says so.
func openWindow(env []string) func(page string) error {
	return func(page string) error {
		self, err := os.Executable()
		if err != nil {
			return fault.New(fault.WindowMissing, "find window", err)
		}
		name := "hawser-window"
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		cmd := exec.Command(filepath.Join(filepath.Dir(self), name))
		if page != "" {
			cmd.Args = append(cmd.Args, "-page", page)
		}
		cmd.Env, cmd.Dir = env, string(filepath.Separator)
		if err := cmd.Start(); err != nil {
			return fault.New(fault.WindowMissing, "start window", err)
		}
		go func() { _ = cmd.Wait() }() // nothing hangs on how it ends, but that its process is collected
		return nil
	}
}
