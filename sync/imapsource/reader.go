package imapsource

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/emersion/go-imap/v2"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

const (
	maxReopens  = 20 // connections that one call may use up
	quickOpens  = 3  // of them without a pause
	reopenPause = 2 * time.Second
	// So many unreadable mails, and not one readable, mean that the server is at fault.
	systematic = 5
)

// tally counts mails that were read and that were set aside as unreadable.
type tally struct{ good, bad int }

func (r *reader) tally(ask request) *tally {
	if ask.section == nil {
		return &r.tallies[0]
	}
	return &r.tallies[1]
}

// reader reads mails of one opened folder. It puts up with connections that break: a mail that
// breaks them each time is set aside with a problem. One goroutine uses it at a time.
type reader struct {
	s       *Source
	ses     *session // nil after a reopen that did not come about
	folder  string
	box     folderState
	reopens int
	tallies [2]tally // of requests without and with bodies
	mute    bool     // asking what mails hold ended badly: it is not asked again
}

// open takes a connection and opens folder. The reader must be released.
func (s *Source) open(ctx context.Context, folder string) (*reader, error) {
	ses, reused, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	box, err := ses.examine(ctx, folder)
	if reused && isLost(err) {
		ses.close()
		if ses, err = s.dial(ctx, secret.String{}); err == nil {
			box, err = ses.examine(ctx, folder)
		}
	}
	if err != nil {
		s.give(ses)
		return nil, err
	}
	return &reader{s: s, ses: ses, folder: folder, box: box}, nil
}

func (r *reader) release() { r.s.give(r.ses) }

// ready replaces a broken connection.
func (r *reader) ready(ctx context.Context) error {
	if r.ses != nil && r.ses.healthy() {
		return nil
	}
	const op = "open the folder again"
	if r.ses != nil {
		r.ses.close()
		r.ses = nil
	}
	if r.reopens++; r.reopens > maxReopens {
		return fault.New(fault.MailProtocol, op, errors.New("the connection breaks again and again"))
	}
	if r.reopens > quickOpens {
		if err := sleep(ctx, reopenPause); err != nil {
			return err
		}
	}
	ses, err := r.s.dial(ctx, secret.String{})
	if err != nil {
		return err
	}
	r.ses = ses
	box, err := ses.examine(ctx, r.folder)
	if err != nil {
		return err
	}
	if box.validity != r.box.validity {
		return fault.New(fault.MailBusy, op, errors.New("the folder was renumbered meanwhile"))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// collect reads what ask wants of uids (ascending) into got. Afterwards got holds every one of
// them, complete or with a problem; else the error says why nothing more can be read.
func (r *reader) collect(ctx context.Context, uids []imap.UID, ask request, got parts) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	set := imap.UIDSetNum(uids...)
	err := r.ses.fetch(ctx, set, ask, set.Contains, got)
	rest := ask.missing(uids, got)
	r.tally(ask).good += len(uids) - len(rest)
	switch {
	case len(rest) == 0:
		return ctx.Err()
	case isLost(err):
		return r.isolate(ctx, rest, ask, got)
	}
	if err := refusal(err); err != nil {
		return err
	}
	if rest, err = r.markGone(ctx, rest, got); err != nil {
		return err
	}
	for _, uid := range rest {
		if err := r.alone(ctx, uid, ask, got); err != nil {
			return err
		}
	}
	return nil
}

// refusal returns the error that ends a call: none when the server answered NO or BAD about some
// mails, which single requests find out.
func refusal(err error) error {
	var status *imap.Error
	if !errors.As(err, &status) {
		return err
	}
	if isBusy(status) {
		return statusFault(fault.MailBusy, "read mails", status)
	}
	return nil
}

// busy returns the fault of a server that would have refused, or hung up on, any mail at this
// moment; nil when it may be about the one that was asked for.
func busy(err error) error {
	if !isLost(err) {
		if err = refusal(err); fault.Is(err, fault.MailBusy) {
			return err
		}
		return nil
	}
	if f := fault.Of(err); f.Code == fault.MailBusy && soundsBusy(f.Detail) {
		return f
	}
	return nil
}

// isolate reads uids, among which one broke the connection. Servers answer in ascending order,
// so the first one without an answer is the suspect; where that is wrong, halving finds it.
func (r *reader) isolate(ctx context.Context, uids []imap.UID, ask request, got parts) error {
	if err := r.alone(ctx, uids[0], ask, got); err != nil {
		return err
	}
	for rest := uids[1:]; len(rest) > 0; {
		half := rest[:(len(rest)+1)/2]
		if got[uids[0]].problem != nil {
			half = rest // the suspect was it
		}
		if err := r.collect(ctx, half, ask, got); err != nil {
			return err
		}
		rest = rest[len(half):]
	}
	return nil
}

// markGone gives those of uids that no longer exist the problem MailGone and returns the others.
func (r *reader) markGone(ctx context.Context, uids []imap.UID, got parts) ([]imap.UID, error) {
	there, err := r.ses.search(ctx, &imap.SearchCriteria{UID: []imap.UIDSet{imap.UIDSetNum(uids...)}})
	if isLost(err) {
		return uids, nil // each is tried on another connection
	}
	if err != nil {
		return nil, err
	}
	var rest []imap.UID
	for _, uid := range uids {
		if there.Contains(uid) {
			rest = append(rest, uid)
			continue
		}
		r.problem(got, uid, fault.MailGone, nil)
	}
	return rest, nil
}

func (r *reader) problem(got parts, uid imap.UID, code fault.Code, err error) {
	p := got[uid]
	if p == nil {
		p = &part{uid: uid}
		got[uid] = p
	}
	p.problem = fault.New(code, "read one mail", err)
}

// alone reads one mail that a larger request did not bring: as asked, then in another way. What
// fails twice gets a problem.
func (r *reader) alone(ctx context.Context, uid imap.UID, ask request, got parts) error {
	first := got[uid]
	var why error
	for _, read := range []func(context.Context, imap.UID, request) (*part, error){r.byUID, r.bySequence} {
		if err := r.ready(ctx); err != nil {
			return err
		}
		p, err := read(ctx, uid, ask)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if ask.complete(p) || agree(first, p) {
			got[uid] = p
			r.tally(ask).good++
			return nil
		}
		if err != nil {
			why = err
		}
		if busy := busy(err); busy != nil {
			return busy
		}
		if p != nil {
			first = p
		}
	}
	n := r.tally(ask)
	n.bad++
	r.s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "mail cannot be read",
		slog.Uint64("uid", uint64(uid)), slog.Any("err", why))
	if n.good == 0 && n.bad >= systematic {
		return fault.New(fault.MailProtocol, "read mails", why)
	}
	r.problem(got, uid, fault.MailUnreadable, why)
	return nil
}

