package rules

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"hawser/sync/capture"
)

// address is an e-mail address in the form in which addresses are compared: the domain in ASCII
// (RFC 5891), both halves in lower case.
type address struct{ local, domain string }

func (a address) String() string { return a.local + "@" + a.domain }

// hosts maps a domain as resolvers do (UTS #46), so that both its spellings are one.
var hosts = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// parse returns the address; false for what is none.
func parse(s string) (address, bool) {
	s = strings.TrimSpace(s)
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 {
		return address{}, false
	}
	local := s[:at]
	if n := len(local); n > 2 && local[0] == '"' && local[n-1] == '"' && !strings.ContainsAny(local[1:n-1], `\" `) {
		local = local[1 : n-1] // RFC 5322 section 3.2.4: quotes that mean nothing
	}
	return address{lower(local), domain(s[at+1:])}, true
}

// domain returns the comparable form of a domain.
func domain(s string) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	if ascii(s) {
		return strings.ToLower(s)
	}
	if host, err := hosts.ToASCII(s); err == nil {
		return strings.ToLower(strings.TrimSuffix(host, "."))
	}
	return lower(s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func lower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(strings.ToLower(s))
}

// list is a set of addresses and domains. Each keeps the text that it was entered as.
type list struct {
	addresses map[string]string
	domains   map[string]string
}

// newList reads entries such as "ann@example.com", "example.com", "@example.com", "*.example.com".
// What is neither address nor domain is in no mail, so it is left out.
func newList(entries []string) list {
	l := list{map[string]string{}, map[string]string{}}
	for _, e := range entries {
		if a, ok := parse(e); ok && a.local != "*" {
			l.addresses[a.String()] = e
		} else if d := domainEntry(e); d != "" {
			l.domains[d] = e
		}
	}
	return l
}

// domainEntry returns the domain that an entry names, "" for none.
func domainEntry(e string) string {
	e = strings.TrimSpace(e)
	for _, prefix := range []string{"*@", "@", "*."} {
		e = strings.TrimPrefix(e, prefix)
	}
	if strings.ContainsAny(e, "@ \t\r\n*/:,;<>()\"'") {
		return ""
	}
	return domain(e)
}

func (l list) empty() bool { return len(l.addresses)+len(l.domains) == 0 }

// has returns the entry that covers a: the address itself, or a domain at or above its own.
func (l list) has(a address) (entry string, ok bool) {
	if entry, ok = l.addresses[a.String()]; ok {
		return entry, true
	}
	return l.hasDomain(a.domain)
}

func (l list) hasDomain(domain string) (entry string, ok bool) {
	if len(l.domains) == 0 {
		return "", false
	}
	for {
		if entry, ok = l.domains[domain]; ok {
			return entry, true
		}
		dot := strings.IndexByte(domain, '.')
		if dot < 0 {
			return "", false
		}
		domain = domain[dot+1:]
	}
}

// any returns the first entry that covers one of people.
func (l list) any(people []person) (entry string, ok bool) {
	if l.empty() {
		return "", false
	}
	for _, p := range people {
		if entry, ok = l.has(p.address); ok {
			return entry, true
		}
	}
	return "", false
}

// person is somebody in a mail.
type person struct {
	address
	asked string // the address as People has it
	me    bool
}

// people returns who stands in address fields, the readable ones.
func (s *Set) people(fields ...[]capture.Address) []person {
	var all []person
	for _, f := range fields {
		for _, a := range f {
			if addr, ok := parse(a.Addr); ok {
				_, me := s.own.addresses[addr.String()]
				all = append(all, person{addr, asked(a.Addr), me})
			}
		}
	}
	return all
}

// asked is the form in which records are looked up, which is closer to what people typed there.
func asked(addr string) string { return strings.ToLower(strings.TrimSpace(addr)) }
