package window

import (
	"io/fs"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"hawser/app/control"
	"hawser/assets"
)

// aboutPage is the one page of help that the program writes itself.
const aboutPage = ""

// help is the page of the guide, which needs no network, and of what there is to know of the program.
type help struct {
	a     *app
	names []string // of pages, that about the program last
	links map[string]*pageLink
	view  *fyne.Container
	about *about
	page  string
	all   fyne.CanvasObject
}

func newHelp(a *app) screen {
	h := &help{a: a, links: map[string]*pageLink{}, view: container.NewStack(), about: newAbout(a)}
	files, _ := fs.Glob(assets.Help, "help/*.md") // the pattern is right, so there is no error
	// What most people look for comes first.
	order := []string{"marking-mail", "signing-in", "status", "joining", "privacy"}
	h.names = append(h.names, order...)
	for _, f := range files {
		if name := strings.TrimSuffix(strings.TrimPrefix(f, "help/"), ".md"); !has(order, name) {
			h.names = append(h.names, name)
		}
	}
	h.names = append(h.names, aboutPage)
	buttons := rows(2)
	for _, n := range h.names {
		h.links[n] = newPageLink(h.title(n), func() { h.read(n) })
		buttons.Add(h.links[n])
	}
	h.all = filled(a.t("window.page-help"), a.t("window.help-purpose"), container.New(&flexHelp{},
		well(container.NewVScroll(buttons)), well(h.view)))
	h.read(h.names[0])
	return h
}

func (h *help) object() fyne.CanvasObject { return h.all }

// show implements screen.
func (h *help) show(s control.Status) {
	if h.page == aboutPage {
		h.about.show(s)
	}
}

// title is a page's first heading.
func (h *help) title(name string) string {
	if name == aboutPage {
		return h.a.t("window.about")
	}
	raw, err := assets.Help.ReadFile("help/" + name + ".md")
	if err != nil {
		return name
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "# "))
}

// read brings a page to view. Links between pages stay here, others open the browser.
func (h *help) read(name string) {
	h.page = name
	for n, l := range h.links {
		l.mark(n == name)
	}
	var o fyne.CanvasObject
	if name == aboutPage {
		o = h.about.all
		h.about.show(h.a.status)
	} else {
		raw, err := assets.Help.ReadFile("help/" + name + ".md")
		if err != nil {
			return
		}
		o = h.a.markdown(string(raw), func(target string) { h.follow(target) })
	}
	h.view.Objects = []fyne.CanvasObject{container.NewVScroll(container.New(layout.NewCustomPaddedLayout(4, 12, 8, 16), o))}
	h.view.Refresh()
}

func (h *help) follow(target string) {
	page, _, _ := strings.Cut(target, "#")
	if name, ok := strings.CutSuffix(page, ".md"); ok && has(h.names, name) {
		h.read(name)
		return
	}
	h.a.browse(target)
}

// flexHelp gives the list of pages a third, or, where text is large, stands it above the page.
type flexHelp struct{ width float32 }

func (f *flexHelp) beside() bool { return f.width >= 640*scale() }

// Layout implements fyne.Layout.
func (f *flexHelp) Layout(o []fyne.CanvasObject, s fyne.Size) {
	f.width = s.Width
	if f.beside() {
		side := min(s.Width*0.32, 260*scale())
		o[0].Resize(fyne.NewSize(side, s.Height))
		o[0].Move(fyne.NewPos(0, 0))
		o[1].Resize(fyne.NewSize(s.Width-side-gap, s.Height))
		o[1].Move(fyne.NewPos(side+gap, 0))
		return
	}
	high := s.Height * 0.35
	o[0].Resize(fyne.NewSize(s.Width, high))
	o[0].Move(fyne.NewPos(0, 0))
	o[1].Resize(fyne.NewSize(s.Width, s.Height-high-gap))
	o[1].Move(fyne.NewPos(0, high+gap))
}

// MinSize implements fyne.Layout.
func (f *flexHelp) MinSize([]fyne.CanvasObject) fyne.Size {
	if f.beside() {
		return fyne.NewSize(260, 340)
	}
	return fyne.NewSize(260, 700)
}
