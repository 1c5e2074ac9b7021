package imapsource

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// delivery reads mails of a folder in full and hands them over: it reads one batch while the
// sink works on the one before.
type delivery struct {
	r       *reader
	sink    Sink
	q       *relay
	maxSize int64 // 0: any
	share   share // of the day's allowance
	arenas  chan *arena
}

func newArenas() chan *arena {
	arenas := make(chan *arena, 2)
	arenas <- &arena{}
	arenas <- &arena{}
	return arenas
}

func (r *reader) item(p *part) capture.Item {
	return capture.Item{
		Ref:      capture.Ref{Folder: r.folder, Validity: r.box.validity, UID: uint32(p.uid)},
		Size:     p.size,
		Received: p.received,
		Flags:    p.flags,
		Labels:   p.labels,
		Files:    p.files - 1,
	}
}

// send hands over the mails that metas describe, in that order. reached is called after each
// batch but the last one; nil: not at all.
func (d *delivery) send(ctx context.Context, metas []*part, reached func(imap.UID) error) error {
	for len(metas) > 0 {
		if err := d.r.s.meter.allow(d.share); err != nil {
			return err
		}
		n := d.run(metas)
		var err error
		if n > 0 {
			err = d.batch(ctx, metas[:n])
		} else {
			n = 1
			err = d.single(ctx, metas[0])
		}
		if err != nil {
			return err
		}
		last := metas[n-1].uid
		metas = metas[n:]
		if reached != nil && len(metas) > 0 {
			if err := d.q.post(ctx, func() error { return reached(last) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// run returns how many of metas, from the first on, make one batch.
func (d *delivery) run(metas []*part) int {
	var sum int64
	for i, p := range metas {
		small := p.problem == nil && p.size <= largeMail && !d.over(p)
		if sum += p.size; !small || i == batchMails || i > 0 && sum > batchBytes {
			return i
		}
	}
	return len(metas)
}

func (d *delivery) over(p *part) bool { return d.maxSize > 0 && p.size > d.maxSize }

// batch reads small mails with one request.
func (d *delivery) batch(ctx context.Context, metas []*part) error {
	var a *arena
	select {
	case a = <-d.arenas:
	case <-ctx.Done():
		return ctx.Err()
	}
	uids := make([]imap.UID, 0, len(metas))
	size := make(map[imap.UID]int64, len(metas))
	var sum int64
	for _, p := range metas {
		uids = append(uids, p.uid)
		size[p.uid] = p.size
		sum += p.size
	}
	// Sizes are often a little wrong: some room spares an allocation for the last mails.
	a.reset(int(sum + sum/16))
	got := make(parts, len(metas))
	ask := request{
		section: &imap.FetchItemBodySection{Peek: true},
		limit:   wholeLimit,
		into:    a,
		least:   func(uid imap.UID) int64 { return (size[uid] + 1) / 2 },
	}
	if err := d.r.collect(ctx, uids, ask, got); err != nil {
		return err
	}
	for i := 0; i < len(metas); i++ {
		if !got[metas[i].uid].tooLong {
			continue
		}
		if err := d.q.post(ctx, func() error { return d.hand(ctx, metas[:i], got) }); err != nil {
			return err
		}
		if err := d.large(ctx, metas[i]); err != nil {
			return err
		}
		metas, i = metas[i+1:], -1
	}
	return d.q.post(ctx, func() error {
		defer func() { d.arenas <- a }()
		return d.hand(ctx, metas, got)
	})
}

// hand gives mails that were read to the sink.
func (d *delivery) hand(ctx context.Context, metas []*part, got parts) error {
	var body bytes.Reader
	for _, m := range metas {
		item, p := d.r.item(m), got[m.uid]
		if p.problem == nil {
			body.Reset(p.body)
			item.Raw = &body
		}
		if err := d.sink.Mail(ctx, item, p.problem); err != nil {
			return err
		}
	}
	return nil
}

// single hands over one mail that does not belong into a batch.
func (d *delivery) single(ctx context.Context, m *part) error {
	switch {
	case m.problem != nil:
		return d.refuse(ctx, m, nil, m.problem)
	case d.over(m):
		return d.tooLarge(ctx, m)
	default:
		return d.large(ctx, m)
	}
}

func (d *delivery) refuse(ctx context.Context, m *part, head []byte, problem error) error {
	return d.q.post(ctx, func() error {
		item := d.r.item(m)
		if head != nil {
			item.Raw = bytes.NewReader(head)
		}
		return d.sink.Mail(ctx, item, problem)
	})
}

// tooLarge hands over the header block of a mail over the limit.
func (d *delivery) tooLarge(ctx context.Context, m *part) error {
	got := parts{}
	ask := request{section: headerSection(), limit: largeMail, into: &arena{}}
	if err := d.r.collect(ctx, []imap.UID{m.uid}, ask, got); err != nil {
		return err
	}
	p := got[m.uid]
	if p.problem != nil {
		return d.refuse(ctx, m, nil, p.problem)
	}
	return d.refuse(ctx, m, p.body, fault.New(fault.MailTooLarge, "read one mail", nil))
}

// large hands over a mail in slices, each read when the sink wants it.
func (d *delivery) large(ctx context.Context, m *part) error {
	a := &arena{}
	body := &sliced{size: m.size, most: d.maxSize, next: func(offset int64) ([]byte, error) {
		return d.r.slice(ctx, m, offset, a)
	}}
	return d.q.call(ctx, func() error {
		item := d.r.item(m)
		body.fill()
		if problem := lasting(body.err); problem != nil {
			return d.sink.Mail(ctx, item, problem)
		}
		item.Raw = body
		err := d.sink.Mail(ctx, item, nil)
		if problem := lasting(body.err); problem != nil && errors.Is(err, problem) {
			item.Raw = nil
			return d.sink.Mail(ctx, item, problem)
		}
		return err
	})
}

// lasting returns err when it is a fault of the mail alone: no second reading would help.
func lasting(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		switch f.Code {
		case fault.MailGone, fault.MailUnreadable, fault.MailTooLarge:
			return f
		}
	}
	return nil
}

// sliced reads a large mail slice by slice.
type sliced struct {
	next   func(offset int64) ([]byte, error) // empty: there is nothing at offset
	size   int64                              // RFC822.SIZE, which may be wrong
	most   int64                              // longest mail allowed; 0: any
	buf    []byte
	offset int64 // of the byte behind buf
	err    error // io.EOF: buf is the last of it
}

// Read implements [io.Reader].
func (s *sliced) Read(p []byte) (int, error) {
	if len(s.buf) == 0 {
		if s.fill(); len(s.buf) == 0 {
			return 0, s.err
		}
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

// fill reads the next slice. Afterwards buf holds something or err is set.
func (s *sliced) fill() {
	if s.err != nil {
		return
	}
	data, err := s.next(s.offset)
	if err == nil && len(data) == 0 && s.offset < s.size {
		data, err = s.next(s.offset) // an early end is only believed twice
	}
	if err != nil {
		s.err = err
		return
	}
	s.buf = data
	s.offset += int64(len(data))
	switch {
	case len(data) == 0, len(data) < sliceSize && s.offset >= s.size:
		s.err = io.EOF
	case s.most > 0 && s.offset > s.most:
		s.buf, s.err = nil, fault.New(fault.MailTooLarge, "read one mail", nil)
	case s.offset > 2*s.size+drainLimit:
		s.buf, s.err = nil, fault.New(fault.MailUnreadable, "read one mail", errors.New("it does not end"))
	}
}

// slice reads up to one slice of a mail from offset on; an empty one means that it ends there.
func (r *reader) slice(ctx context.Context, m *part, offset int64, a *arena) ([]byte, error) {
	const op = "read one mail"
	ask := request{
		section: &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: offset, Size: sliceSize}},
		limit:   sliceSize,
		into:    a,
	}
	var why error
	for range 3 {
		if err := r.ready(ctx); err != nil {
			return nil, err
		}
		a.reset(sliceSize)
		p, err := r.byUID(ctx, m.uid, ask)
		if p != nil && p.hasBody {
			return p.body, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if busy := busy(err); busy != nil {
			return nil, busy
		}
		if why = err; isLost(err) {
			continue
		}
		if err := refusal(err); err != nil {
			return nil, err
		}
		if seq, err := r.ses.sequence(ctx, m.uid); err == nil && seq == 0 {
			return nil, fault.New(fault.MailGone, op, nil)
		}
		if p != nil && offset >= m.size {
			return nil, nil // NIL beyond the end
		}
	}
	return nil, fault.New(fault.MailUnreadable, op, why)
}
