package salesforce

import (
	"encoding/json"
	"strings"
	"time"

	"hawser/sync/deliver"
	"hawser/sync/shape"
)

// stamp is how Salesforce writes a moment.
const stamp = "2006-01-02T15:04:05.000-0700"

// mailRow is a saved e-mail, as far as it tells which mail it is.
type mailRow struct {
	ID      string           `json:"Id"`
	Mail    string           `json:"MessageIdentifier"`
	Date    tolerant[string] `json:"MessageDate"`
	Creator tolerant[string] `json:"CreatedById"`
	From    tolerant[string] `json:"FromAddress"`
	Subject tolerant[string] `json:"Subject"`
}

// byIdentifier asks by Message-ID: for own among what this user saved, for the query's Shared
// among everything the user can see.
func (f *finder) byIdentifier(o *object, own []deliver.Sought) {
	shared := f.q.Shared
	if !o.has("MessageIdentifier") {
		return
	}
	if !f.tells(o) {
		shared = nil
	}
	ids := map[string]*twins{}
	var order []string
	at := func(id string) *twins {
		if ids[id] == nil {
			ids[id] = &twins{}
			order = append(order, id)
		}
		return ids[id]
	}
	for _, s := range own {
		t := at(messageIdentifier(s.Key, s.MessageID))
		t.own = append(t.own, s)
	}
	for _, s := range shared {
		if s.MessageID != "" {
			t := at(messageIdentifier(s.Key, s.MessageID))
			t.shared = append(t.shared, s)
		}
	}
	columns, tail := "SELECT Id, MessageIdentifier", ""
	for _, n := range []string{"MessageDate", "CreatedById", "FromAddress", "Subject"} {
		if o.has(n) && (n == "MessageDate" || len(shared) > 0) {
			columns += ", " + n
		}
	}
	if len(shared) == 0 && f.c.cfg.UserID != "" && o.has("CreatedById") {
		tail = " AND CreatedById = " + quote(f.c.cfg.UserID)
	}
	row := func(dec *json.Decoder) error {
		var r mailRow
		if err := dec.Decode(&r); err != nil {
			return err
		}
		if t := ids[r.Mail]; t != nil {
			return f.identified(r, t, len(shared) > 0)
		}
		return nil
	}
	f.add(query{object: mailType, row: row}, soqlIn(columns+" FROM "+mailType, []string{"MessageIdentifier"}, quotes(order), tail))
}

// twins are the sought mails that have one Message-ID.
type twins struct{ own, shared []deliver.Sought }

// tells reports whether a colleague's record can be told from one of another mail that only
// claims the same Message-ID.
func (f *finder) tells(o *object) bool {
	return f.c.cfg.UserID != "" && o.has("CreatedById") && o.has("MessageDate") && o.has("FromAddress") && o.has("Subject")
}

// identified notes a record for the sought mails that it is. Two mails may claim one id; their
// dates tell them apart, and sender and subject too where somebody else saved it.
func (f *finder) identified(r mailRow, t *twins, creators bool) error {
	at, err := time.Parse(stamp, r.Date.V)
	mine := !creators || id18(r.Creator.V) == id18(f.c.cfg.UserID)
	if mine {
		for _, s := range t.own {
			if err == nil && storable(s.Date) && !sameSecond(at, s.Date) {
				continue
			}
			if err := f.found(s.Key, r.ID, deliver.Email); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range t.shared {
		if err != nil || !storable(s.Date) || !sameSecond(at, s.Date) || !strings.EqualFold(strings.TrimSpace(s.From), r.From.V) ||
			r.Subject.V != "" && !sameText(r.Subject.V, s.Subject) {
			continue
		}
		id := id18(r.ID)
		if id == "" {
			return errShape
		}
		if _, have := f.answer.Saved[s.Key]; !have {
			f.answer.Saved[s.Key] = deliver.Existing{ID: id, Kind: deliver.Email, Foreign: true}
		}
	}
	return nil
}

func sameSecond(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }

// sameText compares a subject with what a field of it kept: spaces may be folded, the end cut.
func sameText(kept, s string) bool {
	kept, s = oneLine(clean(kept)), oneLine(clean(s))
	if kept == s {
		return true
	}
	head, _ := strings.CutSuffix(kept, "…")
	return shape.Units(kept) >= lenSubject-64 && strings.HasPrefix(s, head)
}
