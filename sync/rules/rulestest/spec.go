// Package rulestest holds what tests of automatic capture are measured against: a specification
// of the rules in a few lines, and generators of choices and mails that meet in many ways.
//
// It is for tests alone. The specification shares no code with package rules; it knows only the
// small world that the generators draw from. Its functions are pure.
package rulestest

import (
	"slices"
	"strings"

	"hawser/sync/capture"
	"hawser/sync/rules"
)

// Case is one mail and everything that its decision depends on.
type Case struct {
	Choices  capture.Choices
	Company  capture.Company
	Own      []string
	Message  rules.Message // with People and Body
	Mark     capture.Mark
	Followed bool
}

// Saved is the specification: may this mail be saved without anybody being asked?
func Saved(c Case) bool {
	m, ch := c.Message, c.Choices
	marked := c.Mark == capture.MarkHand || c.Mark == capture.MarkFolder || c.Mark == capture.MarkKeyword
	others := c.others()
	outside := slices.DeleteFunc(slices.Clone(others), c.colleague)
	private := !ch.FreeMail && all(outside, func(a string) bool { return under(a, "gmail.com") && !in(a, ch.Pass) })
	known := func(a string) bool {
		return slices.ContainsFunc(m.People[a], func(t string) bool { return t != "User" })
	}
	denies := func(r capture.Rule) bool { return r.Action == capture.Deny && c.meets(r, c.seen(marked)) }
	allows := func(r capture.Rule) bool {
		return r.Action == capture.Allow && c.meets(r, c.headKinds()) && (!private || len(r.Records) > 0 || r.Known != nil && *r.Known)
	}
	barred := func(a string) bool { return in(a, c.Company.Block) && !(c.Company.Unlocked && in(a, ch.Pass)) }
	reached := slices.Concat(others, c.addresses(m.Header.ReplyTo))

	switch {
	case slices.ContainsFunc(c.Company.Rules, denies), m.Size > rules.MaxMail:
		return false
	case marked:
		return c.Company.Unlocked || !slices.ContainsFunc(reached, func(a string) bool { return in(a, c.Company.Block) })
	case slices.ContainsFunc(ch.Rules, denies), slices.ContainsFunc(reached, barred),
		slices.ContainsFunc(reached, func(a string) bool { return in(a, ch.Block) }), len(outside) == 0,
		!all(c.kinds(), func(k capture.Kind) bool { return slices.Contains(ch.Kinds, k) }), c.sensitive():
		return false
	case c.Followed || c.Mark == capture.MarkThread:
		return !private || slices.ContainsFunc(outside, known)
	}
	return ch.Automatic && !c.Company.Manual && c.looks() && (ch.Direction == "" || ch.Direction == c.way()) &&
		!m.Received.Before(ch.Since.AddDate(0, 0, -ch.Days)) &&
		slices.ContainsFunc(slices.Concat(c.Company.Rules, ch.Rules), allows)
}

// seen returns the kinds that a deny rule knows of: nobody reads a marked mail for it.
func (c Case) seen(marked bool) []capture.Kind {
	if marked {
		return c.headKinds()
	}
	return c.kinds()
}

func (c Case) meets(r capture.Rule, kinds []capture.Kind) bool {
	m := c.Message
	from := append(c.addresses(m.Header.From), c.addresses(m.Header.Sender)...)
	to := c.addresses(slices.Concat(m.Header.To, m.Header.Cc, m.Header.Bcc))
	var types []string
	for _, a := range c.others() {
		if !c.colleague(a) {
			types = append(types, m.People[a]...)
		}
	}
	known := slices.ContainsFunc(types, func(t string) bool { return t != "User" })
	return !r.Off && some(r.From, from) && some(r.To, to) && some(r.With, c.others()) &&
		(r.Direction == "" || r.Direction == c.way()) &&
		(r.Folders == nil || slices.Contains(r.Folders, m.Folder)) &&
		(r.Words == nil || slices.ContainsFunc(r.Words, func(w string) bool { return has(m.Header.Subject, w) })) &&
		(r.Files == nil || *r.Files == (m.Files > 0)) && m.Size > r.Over && (r.Under == 0 || m.Size < r.Under) &&
		(r.Kinds == nil || slices.ContainsFunc(r.Kinds, func(k capture.Kind) bool { return slices.Contains(kinds, k) })) &&
		(r.Known == nil || *r.Known == known) &&
		(r.Records == nil || slices.ContainsFunc(r.Records, func(t string) bool { return slices.Contains(types, t) }))
}

