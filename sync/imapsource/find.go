package imapsource

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/mailparse"
)

// maxFound bounds how many mails of one folder are looked into for one Message-ID.
const maxFound = 50

// Find returns where the mails with a Message-ID lie. Gmail is asked in all mail first, which holds
// every mail but those in junk and trash. Drafts, junk and trash are only looked into when no
// other folder has it.
func (s *Source) Find(ctx context.Context, messageID string) ([]capture.Ref, error) {
	id := capture.NormaliseMessageID(messageID)
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, nil // no Message-ID has another character (RFC 5322 section 3.6.4)
	}
	folders, err := s.Folders(ctx)
	if err != nil {
		return nil, err
	}
	var found []capture.Ref
	for _, group := range groups(folders) {
		for _, folder := range group {
			refs, err := s.findIn(ctx, folder.Name, id)
			if err != nil && !fault.Is(err, fault.FolderMissing) {
				return nil, err
			}
			found = append(found, refs...)
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// groups returns the folders in the order in which a mail is looked for.
func groups(folders []capture.Folder) [][]capture.Folder {
	groups := make([][]capture.Folder, 3)
	for _, f := range folders {
		at := 1
		switch f.Role {
		case "all":
			at = 0
		case "drafts", "junk", "trash":
			at = 2
		}
		groups[at] = append(groups[at], f)
	}
	return groups
}

// findIn looks for a Message-ID in one folder. The server compares pieces of header fields, in
// any case; what it finds is compared as Hawser does.
func (s *Source) findIn(ctx context.Context, folder, id string) ([]capture.Ref, error) {
	r, err := s.open(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer r.release()
	if r.box.messages == 0 {
		return nil, nil
	}
	bare := strings.Trim(id, "<>")
	var set imap.UIDSet
	if r.ses.gmail {
		// A refusal only means that the other way has to do.
		if set, err = r.gmailRaw(ctx, "rfc822msgid:"+bare, nil); isLost(err) {
			return nil, err
		}
	}
	if len(set) == 0 {
		set, err = r.ses.search(ctx, &imap.SearchCriteria{
			Header: []imap.SearchCriteriaHeaderField{{Key: "Message-ID", Value: bare}},
		})
		if err != nil {
			return nil, err
		}
	}
	read, err := r.headers(ctx, last(set, maxFound))
	if err != nil {
		return nil, err
	}
	var refs []capture.Ref
	for _, p := range read {
		if h, err := mailparse.ReadHeader(bytes.NewReader(p.body)); err == nil && h.MessageID == id {
			refs = append(refs, r.item(p).Ref)
		}
	}
	return refs, nil
}

// Heads returns the header blocks of the mails that refs name, folder by folder. Those that are no
// longer there, or whose folder was renumbered or removed, are left out. Raw of each item stays valid.
func (s *Source) Heads(ctx context.Context, refs []capture.Ref) ([]capture.Item, error) {
	var items []capture.Item
	err := s.perFolder(ctx, refs, func(r *reader, uids []imap.UID, _ []capture.Ref) error {
		for window := range slices.Chunk(uids, headerWindow) {
			read, err := r.headers(ctx, window)
			if err != nil {
				return err
			}
			more, err := r.headed(ctx, read)
			if err != nil {
				return err
			}
			items = append(items, more...)
		}
		return nil
	})
	return items, err
}

// Count returns how many mails of a folder were received at since or later; a zero time: all.
func (s *Source) Count(ctx context.Context, folder string, since time.Time) (int, error) {
	r, err := s.open(ctx, folder)
	if err != nil {
		return 0, err
	}
	defer r.release()
	if since.IsZero() || r.box.messages == 0 {
		return int(r.box.messages), nil
	}
	near, err := r.ses.search(ctx, &imap.SearchCriteria{Since: since.UTC().AddDate(0, 0, -1)})
	if err != nil {
		return 0, err
	}
	// Whatever its time zone, what the server dates two days later came after since.
	sure, err := r.ses.search(ctx, &imap.SearchCriteria{Since: since.UTC().AddDate(0, 0, 2)})
	if err != nil {
		return 0, err
	}
	near, sure = clip(near, 1, 0), clip(sure, 1, 0)
	n := int(count(sure))
	var unsure imap.UIDSet
	for uid := range each(near) {
		if !sure.Contains(uid) {
			unsure.AddNum(uid)
		}
	}
	for uids := range windows(unsure, metaWindow) {
		got := parts{}
		if err := r.collect(ctx, uids, request{meta: true}, got); err != nil {
			return 0, err
		}
		for _, p := range got {
			if p.problem == nil && !p.received.Before(since.Truncate(time.Second)) {
				n++
			}
		}
	}
	return n, nil
}
