// Command hawserd is the provisioning backend: one program that serves, and its operator's commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"hawser/app/config"
	"hawser/app/server"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx)
	stop()
	os.Exit(code)
}

func run(ctx context.Context) int {
	state := os.Getenv("STATE_DIRECTORY") // from systemd
	if state == "" {
		dirs, err := config.FindDirs(os.Getenv)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		state = filepath.Join(dirs.State, "server")
	}
	return server.Main(ctx, server.Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		State: state, Database: os.Getenv("HAWSERD_DATABASE"), Version: version,
	})
}
