package rules

import (
	"slices"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// view is a mail as the rules look at it.
type view struct {
	*Message
	senders    []person
	recipients []person
	others     []person // everybody but the user
	replies    []person // whom an answer would reach beside them
	sent       bool
	kinds      []capture.Kind
	subject    string // folded; "" until a rule asks
	folded     bool
}

func (s *Set) view(m *Message) *view {
	h := &m.Header
	v := &view{Message: m, kinds: kindsOf(h)}
	v.senders = s.people(h.From, h.Sender)
	v.recipients = s.people(h.To, h.Cc, h.Bcc)
	v.replies = s.people(h.ReplyTo)
	v.sent = m.Role == "sent"
	for _, p := range v.senders {
		v.sent = v.sent || p.me
	}
	for _, p := range slices.Concat(v.senders, v.recipients) {
		if !p.me {
			v.others = append(v.others, p)
		}
	}
	return v
}

func (v *view) words() string {
	if !v.folded {
		v.subject, v.folded = fold(v.Header.Subject), true
	}
	return v.subject
}

func (v *view) way() capture.Direction {
	if v.sent {
		return capture.SentBy
	}
	return capture.Received
}

// meets reports whether the mail meets every condition of r but those about records.
func (r *rule) meets(v *view) bool {
	return !r.never &&
		(r.direction == "" || r.direction == v.way()) &&
		(r.folders == nil || r.folders[folderName(v.Folder)] || slices.ContainsFunc(v.Labels, func(l string) bool { return r.folders[folderName(l)] })) &&
		(r.over == 0 || v.Size > r.over) && (r.under == 0 || v.Size < r.under) &&
		(r.files == nil || *r.files == hasFiles(v.Message)) &&
		(len(r.kinds) == 0 || slices.ContainsFunc(r.kinds, func(k capture.Kind) bool { return slices.Contains(v.kinds, k) })) &&
		covers(r.from, v.senders) && covers(r.to, v.recipients) && covers(r.with, v.others) &&
		(len(r.words) == 0 || second(find(r.words, v.words())))
}

func covers(l list, people []person) bool { return l.empty() || second(l.any(people)) }

func second(_ string, ok bool) bool { return ok }

// asks reports whether r is about the records of people.
func (r *rule) asks() bool { return r.known != nil || len(r.records) > 0 }

// agrees reports whether the conditions about records hold. A colleague is no record of a customer.
func (s *Set) agrees(r *rule, v *view) bool {
	var types []string
	for _, p := range v.others {
		if !s.colleague(p) {
			types = append(types, v.People[p.asked]...)
		}
	}
	known := slices.ContainsFunc(types, func(t string) bool { return t != "User" })
	return (r.known == nil || *r.known == known) &&
		(len(r.records) == 0 || slices.ContainsFunc(r.records, func(t string) bool { return slices.Contains(types, t) }))
}

func (s *Set) colleague(p person) bool {
	return second(s.internal.hasDomain(p.domain)) && !second(s.pass.has(p.address))
}

// Decide returns what happens to a mail that carries mark; "" is none. followed says that its
// conversation is followed, as MarkThread does. The same mail, rules and knowledge decide the
// same each time, so the answer to "why was this not saved" is this function's.
//
// A mail of a followed conversation needs no rule that allows it, and neither folder, window nor
// direction matters to it. Deny rules and kinds count, and a blocked person makes it wait.
//
// What only the body shows of a mail's kind counts against it alone: a rule that allows a kind sees
// the header.
func (s *Set) Decide(m Message, mark capture.Mark, followed bool) Decision {
	v := s.view(&m)
	switch mark {
	case capture.MarkFolder, capture.MarkKeyword, capture.MarkHand:
		return s.marked(v, mark)
	case capture.MarkThread:
		followed = true
	}
	if followed {
		return s.followed(v)
	}
	return s.chosen(v)
}

func filtered(why Reason, rule, detail string) Decision {
	return Decision{Verdict: Filter, Why: string(why), Rule: rule, Detail: detail}
}

func held(why fault.Code, detail string) Decision {
	return Decision{Verdict: Hold, Why: string(why), Detail: detail}
}

// marked decides about a mail that the person chose.
func (s *Set) marked(v *view, mark capture.Mark) Decision {
	if d, ok := s.denied(v, true); ok {
		return d
	}
	if !s.unlocked {
		if entry, ok := s.company.any(v.everybody()); ok {
			return filtered(BlockedCompany, "", entry)
		}
	}
	if d, ok := s.deniedByRecords(v, true); ok {
		return d
	}
	if v.Size > MaxMail {
		return held(fault.MailTooLarge, "")
	}
	return Decision{Verdict: Save, Why: string(mark)}
}

func (v *view) everybody() []person {
	if len(v.replies) == 0 {
		return v.others
	}
	return slices.Concat(v.others, v.replies)
}

// denied finds the first deny rule that needs no records; company says whether only the company's
// count.
func (s *Set) denied(v *view, company bool) (Decision, bool) {
	for i := range s.rules {
		if r := &s.rules[i]; r.deny && (r.company || !company) && !r.asks() && r.meets(v) {
			return filtered(DeniedByRule, r.id, ""), true
		}
	}
	return Decision{}, false
}

// deniedByRecords finds the first deny rule that does, or says that people have to be looked up.
func (s *Set) deniedByRecords(v *view, company bool) (Decision, bool) {
	for i := range s.rules {
		r := &s.rules[i]
		switch {
		case !r.deny || company && !r.company || !r.asks() || !r.meets(v):
		case v.People == nil:
			return Decision{Verdict: Ask}, true
		case s.agrees(r, v):
			return filtered(DeniedByRule, r.id, ""), true
		}
	}
	return Decision{}, false
}

// chosen decides about a mail that nobody marked.
func (s *Set) chosen(v *view) Decision {
	switch {
	case s.manual:
		return filtered(NotMarked, "", "")
	case !s.automatic:
		return filtered(AutomaticOff, "", "")
	case !s.Looks(capture.Folder{Name: v.Folder, Role: v.Role}):
		return filtered(FolderNotChosen, "", v.Folder)
	case s.early(v):
		return filtered(BeforeWindow, "", "")
	case s.direction != "" && s.direction != v.way():
		return filtered(WrongDirection, "", "")
	}
	if why, entry := s.blocked(v); why != "" {
		return filtered(why, "", entry)
	}
	if s.internalOnly(v) {
		return filtered(BlockedInternal, "", "")
	}
	if d, ok := s.denied(v, false); ok {
		return d
	}
	if why, ok := s.unwanted(v.kinds); ok {
		return filtered(why, "", "")
	}
	by, d := s.allowed(v)
	if by == nil {
		return d
	}
	return s.content(v, Decision{Verdict: Save, Why: string(capture.MarkRule), Rule: by.id})
}

// followed decides about a mail of a conversation that is followed.
func (s *Set) followed(v *view) Decision {
	if _, entry := s.blocked(v); entry != "" {
		return held(fault.BlockedAddress, entry)
	}
	if s.internalOnly(v) {
		return filtered(BlockedInternal, "", "")
	}
	if d, ok := s.denied(v, false); ok {
		return d
	}
	if why, ok := s.unwanted(v.kinds); ok {
		return filtered(why, "", "")
	}
	if d, ok := s.deniedByRecords(v, false); ok {
		return d
	}
	if entry, ok := s.privateOnly(v); ok {
		switch {
		case v.People == nil:
			return Decision{Verdict: Ask}
		case !s.recorded(v):
			return held(fault.BlockedAddress, entry)
		}
	}
	return s.content(v, Decision{Verdict: Save, Why: string(capture.MarkThread)})
}

// early reports whether the mail came before the window.
func (s *Set) early(v *view) bool {
	at := v.Received
	if at.IsZero() {
		at = v.Header.Date
	}
	return !at.IsZero() && at.Before(s.start)
}

// blocked finds the entry of the company's or the person's list that stands in the mail.
func (s *Set) blocked(v *view) (why Reason, entry string) {
	all := v.everybody()
	for _, p := range all {
		if entry, ok := s.company.has(p.address); ok && !(s.unlocked && second(s.pass.has(p.address))) {
			return BlockedCompany, entry
		}
	}
	if entry, ok := s.personal.any(all); ok {
		return BlockedPersonal, entry
	}
	return "", ""
}

// internalOnly reports whether nobody is in the mail but the user and colleagues.
func (s *Set) internalOnly(v *view) bool {
	return !slices.ContainsFunc(v.others, func(p person) bool { return !s.colleague(p) })
}

// privateOnly reports whether, colleagues apart, nobody is in the mail but people with addresses of
// the free-mail list, and the entry of the first.
func (s *Set) privateOnly(v *view) (entry string, ok bool) {
	for _, p := range v.others {
		if s.colleague(p) {
			continue
		}
		e, free := s.free.has(p.address)
		if !free || second(s.pass.has(p.address)) {
			return "", false
		}
		if entry == "" {
			entry = e
		}
	}
	return entry, entry != ""
}

// recorded reports whether somebody in the mail has a record, colleagues apart.
func (s *Set) recorded(v *view) bool {
	yes := true
	return s.agrees(&rule{known: &yes}, v)
}

// allowed finds the rule that allows the mail, one that needs no records first; without one the
// decision says what comes of it. A mail of free-mail addresses alone needs a rule that asks for
// a record: it lifts the list, as an exception would.
func (s *Set) allowed(v *view) (*rule, Decision) {
	why, entry := NoRuleAllows, ""
	private := false
	if entry, private = s.privateOnly(v); private {
		why = BlockedFreeMail
	}
	var by *rule
	var candidates []*rule
	for i := range s.rules {
		r := &s.rules[i]
		switch {
		case r.deny || !r.meets(v):
		case r.asks():
			if !private || len(r.records) > 0 || *r.known {
				candidates = append(candidates, r)
			}
		case by == nil && !private:
			by = r
		}
	}
	if by == nil && len(candidates) == 0 {
		return nil, filtered(why, "", entry)
	}
	if d, ok := s.deniedByRecords(v, false); ok {
		return nil, d
	}
	if by != nil {
		return by, Decision{}
	}
	if v.People == nil {
		return nil, Decision{Verdict: Ask}
	}
	for _, r := range candidates {
		if s.agrees(r, v) {
			return r, Decision{}
		}
	}
	return nil, filtered(why, "", entry)
}

// content says whether a mail that would be saved has to wait for a person all the same.
func (s *Set) content(v *view, save Decision) Decision {
	hold := func(why fault.Code, detail string) Decision {
		d := held(why, detail)
		d.Rule = save.Rule
		return d
	}
	if v.Size > MaxMail {
		return hold(fault.MailTooLarge, "")
	}
	if v.Header.Sensitivity != "" && v.Header.Sensitivity != "normal" {
		return hold(fault.MarkedPrivate, "")
	}
	for _, l := range slices.Concat(v.Labels, v.Flags, []string{v.Folder}) {
		if entry, ok := s.labels[fold(l)]; ok {
			return hold(fault.SensitiveLabel, entry)
		}
	}
	if entry, ok := find(s.words, v.words()); ok {
		return hold(fault.SensitiveWord, entry)
	}
	if v.Body == nil {
		save.Verdict = Read
		return save
	}
	if more := kindsIn(v.Body); len(more) > 0 {
		if why, ok := s.unwanted(more); ok {
			return filtered(why, "", "")
		}
		v.kinds = append(v.kinds, more...)
		if d, ok := s.denied(v, false); ok {
			return d
		}
		if d, ok := s.deniedByRecords(v, false); ok {
			return d
		}
	}
	if len(s.words) > 0 {
		if entry, ok := find(s.words, fold(v.Body.Text)); ok {
			return hold(fault.SensitiveWord, entry)
		}
	}
	return save
}

// Hits counts for each rule, by its id, the mails that it decided: those it allows, whatever their
// text may add, and those it denies. Mails whose people are not known count for no rule that asks
// for records.
func (s *Set) Hits(msgs []Message) map[string]int {
	hits := make(map[string]int, len(s.rules))
	for i := range msgs {
		if d := s.Decide(msgs[i], "", false); d.Rule != "" {
			hits[d.Rule]++
		}
	}
	return hits
}
