// Package site decides which addresses are Salesforce's and what a pasted address means.
//
// [Parse] is pure: it turns what a person pasted into one canonical login base, or refuses it
// with a hint for people. [Discover] asks that base for its OAuth addresses, and finds out where
// a site moved. [Site.Trust] says where a bearer token of that site may go, and [Policy.Dial]
// refuses names that lead into the local network. The package knows no tokens. Everything is
// safe for concurrent use.
package site

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"hawser/sync/fault"
)

// Kind is what an address is at Salesforce.
type Kind int

const (
	Login      Kind = iota + 1 // login.salesforce.com or test.salesforce.com
	MyDomain                   // an org's own login host
	Experience                 // a customer or partner site, path included
	Legacy                     // a site's address of before enhanced domains; it redirects at best
	Custom                     // named by policy
)

// Site is a checked login base. The zero value is no site.
type Site struct {
	Base string // "https://acme.my.site.com/partners": no slash at the end
	Host string // lower case, with its port when policy named one
	Kind Kind

	policy Policy
}

// Policy widens what is allowed. The zero value allows Salesforce's own hosts alone.
type Policy struct {
	// Custom names hosts, exactly, that serve a site: "partners.acme.com". A loopback host with
	// its port ("127.0.0.1:8443") may be named too, and only that may be plain http.
	Custom []string
}

// Hint says why an address was refused; it is the key of a text for people.
type Hint string

const (
	Empty       Hint = "empty"
	NotAddress  Hint = "not-an-address" // malformed, or made to be read two ways
	NotHTTPS    Hint = "not-https"
	UserInfo    Hint = "user-in-address" // https://login.salesforce.com@evil.example
	Port        Hint = "port"
	IPAddress   Hint = "ip-address"
	NotASCII    Hint = "not-ascii" // look-alike letters, also as xn--
	Lightning   Hint = "lightning" // the address of the user interface of an employee
	Builder     Hint = "builder"
	Visualforce Hint = "visualforce"
	Content     Hint = "content"
	Instance    Hint = "instance" // na1.salesforce.com: not served any more
	Foreign     Hint = "foreign"  // none of the supported endings
	Retired     Hint = "retired"  // an address of before enhanced domains that leads nowhere any more
)

// refusal is the cause inside the fault. The address is not part of its text.
type refusal struct{ hint Hint }

func (r refusal) Error() string { return string(r.hint) }

// RefuseRetired is the refusal of an old address whose site could not be found anywhere.
func RefuseRetired() error { return refuse(Retired) }

func refuse(h Hint) error { return fault.New(fault.SiteRefused, "check address", refusal{h}) }

// HintOf returns why an address was refused; "" when err is no such refusal.
func HintOf(err error) Hint {
	var r refusal
	if errors.As(err, &r) {
		return r.hint
	}
	return ""
}

const maxInput = 2048

