package agent

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hawser/app/control"
	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
	"hawser/sync/salesforce"
)

var _ control.Agent = (*Agent)(nil)

// Status implements control.Agent.
func (a *Agent) Status() control.Status {
	s := a.board.shown.Status()
	return s
}

// Watch implements control.Agent.
func (a *Agent) Watch(ctx context.Context, changed func(control.Status) error) error {
	return a.board.shown.Watch(ctx, changed)
}

// checkPeriod is how often a wish to check is fulfilled at most: somebody who keeps pressing the
// button, or a script, costs the mailbox, Salesforce and the company no more than that.
const checkPeriod = 10 * time.Second

// CheckNow implements control.Agent. It is done at once, or once the last one is checkPeriod old.
func (a *Agent) CheckNow(context.Context) error {
	select {
	case a.checks <- struct{}{}:
	default: // one is coming already
	}
	return nil
}

// checkWhenAsked does what CheckNow asks for until ctx ends.
func (a *Agent) checkWhenAsked(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.checks:
		}
		a.check()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(checkPeriod):
		}
	}
}

// check has every folder looked at and the company asked, and ends every pause of delivery.
func (a *Agent) check() {
	a.poke()
	a.member.Nudge()
	a.mu.Lock()
	d := a.deliverer
	a.mu.Unlock()
	if d != nil {
		d.Resume()
	}
}

// Pause implements control.Agent. The pause outlives a restart.
func (a *Agent) Pause(ctx context.Context, until time.Time) error {
	text := forever
	if !until.IsZero() {
		text = until.UTC().Format(time.RFC3339)
	}
	if err := a.db.SaveSetting(ctx, pauseSetting, text); err != nil {
		return fmt.Errorf("store pause: %w", err)
	}
	a.board.update(func(b *board) { b.facts.Paused, b.facts.PausedUntil = true, until })
	return nil
}

// Resume implements control.Agent.
func (a *Agent) Resume(ctx context.Context) error {
	if err := a.db.SaveSetting(ctx, pauseSetting, ""); err != nil {
		return fmt.Errorf("store pause: %w", err)
	}
	a.board.update(func(b *board) { b.facts.Paused = false })
	return nil
}

// Stop implements control.Agent: Run ends soon after.
func (a *Agent) Stop(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		a.stop()
	}
	return nil
}

// Mails implements control.Agent. What it returns is read from the mailbox and kept nowhere.
func (a *Agent) Mails(ctx context.Context, q control.MailQuery) (list control.MailList, err error) {
	src, _, err := a.running()
	if err != nil {
		return list, err
	}
	if q.Folder == "" {
		q.Folder = "INBOX"
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	items, partial, err := pages(ctx, src, q)
	if err != nil {
		return list, err
	}
	account := a.bound().account
	list = control.MailList{Mails: make([]control.Mail, len(items)), Partial: partial}
	keys := make([]capture.Key, len(items))
	for i, item := range items {
		h, err := mailparse.ReadHeader(item.Raw)
		if err != nil {
			return list, fmt.Errorf("read header: %w", err)
		}
		keys[i] = capture.MailKey(account, h.MessageID)
		list.Mails[i] = listed(item, h)
	}
	known, err := a.db.Known(ctx, keys)
	if err != nil {
		return list, err
	}
	for i, key := range keys {
		if k, ok := known[key]; ok {
			list.Mails[i].State = k.State.String()
		}
	}
	return list, nil
}

// pages reads as many pages of a folder as a list takes. partial is that of [imapsource.Page].
func pages(ctx context.Context, src *imapsource.Source, q control.MailQuery) (items []capture.Item, partial bool, err error) {
	req := imapsource.PageRequest{Folder: q.Folder, Search: q.Search}
	if q.Before != "" {
		last, err := decodeRef(q.Before)
		if err != nil {
			return nil, false, err
		}
		req.Before = last.UID
	}
	for limit := min(q.Limit, 500); len(items) < limit; {
		req.Limit = limit - len(items)
		page, err := src.Page(ctx, req)
		if err != nil {
			return nil, false, err
		}
		items, partial = append(items, page.Items...), partial || page.Partial
		if req.Before = page.More; page.More == 0 {
			break
		}
	}
	return items, partial, nil
}

func listed(item capture.Item, h capture.Header) control.Mail {
	return control.Mail{
		Ref: encodeRef(item.Ref), Folder: item.Ref.Folder, Date: dated(h.Date, item.Received), From: people(h.From), To: people(h.To),
		Subject: h.Subject, Size: item.Size,
	}
}

// people writes addresses as a list shows them.
func people(list []capture.Address) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Addr
		if p.Name != "" {
			names[i] = p.Name + " <" + p.Addr + ">"
		}
	}
	return strings.Join(names, ", ")
}

