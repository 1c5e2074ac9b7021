package salesforce

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxSOQL keeps a statement below Salesforce's 100,000 characters, maxLiteral a string in it
// below 4,000.
const (
	maxSOQL    = 90_000
	maxLiteral = 3_900
)

var idShape = regexp.MustCompile(`^[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?$`)

// validID reports whether s has the form of a record id: nothing else is ever put into a query
// or an address as one.
func validID(s string) bool { return idShape.MatchString(s) }

// id18 returns the 18-character form of an id: three characters tell which of the fifteen are
// capital letters. A malformed id becomes "".
func id18(s string) string {
	if !validID(s) || len(s) == 18 {
		if len(s) == 18 && validID(s) {
			return s
		}
		return ""
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	out := []byte(s)
	for block := range 3 {
		bits := 0
		for i := range 5 {
			if ch := s[block*5+i]; ch >= 'A' && ch <= 'Z' {
				bits |= 1 << i
			}
		}
		out = append(out, digits[bits])
	}
	return string(out)
}

// soqlEscapes are the escape sequences of SOQL string literals (SOQL and SOSL Reference, "Quoted
// String Escape Sequences"), and one for what a composite request would take for a reference.
var soqlEscapes = strings.NewReplacer(
	"@{", `@\u007b`,
	`\`, `\\`, `'`, `\'`, `"`, `\"`,
	"\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`,
)

// quote returns s as a SOQL string literal.
func quote(s string) string {
	return "'" + soqlEscapes.Replace(clean(s)) + "'"
}

// soqlIn builds statements of the form
//
//	head WHERE (A IN ('x','y') OR B IN ('x','y')) tail
//
// as many as it takes to keep each below maxSOQL.
func soqlIn(head string, fields, literals []string, tail string) []string {
	var (
		out  []string
		list strings.Builder
		room = (maxSOQL - len(head) - len(tail) - 64*len(fields)) / max(len(fields), 1)
	)
	flush := func() {
		if list.Len() == 0 {
			return
		}
		var b strings.Builder
		b.WriteString(head + " WHERE (")
		for i, f := range fields {
			if i > 0 {
				b.WriteString(" OR ")
			}
			b.WriteString(f + " IN (" + list.String() + ")")
		}
		b.WriteString(")" + tail)
		out = append(out, b.String())
		list.Reset()
	}
	for _, l := range literals {
		if list.Len()+len(l)+1 > room {
			flush()
		}
		if list.Len() > 0 {
			list.WriteByte(',')
		}
		list.WriteString(l)
	}
	flush()
	return out
}

// quotes returns the literals of values. Those too long for one match nothing and are left out.
func quotes(values []string) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		if l := quote(v); len(l) <= maxLiteral {
			out = append(out, l)
		}
	}
	return out
}

// quoteIDs returns the literals of record ids and leaves out what has not that form.
func quoteIDs(ids []string) []string {
	return quotes(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !validID(id) }))
}

// Days Salesforce can store; a mail may claim any.
var (
	firstDay = time.Date(1700, 1, 2, 0, 0, 0, 0, time.UTC)
	lastDay  = time.Date(4000, 12, 30, 0, 0, 0, 0, time.UTC)
)

func storable(t time.Time) bool {
	return !t.IsZero() && t.After(firstDay) && t.Before(lastDay)
}
