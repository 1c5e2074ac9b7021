package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold returns text in the form in which words are looked for: one case, one form of each
// character (NFKC), single spaces, nothing that cannot be seen.
func fold(s string) string {
	if !ascii(s) {
		s = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) { // soft hyphens, zero-width characters
				return -1
			}
			return r
		}, norm.NFKC.String(s))
	}
	return strings.Join(strings.Fields(strings.ToLower(strings.ToUpper(s))), " ")
}

// phrase is a word to look for: on its own, or with a * at its end as the beginning of one.
type phrase struct {
	text  string // folded
	open  bool
	entry string // as it was entered
}

func newPhrases(entries []string) []phrase {
	var all []phrase
	for _, e := range entries {
		text := fold(e)
		open := strings.HasSuffix(text, "*")
		if text = strings.TrimSpace(strings.Trim(text, "*")); text != "" {
			all = append(all, phrase{text, open, e})
		}
	}
	return all
}

// find returns the first of the phrases that stands in folded text.
func find(phrases []phrase, folded string) (entry string, ok bool) {
	for _, p := range phrases {
		if p.in(folded) {
			return p.entry, true
		}
	}
	return "", false
}

// in reports whether the phrase stands in folded text with a border at both ends. Scripts that
// write no spaces have no borders to look at.
func (p phrase) in(folded string) bool {
	first, _ := utf8.DecodeRuneInString(p.text)
	last, _ := utf8.DecodeLastRuneInString(p.text)
	for from := 0; ; {
		i := strings.Index(folded[from:], p.text)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(p.text)
		before, _ := utf8.DecodeLastRuneInString(folded[:start])
		after, _ := utf8.DecodeRuneInString(folded[end:])
		if (start == 0 || border(before, first)) && (p.open || end == len(folded) || border(last, after)) {
			return true
		}
		_, width := utf8.DecodeRuneInString(folded[start:])
		from = start + width
	}
}

// border reports whether a word may end between two characters.
func border(a, b rune) bool { return !inWord(a) || !inWord(b) || unspaced(a) || unspaced(b) }

func inWord(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.M) || r == '_' }

func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai,
		unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
