package window

import (
	"strings"
	"unicode"

	"fyne.io/fyne/v2/widget"
	"github.com/go-text/typesetting/segmenter"
	"golang.org/x/text/width"
)

// softBreak is where a line may end although there is no space. Fyne ends lines at white space
// alone, and takes a carriage return for white space that has no width.
const softBreak = '\r'

// breakable puts a [softBreak] wherever a line may end in text that does not part its words, such
// as Japanese (Unicode Standard Annex 14). Without them Fyne ends a line at the last Latin word in
// it, and begins another with a full stop.
func breakable(s string) string {
	if !strings.ContainsFunc(s, isWide) {
		return s
	}
	var cut segmenter.Segmenter
	cut.InitWithString(s)
	var b strings.Builder
	last := 'a'
	for lines := cut.LineIterator(); lines.Next(); {
		text := lines.Line().Text
		if b.Len() > 0 && !unicode.IsSpace(last) && (isWide(last) || isWide(text[0])) {
			b.WriteRune(softBreak)
		}
		b.WriteString(string(text))
		last = text[len(text)-1]
	}
	return b.String()
}

// isWide reports whether r is a letter or mark as wide as it is high.
func isWide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// sentences puts sentences behind each other. Whoever writes "。" leaves no space after it.
func sentences(all ...string) string {
	out := ""
	for _, s := range all {
		if out != "" && !strings.HasSuffix(out, "。") {
			out += " "
		}
		out += s
	}
	return out
}

// write changes the text of a label that wraps.
func write(l *widget.Label, text string) { l.SetText(breakable(text)) }
