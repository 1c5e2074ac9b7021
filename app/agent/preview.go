package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/mailparse"
	"hawser/sync/match"
	"hawser/sync/rules"
	"hawser/sync/shape"
)

// previewText is how much of a text a preview shows, bytes.
const previewText = 4 << 10

// Preview implements control.Agent. The mail is read from the mailbox and kept nowhere; Salesforce
// is asked who the people in it are, unless that is known.
func (a *Agent) Preview(ctx context.Context, word string) (control.Preview, error) {
	ref, err := decodeRef(word)
	if err != nil {
		return control.Preview{}, err
	}
	src, _, err := a.running()
	if err != nil {
		return control.Preview{}, err
	}
	var seen look
	if err := src.Fetch(ctx, []capture.Ref{ref}, &seen); err != nil {
		return control.Preview{}, err
	}
	if seen.problem != nil {
		return control.Preview{}, seen.problem
	}
	p := control.Preview{Mail: listed(seen.item, seen.mail.Header), Cc: people(seen.mail.Cc), Verdict: "save", Seen: "you"}
	content := a.content()
	p.Level = content.Level
	if err := a.previewPeople(ctx, &p, seen.mail.Header); err != nil {
		return p, err
	}
	previewContent(&p, seen.mail, content)
	m := a.messageOf(ctx, seen.item, seen.mail.Header)
	if d := a.rules().Decide(m, capture.MarkHand, false); d.Verdict != rules.Save {
		p.Verdict, p.Why = verdictWord(d.Verdict), d.Why
	}
	return p, nil
}

// verdictWord is how lists name a verdict.
func verdictWord(v rules.Verdict) string {
	switch v {
	case rules.Hold:
		return "held"
	case rules.Filter:
		return "filtered"
	}
	return "save"
}

// look is the engine's sink for one mail that is only looked at.
type look struct {
	item    capture.Item
	mail    capture.Mail
	problem error
}

func (l *look) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	return slices.Repeat([]bool{true}, len(heads)), nil
}

func (l *look) Mail(_ context.Context, item capture.Item, problem error) (err error) {
	if problem != nil {
		l.problem = problem
		return nil
	}
	if l.mail, err = mailparse.Parse(item.Raw, item.Size); err != nil {
		return fault.New(fault.MailUnreadable, "read mail", err)
	}
	l.item = item
	l.item.Raw = nil
	return nil
}

func (l *look) Reached(context.Context, capture.Cursor) error { return nil }

// previewPeople fills in which records a mail belongs to.
func (a *Agent) previewPeople(ctx context.Context, p *control.Preview, h capture.Header) error {
	a.mu.Lock()
	d, client := a.deliverer, a.client
	a.mu.Unlock()
	if d == nil {
		return fault.New(a.whyNoDelivery(), "look up people", nil)
	}
	caps, err := client.Capabilities(ctx)
	if err != nil {
		return err
	}
	if p.Object = string(deliver.Email); !caps.Email {
		p.Object = string(deliver.Task)
	}
	found, err := d.Lookup(ctx, match.Addresses(h))
	if err != nil {
		return err
	}
	links := match.OrderOf(a.chosen().Order).Choose(h, found, a.own(), a.picks())
	add := func(c match.Candidate) {
		r := control.Record{Type: string(c.Type), ID: c.ID, Name: c.Name, URL: client.RecordURL(c.ID)}
		for _, m := range links.Matched {
			if m.RecordID == c.ID {
				r.Address, r.Field = m.Address, m.Field
			}
		}
		p.Records = append(p.Records, r)
	}
	if links.From != nil {
		add(*links.From)
	}
	for _, list := range [][]match.Candidate{links.To, links.Cc, links.Bcc} {
		for _, c := range list {
			add(c)
		}
	}
	p.Unmatched = slices.Concat(links.ToOther, links.CcOther, links.BccOther)
	if sender := match.Sender(h); links.From == nil && sender.Addr != "" {
		p.Unmatched = append([]string{sender.Addr}, p.Unmatched...)
	}
	a.previewRelated(p, links, h)
	return nil
}

