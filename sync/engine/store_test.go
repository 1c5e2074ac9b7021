package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/rules"
)

// twins are a book and the real store, which have to say the same.
type twins struct {
	*book
	db *agentdb.DB
	n  int // admissions
}

// twinStaged is a mail staged in both.
type twinStaged struct {
	page
	db     *agentdb.DB
	sealed agentdb.Staged
}

func (s *twinStaged) Discard(ctx context.Context) error {
	return errors.Join(s.page.Discard(ctx), s.db.Discard(ctx, &s.sealed))
}

func (w *twins) Stage(ctx context.Context, r io.Reader) (Staged, error) {
	p, err := w.book.Stage(ctx, r)
	if err != nil {
		return nil, err
	}
	sealed, err := w.db.Stage(ctx, bytes.NewReader(p.(page).raw))
	if err != nil {
		return nil, err
	}
	if sealed.SHA256 != p.SHA256() || sealed.Size != p.Size() {
		return nil, errors.New("staged another mail")
	}
	return &twinStaged{p.(page), w.db, sealed}, nil
}

func (w *twins) Known(ctx context.Context, prints map[capture.Key][32]byte) (map[capture.Key]Known, error) {
	known, err := w.book.Known(ctx, prints)
	if err != nil {
		return nil, err
	}
	keys := make([]capture.Key, 0, len(prints))
	for k := range prints {
		keys = append(keys, k)
	}
	rows, err := w.db.Known(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		row, seen := rows[k]
		have, want := known[k]
		got := Known{State: row.State.String(), Same: row.Matches(prints[k]), Why: row.Why, Mark: row.Mark}
		if seen != want || seen && got != have {
			return nil, fmt.Errorf("the store knows %v %+v, the book %v %+v", seen, got, want, have)
		}
	}
	return known, nil
}

func (w *twins) Admit(ctx context.Context, mails []NewMail, cursors []capture.Cursor) (int, error) {
	if w.book.fail != nil {
		return 0, w.book.fail
	}
	states := map[Verdict]agentdb.State{Queue: agentdb.Waiting, Filter: agentdb.Filtered, Hold: agentdb.Held}
	rows := make([]agentdb.NewMail, len(mails))
	plain := make([]NewMail, len(mails))
	for i, m := range mails {
		rows[i] = agentdb.NewMail{
			Key: m.Key, Fingerprint: m.Fingerprint, State: states[m.Verdict], Why: m.Why, Rule: m.By, Mark: m.Mark, Again: m.Again,
			Live: m.Live, Ref: m.Ref, Size: m.Size, Received: m.Received, Head: m.Head,
		}
		if m.Verdict == Filter {
			rows[i].Reason = rules.Reason(m.Rule)
		}
		plain[i] = m
		if s, ok := m.Content.(*twinStaged); ok {
			rows[i].Staged, plain[i].Content = &s.sealed, s.page
		}
	}
	added, err := w.book.Admit(ctx, plain, cursors)
	if err != nil {
		return 0, err
	}
	stored, err := w.db.Admit(ctx, rows, cursors)
	if err == nil && stored != added {
		err = fmt.Errorf("the store took %d, the book %d", stored, added)
	}
	w.n++
	return added, errors.Join(err, w.counts(ctx))
}

// counts holds the store's tally against the book: the conservation law.
func (w *twins) counts(ctx context.Context) error {
	c, err := w.db.Counts(ctx)
	if err != nil {
		return err
	}
	have := map[Verdict]int{}
	for _, row := range w.book.rows {
		have[row.Verdict]++
	}
	if c.Seen != c.Captured+c.Filtered+c.Held+c.Waiting || c.Waiting != have[Queue] || c.Held != have[Hold] || c.Filtered != have[Filter] || c.Seen != w.book.seen {
		return fmt.Errorf("the store counts %+v, the book %v of %d", c, have, w.book.seen)
	}
	return nil
}

func (w *twins) Cursor(ctx context.Context, name string) (capture.Cursor, bool, error) {
	cur, known, err := w.book.Cursor(ctx, name)
	stored, same, err2 := w.db.Cursor(ctx, name)
	if err = errors.Join(err, err2); err == nil && (known != same || known && cur != stored) {
		err = fmt.Errorf("cursor %s: the store has %v %+v, the book %v %+v", name, same, stored, known, cur)
	}
	return cur, known, err
}

// TestTheStoreIsTheBook lives a few of the lives with the real store beside the ledger of the tests.
func TestTheStoreIsTheBook(t *testing.T) {
	t.Parallel()
	lived, admissions := 0, 0
	for most := 2**lives + 2; lived < most && !t.Failed(); {
		rapid.Check(t, func(rt *rapid.T) {
			if lived++; lived > most {
				return // each costs a database
			}
			db, err := agentdb.Open(t.Context(), agentdb.Config{
				Path: filepath.Join(t.TempDir(), "queue.db"), Key: bytes.Repeat([]byte{7}, 32), Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				rt.Fatal(err)
			}
			defer db.Close()
			l := newLife(rt)
			w := &twins{book: l.book, db: db}
			l.ledger = w
			l.restart()
			for range rapid.IntRange(10, 40).Draw(rt, "steps") {
				l.step()
			}
			l.look1()
			admissions += w.n
		})
	}
	if admissions < 100 {
		t.Errorf("%d admissions in %d lives", admissions, lived)
	}
}
