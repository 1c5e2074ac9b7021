package match

import (
	"strings"

	"hawser/sync/capture"
)

// Order ranks the types when an address belongs to records of several: the first wins.
type Order []Type

// Usual is the order of a mail from a customer: a contact is the person, a lead may become one,
// a user is a colleague.
var Usual = Order{Contact, Lead, User}

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
			if seen[addr] || !plausible(addr) {
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

// Choose joins a mail to records in the [Usual] order. People holds the candidates by lower-case
// address; among several of one type the first wins. An address of the user's own means the
// user, whatever else carries it.
func Choose(h capture.Header, people map[string][]Candidate, own []string) Links {
	return Usual.Choose(h, people, own)
}

// Choose is [Choose] in another order. Types that the order does not name are not linked.
func (o Order) Choose(h capture.Header, people map[string][]Candidate, own []string) Links {
	c := chooser{order: o, people: people, own: own, ids: map[string]bool{}, texts: map[string]bool{}}
	var l Links
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
	return l
}

// chooser remembers, while one mail is looked at, what was named before: a person stands in one
// recipient list only.
type chooser struct {
	order    Order
	people   map[string][]Candidate
	own      []string
	ids      map[string]bool
	texts    map[string]bool
	accounts []string
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

func (c *chooser) best(addr string) (Candidate, bool) {
	order := c.order
	if Own(addr, c.own) {
		order = append(Order{User}, order...)
	}
	candidates := c.people[normal(addr)]
	for _, t := range order {
		for _, cand := range candidates {
			if cand.Type == t && cand.ID != "" {
				return cand, true
			}
		}
	}
	return Candidate{}, false
}

func (c *chooser) account(who Candidate) {
	if who.Type != Contact || who.AccountID == "" {
		return
	}
	for _, have := range c.accounts {
		if have == who.AccountID {
			return
		}
	}
	c.accounts = append(c.accounts, who.AccountID)
}

func normal(addr string) string { return strings.ToLower(strings.TrimSpace(addr)) }

// plausible keeps what can never be an e-mail field's value out of a query. It is no check of
// RFC 5321: Salesforce knows which addresses exist. 128 is the length of User.Email, the longest
// e-mail field there is to match.
func plausible(addr string) bool {
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
