package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

func (a *app) rulesCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rules", Short: a.t("cmd.rules"),
		Args: func(_ *cobra.Command, args []string) error { // an unknown subcommand arrives as an argument
			if len(args) > 0 {
				return a.usage("usage.one-of", map[string]any{"Words": a.or([]string{"set", "on", "off", "try", "block", "unblock"})})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			chosen, err := agent.Chosen(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return writeJSON(a.env.Stdout, chosen)
			}
			printTable(a.env.Stdout, a.chosenRows(chosen))
			return nil
		},
	}
	cmd.AddCommand(a.rulesSetCmd(), a.rulesTryCmd(),
		a.changeCmd("on", a.noArgs, func(c *capture.Choices, _ []string) { *c = begun(*c); c.Automatic = true }),
		a.changeCmd("off", a.noArgs, func(c *capture.Choices, _ []string) { c.Automatic = false }),
		a.changeCmd("block ADDRESS...", a.someAddresses, func(c *capture.Choices, words []string) { c.Block = with(c.Block, words) }),
		a.changeCmd("unblock ADDRESS...", a.someAddresses, func(c *capture.Choices, words []string) { c.Block = without(c.Block, words) }))
	return cmd
}

// begun gives choices without a rule that captures the usual one: people with a record.
func begun(c capture.Choices) capture.Choices {
	if !slices.ContainsFunc(c.Rules, func(r capture.Rule) bool { return r.Action == capture.Allow && !r.Off }) {
		yes := true
		c.Rules = append(slices.Clone(c.Rules), capture.Rule{ID: "known", Action: capture.Allow, Known: &yes})
	}
	return c
}

func (a *app) someAddresses(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return a.usage("usage.needs-address", nil)
	}
	return nil
}

func with(list, more []string) []string { return append(without(list, more), more...) }

func without(list, gone []string) []string {
	var left []string
	for _, have := range list {
		keep := true
		for _, g := range gone {
			keep = keep && !strings.EqualFold(have, g)
		}
		if keep {
			left = append(left, have)
		}
	}
	return left
}

// changeCmd is a command that changes one thing of what the person chose.
func (a *app) changeCmd(use string, args cobra.PositionalArgs, change func(*capture.Choices, []string)) *cobra.Command {
	name, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use: use, Short: a.t("cmd.rules-" + name), Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			chosen, err := agent.Chosen(cmd.Context())
			if err != nil {
				return err
			}
			change(&chosen.Choices, args)
			if err := agent.Choose(cmd.Context(), chosen.Choices); err != nil {
				return err
			}
			return a.done(a.t("rules.done-"+name), chosen.Choices)
		},
	}
}

// readChoices reads a file as "hawser rules --json" prints it under "choices"; "-" is standard input.
func (a *app) readChoices(name string) (capture.Choices, error) {
	var c capture.Choices
	in := a.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return c, a.usage("usage.no-file", map[string]any{"Name": name})
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, capture.MaxFile+1))
	if err != nil {
		return c, a.usage("usage.choices", nil)
	}
	if c, err = capture.ReadChoices(raw); err != nil {
		f := fault.New(fault.Usage, "read choices", err)
		f.Detail = a.t("usage.choices") + " " + fault.Of(err).Detail
		return c, f
	}
	return c, nil
}

func (a *app) rulesSetCmd() *cobra.Command {
	return &cobra.Command{
		Use: "set FILE", Short: a.t("cmd.rules-set"), Args: a.oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.readChoices(args[0])
			if err != nil {
				return err
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if err := agent.Choose(cmd.Context(), c); err != nil {
				return err
			}
			return a.done(a.t("rules.done-set"), c)
		},
	}
}

func (a *app) oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return a.usage("usage.one-file", nil)
	}
	return nil
}

// rulesTryCmd is the dry run.
func (a *app) rulesTryCmd() *cobra.Command {
	q := control.DryRunQuery{}
	file := ""
	cmd := &cobra.Command{
		Use: "try", Short: a.t("cmd.rules-try"), Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Days < 1 || q.Days > 90 {
				return a.usage("usage.days", nil)
			}
			if file != "" {
				c, err := a.readChoices(file)
				if err != nil {
					return err
				}
				q.Choices = &c
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if q.Choices == nil { // as "rules on" would begin
				chosen, err := agent.Chosen(cmd.Context())
				if err != nil {
					return err
				}
				c := begun(chosen.Choices)
				q.Choices = &c
			}
			return a.dryRun(cmd.Context(), agent, q)
		},
	}
	cmd.Flags().IntVar(&q.Days, "days", 7, a.t("flag.days"))
	cmd.Flags().IntVar(&q.Limit, "limit", 50, a.t("flag.limit"))
	cmd.Flags().StringVar(&file, "rules", "", a.t("flag.rules"))
	return cmd
}

func (a *app) dryRun(ctx context.Context, agent *control.Client, q control.DryRunQuery) error {
	folder := ""
	d, err := agent.DryRun(ctx, q, func(s control.DryRunStep) {
		if !a.json && s.Folder != folder {
			folder = s.Folder
			fmt.Fprintln(a.env.Stderr, a.loc.T("rules.reading", map[string]any{"Folder": clean(s.Folder)}))
		}
	})
	if err != nil {
		return err
	}
	if a.json {
		return writeJSON(a.env.Stdout, d)
	}
	rows := [][]string{{a.t("column.date"), a.t("column.from"), a.t("column.subject"), a.t("column.state"), a.t("why.because")}}
	for _, it := range d.Items {
		why := a.reason(it.Why)
		if it.Rule != "" {
			why = strings.TrimSpace(why + " “" + clean(it.Rule) + "”")
		}
		rows = append(rows, []string{a.loc.Moment(it.Mail.Date, a.now()), short(it.Mail.From, 24), short(it.Mail.Subject, 40), a.t("rules.would-" + it.Verdict), why})
	}
	if len(d.Items) > 0 {
		printTable(a.env.Stdout, rows)
	}
	fmt.Fprintln(a.env.Stdout, a.loc.T("rules.tried", map[string]any{"Count": d.Seen, "Days": d.Days, "Saved": a.loc.Number(d.Saved)}))
	return nil
}
