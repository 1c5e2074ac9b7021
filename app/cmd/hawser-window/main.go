// Command hawser-window is the window of a running agent. It ends when the window is closed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"hawser/app/config"
	"hawser/app/window"
)

// version is set by the linker.
var version = "dev"

func main() {
	page := flag.String("page", "", strings.Join(window.Pages, ", "))
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
	return window.Run(ctx, window.Config{Dir: dirs.Runtime, Lang: config.Language(os.Getenv), Version: version, Page: page})
}