// encodeRef makes a mail's place an opaque word, so that a folder's name needs no quoting.
func encodeRef(r capture.Ref) string {
	raw, _ := json.Marshal(r) // strings and numbers: cannot fail
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeRef(word string) (capture.Ref, error) {
	var r capture.Ref
	raw, err := base64.RawURLEncoding.DecodeString(word)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil || r.Folder == "" || r.UID == 0 {
		return r, fault.New(fault.NotFound, "find mail", err)
	}
	return r, nil
}

// Capture implements control.Agent.
func (a *Agent) Capture(ctx context.Context, req control.CaptureRequest) (control.CaptureResult, error) {
	refs := make([]capture.Ref, len(req.Refs))
	for i, w := range req.Refs {
		r, err := decodeRef(w)
		if err != nil {
			return control.CaptureResult{}, err
		}
		refs[i] = r
	}
	_, eng, err := a.running()
	if err != nil {
		return control.CaptureResult{}, err
	}
	report, err := eng.Fetch(ctx, refs)
	if err == nil && req.Follow {
		err = a.follow(ctx, refs, req.Past)
	}
	a.refreshCounts(ctx)
	return control.CaptureResult{Queued: report.Queued, Already: report.Already, Gone: report.Gone}, err
}

// Queue implements control.Agent.
func (a *Agent) Queue(ctx context.Context, state string, limit int) ([]control.QueueItem, error) {
	rows, err := a.db.List(ctx, state, limit)
	if err != nil {
		return nil, err
	}
	items := make([]control.QueueItem, len(rows))
	for i, r := range rows {
		items[i] = queued(r)
	}
	return items, nil
}

func queued(r agentdb.Item) control.QueueItem {
	detail := r.Detail
	if r.Question == nil { // the rule that let a mail through says nothing about a question
		detail = cmp.Or(detail, r.Rule, string(r.Reason))
	}
	return control.QueueItem{
		ID: r.ID, State: r.State, Date: r.Date, From: people(r.From), Subject: r.Subject, Size: r.Size,
		Mark: string(r.Mark), Tries: r.Tries, Next: r.Next, Expires: r.Expires, Why: r.Why, Detail: detail,
		Question: r.Question, Unlinked: r.Why == fault.Unmatched,
	}
}

// RetryItem implements control.Agent. A person who tries again may know that an administrator gave
// them a right, or that the mailbox can be read again.
func (a *Agent) RetryItem(ctx context.Context, id int64) error {
	defer a.refreshCounts(ctx)
	item, err := a.db.Item(ctx, id)
	switch {
	case err != nil:
	case item.State != agentdb.Held.String():
		err = a.db.Retry(ctx, id)
	case item.Stored && item.Why == fault.Unmatched: // look the people up again
		err = a.db.Release(ctx, id)
	case item.Stored: // the person saw it and wants it saved, whoever is in it
		err = a.db.Answer(ctx, id, deliver.AnswerUnmatched, deliver.Yes, false)
	default:
		err = a.fetchAgain(ctx, item)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	client, d := a.client, a.deliverer
	a.mu.Unlock()
	if client != nil {
		client.Forget()
	}
	if d != nil {
		for _, p := range slices.Concat(item.From, item.To) {
			d.ForgetPerson(p.Addr)
		}
	}
	a.check()
	return nil
}

// fetchAgain reads a mail whose content was not kept from the mailbox, as if picked by hand.
func (a *Agent) fetchAgain(ctx context.Context, item agentdb.Item) error {
	_, eng, err := a.running()
	if err != nil {
		return err
	}
	report, err := eng.Fetch(ctx, []capture.Ref{item.Ref})
	switch {
	case err != nil:
		return err
	case report.Gone > 0:
		return fault.New(fault.MailGone, "read mail again", nil)
	}
	_, err = a.db.Item(ctx, item.ID)
	if fault.Is(err, fault.NotFound) { // it is queued, under another number
		return nil
	}
	if err == nil { // as before
		err = fault.New(item.Why, "read mail again", nil)
	}
	return err
}

// SkipItem implements control.Agent.
func (a *Agent) SkipItem(ctx context.Context, id int64) error {
	defer a.refreshCounts(ctx)
	return a.db.Skip(ctx, id)
}

// Journal implements control.Agent.
func (a *Agent) Journal(ctx context.Context, q control.JournalQuery) ([]control.JournalItem, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	rows, err := a.db.Journal(ctx, q.Before, min(q.Limit, 1000))
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	client := a.client
	a.mu.Unlock()
	items := make([]control.JournalItem, len(rows))
	for i, r := range rows {
		items[i] = journalItem(r, client)
	}
	return items, nil
}

// journalItem is a line of the journal, with links where the client knows the site.
func journalItem(r agentdb.Entry, client *salesforce.Client) control.JournalItem {
	item := control.JournalItem{
		ID: r.Mail, At: r.At, Object: string(r.Kind), RecordID: r.RecordID, Bytes: r.Bytes, Files: r.Files,
		LeftOut: r.LeftOut, Mark: string(r.Mark), Level: string(r.Level), Removed: r.Removed,
	}
	if client != nil {
		item.URL = client.RecordURL(r.RecordID)
	}
	for _, m := range r.Matched {
		object, _, _ := strings.Cut(m.Field, ".")
		rec := control.Record{Type: object, ID: m.RecordID, Name: m.Address, Address: m.Address, Field: m.Field}
		if client != nil {
			rec.URL = client.RecordURL(m.RecordID)
		}
		item.Matched = append(item.Matched, rec)
	}
	return item
}
