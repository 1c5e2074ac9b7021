package provision

import (
	"strconv"
	"strings"
	"time"
)

// Check-ins are nearly all requests. Their bodies are read and written here in the one form that the
// encoder of this package gives them, in one pass; everything else goes the long way, by [strict] and
// encoding/json, with the same result. Tests hold the two ways together.

// plain goes through a text of exactly this form.
type plain struct {
	rest string
	ok   bool
}

// skip takes what is written the same in every text.
func (p *plain) skip(text string) {
	var same bool
	p.rest, same = strings.CutPrefix(p.rest, text)
	p.ok = p.ok && same
}

// string takes characters that mean themselves.
func (p *plain) string() string {
	end := strings.IndexByte(p.rest, '"')
	if end < 0 || end > maxString || !printable(p.rest[:end]) {
		p.ok = false
		return ""
	}
	s := p.rest[:end]
	p.rest = p.rest[end:]
	return s
}

// number takes an integer that is no less than 0 and has at most 18 digits.
func (p *plain) number() (n int64) {
	i := 0
	for i < len(p.rest) && i < 19 && p.rest[i] >= '0' && p.rest[i] <= '9' {
		n = 10*n + int64(p.rest[i]-'0')
		i++
	}
	p.ok = p.ok && i > 0 && i < 19 && (p.rest[0] != '0' || i == 1)
	p.rest = p.rest[i:]
	return n
}

// plainCheckIn reads the body of a check-in, or reports that it is not in this form.
func plainCheckIn(body []byte) (in CheckInIn, ok bool) {
	p, r := plain{string(body), true}, &in.Report
	p.skip(`{"report":{"version":"`)
	r.Version = p.string()
	p.skip(`","os":"`)
	r.OS = p.string()
	p.skip(`","state":"`)
	r.State = p.string()
	if strings.HasPrefix(p.rest, `","fault":"`) {
		p.skip(`","fault":"`)
		r.Fault = p.string()
	}
	p.skip(`","policyVersion":`)
	r.PolicyVersion = p.number()
	p.skip(`,"counts":{"seen":`)
	r.Counts.Seen = p.number()
	p.skip(`,"captured":`)
	r.Counts.Captured = p.number()
	p.skip(`,"filtered":`)
	r.Counts.Filtered = p.number()
	p.skip(`,"held":`)
	r.Counts.Held = p.number()
	p.skip(`,"waiting":`)
	r.Counts.Waiting = p.number()
	p.skip(`,"needsYou":`)
	r.Counts.NeedsYou = p.number()
	p.skip(`}}}`)
	return in, p.ok && p.rest == ""
}

// plainAnswer writes what encoding/json writes, or reports that it cannot.
func (out *CheckInOut) plainAnswer() (body []byte, ok bool) {
	if out.Wipe != nil || out.Since.Location() != time.UTC || out.Since.Year() < 0 || out.Since.Year() > 9999 || !unescaped(out.Group) || !unescaped(out.TenantName) {
		return nil, false
	}
	b := make([]byte, 0, 256)
	b = append(append(b, `{"state":"`...), out.State...)
	b = out.Since.AppendFormat(append(b, `","since":"`...), time.RFC3339Nano)
	b = append(append(b, `","tenantName":"`...), out.TenantName...)
	if out.Group != "" {
		b = append(append(b, `","group":"`...), out.Group...)
	}
	b = append(b, '"')
	for i, a := range out.Aliases {
		if !unescaped(a) {
			return nil, false
		}
		between := `","`
		if i == 0 {
			between = `,"aliases":["`
		}
		b = append(append(b, between...), a...)
	}
	if len(out.Aliases) > 0 {
		b = append(b, `"]`...)
	}
	b = strconv.AppendInt(append(b, `,"policyVersion":`...), out.PolicyVersion, 10)
	b = strconv.AppendInt(append(b, `,"interval":`...), int64(out.Interval), 10)
	return append(b, '}'), true
}

// printable reports whether JSON may hold the text as it is, and [checkText] lets it through.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' || s[i] == '"' {
			return false
		}
	}
	return true
}

// unescaped reports whether encoding/json writes the text as it is.
func unescaped(s string) bool { return printable(s) && !strings.ContainsAny(s, "<>&") }