// agree reports whether two readings brought the same body, which is then whole although shorter
// than RFC822.SIZE promised: some servers only estimate that.
func agree(a, b *part) bool {
	return a != nil && b != nil && a.hasBody && b.hasBody && len(a.body) > 0 && len(a.body) == len(b.body)
}

func (r *reader) byUID(ctx context.Context, uid imap.UID, ask request) (*part, error) {
	got := parts{}
	err := r.ses.fetch(ctx, imap.UIDSetNum(uid), ask, func(u imap.UID) bool { return u == uid }, got)
	return got[uid], err
}

// bySequence reads one mail by its message number and with other items than byUID: that helps
// where the server puts the UID last, where one item cannot be understood, and where the other
// way breaks the server.
func (r *reader) bySequence(ctx context.Context, uid imap.UID, ask request) (*part, error) {
	seq, err := r.ses.sequence(ctx, uid)
	if err != nil {
		return nil, err
	}
	if seq == 0 {
		return &part{uid: uid, problem: fault.New(fault.MailGone, "read one mail", nil)}, nil
	}
	ask.bare = true
	whole := ask.section != nil && ask.section.Specifier == imap.PartSpecifierNone && ask.section.Partial == nil
	if !whole {
		return r.numbered(ctx, seq, uid, ask)
	}
	least := ask.least
	ask.least = nil
	ask.section = &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}
	head, err := r.numbered(ctx, seq, uid, ask)
	if err != nil || head == nil || !ask.complete(head) {
		return nil, err
	}
	ask.section = &imap.FetchItemBodySection{Specifier: imap.PartSpecifierText, Peek: true}
	text, err := r.numbered(ctx, seq, uid, ask)
	if err != nil || text == nil || !ask.complete(text) {
		return nil, err
	}
	text.body = append(append(make([]byte, 0, len(head.body)+len(text.body)), head.body...), text.body...)
	ask.least = least
	return text, nil
}

func (r *reader) numbered(ctx context.Context, seq uint32, uid imap.UID, ask request) (*part, error) {
	got := parts{}
	err := r.ses.fetch(ctx, imap.SeqSetNum(seq), ask, func(u imap.UID) bool { return u == uid }, got)
	return got[uid], err
}
