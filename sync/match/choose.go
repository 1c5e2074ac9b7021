package match

import (
	"slices"
	"strings"

	"hawser/sync/capture"
)

// Order ranks the types when an address belongs to records of several: the first wins.
type Order []Type

// Usual is the order of a mail from a customer: a contact is the person, a lead may become one,
// a user is a colleague.
var Usual = Order{Contact, Lead, User}

// OrderOf reads an order as it is configured; without a type it knows it is [Usual].
func OrderOf(names []string) Order {
	var o Order
	for _, n := range names {
		if t := Type(n); slices.Contains(Usual, t) && !slices.Contains(o, t) {
			o = append(o, t)
		}
	}
	if len(o) == 0 {
		return Usual
	}
	return o
}

// MaxAddresses bounds how many addresses of one mail are looked up: a mail to a thousand people
// must not spend the day's calls. The rest is saved as text.
const MaxAddresses = 100

// Addresses returns the addresses of a mail that are worth looking up: lower case, without
// doubles, sender first, at most [MaxAddresses].
func Addresses(h capture.Header) []string {
	seen := make(map[string]bool)
	var all []string
	for _, list := range [][]capture.Address{{Sender(h)}, h.To, h.Cc, h.Bcc} {
		for _, a := range list {
			addr := normal(a.Addr)
			if seen[addr] || !Plausible(addr) {
				continue
			}
			if len(all) == MaxAddresses {
				return all
			}
			seen[addr] = true
			all = append(all, addr)
		}
	}
	return all
}

// Sender returns who wrote the mail: the first From address, else the Sender field (RFC 5322
// section 3.6.2); zero when neither names an address.
func Sender(h capture.Header) capture.Address {
	for _, list := range [][]capture.Address{h.From, h.Sender} {
		for _, a := range list {
			if strings.TrimSpace(a.Addr) != "" {
				return a
			}
		}
	}
	return capture.Address{}
}

// Own reports whether an address is one of the user's own.
func Own(addr string, own []string) bool {
	addr = normal(addr)
	for _, o := range own {
		if addr != "" && normal(o) == addr {
			return true
		}
	}
	return false
}

// Picks is what the person decided about addresses: the id of a record, "" for none of them.
type Picks func(addr string) (id string, ok bool)

// Choose joins a mail to records. People holds the candidates by lower-case address, and records
// that the person picked by their ids. Among several
// of one type the person decides; until then the first stands in, and the address is among
// Links.Ties. An address of the user's own means the user, whatever else carries it, and is no
// tie. Types that the order does not name are not linked, unless the person picked one.
func (o Order) Choose(h capture.Header, people map[string][]Candidate, own []string, picks Picks) Links {
	c := chooser{order: o, people: people, own: own, picks: picks, ids: map[string]bool{}, texts: map[string]bool{}, asked: map[string]bool{}}
	l := &c.links
	if from, ok := c.best(Sender(h).Addr); ok {
		l.From = &from
		c.account(from)
	}
	l.To, l.ToOther = c.list(h.To)
	l.Cc, l.CcOther = c.list(h.Cc)
	l.Bcc, l.BccOther = c.list(h.Bcc)
	if len(c.accounts) == 1 {
		l.RelatedTo = c.accounts[0]
	}
	return *l
}

// chooser remembers, while one mail is looked at, what was named before: a person stands in one
// recipient list only.
type chooser struct {
	order    Order
	people   map[string][]Candidate
	own      []string
	picks    Picks
	ids      map[string]bool
	texts    map[string]bool
	asked    map[string]bool // addresses that were looked at
	accounts []string
	links    Links
}

func (c *chooser) list(addresses []capture.Address) (found []Candidate, other []string) {
	for _, a := range addresses {
		text := strings.TrimSpace(a.Addr)
		if text == "" {
			continue
		}
		who, ok := c.best(text)
		switch {
		case ok && !c.ids[who.ID]:
			c.ids[who.ID] = true
			c.account(who)
			found = append(found, who)
		case !ok && !c.texts[normal(text)]:
			c.texts[normal(text)] = true
			other = append(other, text)
		}
	}
	return found, other
}

// best returns the record of an address and notes why, or that there are several.
func (c *chooser) best(addr string) (Candidate, bool) {
	addr = normal(addr)
	own := Own(addr, c.own)
	who, tie := c.decide(addr, own)
	if !c.asked[addr] {
		c.asked[addr] = true
		if len(tie) > 1 {
			c.links.Ties = append(c.links.Ties, Tie{Address: addr, Candidates: tie})
		}
		if who.ID != "" {
			c.links.Matched = append(c.links.Matched, Reason{Address: addr, Field: who.Field, RecordID: who.ID})
			c.links.Known = c.links.Known || !own && who.Type != User
		}
	}
	return who, who.ID != ""
}

// decide returns the record of an address, and the candidates among which nobody has decided.
func (c *chooser) decide(addr string, own bool) (who Candidate, tie []Candidate) {
	candidates := c.people[addr]
	if c.picks != nil && !own {
		if id, ok := c.picks(addr); ok {
			if who, ok := picked(id, slices.Concat(candidates, c.people[id])); ok {
				return who, nil
			}
		}
	}
	order := c.order
	if own {
		order = append(Order{User}, order...)
	}
	for _, t := range order {
		for _, cand := range candidates {
			if cand.Type == t && cand.ID != "" && !slices.ContainsFunc(tie, func(o Candidate) bool { return o.ID == cand.ID }) {
				tie = append(tie, cand)
			}
		}
		if len(tie) > 0 {
			who = tie[0]
			break
		}
	}
	if own {
		return who, nil
	}
	return who, tie
}

// TypeOf returns the type that a record id stands for, "" for any other.
func TypeOf(id string) Type {
	for prefix, t := range map[string]Type{"003": Contact, "00Q": Lead, "005": User} {
		if strings.HasPrefix(id, prefix) {
			return t
		}
	}
	return ""
}

// picked returns the record that the person named: one of the candidates, or any other, of which
// no more is known than its id.
func picked(id string, candidates []Candidate) (Candidate, bool) {
	if id == "" {
		return Candidate{}, true
	}
	for _, cand := range candidates {
		if cand.ID == id {
			return cand, true
		}
	}
	if t := TypeOf(id); t != "" {
		return Candidate{Type: t, ID: id}, true
	}
	return Candidate{}, false
}

func (c *chooser) account(who Candidate) {
	if who.Type == Contact && who.AccountID != "" && !slices.Contains(c.accounts, who.AccountID) {
		c.accounts = append(c.accounts, who.AccountID)
	}
}

func normal(addr string) string { return strings.ToLower(strings.TrimSpace(addr)) }

// Plausible keeps what can never be an e-mail field's value out of a query. It is no check of
// RFC 5321: Salesforce knows which addresses exist. 128 is the length of User.Email, the longest
// e-mail field there is to match.
func Plausible(addr string) bool {
	at := strings.LastIndexByte(addr, '@')
	if at < 1 || at == len(addr)-1 || len(addr) > 128 {
		return false
	}
	for _, r := range addr {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`<>()[],;:\"`, r) {
			return false
		}
	}
	return true
}
