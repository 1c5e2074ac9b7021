package salesforce

import (
	"net/mail"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"hawser/sync/capture"
)

// shortened is the last line of a text that did not fit.
const shortened = "[Hawser: shortened, Salesforce holds no more]"

// clean returns s as Salesforce takes it: valid UTF-8 without NUL.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// units counts as Salesforce does at its strictest: UTF-16 code units, a line feed as the CRLF
// it is stored as.
func units(s string) int {
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

// cut returns the longest prefix of s of at most limit units, and whether something is missing.
func cut(s string, limit int) (string, bool) {
	if 2*len(s) <= limit {
		return s, false
	}
	n := 0
	for i, r := range s {
		n += width(s, i, r)
		if n > limit {
			return s[:i], true
		}
	}
	return s, false
}

// cutMarked is cut with a visible last line where something is missing.
func cutMarked(s string, limit int) string {
	if _, missing := cut(s, limit); !missing {
		return s
	}
	s, _ = cut(s, max(limit-len(shortened)-4, 0))
	return s + "\n\n" + shortened
}

// cutHTML cuts before a tag rather than within one, and says so where it is read.
func cutHTML(s string, limit int) string {
	if _, missing := cut(s, limit); !missing {
		return s
	}
	const end = "<p>" + shortened + "</p>"
	s, _ = cut(s, max(limit-len(end), 0))
	if open := strings.LastIndexByte(s, '<'); open > strings.LastIndexByte(s, '>') {
		s = s[:open]
	}
	return s + end
}

// cutLines drops the last, incomplete line of what does not fit.
func cutLines(s string, limit int) string {
	s, missing := cut(s, limit)
	if end := strings.LastIndexByte(s, '\n'); missing && end > 0 {
		s = s[:end]
	}
	return s
}

// joinAddresses joins addresses as EmailMessage wants them, leaving out those that do not fit.
func joinAddresses(addrs []string, limit int) string {
	var b strings.Builder
	size := 0
	for _, a := range addrs {
		a = strings.TrimSpace(clean(a))
		n := units(a) + len("; ")
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

// blocks are the elements that begin a line of their own.
var blocks = map[atom.Atom]bool{
	atom.P: true, atom.Div: true, atom.Br: true, atom.Tr: true, atom.Li: true, atom.Table: true, atom.Ul: true, atom.Ol: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Pre: true, atom.Hr: true,
}

// hidden are the elements whose text nobody sees.
var hidden = map[atom.Atom]bool{atom.Script: true, atom.Style: true, atom.Title: true, atom.Template: true, atom.Noscript: true}

// plainText reads the text of an HTML body, for a task has no other.
func plainText(source string) string {
	var (
		b    strings.Builder
		z    = html.NewTokenizer(strings.NewReader(source))
		deep = 0 // inside hidden elements
	)
	z.SetMaxBuf(1 << 20)
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return squeeze(b.String())
		case html.TextToken:
			if deep == 0 {
				b.WriteString(strings.Map(spaceForBreak, html.UnescapeString(string(z.Raw()))))
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			tag := atom.Lookup(name)
			switch {
			case hidden[tag] && kind == html.StartTagToken:
				deep++
			case hidden[tag] && kind == html.EndTagToken:
				deep = max(deep-1, 0)
			case blocks[tag] && deep == 0:
				b.WriteByte('\n')
			}
		}
	}
}

// spaceForBreak undoes the line breaks of the source, which mean nothing in HTML.
func spaceForBreak(r rune) rune {
	if r == '\n' || r == '\r' || r == '\t' {
		return ' '
	}
	return r
}

// squeeze trims lines, folds runs of spaces and keeps at most one empty line between others.
func squeeze(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\u00a0' }), " ")
		if line == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, line)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}
