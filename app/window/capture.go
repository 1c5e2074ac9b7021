package window

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"hawser/app/control"
	"hawser/sync/capture"
)

// mailsAtOnce is how many mails are fetched at a time, and mailsAgain of how many the state is asked
// anew while some are on their way.
const (
	mailsAtOnce = 50
	mailsAgain  = 200
)

// capturer is the page on which mails of the mailbox are looked at and picked.
type capturer struct {
	a *app

	folders []capture.Folder
	mails   []control.Mail
	query   control.MailQuery
	turn    int // counts queries, so that a late answer to an old one is dropped
	fresh   int // counts askings for the states of the mails, likewise
	known   control.Counts
	loading bool
	whole   bool // the last mail is there
	partial bool // the mail server could not search for the words
	picked  map[string]control.Mail

	folder *choice
	search *field
	list   *rowList
	narrow fyne.CanvasObject // the list, below why it may not be all
	place  *fyne.Container   // the list, or what stands for it
	view   *preview
	bar    *pickBar
	all    fyne.CanvasObject
}

func newCapture(a *app) screen {
	c := &capturer{a: a, picked: map[string]control.Mail{}, place: container.NewStack()}
	c.list = newRowList(func() int { return len(c.mails) }, c.row)
	c.list.chosen = func(i int) { c.view.open(c.mails[i]) }
	c.list.checked = c.pick
	c.list.end = c.more
	c.narrow = container.NewBorder(inset(gap, muted(a.t("window.capture-partial"))), nil, nil, nil, c.list)
	c.folder = newChoice(nil, c.chooseFolder)
	c.folder.PlaceHolder = a.t("window.capture-inbox")
	c.search = newField(a.t("window.capture-search"))
	c.search.OnSubmitted = func(s string) { c.ask(control.MailQuery{Folder: c.query.Folder, Search: s, Limit: mailsAtOnce}) }
	c.view = newPreview(a)
	c.bar = newPickBar(c)
	file := newButton(a.t("window.capture-file"), glyphOpen, c.pickFile)
	// Places to look at stand before the search, whatever the width.
	tools := container.New(&toolbar{least: 220}, c.folder, file, c.search)
	both := container.New(layout.NewCustomPaddedLayout(gap, 0, 0, 0), container.New(&pair{least: 260}, well(c.place), well(c.view.all)))
	c.all = filled(a.t("window.page-capture"), a.t("window.capture-purpose"), between(tools, both, c.bar.all))
	return c
}

func (c *capturer) object() fyne.CanvasObject { return c.all }

// show implements screen: what was handed over is followed until it is saved.
func (c *capturer) show(s control.Status) {
	on := c.bar.goal > 0 && s.Counts != c.known
	c.known = s.Counts
	c.bar.progress(s.Counts)
	if on {
		c.again()
	}
}

// opened implements opener.
func (c *capturer) opened() {
	if c.folders == nil {
		ask(c.a, func(ctx context.Context, g control.Agent) ([]capture.Folder, error) { return g.Folders(ctx) }, c.foldersCame)
	}
	c.ask(control.MailQuery{Folder: c.query.Folder, Search: c.search.Text, Limit: mailsAtOnce})
}

func (c *capturer) foldersCame(folders []capture.Folder, err error) {
	if err != nil {
		return // the list of mails says it
	}
	c.folders = folders
	c.folder.Options = nil
	for _, f := range folders {
		c.folder.Options = append(c.folder.Options, c.a.folderName(f))
	}
	c.folder.Refresh()
}

// folderName calls the special folders by the names people know.
func (a *app) folderName(f capture.Folder) string {
	switch f.Role {
	case "inbox":
		return a.t("window.folder-inbox")
	case "sent":
		return a.t("window.folder-sent")
	case "drafts":
		return a.t("window.folder-drafts")
	case "junk":
		return a.t("window.folder-junk")
	case "trash":
		return a.t("window.folder-trash")
	case "all":
		return a.t("window.folder-all")
	}
	return f.Name
}

func (c *capturer) chooseFolder(i int) {
	if i < 0 || i >= len(c.folders) {
		return
	}
	c.ask(control.MailQuery{Folder: c.folders[i].Name, Search: c.search.Text, Limit: mailsAtOnce})
}

// ask fetches the first mails of a query.
func (c *capturer) ask(q control.MailQuery) {
	c.query, c.whole, c.partial = q, false, false
	c.fetch(q, func(mails []control.Mail) {
		c.mails = mails
		c.list.reset()
		c.view.clear()
	})
	if len(c.mails) == 0 {
		c.put(c.a.loading(c.a.t("window.capture-loading")))
	}
}

// more fetches what follows the last mail.
func (c *capturer) more() {
	if c.loading || c.whole || len(c.mails) == 0 {
		return
	}
	q := c.query
	q.Before = c.mails[len(c.mails)-1].Ref
	c.fetch(q, func(mails []control.Mail) {
		known := map[string]bool{}
		for _, m := range c.mails {
			known[m.Ref] = true
		}
		before := len(c.mails)
		for _, m := range mails {
			if !known[m.Ref] {
				c.mails = append(c.mails, m)
			}
		}
		c.whole = c.whole || len(c.mails) == before
		c.list.Refresh()
	})
}

