package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

const (
	// headLimit is how much of a mail is looked at for its header.
	headLimit = 256 << 10
	// liveAge is how young a mail must be to go before the backlog.
	liveAge = 10 * time.Minute
)

// Report counts what an intake did.
type Report struct {
	Queued  int // new in the ledger, whatever the rules said
	Already int // in the ledger before
	Gone    int // no longer in the mailbox
}

// intake is the [Sink] of one scan: it turns items into ledger rows and commits them with the
// cursor that passed them.
type intake struct {
	cfg    *Config
	mark   capture.Mark
	cursor string // the name cursors are stored under; "" stores none
	live   bool

	pending []pending
	report  Report
}

// pending is a mail that was read since the last commit.
type pending struct {
	item    capture.Item
	head    capture.Header
	content Staged
	problem fault.Code
	blank   bool // not even a header block came
}

// Wanted asks the ledger which of the heads it has seen. A mail without a Message-ID has to be
// read before anybody can tell.
func (in *intake) Wanted(ctx context.Context, heads []capture.Item) ([]bool, error) {
	wanted := make([]bool, len(heads))
	prints := make(map[capture.Key][32]byte, len(heads))
	keys := make([]capture.Key, len(heads))
	for i, item := range heads {
		h, err := in.cfg.ReadHeader(io.LimitReader(item.Raw, headLimit))
		if err != nil {
			return nil, fmt.Errorf("read header: %w", err)
		}
		if h.MessageID == "" || h.Ambiguous {
			wanted[i] = true
			continue
		}
		keys[i] = capture.MailKey(in.cfg.Account, h.MessageID)
		prints[keys[i]] = capture.Fingerprint(h)
	}
	known, err := in.cfg.Ledger.Known(ctx, prints)
	if err != nil {
		return nil, fmt.Errorf("ask ledger: %w", err)
	}
	for i, key := range keys {
		if key == "" {
			continue
		}
		k, seen := known[key]
		wanted[i] = !seen || !k.Same
		if !wanted[i] {
			in.report.Already++
		}
	}
	return wanted, nil
}

// Mail stages the raw mail and remembers it until the next commit.
func (in *intake) Mail(ctx context.Context, item capture.Item, problem error) error {
	p := pending{item: item, blank: item.Raw == nil}
	if problem != nil {
		p.problem = fault.Of(problem).Code
		if p.problem == fault.MailGone {
			in.report.Gone++
			return nil
		}
	}
	var head bytes.Buffer
	if item.Raw != nil {
		tee := io.TeeReader(item.Raw, &capped{buf: &head, left: headLimit})
		if p.problem != "" { // only the header block came
			if _, err := io.Copy(io.Discard, tee); err != nil {
				return fmt.Errorf("read header block: %w", err)
			}
		} else {
			staged, err := in.cfg.Ledger.Stage(ctx, tee)
			if err != nil {
				return fmt.Errorf("stage mail: %w", err)
			}
			p.content = staged
		}
	}
	h, err := in.cfg.ReadHeader(&head)
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	p.head = h
	p.item.Raw = nil
	in.pending = append(in.pending, p)
	return nil
}

// Reached commits everything handed over so far, and the cursor that passed it.
func (in *intake) Reached(ctx context.Context, cur capture.Cursor) error {
	var cursors []capture.Cursor
	if in.cursor != "" {
		cur.Folder = in.cursor
		cursors = []capture.Cursor{cur}
	}
	mails, err := in.settle(ctx)
	if err != nil {
		return err
	}
	if len(mails) == 0 && len(cursors) == 0 {
		return nil
	}
	added, err := in.cfg.Ledger.Admit(ctx, mails, cursors)
	if err != nil {
		return fmt.Errorf("admit mails: %w", err)
	}
	in.report.Queued += added
	in.report.Already += len(mails) - added
	if added > 0 {
		in.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "mails admitted", slog.Int("new", added), slog.Int("known", len(mails)-added))
		in.cfg.Wake()
	}
	return nil
}

