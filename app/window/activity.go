package window

import (
	"context"
	"reflect"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"hawser/app/control"
)

// The views of the activity page. Those of the queue are called as its states.
const (
	viewNeedsYou = "needs-you"
	viewSaved    = "captured"
	viewWaiting  = "waiting"
	viewHeld     = "held"
	viewLeft     = "filtered"
	viewThreads  = "threads"
	viewWhy      = "why"
)

// linesAtOnce is how many lines of the journal or the queue are fetched at a time.
const linesAtOnce = 200

// activity is the page on which people see what became of their mail, and decide where they must.
type activity struct {
	a     *app
	view  string
	turn  int
	tabs  *tabs
	items []control.QueueItem
	lines []control.JournalItem
	ended bool // the oldest line of the journal is there
	busy  bool // more of it is on its way
	known control.Counts

	list    *rowList // of queue items
	journal *rowList
	threads *threads
	why     *whyView
	place   *fyne.Container // list and detail, or what stands for them
	detail  *fyne.Container
	open    int64 // the item whose detail is shown
	shown   any   // that item, as it was drawn
	all     fyne.CanvasObject
}

func newActivity(a *app) screen {
	v := &activity{a: a, place: container.NewStack(), detail: container.NewStack()}
	v.list = newRowList(func() int { return len(v.items) }, v.itemRow)
	v.list.chosen = func(i int) { v.showItem(v.items[i]) }
	v.journal = newRowList(func() int { return len(v.lines) }, v.lineRow)
	v.journal.chosen = func(i int) { v.showLine(v.lines[i]) }
	v.journal.end = v.older
	v.threads, v.why = newThreads(a), newWhyView(a, v.turnTo)
	var list []*tab
	for _, id := range []string{viewNeedsYou, viewSaved, viewWaiting, viewHeld, viewLeft, viewThreads, viewWhy} {
		list = append(list, &tab{id: id, name: a.t("window.view-" + id)})
	}
	v.tabs = newTabs(list, v.choose)
	v.all = filled(a.t("window.page-activity"), a.t("window.activity-purpose"), container.NewBorder(v.tabs.all, nil, nil, nil,
		container.New(layout.NewCustomPaddedLayout(gap, 0, 0, 0), v.place)))
	return v
}

func (v *activity) object() fyne.CanvasObject { return v.all }

// show implements screen: counts that changed mean lists that changed.
func (v *activity) show(s control.Status) {
	v.tabs.rename(viewNeedsYou, v.counted(viewNeedsYou, s.Counts.NeedsYou))
	v.tabs.rename(viewHeld, v.counted(viewHeld, s.Counts.Held))
	if v.view == "" { // the first time: what waits for a decision comes first
		v.view = viewSaved
		if s.Counts.NeedsYou > 0 {
			v.view = viewNeedsYou
		}
		v.tabs.choose(v.view)
	}
	if s.Counts != v.known {
		v.known = s.Counts
		v.fetch()
	}
}

func (v *activity) counted(view string, n int) string {
	name := v.a.t("window.view-" + view)
	if n > 0 {
		name = v.a.tf("window.view-counted", map[string]any{"Name": name, "Number": v.a.n(n)})
	}
	return name
}

// opened implements opener.
func (v *activity) opened() { v.fetch() }

// turnTo brings a view to the front as if its tab had been pressed.
func (v *activity) turnTo(view string) {
	v.tabs.choose(view)
	v.choose(view)
}

// whyNot opens the view that says why a mail of the mailbox was not saved.
func (a *app) whyNot(ref string) {
	a.open(control.PageActivity)
	if v, ok := a.current().(*activity); ok {
		v.turnTo(viewWhy)
		v.why.about(ref)
	}
}

func (v *activity) choose(view string) {
	v.view, v.open, v.shown = view, 0, nil
	v.fetch()
}

// fetch asks for what the view shows.
func (v *activity) fetch() {
	v.turn++
	turn := v.turn
	if len(v.place.Objects) == 0 {
		v.put(v.a.loading(v.a.t("window.guide-loading")))
	}
	switch v.view {
	case viewThreads:
		v.put(v.threads.all)
		v.threads.fetch()
	case viewWhy:
		v.put(v.why.all)
	case viewSaved:
		ask(v.a, func(ctx context.Context, g control.Agent) ([]control.JournalItem, error) {
			return g.Journal(ctx, control.JournalQuery{Limit: linesAtOnce})
		}, func(lines []control.JournalItem, err error) {
			if turn == v.turn {
				v.linesCame(lines, err)
			}
		})
	default:
		state := v.view
		ask(v.a, func(ctx context.Context, g control.Agent) ([]control.QueueItem, error) {
			return g.Queue(ctx, state, linesAtOnce)
		}, func(items []control.QueueItem, err error) {
			if turn == v.turn {
				v.itemsCame(items, err)
			}
		})
	}
}

func (v *activity) put(o fyne.CanvasObject) {
	if len(v.place.Objects) == 1 && v.place.Objects[0] == o {
		o.Refresh()
		return
	}
	v.place.Objects = []fyne.CanvasObject{o}
	v.place.Refresh()
}

