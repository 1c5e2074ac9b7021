package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

// maxList is the most mails one list may have, as control.MailQuery says.
const maxList = 500

func (a *app) captureCmd() *cobra.Command {
	var q control.MailQuery
	var all, pick, look bool
	var how control.CaptureRequest
	cmd := &cobra.Command{
		Use:     "capture [REF | FILE.eml ...]",
		Short:   a.t("cmd.capture"),
		Example: "  hawser capture --search offer\n  hawser capture --folder Customers --pick",
		RunE: func(cmd *cobra.Command, refs []string) error {
			listing := all || pick || q.Folder != "" || q.Search != ""
			switch {
			case len(refs) > 0 && listing, all && pick:
				return a.usage("usage.capture-both", nil)
			case q.Limit < 1 || q.Limit > maxList:
				return a.usage("usage.list-limit", map[string]any{"Max": maxList})
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			switch {
			case len(refs) > 0 && look:
				return a.preview(cmd.Context(), agent, refs)
			case len(refs) > 0 && isFile(refs[0]):
				return a.captureFiles(cmd.Context(), agent, refs)
			case len(refs) > 0:
				how.Refs = refs
				return a.capture(cmd.Context(), agent, how)
			}
			found, err := agent.Mails(cmd.Context(), q)
			if err != nil {
				return err
			}
			if found.Partial {
				fmt.Fprintln(a.env.Stderr, a.t("capture.partial"))
			}
			if !all && !pick {
				return list(a, found.Mails, "capture.none", a.mailRows)
			}
			return a.choose(cmd.Context(), agent, found.Mails, how, pick)
		},
	}
	cmd.Flags().StringVar(&q.Folder, "folder", "", a.t("flag.folder"))
	cmd.Flags().StringVar(&q.Search, "search", "", a.t("flag.search"))
	cmd.Flags().IntVar(&q.Limit, "limit", 50, a.t("flag.limit"))
	cmd.Flags().BoolVar(&all, "all", false, a.t("flag.all"))
	cmd.Flags().BoolVar(&pick, "pick", false, a.t("flag.pick"))
	cmd.Flags().BoolVar(&look, "preview", false, a.t("flag.preview"))
	cmd.Flags().BoolVar(&how.Follow, "follow", false, a.t("flag.follow"))
	cmd.Flags().BoolVar(&how.Past, "past", false, a.t("flag.past"))
	return cmd
}

// choose captures all listed mails, or those picked by number.
func (a *app) choose(ctx context.Context, agent *control.Client, mails []control.Mail, how control.CaptureRequest, pick bool) error {
	if len(mails) == 0 {
		return list(a, mails, "capture.none", a.mailRows)
	}
	numbers := make([]int, len(mails))
	for i := range mails {
		numbers[i] = i + 1
	}
	if pick {
		printTable(a.env.Stderr, a.mailRows(mails)) // the list belongs to the question, not to the result
		fmt.Fprint(a.env.Stderr, a.t("capture.pick")+" ")
		answer, err := bufio.NewReader(a.env.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fault.New(fault.Internal, "read answer", err)
		}
		var ok bool
		if numbers, ok = parseNumbers(answer, len(mails)); !ok {
			return a.usage("usage.numbers", map[string]any{"Value": strings.TrimSpace(answer), "Max": len(mails)})
		}
	}
	for _, n := range numbers {
		how.Refs = append(how.Refs, mails[n-1].Ref)
	}
	if len(how.Refs) == 0 {
		return a.done(a.t("capture.nothing-picked"), control.CaptureResult{})
	}
	return a.capture(ctx, agent, how)
}

// parseNumbers reads "1,3-5 7" as numbers from 1 to most, each once, in order.
func parseNumbers(s string, most int) ([]int, bool) {
	var numbers []int
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil || from < 1 || to < from || to > most {
			return nil, false
		}
		for n := from; n <= to; n++ {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), true
}

func (a *app) capture(ctx context.Context, agent *control.Client, how control.CaptureRequest) error {
	r, err := agent.Capture(ctx, how)
	if err != nil {
		return err
	}
	return a.captured(r)
}

// captured says what became of mails that were handed over.
func (a *app) captured(r control.CaptureResult) error {
	line := a.loc.T("capture.queued", map[string]any{"Count": r.Queued})
	if r.Already > 0 {
		line += " " + a.loc.T("capture.already", map[string]any{"Count": r.Already})
	}
	if r.Gone > 0 {
		line += " " + a.loc.T("capture.gone", map[string]any{"Count": r.Gone})
	}
	if err := a.done(line, r); err != nil {
		return err
	}
	if r.Gone > 0 {
		return errPartial
	}
	return nil
}

func (a *app) mailRows(mails []control.Mail) [][]string {
	rows := [][]string{{a.t("column.number"), a.t("column.date"), a.t("column.from"), a.t("column.subject"), a.t("column.size"), a.t("column.state"), a.t("column.ref")}}
	for i, m := range mails {
		state := ""
		if m.State != "" {
			state = a.t("queue.state-" + m.State)
		}
		rows = append(rows, []string{strconv.Itoa(i + 1), a.loc.Moment(m.Date, a.now()), short(m.From, 24), short(m.Subject, 40), a.loc.Size(m.Size), state, clean(m.Ref)})
	}
	return rows
}
