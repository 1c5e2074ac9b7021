package window

import (
	"strings"
	"unicode"
)

// oneLine keeps a text that somebody else wrote from looking like more than a line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// nameOf is the name in "Name <address>", or all of it where there is none.
func nameOf(from string) string {
	if name, _, ok := strings.Cut(from, " <"); ok && strings.TrimSpace(name) != "" {
		return oneLine(strings.Trim(name, `"`))
	}
	return oneLine(from)
}
