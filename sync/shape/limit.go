package shape

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"hawser/sync/capture"
)

// Limits is how much text the fields of one object hold, counted as Salesforce does at its
// strictest: UTF-16 code units, a line feed as the CRLF it is stored as.
type Limits struct {
	Subject, Text, HTML, Headers int
}

// EmailLimits are those of an EmailMessage and TaskLimits those of a task (Field Reference), less
// the room for a [Note]. A task's Description also holds who took part, in up to [TaskFoot] units, so
// its text gets less; it has no HTML.
var (
	EmailLimits = Limits{Subject: 3_000, Text: 131_072 - noteRoom, HTML: 131_072 - noteRoom, Headers: 32_000}
	TaskLimits  = Limits{Subject: 255, Text: 31_900 - TaskFoot - noteRoom}
)

// TaskFoot is how many units of a task's Description are left for who took part in a mail.
const TaskFoot = 6_000

const (
	noteRoom = 4_000           // of each text field is left for a [Note]
	noteLine = noteRoom/5 - 10 // units of its line: HTML writes some characters as five
)

// mark stands, in no language, where a text was cut.
const (
	mark     = "[…]"
	markHTML = "<p>" + mark + "</p>"
)

// fit cuts the texts of m to lim, with a visible mark where one was cut, and says how much of the
// text is missing. It never cuts within a character, an HTML tag or an entity, and closes what an
// HTML text leaves open. What fits stays as it is.
func fit(m capture.Mail, lim Limits) (capture.Mail, []Left) {
	missing := 0
	if short, ok := Prefix(m.Subject, lim.Subject); ok {
		short, _ = Prefix(short, lim.Subject-1)
		m.Subject = short + "…"
	}
	if short, ok := CutText(m.Text, lim.Text); ok {
		missing = len(m.Text) - len(short)
		m.Text = short
	}
	if short, ok := CutHTML(m.HTML, lim.HTML); ok {
		missing = max(missing, len(m.HTML)-len(short))
		m.HTML = short
	}
	m.RawHeaders = CutLines(m.RawHeaders, lim.Headers)
	if missing == 0 {
		return m, nil
	}
	return m, []Left{{Size: int64(missing), Why: WhyLong}}
}

// Note returns m with a line at the end of its texts: of the plain one, and of the HTML where there
// is some. A mail that [Cut] has cut has room for it; of a line longer than that room the end is
// left out.
func Note(m capture.Mail, line string) capture.Mail {
	if line == "" {
		return m
	}
	if short, ok := Prefix(line, noteLine); ok {
		line = short + mark
	}
	if m.HTML != "" {
		m.HTML += "<p>" + escape(line) + "</p>"
	}
	if m.Text != "" {
		line = strings.TrimRight(m.Text, "\r\n ") + "\n\n" + line
	}
	m.Text = line
	return m
}

// Units counts s as [Limits] do.
func Units(s string) int {
	n := 0
	for i, r := range s {
		n += width(s, i, r)
	}
	return n
}

func width(s string, i int, r rune) int {
	if r > 0xFFFF || r == '\n' && (i == 0 || s[i-1] != '\r') {
		return 2
	}
	return 1
}

// Prefix returns the longest prefix of s of at most limit units that ends between two characters as
// people see them, and whether something is missing.
func Prefix(s string, limit int) (string, bool) {
	if 2*len(s) <= limit {
		return s, false
	}
	n := 0
	for i, r := range s {
		if n += width(s, i, r); n > limit {
			return s[:whole(s, i)], true
		}
	}
	return s, false
}

// maxJoined is how many runes a character as people see it has at most, where a cut respects it.
const maxJoined = 32

// whole returns the end of the last whole character in s[:at]: it steps back over what belongs
// together, such as a letter and its accents, a family or a flag (a simple reading of UAX 29).
func whole(s string, at int) int {
	end := at
	for range maxJoined {
		next, _ := utf8.DecodeRuneInString(s[end:])
		last, size := utf8.DecodeLastRuneInString(s[:end])
		if size == 0 || !joins(last, next) && !splitsFlag(s[:end], next) {
			return end
		}
		end -= size
	}
	return at // no writing does this
}

// joins reports whether next continues the character that ends with last.
func joins(last, next rune) bool {
	const joiner = '\u200d'
	return last == joiner || next == joiner || unicode.In(next, unicode.M, unicode.Variation_Selector) ||
		next >= 0x1F3FB && next <= 0x1F3FF || // skin tones
		next >= 0xE0020 && next <= 0xE007F || // tags of flags
		last == '\r' && next == '\n'
}

// splitsFlag reports whether next is the second letter of a flag.
func splitsFlag(s string, next rune) bool {
	if !isFlagLetter(next) {
		return false
	}
	letters := 0
	for range 2 * maxJoined {
		r, size := utf8.DecodeLastRuneInString(s)
		if !isFlagLetter(r) {
			break
		}
		letters++
		s = s[:len(s)-size]
	}
	return letters%2 == 1
}

func isFlagLetter(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

// CutLines drops the last, incomplete line of what does not fit.
func CutLines(s string, limit int) string {
	short, missing := Prefix(s, limit)
	if !missing {
		return s
	}
	return short[:strings.LastIndexByte(short, '\n')+1]
}

// CutText cuts a plain text and marks the place. It reports whether something is missing.
func CutText(s string, limit int) (string, bool) {
	short, missing := Prefix(s, limit)
	if !missing {
		return s, false
	}
	short, _ = Prefix(short, limit-Units("\n\n"+mark))
	return strings.TrimRight(short, " \r\n") + "\n\n" + mark, true
}