var (
	plainHost  = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	schemeless = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?([/?#]|$)`)
)

// Parse returns the login base that input stands for. It takes what people paste: with or
// without https://, with the path of a login page, a query or a fragment. Errors are
// [fault.SiteRefused] with a [Hint].
func Parse(input string, policy Policy) (Site, error) {
	scheme, authority, path, err := split(strings.TrimSpace(input))
	if err != nil {
		return Site{}, err
	}
	host, port, err := splitHost(authority)
	if err != nil {
		return Site{}, err
	}
	s := Site{Host: host, policy: policy}
	if policy.names(host, port) {
		s.Kind = Custom
		if port != "" && port != "443" {
			s.Host = net.JoinHostPort(host, port)
		} else if strings.Contains(host, ":") {
			s.Host = "[" + host + "]"
		}
		if scheme == "http" && !loopback(host) {
			return Site{}, refuse(NotHTTPS)
		}
	} else {
		switch {
		case scheme != "https":
			return Site{}, refuse(NotHTTPS)
		case port != "" && port != "443":
			return Site{}, refuse(Port)
		}
		if s.Kind, err = classify(host); err != nil {
			return Site{}, err
		}
	}
	first, err := sitePath(path)
	if err != nil {
		return Site{}, err
	}
	s.Base = scheme + "://" + s.Host
	if first != "" && s.Kind != Login && s.Kind != MyDomain {
		s.Base += "/" + first
	}
	return s, nil
}

// split takes an address apart by hand: url.Parse accepts forms that browsers read another way.
func split(in string) (scheme, authority, path string, err error) {
	switch {
	case in == "":
		return "", "", "", refuse(Empty)
	case len(in) > maxInput, strings.ContainsAny(in, "\\ \t\r\n"):
		return "", "", "", refuse(NotAddress)
	case strings.ContainsFunc(in, func(r rune) bool { return r > '~' }):
		return "", "", "", refuse(NotASCII)
	case strings.ContainsFunc(in, func(r rune) bool { return r < ' ' }):
		return "", "", "", refuse(NotAddress)
	}
	scheme, rest, ok := strings.Cut(in, "://")
	if !ok || strings.ContainsAny(scheme, "/?#@.") {
		if !schemeless.MatchString(in) {
			if strings.Contains(in, "@") {
				return "", "", "", refuse(UserInfo)
			}
			return "", "", "", refuse(NotAddress)
		}
		scheme, rest = "https", in
	}
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" {
		return "", "", "", refuse(NotHTTPS)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	path, _, _ = strings.Cut(rest[end:], "#")
	path, _, _ = strings.Cut(path, "?")
	return scheme, rest[:end], path, nil
}

// splitHost returns the host in its canonical form and the port as digits.
func splitHost(authority string) (host, port string, err error) {
	if strings.Contains(authority, "@") {
		return "", "", refuse(UserInfo)
	}
	if strings.HasPrefix(authority, "[") {
		inside, after, ok := strings.Cut(authority[1:], "]")
		ip := net.ParseIP(inside)
		port, colon := strings.CutPrefix(after, ":")
		if !ok || ip == nil || !colon && after != "" || colon && !validPort(port) {
			return "", "", refuse(IPAddress)
		}
		return ip.String(), port, nil
	}
	host, port, colon := strings.Cut(authority, ":")
	if colon && !validPort(port) {
		return "", "", refuse(Port)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" || len(host) > 253 || !plainHost.MatchString(host) {
		return "", "", refuse(NotAddress)
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return "", "", refuse(NotAddress)
		}
	}
	return host, port, nil
}

// validPort accepts 1 to 65535 in the one way to write them.
func validPort(p string) bool {
	n := 0
	for _, c := range p {
		if c < '0' || c > '9' || n > 65535 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return p != "" && p[0] != '0' && n > 0 && n <= 65535
}

// numeric reports whether a resolver may read the host as an IP address: browsers and libc
// accept 2130706433, 0x7f.1 and the like.
func numeric(host string) bool {
	if net.ParseIP(host) != nil {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// names reports whether policy lists exactly this host. An IP address counts only on loopback.
func (p Policy) names(host, port string) bool {
	if numeric(host) && !loopback(host) {
		return false
	}
	if port == "443" {
		port = ""
	}
	return slices.ContainsFunc(p.Custom, func(entry string) bool {
		h, pt, err := splitHost(entry)
		if pt == "443" {
			pt = ""
		}
		return err == nil && h == host && pt == port && (pt == "" || loopback(h))
	})
}

// notSite are first parts of paths that are no site: pages that people copy their address from.
var notSite = map[string]bool{
	"s": true, "login": true, "services": true, "secur": true, "apex": true, "_ui": true, "idp": true, "id": true, "setup": true,
	"lightning": true, "communitieslogin": true, "sitelogin": true, "forgotpassword": true, "selfregister": true, ".well-known": true,
}

// sitePath returns the path prefix of the site: its first part, unless that is a page.
func sitePath(path string) (string, error) {
	first := ""
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		if part == "." || part == ".." || !plainPath.MatchString(part) {
			return "", refuse(NotAddress)
		}
		if first == "" {
			first = part
		}
	}
	if notSite[strings.ToLower(first)] {
		return "", nil
	}
	return first, nil
}

// Trust says whether a bearer token of this site may go to u: to the site's host, to the org's
// own host, or to hosts that policy names.
func (s Site) Trust(u *url.URL) error {
	other, err := Parse(u.Scheme+"://"+u.Host, s.policy)
	if err != nil {
		return err
	}
	switch {
	case other.Host == s.Host, other.Kind == Custom:
		return nil
	case other.Kind == MyDomain && s.org() == "", other.Kind == MyDomain && s.org() == other.org():
		return nil
	}
	return refuse(Foreign)
}

// Names says whether u may be the address by which Salesforce names an account of this site, or a
// page that is shown or read without a token: what [Site.Trust] allows, and the login hosts.
func (s Site) Names(u *url.URL) error {
	if other, err := Parse(u.Scheme+"://"+u.Host, s.policy); err == nil && other.Kind == Login {
		return nil
	}
	return s.Trust(u)
}

// org returns the part of the host that all hosts of an org share since enhanced domains:
// "acme" or "acme--qa.sandbox"; "" when the host does not show it.
func (s Site) org() string {
	for _, e := range endings {
		if (s.Kind == MyDomain || s.Kind == Experience) && e.org && strings.HasSuffix(s.Host, "."+e.suffix) {
			return strings.TrimSuffix(s.Host, "."+e.suffix)
		}
	}
	return ""
}

// Successor returns the address that a legacy site most likely has today. It is a guess, right
// when the old name was the org's My Domain: discover it, and let the person confirm.
func (s Site) Successor() (Site, bool) {
	name, ok := strings.CutSuffix(s.Host, ".force.com")
	if s.Kind != Legacy || !ok || strings.Contains(name, ".") {
		return Site{}, false
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(s.Base, "https://"), "/")
	next, err := Parse("https://"+name+".my.site.com/"+path, s.policy)
	return next, err == nil
}
