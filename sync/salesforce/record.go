package salesforce

import (
	"slices"
	"strings"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/mailparse"
	"hawser/sync/match"
	"hawser/sync/shape"
)

// Salesforce's own field lengths (Field Reference); a describe may say less.
const (
	lenSubject     = 3_000
	lenBody        = 131_072
	lenHeaders     = 32_000
	lenAddresses   = 4_000
	lenDescription = 31_900
	lenWhoIDs      = 50
)

// maker builds records from mails for one call.
type maker struct {
	sc   *schema
	zone *time.Location // the user's, for days
	site bool           // the user is a member of a site
}

// set puts a value into a field the user may set; a text is cut to the field's length.
func (o *object) set(r record, name string, v any) {
	if !o.can(name) {
		return
	}
	if s, ok := v.(string); ok {
		if s = clean(s); s == "" {
			return
		}
		if n := o.fields[name].Length; n > 0 {
			s, _ = shape.Prefix(s, n)
		}
		v = s
	}
	r[name] = v
}

// room is the length of a field, at most limit.
func (o *object) room(name string, limit int) int {
	if n := o.fields[name].Length; n > 0 && n < limit {
		return n
	}
	return limit
}

func (m maker) record(in deliver.Record) record {
	if in.Kind == deliver.Task {
		return m.task(in)
	}
	return m.email(in)
}

func (m maker) email(in deliver.Record) record {
	o := m.sc.objects[mailType]
	r := of(mailType)
	msg := in.Mail
	o.set(r, "Subject", msg.Subject)
	o.set(r, "Status", "3") // the only state of an e-mail that belongs to no case
	o.set(r, "Incoming", in.Incoming)
	o.set(r, "IsClientManaged", true) // lets its links be corrected later
	if storable(msg.Date) {
		o.set(r, "MessageDate", msg.Date.UTC().Format("2006-01-02T15:04:05Z"))
	}
	o.set(r, "MessageIdentifier", messageIdentifier(in.Key, msg.MessageID))
	if thread := clean(msg.ThreadID()); shape.Units(thread) <= o.room("ThreadIdentifier", 765) {
		o.set(r, "ThreadIdentifier", thread)
	}
	if o.keyed() {
		o.set(r, keyField, string(in.Key))
	}
	o.set(r, "Headers", shape.CutLines(clean(msg.RawHeaders), o.room("Headers", lenHeaders)))
	m.bodies(o, r, msg)
	m.sender(o, r, msg)
	m.recipients(o, r, in)
	if related := in.Links.RelatedTo; validID(related) && !isPerson(related) {
		o.set(r, "RelatedToId", related)
	}
	return r
}

// bodies sets the texts. Salesforce derives the plain one where only HTML is given; where HTML is
// closed to the user, that is done here, so that no mail loses its content.
func (m maker) bodies(o *object, r record, msg capture.Mail) {
	text := msg.Text
	if text == "" && msg.HTML != "" && !o.can("HtmlBody") {
		text = mailparse.HTMLText(msg.HTML)
	}
	page := msg.HTML
	if page == "" && !o.can("TextBody") && text != "" {
		page = "<pre>" + escapeHTML(text) + "</pre>"
	}
	// Both are cut already; an org may have less room.
	text, _ = shape.CutText(clean(text), o.room("TextBody", lenBody))
	page, _ = shape.CutHTML(clean(page), o.room("HtmlBody", lenBody))
	o.set(r, "TextBody", text)
	o.set(r, "HtmlBody", page)
}

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// sender sets who wrote the mail. FromAddress is of type email: what is no plain address stands
// in the name, which takes any text.
func (m maker) sender(o *object, r record, msg capture.Mail) {
	if len(msg.From) == 0 {
		return
	}
	from := msg.From[0]
	if addr := strings.TrimSpace(from.Addr); isAddress(addr) && len(addr) <= o.room("FromAddress", 1000) {
		o.set(r, "FromAddress", addr)
		o.set(r, "FromName", from.Name)
		return
	}
	o.set(r, "FromName", display(from))
}

// recipients sets people by id and everyone else by address. Where ids cannot be set, or links
// say nothing, all addresses of the mail stand as text.
func (m maker) recipients(o *object, r record, in deliver.Record) {
	for _, f := range []struct {
		ids, text string
		people    []match.Candidate
		other     []string
		all       []capture.Address
	}{
		{"ToIds", "ToAddress", in.Links.To, in.Links.ToOther, in.Mail.To},
		{"CcIds", "CcAddress", in.Links.Cc, in.Links.CcOther, in.Mail.Cc},
		{"BccIds", "BccAddress", in.Links.Bcc, in.Links.BccOther, in.Mail.Bcc},
	} {
		ids := peopleIDs(f.people)
		other := f.other
		if len(ids) > 0 && o.can(f.ids) {
			o.set(r, f.ids, ids)
		} else {
			other = onlyAddresses(f.all)
		}
		o.set(r, f.text, joinAddresses(other, o.room(f.text, lenAddresses)))
	}
}

func peopleIDs(people []match.Candidate) []string {
	var ids []string
	for _, p := range people {
		if validID(p.ID) && !slices.Contains(ids, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// isPerson reports whether the id is of a Contact, Lead or User, which nothing is "related to".
func isPerson(id string) bool {
	return strings.HasPrefix(id, "003") || strings.HasPrefix(id, "00Q") || strings.HasPrefix(id, "005")
}

// pointsElsewhere reports whether a record refers to other records that could be left out.
func pointsElsewhere(r record) bool {
	for _, name := range []string{"ToIds", "CcIds", "BccIds", "RelatedToId", "WhoId", "WhatId", "TaskWhoIds", "RelationId"} {
		if _, ok := r[name]; ok {
			return true
		}
	}
	return false
}

// relate returns the sender's relation of a saved e-mail, nil where there is nothing to make:
// no sender, or no access to relations.
func (m maker) relate(rel deliver.Relation) record {
	o := m.sc.objects[relation]
	addr := strings.TrimSpace(clean(rel.Address.Addr))
	person := ""
	if validID(rel.PersonID) && o.can("RelationId") {
		person = rel.PersonID
	}
	// No address contains @{, which a composite request would take for a reference.
	if !o.can("EmailMessageId") || addr == "" && person == "" || strings.Contains(addr, "@{") {
		return nil
	}
	r := of(relation)
	r["EmailMessageId"] = rel.RecordID
	o.set(r, "RelationType", "FromAddress")
	if person != "" {
		o.set(r, "RelationId", person)
	}
	if shape.Units(addr) <= o.room("RelationAddress", 255) {
		o.set(r, "RelationAddress", addr)
	} else if person == "" {
		return nil
	}
	return r
}
