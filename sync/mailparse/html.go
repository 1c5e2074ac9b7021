package mailparse

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTMLText returns what a reader sees of an HTML document, roughly: words, paragraphs, list marks
// and the targets of links. It reads tokens only, never a tree, so its cost grows with the
// length alone whatever the document nests.
func HTMLText(document string) string {
	w := htmlText{}
	z := html.NewTokenizer(strings.NewReader(document))
	z.SetMaxBuf(maxText)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(w.out.String())
		case html.TextToken:
			if w.hidden == 0 {
				w.text(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			w.begin(atom.Lookup(name), z)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.end(atom.Lookup(name))
		}
	}
}

type htmlText struct {
	out    strings.Builder
	hidden atom.Atom // the element whose content is not shown, 0 for none
	breaks int       // line ends at the end of out
	space  bool      // white space waits before the next word
	href   string
	pre    int // elements open whose line ends count
}

func (w *htmlText) begin(tag atom.Atom, z *html.Tokenizer) {
	switch tag {
	case atom.Script, atom.Style, atom.Title, atom.Template, atom.Noscript:
		if w.hidden == 0 {
			w.hidden = tag
		}
	case atom.Br:
		w.lines(w.breaks + 1)
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Table, atom.Ul, atom.Ol:
		w.lines(2)
	case atom.Pre:
		w.lines(2)
		w.pre++
	case atom.Div, atom.Tr, atom.Hr, atom.Section, atom.Article:
		w.lines(1)
	case atom.Li:
		w.lines(1)
		w.text("- ")
	case atom.Td, atom.Th:
		w.space = true
	case atom.A:
		w.href = attribute(z, "href")
	case atom.Img:
		w.text(attribute(z, "alt"))
	}
}

func (w *htmlText) end(tag atom.Atom) {
	switch tag {
	case w.hidden:
		w.hidden = 0
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Table, atom.Ul, atom.Ol:
		w.lines(2)
	case atom.Pre:
		w.lines(2)
		w.pre = max(w.pre-1, 0)
	case atom.Div, atom.Tr, atom.Li:
		w.lines(1)
	case atom.A:
		// A link whose text is its target says nothing new.
		if strings.HasPrefix(w.href, "http") && !strings.HasSuffix(w.out.String(), w.href) {
			w.space = true
			w.text("<" + w.href + ">")
		}
		w.href = ""
	}
}

// lines makes out end with n line ends, at most two.
func (w *htmlText) lines(n int) {
	w.space = false
	for w.out.Len() > 0 && w.breaks < min(n, 2) {
		w.out.WriteByte('\n')
		w.breaks++
	}
}

// text adds words, line by line where the lines of the source count.
func (w *htmlText) text(s string) {
	if w.pre > 0 {
		for {
			line, rest, more := strings.Cut(s, "\n")
			w.words(line)
			if !more {
				return
			}
			w.lines(w.breaks + 1)
			s = rest
		}
	}
	w.words(s)
}

// words adds words, one space between them.
func (w *htmlText) words(s string) {
	if first, _ := utf8.DecodeRuneInString(s); unicode.IsSpace(first) {
		w.space = true
	}
	for word := range strings.FieldsSeq(s) {
		if w.space && w.breaks == 0 && w.out.Len() > 0 {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(word)
		w.breaks, w.space = 0, true
	}
	if last, _ := utf8.DecodeLastRuneInString(s); s != "" && !unicode.IsSpace(last) {
		w.space = false
	}
}

func attribute(z *html.Tokenizer, name string) string {
	for {
		key, value, more := z.TagAttr()
		if string(key) == name {
			return string(value)
		}
		if !more {
			return ""
		}
	}
}
