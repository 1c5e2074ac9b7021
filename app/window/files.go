package window

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"hawser/app/control"
)

// mostFiles bounds how much of a folder is listed.
const mostFiles = 300

// filePicker lets a person choose mail files. Fyne's own speaks English in part and is not worked
// with the keyboard alone.
type filePicker struct {
	a      *app
	folder string
	turn   int
	picked map[string]bool // paths
	list   *fyne.Container
	view   *container.Scroll
	save   *button
}

// entry is one line of a folder.
type entry struct {
	name, path string
	folder     bool
}

// pickFile lets the person choose mail files, beginning where downloads usually are.
func (c *capturer) pickFile() {
	a := c.a
	p := &filePicker{a: a, picked: map[string]bool{}, list: rows(0)}
	p.view = container.NewVScroll(p.list)
	p.save = primary(a.t("window.capture-file-open"), p.use)
	p.save.Disable()
	a.sheet(a.t("window.capture-file"), well(p.view), plain(a.t("window.cancel"), a.closeSheet), p.save)
	home, err := os.UserHomeDir()
	if err != nil {
		home = string(filepath.Separator)
	}
	start := filepath.Join(home, "Downloads")
	if info, err := os.Stat(start); err != nil || !info.IsDir() {
		start = home
	}
	p.open(start)
}

// open lists a folder, which is read beside the drawing.
func (p *filePicker) open(folder string) {
	p.turn++
	turn := p.turn
	p.folder = folder
	ask(p.a, func(context.Context, control.Agent) ([]entry, error) { return entries(folder) }, func(list []entry, err error) {
		if turn == p.turn {
			p.draw(list, err)
		}
	})
}

// entries are the folders of a folder and its mail files, without those that are hidden.
func entries(folder string) ([]entry, error) {
	found, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var list []entry
	for _, f := range found {
		e := entry{name: f.Name(), path: filepath.Join(folder, f.Name()), folder: f.IsDir()}
		if !strings.HasPrefix(e.name, ".") && (e.folder || isMailFile(e.name)) {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		if a.folder != b.folder {
			return map[bool]int{true: -1, false: 1}[a.folder]
		}
		return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	})
	return list[:min(len(list), mostFiles)], nil
}

func isMailFile(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".eml") }

func (p *filePicker) draw(list []entry, err error) {
	a := p.a
	p.list.Objects = []fyne.CanvasObject{muted(p.folder)}
	if up := filepath.Dir(p.folder); up != p.folder {
		p.add(glyphUp, a.t("window.file-up"), func(*pageLink) { p.open(up) })
	}
	files := 0
	for _, e := range list {
		if e.folder {
			p.add(glyphFolder, oneLine(e.name), func(*pageLink) { p.open(e.path) })
			continue
		}
		files++
		p.add(glyphMail, oneLine(e.name), func(l *pageLink) {
			p.picked[e.path] = !p.picked[e.path]
			l.mark(p.picked[e.path])
			p.count()
		}).mark(p.picked[e.path])
	}
	switch {
	case err != nil:
		p.list.Add(empty(glyphAlert, a.t("window.file-closed"), a.t("window.file-closed-body")))
	case files == 0:
		p.list.Add(empty(glyphMail, a.t("window.file-none"), a.t("window.file-none-body")))
	}
	p.list.Refresh()
	p.view.ScrollToTop()
	a.focusFirst(p.list)
}

// add adds a line.
func (p *filePicker) add(g mark, name string, do func(*pageLink)) *pageLink {
	var l *pageLink
	l = newPageLink(name, func() { do(l) })
	p.list.Add(container.NewBorder(nil, nil, lead(g.in("disabled")), nil, l))
	return l
}

// paths are the files that are picked, in alphabetical order.
func (p *filePicker) paths() []string {
	var out []string
	for path, on := range p.picked {
		if on {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// count says how many files would be saved.
func (p *filePicker) count() {
	n := len(p.paths())
	p.save.SetText(p.a.t("window.capture-file-open"))
	p.save.Enable()
	switch {
	case n == 0:
		p.save.Disable()
	case n > 1:
		p.save.SetText(p.a.tf("window.capture-save", map[string]any{"Count": n}))
	}
}

func (p *filePicker) use() {
	p.a.closeSheet()
	p.a.saveFiles(p.paths())
}
