package agent

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/mailparse"
	"hawser/sync/rules"
)

// Folders implements control.Agent.
func (a *Agent) Folders(ctx context.Context) ([]capture.Folder, error) {
	src, _, err := a.running()
	if err != nil {
		return nil, err
	}
	return src.Folders(ctx)
}

// CaptureFile implements control.Agent.
func (a *Agent) CaptureFile(ctx context.Context, mail io.Reader) (control.CaptureResult, error) {
	_, eng, err := a.running()
	if err != nil {
		return control.CaptureResult{}, err
	}
	report, err := eng.Take(ctx, mail)
	a.refreshCounts(ctx)
	return control.CaptureResult{Queued: report.Queued, Already: report.Already}, err
}

// readBody is what the rules need of a mail beyond its header.
func readBody(r io.Reader, size int64) (rules.Body, error) {
	text, types, err := mailparse.Text(r, size)
	if err != nil {
		return rules.Body{}, fault.New(fault.MailUnreadable, "read text", err)
	}
	return rules.Body{Text: text, Types: types}, nil
}

// following returns the followed conversations, each with the time from which its mails count.
func (a *Agent) following(ctx context.Context) (map[int64]time.Time, error) {
	rows, err := a.db.Threads(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	since := make(map[int64]time.Time, len(rows))
	for _, r := range rows {
		since[r.ID] = r.Since
	}
	return since, nil
}

// everything is the time from which a conversation is followed with all that came before.
var everything = time.Unix(0, 0)

// follow makes the conversations of mails followed ones, from now on or with what came before.
func (a *Agent) follow(ctx context.Context, refs []capture.Ref, past bool) error {
	src, _, err := a.running()
	if err != nil {
		return err
	}
	items, err := src.Heads(ctx, refs)
	if err != nil {
		return err
	}
	for _, item := range items {
		since := item.Received // by the mailbox's clock, as that of the mails to come
		if past {
			since = everything
		}
		h, err := mailparse.ReadHeader(item.Raw)
		if err != nil {
			return fault.New(fault.MailUnreadable, "read header", err)
		}
		ids := slices.DeleteFunc(append([]string{h.ThreadID(), h.MessageID, h.InReplyTo}, h.References...), func(id string) bool { return id == "" })
		if len(ids) == 0 {
			continue // nothing can refer to it
		}
		if _, err := a.db.FollowThread(ctx, ids, h.Subject, since); err != nil {
			return err
		}
		if past {
			a.catchUp(ctx, ids)
		}
	}
	a.poke()
	return nil
}

// catchUp captures the earlier mails of a conversation, as far as the mailbox has them.
func (a *Agent) catchUp(ctx context.Context, ids []string) {
	src, eng, err := a.running()
	if err != nil {
		return
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		refs, err := src.Find(ctx, id)
		if err == nil && len(refs) > 0 {
			_, err = eng.Fetch(ctx, refs[:1])
		}
		if err != nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "earlier mail of a conversation not read", slog.Any("err", err))
		}
	}
}