// previewRelated fills in what a mail is related to, or what has to be asked.
func (a *Agent) previewRelated(p *control.Preview, links match.Links, h capture.Header) {
	if links.Known {
		p.Seen = "record"
	}
	if len(links.Ties) > 0 {
		t := links.Ties[0]
		p.Question = &capture.Question{Kind: capture.AskPerson, Subject: t.Address}
		for _, c := range t.Candidates {
			p.Question.Options = append(p.Question.Options, capture.Option{ID: c.ID, Type: string(c.Type), Name: c.Name, About: c.About})
		}
		p.Question.Options = append(p.Question.Options, capture.Option{})
		return
	}
	open, more := links.Open()
	other := otherSide(h, a.own())
	picked, known := a.pick(capture.AskRelated, other)
	at := slices.IndexFunc(open, func(r match.Record) bool { return r.ID == picked })
	if len(open) == 1 && !more {
		at = 0
	}
	switch {
	case at >= 0 && (!known || picked != ""):
		p.Related = &control.Record{Type: open[at].Type, ID: open[at].ID, Name: open[at].Name}
	case len(open) > 0 && !(known && picked == ""):
		p.Question = &capture.Question{Kind: capture.AskRelated, Subject: other}
		for _, r := range open {
			p.Question.Options = append(p.Question.Options, capture.Option{ID: r.ID, Type: r.Type, Name: r.Name, About: r.About})
		}
		p.Question.Options = append(p.Question.Options, capture.Option{})
	case links.RelatedTo != "":
		p.Related = &control.Record{Type: "Account", ID: links.RelatedTo, Name: accountName(links)}
	}
}

// otherSide is whom a mail was exchanged with, by which remembered answers are named.
func otherSide(h capture.Header, own []string) string {
	for _, p := range slices.Concat([]capture.Address{match.Sender(h)}, h.To, h.Cc, h.Bcc) {
		if addr := strings.ToLower(strings.TrimSpace(p.Addr)); addr != "" && !match.Own(addr, own) {
			return addr
		}
	}
	return ""
}

// accountName returns the name of the account that a mail is related to, as its contacts tell it.
func accountName(links match.Links) string {
	all := slices.Concat(links.To, links.Cc, links.Bcc)
	if links.From != nil {
		all = append(all, *links.From)
	}
	for _, c := range all {
		if c.AccountID == links.RelatedTo {
			return c.About
		}
	}
	return ""
}

// picks returns the remembered answers about people.
func (a *Agent) picks() match.Picks {
	return func(address string) (string, bool) { return a.pick(capture.AskPerson, address) }
}

// pick returns the answer that is remembered for a question. A store that cannot be read remembers
// nothing: the person is asked again.
func (a *Agent) pick(kind capture.QuestionKind, subject string) (string, bool) {
	id, ok, err := a.db.Pick(context.Background(), kind, subject)
	return id, ok && err == nil
}

// previewContent fills in what is left of a mail after it was cut.
func previewContent(p *control.Preview, mail capture.Mail, content capture.Content) {
	asked := content.Files == capture.FilesAsk
	if asked {
		content.Files = capture.FilesAlways
	}
	shaped := shape.Cut
	if p.Object == string(deliver.Task) {
		shaped = shape.CutTask
	}
	cut, left := shaped(mail, content)
	p.Links = shape.Links(cut)
	p.Text = short(cut.Text, previewText)
	content.NewestOnly = !content.NewestOnly
	if other, _ := shaped(mail, content); other.Text != cut.Text {
		p.Newest = short(other.Text, previewText)
		if !content.NewestOnly { // the newest part is what is saved
			p.Text, p.Newest = p.Newest, p.Text
		}
	}
	p.Bytes = int64(len(cut.Text) + len(cut.HTML) + len(cut.RawHeaders))
	for _, f := range cut.Attachments {
		p.Bytes += f.Size
		p.Attachments = append(p.Attachments, control.Attachment{Name: f.Name, Size: f.Size})
	}
	for _, l := range left {
		if l.Name != "" {
			p.Attachments = append(p.Attachments, control.Attachment{Name: l.Name, Size: l.Size, Why: "file-" + string(l.Why)})
		}
	}
	if asked && len(cut.Attachments) > 0 && p.Question == nil {
		p.Question = &capture.Question{Kind: capture.AskFiles, Options: []capture.Option{{ID: deliver.Yes}, {ID: deliver.No}}}
	}
}

// short cuts a text at a rune.
func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// leftOut words the line of a record that names the files which are not saved.
func (a *Agent) leftOut(named []shape.Left, more int) string {
	var files []string
	for _, l := range named {
		files = append(files, fmt.Sprintf("%s (%s, %s)", l.Name, a.text.Size(l.Size), a.text.T("reason.file-"+string(l.Why), nil)))
	}
	line := a.text.T("record.left-out", map[string]any{"Files": strings.Join(files, "; ")})
	if more > 0 {
		line += " " + a.text.T("record.left-out-more", map[string]any{"Count": more})
	}
	return line
}
