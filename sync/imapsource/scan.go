package imapsource

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// Sink receives what a scan finds, in UID order. Any error ends the scan and is returned. Its
// methods must not call the Source with a context that outlives the scan.
type Sink interface {
	// Wanted says which of the mails (header block in Raw, 64 KB of it at most) are wanted in
	// full. It is only called with HeadersFirst, or when the folder was renumbered.
	Wanted(ctx context.Context, heads []capture.Item) ([]bool, error)
	// Mail hands over one mail; item.Raw streams it and is valid during the call. A mail that
	// could not be read comes with Raw nil and a [fault.Error] saying why (MailGone,
	// MailUnreadable); one over MaxSize with its header block in Raw and MailTooLarge.
	//
	// A mail over 1 MB is read while Raw is read: Raw may then return a fault. When that is one
	// of the three above and Mail returns it, the scan goes on: Mail is called again with Raw nil.
	Mail(ctx context.Context, item capture.Item, problem error) error
	// Reached says that everything before cur has been handed over: commit.
	Reached(ctx context.Context, cur capture.Cursor) error
}

// ScanRequest says what a scan looks for.
type ScanRequest struct {
	Cursor       capture.Cursor // where the last scan ended; only Folder set: from the beginning
	Keyword      string         // "": every mail from the cursor on; else the mails that carry it
	HeadersFirst bool           // ask the sink by header blocks which mails it wants
	MaxSize      int64          // bytes of a mail that is read in full; 0: any
	// Since leaves out what was received (INTERNALDATE) earlier, at the first look at a folder and
	// after it was renumbered. Where the cursor holds, and with a keyword, nothing is left out.
	// Zero: no limit.
	Since     time.Time
	Structure bool // fill in Files of the header blocks
}

const (
	metaWindow    = 500        // mails per request for sizes
	headerWindow  = 200        // mails per request for header blocks
	batchBytes    = 4 << 20    // of mails per request, and of memory per arena
	batchMails    = 500        // mails per request
	directRange   = metaWindow // so few possible UIDs are asked for without a search
	typicalHeader = 4 << 10    // bytes
)

// Scan hands over the mails of one folder that the request asks for. A folder that was renumbered
// (another UIDVALIDITY, or UIDNEXT before the cursor) is read from its beginning, headers first.
// Mails that arrive meanwhile belong to the next scan.
//
// With a keyword, mails are found through MODSEQ where the server has it; else all that carry it
// are searched and those already handed over since the program started are left out, unless
// the cursor is empty. Taking the keyword off and setting it again offers a mail again.
func (s *Source) Scan(ctx context.Context, req ScanRequest, sink Sink) error {
	if strings.ContainsFunc(req.Keyword, notAtom) {
		return fault.New(fault.ConfigInvalid, "scan", errors.New("the keyword is no IMAP atom"))
	}
	r, err := s.open(ctx, req.Cursor.Folder)
	if err != nil {
		return err
	}
	defer r.release()
	sc := &scan{r: r, req: req, sink: sink, from: start(req.Cursor, r.box)}
	sc.req.HeadersFirst = req.HeadersFirst || sc.from.renumbered
	return sc.run(ctx)
}

func notAtom(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) }

// beginning is where a scan begins.
type beginning struct {
	uid        imap.UID
	modSeq     uint64
	renumbered bool
	first      bool // nothing is known about the folder
}

func start(cur capture.Cursor, box folderState) beginning {
	known := cur.Validity != 0
	valid := cur.Validity == box.validity && (box.next == 0 || imap.UID(cur.Next) <= box.next)
	switch {
	case known && valid:
		return beginning{uid: max(1, imap.UID(cur.Next)), modSeq: cur.ModSeq}
	case known:
		return beginning{uid: 1, renumbered: true, first: true}
	}
	return beginning{uid: 1, first: true}
}

// scan is one Scan under way.
type scan struct {
	r    *reader
	req  ScanRequest
	sink Sink
	from beginning
}

