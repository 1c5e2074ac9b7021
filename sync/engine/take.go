package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// Fetch brings in the named mails at once, as marked by hand.
func (e *Engine) Fetch(ctx context.Context, refs []capture.Ref) (Report, error) {
	in := e.byHand()
	if e.cfg.Rules().Strict() {
		var err error
		if refs, err = e.permitted(ctx, in, refs); err != nil {
			return in.report, errors.Join(fmt.Errorf("ask the company's rules: %w", err), in.abandon(ctx))
		}
	}
	if err := e.cfg.Source.Fetch(ctx, refs, in); err != nil {
		return in.report, errors.Join(fmt.Errorf("fetch by hand: %w", err), in.abandon(ctx))
	}
	err := in.Reached(ctx, capture.Cursor{})
	e.cfg.Wake() // a mail that was held or left out is known, and yet queued now
	return in.report, err
}

// permitted returns the mails that the company lets a person capture, and those that are gone,
// which the fetch will count. The others are noted without being read.
func (e *Engine) permitted(ctx context.Context, in *intake, refs []capture.Ref) ([]capture.Ref, error) {
	heads, err := e.cfg.Source.Heads(ctx, refs)
	if err != nil {
		return nil, err
	}
	wanted, err := in.Wanted(ctx, heads)
	if err != nil {
		return nil, err
	}
	left := slices.Clone(refs)
	for i, item := range heads {
		if !wanted[i] {
			left = slices.DeleteFunc(left, func(r capture.Ref) bool { return r == item.Ref })
		}
	}
	return left, nil
}

// Take brings in a mail that lies outside of the mailbox, as marked by hand. Faults: Usage when it
// is none, MailTooLarge.
func (e *Engine) Take(ctx context.Context, mail io.Reader) (Report, error) {
	in := e.byHand()
	limit := int64(rules.MaxMail)
	if e.cfg.MaxSize > 0 {
		limit = min(limit, e.cfg.MaxSize)
	}
	raw := &counted{r: io.LimitReader(mail, limit+1)}
	item := capture.Item{Received: e.cfg.Now(), Files: -1, Raw: raw}
	err := in.Mail(ctx, item, nil)
	if err == nil {
		p := &in.pending[0]
		switch h := p.self.head; {
		case raw.n > limit:
			err = fault.New(fault.MailTooLarge, "take mail", nil)
		case h.MessageID == "" && len(h.From) == 0 && h.Date.IsZero():
			err = fault.New(fault.Usage, "take mail", nil)
		case !h.Date.IsZero():
			p.item.Received = h.Date
		}
		p.item.Size = raw.n
	}
	if err == nil {
		err = in.Reached(ctx, capture.Cursor{})
	}
	if err != nil {
		return in.report, errors.Join(err, in.abandon(ctx))
	}
	e.cfg.Wake()
	return in.report, nil
}

func (e *Engine) byHand() *intake {
	return &intake{cfg: &e.cfg, mark: capture.MarkHand, live: true, judged: map[capture.Ref]*judged{}}
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
