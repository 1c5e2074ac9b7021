package window

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// markdown draws a page of help. Tables, for which Fyne has nothing and a narrow window no room,
// become a list: the first cell of a row as its name, the others below it.
func (a *app) markdown(raw string, follow func(target string)) fyne.CanvasObject {
	all := rows(0)
	var plain, table []string
	flush := func() {
		if text := strings.TrimSpace(strings.Join(plain, "\n")); text != "" {
			all.Add(prose(text, follow))
		}
		plain = nil
		for i, r := range table {
			if i > 1 { // below the head and its line
				all.Add(tableRow(r, follow))
			}
		}
		table = nil
	}
	code := false
	for _, l := range strings.Split(raw, "\n") {
		if strings.HasPrefix(l, "```") {
			code = !code
		}
		isRow := !code && strings.HasPrefix(l, "|")
		if isRow != (table != nil) {
			flush()
		}
		if isRow {
			table = append(table, l)
			continue
		}
		plain = append(plain, l)
	}
	flush()
	return all
}

// prose is text without tables.
func prose(text string, follow func(string)) *widget.RichText {
	t := widget.NewRichTextFromMarkdown(text)
	t.Wrapping = fyne.TextWrapWord
	link(t.Segments, follow)
	return t
}

// link lets every link in segments, and in those inside them, lead where follow says.
func link(segments []widget.RichTextSegment, follow func(string)) {
	for _, s := range segments {
		switch s := s.(type) {
		case *widget.HyperlinkSegment:
			if s.URL != nil {
				target := s.URL.String()
				s.OnTapped = func() { follow(target) }
			}
		case *widget.ListSegment:
			link(s.Items, follow)
		case *widget.ParagraphSegment:
			link(s.Texts, follow)
		}
	}
}

func tableRow(l string, follow func(string)) fyne.CanvasObject {
	cells := strings.Split(strings.Trim(strings.TrimSpace(l), "|"), "|")
	out := rows(-8)
	for i, c := range cells {
		c = strings.TrimSpace(c)
		switch {
		case c == "":
		case i == 0 && !strings.ContainsAny(c, "`*["):
			out.Add(bold(c))
		default:
			out.Add(prose(c, follow))
		}
	}
	return out
}
