package agent

import (
	"context"
	"encoding/json"
	"log/slog"

	"hawser/sync/imapsource"
)

// receivedSetting holds what the mailbox handed over in the last day, where its provider limits that:
// a start does not give the day's share back.
const receivedSetting = "mail-received"

// tally hands on the newest of what the mailbox's reader tells, which never waits for the disk.
type tally struct {
	newest chan imapsource.Usage
	ended  chan struct{}
}

func newTally() *tally { return &tally{make(chan imapsource.Usage, 1), make(chan struct{})} }

// put is called by one goroutine at a time; what comes after the end, from a call that somebody still
// waits for, is not kept.
func (t *tally) put(u imapsource.Usage) {
	select {
	case <-t.newest:
	default:
	}
	t.newest <- u // there is room: nobody else puts
}

func (t *tally) end() { close(t.ended) }

// keepReceived stores what is told until the tally ends.
func (a *Agent) keepReceived(ctx context.Context, t *tally) {
	for {
		select {
		case u := <-t.newest:
			a.saveReceived(ctx, u)
		case <-t.ended:
			select {
			case u := <-t.newest:
				a.saveReceived(ctx, u)
			default:
			}
			return
		}
	}
}

func (a *Agent) saveReceived(ctx context.Context, u imapsource.Usage) {
	raw, err := json.Marshal(u)
	if err == nil {
		err = a.db.SaveSetting(ctx, receivedSetting, string(raw))
	}
	if err != nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelError, "received bytes not stored", slog.Any("err", err))
	}
}

// received returns what was stored. What cannot be read counts as nothing.
func (a *Agent) received(ctx context.Context) (imapsource.Usage, error) {
	raw, found, err := a.db.Setting(ctx, receivedSetting)
	if err != nil || !found {
		return nil, err
	}
	var u imapsource.Usage
	if err := json.Unmarshal([]byte(raw), &u); err != nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelError, "received bytes not read", slog.Any("err", err))
		return nil, nil
	}
	return u, nil
}
