package agent

import (
	"cmp"
	"context"
	"strings"

	"hawser/app/control"
	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
	"hawser/sync/rules"
)

// Causes that neither a fault nor a rule names.
const (
	causeCaptured     = "captured"
	causeQueued       = "queued"
	causeNotInMailbox = "not-in-mailbox"
	causeNotYet       = "not-yet" // the next look at the mailbox will find it
)

// What changes a cause, as control.Why says it.
const (
	fixCapture = "capture"
	fixRetry   = "retry"
	fixResume  = "resume"
	fixSignIn  = "signin"
	fixRules   = "rules"
	fixFolders = "folders"
	fixWindow  = "window"
	fixWait    = "wait"
	fixAdmin   = "admin"
	fixAnswer  = "answer"
)

// Why implements control.Agent. What the ledger remembers decides; a mail that was never seen is
// looked for in the mailbox and held against the rules of this moment.
func (a *Agent) Why(ctx context.Context, word string) (control.Why, error) {
	src, _, unreachable := a.running()
	var w control.Why
	var item capture.Item
	var head capture.Header
	id := ""
	if ref, err := decodeRef(word); err == nil {
		if unreachable != nil {
			return a.whyStopped(unreachable)
		}
		if item, head, err = headOf(ctx, src, ref); err != nil {
			return w, err
		}
		id = head.MessageID
	} else if id = capture.NormaliseMessageID(word); id == "" || strings.ContainsAny(strings.TrimSpace(word), " \t") {
		return w, fault.New(fault.Usage, "read Message-ID", nil)
	}
	r, found, err := a.db.Reason(ctx, capture.MailKey(a.bound().account, id))
	if err != nil {
		return w, err
	}
	if unreachable == nil && item.Ref.UID == 0 {
		if item, head, err = find(ctx, src, id); err != nil {
			return w, err
		}
	}
	if item.Ref.UID != 0 {
		m := listed(item, head)
		w.Mail = &m
	}
	switch {
	case found:
		a.whyKnown(&w, r)
	case unreachable != nil:
		return a.whyStopped(unreachable)
	case item.Ref.UID == 0:
		w.Cause = causeNotInMailbox
	default:
		a.whyUnseen(ctx, &w, item, head)
	}
	return w, nil
}

// headOf reads the header of one mail.
func headOf(ctx context.Context, src *imapsource.Source, ref capture.Ref) (capture.Item, capture.Header, error) {
	items, err := src.Heads(ctx, []capture.Ref{ref})
	if err != nil {
		return capture.Item{}, capture.Header{}, err
	}
	if len(items) == 0 {
		return capture.Item{}, capture.Header{}, fault.New(fault.MailGone, "read header", nil)
	}
	h, err := mailparse.ReadHeader(items[0].Raw)
	return items[0], h, err
}

// find looks for a mail by its Message-ID; a zero item is none.
func find(ctx context.Context, src *imapsource.Source, id string) (capture.Item, capture.Header, error) {
	refs, err := src.Find(ctx, id)
	if err != nil || len(refs) == 0 {
		return capture.Item{}, capture.Header{}, err
	}
	return headOf(ctx, src, refs[0])
}

// whyStopped is the cause of a mailbox that is not being read.
func (a *Agent) whyStopped(err error) (control.Why, error) {
	code := fault.Of(err).Code
	s := a.board.shown.Status()
	if s.Company.Stage != "" && s.Why != "" { // what keeps everything from working
		code = s.Why
	}
	return control.Why{Cause: string(code), Fix: fixOf(code)}, nil
}

// fixOf says what changes a fault.
func fixOf(code fault.Code) string {
	switch code {
	case fault.Paused:
		return fixResume
	case fault.NotSignedIn, fault.TokenRevoked, fault.WrongAccount:
		return fixSignIn
	case fault.ChoosePerson, fault.ChooseRelated, fault.ChooseFiles, fault.Unmatched:
		return fixAnswer
	case fault.NotProvisioned:
		return fixAdmin
	}
	switch code.Class() {
	case fault.Retry:
		return fixWait
	case fault.Admin:
		return fixAdmin
	}
	return fixRetry
}

