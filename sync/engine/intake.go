package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// liveAge is how young a mail must be to go before the backlog.
const liveAge = 10 * time.Minute

// Report counts what an intake did.
type Report struct {
	Queued  int // new in the ledger, whatever the rules said
	Already int // in the ledger before
	Gone    int // no longer in the mailbox
	Denied  int // of Queued and Already: left out by the company's rules
}

// intake is the [Sink] of one scan: it turns items into ledger rows and commits them with the
// cursor that passed them. One goroutine uses it at a time.
type intake struct {
	cfg    *Config
	mark   capture.Mark // "" where nobody marked the mails
	role   string       // of the folder
	cursor string       // the name cursors are stored under; "" stores none
	live   bool

	automatic   bool                // the mails are those of a folder that is looked into
	threadsOnly bool                // and only those of followed conversations count
	first       bool                // the folder was not looked at before
	following   map[int64]time.Time // the followed conversations, and since when
	urgent      func() bool         // whether something else comes first; nil: never
	looked      func(n int)         // told how many mails were looked at; nil: nobody

	judged  map[capture.Ref]*judged // wanted, and not here yet
	pending []pending
	report  Report
}

// pending is a mail that was read since the last commit.
type pending struct {
	item    capture.Item
	self    self
	mail    *judged
	content Staged
	problem fault.Code
	blank   bool // not even a header block came
}

// Mail stages the raw mail, decides about it with all that is known now, and remembers it until the
// next commit.
func (in *intake) Mail(ctx context.Context, item capture.Item, problem error) error {
	p := pending{item: bare(item), blank: item.Raw == nil}
	if problem != nil {
		p.problem = fault.Of(problem).Code
		if p.problem == fault.MailGone {
			in.report.Gone++
			delete(in.judged, item.Ref)
			return nil
		}
	}
	var head bytes.Buffer
	var body *rules.Body // nil where nobody asked for it
	if item.Raw != nil {
		tee := io.TeeReader(item.Raw, &capped{buf: &head, left: headLimit})
		if p.problem != "" { // only the header block came
			if _, err := io.Copy(io.Discard, tee); err != nil {
				return fmt.Errorf("read header block: %w", err)
			}
		} else {
			var err error
			if p.content, body, err = in.stage(ctx, tee, item.Size); err != nil {
				return err
			}
			if in.automatic && body == nil {
				p.problem = fault.MailUnreadable
			}
		}
	}
	block := head.Bytes()
	h, err := in.cfg.ReadHeader(&head)
	if err != nil {
		return errors.Join(fmt.Errorf("read header: %w", err), in.drop(ctx, p))
	}
	p.self = self{head: h, print: capture.Fingerprint(h), digest: sha256.Sum256(block)}
	if p.content != nil {
		p.self.digest = p.content.SHA256()
	}
	if err := in.weigh(ctx, &p, body); err != nil {
		return errors.Join(err, in.drop(ctx, p))
	}
	in.pending = append(in.pending, p)
	return nil
}

// stage seals a raw mail and, of one that nobody marked, reads the text on its way: nil when it
// cannot be read.
func (in *intake) stage(ctx context.Context, raw io.Reader, size int64) (Staged, *rules.Body, error) {
	if !in.automatic {
		staged, err := in.cfg.Ledger.Stage(ctx, raw)
		if err != nil {
			return nil, nil, fmt.Errorf("stage mail: %w", err)
		}
		return staged, nil, nil
	}
	r, w := io.Pipe()
	text := make(chan *rules.Body, 1)
	go func() {
		body, err := in.cfg.ReadBody(r, size)
		_, _ = io.Copy(io.Discard, r) // the writer waits for a reader; its own errors are the stage's
		if err != nil {
			text <- nil
			return
		}
		text <- &body
	}()
	staged, err := in.cfg.Ledger.Stage(ctx, io.TeeReader(raw, w))
	_ = w.CloseWithError(err) // always nil
	body := <-text
	if err != nil {
		return nil, nil, fmt.Errorf("stage mail: %w", err)
	}
	return staged, body, nil
}

