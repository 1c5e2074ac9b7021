package imapsource

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

const (
	maxFolders = 10000 // a mailbox with more is cut off
	maxListed  = headerWindow
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

// PageRequest asks for mails of one folder, newest first.
type PageRequest struct {
	Folder string
	// Search is a text to look for, in sender, recipient or subject; where none has it, anywhere. "":
	// all mails. Gmail takes its own language here, such as "has:attachment older_than:1y".
	Search string
	Before uint32 // UID: mails below it; 0: from the newest on
	Limit  int    // 200 at most
}

// Page is a part of a folder, newest first. Raw of each item is its header block, 64 KB of it at
// most, and stays valid.
type Page struct {
	Items []capture.Item
	More  uint32 // Before of the next page; 0: there is none
	// Partial says that the server could not search for the text, so that only header blocks of
	// the newest mails were looked through: 2,000 for each page.
	Partial bool
}

// List returns the newest mails of a folder, newest first, at most limit (200 at most): with a
// search text only those that have it in sender, recipient or subject or, when there is none,
// anywhere. Raw of each item is its header block, 64 KB of it at most, and stays valid.
func (s *Source) List(ctx context.Context, folder, search string, limit int) ([]capture.Item, error) {
	page, err := s.Page(ctx, PageRequest{Folder: folder, Search: search, Limit: limit})
	return page.Items, err
}

// Page returns mails of a folder, live from the server.
func (s *Source) Page(ctx context.Context, req PageRequest) (Page, error) {
	r, err := s.open(ctx, req.Folder)
	if err != nil {
		return Page{}, err
	}
	defer r.release()
	req.Limit = min(req.Limit, maxListed)
	if req.Limit <= 0 || r.box.messages == 0 {
		return Page{}, nil
	}
	req.Search = searchText(req.Search)
	if req.Search == "" {
		return r.newestPage(ctx, req)
	}
	return r.searchedPage(ctx, req)
}

// newestPage returns the mails below req.Before.
func (r *reader) newestPage(ctx context.Context, req PageRequest) (Page, error) {
	// One more than wanted tells whether there is another page.
	uids, err := r.below(ctx, imap.UID(req.Before), req.Limit+1)
	if err != nil {
		return Page{}, err
	}
	return r.page(ctx, uids, req.Limit)
}

// below returns the UIDs of the last mails below a UID (0: of all), ascending.
func (r *reader) below(ctx context.Context, before imap.UID, limit int) ([]imap.UID, error) {
	last := r.box.messages
	if before != 0 {
		var set imap.UIDSet
		set.AddRange(before, 0)
		newer, err := r.ses.search(ctx, &imap.SearchCriteria{UID: []imap.UIDSet{set}})
		if err != nil {
			return nil, err
		}
		last -= min(last, uint32(count(clip(newer, before, 0))))
	}
	if last == 0 {
		return nil, nil
	}
	uids, err := r.ses.upTo(ctx, last, limit)
	if before != 0 {
		uids = slices.DeleteFunc(uids, func(uid imap.UID) bool { return uid >= before })
	}
	return uids, err
}

// upTo returns the UIDs of limit mails up to one by its message number, ascending.
func (c *session) upTo(ctx context.Context, last uint32, limit int) ([]imap.UID, error) {
	first := uint32(1)
	if last > uint32(limit) {
		first = last - uint32(limit) + 1
	}
	var set imap.SeqSet
	set.AddRange(first, last)
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

// page reads the last limit of uids (ascending).
func (r *reader) page(ctx context.Context, uids []imap.UID, limit int) (Page, error) {
	var page Page
	if len(uids) > limit {
		uids = uids[len(uids)-limit:]
		page.More = uint32(uids[0])
	}
	read, err := r.headers(ctx, uids)
	if err != nil {
		return Page{}, err
	}
	slices.Reverse(read)
	page.Items, err = r.headed(ctx, read)
	return page, err
}

// headers reads the header blocks of uids and returns those mails that could be read, in that order.
func (r *reader) headers(ctx context.Context, uids []imap.UID) ([]*part, error) {
	if len(uids) == 0 {
		return nil, nil
	}
	if err := r.s.meter.allow(ofRest); err != nil {
		return nil, err
	}
	got := parts{}
	ask := request{meta: true, section: headerSection(), limit: largeMail, into: &arena{}}
	if err := r.collect(ctx, uids, ask, got); err != nil {
		return nil, err
	}
	read := make([]*part, 0, len(uids))
	for _, uid := range uids {
		if p := got[uid]; p.problem == nil {
			read = append(read, p)
		}
	}
	return read, nil
}

// headed returns the items of mails whose header blocks were read.
func (r *reader) headed(ctx context.Context, read []*part) ([]capture.Item, error) {
	if err := r.about(ctx, read, true); err != nil {
		return nil, err
	}
	items := make([]capture.Item, 0, len(read))
	for _, p := range read {
		item := r.item(p)
		item.Raw = bytes.NewReader(p.body)
		items = append(items, item)
	}
	return items, nil
}
