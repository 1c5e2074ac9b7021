package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"hawser/sync/capture"
	"hawser/sync/rules"
)

// maxSubject bounds what a survey keeps of a subject, bytes.
const maxSubject = 500

// Survey reads the header blocks of what the mailbox received since a time in the folders that set
// looks into, and yields what rules need of each mail, once per mail: addresses, dates, sizes,
// signs of a machine, and the subject. It stores nothing, fetches no body and asks nobody else. The
// values can be kept (about a kilobyte each) and decided again after an edit, without the network.
// An error of yield ends the survey and is returned.
//
// It may run beside [Engine.Run], and while automatic capture is off.
func (e *Engine) Survey(ctx context.Context, set *rules.Set, since time.Time, yield func(rules.Message) error) error {
	folders, err := e.cfg.Source.Folders(ctx)
	if err != nil {
		return err
	}
	s := &survey{cfg: &e.cfg, seen: map[uint64]bool{}, spelled: map[string]string{}, yield: yield}
	for _, f := range folders {
		if !set.Looks(f) || strings.EqualFold(f.Name, e.cfg.Folder) {
			continue
		}
		s.role = f.Role
		req := ScanRequest{
			Cursor: capture.Cursor{Folder: f.Name}, HeadersFirst: true, MaxSize: e.cfg.MaxSize, Since: since, Structure: set.CountsFiles(),
		}
		if err := e.cfg.Source.Scan(ctx, req, s); err != nil {
			return err
		}
	}
	return nil
}

// survey is a [Sink] that only looks.
type survey struct {
	cfg     *Config
	role    string
	seen    map[uint64]bool   // mails, by the beginning of a digest
	spelled map[string]string // each address once: most of a mailbox is a few hundred people
	yield   func(rules.Message) error
}

// Wanted yields the mails and wants none.
func (s *survey) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	for _, item := range heads {
		h, err := s.cfg.ReadHeader(item.Raw)
		if err != nil {
			return nil, fmt.Errorf("read header: %w", err)
		}
		if s.again(h, item) {
			continue
		}
		m := rules.Message{
			Header: s.reduce(h), Folder: item.Ref.Folder, Role: s.role, Labels: item.Labels, Flags: item.Flags,
			Size: item.Size, Files: item.Files, Received: item.Received,
		}
		if err := s.yield(m); err != nil {
			return nil, err
		}
	}
	return make([]bool, len(heads)), nil
}

// Mail is only called for what could not be read, which nothing can be said about.
func (s *survey) Mail(context.Context, capture.Item, error) error { return nil }

// Reached implements Sink; no cursor moves.
func (s *survey) Reached(context.Context, capture.Cursor) error { return nil }

// again reports whether the mail was yielded before, from another folder.
func (s *survey) again(h capture.Header, item capture.Item) bool {
	d := sha256.New()
	d.Write([]byte(h.MessageID))
	if h.MessageID == "" {
		fmt.Fprintf(d, "%s %d %d", item.Ref.Folder, item.Ref.Validity, item.Ref.UID)
	}
	print := capture.Fingerprint(h)
	d.Write(print[:])
	id := binary.BigEndian.Uint64(d.Sum(nil))
	if s.seen[id] {
		return true
	}
	s.seen[id] = true
	return false
}

// reduce keeps of a header what rules and a list of results need.
func (s *survey) reduce(h capture.Header) capture.Header {
	h.InReplyTo, h.References = "", nil
	h.MessageID, h.ListID = strings.Clone(h.MessageID), strings.Clone(h.ListID)
	for _, sign := range []*string{&h.ContentType, &h.Sensitivity, &h.AutoSubmitted, &h.Precedence} {
		*sign = s.spell(*sign)
	}
	subject := h.Subject
	if len(subject) > maxSubject {
		subject = strings.ToValidUTF8(subject[:maxSubject], "")
	}
	h.Subject = strings.Clone(subject)
	for _, list := range []*[]capture.Address{&h.From, &h.Sender, &h.ReplyTo, &h.To, &h.Cc, &h.Bcc} {
		if len(*list) == 0 {
			*list = nil
			continue
		}
		kept := make([]capture.Address, len(*list))
		for i, a := range *list {
			kept[i].Addr = s.spell(a.Addr)
			if list == &h.From {
				kept[i].Name = s.spell(a.Name)
			}
		}
		*list = kept
	}
	return h
}

func (s *survey) spell(text string) string {
	if known, ok := s.spelled[text]; ok {
		return known
	}
	text = strings.Clone(text)
	s.spelled[text] = text
	return text
}
