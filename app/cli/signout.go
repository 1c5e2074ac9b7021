package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

func (a *app) signOutCmd() *cobra.Command {
	var discard, keep bool
	var file string
	cmd := &cobra.Command{
		Use:   "signout [salesforce|mail]",
		Short: a.t("cmd.signout"),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return a.oneOf("salesforce", "mail")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			side := strings.Join(args, "")
			switch {
			case discard && side == "mail":
				return a.usage("usage.discard", nil)
			case discard && keep:
				return a.usage("usage.flag-value", map[string]any{"Name": "--keep-queue", "Value": "--discard-queue"})
			case file != "" && side == "mail": // what waits goes on
				return a.usage("usage.discard", nil)
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if !discard && !keep && !a.json && side != "mail" {
				if discard, err = a.askQueue(cmd.Context(), agent); err != nil {
					return err
				}
				if discard && file == "" {
					if file, err = a.answer(a.t("unbind.ask-file")); err != nil {
						return err
					}
				}
			}
			if file != "" {
				if err := a.export(cmd.Context(), agent, file, ""); err != nil {
					return err
				}
			}
			r, err := agent.SignOut(cmd.Context(), side, discard)
			if err != nil {
				return err
			}
			return a.signedOut(r, side)
		},
	}
	cmd.Flags().BoolVar(&discard, "discard-queue", false, a.t("flag.discard-queue"))
	cmd.Flags().BoolVar(&keep, "keep-queue", false, a.t("flag.keep-queue"))
	cmd.Flags().StringVar(&file, "export", "", a.t("flag.export"))
	return cmd
}

// askQueue asks what shall become of the mails that wait, when some do. No answer keeps them.
func (a *app) askQueue(ctx context.Context, agent *control.Client) (discard bool, err error) {
	s, err := agent.Fetch(ctx)
	if err != nil || s.Counts.Waiting == 0 {
		return false, err
	}
	keep, err := a.ask(a.loc.T("signout.ask", map[string]any{"Count": s.Counts.Waiting}), true)
	return !keep, err
}

func (a *app) signedOut(r control.SignOutResult, side string) error {
	lines := []string{a.t("signout.done")}
	if r.Pending {
		lines = append(lines, a.t("signout.pending"))
	}
	if r.Discarded > 0 {
		lines = append(lines, a.loc.T("signout.discarded", map[string]any{"Count": r.Discarded}))
	}
	if r.Waiting > 0 && side != "mail" {
		lines = append(lines, a.loc.T("signout.waiting", map[string]any{"Count": r.Waiting}))
	}
	return a.done(strings.Join(lines, "\n"), r)
}

// ask asks a question on standard error; an empty answer, or none, is other.
func (a *app) ask(question string, other bool) (bool, error) {
	answer, err := a.answer(question)
	switch {
	case err != nil:
		return false, err
	case answer == "":
		return other, nil
	}
	if a.isYes(answer) {
		return true, nil
	}
	if means(answer, "no", a.t("cli.no")) {
		return false, nil
	}
	return false, a.usage("usage.yes-or-no", map[string]any{"Value": answer})
}

func (a *app) isYes(answer string) bool { return means(answer, "yes", a.t("cli.yes")) }

// means reports whether an answer is a word in English or another language, or its first letter. A
// language may have several words: Spanish is often typed without its accents.
func means(answer, english, words string) bool {
	lower := strings.ToLower(answer)
	return slices.ContainsFunc(append(strings.Fields(words), english), func(w string) bool {
		_, size := utf8.DecodeRuneInString(w)
		return lower == w || lower == w[:size]
	})
}

// answer reads one line from the person; "" at the end of the input.
func (a *app) answer(question string) (string, error) {
	fmt.Fprint(a.env.Stderr, question+" ")
	if a.lines == nil {
		a.lines = bufio.NewReader(a.env.Stdin)
	}
	line, err := a.lines.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fault.New(fault.Internal, "read answer", err)
	}
	return strings.TrimSpace(line), nil
}

func (a *app) unbindCmd() *cobra.Command {
	var file string
	var yes bool
	cmd := &cobra.Command{
		Use:   "unbind",
		Short: a.t("cmd.unbind"),
		Args:  a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json && !yes {
				return a.usage("usage.unbind-yes", nil)
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			s, err := agent.Fetch(cmd.Context())
			if err != nil {
				return err
			}
			waits := s.Counts.Waiting + s.Counts.Held
			if !yes {
				a.aboutUnbind(s, waits)
			}
			if waits > 0 && file == "" && !yes {
				if file, err = a.answer(a.t("unbind.ask-file")); err != nil {
					return err
				}
			}
			if file != "" {
				if err := a.export(cmd.Context(), agent, file, "", "held"); err != nil {
					return err
				}
			}
			return a.unbind(cmd.Context(), agent, yes)
		},
	}
	cmd.Flags().StringVar(&file, "export", "", a.t("flag.export"))
	cmd.Flags().BoolVar(&yes, "yes", false, a.t("flag.yes"))
	return cmd
}

// aboutUnbind says what an unbinding does before it is done.
func (a *app) aboutUnbind(s control.Status, waits int) {
	name := func(side control.Side) string {
		for _, n := range []string{side.Bound, side.Account} {
			if n != "" {
				return clean(n)
			}
		}
		return a.t("unbind.nobody")
	}
	fmt.Fprintln(a.env.Stderr, a.loc.T("unbind.about", map[string]any{"Salesforce": name(s.Salesforce), "Mail": name(s.Mail)}))
	if waits > 0 {
		fmt.Fprintln(a.env.Stderr, a.loc.T("unbind.waits", map[string]any{"Count": waits}))
	}
}

func (a *app) unbind(ctx context.Context, agent *control.Client, yes bool) error {
	if !yes {
		sure, err := a.ask(a.t("unbind.ask"), false)
		if err != nil {
			return err
		}
		if !sure {
			return a.done(a.t("unbind.kept"), nil)
		}
	}
	r, err := agent.Unbind(ctx)
	if err != nil {
		return err
	}
	line := a.t("unbind.done")
	if r.Pending {
		line += "\n" + a.t("signout.pending")
	}
	return a.done(line, r)
}

// export writes the list of the mails in some states, of which "" is all that waits.
func (a *app) export(ctx context.Context, agent *control.Client, path string, states ...string) error {
	var items []control.QueueItem
	for _, state := range states {
		got, err := agent.Queue(ctx, state, math.MaxInt32)
		if err != nil {
			return err
		}
		items = append(items, got...)
	}
	if err := writeCSV(path, items); err != nil {
		return a.usage("usage.file", map[string]any{"Value": path})
	}
	if !a.json {
		fmt.Fprintln(a.env.Stdout, a.loc.T("unbind.exported", map[string]any{"Count": len(items), "File": path}))
	}
	return nil
}

// writeCSV writes items into a new file that its owner alone can read. An existing file is an error.
func writeCSV(path string, items []control.QueueItem) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	_ = w.Write([]string{"date", "from", "subject", "state"}) // an error of Write is told by Error
	for _, it := range items {
		_ = w.Write([]string{it.Date.UTC().Format(time.RFC3339), cell(it.From), cell(it.Subject), it.State})
	}
	w.Flush()
	return errors.Join(w.Error(), f.Sync(), f.Close())
}

// cell makes foreign text harmless for a spreadsheet, which runs what looks like a formula.
func cell(s string) string {
	s = clean(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
