package window

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"hawser/app/control"
)

// preview shows what would be saved of one mail.
type preview struct {
	a     *app
	mail  control.Mail
	turn  int
	shown control.Preview // of mail, once it has come
	all   *fyne.Container
}

func newPreview(a *app) *preview {
	p := &preview{a: a, all: container.NewStack()}
	p.clear()
	return p
}

func (p *preview) put(o fyne.CanvasObject) {
	p.all.Objects = []fyne.CanvasObject{o}
	p.all.Refresh()
}

func (p *preview) clear() {
	p.turn++
	p.mail, p.shown = control.Mail{}, control.Preview{}
	p.put(empty(glyphMail, p.a.t("window.preview-none"), p.a.t("window.preview-none-body")))
}

// open asks what would become of a mail.
func (p *preview) open(m control.Mail) {
	p.turn++
	turn := p.turn
	p.mail, p.shown = m, control.Preview{}
	p.put(p.a.loading(p.a.t("window.preview-loading")))
	ask(p.a, func(ctx context.Context, g control.Agent) (control.Preview, error) { return g.Preview(ctx, m.Ref) },
		func(v control.Preview, err error) {
			if turn != p.turn {
				return // another mail was chosen since
			}
			if err != nil {
				p.put(p.a.trouble(err, func() { p.open(m) }))
				return
			}
			if v.Mail.Ref == "" {
				v.Mail = m
			}
			p.draw(v)
		})
}

// moved shows the state that the mail in view has come to.
func (p *preview) moved(state string) {
	if p.mail.State == state {
		return
	}
	p.mail.State = state
	if p.shown.Mail.Ref != "" {
		p.draw(p.shown)
	}
}

func (p *preview) draw(v control.Preview) {
	a := p.a
	p.shown = v
	head := bold(a.subject(v.Mail.Subject))
	head.SizeName = theme.SizeNameSubHeadingText
	all := rows(gapSmall, head, p.people(v), p.verdict(v))
	if !p.under() {
		all.Add(aligned(cols(0, quiet(a.t("window.view-why"), func() { a.whyNot(v.Mail.Ref) }))))
	}
	all.Add(p.records(v))
	all.Add(p.content(v))
	if len(v.Attachments) > 0 {
		all.Add(p.files(v))
	}
	if v.Links > 0 {
		all.Add(muted(a.tf("preview.cloud-links", map[string]any{"Count": v.Links})))
	}
	if v.Text != "" {
		all.Add(p.text(v))
	}
	p.put(container.NewVScroll(inset(8, all)))
}

func (p *preview) people(v control.Preview) fyne.CanvasObject {
	a := p.a
	list := rows(-10, muted(a.tf("window.preview-from", map[string]any{"Who": oneLine(v.Mail.From)})), muted(a.tf("window.preview-to", map[string]any{"Who": oneLine(v.Mail.To)})))
	if v.Cc != "" {
		list.Add(muted(a.tf("window.preview-cc", map[string]any{"Who": oneLine(v.Cc)})))
	}
	list.Add(muted(a.loc.Moment(v.Mail.Date, a.cfg.Now()) + " · " + a.loc.Size(v.Mail.Size)))
	return list
}

// under reports whether the mail in view is on its way to Salesforce, or there.
func (p *preview) under() bool {
	return slices.Contains([]string{"captured", "waiting", "sending"}, p.mail.State)
}

// verdict says what would happen, and why.
func (p *preview) verdict(v control.Preview) fyne.CanvasObject {
	a := p.a
	t, head, body := toneGood, a.t("window.verdict-save"), a.t("window.object-"+strings.ToLower(v.Object))
	switch v.Verdict {
	case "held":
		t, head, body = toneWarning, a.t("window.verdict-held"), a.reason(v.Why)
	case "filtered":
		t, head, body = toneNeutral, a.t("window.verdict-filtered"), a.reason(v.Why)
	}
	if p.under() { // it is beyond what would be
		head, t = a.badge(p.mail.State)
		body = a.t("window.object-" + strings.ToLower(v.Object))
	}
	return tinted(t, container.NewBorder(nil, nil, lead(t.icon()), nil, rows(-8, bold(head), label(body))))
}

// records are those that the mail would be tied to.
func (p *preview) records(v control.Preview) fyne.CanvasObject {
	a := p.a
	list := rows(-6, cardTitle(a.t("window.preview-records")))
	if len(v.Records) == 0 && v.Related == nil {
		list.Add(muted(a.t("window.preview-no-record")))
	}
	for _, r := range v.Records {
		list.Add(bullet(glyphPerson, p.record(r)))
	}
	if v.Related != nil {
		list.Add(bullet(glyphTie, p.record(*v.Related)))
	}
	for _, address := range v.Unmatched {
		list.Add(bullet(glyphCircle.in(theme.ColorNameDisabled), muted(a.tf("window.preview-unmatched", map[string]any{"Address": oneLine(address)}))))
	}
	return list
}

func (p *preview) record(r control.Record) fyne.CanvasObject {
	name := label(oneLine(r.Name) + " · " + p.a.kindOf(r.Type))
	if r.Address == "" {
		return name
	}
	return rows(-14, name, caption(p.a.tf("window.preview-matched", map[string]any{"Address": oneLine(r.Address), "Field": r.Field})))
}

// content says how much is saved, how large that is and who will see it.
func (p *preview) content(v control.Preview) fyne.CanvasObject {
	a := p.a
	seen := a.t("window.seen-you")
	if v.Seen == "record" {
		seen = a.t("window.seen-record")
	}
	return rows(-6, cardTitle(a.t("window.preview-content")),
		label(a.level(v.Level)+" · "+a.loc.Size(v.Bytes)), bullet(glyphPerson, label(seen)))
}

func (p *preview) files(v control.Preview) fyne.CanvasObject {
	a := p.a
	list := rows(-6, cardTitle(a.t("window.preview-files")))
	for _, f := range v.Attachments {
		text := label(oneLine(f.Name) + " · " + a.loc.Size(f.Size))
		if f.Why == "" {
			list.Add(bullet(glyphClip, text))
			continue
		}
		list.Add(bullet(toneWarning.icon(), rows(-14, text, caption(a.tf("window.preview-left", map[string]any{"Why": a.reason(f.Why)})))))
	}
	return list
}

// text is what would be saved, or its newest part alone.
func (p *preview) text(v control.Preview) fyne.CanvasObject {
	a := p.a
	body := label(v.Text)
	parts := rows(gapSmall, cardTitle(a.t("window.preview-text")))
	if v.Newest != "" && v.Newest != v.Text {
		views := newTabs([]*tab{{id: "all", name: a.t("window.preview-whole")}, {id: "newest", name: a.t("window.preview-newest")}}, func(id string) {
			write(body, map[string]string{"all": v.Text, "newest": v.Newest}[id])
		})
		views.choose("all")
		parts.Add(inset(4, views.all))
	}
	parts.Add(container.NewStack(newPanel(colorNeutralSoft, ""), inset(4, body)))
	return parts
}

// kindOf names a type of record.
func (a *app) kindOf(object string) string {
	id := "window.record-" + strings.ToLower(object)
	if s := a.t(id); s != id {
		return s
	}
	return object
}