// settle gives each pending mail its identity and its verdict.
func (in *intake) settle(ctx context.Context) ([]NewMail, error) {
	batch := in.pending
	in.pending = nil
	prints := make(map[capture.Key][32]byte, len(batch))
	for _, p := range batch {
		if p.head.MessageID != "" && !p.head.Ambiguous {
			prints[capture.MailKey(in.cfg.Account, p.head.MessageID)] = capture.Fingerprint(p.head)
		}
	}
	known, err := in.cfg.Ledger.Known(ctx, prints)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ask ledger: %w", err), in.drop(ctx, batch))
	}
	mails := make([]NewMail, 0, len(batch))
	taken := make(map[capture.Key][32]byte, len(batch))
	for _, p := range batch {
		m := in.newMail(p)
		if m.Key == "" {
			m.Key = in.identify(p, known, taken)
		}
		if _, twice := taken[m.Key]; twice { // the same mail twice in one batch
			in.report.Already++
			if err := in.drop(ctx, []pending{p}); err != nil {
				return nil, err
			}
			continue
		}
		taken[m.Key] = m.Fingerprint
		mails = append(mails, m)
	}
	return mails, nil
}

// identify returns the mail's key. Its Message-ID is enough unless another mail holds it.
func (in *intake) identify(p pending, known map[capture.Key]Known, taken map[capture.Key][32]byte) capture.Key {
	print := capture.Fingerprint(p.head)
	if p.head.Ambiguous {
		return capture.DigestKey(in.cfg.Account, p.head.MessageID, print)
	}
	key := capture.MailKey(in.cfg.Account, p.head.MessageID)
	if k, seen := known[key]; seen && !k.Same {
		return capture.DigestKey(in.cfg.Account, p.head.MessageID, print)
	}
	if other, here := taken[key]; here && other != print {
		return capture.DigestKey(in.cfg.Account, p.head.MessageID, print)
	}
	return key
}

func (in *intake) newMail(p pending) NewMail {
	m := NewMail{
		Fingerprint: capture.Fingerprint(p.head), Mark: in.mark, Ref: p.item.Ref, Size: p.item.Size,
		Received: p.item.Received, Head: p.head, Content: p.content, Verdict: Queue,
		Live: in.live && in.cfg.Now().Sub(p.item.Received) < liveAge,
	}
	if p.head.MessageID == "" {
		digest := m.Fingerprint
		switch {
		case p.content != nil:
			digest = p.content.SHA256()
		case p.blank: // nothing but its place tells it from the next one
			digest = sha256.Sum256(fmt.Appendf(nil, "%d %d %d %s", m.Ref.Validity, m.Ref.UID, m.Size, m.Ref.Folder))
		}
		m.Key = capture.DigestKey(in.cfg.Account, "", digest)
	}
	if p.problem != "" {
		m.Verdict, m.Why = Hold, p.problem
		return m
	}
	seen := rules.Message{Header: p.head, Folder: p.item.Ref.Folder, Size: p.item.Size, Files: p.item.Files, Received: p.item.Received}
	switch d := in.cfg.Rules().Decide(seen, in.mark, false); d.Verdict {
	case rules.Hold:
		m.Verdict, m.Why = Hold, fault.Code(d.Why)
	case rules.Filter:
		m.Verdict, m.Rule = Filter, d.Why
	}
	return m
}

func (in *intake) drop(ctx context.Context, batch []pending) error {
	var errs []error
	for _, p := range batch {
		if p.content != nil {
			errs = append(errs, p.content.Discard(ctx))
		}
	}
	return errors.Join(errs...)
}

// abandon gives up what was read but not committed, after a scan that ended early.
func (in *intake) abandon(ctx context.Context) error {
	batch := in.pending
	in.pending = nil
	return in.drop(ctx, batch)
}

// capped is a writer that keeps the first bytes and swallows the rest.
type capped struct {
	buf  *bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	if n := min(len(p), c.left); n > 0 {
		c.buf.Write(p[:n])
		c.left -= n
	}
	return len(p), nil
}
