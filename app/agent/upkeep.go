package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hawser/store/agentdb"
	"hawser/sync/alarm"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

// upkeepEvery is how often what is too old is removed from the store.
const upkeepEvery = 24 * time.Hour

// upkeep removes what is too old, now and every day.
func (a *Agent) upkeep(ctx context.Context) error {
	timer := alarm.Every(upkeepEvery)
	defer timer.Stop()
	for {
		if _, err := a.db.Tidy(ctx, a.now()); err != nil && ctx.Err() == nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelError, "store not tidied", slog.Any("err", err))
		}
		a.refreshCounts(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// SavedKeyword is what mails get in the mailbox once they are saved, where the person wants that.
const SavedKeyword = "$SavedToSalesforce"

// queueOf is the store as delivery sees it; it also notes which mails were saved.
type queueOf struct {
	*agentdb.DB
	a *Agent
}

// Settle implements deliver.Queue.
func (q queueOf) Settle(ctx context.Context, now time.Time, outcomes []deliver.Outcome) error {
	var saved []capture.Ref
	if q.a.chosen().WriteBack {
		for _, o := range outcomes {
			if o.Verdict != deliver.Sent {
				continue
			}
			if item, err := q.Item(ctx, o.Job); err == nil && item.Ref.UID != 0 {
				saved = append(saved, item.Ref)
			}
		}
	}
	if err := q.DB.Settle(ctx, now, outcomes); err != nil {
		return err
	}
	q.a.marks.add(saved)
	return nil
}

// marks are the mails that get the keyword in the mailbox as soon as it can be reached.
type marks struct {
	mu   sync.Mutex
	refs []capture.Ref
	some chan struct{} // one-slot
}

// maxMarks bounds how many mails wait for the keyword: it is a convenience, and what is saved is
// known without it.
const maxMarks = 10_000

func (m *marks) add(refs []capture.Ref) {
	if len(refs) == 0 {
		return
	}
	m.mu.Lock()
	if m.refs = append(m.refs, refs...); len(m.refs) > maxMarks {
		m.refs = m.refs[len(m.refs)-maxMarks:]
	}
	m.mu.Unlock()
	select {
	case m.some <- struct{}{}:
	default:
	}
}

func (m *marks) take() []capture.Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	refs := m.refs
	m.refs = nil
	return refs
}

// writeBack sets the keyword on mails that were saved.
func (a *Agent) writeBack(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.marks.some:
		}
		src, _, err := a.running()
		if err == nil {
			_, err = src.MarkSaved(ctx, a.marks.take(), SavedKeyword)
		}
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "saved mails not marked in the mailbox", slog.String("code", string(fault.Of(err).Code)))
		}
	}
}