// whyKnown tells what the ledger remembers.
func (a *Agent) whyKnown(w *control.Why, r agentdb.Reason) {
	w.State, w.At, w.Item, w.Rule, w.Cause = r.State.String(), r.At, r.ID, r.Rule, r.Why
	switch r.State {
	case agentdb.Captured:
		w.Cause = causeCaptured
		w.Record = &control.Record{Type: string(r.Kind), ID: r.RecordID}
		a.mu.Lock()
		if a.client != nil {
			w.Record.URL = a.client.RecordURL(r.RecordID)
		}
		a.mu.Unlock()
	case agentdb.Waiting:
		s := a.board.shown.Status()
		w.Cause, w.Fix = causeQueued, fixWait
		if code := cmp.Or(fault.Code(r.Why), s.Why, s.Salesforce.Fault); s.State == capture.Paused {
			w.Cause, w.Fix = string(fault.Paused), fixResume
		} else if code != "" {
			w.Cause, w.Fix = string(code), fixOf(code)
		}
	case agentdb.Filtered:
		w.Fix = fixOfReason(rules.Reason(r.Why))
	default:
		w.Fix = fixOf(fault.Code(r.Why))
	}
}

// fixOfReason says what changes a decision of the rules.
func fixOfReason(r rules.Reason) string {
	switch r {
	case rules.BlockedCompany:
		return fixAdmin
	case rules.FolderNotChosen:
		return fixFolders
	case rules.BeforeWindow:
		return fixWindow
	case rules.NotMarked, rules.AutomaticOff, rules.SkippedByHand, rules.ExpiredUnmatched, rules.RemovedAgain:
		return fixCapture
	}
	return fixRules
}

// whyUnseen holds a mail that was never seen against the rules.
func (a *Agent) whyUnseen(ctx context.Context, w *control.Why, item capture.Item, head capture.Header) {
	d := a.rules().Decide(a.messageOf(ctx, item, head), "", false)
	w.Cause, w.Rule, w.Detail = d.Why, d.Rule, d.Detail
	switch d.Verdict {
	case rules.Filter:
		w.Fix = fixOfReason(rules.Reason(d.Why))
	case rules.Hold:
		w.Fix = fixCapture
	default:
		w.Cause, w.Fix = causeNotYet, fixWait
	}
}

// messageOf is a mail as the rules see it, with the people in it where they matter and can be
// looked up.
func (a *Agent) messageOf(ctx context.Context, item capture.Item, head capture.Header) rules.Message {
	m := rules.Message{Header: head, Folder: item.Ref.Folder, Labels: item.Labels, Flags: item.Flags, Size: item.Size, Files: -1, Received: item.Received}
	if strings.EqualFold(m.Folder, "INBOX") {
		m.Role = "inbox"
	}
	if src, _, err := a.running(); err == nil && m.Role == "" {
		folders, _ := src.Folders(ctx) // without roles the folder is just not the sent mail
		for _, f := range folders {
			if f.Name == m.Folder {
				m.Role = f.Role
			}
		}
	}
	if a.rules().Decide(m, "", false).Verdict == rules.Ask {
		if people, err := a.recordTypes(ctx, a.rules().People(m)); err == nil {
			m.People = people
		}
	}
	return m
}

// recordTypes looks up which types of records carry addresses.
func (a *Agent) recordTypes(ctx context.Context, addresses []string) (map[string][]string, error) {
	a.mu.Lock()
	d := a.deliverer
	a.mu.Unlock()
	if d == nil {
		return nil, fault.New(a.whyNoDelivery(), "look up people", nil)
	}
	found, err := d.Lookup(ctx, addresses)
	if err != nil {
		return nil, err
	}
	types := make(map[string][]string, len(found))
	for address, candidates := range found {
		for _, c := range candidates {
			types[address] = append(types[address], string(c.Type))
		}
	}
	return types, nil
}
