package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hawser/sync/capture"
	"hawser/sync/rules"
)

// maxAsked is how many addresses one question about people holds.
const maxAsked = 100

// errAside ends a scan that something more urgent waits for; errOff one that nobody wants any more.
var (
	errAside = errors.New("engine: something else comes first")
	errOff   = errors.New("engine: automatic capture was turned off")
)

// judged is a mail and what was decided about it.
type judged struct {
	rules.Message
	print    [32]byte
	asked    bool // whether its conversation is followed
	followed bool
	decision rules.Decision
}

// message is what the rules are told of an item.
func (in *intake) message(item capture.Item, head capture.Header) rules.Message {
	return rules.Message{
		Header: head, Folder: item.Ref.Folder, Role: in.role, Labels: item.Labels, Flags: item.Flags,
		Size: item.Size, Files: item.Files, Received: item.Received,
	}
}

// decide holds mails against the rules as they are now, and finds out what else they need to know:
// with one question about conversations, and one per hundred addresses.
func (in *intake) decide(ctx context.Context, mails []*judged) error {
	if err := in.threads(ctx, mails); err != nil {
		return err
	}
	set := in.cfg.Rules()
	if in.automatic && !in.threadsOnly && !set.Automatic() {
		return errOff
	}
	var asking []*judged
	for _, m := range mails {
		m.decision = set.Decide(m.Message, in.mark, m.followed)
		if m.decision.Verdict == rules.Ask {
			asking = append(asking, m)
		}
	}
	if len(asking) == 0 {
		return nil
	}
	people, err := in.people(ctx, set, asking)
	if err != nil {
		return err
	}
	for _, m := range asking {
		m.People = people
		m.decision = set.Decide(m.Message, in.mark, m.followed)
	}
	return nil
}

// threads finds out which mails belong to a conversation that was followed when they came.
func (in *intake) threads(ctx context.Context, mails []*judged) error {
	if !in.automatic || len(in.following) == 0 {
		return nil
	}
	var ids [][]string
	var asked []*judged
	for _, m := range mails {
		if m.asked {
			continue
		}
		refs := m.Header.References
		if m.Header.InReplyTo != "" && !slices.Contains(refs, m.Header.InReplyTo) {
			refs = append(refs[:len(refs):len(refs)], m.Header.InReplyTo)
		}
		if m.asked = true; len(refs) > 0 {
			ids, asked = append(ids, refs), append(asked, m)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := in.cfg.Followed(ctx, ids)
	if err != nil {
		return fmt.Errorf("ask for threads: %w", err)
	}
	for i, thread := range found {
		since, ok := in.following[thread]
		at := asked[i].Received
		asked[i].followed = ok && (at.IsZero() || !at.Before(since))
	}
	return nil
}

// waiting is a question about people that got no answer.
type waiting struct{ error }

func (w waiting) Unwrap() error { return w.error }

// people looks up who has a record. What keeps Salesforce from answering is waited for, whatever
// it is: it is told where mails are saved, and is no fault of the mailbox.
func (in *intake) people(ctx context.Context, set *rules.Set, mails []*judged) (map[string][]string, error) {
	var addresses []string
	for _, m := range mails {
		addresses = append(addresses, set.People(m.Message)...)
	}
	slices.Sort(addresses)
	people := make(map[string][]string)
	for part := range slices.Chunk(slices.Compact(addresses), maxAsked) {
		if in.cfg.People == nil {
			break
		}
		found, err := in.cfg.People(ctx, part)
		if err != nil {
			return nil, waiting{err}
		}
		maps.Copy(people, found)
	}
	return people, nil
}

// Wanted reads header blocks and asks for the mails that are to be captured, or of which more has
// to be known. What the rules leave out is noted and never fetched.
func (in *intake) Wanted(ctx context.Context, heads []capture.Item) ([]bool, error) {
	if in.urgent != nil && in.urgent() {
		return nil, errAside
	}
	selves := make([]self, len(heads))
	for i, item := range heads {
		block := newBlock()
		h, err := in.cfg.ReadHeader(block.tee(item.Raw))
		if err != nil {
			return nil, fmt.Errorf("read header: %w", err)
		}
		if err := block.rest(item.Raw); err != nil {
			return nil, fmt.Errorf("read header block: %w", err)
		}
		selves[i] = self{head: h, print: capture.Fingerprint(h), digest: block.sum()}
	}
	ids, err := identify(ctx, in.cfg, selves)
	if err != nil {
		return nil, err
	}
	if in.looked != nil {
		in.looked(len(heads))
	}
	wanted := make([]bool, len(heads))
	var open []*judged
	var at []int
	for i, id := range ids {
		// Without a Message-ID the key is that of the content, which has not come yet.
		if known := id.seen && !rethinks(id.row, in.mark); known && !(consent(in.mark) && selves[i].head.MessageID == "") {
			in.report.Already++
			continue
		}
		open = append(open, &judged{Message: in.message(heads[i], selves[i].head), print: selves[i].print})
		at = append(at, i)
	}
	if err := in.decide(ctx, open); err != nil {
		return nil, err
	}
	for n, m := range open {
		i := at[n]
		switch {
		case m.decision.Verdict != rules.Filter:
			wanted[i] = true
			in.judged[heads[i].Ref] = m
		case ids[i].seen: // it stays what it is
			in.report.Already++
			in.deny()
		case in.records(m):
			in.pending = append(in.pending, pending{item: bare(heads[i]), self: selves[i], mail: m})
		}
	}
	return wanted, nil
}

// deny counts a mail that its owner chose and the company's rules leave out.
func (in *intake) deny() {
	if !in.automatic {
		in.report.Denied++
	}
}

// bare is an item without the reader that is valid only during a call.
func bare(item capture.Item) capture.Item {
	item.Raw = nil
	return item
}

// records reports whether the ledger hears of a mail that is left out: of each one that automatic
// capture, a mark or a followed conversation brought up, not of those that were looked at for
// their conversation alone.
func (in *intake) records(m *judged) bool {
	early := in.first && m.decision.Why == string(rules.BeforeWindow)
	return !in.automatic || m.followed || !in.threadsOnly && !early
}