func (c Case) looks() bool {
	if c.Choices.Folders == nil {
		return c.Message.Role == "inbox" || c.Message.Role == "sent"
	}
	return slices.Contains(c.Choices.Folders, c.Message.Folder)
}

func (c Case) way() capture.Direction {
	for _, a := range append(c.addresses(c.Message.Header.From), c.addresses(c.Message.Header.Sender)...) {
		if slices.Contains(c.Own, a) {
			return capture.SentBy
		}
	}
	if c.Message.Role == "sent" {
		return capture.SentBy
	}
	return capture.Received
}

func (c Case) sensitive() bool {
	m := c.Message
	words := slices.Concat(c.Company.Words, c.Choices.Words)
	return m.Header.Sensitivity != "" ||
		slices.ContainsFunc(slices.Concat(c.Company.Labels, c.Choices.Labels), func(l string) bool { return slices.Contains(m.Labels, l) }) ||
		slices.ContainsFunc(words, func(w string) bool { return has(m.Header.Subject, w) || has(m.Body.Text, w) })
}

func (c Case) headKinds() (kinds []capture.Kind) {
	h := c.Message.Header
	if h.ListID != "" {
		kinds = append(kinds, capture.KindList)
	}
	if h.AutoSubmitted != "" {
		kinds = append(kinds, capture.KindAutoReply)
	}
	if h.ContentType == "multipart/report" {
		kinds = append(kinds, capture.KindBounce)
	}
	if h.ContentType == "multipart/encrypted" {
		kinds = append(kinds, capture.KindEncrypted)
	}
	return kinds
}

func (c Case) kinds() []capture.Kind {
	kinds := c.headKinds()
	if slices.Contains(c.Message.Body.Types, "text/calendar") {
		kinds = append(kinds, capture.KindInvitation)
	}
	return kinds
}

func (c Case) others() []string {
	h := c.Message.Header
	all := c.addresses(slices.Concat(h.From, h.Sender, h.To, h.Cc, h.Bcc))
	return slices.DeleteFunc(all, func(a string) bool { return slices.Contains(c.Own, a) })
}

func (c Case) colleague(a string) bool {
	return slices.ContainsFunc(c.Own, func(o string) bool { return under(a, o[strings.IndexByte(o, '@')+1:]) }) && !in(a, c.Choices.Pass)
}

func (c Case) addresses(list []capture.Address) (all []string) {
	for _, a := range list {
		all = append(all, plain(a.Addr))
	}
	return all
}

// plain spells an address of the small world in one way.
func plain(a string) string {
	return strings.ReplaceAll(strings.ToLower(a), "bücher.example", "xn--bcher-kva.example")
}

// in reports whether a is one of the entries, or at or below a domain among them.
func in(a string, entries []string) bool {
	return slices.ContainsFunc(entries, func(e string) bool { return a == plain(e) || under(a, plain(e)) })
}

func under(a, domain string) bool {
	_, host, _ := strings.Cut(a, "@")
	return host == domain || strings.HasSuffix(host, "."+domain)
}

func some(entries, addresses []string) bool {
	return entries == nil || slices.ContainsFunc(addresses, func(a string) bool { return in(a, entries) })
}

func has(text, word string) bool {
	return slices.Contains(strings.Fields(strings.ToLower(text)), strings.ToLower(word))
}

func all[T any](list []T, ok func(T) bool) bool {
	return !slices.ContainsFunc(list, func(t T) bool { return !ok(t) })
}
