package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hawser/app/control"
)

func (a *app) journalCmd() *cobra.Command {
	var limit int
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "journal",
		Short: a.t("cmd.journal"),
		Args: func(_ *cobra.Command, args []string) error { // an unknown subcommand arrives as an argument
			if len(args) > 0 {
				return a.usage("usage.only", map[string]any{"Word": "undo"})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return a.usage("usage.limit", nil)
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if asCSV {
				return a.exportJournal(cmd.Context(), agent)
			}
			items, err := agent.Journal(cmd.Context(), control.JournalQuery{Limit: limit})
			if err != nil {
				return err
			}
			return list(a, items, "journal.empty", a.journalRows)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, a.t("flag.limit"))
	cmd.Flags().BoolVar(&asCSV, "csv", false, a.t("flag.csv"))
	cmd.AddCommand(a.itemCmd("journal-undo", "undo", func(ctx context.Context, c *control.Client, id int64) error { return c.Unsave(ctx, id) }))
	return cmd
}

func (a *app) journalRows(items []control.JournalItem) [][]string {
	rows := [][]string{{a.t("column.id"), a.t("column.when"), a.t("column.object"), a.t("column.size"), a.t("column.files"), a.t("column.record")}}
	for _, it := range items {
		files := a.loc.Number(it.Files)
		if it.LeftOut > 0 {
			files = a.loc.T("journal.left-out", map[string]any{"Files": files, "Count": it.LeftOut})
		}
		record := it.URL
		if record == "" {
			record = it.RecordID
		}
		if !it.Removed.IsZero() {
			record = a.loc.T("journal.removed", map[string]any{"When": a.loc.Moment(it.Removed, a.now())})
		}
		rows = append(rows, []string{strconv.FormatInt(it.ID, 10), a.loc.Moment(it.At, a.now()), clean(it.Object), a.loc.Size(it.Bytes), files, clean(record)})
	}
	return rows
}

// exportJournal prints the whole journal as RFC 4180 does, the youngest line first. The names of
// its columns are for programs and in no language.
func (a *app) exportJournal(ctx context.Context, agent *control.Client) error {
	w := csv.NewWriter(a.env.Stdout)
	w.UseCRLF = true
	if err := w.Write([]string{"id", "at", "object", "record_id", "url", "level", "bytes", "files", "left_out", "mark", "removed"}); err != nil {
		return fmt.Errorf("print journal: %w", err)
	}
	for q := (control.JournalQuery{Limit: 1000}); ; {
		items, err := agent.Journal(ctx, q)
		if err != nil {
			return err
		}
		for _, it := range items {
			removed := ""
			if !it.Removed.IsZero() {
				removed = it.Removed.UTC().Format(time.RFC3339)
			}
			if err := w.Write([]string{strconv.FormatInt(it.ID, 10), it.At.UTC().Format(time.RFC3339), it.Object, it.RecordID, it.URL, it.Level,
				strconv.FormatInt(it.Bytes, 10), strconv.Itoa(it.Files), strconv.Itoa(it.LeftOut), it.Mark, removed}); err != nil {
				return fmt.Errorf("print journal: %w", err)
			}
		}
		if len(items) < q.Limit {
			break
		}
		q.Before = items[len(items)-1].ID
	}
	w.Flush()
	return w.Error()
}
