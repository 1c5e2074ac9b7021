package cli

import (
	"regexp"
	"strings"
)

// pageWidth is how wide help pages are printed, in columns.
const pageWidth = 80

// minCell is the least width of a table's last column, which is the one that is wrapped.
const minCell = 24

// glue stands for a space at which no line may be broken, so that a command stays in one piece.
const glue = "\u00a0"

var (
	mdPicture = regexp.MustCompile(`^!\[([^\]]*)\]\([^)]*\)$`)
	mdLink    = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)`)
	mdCode    = regexp.MustCompile("`([^`]+)`")
	mdBold    = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	mdItem    = regexp.MustCompile(`^( *)(-|[0-9]+\.) +`)
	mdRule    = regexp.MustCompile(`^\|[ :|-]+\|$`)
)

// plainText turns the Markdown of the help pages into lines of at most width columns. It knows what those
// pages use: headings, paragraphs, lists, tables, fenced blocks, links, code, bold and
// pictures, of which the words remain.
func plainText(markdown string, width int) string {
	r := &renderer{width: width}
	lines := strings.Split(strings.TrimRight(markdown, "\n"), "\n")
	for i := 0; i < len(lines); {
		i += r.block(lines[i:])
	}
	return r.out.String()
}

type renderer struct {
	width int
	out   strings.Builder
}

// block renders the first block of lines and returns how many lines it had.
func (r *renderer) block(lines []string) int {
	first := lines[0]
	switch {
	case strings.TrimSpace(first) == "":
		r.line("")
		return 1
	case strings.HasPrefix(first, "```"):
		return r.fence(lines)
	case strings.HasPrefix(first, "#"):
		r.heading(first)
		return 1
	case strings.HasPrefix(first, "|"):
		return r.table(lines)
	case mdPicture.MatchString(first): // the window shows it
		return r.paragraph([]string{mdPicture.FindStringSubmatch(first)[1]})
	}
	return r.paragraph(lines)
}

func (r *renderer) line(s string) {
	r.out.WriteString(strings.TrimRight(strings.ReplaceAll(s, glue, " "), " ") + "\n")
}

func (r *renderer) heading(line string) {
	title := strings.TrimLeft(line, "# ")
	under := "-"
	if strings.HasPrefix(line, "# ") {
		under = "="
	}
	title = inline(title)
	r.line(title)
	r.line(strings.Repeat(under, columns(title)))
}

// fence prints a fenced block as it is, indented.
func (r *renderer) fence(lines []string) int {
	for i, l := range lines[1:] {
		if strings.HasPrefix(l, "```") {
			return i + 2
		}
		r.line("    " + l)
	}
	return len(lines)
}

// paragraph prints a paragraph, or one item of a list with its lines hanging below the first.
func (r *renderer) paragraph(lines []string) int {
	head, text := "", lines[0]
	if m := mdItem.FindString(text); m != "" {
		head, text = m, text[len(m):]
	}
	n := 1
	for n < len(lines) && continues(lines[n]) {
		text += " " + strings.TrimSpace(lines[n])
		n++
	}
	for i, l := range wrap(inline(text), r.width-len(head)) {
		if i > 0 {
			head = strings.Repeat(" ", len(head))
		}
		r.line(head + l)
	}
	return n
}

// continues reports whether a line belongs to the paragraph or item above it.
func continues(line string) bool {
	t := strings.TrimSpace(line)
	return t != "" && !mdItem.MatchString(line) && !strings.HasPrefix(t, "#") && !strings.HasPrefix(t, "|") && !strings.HasPrefix(t, "```")
}

// table prints a table, its last column wrapped.
func (r *renderer) table(lines []string) int {
	var rows [][]string
	n := 0
	for ; n < len(lines) && strings.HasPrefix(lines[n], "|"); n++ {
		if mdRule.MatchString(lines[n]) {
			continue
		}
		cells := strings.Split(strings.Trim(lines[n], "|"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(inline(strings.TrimSpace(cells[i])), glue, " ")
		}
		rows = append(rows, cells)
	}
	last := len(rows[0]) - 1
	left := 0
	for i := range last {
		w := 0
		for _, row := range rows {
			w = max(w, columns(row[i]))
		}
		left += w + 2
	}
	var wrapped [][]string
	for _, row := range rows {
		for i, l := range wrap(row[last], max(r.width-left, minCell)) {
			cells := make([]string, last+1)
			if i == 0 {
				copy(cells, row)
			}
			cells[last] = l
			wrapped = append(wrapped, cells)
		}
	}
	printTable(&r.out, wrapped)
	return n
}

// inline turns links, code and bold into plain words.
func inline(s string) string {
	s = mdLink.ReplaceAllStringFunc(s, func(link string) string {
		m := mdLink.FindStringSubmatch(link)
		if name, ok := strings.CutSuffix(m[2], ".md"); ok {
			return m[1] + " (“" + strings.ReplaceAll("hawser help "+name, " ", glue) + "”)"
		}
		return m[1] + " <" + m[2] + ">"
	})
	s = mdCode.ReplaceAllStringFunc(s, func(code string) string {
		code = strings.Trim(code, "`")
		if strings.Contains(code, " ") {
			return "“" + strings.ReplaceAll(code, " ", glue) + "”"
		}
		return code
	})
	return mdBold.ReplaceAllString(s, "$1")
}

// wrap breaks s at spaces into lines of at most width columns; a longer word has a line of its
// own. There is always one line.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
