package shape

import "strings"

// row is one line of a text as a reader sees it.
type row struct {
	text     string // trimmed, at most maxLine bytes of it
	from, to int    // where it stands in the source, in bytes
	quoted   bool   // it belongs to what is quoted
	history  bool   // the mail program says that history begins here
	intro    bool   // the mail program says that this introduces the quote
	sign     bool   // the mail program says that this is the signature
	dashes   bool   // it is the "-- " before a signature (RFC 3676 section 4.3)
}

const (
	maxLine   = 400    // bytes of one line that are looked at
	maxRows   = 20_000 // a text of more lines is left whole
	maxSign   = 15     // lines of a signature; what is longer is none
	maxHeader = 8      // lines in which the labels of a quoted mail stand
	maxGap    = 6      // empty lines between a quote and what introduces it
)

// newestText returns a plain text without quoted history and signature.
func newestText(text, subject string) string {
	gone := history(rowsOfText(text), subject)
	if len(gone) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, s := range gone {
		b.WriteString(text[at:s.from])
		at = min(s.to, len(text))
	}
	b.WriteString(text[at:])
	return strings.TrimRight(strings.TrimLeft(b.String(), "\r\n"), " \t\r\n") + "\n"
}

// rowsOfText returns the lines of a plain text, nil when there are too many.
func rowsOfText(text string) []row {
	if len(text) > maxSource {
		return nil
	}
	var rows []row
	at := 0
	for line := range strings.Lines(text) {
		if len(rows) == maxRows {
			return nil
		}
		bare := strings.TrimRight(line, "\r\n")
		s := strings.TrimSpace(bare)
		r := row{from: at, to: at + len(line), text: prefix(s, maxLine), quoted: strings.HasPrefix(s, ">") && s != ">:"}
		r.dashes = bare == "-- " || bare == "--" || bare == "—"
		rows = append(rows, r)
		at = r.to
	}
	return rows
}

// prefix returns at most n bytes of s, in whole runes.
func prefix(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

func (r row) blank() bool { return r.text == "" && !r.quoted }

// history returns the parts of a text that are not its newest: what is quoted and the signature.
// It returns none where that is not certain: of a forwarded mail, where the writer's words stand
// between quoted ones, where nothing would be left. Everything is better than too little.
func history(rows []row, subject string) []span {
	if isForward(subject) {
		return nil
	}
	end, split, sure := top(rows)
	if split && !sure && !isReply(subject) {
		return nil // it may as well be passed on under another subject
	}
	for _, r := range rows[:end] {
		if !r.quoted && forwardTitles[title(r.text)] {
			return nil
		}
	}
	body := body{rows: rows[:end]}
	body.mark()
	if body.forwards() {
		return nil
	}
	cut, ok := body.cut()
	if !ok {
		return nil
	}
	if split {
		cut = append(cut, cutRows{end, len(rows)})
	}
	return spans(rows, cut, split)
}

// top returns how many rows stand above the history that a mail program put under the new text
// with a header of its own, whether there is such history, and whether it is sure to be that: the
// same header stands above a mail that is passed on.
func top(rows []row) (above int, found, sure bool) {
	for i, r := range rows {
		if r.quoted || r.text == "" && !r.history {
			continue
		}
		sure = wroteAt(rows[i:])
		if sure || r.history || originalTitles[title(r.text)] || headerAt(rows[i:]) {
			for i > 0 && (rows[i-1].blank() || isRule(rows[i-1].text)) {
				i--
			}
			return i, true, sure
		}
	}
	return len(rows), false, false
}

// isRule reports whether a line is drawn, not written.
func isRule(s string) bool {
	return len(s) >= 5 && strings.Trim(s, "_-=*—–─") == ""
}

// headerAt reports whether the labels of a quoted mail begin here: its sender, its subject, and one
// more, in any order.
func headerAt(rows []row) bool {
	from, subject, labels := false, false, 0
	for i, r := range rows[:min(len(rows), maxHeader)] {
		name := labelOf(r.text)
		known := true
		switch {
		case fromLabels[name]:
			from = true
		case subjLabels[name]:
			subject = true
		case !restLabels[name]:
			known = false
		}
		if known {
			labels++
		} else if i == 0 {
			return false
		}
	}
	return from && subject && labels > 2
}

// wroteAt reports whether "On ... wrote:" begins here, on up to three lines, and what follows is
// not marked as quoted.
func wroteAt(rows []row) bool {
	n := wroteLines(rows)
	if n == 0 || !opens(rows[0].text) && wroteLines(rows[1:]) > 0 {
		return false // or it begins below
	}
	for _, next := range rows[n:] {
		if !next.blank() {
			return !next.quoted
		}
	}
	return false
}

// wroteLines returns how many rows an "On ... wrote:" takes that begins with the first, 0 for none.
func wroteLines(rows []row) int {
	joined := ""
	for i, r := range rows[:min(len(rows), 3)] {
		if r.quoted || r.text == "" {
			return 0
		}
		joined = strings.TrimSpace(joined + " " + r.text)
		if wrote(joined) {
			return i + 1
		}
	}
	return 0
}

// spans turns rows into parts of the source. A part that runs to the end takes what follows the
// last line too.
func spans(rows []row, cut []cutRows, toEnd bool) []span {
	var out []span
	for _, c := range cut {
		if c.from == c.to {
			continue
		}
		s := span{from: rows[c.from].from, to: rows[c.to-1].to}
		if c.from > 0 {
			s.from = rows[c.from-1].to
		}
		if n := len(out); n > 0 && out[n-1].to >= s.from {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	if n := len(out); n > 0 && (toEnd || cut[len(cut)-1].to == len(rows)) {
		out[n-1].to = maxSource
	}
	return out
}
