package imapsource

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// storeWindow is how many mails one STORE names.
const storeWindow = 500

const marking = "mark mails" // what is being done, for faults

// MarkSaved sets a keyword on the mails that refs name and returns on how many the
// server did; those that are gone, or whose folder was renumbered or removed, are left alone. It is the one call that changes the
// mailbox, and the one that opens folders for writing: nobody needs to make it.
//
// Where the mailbox does not keep such a keyword it is fault MailboxReadOnly.
func (s *Source) MarkSaved(ctx context.Context, refs []capture.Ref, keyword string) (int, error) {
	if keyword == "" || strings.ContainsFunc(keyword, notAtom) {
		return 0, fault.New(fault.ConfigInvalid, marking, errors.New("the keyword is no IMAP atom"))
	}
	marked := 0
	err := s.perFolder(ctx, refs, func(r *reader, uids []imap.UID, _ []capture.Ref) error {
		if len(uids) == 0 {
			return nil
		}
		n, err := r.mark(ctx, uids, keyword)
		marked += n
		return err
	})
	return marked, err
}

// mark sets the keyword in the reader's folder, which is open for writing meanwhile.
func (r *reader) mark(ctx context.Context, uids []imap.UID, keyword string) (int, error) {
	var w writable
	if err := r.write(ctx, (&command{}).text("SELECT ").value(encodeName(r.folder)), w.read); err != nil {
		return 0, err
	}
	marked, err := r.store(ctx, w, uids, keyword)
	// Back to reading, without CLOSE, which would remove what somebody marked as deleted.
	back := r.write(ctx, (&command{}).text("EXAMINE ").value(encodeName(r.folder)), func(string) {})
	if back != nil {
		r.ses.broken = true // nobody shall find the folder open for writing
	}
	return marked, err
}

func (r *reader) store(ctx context.Context, w writable, uids []imap.UID, keyword string) (int, error) {
	switch {
	case w.validity != r.box.validity:
		return 0, nil // renumbered a moment ago: these are other mails
	case !w.keeps(keyword):
		return 0, fault.New(fault.MailboxReadOnly, marking, nil)
	}
	marked := 0
	for window := range slices.Chunk(uids, storeWindow) {
		cmd := (&command{}).text("UID STORE " + imap.UIDSetNum(window...).String() + " +FLAGS (" + keyword + ")")
		if err := r.write(ctx, cmd, func(line string) {
			if fetched(line) != nil {
				marked++
			}
		}); err != nil {
			return marked, err
		}
	}
	return marked, nil
}

// write runs a command of mark.
func (r *reader) write(ctx context.Context, cmd *command, each func(string)) error {
	err := r.ses.exchange(ctx, marking, cmd, each)
	var status *imap.Error
	if errors.As(err, &status) {
		return statusFault(fault.MailboxReadOnly, marking, status)
	}
	return err
}

// writable is what a server says about a folder that was opened for writing.
type writable struct {
	validity uint32
	readOnly bool
	flags    []string
	told     bool // flags says which ones are kept; else all are (RFC 3501 section 7.1)
}

func (w *writable) read(line string) {
	_, code, ok := strings.Cut(line, " OK [")
	if !ok {
		return
	}
	word, rest, _ := strings.Cut(code, " ")
	switch word = strings.ToUpper(word); {
	case word == "UIDVALIDITY":
		number, _, _ := strings.Cut(rest, "]")
		w.validity = value{text: number}.number()
	case word == "PERMANENTFLAGS":
		list, _, _ := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		w.flags, w.told = strings.Fields(list), true
	case strings.HasPrefix(word, "READ-ONLY]"):
		w.readOnly = true
	}
}

func (w *writable) keeps(keyword string) bool {
	return !w.readOnly && (!w.told || slices.ContainsFunc(w.flags, func(f string) bool {
		return f == `\*` || strings.EqualFold(f, keyword)
	}))
}
