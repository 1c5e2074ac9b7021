package imapsource

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

const (
	maxFolders = 10000 // a mailbox with more is cut off
	maxListed  = headerWindow
	maxSearch  = 200 // bytes of a search text
)

// Folders returns the folders that can hold mails, in the server's order. The inbox is always
// among them.
func (s *Source) Folders(ctx context.Context) ([]capture.Folder, error) {
	ses, reused, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	found, err := ses.folders(ctx)
	if reused && isLost(err) {
		ses.close()
		if ses, err = s.dial(ctx, secret.String{}); err == nil {
			found, err = ses.folders(ctx)
		}
	}
	s.give(ses)
	if err != nil {
		return nil, err
	}
	return withRoles(found), nil
}

func (c *session) folders(ctx context.Context) ([]imap.ListData, error) {
	const op = "list folders"
	var options *imap.ListOptions
	if c.specialUse {
		options = &imap.ListOptions{ReturnSpecialUse: true}
	}
	var found []imap.ListData
	list := func(o *imap.ListOptions) error {
		found = nil
		return c.do(ctx, c.limit, op, func() error {
			cmd := c.client.List("", "*", o)
			for d := cmd.Next(); d != nil; d = cmd.Next() {
				if len(found) < maxFolders {
					found = append(found, *d)
				}
			}
			return cmd.Close()
		})
	}
	err := list(options)
	var status *imap.Error
	if options != nil && errors.As(err, &status) && status.Type == imap.StatusResponseTypeBad {
		err = list(nil) // announced, not understood
	}
	if errors.As(err, &status) {
		return nil, statusFault(fault.MailProtocol, op, status)
	}
	return found, err
}

// List returns the newest mails of a folder, newest first, at most limit (200 at most): with a
// search text only those that have it in sender, recipient or subject or, when there is none,
// anywhere. Raw of each item is its header block, 64 KB of it at most, and stays valid.
func (s *Source) List(ctx context.Context, folder, search string, limit int) ([]capture.Item, error) {
	r, err := s.open(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer r.release()
	limit = min(limit, maxListed)
	if limit <= 0 || r.box.messages == 0 {
		return nil, nil
	}
	var uids []imap.UID
	if search = searchText(search); search == "" {
		uids, err = r.ses.newest(ctx, r.box.messages, limit)
	} else {
		uids, err = r.matching(ctx, search, limit)
	}
	if err != nil || len(uids) == 0 {
		return nil, err
	}
	got := parts{}
	ask := request{meta: true, section: headerSection(), limit: largeMail, into: &arena{}}
	if err := r.collect(ctx, uids, ask, got); err != nil {
		return nil, err
	}
	var items []capture.Item
	for _, uid := range slices.Backward(uids) {
		if p := got[uid]; p.problem == nil {
			item := r.item(p)
			item.Raw = bytes.NewReader(p.body)
			items = append(items, item)
		}
	}
	return items, nil
}

// searchText makes what a person typed fit for a SEARCH command.
func searchText(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxSearch {
		s = strings.ToValidUTF8(s[:maxSearch], "")
	}
	return strings.TrimSpace(s)
}

// newest returns the UIDs of the last mails by message number, ascending.
func (c *session) newest(ctx context.Context, messages uint32, limit int) ([]imap.UID, error) {
	first := uint32(1)
	if messages > uint32(limit) {
		first = messages - uint32(limit) + 1
	}
	var set imap.SeqSet
	set.AddRange(first, messages)
	var uids []imap.UID
	err := c.do(ctx, c.limit, "list mails", func() error {
		cmd := c.client.Fetch(set, &imap.FetchOptions{UID: true})
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			for item := m.Next(); item != nil; item = m.Next() {
				if uid, ok := item.(imapclient.FetchItemDataUID); ok && uid.UID != 0 {
					uids = append(uids, uid.UID)
				}
			}
		}
		return cmd.Close()
	})
	if err := refusal(err); err != nil {
		return nil, err
	}
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// matching returns the UIDs of the last mails that hold the text, ascending.
func (r *reader) matching(ctx context.Context, text string, limit int) ([]imap.UID, error) {
	has := func(field string) imap.SearchCriteria {
		return imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: field, Value: text}}}
	}
	either := func(a, b imap.SearchCriteria) imap.SearchCriteria {
		return imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{a, b}}}
	}
	criteria := either(has("From"), either(has("To"), has("Subject")))
	found, err := r.ses.search(ctx, &criteria)
	if err == nil && len(found) == 0 {
		found, err = r.ses.search(ctx, &imap.SearchCriteria{Text: []string{text}})
	}
	if err != nil {
		return nil, err
	}
	var uids []imap.UID
	for _, rng := range slices.Backward(clip(found, 1, 0)) {
		for uid := rng.Stop; uid >= rng.Start && len(uids) < limit; uid-- {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids, nil
}

// Fetch hands over the mails that refs name, in full. Those that are no longer there, or whose
// folder was renumbered or removed, come with the problem MailGone. Wanted and Reached are not called.
func (s *Source) Fetch(ctx context.Context, refs []capture.Ref, sink Sink) error {
	var folders []string
	byFolder := make(map[string][]capture.Ref)
	for _, ref := range refs {
		if byFolder[ref.Folder] == nil {
			folders = append(folders, ref.Folder)
		}
		byFolder[ref.Folder] = append(byFolder[ref.Folder], ref)
	}
	for _, folder := range folders {
		if err := s.fetchFolder(ctx, folder, byFolder[folder], sink); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) fetchFolder(ctx context.Context, folder string, refs []capture.Ref, sink Sink) error {
	gone := func(ref capture.Ref) error {
		return sink.Mail(ctx, capture.Item{Ref: ref, Files: -1}, fault.New(fault.MailGone, "read one mail", nil))
	}
	r, err := s.open(ctx, folder)
	if fault.Is(err, fault.FolderMissing) {
		for _, ref := range refs {
			if err := gone(ref); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer r.release()
	var uids []imap.UID
	for _, ref := range refs {
		if ref.Validity == r.box.validity && ref.UID != 0 {
			uids = append(uids, imap.UID(ref.UID))
		} else if err := gone(ref); err != nil {
			return err
		}
	}
	slices.Sort(uids)
	uids = slices.Compact(uids)
	return relayed(ctx, func(ctx context.Context, q *relay) error {
		d := &delivery{r: r, sink: sink, q: q, arenas: newArenas()}
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
}
