package shape

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// historyOfHTML returns the parts of an HTML text that are not its newest, as [history] does.
func historyOfHTML(source, subject string) []span {
	w := walker{}
	if !w.walk(source) {
		return nil
	}
	return history(w.rows, subject)
}

// box is an element all of which is quoted, or signature.
type box struct {
	tag    atom.Atom // 0 when none is open
	depth  int       // of elements of the same name
	from   int       // where its start tag stands
	fresh  bool      // no line of it was read yet
	quoted bool
	sign   bool
	intro  bool
}

// walker reads the lines of an HTML text.
type walker struct {
	rows   []row
	line   strings.Builder
	cur    row
	hidden atom.Atom
	depth  int
	box    box
}

// walk reads source. It returns false when that has more lines than are looked at.
func (w *walker) walk(source string) bool {
	if len(source) > maxSource {
		return false
	}
	z := html.NewTokenizer(strings.NewReader(source))
	at := 0
	for len(w.rows) <= maxRows {
		kind := z.Next()
		if kind == html.ErrorToken {
			w.newLine()
			return len(w.rows) <= maxRows
		}
		from := at
		at += len(z.Raw())
		switch kind {
		case html.TextToken:
			if w.hidden == 0 {
				w.text(z.Text(), from, at)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			w.begin(atom.Lookup(name), kind == html.SelfClosingTagToken, z, span{from, at})
		case html.EndTagToken:
			name, _ := z.TagName()
			w.end(atom.Lookup(name))
		}
	}
	return false
}

// text adds what stands between two tags to the line. Only as much of it is read as a line keeps.
func (w *walker) text(s []byte, from, to int) {
	space := w.line.Len() > 0 && len(s) > 0 && isSpace(s[0])
	found := false
	for word := range bytes.FieldsSeq(s) {
		if !found && w.line.Len() == 0 {
			w.cur = row{from: from, quoted: w.box.quoted, sign: w.box.sign, intro: w.box.intro}
			if w.box.fresh {
				w.cur.from, w.box.fresh = w.box.from, false
			}
		}
		found = true
		if w.line.Len() >= maxLine {
			break
		}
		if space {
			w.line.WriteByte(' ')
		}
		w.line.Write(word[:min(len(word), maxLine)])
		space = true
	}
	if found {
		w.cur.to = to
	}
	if w.line.Len() > 0 && w.line.Len() < maxLine && len(s) > 0 && isSpace(s[len(s)-1]) {
		w.line.WriteByte(' ')
	}
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// newLine ends the line that is being read.
func (w *walker) newLine() {
	if w.line.Len() == 0 {
		return
	}
	s := prefix(strings.TrimSpace(strings.ToValidUTF8(w.line.String(), "")), maxLine)
	w.line.Reset()
	if s == "" {
		return
	}
	w.cur.text = s
	w.cur.dashes = s == "--" || s == "—"
	w.cur.quoted = w.cur.quoted || strings.HasPrefix(s, ">") && s != ">:"
	w.rows = append(w.rows, w.cur)
}

func (w *walker) begin(tag atom.Atom, closed bool, z *html.Tokenizer, at span) {
	if w.hidden != 0 {
		if tag == w.hidden && !closed {
			w.depth++
		}
		return
	}
	if slices.Contains(unread, tag) {
		if !closed {
			w.hidden, w.depth = tag, 1
		}
		return
	}
	breaks := tag == atom.Br || breaksLine(tag)
	if breaks {
		w.newLine()
	}
	if tag == w.box.tag && tag != 0 && !slices.Contains(empty, tag) {
		w.box.depth++
	}
	if tag == atom.Img {
		w.image(z, at)
		return
	}
	if w.box.tag != 0 && w.box.quoted {
		return
	}
	w.enter(tag, z, at)
}

// image counts a picture of the mail's own as a word: it may be all of the answer.
func (w *walker) image(z *html.Tokenizer, at span) {
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		if string(key) != "src" {
			continue
		}
		if _, own := contentID(string(value[:min(len(value), maxTarget)])); own {
			w.text([]byte("[image]"), at.from, at.to)
		}
	}
}

func breaksLine(tag atom.Atom) bool {
	return slices.Contains(blocks, tag) || slices.Contains(boxes, tag) || tag == atom.Tr || tag == atom.Li || tag == atom.Dt || tag == atom.Dd
}

// enter looks whether an element says what it holds.
func (w *walker) enter(tag atom.Atom, z *html.Tokenizer, at span) {
	var a attrs
	a.read(z)
	switch what := a.meaning(tag); {
	case what == startsHistory:
		w.newLine()
		w.rows = append(w.rows, row{from: at.from, to: at.from, history: true})
	case slices.Contains(empty, tag) || tag == 0:
	case what == holdsQuote:
		w.newLine()
		w.box = box{tag: tag, depth: 1, from: at.from, fresh: true, quoted: true}
	case what == holdsSignature && w.box.tag == 0:
		w.newLine()
		w.box = box{tag: tag, depth: 1, from: at.from, fresh: true, sign: true}
	case what == holdsIntroduction && w.box.tag == 0:
		w.newLine()
		w.box = box{tag: tag, depth: 1, from: at.from, fresh: true, intro: true}
	case tag == atom.Blockquote && w.introduced():
		w.box = box{tag: tag, depth: 1, from: at.from, fresh: true, quoted: true}
	}
}

// introduced reports whether the last line introduces a quote.
func (w *walker) introduced() bool {
	if len(w.rows) == 0 {
		return false
	}
	last := w.rows[len(w.rows)-1]
	return last.intro || introduces(last.text)
}

func (w *walker) end(tag atom.Atom) {
	if w.hidden != 0 {
		if tag == w.hidden {
			if w.depth--; w.depth == 0 {
				w.hidden = 0
			}
		}
		return
	}
	if breaksLine(tag) {
		w.newLine()
	}
	if tag == w.box.tag && tag != 0 {
		if w.box.depth--; w.box.depth == 0 {
			w.newLine()
			w.box = box{}
		}
	}
}

// role is what an element's attributes say about its content.
type role int

const (
	plain role = iota
	startsHistory
	holdsQuote
	holdsIntroduction
	holdsSignature
)

// attrs are the attributes by which mail programs recognise their own quotes.
type attrs struct{ id, class, typ, name, style, marker, smart, cite string }

func (a *attrs) read(z *html.Tokenizer) {
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		v := strings.ToLower(string(value[:min(len(value), maxLine)]))
		switch string(key) {
		case "id":
			a.id = strings.TrimPrefix(v, "x_")
		case "class":
			a.class = v
		case "type":
			a.typ = v
		case "name":
			a.name = v
		case "style":
			a.style = v
		case "data-marker":
			a.marker = v
		case "data-smartmail":
			a.smart = v
		case "cite":
			a.cite = v
		}
	}
}

