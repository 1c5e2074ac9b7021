package imapsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/mailparse"
)

const (
	maxSearch = 200  // bytes of a search text
	lookedAt  = 2000 // mails whose header blocks are looked through where the server cannot search
)

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

// searchedPage returns the mails below req.Before that the server finds; where it cannot search for
// the text, those whose header blocks show it.
func (r *reader) searchedPage(ctx context.Context, req PageRequest) (Page, error) {
	found, err := r.matching(ctx, req)
	var status *imap.Error
	switch {
	case errors.As(err, &status) && !isBusy(status) && !isASCII(req.Search):
		return r.lookedThrough(ctx, req) // [BADCHARSET], or a server that does not know CHARSET
	case errors.As(err, &status):
		return Page{}, statusFault(fault.MailProtocol, "search mails", status)
	case err != nil:
		return Page{}, err
	}
	return r.page(ctx, last(found, req.Limit+1), req.Limit)
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

// last returns the last n UIDs of a set, ascending.
func last(set imap.UIDSet, n int) []imap.UID {
	var uids []imap.UID
	for _, rng := range slices.Backward(clip(set, 1, 0)) {
		for uid := rng.Stop; uid >= rng.Start && len(uids) < n; uid-- {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids
}

// matching returns the mails below req.Before that the server finds. Its error is an [imap.Error]
// when the server refuses.
func (r *reader) matching(ctx context.Context, req PageRequest) (imap.UIDSet, error) {
	var below []imap.UIDSet
	if req.Before == 1 {
		return nil, nil
	}
	if req.Before != 0 {
		below = []imap.UIDSet{{{Start: 1, Stop: imap.UID(req.Before) - 1}}}
	}
	if r.ses.gmail {
		return r.gmailRaw(ctx, req.Search, below)
	}
	found, err := r.having(ctx, req.Search, below, "FROM", "TO", "SUBJECT")
	if err != nil || len(found) > 0 {
		return found, err
	}
	if below != nil { // the last page has been seen, or the first one was of those who have it anywhere
		if newer, err := r.having(ctx, req.Search, nil, "FROM", "TO", "SUBJECT"); err != nil || len(newer) > 0 {
			return nil, err
		}
	}
	return r.having(ctx, req.Search, below, "TEXT")
}

// having returns the mails that have a text in one of fields (search keys).
func (r *reader) having(ctx context.Context, text string, below []imap.UIDSet, fields ...string) (imap.UIDSet, error) {
	if !isASCII(text) {
		// The library loses the connection when the server refuses the text before it has it.
		cmd := &command{}
		for i, field := range fields {
			if i < len(fields)-1 {
				field = "OR " + field
			}
			cmd.text(field + " ").value(text).text(" ")
		}
		return r.byKeys(ctx, cmd, below, true)
	}
	var criteria imap.SearchCriteria
	for i, field := range slices.Backward(fields) {
		one := imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: field, Value: text}}}
		if field == "TEXT" {
			one = imap.SearchCriteria{Text: []string{text}}
		}
		if i < len(fields)-1 {
			one = imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{one, criteria}}}
		}
		criteria = one
	}
	criteria.UID = below
	return r.ses.trySearch(ctx, &criteria)
}

// gmailRaw searches the way Gmail's own search field does (X-GM-RAW), which knows words rather than
// pieces of them and is quick in the largest mailbox.
func (r *reader) gmailRaw(ctx context.Context, query string, below []imap.UIDSet) (imap.UIDSet, error) {
	return r.byKeys(ctx, (&command{}).text("X-GM-RAW ").value(query), below, !isASCII(query))
}

// byKeys searches by keys that the library does not know or cannot send.
func (r *reader) byKeys(ctx context.Context, keys *command, below []imap.UIDSet, utf8 bool) (imap.UIDSet, error) {
	before := "UID SEARCH "
	if utf8 {
		before += "CHARSET UTF-8 "
	}
	for _, set := range below {
		before += "UID " + set.String() + " "
	}
	keys.pieces[0] = before + keys.pieces[0]
	if n := len(keys.pieces) - 1; n%2 == 0 { // text, no literal
		keys.pieces[n] = strings.TrimRight(keys.pieces[n], " ")
	}
	var found imap.UIDSet
	cut := false
	err := r.ses.exchange(ctx, "search mails", keys, func(line string) {
		cut = cut || len(line) >= maxOwn
		words := strings.Fields(line)
		if len(words) < 2 || !strings.EqualFold(words[1], "SEARCH") {
			return
		}
		for _, word := range words[2:] {
			if uid, err := strconv.ParseUint(word, 10, 32); err == nil && uid != 0 {
				found.AddNum(imap.UID(uid))
			}
		}
	})
	if err == nil && cut {
		err = &imap.Error{Type: imap.StatusResponseTypeNo, Text: "too many mails"}
	}
	return found, err
}

// lookedThrough returns the mails among the newest below req.Before whose header blocks show the text.
func (r *reader) lookedThrough(ctx context.Context, req PageRequest) (Page, error) {
	page := Page{More: req.Before, Partial: true}
	var shown []*part
	for looked := 0; looked < lookedAt && len(shown) < req.Limit; looked += headerWindow {
		uids, err := r.below(ctx, imap.UID(page.More), headerWindow)
		if err != nil {
			return Page{}, err
		}
		if len(uids) == 0 {
			page.More = 0
			break
		}
		read, err := r.headers(ctx, uids)
		if err != nil {
			return Page{}, err
		}
		page.More = uint32(uids[0])
		for _, p := range slices.Backward(read) {
			if shows(p.body, req) {
				if shown = append(shown, p); len(shown) == req.Limit {
					page.More = uint32(p.uid)
					break
				}
			}
		}
	}
	var err error
	page.Items, err = r.headed(ctx, shown)
	return page, err
}

// shows reports whether a header block shows the text that is looked for.
func shows(head []byte, req PageRequest) bool {
	h, err := mailparse.ReadHeader(bytes.NewReader(head))
	if err != nil {
		return false
	}
	text := strings.ToLower(req.Search)
	within := func(list ...[]capture.Address) bool {
		for _, a := range slices.Concat(list...) {
			if strings.Contains(strings.ToLower(fmt.Sprintf("%s <%s>", a.Name, a.Addr)), text) {
				return true
			}
		}
		return false
	}
	return strings.Contains(strings.ToLower(h.Subject), text) || within(h.From, h.To, h.Cc)
}
