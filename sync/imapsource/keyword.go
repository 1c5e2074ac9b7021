package imapsource

import (
	"context"
	"iter"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
)

// marked is what a keyword scan handed over in a folder whose server has no MODSEQ.
type marked struct {
	validity uint32
	uids     imap.UIDSet
}

// keyword hands over the mails that carry the request's keyword.
func (sc *scan) keyword(ctx context.Context, end capture.Cursor) error {
	cur, box := sc.req.Cursor, sc.r.box
	known := !sc.from.first
	if known && box.modSeq != 0 && cur.ModSeq == box.modSeq {
		return sc.finish(ctx, end)
	}
	criteria := &imap.SearchCriteria{Flag: []imap.Flag{imap.Flag(sc.req.Keyword)}}
	byModSeq := known && cur.ModSeq != 0 && cur.ModSeq < box.modSeq
	if byModSeq {
		criteria.ModSeq = &imap.SearchCriteriaModSeq{ModSeq: cur.ModSeq + 1}
	}
	found, err := sc.r.ses.search(ctx, criteria)
	if err != nil {
		return err
	}
	if found, err = sc.checked(clip(found, 1, 0)); err != nil {
		return err
	}
	targets := found
	if known && box.modSeq == 0 {
		targets = sc.r.s.unmarked(cur.Folder, sc.req.Keyword, box.validity, found)
	}
	if len(targets) > 0 {
		// No mail moves the cursor: what was set on an old mail is found by MODSEQ alone.
		halfway := cur
		if sc.from.first {
			halfway = capture.Cursor{Folder: cur.Folder, Validity: box.validity}
		}
		if err := sc.feed(ctx, targets, true, func(imap.UID) capture.Cursor { return halfway }); err != nil {
			return err
		}
	}
	if err := sc.finish(ctx, end); err != nil {
		return err
	}
	if box.modSeq == 0 {
		sc.r.s.remember(cur.Folder, sc.req.Keyword, marked{validity: box.validity, uids: found})
	}
	return nil
}

func (s *Source) remember(folder, keyword string, m marked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[folder+"\x00"+keyword] = m
}

// unmarked returns the mails of found that no earlier scan handed over.
func (s *Source) unmarked(folder, keyword string, validity uint32, found imap.UIDSet) imap.UIDSet {
	s.mu.Lock()
	m := s.known[folder+"\x00"+keyword]
	s.mu.Unlock()
	if m.validity != validity {
		return found
	}
	var rest imap.UIDSet
	for uid := range each(found) {
		if !m.uids.Contains(uid) {
			rest.AddNum(uid)
		}
	}
	return rest
}

// each yields the UIDs of a set in ascending order.
func each(set imap.UIDSet) iter.Seq[imap.UID] {
	return func(yield func(imap.UID) bool) {
		for _, r := range set {
			for uid := r.Start; ; uid++ {
				if !yield(uid) {
					return
				}
				if uid == r.Stop {
					break
				}
			}
		}
	}
}

// windows yields the UIDs of a set in pieces of at most size.
func windows(set imap.UIDSet, size int) iter.Seq[[]imap.UID] {
	return func(yield func([]imap.UID) bool) {
		var w []imap.UID
		for uid := range each(set) {
			if w = append(w, uid); len(w) == size {
				if !yield(w) {
					return
				}
				w = nil
			}
		}
		if len(w) > 0 {
			yield(w)
		}
	}
}
