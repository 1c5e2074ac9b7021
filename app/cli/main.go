// Package cli is the command line of hawser: it parses words, asks the running agent over the
// control socket, and prints short plain answers or JSON.
//
// It owns the commands, their exit codes and their output. It reads no environment, keeps no
// state and does nothing to mail or Salesforce itself; "hawser run" is handed in. Every foreign
// text, such as a subject, is made harmless before it reaches a terminal. [Main] may run in
// several goroutines at once, each with an Env of its own.
package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/app/text"
)

// Env is everything a command touches outside itself. All of it is needed but Now.
type Env struct {
	Args       []string // without the program's name
	Stdin      io.Reader
	Stdout     io.Writer
	Stderr     io.Writer
	ControlDir string // where the agent's socket is
	Lang       string // as text.New takes it
	Version    string
	// Run is "hawser run": the agent itself, until ctx ends.
	Run func(ctx context.Context, o RunOptions) error
	Now func() time.Time // default time.Now; its time zone is the one printed
}

// RunOptions is what the user asked of "hawser run".
type RunOptions struct {
	Headless bool   // no tray icon
	Config   string // folder of config.json; "" is the usual one
	// Passphrase is a file (or pipe) whose first line seals the key on a computer without a key
	// store; "" uses the operating system's key store.
	Passphrase string
}

// The program itself decides how it was started: on Windows the library would refuse a double
// click with a message of its own.
func init() { cobra.MousetrapHelpText = "" }

// Main runs one command line and returns its exit code; see "hawser help exit-codes". Ctx ending
// is Ctrl-C.
func Main(ctx context.Context, env Env) int {
	if env.Now == nil {
		env.Now = time.Now
	}
	a := &app{env: env, loc: text.New(env.Lang)}
	root := a.root()
	// A nil slice would make the library read the arguments of the process.
	root.SetArgs(append([]string{}, env.Args...))
	return a.finish(ctx, root.ExecuteContext(ctx))
}

// app is one run of the command line.
type app struct {
	env  Env
	loc  *text.Localizer
	json bool

	lines   *bufio.Reader // of Stdin, once something was asked
	request *control.App  // what an administrator has to know about the fault that ends the command
	names   string        // which accounts that fault is about
	again   string        // what has to be done once more when that fault is over
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "hawser",
		Short:         a.t("cli.short"),
		Args:          cobra.ArbitraryArgs, // an unknown command is ours to explain
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.usage("usage.unknown-command", map[string]any{"Name": args[0]})
			}
			return cmd.Help()
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(a.env.Stdout)
	root.SetErr(a.env.Stderr)
	root.SetIn(a.env.Stdin)
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpFunc(a.help)
	root.PersistentFlags().BoolVar(&a.json, "json", false, a.t("flag.json"))
	root.PersistentFlags().BoolP("help", "h", false, a.t("flag.help"))
	root.AddCommand(a.runCmd(), a.enrolCmd(), a.signInCmd(), a.signOutCmd(), a.unbindCmd(), a.aliasesCmd(), a.statusCmd(), a.captureCmd(), a.foldersCmd(), a.queueCmd(), a.journalCmd(), a.threadsCmd(),
		a.rulesCmd(), a.whyCmd(), a.forgetCmd(), a.settingsCmd(), a.openCmd(),
		a.pauseCmd(), a.resumeCmd(), a.checkCmd(), a.stopCmd(), a.versionCmd())
	root.SetHelpCommand(a.helpCmd(root))
	return root
}

// agent connects to the running agent.
func (a *app) agent(ctx context.Context) (*control.Client, error) {
	return control.Dial(ctx, a.env.ControlDir)
}

func (a *app) t(id string) string { return a.loc.T(id, nil) }

// now is the present in the time zone that is printed.
func (a *app) now() time.Time { return a.env.Now() }

func (a *app) runCmd() *cobra.Command {
	var o RunOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: a.t("cmd.run"),
		Args:  a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.env.Run(cmd.Context(), o)
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
				return nil // Ctrl-C is how a headless agent is meant to end
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Headless, "headless", false, a.t("flag.headless"))
	cmd.Flags().StringVar(&o.Config, "config", "", a.t("flag.config"))
	cmd.Flags().StringVar(&o.Passphrase, "passphrase-file", "", a.t("flag.passphrase"))
	return cmd
}
