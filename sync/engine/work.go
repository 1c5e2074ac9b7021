package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// work does what is on the list, then goes on with history. Folders that could not be done are put
// back.
func (e *Engine) work(ctx context.Context) error {
	names, every := e.todo.take()
	if len(names) > 0 || every {
		if err := e.due(ctx, names, every); err != nil {
			return err
		}
	}
	return e.past(ctx)
}

// due looks at the folders that are due.
func (e *Engine) due(ctx context.Context, names []string, every bool) error {
	w, err := e.wish(ctx)
	if err == nil {
		err = e.list(ctx, every)
	}
	if err != nil {
		e.todo.putBack(names, every)
		return err
	}
	if every {
		e.noFolder = true
		e.listen(watched(e.folders, e.cfg.Folder, w))
	}
	scans := plan(e.pick(names, every), e.cfg.Folder, w)
	for i, s := range scans {
		err := e.scan(ctx, s, w)
		if strings.EqualFold(s.folder.Name, e.cfg.Folder) {
			e.noFolder = fault.Is(err, fault.FolderMissing)
		}
		if err != nil && !fault.Is(err, fault.FolderMissing) {
			for _, rest := range scans[i:] {
				e.todo.add(rest.folder.Name)
			}
			return err
		}
	}
	if !every {
		return nil
	}
	return e.reconcile(ctx, w)
}

// wish asks what is wanted beside marked mails.
func (e *Engine) wish(ctx context.Context) (wish, error) {
	w := wish{set: e.cfg.Rules(), now: e.cfg.Now()}
	if e.cfg.Following == nil {
		return w, nil
	}
	var err error
	if w.following, err = e.cfg.Following(ctx); err != nil {
		return w, fmt.Errorf("ask for threads: %w", err)
	}
	return w, nil
}

// list asks the server for its folders when every one is due.
func (e *Engine) list(ctx context.Context, every bool) error {
	if !every {
		return nil
	}
	folders, err := e.cfg.Source.Folders(ctx)
	if err == nil {
		e.folders = folders
	}
	return err
}

// pick turns names into folders, with the roles that the server told.
func (e *Engine) pick(names []string, every bool) []capture.Folder {
	if every {
		return e.folders
	}
	picked := make([]capture.Folder, len(names))
	for i, n := range names {
		picked[i] = capture.Folder{Name: n}
		for _, f := range e.folders {
			if strings.EqualFold(f.Name, n) && (f.Name == n || f.Role == "inbox") {
				picked[i].Role = f.Role
			}
		}
	}
	return picked
}

// scan brings in what one folder has to offer.
func (e *Engine) scan(ctx context.Context, s scan, w wish) error {
	in := &intake{
		cfg: &e.cfg, mark: s.mark, role: s.folder.Role, cursor: s.cursor, automatic: s.mark == "",
		threadsOnly: s.threads, first: s.reconcile, following: w.following, judged: map[capture.Ref]*judged{},
	}
	req := ScanRequest{
		Cursor: capture.Cursor{Folder: s.folder.Name}, MaxSize: e.cfg.MaxSize, Since: s.since,
		HeadersFirst: s.mark != capture.MarkFolder || s.reconcile || w.set.Strict(),
		Structure:    w.set.CountsFiles(),
	}
	if s.mark == capture.MarkKeyword {
		req.Keyword = e.cfg.Keyword
	}
	if s.past {
		in.urgent, in.looked = e.todo.due, e.progress
	}
	if s.cursor != "" {
		cur, known, err := e.cfg.Ledger.Cursor(ctx, s.cursor)
		if err != nil {
			return fmt.Errorf("read cursor: %w", err)
		}
		if known {
			req.Cursor = cur
			req.Cursor.Folder = s.folder.Name
		}
		in.live, in.first = known && !s.past, !known
		if known && s.mark == "" && !s.threads {
			req.Since = w.since(s.folder, w.set.Start()) // history is not read again where the folder was renumbered since
		}
	}
	err := e.cfg.Source.Scan(ctx, req, in)
	if errors.Is(err, errOff) {
		err = nil
	}
	return errors.Join(err, in.abandon(ctx))
}

// past goes on with history until it is read or something else is due.
func (e *Engine) past(ctx context.Context) error {
	w := wish{set: e.cfg.Rules()}
	scans := history(e.folders, e.cfg.Folder, w)
	if err := e.count(ctx, scans); err != nil {
		return err
	}
	for _, s := range scans {
		if e.done[s.cursor] {
			continue
		}
		cur, known, err := e.cfg.Ledger.Cursor(ctx, s.cursor)
		if err != nil {
			return fmt.Errorf("read cursor: %w", err)
		}
		if !known || cur.Next != read {
			err := e.scan(ctx, s, w)
			if errors.Is(err, errAside) {
				return nil
			}
			if err != nil && !fault.Is(err, fault.FolderMissing) {
				return err
			}
			if !e.cfg.Rules().Automatic() {
				return nil
			}
			if err := e.finish(ctx, s.cursor); err != nil {
				return err
			}
		}
		e.done[s.cursor] = true
	}
	e.looked, e.ahead, e.counted = 0, 0, false
	return nil
}

// count finds out how many mails of history there are, where none of them was looked at before.
func (e *Engine) count(ctx context.Context, scans []scan) error {
	if e.counted {
		return nil
	}
	all, fresh := 0, true
	for _, s := range scans {
		if e.done[s.cursor] {
			continue
		}
		cur, known, err := e.cfg.Ledger.Cursor(ctx, s.cursor)
		if err != nil {
			return fmt.Errorf("read cursor: %w", err)
		}
		if known {
			fresh = fresh && cur.Next == read
			continue
		}
		n, err := e.cfg.Source.Count(ctx, s.folder.Name, s.since)
		if err != nil && !fault.Is(err, fault.FolderMissing) {
			return err
		}
		all += n
	}
	if e.counted = true; fresh {
		e.ahead = all
	}
	return nil
}

// finish notes that a folder's history is read.
func (e *Engine) finish(ctx context.Context, cursor string) error {
	end := capture.Cursor{Folder: cursor, Validity: 1, Next: read}
	if _, err := e.cfg.Ledger.Admit(ctx, nil, []capture.Cursor{end}); err != nil {
		return fmt.Errorf("finish history: %w", err)
	}
	return nil
}

// progress tells how much of the history was looked at.
func (e *Engine) progress(n int) {
	e.looked += n
	e.cfg.Changed(Event{Scanning: true, History: e.looked, HistoryAll: e.ahead})
}

// reconcile once a day compares marks and rules of the last days with the ledger, and brings in
// what is missing there: whatever a cursor said, a server forgot, or a folder went through.
func (e *Engine) reconcile(ctx context.Context, w wish) error {
	now := e.cfg.Now()
	last, known, err := e.cfg.Ledger.Cursor(ctx, checked)
	if err != nil {
		return fmt.Errorf("read cursor: %w", err)
	}
	if known && now.Sub(time.Unix(int64(last.ModSeq), 0)) < checkEvery {
		return nil
	}
	if known { // before that, the first look at each folder is enough
		for _, s := range comparison(plan(e.folders, e.cfg.Folder, w), w, now) {
			if err := e.scan(ctx, s, w); err != nil && !fault.Is(err, fault.FolderMissing) {
				return err
			}
		}
	}
	at := capture.Cursor{Folder: checked, Validity: 1, ModSeq: uint64(now.Unix())}
	if _, err := e.cfg.Ledger.Admit(ctx, nil, []capture.Cursor{at}); err != nil {
		return fmt.Errorf("note reconcile: %w", err)
	}
	return nil
}