func (sc *scan) run(ctx context.Context) error {
	end := capture.Cursor{
		Folder: sc.req.Cursor.Folder, Validity: sc.r.box.validity,
		Next: uint32(sc.r.box.next), ModSeq: sc.r.box.modSeq,
	}
	if sc.req.Keyword != "" {
		return sc.keyword(ctx, end)
	}
	if sc.r.box.next != 0 && sc.from.uid >= sc.r.box.next {
		return sc.finish(ctx, end)
	}
	targets, searched, err := sc.all(ctx)
	if err != nil {
		return err
	}
	if end.Next == 0 {
		end.Next = uint32(sc.from.uid)
		if n := len(targets); n > 0 {
			end.Next = uint32(targets[n-1].Stop) + 1
		}
	}
	if err := sc.feed(ctx, targets, searched, func(uid imap.UID) capture.Cursor {
		cur := end
		cur.Next, cur.ModSeq = uint32(uid)+1, 0
		return cur
	}); err != nil {
		return err
	}
	return sc.finish(ctx, end)
}

// finish reports the last cursor unless it says nothing new.
func (sc *scan) finish(ctx context.Context, end capture.Cursor) error {
	if end == sc.req.Cursor {
		return nil
	}
	return sc.sink.Reached(ctx, end)
}

// all returns the UIDs from the scan's beginning to the end of the folder; searched says that
// each of them exists.
func (sc *scan) all(ctx context.Context) (targets imap.UIDSet, searched bool, err error) {
	next := sc.r.box.next
	since := sc.since()
	if next != 0 && next-sc.from.uid <= directRange && !sc.req.HeadersFirst && since.IsZero() {
		return imap.UIDSet{{Start: sc.from.uid, Stop: next - 1}}, false, nil
	}
	var set imap.UIDSet
	set.AddRange(sc.from.uid, 0)
	criteria := &imap.SearchCriteria{UID: []imap.UIDSet{set}}
	if !since.IsZero() {
		// SINCE knows days alone, in the server's own time zone: the day before catches all.
		criteria.Since = since.UTC().AddDate(0, 0, -1)
	}
	found, err := sc.r.ses.search(ctx, criteria)
	if err != nil {
		return nil, false, err
	}
	// "5:*" always means the last mail too (RFC 3501 section 6.4.8): drop it when it is older.
	last := next - 1
	if next == 0 {
		last = 0
	}
	targets, err = sc.checked(clip(found, sc.from.uid, last))
	return targets, true, err
}

// since returns the time before which mails are left out; zero: none are.
func (sc *scan) since() time.Time {
	if !sc.from.first || sc.req.Keyword != "" {
		return time.Time{}
	}
	return sc.req.Since.Truncate(time.Second) // as the server has it
}

// early reports whether a mail came before the time that the request names. One without a date is
// for the sink to judge.
func (sc *scan) early(p *part) bool {
	return p.problem == nil && !p.received.IsZero() && p.received.Before(sc.since())
}

// checked refuses more mails than the folder holds: a lying answer could name four billion.
func (sc *scan) checked(set imap.UIDSet) (imap.UIDSet, error) {
	if count(set) > uint64(sc.r.box.messages)+metaWindow {
		return nil, fault.New(fault.MailProtocol, "search mails", nil)
	}
	return set, nil
}

// count returns how many UIDs a set has, none of whose ranges is open.
func count(set imap.UIDSet) uint64 {
	var n uint64
	for _, r := range set {
		n += uint64(r.Stop-r.Start) + 1
	}
	return n
}

// clip returns the part of set from first to last; last 0 means no end.
func clip(set imap.UIDSet, first, last imap.UID) imap.UIDSet {
	if last == 0 {
		last = ^imap.UID(0)
	}
	var out imap.UIDSet
	for _, r := range set {
		r.Start, r.Stop = max(r.Start, first), min(r.Stop, last)
		if r.Start <= r.Stop && r.Start != 0 {
			out = append(out, r)
		}
	}
	return out
}

