package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// writeJSON prints v as indented JSON, one value per call.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// list prints rows under a heading, or nothing's text when there are none; with --json items
// itself, never null.
func list[T any](a *app, items []T, nothing string, rows func([]T) [][]string) error {
	if a.json {
		if items == nil {
			items = []T{}
		}
		return writeJSON(a.env.Stdout, items)
	}
	if len(items) == 0 {
		fmt.Fprintln(a.env.Stdout, a.t(nothing))
		return nil
	}
	printTable(a.env.Stdout, rows(items))
	return nil
}

// done prints the one line of a command that has nothing else to show; with --json the command's
// name and what was decided.
func (a *app) done(line string, v any) error {
	if a.json {
		return writeJSON(a.env.Stdout, v)
	}
	fmt.Fprintln(a.env.Stdout, line)
	return nil
}

// printTable prints rows in columns two spaces apart. A row of one cell is a line of its own and
// widens no column.
func printTable(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if len(row) == 1 {
				break
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// columns returns how many terminal columns s takes (Unicode Standard Annex 11).
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clean makes foreign text harmless for a terminal: one line, no escape sequences, nothing that
// turns the reading direction of what follows.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar, unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// short cleans s and cuts it to at most most columns.
func short(s string, most int) string {
	s = clean(s)
	if columns(s) <= most {
		return s
	}
	var b strings.Builder
	left := most - 1
	for _, r := range s {
		if left -= runeColumns(r); left < 0 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ") + "…"
}
