// Command sandbox is a whole world on the loopback interface: a pretend Salesforce org, a pretend
// mail provider, a company with a real hawserd, and the real agent between them, in a home folder
// that is thrown away.
//
// Without -script it keeps running, lets new mail arrive and says what happens, until Ctrl-C.
// With -newcomer it shows the window on the first day: the person at the keyboard joins the company,
// signs in, chooses and captures, and lets mail arrive with the Return key.
// With -script it waits until everything that is marked has arrived, prints a table and exits 0,
// or 1 with the reason. As "sandbox browse ADDRESS" it is the browser that the agent opens: it
// fills in the login forms as the demo's user would.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "browse" {
		return browse(ctx, args[1])
	}
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	agent := flags.String("agent", "", "path of the hawser binary")
	backend := flags.String("hawserd", "", "path of the hawserd binary")
	script := flags.Bool("script", false, "run unattended and print a summary")
	fresh := flags.Bool("newcomer", false, "leave joining and signing in to the person, in the window beside the hawser binary")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *agent == "" || *backend == "" || flags.NArg() > 0 || *script && *fresh {
		return fmt.Errorf("usage: sandbox -agent PATH -hawserd PATH [-script | -newcomer]")
	}
	w, err := open(*agent, *backend, *fresh)
	if err != nil {
		return err
	}
	defer w.close()
	if *fresh {
		return w.firstDay(ctx, os.Stdin)
	}
	if err := w.settle(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C is how a demo is meant to end, however early
		}
		return fmt.Errorf("%w%s", err, w.lastWords())
	}
	if *script {
		return w.script(ctx)
	}
	return w.live(ctx)
}
