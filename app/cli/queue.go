package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

// queueStates are the states a person may ask for.
var queueStates = []string{"waiting", "sending", "needs-you", "held", "filtered"}

func (a *app) queueCmd() *cobra.Command {
	var state string
	var limit int
	cmd := &cobra.Command{
		Use:   "queue",
		Short: a.t("cmd.queue"),
		// An unknown subcommand arrives as an argument.
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.usage("usage.one-of", map[string]any{"Words": a.or([]string{"retry", "skip", "answer", "answers", "find", "link", "unlinked", "ignore"})})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" && !slices.Contains(queueStates, state) {
				return a.usage("usage.state", map[string]any{"Words": a.or(queueStates)})
			}
			if limit < 1 {
				return a.usage("usage.limit", nil)
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			items, err := agent.Queue(cmd.Context(), state, limit)
			if err == nil && state == "" && len(items) < limit { // what is held waits for a person too
				var held []control.QueueItem
				held, err = agent.Queue(cmd.Context(), "held", limit-len(items))
				items = append(items, held...)
			}
			if err != nil {
				return err
			}
			return list(a, items, "queue.empty", a.queueRows)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", a.t("flag.state"))
	cmd.Flags().IntVar(&limit, "limit", 50, a.t("flag.limit"))
	cmd.AddCommand(
		a.itemCmd("queue-retry", "retry", func(ctx context.Context, c *control.Client, id int64) error { return c.RetryItem(ctx, id) }),
		a.itemCmd("queue-skip", "skip", func(ctx context.Context, c *control.Client, id int64) error { return c.SkipItem(ctx, id) }),
		a.itemCmd("queue-unlinked", "unlinked", func(ctx context.Context, c *control.Client, id int64) error { return c.SaveUnlinked(ctx, id) }),
		a.answerCmd(), a.answersCmd(), a.ignoreCmd(), a.findCmd(), a.linkCmd())
	return cmd
}

// queueRows has one line per mail and, below those that need somebody, what is in the way.
func (a *app) queueRows(items []control.QueueItem) [][]string {
	rows := [][]string{{a.t("column.id"), a.t("column.state"), a.t("column.date"), a.t("column.from"), a.t("column.subject"), a.t("column.size"), a.t("column.next")}}
	for _, it := range items {
		next := ""
		if !it.Next.IsZero() {
			next = a.loc.Moment(it.Next, a.now())
		}
		rows = append(rows, []string{strconv.FormatInt(it.ID, 10), a.t("queue.state-" + it.State), a.loc.Moment(it.Date, a.now()),
			short(it.From, 24), short(it.Subject, 40), a.loc.Size(it.Size), next})
		if it.Why != "" {
			title, _, fix := a.loc.Fault(it.Why)
			title = a.withDetail(title, it.Detail)
			if it.State == "needs-you" || it.State == "held" {
				title += " " + fix
			}
			if !it.Expires.IsZero() {
				title += " " + a.loc.T("queue.expires", map[string]any{"When": a.loc.Moment(it.Expires, a.now())})
			}
			rows = append(rows, []string{"    " + title})
			rows = append(rows, a.optionRows(it)...)
		}
	}
	return rows
}

// itemCmd is a command for items by number, such as "queue retry ID...", under the id of its texts.
// Items that no longer exist do not keep the others from being done; when some do, the command ends
// as done in part.
func (a *app) itemCmd(id, name string, do func(context.Context, *control.Client, int64) error) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ID...",
		Short: a.t("cmd." + id),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := a.ids(args)
			if err != nil {
				return err
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			var gone error
			var doneIDs, goneIDs []int64
			for _, id := range ids {
				switch err := do(cmd.Context(), agent, id); {
				case err == nil:
					doneIDs = append(doneIDs, id)
				case fault.Is(err, fault.NotFound):
					gone, goneIDs = err, append(goneIDs, id)
				default:
					return err
				}
			}
			return a.itemsDone(id, doneIDs, goneIDs, gone)
		},
	}
}

func (a *app) itemsDone(id string, done, gone []int64, why error) error {
	if len(done) == 0 {
		return why
	}
	line := a.loc.T("done."+id, map[string]any{"Count": len(done)})
	if len(gone) > 0 {
		line += " " + a.loc.T("queue.gone", map[string]any{"Count": len(gone)})
	}
	err := a.done(line, map[string]any{"done": id[strings.LastIndexByte(id, '-')+1:], "ids": done, "gone": append([]int64{}, gone...)})
	if err == nil && len(gone) > 0 {
		return errPartial
	}
	return err
}

func (a *app) ids(args []string) ([]int64, error) {
	if len(args) == 0 {
		return nil, a.usage("usage.needs-id", nil)
	}
	ids := make([]int64, 0, len(args))
	for _, s := range args {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil || id < 1 {
			return nil, a.usage("usage.id", map[string]any{"Value": s})
		}
		ids = append(ids, id)
	}
	return ids, nil
}
