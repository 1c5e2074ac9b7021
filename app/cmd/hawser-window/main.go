// Command hawser-window is the window of a running agent. It ends when the window is closed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/window"
)

// version is set by the linker.
var version = "dev"

func main() {
	page := flag.String("page", "", strings.Join(control.Pages, ", "))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *page)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, page string) error {
	dirs, err := config.FindDirs(os.Getenv)
	if err != nil {
		return err
	}
	return window.Run(ctx, window.Config{Dir: dirs.Runtime, Lang: config.Language(os.Getenv), Version: version, Page: page, Start: starter()})
}

// starter returns what starts the agent whose program lies beside this one, nil where none does.
// An agent outlives the window that started it.
func starter() func() error {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	name := "hawser"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	agent := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(agent); err != nil {
		return nil
	}
	return func() error {
		cmd := exec.Command(agent, "run")
		cmd.Dir = string(filepath.Separator)
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start agent: %w", err)
		}
		return cmd.Process.Release()
	}
}
