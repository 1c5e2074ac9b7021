package cli

import (
	"fmt"
	"io/fs"
	"strings"

	"hawser/assets"
)

// helpDir is where the pages are in assets.Help.
const helpDir = "help/"

// helpPage is one of the pages that travel inside the program.
type helpPage struct {
	Name  string `json:"page"`
	Title string `json:"title"`
	Text  string `json:"text,omitempty"` // Markdown
}

// helpPages returns all pages, without their text, by name.
func helpPages() []helpPage {
	files, err := fs.Glob(assets.Help, helpDir+"*.md")
	if err != nil {
		return nil // only a malformed pattern ends here
	}
	pages := make([]helpPage, 0, len(files))
	for _, f := range files {
		if p, ok := readPage(strings.TrimSuffix(strings.TrimPrefix(f, helpDir), ".md")); ok {
			p.Text = ""
			pages = append(pages, p)
		}
	}
	return pages
}

// readPage returns the page of that name, if there is one.
func readPage(name string) (helpPage, bool) {
	raw, err := assets.Help.ReadFile(helpDir + name + ".md")
	if err != nil {
		return helpPage{}, false
	}
	title, _, _ := strings.Cut(string(raw), "\n")
	return helpPage{Name: name, Title: strings.TrimPrefix(title, "# "), Text: string(raw)}, true
}

// printPage shows a page as plain text, or with --json as it is.
func (a *app) printPage(p helpPage) error {
	if a.json {
		return writeJSON(a.env.Stdout, p)
	}
	_, err := fmt.Fprint(a.env.Stdout, plainText(p.Text, pageWidth))
	return err
}

// listPages names the pages, for the page that "hawser help" shows.
func (a *app) listPages() {
	rows := [][]string{}
	for _, p := range helpPages() {
		rows = append(rows, []string{"  " + p.Name, p.Title})
	}
	fmt.Fprintf(a.env.Stdout, "\n%s\n", a.t("help.pages"))
	printTable(a.env.Stdout, rows)
}
