package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// inbox is the one folder name that IMAP defines (RFC 3501 section 5.1).
const inbox = "INBOX"

// todo is the list of folders to look at, filled by the watch and emptied by the loop.
type todo struct {
	mu      sync.Mutex
	folders map[string]bool
	every   bool
}

func newTodo() *todo { return &todo{folders: map[string]bool{}} }

func (t *todo) add(folder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.folders[folder] = true
}

func (t *todo) all() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.every = true
}

// take empties the list.
func (t *todo) take() (folders []string, every bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.folders {
		folders = append(folders, f)
	}
	slices.Sort(folders)
	every = t.every
	t.folders, t.every = map[string]bool{}, false
	return folders, every
}

// putBack restores what was not done.
func (t *todo) putBack(folders []string, every bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range folders {
		t.folders[f] = true
	}
	t.every = t.every || every
}

// scan is one step of a plan.
type scan struct {
	folder  string
	keyword bool // only what carries the capture keyword
}

// plan lists the scans for the folders to look at: the capture folder whole, the others by
// keyword, and none where nobody marks mail.
func plan(folders []capture.Folder, captureFolder string) []scan {
	var scans []scan
	for _, f := range folders {
		switch {
		case strings.EqualFold(f.Name, captureFolder):
			scans = append([]scan{{folder: f.Name}}, scans...)
		case f.Role == "trash" || f.Role == "junk" || f.Role == "drafts":
		default:
			scans = append(scans, scan{folder: f.Name, keyword: true})
		}
	}
	return scans
}

// work does what is on the list. Folders that could not be done are put back.
func (e *Engine) work(ctx context.Context) error {
	names, every := e.todo.take()
	if len(names) == 0 && !every {
		return nil
	}
	folders, err := e.folders(ctx, names, every)
	if err != nil {
		e.todo.putBack(names, every)
		return err
	}
	scans := plan(folders, e.cfg.Folder)
	if every {
		e.noFolder = true
	}
	for i, s := range scans {
		err := e.scan(ctx, s)
		if strings.EqualFold(s.folder, e.cfg.Folder) {
			e.noFolder = fault.Is(err, fault.FolderMissing)
		}
		if err != nil && !fault.Is(err, fault.FolderMissing) {
			for _, rest := range scans[i:] {
				e.todo.add(rest.folder)
			}
			return err
		}
	}
	return nil
}

// folders turns names into folders; the server is asked only when every folder is due.
func (e *Engine) folders(ctx context.Context, names []string, every bool) ([]capture.Folder, error) {
	if every {
		return e.cfg.Source.Folders(ctx)
	}
	folders := make([]capture.Folder, len(names))
	for i, n := range names {
		folders[i] = capture.Folder{Name: n}
	}
	return folders, nil
}

// scan brings in what one folder has to offer.
func (e *Engine) scan(ctx context.Context, s scan) error {
	name := "folder:" + s.folder
	in := &intake{cfg: &e.cfg, mark: capture.MarkFolder, cursor: name}
	req := ScanRequest{MaxSize: e.cfg.MaxSize}
	if s.keyword {
		in.cursor, in.mark = "keyword:"+s.folder, capture.MarkKeyword
		req.Keyword, req.HeadersFirst = e.cfg.Keyword, true
	}
	cur, known, err := e.cfg.Ledger.Cursor(ctx, in.cursor)
	if err != nil {
		return fmt.Errorf("read cursor: %w", err)
	}
	cur.Folder = s.folder
	req.Cursor, in.live = cur, known
	err = e.cfg.Source.Scan(ctx, req, in)
	return errors.Join(err, in.abandon(context.WithoutCancel(ctx)))
}

// Fetch brings in the named mails at once, as marked by hand.
func (e *Engine) Fetch(ctx context.Context, refs []capture.Ref) (Report, error) {
	in := &intake{cfg: &e.cfg, mark: capture.MarkHand, live: true}
	if err := e.cfg.Source.Fetch(ctx, refs, in); err != nil {
		return in.report, errors.Join(fmt.Errorf("fetch by hand: %w", err), in.abandon(context.WithoutCancel(ctx)))
	}
	err := in.Reached(ctx, capture.Cursor{})
	e.cfg.Wake() // a mail that was held or left out is known, and yet queued now
	return in.report, err
}
