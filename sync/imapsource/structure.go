package imapsource

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// about adds to metas what the library cannot read without danger: the provider's labels, and the
// number of attachments where structure is set. What a server does not tell stays unknown: it
// is no reason to leave a mail.
func (r *reader) about(ctx context.Context, metas []*part, structure bool) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	items := "UID"
	if r.ses.gmail {
		items += " X-GM-LABELS"
	}
	if structure {
		items += " BODYSTRUCTURE"
	}
	if items == "UID" || r.mute {
		return nil
	}
	byUID := make(map[imap.UID]*part, len(metas))
	uids := make([]imap.UID, 0, len(metas))
	for _, p := range metas {
		if p.problem == nil {
			byUID[p.uid] = p
			uids = append(uids, p.uid)
		}
	}
	if len(uids) == 0 {
		return nil
	}
	cmd := (&command{}).text("UID FETCH " + imap.UIDSetNum(uids...).String() + " (" + items + ")")
	err := r.ses.exchange(ctx, "read what mails hold", cmd, func(line string) {
		found := fetched(line)
		p := byUID[imap.UID(found["UID"].number())]
		if p == nil {
			return
		}
		if labels, ok := found["X-GM-LABELS"]; ok {
			p.labels = labelsOf(labels, r.folder)
		}
		if files, ok := filesOf(found["BODYSTRUCTURE"], ""); ok {
			p.files = files + 1
		}
	})
	var status *imap.Error
	if errors.As(err, &status) && !isBusy(status) || isLost(err) && ctx.Err() == nil {
		r.mute = true // the next request finds out whether the server is still there
		return nil
	}
	return refusal(err)
}

// labelsOf reads Gmail's labels of a mail in folder. Gmail leaves out the label that the folder
// itself stands for.
func labelsOf(v value, folder string) []string {
	var labels []string
	for _, l := range v.list {
		if text := decodeName(l.text); text != "" && !slices.Contains(labels, text) {
			labels = append(labels, text)
		}
	}
	switch own := folder; {
	case strings.EqualFold(folder, "INBOX"):
		own = `\Inbox`
		fallthrough
	case !strings.HasPrefix(folder, "[G"): // [Gmail] or [Google Mail], which hold no labels
		if !slices.Contains(labels, own) {
			labels = append(labels, own)
		}
	}
	return labels
}

// filesOf counts the attachments in a BODYSTRUCTURE (RFC 3501 section 7.4.2) the way mails are
// parsed: what is neither a text to be read nor an image that belongs to one. within is the kind
// of multipart around it. It does not mind what servers get wrong beside that.
func filesOf(v value, within string) (n int, ok bool) {
	if len(v.list) < 2 {
		return 0, false
	}
	if v.list[0].isList {
		parts := 0
		for parts < len(v.list) && v.list[parts].isList {
			parts++
		}
		kind := ""
		if parts < len(v.list) {
			kind = strings.ToLower(v.list[parts].text)
		}
		for _, part := range v.list[:parts] {
			files, ok := filesOf(part, kind)
			if !ok {
				return 0, false
			}
			n += files
		}
		return n, true
	}
	if isFile(v.list, within) {
		n = 1
	}
	return n, true
}

// isFile judges one part that is no multipart.
func isFile(fields []value, within string) bool {
	field := func(i int) value {
		if i < len(fields) {
			return fields[i]
		}
		return value{}
	}
	kind := strings.ToLower(field(0).text)
	mediaType := kind + "/" + strings.ToLower(field(1).text)
	var disposition string
	named := hasName(field(2))
	for i := 7; i < len(fields); i++ { // the first list behind the fields that all parts have
		if d := fields[i].list; len(d) > 0 {
			disposition = strings.ToLower(d[0].text)
			named = named || len(d) > 1 && hasName(d[1])
			break
		}
	}
	switch {
	case disposition == "attachment":
		return true
	case mediaType == "text/plain", mediaType == "text/html":
		return named && within != "alternative"
	case kind == "image" && (disposition == "inline" || within == "related" && field(3).text != "" && !field(3).null()):
		return false
	}
	return true
}

// hasName reports whether parameters (name and value in turn) name a file, in whatever way
// (RFC 2231).
func hasName(params value) bool {
	for i := 0; i+1 < len(params.list); i += 2 {
		name, _, _ := strings.Cut(strings.ToLower(params.list[i].text), "*")
		if (name == "name" || name == "filename") && params.list[i+1].text != "" {
			return true
		}
	}
	return false
}