// meaning returns what the element holds.
func (a *attrs) meaning(tag atom.Atom) role {
	has := func(class string) bool {
		return slices.ContainsFunc(strings.Fields(a.class), func(c string) bool { return strings.TrimPrefix(c, "x_") == class })
	}
	switch {
	case a.id == "divrplyfwdmsg", a.id == "appendonsend", a.id == "replysplit", a.id == "zwchr", a.marker == "__divider__",
		strings.Contains(a.style, "border-top:solid") && strings.Contains(a.style, "padding:3.0pt 0"): // Outlook
		return startsHistory
	case tag == atom.Blockquote && (a.typ == "cite" || a.cite != "" || has("gmail_quote") || strings.Contains(a.class, "quote") ||
		strings.Contains(a.style, "border-left:") && !strings.Contains(a.style, "border-left:none")):
		return holdsQuote
	case has("yahoo_quoted"), has("protonmail_quote"), has("tutanota_quote"), has("zmail_extra"), a.marker == "__quoted_text__",
		tag == atom.Div && a.name == "quote", a.id == "olk_src_body_section", a.id == "mail-editor-reference-message-container":
		return holdsQuote
	case has("gmail_attr"), has("moz-cite-prefix"):
		return holdsIntroduction
	case has("gmail_signature"), a.smart == "gmail_signature", has("moz-signature"), a.id == "signature", a.id == "applemailsignature",
		has("protonmail_signature_block"), has("tutanota_signature"):
		return holdsSignature
	}
	return plain
}