func (c *capturer) fetch(q control.MailQuery, use func([]control.Mail)) {
	c.turn++
	turn := c.turn
	c.loading = true
	ask(c.a, func(ctx context.Context, g control.Agent) (control.MailList, error) { return g.Mails(ctx, q) },
		func(found control.MailList, err error) {
			if turn != c.turn {
				return
			}
			c.loading = false
			if err != nil {
				c.put(c.a.trouble(err, func() { c.ask(c.query) }))
				return
			}
			c.whole = len(found.Mails) < mailsAtOnce
			c.partial = c.partial || found.Partial
			use(found.Mails)
			c.settle()
		})
}

// again brings the states of the mails in view up to date; the list stays where it is.
func (c *capturer) again() {
	c.fresh++
	fresh, turn, q := c.fresh, c.turn, c.query
	q.Limit = min(max(len(c.mails), mailsAtOnce), mailsAgain)
	ask(c.a, func(ctx context.Context, g control.Agent) (control.MailList, error) { return g.Mails(ctx, q) },
		func(found control.MailList, err error) {
			if err != nil || fresh != c.fresh || turn != c.turn {
				return // the next news ask again
			}
			states := map[string]string{}
			for _, m := range found.Mails {
				states[m.Ref] = m.State
			}
			for i, m := range c.mails {
				if state, ok := states[m.Ref]; ok {
					c.mails[i].State = state
				}
			}
			c.list.Refresh()
			if state, ok := states[c.view.mail.Ref]; ok {
				c.view.moved(state)
			}
		})
}

// settle shows the list, or why it is empty.
func (c *capturer) settle() {
	switch {
	case len(c.mails) > 0 && c.partial:
		c.put(c.narrow)
	case len(c.mails) > 0:
		c.put(c.list)
	case c.partial:
		c.put(empty(glyphSearch, c.a.t("window.capture-none-found"), c.a.t("window.capture-partial")))
	case c.query.Search != "":
		c.put(empty(glyphSearch, c.a.t("window.capture-none-found"), c.a.t("window.capture-none-found-body")))
	default:
		c.put(empty(glyphCapture, c.a.t("window.capture-empty"), c.a.t("window.capture-empty-body")))
	}
	if len(c.mails) > 0 && c.a.page == control.PageCapture {
		c.a.focusMain(c.place)
	}
}

func (c *capturer) put(o fyne.CanvasObject) {
	if len(c.place.Objects) == 1 && c.place.Objects[0] == o {
		o.Refresh()
		return
	}
	c.place.Objects = []fyne.CanvasObject{o}
	c.place.Refresh()
}

func (c *capturer) row(i int) rowView {
	m := c.mails[i]
	badge, t := c.a.badge(m.State)
	_, on := c.picked[m.Ref]
	return rowView{Title: nameOf(m.From), Sub: c.a.subject(m.Subject), Right: c.a.loc.Moment(m.Date, c.a.cfg.Now()), Badge: badge, Tone: t, Checked: on, Hittable: true}
}

func (c *capturer) pick(i int) {
	m := c.mails[i]
	if _, on := c.picked[m.Ref]; on {
		delete(c.picked, m.Ref)
	} else {
		c.picked[m.Ref] = m
	}
	c.bar.count()
}

// refs are the mails picked, in the order of the list.
func (c *capturer) refs() []string {
	var refs []string
	for _, m := range c.mails {
		if _, on := c.picked[m.Ref]; on {
			refs = append(refs, m.Ref)
		}
	}
	for ref := range c.picked { // picked in another folder
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// save hands the picked mails to the agent.
func (c *capturer) save(r control.CaptureRequest) {
	r.Refs = c.refs()
	if len(r.Refs) == 0 && len(c.mails) > 0 && c.view.mail.Ref != "" {
		r.Refs = []string{c.view.mail.Ref} // nothing is checked: the one that is looked at
	}
	if len(r.Refs) == 0 {
		return
	}
	c.bar.busy(len(r.Refs), c.a.status.Counts)
	ask(c.a, func(ctx context.Context, g control.Agent) (control.CaptureResult, error) { return g.Capture(ctx, r) },
		func(res control.CaptureResult, err error) {
			c.bar.done(res, err)
			if err == nil {
				clear(c.picked)
				c.bar.count()
				c.again()
			}
		})
}

// resultText says what became of what was handed over.
func (a *app) resultText(r control.CaptureResult) string {
	s := a.tf("window.capture-queued", map[string]any{"Count": r.Queued})
	if r.Already > 0 {
		s += " " + a.tf("window.capture-already", map[string]any{"Count": r.Already})
	}
	if r.Gone > 0 {
		s += " " + a.tf("window.capture-gone", map[string]any{"Count": r.Gone})
	}
	return s
}

// subject is a mail's subject, or what stands for one.
func (a *app) subject(s string) string {
	if s == "" {
		return a.t("window.no-subject")
	}
	return oneLine(s)
}

// loading is what stands where an answer is awaited.
func (a *app) loading(what string) fyne.CanvasObject {
	text := muted(what)
	text.Alignment = fyne.TextAlignCenter
	return container.NewVBox(gapOf(gapLarge), container.NewCenter(newTurn()), text)
}

// trouble is what stands where a list would, when its answer was a fault.
func (a *app) trouble(err error, again func()) fyne.CanvasObject {
	return container.NewVScroll(a.troubled(err, again))
}

// troubled is what stands on a page where an answer was a fault.
func (a *app) troubled(err error, again func()) fyne.CanvasObject {
	head, body, fix := a.told(faultOf(err))
	return empty(glyphAlert, head, body+" "+fix, plain(a.t("window.again"), again))
}
