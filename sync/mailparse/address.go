package mailparse

import (
	"bytes"
	"strings"

	"hawser/sync/capture"
)

// addresses reads an address list (RFC 5322 section 3.4) and everything that looks like one:
// groups are taken apart, comments become names, what has no address keeps its name.
func addresses(list []capture.Address, value []byte, hint string) []capture.Address {
	b := unfold(value)
	for len(b) > 0 && len(list) < maxAddresses {
		var m mailbox
		b = m.read(b)
		if a, ok := m.address(hint); ok {
			list = append(list, a)
		}
	}
	return list
}

// mailbox is one entry of a list while it is read.
type mailbox struct {
	phrase  []byte // outside of <>, quotes removed
	comment []byte
	angle   []byte
	inAngle bool
	quoted  bool // something of phrase was in quotes
}

// read takes one entry from b and returns what follows it.
func (m *mailbox) read(b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"' && !m.inAngle:
			value, rest, ok := quoted(b[i:])
			if !ok {
				m.phrase = append(m.phrase, ' ')
				continue // a lone quote
			}
			if len(rest) > 0 && rest[0] == '@' { // "quoted local part"@example.org
				m.phrase = append(m.phrase, b[i:len(b)-len(rest)]...)
			} else {
				m.phrase = append(m.phrase, value...)
			}
			m.quoted = true
			i = len(b) - len(rest) - 1
		case c == '(' && !m.inAngle:
			n := m.readComment(b[i:])
			i += n - 1
		case c == '<' && !m.inAngle && m.angle == nil:
			m.inAngle, m.angle = true, []byte{}
		case c == '<' || c == '>':
			m.inAngle = false
			if c == '<' {
				m.inAngle = true // <<a@b>>
			}
		case (c == ',' || c == ';') && !(m.inAngle && bytes.HasPrefix(m.angle, []byte("@"))):
			return b[i+1:]
		case c == ':' && !m.inAngle && m.angle == nil && !bytes.ContainsRune(m.phrase, '@'):
			*m = mailbox{} // the name of a group: its members follow
		case m.inAngle:
			m.angle = append(m.angle, c)
		default:
			m.phrase = append(m.phrase, c)
		}
	}
	return nil
}

// readComment takes the comment at the start of b; comments nest.
func (m *mailbox) readComment(b []byte) int {
	depth := 0
	for i, c := range b {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			if m.comment == nil {
				m.comment = b[1:i]
			}
			return i + 1
		}
	}
	m.phrase = append(m.phrase, b...) // never closed: no comment at all
	return len(b)
}

// address returns the entry as an address; ok is false when nothing is in it.
func (m *mailbox) address(hint string) (capture.Address, bool) {
	if m.angle == nil {
		m.bare()
	}
	spec := bytes.TrimSpace(m.angle)
	if bytes.HasPrefix(spec, []byte("@")) { // <@relay,@relay:user@example.org>
		if i := bytes.LastIndexByte(spec, ':'); i >= 0 {
			spec = spec[i+1:]
		}
	}
	spec = bytes.TrimPrefix(spec, []byte("mailto:"))
	name := m.phrase
	if len(bytes.TrimSpace(name)) == 0 {
		name = m.comment
	}
	a := capture.Address{
		Name: strings.TrimSpace(collapse(words(name, hint))),
		Addr: strings.TrimSpace(oneLine(raw(spec, hint))),
	}
	if bytes.Contains(spec, []byte("=?")) {
		a.Addr = strings.TrimSpace(words(spec, hint))
	}
	if !strings.Contains(a.Addr, `"`) {
		a.Addr = strings.ReplaceAll(a.Addr, " ", "")
	}
	a.Name = strings.TrimSuffix(strings.TrimPrefix(a.Name, "'"), "'")
	if a.Name == a.Addr {
		a.Name = ""
	}
	return a, a.Name != "" || a.Addr != ""
}

// bare finds the address in an entry without <>: "a@b", "a@b (Name)", "Name a@b".
func (m *mailbox) bare() {
	text := bytes.TrimSpace(m.phrase)
	switch {
	case bytes.IndexByte(text, '@') < 0:
		if !m.quoted && !bytes.ContainsAny(text, " =?") {
			m.angle, m.phrase = text, nil // a local user
		}
	case bytes.HasPrefix(text, []byte(`"`)):
		m.angle, m.phrase = text, nil
	default:
		var rest [][]byte
		for _, word := range bytes.Fields(text) {
			if m.angle == nil && bytes.IndexByte(word, '@') >= 0 {
				m.angle = bytes.Trim(word, "[]'")
			} else {
				rest = append(rest, word)
			}
		}
		m.phrase = bytes.Join(rest, []byte(" "))
	}
}

// collapse makes one space of each run of white space.
func collapse(s string) string {
	if !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}
