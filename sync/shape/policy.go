package shape

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html/atom"
)

// kept are the elements that a saved text may have.
var kept = []atom.Atom{
	atom.A, atom.Abbr, atom.B, atom.Big, atom.Blockquote, atom.Br, atom.Caption, atom.Center, atom.Cite, atom.Code, atom.Col,
	atom.Colgroup, atom.Dd, atom.Del, atom.Div, atom.Dl, atom.Dt, atom.Em, atom.Font, atom.H1, atom.H2, atom.H3, atom.H4,
	atom.H5, atom.H6, atom.Hr, atom.I, atom.Ins, atom.Kbd, atom.Li, atom.Ol, atom.P, atom.Pre, atom.Q, atom.S, atom.Samp,
	atom.Small, atom.Span, atom.Strike, atom.Strong, atom.Sub, atom.Sup, atom.Table, atom.Tbody, atom.Td, atom.Tfoot, atom.Th,
	atom.Thead, atom.Tr, atom.Tt, atom.U, atom.Ul, atom.Var,
}

// empty are those of them that have no content.
var empty = []atom.Atom{atom.Br, atom.Hr, atom.Col}

// blocks are those that end a paragraph.
var blocks = []atom.Atom{
	atom.Blockquote, atom.Center, atom.Div, atom.Dl, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.Ol,
	atom.P, atom.Pre, atom.Table, atom.Ul,
}

// boxes are elements of other kinds of pages. Here they only begin a line.
var boxes = []atom.Atom{
	atom.Address, atom.Article, atom.Aside, atom.Details, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Form,
	atom.Header, atom.Legend, atom.Main, atom.Nav, atom.Section, atom.Summary,
}

// unread are the elements whose content is no text for a reader.
var unread = []atom.Atom{
	atom.Applet, atom.Frameset, atom.Iframe, atom.Math, atom.Noembed, atom.Noframes, atom.Noscript, atom.Object, atom.Plaintext,
	atom.Script, atom.Select, atom.Style, atom.Svg, atom.Template, atom.Textarea, atom.Title, atom.Xmp,
}

// looks are the attributes that any element may have.
var looks = []string{
	"align", "bgcolor", "border", "cellpadding", "cellspacing", "color", "colspan", "dir", "face", "height", "lang", "rowspan",
	"size", "start", "type", "valign", "width",
}

// meaning returns the element that tag is written as, 0 for none.
func meaning(tag atom.Atom) atom.Atom {
	switch {
	case slices.Contains(kept, tag):
		return tag
	case slices.Contains(boxes, tag):
		return atom.Div
	}
	return 0
}

// styles are the properties that a style attribute may set. None places a text over others or
// loads anything.
var styles = []string{
	"background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-right", "border-style",
	"border-top", "border-width", "color", "direction", "font", "font-family", "font-size", "font-style", "font-variant",
	"font-weight", "height", "letter-spacing", "line-height", "list-style-type", "margin", "margin-bottom", "margin-left",
	"margin-right", "margin-top", "max-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
	"text-align", "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space", "width", "word-break",
}

// plainStyle reports whether a style attribute is one that a mail program writes, and not one that
// was made to be read in two ways: the sanitiser's own reading of escapes costs much and gives little.
func plainStyle(s string) bool {
	return len(s) <= maxStyle && !strings.ContainsAny(s, "\\<>{}@&") && !strings.Contains(s, "/*")
}

// policy is what may remain of a mail's HTML: text and how it looks, and links to the web and to
// mail addresses. Nothing that runs, that asks for input, that loads from anywhere.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	plain := regexp.MustCompile(`^[\p{L}\p{N} .,%#"'_+-]+$`)
	style := regexp.MustCompile(`^([\p{L}\p{N} .,%#"'_+-]|\b(rgb|hsl)a?\([0-9., %]+\))+$`)
	box := regexp.MustCompile(`^(none|block|inline|inline-block|table|table-row|table-cell)$`)
	p := bluemonday.NewPolicy()
	var names []string
	for _, tag := range kept {
		names = append(names, tag.String())
	}
	p.AllowElements(names...)
	p.AllowNoAttrs().OnElements(names...)
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs(looks...).Matching(plain).Globally()
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireNoFollowOnLinks(false)
	p.RequireNoReferrerOnLinks(true)
	p.AllowStyles(styles...).Matching(style).Globally()
	p.AllowStyles("display").Matching(box).Globally()
	return p
})

// sanitise makes HTML safe to be shown by Salesforce.
func sanitise(source string) string {
	return policy().Sanitize(source)
}
