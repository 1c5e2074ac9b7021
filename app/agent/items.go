package agent

import (
	"context"
	"slices"
	"strings"

	"hawser/app/control"
	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// Threads implements control.Agent.
func (a *Agent) Threads(ctx context.Context) ([]control.Thread, error) {
	rows, err := a.db.Threads(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]control.Thread, len(rows))
	for i, r := range rows {
		list[i] = control.Thread{ID: r.ID, Title: r.Title, Last: r.Last, Saved: r.Saved}
		if !r.Since.Equal(everything) {
			list[i].Since = r.Since
		}
	}
	return list, nil
}

// StopThread implements control.Agent.
func (a *Agent) StopThread(ctx context.Context, id int64) error { return a.db.StopThread(ctx, id) }

// Answer implements control.Agent.
func (a *Agent) Answer(ctx context.Context, id int64, answer control.Answer) error {
	item, err := a.db.Item(ctx, id)
	if err != nil {
		return err
	}
	if item.Question == nil {
		return fault.New(fault.Usage, "answer question", nil)
	}
	key := string(item.Question.Kind)
	if item.Question.Kind == capture.AskPerson {
		key = deliver.AnswerPerson + strings.ToLower(item.Question.Subject)
	}
	return a.decided(ctx, a.db.Answer(ctx, id, key, answer.Option, answer.Remember))
}

// Answers implements control.Agent.
func (a *Agent) Answers(ctx context.Context) ([]control.Remembered, error) {
	rows, err := a.db.Answers(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]control.Remembered, len(rows))
	for i, r := range rows {
		list[i] = control.Remembered{Kind: r.Kind, Subject: r.Subject, Option: r.Option, At: r.At}
	}
	return list, nil
}

// ForgetAnswers implements control.Agent.
func (a *Agent) ForgetAnswers(ctx context.Context, address string) error {
	return a.db.ForgetAnswers(ctx, address)
}

// FindRecords implements control.Agent.
func (a *Agent) FindRecords(ctx context.Context, text string) ([]control.Record, error) {
	a.mu.Lock()
	d, client := a.deliverer, a.client
	a.mu.Unlock()
	if d == nil {
		return nil, fault.New(a.whyNoDelivery(), "find people", nil)
	}
	found, err := d.Search(ctx, text)
	if err != nil {
		return nil, err
	}
	list := make([]control.Record, len(found))
	for i, c := range found {
		list[i] = control.Record{Type: string(c.Type), ID: c.ID, Name: c.Name, About: c.About, URL: client.RecordURL(c.ID)}
	}
	return list, nil
}

// Link implements control.Agent.
func (a *Agent) Link(ctx context.Context, id int64, record string) error {
	item, err := a.db.Item(ctx, id)
	if err != nil {
		return err
	}
	own := a.own()
	for _, p := range slices.Concat(item.From, item.To) {
		if p.Addr != "" && !match.Own(p.Addr, own) {
			return a.decided(ctx, a.db.Answer(ctx, id, deliver.AnswerPerson+strings.ToLower(p.Addr), record, false))
		}
	}
	return fault.New(fault.NotFound, "find the other side", nil)
}

// SaveUnlinked implements control.Agent.
func (a *Agent) SaveUnlinked(ctx context.Context, id int64) error {
	return a.decided(ctx, a.db.Answer(ctx, id, deliver.AnswerUnmatched, deliver.Yes, false))
}

// decided goes on after a person decided about an item.
func (a *Agent) decided(ctx context.Context, err error) error {
	a.refreshCounts(ctx)
	if err != nil {
		return err
	}
	a.wakeDelivery()
	return nil
}

// Ignore implements control.Agent. What else is held of the same sender stays for the person to see.
func (a *Agent) Ignore(ctx context.Context, id int64, domain bool) error {
	item, err := a.db.Item(ctx, id)
	if err != nil {
		return err
	}
	entry := ""
	for _, from := range item.From {
		if entry = strings.ToLower(from.Addr); entry != "" {
			break
		}
	}
	if at := strings.LastIndexByte(entry, '@'); domain && at >= 0 {
		entry = entry[at+1:]
	}
	if entry == "" {
		return fault.New(fault.NotFound, "find sender", nil)
	}
	if err := a.block(ctx, entry); err != nil {
		return err
	}
	return a.SkipItem(ctx, id)
}

// Unsave implements control.Agent.
func (a *Agent) Unsave(ctx context.Context, id int64) error {
	defer a.refreshCounts(ctx)
	entry, err := a.entry(ctx, id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	d := a.deliverer
	a.mu.Unlock()
	if d == nil {
		return fault.New(a.whyNoDelivery(), "delete record", nil)
	}
	if err := d.Unsave(ctx, entry.RecordID); err != nil {
		return err
	}
	return a.db.Unsaved(ctx, id)
}

// entry returns the journal line of a captured mail.
func (a *Agent) entry(ctx context.Context, id int64) (agentdb.Entry, error) {
	for e, err := range a.db.Lines(ctx) {
		if err != nil {
			return e, err
		}
		if e.Mail == id && e.Removed.IsZero() {
			return e, nil
		}
	}
	return agentdb.Entry{}, fault.New(fault.NotFound, "find journal line", nil)
}

// whyNoDelivery says what keeps delivery from running.
func (a *Agent) whyNoDelivery() fault.Code {
	s := a.board.shown.Status()
	switch {
	case s.State == capture.Paused:
		return fault.Paused
	case !s.Salesforce.SignedIn:
		return fault.NotSignedIn
	case s.Salesforce.Fault != "":
		return s.Salesforce.Fault
	}
	return fault.ServerError
}

// Forget implements control.Agent.
func (a *Agent) Forget(ctx context.Context, address string) (control.Forgotten, error) {
	defer a.refreshCounts(ctx)
	f, err := a.db.Forget(ctx, address)
	if err != nil {
		return control.Forgotten{}, err
	}
	a.mu.Lock()
	d, client := a.deliverer, a.client
	a.mu.Unlock()
	if d != nil {
		d.ForgetPerson(address)
	}
	out := control.Forgotten{Removed: f.Removed, Records: []control.JournalItem{}}
	for _, r := range f.Records {
		out.Records = append(out.Records, journalItem(r, client))
	}
	return out, nil
}

// undo takes back a mail of a list: one that waits is left out, and the record of one that was saved
// is deleted.
func (a *Agent) undo(ctx context.Context, word string) error {
	ref, err := decodeRef(word)
	if err != nil {
		return err
	}
	src, _, err := a.running()
	if err != nil {
		return err
	}
	_, head, err := headOf(ctx, src, ref)
	if err != nil {
		return err
	}
	r, found, err := a.db.Reason(ctx, capture.MailKey(a.bound().account, head.MessageID))
	switch {
	case err != nil:
		return err
	case found && r.State == agentdb.Captured:
		return a.Unsave(ctx, r.ID)
	case found && r.State != agentdb.Filtered:
		return a.SkipItem(ctx, r.ID)
	}
	return fault.New(fault.NotFound, "undo", nil)
}