// weigh decides about one mail that came. What was found out from its header block is used again,
// unless another mail came than the one that was asked for.
func (in *intake) weigh(ctx context.Context, p *pending, body *rules.Body) error {
	m := &judged{Message: in.message(p.item, p.self.head), print: p.self.print}
	if before := in.judged[p.item.Ref]; before != nil {
		delete(in.judged, p.item.Ref)
		if p.blank {
			p.self.head, p.self.print, p.blank = before.Header, before.print, false
		}
		if before.print == p.self.print {
			m = before
		}
	}
	p.mail = m
	if p.blank && in.automatic {
		m.decision = rules.Decision{Verdict: rules.Hold} // nobody can tell; the problem says why
		return nil
	}
	if m.Body = body; body == nil {
		m.Body = &rules.Body{} // whoever marked it, or the problem, makes up for it
	}
	err := in.decide(ctx, []*judged{m})
	m.Body = nil // the text is not kept
	return err
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
		for _, m := range mails {
			if m.Content != nil {
				err = errors.Join(err, m.Content.Discard(context.WithoutCancel(ctx)))
			}
		}
		return fmt.Errorf("admit mails: %w", err)
	}
	in.report.Queued += added
	in.report.Already += len(mails) - added
	if len(mails) > 0 {
		in.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "mails admitted", slog.Int("new", added), slog.Int("known", len(mails)-added))
	}
	if slices.ContainsFunc(mails, func(m NewMail) bool { return m.Verdict == Queue }) {
		in.cfg.Wake()
	}
	if in.urgent != nil && in.urgent() {
		return errAside // the cursor says where to go on
	}
	return nil
}

// settle gives each pending mail its identity and its verdict.
func (in *intake) settle(ctx context.Context) ([]NewMail, error) {
	batch := in.pending
	in.pending = nil
	selves := make([]self, len(batch))
	for i, p := range batch {
		selves[i] = p.self
		if p.blank && p.self.head.MessageID == "" { // nothing but its place tells it from the next one
			at := fmt.Appendf(nil, "%d %d %d %s", p.item.Ref.Validity, p.item.Ref.UID, p.item.Size, p.item.Ref.Folder)
			selves[i].digest = sha256.Sum256(at)
		}
	}
	ids, err := identify(ctx, in.cfg, selves)
	if err != nil {
		return nil, errors.Join(err, in.drop(ctx, batch...))
	}
	mails := make([]NewMail, 0, len(batch))
	taken := make(map[capture.Key]bool, len(batch))
	for i, p := range batch {
		if taken[ids[i].key] { // the same mail twice in one batch
			in.report.Already++
			if err := in.drop(ctx, p); err != nil {
				return nil, err
			}
			continue
		}
		m, wanted := in.newMail(p, ids[i])
		if !wanted || m.Verdict == Filter {
			m.Content = nil
			if err := in.drop(ctx, p); err != nil {
				return nil, err
			}
		}
		if wanted {
			taken[m.Key] = true
			mails = append(mails, m)
		}
	}
	return mails, nil
}

// newMail makes a row of the ledger; false for a mail that the ledger need not hear of.
func (in *intake) newMail(p pending, id known) (NewMail, bool) {
	m := NewMail{
		Key: id.key, Fingerprint: p.self.print, Mark: in.mark, Ref: p.item.Ref, Size: p.item.Size,
		Received: p.item.Received, Head: p.self.head, Content: p.content, Verdict: Queue, By: p.mail.decision.Rule,
		Again: id.seen && rethinks(id.row, in.mark),
		Live:  in.live && in.cfg.Now().Sub(p.item.Received) < liveAge,
	}
	if in.automatic {
		if m.Mark = capture.MarkRule; p.mail.followed {
			m.Mark = capture.MarkThread
		}
	}
	switch d := p.mail.decision; {
	case d.Verdict == rules.Filter:
		m.Verdict, m.Rule, m.Head = Filter, d.Why, capture.Header{}
		in.deny()
		return m, in.records(p.mail) && !(m.Again && in.automatic)
	case p.problem != "":
		m.Verdict, m.Why = Hold, p.problem
	case d.Verdict == rules.Hold:
		m.Verdict, m.Why = Hold, fault.Code(d.Why)
	}
	return m, !in.threadsOnly || p.mail.followed
}

func (in *intake) drop(ctx context.Context, batch ...pending) error {
	var errs []error
	for _, p := range batch {
		if p.content != nil {
			errs = append(errs, p.content.Discard(context.WithoutCancel(ctx)))
		}
	}
	return errors.Join(errs...)
}

// abandon gives up what was read but not committed, after a scan that ended early.
func (in *intake) abandon(ctx context.Context) error {
	batch := in.pending
	in.pending = nil
	clear(in.judged)
	return in.drop(ctx, batch...)
}
