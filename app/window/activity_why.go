package window

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"hawser/app/control"
	"hawser/sync/fault"
)

// whyView answers why one mail was not saved.
type whyView struct {
	a      *app
	field  *field
	word   string            // what is asked about: a Message-ID, or a mail of the mailbox
	show   func(view string) // another view of the page
	answer *fyne.Container
	turn   int
	all    fyne.CanvasObject
}

func newWhyView(a *app, show func(view string)) *whyView {
	w := &whyView{a: a, show: show, answer: container.NewStack()}
	w.field = newField(a.t("window.why-hint"))
	w.field.OnSubmitted = func(string) { w.ask() }
	w.all = scrolled(rows(gap,
		rows(-4, cardTitle(a.t("window.why-head")), muted(a.t("window.why-body"))),
		aligned(container.New(&flex{least: 240, front: true}, w.field, primary(a.t("window.why-ask"), w.ask))), w.answer))
	return w
}

// ask asks about what was pasted.
func (w *whyView) ask() {
	if mail := strings.TrimSpace(w.field.Text); mail != "" {
		w.about(mail)
	}
}

// about asks about a mail.
func (w *whyView) about(word string) {
	w.word = word
	w.turn++
	turn := w.turn
	ask(w.a, func(ctx context.Context, g control.Agent) (control.Why, error) { return g.Why(ctx, word) },
		func(y control.Why, err error) {
			if turn == w.turn {
				w.came(y, err)
			}
		})
}

func (w *whyView) came(y control.Why, err error) {
	a := w.a
	if err != nil {
		w.put(tinted(toneError, label(a.sorry(err))))
		return
	}
	badge, t := a.badge(y.State)
	if badge == "" {
		badge, t = a.t("window.why-unseen"), toneNeutral
	}
	words := rows(-8, bold(badge))
	if y.Mail != nil {
		words.Add(muted(a.subject(y.Mail.Subject)))
	}
	if y.Cause != "" {
		title, more := a.whole(fault.Code(y.Cause))
		words.Add(label(title))
		if more != "" {
			words.Add(label(more))
		}
	}
	if y.Rule != "" {
		words.Add(muted(a.tf("window.why-rule", map[string]any{"Rule": oneLine(y.Rule)})))
	}
	if y.Detail != "" {
		words.Add(muted(oneLine(y.Detail)))
	}
	if y.Record != nil {
		words.Add(aligned(buttons(newButton(a.t("window.line-open"), glyphOpen, func() { a.browse(y.Record.URL) }))))
	}
	if fix := w.fix(y); fix != nil {
		words.Add(gapOf(gap))
		words.Add(aligned(buttons(fix)))
	}
	w.put(tinted(t, words))
}

// fix is the button that changes it.
func (w *whyView) fix(y control.Why) fyne.CanvasObject {
	a := w.a
	do := func(call func(context.Context, control.Agent) error) func() {
		return func() { a.tell(call, func() { a.shell.notify(toneGood, a.t("window.done-retry")); w.about(w.word) }) }
	}
	var act func()
	name := "window.fix-" + y.Fix
	switch y.Fix {
	case "capture":
		if y.Mail == nil {
			return nil
		}
		act = do(func(ctx context.Context, g control.Agent) error {
			_, err := g.Capture(ctx, control.CaptureRequest{Refs: []string{y.Mail.Ref}})
			return err
		})
	case "retry":
		act = do(func(ctx context.Context, g control.Agent) error { return g.RetryItem(ctx, y.Item) })
	case "resume":
		act = do(func(ctx context.Context, g control.Agent) error { return g.Resume(ctx) })
	case "rules", "folders", "window":
		act = func() { a.open(control.PageRules) }
	case "signin":
		act = func() { a.open(control.PageHome) }
	case "answer":
		name, act = "window.do-decide", func() { w.show(y.State) }
	case "wait":
		name, act = "window.do-check", do(func(ctx context.Context, g control.Agent) error { return g.CheckNow(ctx) })
	case "admin":
		name, act = "window.copy-request", func() { w.copyRequest(y) }
	default:
		return nil
	}
	return primary(a.t(name), act)
}

// copyRequest puts what an administrator has to know about a cause into the clipboard.
func (w *whyView) copyRequest(y control.Why) {
	a := w.a
	ask(a, func(ctx context.Context, g control.Agent) (control.App, error) { return g.App(ctx, sideSalesforce) },
		func(it control.App, err error) {
			if err != nil {
				a.shell.notify(toneError, a.sorry(err))
				return
			}
			a.copy(a.request(it, fault.Code(y.Cause)))
		})
}

func (w *whyView) put(o fyne.CanvasObject) {
	w.answer.Objects = []fyne.CanvasObject{o}
	w.answer.Refresh()
}

// threads is the list of conversations that are followed.
type threads struct {
	a    *app
	list *fyne.Container
	all  fyne.CanvasObject
}

func newThreads(a *app) *threads {
	t := &threads{a: a, list: rows(gapSmall)}
	t.all = scrolled(t.list)
	return t
}

func (t *threads) fetch() {
	a := t.a
	ask(a, func(ctx context.Context, g control.Agent) ([]control.Thread, error) { return g.Threads(ctx) },
		func(list []control.Thread, err error) {
			t.list.Objects = nil
			switch {
			case err != nil:
				t.list.Add(label(a.sorry(err)))
			case len(list) == 0:
				t.list.Add(empty(glyphTie, a.t("window.empty-threads"), a.t("window.empty-threads-body")))
			}
			for _, th := range list {
				words := rows(-10, bold(a.subject(th.Title)), muted(a.tf("window.thread-about", map[string]any{"When": a.ago(th.Since), "Count": th.Saved})))
				stop := plain(a.t("window.thread-stop"), func() {
					a.tell(func(ctx context.Context, g control.Agent) error { return g.StopThread(ctx, th.ID) }, t.fetch)
				})
				t.list.Add(container.New(&flex{least: 260, front: true}, words, stop))
			}
			t.list.Refresh()
		})
}
