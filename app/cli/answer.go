package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/capture"
)

// optionRows lists the answers to the question of an item.
func (a *app) optionRows(it control.QueueItem) [][]string {
	if it.Question == nil {
		return nil
	}
	var rows [][]string
	for i, o := range it.Question.Options {
		text := clean(o.Type + " " + o.Name)
		if o.About != "" {
			text += ", " + clean(o.About)
		}
		rows = append(rows, []string{fmt.Sprintf("      %d: %s", i+1, text)})
	}
	return append(rows, []string{"      0: " + a.t("queue.none-of-them")})
}

// answerCmd is "queue answer ID NUMBER", with the numbers that the queue shows.
func (a *app) answerCmd() *cobra.Command {
	remember := false
	cmd := &cobra.Command{
		Use: "answer ID NUMBER", Short: a.t("cmd.queue-answer"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return a.usage("usage.answer", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := a.ids(args[:1])
			if err != nil {
				return err
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			option, err := a.option(cmd.Context(), agent, ids[0], args[1])
			if err != nil {
				return err
			}
			if err := agent.Answer(cmd.Context(), ids[0], control.Answer{Option: option, Remember: remember}); err != nil {
				return err
			}
			return a.done(a.t("queue.answered"), map[string]any{"id": ids[0], "option": option, "remember": remember})
		},
	}
	cmd.Flags().BoolVar(&remember, "remember", false, a.t("flag.remember"))
	return cmd
}

// answersCmd is "queue answers": what was answered for later mails too, and how it is asked again.
func (a *app) answersCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "answers", Short: a.t("cmd.queue-answers"),
		Args: func(_ *cobra.Command, args []string) error { // an unknown subcommand arrives as an argument
			if len(args) > 0 {
				return a.usage("usage.only", map[string]any{"Word": "forget"})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			answers, err := agent.Answers(cmd.Context())
			if err != nil {
				return err
			}
			return list(a, answers, "answers.empty", a.answerRows)
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "forget ADDRESS", Short: a.t("cmd.answers-forget"),
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
			if err := agent.ForgetAnswers(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.done(a.t("answers.forgotten"), map[string]any{"address": args[0]})
		},
	})
	return cmd
}

func (a *app) answerRows(answers []control.Remembered) [][]string {
	rows := [][]string{{a.t("column.asked"), a.t("column.answer"), a.t("column.about"), a.t("column.since")}}
	for _, r := range answers {
		answer := strings.TrimSpace(r.Option.Type + " " + r.Option.Name)
		switch {
		case r.Kind == capture.AskFiles && r.Option.ID == "yes":
			answer = a.t("answers.files")
		case r.Kind == capture.AskFiles:
			answer = a.t("answers.no-files")
		case r.Option.ID == "":
			answer = a.t("queue.none-of-them")
		}
		rows = append(rows, []string{short(r.Subject, 40), short(answer, 40), short(r.Option.About, 30), a.loc.Moment(r.At, a.now())})
	}
	return rows
}

// option returns the answer that has a number in the list of the item.
func (a *app) option(ctx context.Context, agent *control.Client, id int64, number string) (string, error) {
	items, err := agent.Queue(ctx, "", maxItems)
	if err != nil {
		return "", err
	}
	for _, it := range items {
		if it.ID != id || it.Question == nil {
			continue
		}
		switch n, err := strconv.Atoi(number); {
		case err != nil || n < 0 || n > len(it.Question.Options):
			return "", a.usage("usage.option", map[string]any{"Max": len(it.Question.Options)})
		case n > 0:
			return it.Question.Options[n-1].ID, nil
		}
		return "", nil
	}
	return "", a.usage("usage.no-question", map[string]any{"ID": strconv.FormatInt(id, 10)})
}

// maxItems is how far a question is looked for in the queue.
const maxItems = 10_000

// ignoreCmd is "queue ignore ID...": the items are left out, and their senders from now on.
func (a *app) ignoreCmd() *cobra.Command {
	domain := false
	cmd := a.itemCmd("queue-ignore", "ignore", func(ctx context.Context, c *control.Client, id int64) error { return c.Ignore(ctx, id, domain) })
	cmd.Flags().BoolVar(&domain, "domain", false, a.t("flag.domain"))
	return cmd
}

// findCmd looks people up by name, for "queue link".
func (a *app) findCmd() *cobra.Command {
	return &cobra.Command{
		Use: "find TEXT", Short: a.t("cmd.queue-find"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.usage("usage.needs-text", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			found, err := agent.FindRecords(cmd.Context(), strings.Join(args, " "))
			if err != nil {
				return err
			}
			return list(a, found, "queue.nobody-found", a.recordRows)
		},
	}
}

func (a *app) recordRows(found []control.Record) [][]string {
	rows := [][]string{{a.t("column.object-type"), a.t("column.name"), a.t("column.about"), a.t("column.record")}}
	for _, r := range found {
		rows = append(rows, []string{clean(r.Type), short(r.Name, 40), short(r.About, 40), clean(r.ID)})
	}
	return rows
}

// linkCmd is "queue link ID RECORD".
func (a *app) linkCmd() *cobra.Command {
	return &cobra.Command{
		Use: "link ID RECORD", Short: a.t("cmd.queue-link"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return a.usage("usage.link", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := a.ids(args[:1])
			if err != nil {
				return err
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if err := agent.Link(cmd.Context(), ids[0], args[1]); err != nil {
				return err
			}
			return a.done(a.t("queue.answered"), map[string]any{"id": ids[0], "record": args[1]})
		},
	}
}