func (v *activity) linesCame(lines []control.JournalItem, err error) {
	if err != nil {
		v.put(v.a.trouble(err, v.fetch))
		return
	}
	before := len(v.lines)
	if before == 0 {
		v.ended = len(lines) < linesAtOnce
	}
	v.lines = joined(lines, v.lines)
	if len(v.lines) == 0 {
		v.put(card(v.empty()))
		return
	}
	v.journal.Refresh()
	v.both(v.journal)
	at := 0
	for i, l := range v.lines {
		if l.ID == v.open {
			at = i
		}
	}
	v.journal.keep(at, max(0, len(v.lines)-before))
	if !reflect.DeepEqual(v.shown, v.lines[at]) { // else somebody may be in the middle of it
		v.showLine(v.lines[at])
	}
}

// joined puts lines that came anew before those below them that were there.
func joined(fresh, old []control.JournalItem) []control.JournalItem {
	if len(fresh) == 0 {
		return nil
	}
	last := fresh[len(fresh)-1].ID
	for _, l := range old {
		if l.ID < last {
			fresh = append(fresh, l)
		}
	}
	return fresh
}

// older fetches what stands below the last line of the journal.
func (v *activity) older() {
	if v.busy || v.ended || len(v.lines) == 0 {
		return
	}
	v.busy = true
	before := v.lines[len(v.lines)-1].ID
	ask(v.a, func(ctx context.Context, g control.Agent) ([]control.JournalItem, error) {
		return g.Journal(ctx, control.JournalQuery{Before: before, Limit: linesAtOnce})
	}, func(lines []control.JournalItem, err error) {
		v.busy = false
		if err != nil || len(v.lines) == 0 || v.lines[len(v.lines)-1].ID != before {
			return // the next scroll asks again, and what was fetched anew is not mixed with the old
		}
		v.ended = len(lines) < linesAtOnce
		for _, l := range lines {
			if l.ID < before {
				v.lines = append(v.lines, l)
			} else {
				v.ended = true
			}
		}
		v.journal.Refresh()
	})
}

func (v *activity) itemsCame(items []control.QueueItem, err error) {
	if err != nil {
		v.put(v.a.trouble(err, v.fetch))
		return
	}
	v.items = items
	if len(items) == 0 {
		v.put(card(v.empty()))
		return
	}
	v.list.Refresh()
	v.both(v.list)
	at := 0
	for i, it := range items {
		if it.ID == v.open {
			at = i
		}
	}
	v.list.keep(at, 0)
	if !reflect.DeepEqual(v.shown, items[at]) { // else somebody may be in the middle of an answer
		v.showItem(items[at])
	}
}

// both shows a list with the detail beside it.
func (v *activity) both(list fyne.CanvasObject) {
	v.put(container.New(&pair{least: 340}, well(list), well(v.detail)))
	if v.a.page == control.PageActivity {
		v.a.focusMain(list)
	}
}

// empty says what would stand in the view.
func (v *activity) empty() fyne.CanvasObject {
	g := map[string]mark{viewNeedsYou: glyphCheck, viewSaved: glyphCloud, viewWaiting: glyphTurn, viewHeld: glyphPause, viewLeft: glyphRules}[v.view]
	return empty(g, v.a.t("window.empty-"+v.view), v.a.t("window.empty-"+v.view+"-body"))
}

// itemRow is one line of the queue.
func (v *activity) itemRow(i int) rowView {
	it := v.items[i]
	r := rowView{Title: nameOf(it.From), Sub: v.a.subject(it.Subject), Right: v.a.loc.Moment(it.Date, v.a.cfg.Now())}
	if it.From == "" { // what was left out is not kept, but for its number
		r.Title, r.Sub = v.a.tf("window.item-number", map[string]any{"Number": v.a.n(int(it.ID))}), v.a.why(it)
	}
	r.Badge, r.Tone = v.a.badge(it.State)
	r.Icon = r.Tone.icon()
	if it.Question != nil {
		r.Icon = glyphHelp.in(r.Tone.strong())
	}
	return r
}

// lineRow is one line of the journal, which keeps no content.
func (v *activity) lineRow(i int) rowView {
	l := v.lines[i]
	r := rowView{Icon: glyphMail.in(toneGood.strong()), Title: v.a.t("window.line-alone"), Right: v.a.loc.Moment(l.At, v.a.cfg.Now()), Clip: l.Files > 0}
	if len(l.Matched) > 0 {
		r.Title = oneLine(l.Matched[0].Name)
		if more := len(l.Matched) - 1; more > 0 {
			r.Title = v.a.tf("window.line-more", map[string]any{"Name": r.Title, "Count": more})
		}
	}
	r.Sub = v.a.object(l.Object) + " · " + v.a.loc.Size(l.Bytes) + " · " + v.a.marked(l.Mark)
	if !l.Removed.IsZero() {
		r.Badge, r.Tone = v.a.t("window.line-removed"), toneNeutral
		r.Icon = glyphUndo.in(toneNeutral.strong())
	}
	return r
}
