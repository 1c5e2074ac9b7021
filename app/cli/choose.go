package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

// foldersCmd lists the folders of the mailbox.
func (a *app) foldersCmd() *cobra.Command {
	return &cobra.Command{
		Use: "folders", Short: a.t("cmd.folders"), Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			folders, err := agent.Folders(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return writeJSON(a.env.Stdout, folders)
			}
			for _, f := range folders {
				fmt.Fprintln(a.env.Stdout, clean(f.Name))
			}
			return nil
		},
	}
}

// isFile tells the name of a mail file from a mail's REF.
func isFile(word string) bool {
	info, err := os.Stat(word)
	return strings.EqualFold(filepath.Ext(word), ".eml") || err == nil && info.Mode().IsRegular()
}

// captureFiles hands mail files over, one after the other.
func (a *app) captureFiles(ctx context.Context, agent *control.Client, names []string) error {
	var sum control.CaptureResult
	for _, name := range names {
		r, err := a.captureFile(ctx, agent, name)
		if err != nil {
			return err
		}
		sum.Queued += r.Queued
		sum.Already += r.Already
	}
	return a.captured(sum)
}

func (a *app) captureFile(ctx context.Context, agent *control.Client, name string) (control.CaptureResult, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return control.CaptureResult{}, a.usage("usage.no-file", map[string]any{"Name": name})
	}
	if err != nil {
		return control.CaptureResult{}, fault.New(fault.Usage, "open mail file", err)
	}
	defer f.Close()
	return agent.CaptureFile(ctx, f)
}

// preview says what would become of mails.
func (a *app) preview(ctx context.Context, agent *control.Client, refs []string) error {
	var all []control.Preview
	for _, ref := range refs {
		p, err := agent.Preview(ctx, ref)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if a.json {
		return writeJSON(a.env.Stdout, all)
	}
	for i, p := range all {
		if i > 0 {
			fmt.Fprintln(a.env.Stdout)
		}
		printTable(a.env.Stdout, a.previewRows(p))
		if p.Text != "" {
			fmt.Fprintf(a.env.Stdout, "\n%s\n", lines(p.Text))
		}
	}
	return nil
}

func (a *app) previewRows(p control.Preview) [][]string {
	rows := [][]string{
		{a.t("column.subject"), clean(p.Mail.Subject)}, {a.t("column.from"), clean(p.Mail.From)}, {a.t("column.to"), clean(p.Mail.To)},
		{a.t("preview.saved-as"), a.t("preview.object-" + p.Object)}, {a.t("preview.level"), a.t("level." + string(p.Level))},
	}
	for _, r := range p.Records {
		rows = append(rows, []string{a.t("preview.record"), a.record(r)})
	}
	if p.Related != nil {
		rows = append(rows, []string{a.t("preview.related"), a.record(*p.Related)})
	}
	if len(p.Unmatched) > 0 {
		rows = append(rows, []string{a.t("preview.unmatched"), clean(strings.Join(p.Unmatched, ", "))})
	}
	for _, f := range p.Attachments {
		text := clean(f.Name) + ", " + a.loc.Size(f.Size)
		if f.Why != "" {
			text += ": " + a.reason(f.Why)
		}
		rows = append(rows, []string{a.t("preview.attachment"), text})
	}
	if p.Links > 0 {
		rows = append(rows, []string{a.t("preview.cloud"), a.loc.T("preview.cloud-links", map[string]any{"Count": p.Links})})
	}
	rows = append(rows, []string{a.t("column.size"), a.loc.Size(p.Bytes)}, []string{a.t("preview.seen-by"), a.t("preview.seen-by-" + p.Seen)})
	if p.Why != "" {
		rows = append(rows, []string{a.t("preview.verdict-" + p.Verdict), a.reason(p.Why)})
	}
	return rows
}

// record writes a record, and what found it.
func (a *app) record(r control.Record) string {
	text := clean(r.Name)
	if text == "" {
		text = clean(r.ID)
	}
	text = clean(r.Type) + " " + text
	if r.Field != "" {
		text += " (" + a.loc.T("preview.matched", map[string]any{"Address": clean(r.Address), "Field": clean(r.Field)}) + ")"
	}
	return text
}

// reason writes a cause in words: a fault's title, or a reason of the rules.
func (a *app) reason(cause string) string {
	if cause == "" {
		return ""
	}
	if id := "reason." + cause; a.t(id) != id {
		return a.t(id)
	}
	title, _, _ := a.loc.Fault(fault.Code(cause))
	return title
}

// lines cleans a text of several lines.
func lines(s string) string {
	all := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range all {
		all[i] = clean(l)
	}
	return strings.Join(all, "\n")
}

// whyCmd is "hawser why MAIL".
func (a *app) whyCmd() *cobra.Command {
	return &cobra.Command{
		Use: "why REF | MESSAGE-ID", Short: a.t("cmd.why"), Example: "  hawser why '<CAF3c@mail.example.com>'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return a.usage("usage.why", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			w, err := agent.Why(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return writeJSON(a.env.Stdout, w)
			}
			printTable(a.env.Stdout, a.whyRows(w))
			return nil
		},
	}
}

func (a *app) whyRows(w control.Why) [][]string {
	var rows [][]string
	if w.Mail != nil {
		rows = append(rows, []string{a.t("column.subject"), clean(w.Mail.Subject)})
	}
	if w.State != "" {
		rows = append(rows, []string{a.t("column.state"), a.t("queue.state-" + w.State)})
	}
	cause := a.withDetail(a.reason(w.Cause), strings.TrimSpace(clean(w.Rule)+" "+clean(w.Detail)))
	rows = append(rows, []string{a.t("why.because"), cause})
	if w.Record != nil {
		where := w.Record.URL
		if where == "" {
			where = w.Record.ID
		}
		rows = append(rows, []string{a.t("column.record"), clean(where)})
	}
	if !w.At.IsZero() {
		rows = append(rows, []string{a.t("column.when"), a.loc.Moment(w.At, a.now())})
	}
	if w.Fix != "" {
		rows = append(rows, []string{a.t("why.to-change"), a.loc.T("why.fix-"+w.Fix, map[string]any{"ID": strconv.FormatInt(w.Item, 10)})})
	}
	return rows
}
