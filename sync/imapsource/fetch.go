package imapsource

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const (
	headerLimit = 64 << 10  // bytes of a header block that are read
	drainLimit  = 64 << 20  // a literal that nobody asked for is read away up to this size
	wholeLimit  = 4 << 20   // a mail that claims to be small may turn out to have this size
	largeMail   = 1 << 20   // a larger mail is read in slices
	sliceSize   = 512 << 10 // bytes per slice
)

// part is what a server told about one mail.
type part struct {
	uid      imap.UID
	flags    []string
	received time.Time
	size     int64
	sized    bool // size is known
	labels   []string
	files    int    // attachments and one; 0: not known
	body     []byte // what the request asked for: header block, mail or slice
	hasBody  bool
	tooLong  bool  // the body is longer than the request allowed
	problem  error // why it could not be read; the rest is then incomplete
}

// parts are the mails of one request.
type parts map[imap.UID]*part

// request is what one FETCH asks for.
type request struct {
	meta    bool                       // flags, date, size
	bare    bool                       // meta without flags and date
	section *imap.FetchItemBodySection // nil: no body
	limit   int64                      // longest body to keep
	into    *arena
	// least returns how long the body must be not to look cut off; nil: any length but none.
	least func(imap.UID) int64
}

func headerSection() *imap.FetchItemBodySection {
	return &imap.FetchItemBodySection{
		Specifier: imap.PartSpecifierHeader, Peek: true,
		Partial: &imap.SectionPartial{Size: headerLimit},
	}
}

func (r request) options() *imap.FetchOptions {
	o := &imap.FetchOptions{UID: true, RFC822Size: r.meta, Flags: r.meta && !r.bare, InternalDate: r.meta && !r.bare}
	if r.section != nil {
		o.BodySection = []*imap.FetchItemBodySection{r.section}
	}
	return o
}

// complete reports whether p holds all that r asks for.
func (r request) complete(p *part) bool {
	switch {
	case p == nil:
		return false
	case p.problem != nil || p.tooLong:
		return true
	case r.meta && !p.sized, r.section != nil && !p.hasBody:
		return false
	}
	return r.section == nil || r.least == nil || int64(len(p.body)) >= r.least(p.uid)
}

// missing returns those of uids that got lacks.
func (r request) missing(uids []imap.UID, got parts) []imap.UID {
	var rest []imap.UID
	for _, uid := range uids {
		if !r.complete(got[uid]) {
			rest = append(rest, uid)
		}
	}
	return rest
}

var (
	errTooLong = errors.New("an answer is far longer than announced")
	errCut     = errors.New("an answer is cut off")
)

// fetch sends one FETCH for set and puts the mails among want into got. Nothing else may be in
// flight on the connection.
func (c *session) fetch(ctx context.Context, set imap.NumSet, r request, want func(imap.UID) bool, got parts) error {
	return c.do(ctx, c.limit, "read mails", func() error {
		cmd := c.client.Fetch(set, r.options())
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			p, err := readPart(m, r)
			if err != nil {
				if p.uid != 0 && want(p.uid) {
					got[p.uid] = p
				}
				c.wire.abort(nil)
				if err == errCut {
					// The library's reader goes on after a literal that ended early, and cmd.Close
					// would read from the same buffer: wait until the reader is over.
					<-c.client.Closed()
				}
				_ = cmd.Close()
				return err
			}
			// A flag update by itself takes a mail's place in the answer: never let it
			// replace what is already complete.
			if p.uid != 0 && want(p.uid) && !r.complete(got[p.uid]) {
				got[p.uid] = p
			}
		}
		return cmd.Close()
	})
}

// readPart reads one mail's answer.
func readPart(m *imapclient.FetchMessageData, r request) (*part, error) {
	p := &part{}
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			p.uid = item.UID
		case imapclient.FetchItemDataFlags:
			for _, f := range item.Flags {
				p.flags = append(p.flags, strings.ToValidUTF8(string(f), "?"))
			}
		case imapclient.FetchItemDataInternalDate:
			p.received = item.Time
		case imapclient.FetchItemDataRFC822Size:
			p.size, p.sized = max(item.Size, 0), true
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue // NIL
			}
			if item.Literal.Size() > drainLimit {
				p.tooLong = true
				return p, errTooLong
			}
			if r.section == nil || !item.MatchCommand(r.section) {
				continue
			}
			if err := readBody(p, item.Literal, r); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

func readBody(p *part, lit imap.LiteralReader, r request) error {
	n := lit.Size()
	if n > r.limit {
		p.tooLong = true
		return nil // the library reads it away
	}
	buf := r.into.alloc(int(n))
	if _, err := io.ReadFull(lit, buf); err != nil {
		return errCut
	}
	p.body, p.hasBody = buf, true
	return nil
}

// arena is memory for the bodies of one batch, used again for the next one.
type arena struct {
	chunk []byte
	used  int
}

// reset forgets what was allocated and makes room for about n bytes.
func (a *arena) reset(n int) {
	a.used = 0
	if len(a.chunk) < n {
		a.chunk = make([]byte, n)
	}
}

func (a *arena) alloc(n int) []byte {
	if a.used+n > len(a.chunk) {
		return make([]byte, n)
	}
	b := a.chunk[a.used : a.used+n : a.used+n]
	a.used += n
	return b
}
