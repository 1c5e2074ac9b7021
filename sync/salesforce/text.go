package salesforce

import (
	"net/mail"
	"regexp"
	"strings"

	"hawser/sync/capture"
	"hawser/sync/shape"
)

// clean returns s as Salesforce takes it: valid UTF-8 without NUL.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// joinAddresses joins addresses as EmailMessage wants them, leaving out those that do not fit.
func joinAddresses(addrs []string, limit int) string {
	var b strings.Builder
	size := 0
	for _, a := range addrs {
		a = strings.TrimSpace(clean(a))
		n := shape.Units(a) + len("; ")
		if a == "" || size+n > limit {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(a)
		size += n
	}
	return b.String()
}

// onlyAddresses returns the address part of each entry that has one.
func onlyAddresses(list []capture.Address) []string {
	out := make([]string, 0, len(list))
	for _, a := range list {
		if a.Addr != "" {
			out = append(out, a.Addr)
		}
	}
	return out
}

// display writes one address for people to read.
func display(a capture.Address) string {
	switch {
	case a.Name == "" || a.Name == a.Addr:
		return a.Addr
	case a.Addr == "":
		return a.Name
	}
	return a.Name + " <" + a.Addr + ">"
}

// plainAddress is the form Salesforce's e-mail fields accept without question.
var plainAddress = regexp.MustCompile(`^[A-Za-z0-9.!#$%&'*+/=?^_` + "`" + `{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}$`)

// isAddress reports whether s may stand in a field of type email.
func isAddress(s string) bool {
	if len(s) > 254 || !plainAddress.MatchString(s) {
		return false
	}
	_, err := mail.ParseAddress(s) // refuses "a..b@x.y" and the like
	return err == nil
}
