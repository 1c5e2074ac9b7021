package shape

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What one HTML text may cost. What is beyond cannot be saved anyway, or helps nobody.
const (
	maxSource = 1 << 20     // bytes that are read
	maxPage   = 3 * 131_072 // bytes that are written: no field holds more, in any script
	maxTags   = 20_000      // elements that are kept; the text of further ones stays
	maxNest   = 100         // elements within each other; deeper ones are opened flat
	maxStyle  = 1_000       // bytes of one style attribute
	maxTarget = 4_000       // bytes of a link's address
)

// span is a part of a text, in bytes.
type span struct{ from, to int }

// page rewrites an HTML document: what is no text for a reader goes (scripts, styles, forms,
// comments), pictures become words, parts that are history go, and every element ends within the
// one it begins in. It is not the wall against hostile HTML: the sanitiser behind it is.
type page struct {
	images map[string]string // names of the mail's own pictures, by Content-ID
	gone   []span            // of the source, in order

	out     strings.Builder
	open    []atom.Atom // elements written and not ended
	skipped []skipped   // elements that began within a part that is gone
	hidden  atom.Atom   // the element whose content is no text, 0 for none
	depth   int         // of elements of the same name within it
	tags    int
	short   bool // the end of the document was left out
}

// skipped is an element that is not written, and how many were open when it began.
type skipped struct {
	tag   atom.Atom
	depth int
}

// rewrite returns the shaped document.
func (p *page) rewrite(source string) string {
	if len(source) > maxSource {
		source, p.short = strings.ToValidUTF8(source[:maxSource], ""), true
	}
	z := html.NewTokenizer(strings.NewReader(source))
	for at := 0; ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		if p.out.Len() >= maxPage {
			p.short = true
			break
		}
		from := at
		at += len(z.Raw())
		for len(p.gone) > 0 && p.gone[0].to <= from {
			p.gone = p.gone[1:]
		}
		gone := len(p.gone) > 0 && p.gone[0].from <= from
		p.token(kind, z, gone)
	}
	for len(p.open) > 0 {
		p.close()
	}
	return p.out.String()
}

func (p *page) token(kind html.TokenType, z *html.Tokenizer, gone bool) {
	switch kind {
	case html.TextToken:
		if p.hidden == 0 && !gone {
			p.text(z.Text())
		}
	case html.StartTagToken, html.SelfClosingTagToken:
		name, _ := z.TagName()
		tag := atom.Lookup(name)
		switch {
		case p.hidden != 0:
			if tag == p.hidden && kind == html.StartTagToken {
				p.depth++
			}
		case slices.Contains(unread, tag):
			if kind == html.StartTagToken {
				p.hidden, p.depth = tag, 1
			}
		default:
			p.begin(tag, z, gone)
		}
	case html.EndTagToken:
		name, _ := z.TagName()
		tag := atom.Lookup(name)
		if p.hidden == 0 {
			p.end(meaning(tag))
		} else if tag == p.hidden {
			if p.depth--; p.depth == 0 {
				p.hidden = 0
			}
		}
	}
}

// text writes words, as far as there is room.
func (p *page) text(b []byte) {
	for len(b) > 0 {
		if p.out.Len() >= maxPage {
			p.short = true
			return
		}
		n := min(len(b), 4<<10)
		for n < len(b) && !utf8.RuneStart(b[n]) {
			n++
		}
		p.out.WriteString(escape(string(b[:n])))
		b = b[n:]
	}
}

// begin writes a start tag.
func (p *page) begin(tag atom.Atom, z *html.Tokenizer, gone bool) {
	if tag == atom.Img {
		if !gone {
			p.picture(z)
		}
		return
	}
	tag = meaning(tag)
	switch {
	case tag == 0:
	case gone:
		if !slices.Contains(empty, tag) && len(p.skipped) < maxTags {
			p.skipped = append(p.skipped, skipped{tag, len(p.open)})
		}
	case p.tags >= maxTags:
	default:
		p.tags++
		p.endImplied(tag)
		if len(p.open) >= maxNest && !slices.Contains(empty, tag) {
			return
		}
		p.out.WriteString("<" + tag.String())
		p.attributes(tag, z)
		p.out.WriteString(">")
		if !slices.Contains(empty, tag) {
			p.open = append(p.open, tag)
		}
	}
}

// end ends an element with all that is open within it. An end without a beginning is dropped.
func (p *page) end(tag atom.Atom) {
	i := lastIndex(p.open, tag)
	last := len(p.skipped) - 1
	for j := last; j >= 0 && j > last-maxNest && p.skipped[j].depth > i; j-- {
		if p.skipped[j].tag == tag {
			p.skipped = p.skipped[:j]
			return
		}
	}
	if i < 0 || tag != atom.Table && lastIndex(p.open, atom.Table) > i {
		return // a cell never ends what stands around its table
	}
	for len(p.open) > i {
		p.close()
	}
}

