// Command hawser is the agent and its command line.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"hawser/app/agent"
	"hawser/app/cli"
	"hawser/app/config"
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
	dirs, err := config.FindDirs(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lang := config.Language(os.Getenv)
	return cli.Main(ctx, cli.Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ControlDir: dirs.Runtime, Lang: lang, Version: version,
		Run: func(ctx context.Context, o cli.RunOptions) error {
			if o.Config != "" {
				dirs.Config = o.Config
			}
			managed, err := config.LoadManaged()
			if err != nil {
				return err
			}
			return agent.Foreground{
				Dirs: dirs, Managed: managed, Env: os.Environ(), Lang: lang, Version: version, Headless: o.Headless,
				Desktop: config.HasDisplay(os.Getenv), Stderr: os.Stderr, Passphrase: o.Passphrase,
			}.Run(ctx)
		},
	})
}
