package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"hawser/app/control"
)

func (a *app) threadsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "threads", Short: a.t("cmd.threads"),
		Args: func(_ *cobra.Command, args []string) error { // an unknown subcommand arrives as an argument
			if len(args) > 0 {
				return a.usage("usage.only", map[string]any{"Word": "stop"})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			followed, err := agent.Threads(cmd.Context())
			if err != nil {
				return err
			}
			return list(a, followed, "threads.empty", a.threadRows)
		},
	}
	cmd.AddCommand(a.itemCmd("threads-stop", "stop", func(ctx context.Context, c *control.Client, id int64) error { return c.StopThread(ctx, id) }))
	return cmd
}

func (a *app) threadRows(followed []control.Thread) [][]string {
	rows := [][]string{{a.t("column.id"), a.t("column.subject"), a.t("column.since"), a.t("column.saved")}}
	for _, t := range followed {
		since := a.t("threads.beginning")
		if !t.Since.IsZero() {
			since = a.loc.Moment(t.Since, a.now())
		}
		rows = append(rows, []string{strconv.FormatInt(t.ID, 10), short(t.Title, 50), since, a.loc.Number(t.Saved)})
	}
	return rows
}

func (a *app) forgetCmd() *cobra.Command {
	return &cobra.Command{
		Use: "forget ADDRESS", Short: a.t("cmd.forget"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return a.usage("usage.needs-address", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			f, err := agent.Forget(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return writeJSON(a.env.Stdout, f)
			}
			fmt.Fprintln(a.env.Stdout, a.loc.T("forget.done", map[string]any{"Count": f.Removed}))
			if len(f.Records) > 0 {
				fmt.Fprintln(a.env.Stdout, a.t("forget.records"))
				printTable(a.env.Stdout, a.journalRows(f.Records))
			}
			return nil
		},
	}
}