func lastIndex(list []atom.Atom, tag atom.Atom) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == tag {
			return i
		}
	}
	return -1
}

func (p *page) close() {
	last := len(p.open) - 1
	p.out.WriteString("</" + p.open[last].String() + ">")
	p.open = p.open[:last]
	for n := len(p.skipped); n > 0 && p.skipped[n-1].depth > last; n-- {
		p.skipped = p.skipped[:n-1]
	}
}

// endImplied ends what the beginning of tag ends although nothing says so, such as the row before
// a row (HTML, "optional tags").
func (p *page) endImplied(tag atom.Atom) {
	var ends, within []atom.Atom
	switch tag {
	case atom.Li:
		ends, within = []atom.Atom{atom.Li}, []atom.Atom{atom.Ul, atom.Ol}
	case atom.Dt, atom.Dd:
		ends, within = []atom.Atom{atom.Dt, atom.Dd}, []atom.Atom{atom.Dl}
	case atom.Td, atom.Th:
		ends, within = []atom.Atom{atom.Td, atom.Th}, []atom.Atom{atom.Tr, atom.Table}
	case atom.Tr:
		ends, within = []atom.Atom{atom.Tr, atom.Caption}, []atom.Atom{atom.Table}
	case atom.Tbody, atom.Thead, atom.Tfoot:
		ends, within = []atom.Atom{atom.Tbody, atom.Thead, atom.Tfoot, atom.Caption}, []atom.Atom{atom.Table}
	case atom.A:
		ends, within = []atom.Atom{atom.A}, []atom.Atom{atom.Td, atom.Th, atom.Table}
	default:
		if !slices.Contains(blocks, tag) {
			return
		}
		ends, within = []atom.Atom{atom.P}, []atom.Atom{atom.Td, atom.Th, atom.Table, atom.Li, atom.Blockquote, atom.Div}
	}
	for i := len(p.open) - 1; i >= 0 && !slices.Contains(within, p.open[i]); i-- {
		if slices.Contains(ends, p.open[i]) {
			for len(p.open) > i {
				p.close()
			}
			return
		}
	}
}

// attributes writes the attributes of an element that say how its text looks.
func (p *page) attributes(tag atom.Atom, z *html.Tokenizer) {
	style := ""
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		if len(value) > maxTarget {
			continue
		}
		switch name, v := string(key), string(value); {
		case name == "style" && plainStyle(v):
			style += v
		case name == "class" && tag == atom.P && strings.HasPrefix(v, "Mso"):
			style = "margin: 0; " + style // which Outlook says in a style sheet
		case tag == atom.A && name == "href":
			if to := address(v); to != "" {
				p.out.WriteString(` href="` + escape(to) + `"`)
			}
		case slices.Contains(looks, name):
			p.out.WriteString(" " + name + `="` + escape(v) + `"`)
		}
	}
	if style != "" {
		p.out.WriteString(` style="` + escape(style) + `"`)
	}
}

// address returns a link's address as browsers read it, written as RFC 3986 wants it: the sanitiser
// drops what it cannot parse, and a link to a file would be lost for a space in its name. It is empty
// for one without a host: browsers would look for that in the page on which it stands, Salesforce.
func address(s string) string {
	s = strings.TrimSpace(s)
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\t' || c == '\r' || c == '\n':
		case c == ' ':
			b.WriteString("%20")
		case c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])):
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	scheme, rest, _ := strings.Cut(b.String(), ":")
	if web := strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"); web && !strings.HasPrefix(rest, "//") {
		return ""
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// picture writes words in the place of a picture: the name of one of the mail's own, else what
// it says itself. A picture from elsewhere that says nothing is a letter-head's or a spy's.
func (p *page) picture(z *html.Tokenizer) {
	var source, alt string
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "src":
			source = string(value[:min(len(value), maxTarget)])
		case "alt":
			alt = strings.ToValidUTF8(string(value[:min(len(value), maxTarget)]), "")
		}
	}
	alt = strings.Join(strings.Fields(alt), " ")
	id, own := contentID(source)
	inside := own || strings.HasPrefix(source, "data:")
	switch {
	case own && p.images[id] != "":
		p.out.WriteString(escape("[image: " + p.images[id] + "]"))
	case inside && alt != "":
		p.out.WriteString(escape("[image: " + alt + "]"))
	case inside:
		p.out.WriteString("[image]")
	default:
		p.out.WriteString(escape(alt))
	}
}

// escape writes s as text of an HTML document.
func escape(s string) string { return html.EscapeString(s) }
