package salesforce

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/mailparse"
	"hawser/sync/match"
	"hawser/sync/shape"
)

// keyLine begins the last line of a task's text. Where the org has no field for the mail's key it
// is the only thing by which the task can be found again.
const keyLine = "Hawser-Key: "

// The end of a task's text has room for who took part, and for a line that tells which mail it is.
const (
	lenParticipants = shape.TaskFoot - 1_000
	lenIdentifier   = 500
)

func (m maker) task(in deliver.Record) record {
	o := m.sc.objects[taskType]
	r := of(taskType)
	subject := in.Mail.Subject
	if subject == "" {
		subject = "(no subject)"
	}
	o.set(r, "Subject", oneLine(subject))
	o.set(r, "Description", m.description(in, o.room("Description", lenDescription)))
	o.set(r, "Status", m.sc.closed)
	o.set(r, "TaskSubtype", "Email")
	if day := day(in.Mail.Date, m.zone); day != "" {
		o.set(r, "ActivityDate", day)
	}
	if o.keyed() {
		o.set(r, keyField, string(in.Key))
	}
	if m.site {
		// Without it other members of the site never see the activity of a record they share.
		o.set(r, "IsVisibleInSelfService", true)
	}
	who, what := taskLinks(in)
	if len(who) > 0 {
		o.set(r, "WhoId", who[0].ID)
	}
	if ids := peopleIDs(who); len(ids) > 1 {
		o.set(r, "TaskWhoIds", ids[:min(len(ids), lenWhoIDs)])
	}
	if what != "" {
		o.set(r, "WhatId", what)
	}
	return r
}

// day is the user's local day of a moment, as ActivityDate holds it.
func day(t time.Time, zone *time.Location) string {
	if !storable(t) {
		return ""
	}
	return t.In(zone).Format(time.DateOnly)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// taskLinks chooses the people and the one record of a task: either contacts, and what they are
// about; or one lead and nothing else (Object Reference, Task: a lead excludes WhatId). For a
// mail that came in, the sender is who it is about; for one that went out, the recipients are.
func taskLinks(in deliver.Record) (who []match.Candidate, what string) {
	var people []match.Candidate
	if in.Incoming && in.Links.From != nil {
		people = append(people, *in.Links.From)
	}
	people = slices.Concat(people, in.Links.To, in.Links.Cc, in.Links.Bcc)
	if !in.Incoming && in.Links.From != nil {
		people = append(people, *in.Links.From)
	}
	people = slices.DeleteFunc(people, func(p match.Candidate) bool { return p.Type == match.User || !validID(p.ID) })
	if related := in.Links.RelatedTo; validID(related) && !isPerson(related) {
		what = related
	}
	contacts := slices.DeleteFunc(slices.Clone(people), func(p match.Candidate) bool { return p.Type != match.Contact })
	switch {
	case len(people) == 0:
		return nil, what
	case len(contacts) > 0 && (what != "" || people[0].Type == match.Contact):
		return contacts, what
	}
	return people[:1], ""
}

// description is the text of a task: the mail's, then who took part, then what it is found by. The
// mail's was cut to leave room for the rest; an org may have less.
func (m maker) description(in deliver.Record, limit int) string {
	var foot strings.Builder
	line := func(label, value string) {
		if value = oneLine(clean(value)); value != "" {
			foot.WriteString(label + ": " + value + "\n")
		}
	}
	foot.WriteString("\n\n--\n")
	room := lenParticipants
	for _, f := range []struct {
		label string
		list  []capture.Address
	}{{"From", in.Mail.From}, {"To", in.Mail.To}, {"Cc", in.Mail.Cc}, {"Bcc", in.Mail.Bcc}} {
		var all []string
		for _, a := range f.list {
			all = append(all, oneLine(display(a)))
		}
		shown := joinAddresses(all, room)
		room -= shape.Units(shown)
		if shown != joinAddresses(all, math.MaxInt) {
			shown += "; …"
		}
		line(f.label, shown)
	}
	if !in.Mail.Date.IsZero() {
		line("Date", in.Mail.Date.Format(time.RFC1123Z))
	}
	id, _ := shape.Prefix(in.Mail.MessageID, lenIdentifier)
	line("Message-ID", id)
	foot.WriteString(keyLine + string(in.Key))

	text := in.Mail.Text
	if text == "" {
		text = mailparse.HTMLText(in.Mail.HTML)
	}
	text, _ = shape.CutText(clean(text), limit-shape.Units(foot.String()))
	return text + foot.String()
}

// taskKey reads the mail's key out of a Description while it is decoded, so that the texts of a
// day's tasks never stand in memory together.
type taskKey capture.Key

func (k *taskKey) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return nil
	}
	// The last one: the mail's own text, above it, may contain such a line.
	i := strings.LastIndex(s, keyLine)
	if i < 0 {
		return nil
	}
	key, _, _ := strings.Cut(s[i+len(keyLine):], "\n")
	*k = taskKey(strings.TrimSpace(key))
	return nil
}
