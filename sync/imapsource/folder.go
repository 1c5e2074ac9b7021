package imapsource

import (
	"context"
	"errors"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/fault"
)

// folderState is what a folder looked like when it was opened.
type folderState struct {
	validity uint32
	next     imap.UID // 0: the server does not say
	modSeq   uint64   // 0: the server has none
	messages uint32
}

// examine opens folder for reading. A folder that is not there is a FolderMissing fault and
// leaves the connection usable.
func (c *session) examine(ctx context.Context, folder string) (folderState, error) {
	const op = "open the folder"
	data, err := c.selectReadOnly(ctx, op, folder)
	var status *imap.Error
	if c.condStore && errors.As(err, &status) && status.Type == imap.StatusResponseTypeBad && !isBusy(status) {
		c.condStore = false // announced, not understood
		data, err = c.selectReadOnly(ctx, op, folder)
	}
	switch {
	case errors.As(err, &status) && status.Type == imap.StatusResponseTypeBad:
		return folderState{}, statusFault(fault.MailProtocol, op, status)
	case errors.As(err, &status):
		return folderState{}, statusFault(fault.FolderMissing, op, status)
	case err != nil:
		return folderState{}, err
	case data.UIDValidity == 0:
		return folderState{}, fault.New(fault.MailProtocol, op, errors.New("the server gives no UIDVALIDITY"))
	}
	state := folderState{validity: data.UIDValidity, next: data.UIDNext, messages: data.NumMessages}
	if c.condStore {
		state.modSeq = data.HighestModSeq
	}
	return state, nil
}

func (c *session) selectReadOnly(ctx context.Context, op, folder string) (*imap.SelectData, error) {
	var data *imap.SelectData
	err := c.do(ctx, c.limit, op, func() (err error) {
		data, err = c.client.Select(folder, &imap.SelectOptions{ReadOnly: true, CondStore: c.condStore}).Wait()
		return err
	})
	return data, err
}

// search returns the UIDs that meet the criteria, as ranges.
func (c *session) search(ctx context.Context, criteria *imap.SearchCriteria) (imap.UIDSet, error) {
	set, err := c.trySearch(ctx, criteria)
	var status *imap.Error
	if errors.As(err, &status) {
		return nil, statusFault(fault.MailProtocol, "search mails", status)
	}
	return set, err
}

// trySearch is search with the server's refusal as it is, an [imap.Error].
func (c *session) trySearch(ctx context.Context, criteria *imap.SearchCriteria) (imap.UIDSet, error) {
	run := func(o *imap.SearchOptions) (*imap.SearchData, error) {
		var data *imap.SearchData
		err := c.do(ctx, c.limit, "search mails", func() (err error) {
			data, err = c.client.UIDSearch(criteria, o).Wait()
			return err
		})
		return data, err
	}
	var options *imap.SearchOptions
	if c.eSearch {
		options = &imap.SearchOptions{ReturnAll: true}
	}
	data, err := run(options)
	var status *imap.Error
	if c.eSearch && errors.As(err, &status) && status.Type == imap.StatusResponseTypeBad {
		c.eSearch = false // announced, not understood
		data, err = run(nil)
	}
	if err != nil {
		return nil, err
	}
	set, _ := data.All.(imap.UIDSet)
	return set, nil
}

// sequence returns the message number of one mail, 0 when it is gone.
func (c *session) sequence(ctx context.Context, uid imap.UID) (uint32, error) {
	const op = "search one mail"
	var data *imap.SearchData
	err := c.do(ctx, c.limit, op, func() (err error) {
		data, err = c.client.Search(&imap.SearchCriteria{UID: []imap.UIDSet{imap.UIDSetNum(uid)}}, nil).Wait()
		return err
	})
	var status *imap.Error
	if errors.As(err, &status) {
		return 0, statusFault(fault.MailProtocol, op, status)
	}
	if err != nil {
		return 0, err
	}
	if nums := data.AllSeqNums(); len(nums) == 1 {
		return nums[0], nil
	}
	return 0, nil
}
