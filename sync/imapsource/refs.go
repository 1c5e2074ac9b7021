package imapsource

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// perFolder opens each folder that refs name and calls f with the UIDs in it, ascending, and
// with the refs of another UIDVALIDITY. r is nil where the folder is gone.
func (s *Source) perFolder(ctx context.Context, refs []capture.Ref, f func(r *reader, uids []imap.UID, gone []capture.Ref) error) error {
	var folders []string
	byFolder := make(map[string][]capture.Ref)
	for _, ref := range refs {
		if byFolder[ref.Folder] == nil {
			folders = append(folders, ref.Folder)
		}
		byFolder[ref.Folder] = append(byFolder[ref.Folder], ref)
	}
	for _, folder := range folders {
		if err := s.inFolder(ctx, folder, byFolder[folder], f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) inFolder(ctx context.Context, folder string, refs []capture.Ref, f func(*reader, []imap.UID, []capture.Ref) error) error {
	r, err := s.open(ctx, folder)
	if fault.Is(err, fault.FolderMissing) {
		return f(nil, nil, refs)
	}
	if err != nil {
		return err
	}
	defer r.release()
	var uids []imap.UID
	var gone []capture.Ref
	for _, ref := range refs {
		if ref.Validity == r.box.validity && ref.UID != 0 {
			uids = append(uids, imap.UID(ref.UID))
		} else {
			gone = append(gone, ref)
		}
	}
	slices.Sort(uids)
	return f(r, slices.Compact(uids), gone)
}

// Fetch hands over the mails that refs name, in full. Those that are no longer there, or whose
// folder was renumbered or removed, come with the problem MailGone. Wanted and Reached are not called.
func (s *Source) Fetch(ctx context.Context, refs []capture.Ref, sink Sink) error {
	return s.perFolder(ctx, refs, func(r *reader, uids []imap.UID, gone []capture.Ref) error {
		for _, ref := range gone {
			item := capture.Item{Ref: ref, Files: -1}
			if err := sink.Mail(ctx, item, fault.New(fault.MailGone, "read one mail", nil)); err != nil {
				return err
			}
		}
		if len(uids) == 0 {
			return nil
		}
		return relayed(ctx, func(ctx context.Context, q *relay) error {
			d := &delivery{r: r, sink: sink, q: q, share: ofRest, arenas: newArenas()}
			for window := range slices.Chunk(uids, metaWindow) {
				got := parts{}
				if err := r.collect(ctx, window, request{meta: true}, got); err != nil {
					return err
				}
				metas := make([]*part, 0, len(window))
				for _, uid := range window {
					metas = append(metas, got[uid])
				}
				if err := d.send(ctx, metas, nil); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