// feed reads the targets and hands them over; searched says that they are known to exist. cursor
// names the place behind a UID.
func (sc *scan) feed(ctx context.Context, targets imap.UIDSet, searched bool, cursor func(imap.UID) capture.Cursor) error {
	size := metaWindow
	if sc.req.HeadersFirst {
		size = headerWindow
	}
	return relayed(ctx, func(ctx context.Context, q *relay) error {
		d := &delivery{r: sc.r, sink: sc.sink, q: q, maxSize: sc.req.MaxSize, share: ofBodies, arenas: newArenas()}
		heads := &arena{}
		for uids := range windows(targets, size) {
			if err := sc.r.s.meter.allow(ofRest); err != nil {
				return err
			}
			metas, err := sc.look(ctx, uids, heads, searched)
			if err != nil {
				return err
			}
			if sc.req.HeadersFirst {
				if err := sc.r.about(ctx, metas, sc.req.Structure); err != nil {
					return err
				}
				if metas, err = sc.choose(ctx, q, metas); err != nil {
					return err
				}
			}
			reached := func(uid imap.UID) error { return sc.sink.Reached(ctx, cursor(uid)) }
			if err := d.send(ctx, metas, reached); err != nil {
				return err
			}
			last := uids[len(uids)-1]
			if err := q.post(ctx, func() error { return reached(last) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// look reads sizes, dates, flags and (HeadersFirst) header blocks, in UID order. A mail that was
// searched and does not answer is looked into.
func (sc *scan) look(ctx context.Context, uids []imap.UID, heads *arena, searched bool) ([]*part, error) {
	ask := request{meta: true, into: heads}
	if sc.req.HeadersFirst {
		ask.section, ask.limit = headerSection(), largeMail
		heads.reset(len(uids) * typicalHeader)
	}
	got := parts{}
	if searched {
		if err := sc.r.collect(ctx, uids, ask, got); err != nil {
			return nil, err
		}
	} else if err := sc.r.glance(ctx, uids, ask, got); err != nil {
		return nil, err
	}
	metas := make([]*part, 0, len(got))
	for _, uid := range uids {
		if p := got[uid]; p != nil && !sc.early(p) {
			metas = append(metas, p)
		}
	}
	return metas, nil
}

// glance is collect for a range of UIDs of which most may never have existed.
func (r *reader) glance(ctx context.Context, uids []imap.UID, ask request, got parts) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	set := imap.UIDSet{{Start: uids[0], Stop: uids[len(uids)-1]}}
	err := r.ses.fetch(ctx, set, ask, set.Contains, got)
	broken := err != nil
	for _, p := range got {
		broken = broken || !ask.complete(p)
	}
	if !broken {
		r.tally(ask).good += len(got)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lost := isLost(err)
	if !lost {
		if err := refusal(err); err != nil {
			return err
		}
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	there, err := r.ses.search(ctx, &imap.SearchCriteria{UID: []imap.UIDSet{set}})
	if err != nil {
		return err
	}
	var exact []imap.UID
	for _, uid := range uids {
		if there.Contains(uid) {
			exact = append(exact, uid)
		}
	}
	exact = ask.missing(exact, got)
	switch {
	case len(exact) == 0:
		return nil
	case lost:
		return r.isolate(ctx, exact, ask, got)
	}
	return r.collect(ctx, exact, ask, got)
}

// choose asks the sink which mails it wants. One whose header block could not be read stays in:
// it is handed over with its problem.
func (sc *scan) choose(ctx context.Context, q *relay, metas []*part) ([]*part, error) {
	var heads []capture.Item
	for _, p := range metas {
		if p.problem == nil {
			item := sc.r.item(p)
			item.Raw = bytes.NewReader(p.body)
			heads = append(heads, item)
		}
	}
	if len(heads) == 0 {
		return metas, nil
	}
	var wanted []bool
	err := q.call(ctx, func() (err error) {
		wanted, err = sc.sink.Wanted(ctx, heads)
		return err
	})
	if err != nil {
		return nil, err
	}
	kept := metas[:0]
	i := 0
	for _, p := range metas {
		if p.problem == nil {
			i++
			if i > len(wanted) || !wanted[i-1] {
				continue
			}
		}
		kept = append(kept, p)
	}
	return kept, nil
}
