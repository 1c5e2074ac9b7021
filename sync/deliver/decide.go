package deliver

import (
	"strings"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// decide joins a mail to records. The outcome is set when the mail has to wait: nobody in it has a
// record, or only the person knows which record is meant.
func (d *Deliverer) decide(dr draft, found map[string][]match.Candidate) (match.Links, *Outcome) {
	j, n, own, order := dr.job, d.note(dr.job.ID), d.cfg.Own(), d.cfg.Order()
	if n.bare {
		n.matched = nil
		return order.Choose(dr.mail.Header, nil, own, nil), nil
	}
	links := order.Choose(dr.mail.Header, found, own, d.picks(j))
	n.matched = links.Matched
	automatic := j.Mark == capture.MarkRule || j.Mark == capture.MarkThread
	switch {
	case automatic && !links.Known && j.Answers[AnswerUnmatched] != Yes:
		return links, &Outcome{Job: j.ID, Verdict: Held, Code: fault.Unmatched}
	case len(links.Ties) > 0:
		return links, question(j, fault.ChoosePerson, whichPerson(links.Ties[0]))
	}
	related, q := d.relatedTo(j, n, links)
	switch {
	case q != nil:
		return links, question(j, fault.ChooseRelated, q)
	case n.askYes:
		return links, d.whetherFiles(j)
	}
	n.related = related != links.RelatedTo
	links.RelatedTo = related
	return links, nil
}

func question(j Job, code fault.Code, q *capture.Question) *Outcome {
	o := person(j, code, "")
	o.Question = q
	return &o
}

func (d *Deliverer) whetherFiles(j Job) *Outcome {
	return question(j, fault.ChooseFiles, &capture.Question{
		Kind: capture.AskFiles, Subject: d.note(j.ID).other, Options: []capture.Option{{ID: Yes}, {ID: No}},
	})
}

func whichPerson(tie match.Tie) *capture.Question {
	q := &capture.Question{Kind: capture.AskPerson, Subject: tie.Address}
	for _, c := range tie.Candidates {
		q.Options = append(q.Options, capture.Option{ID: c.ID, Type: string(c.Type), Name: c.Name, About: c.About})
	}
	q.Options = append(q.Options, capture.Option{})
	return q
}

// relatedTo returns the record a mail is related to: the only open opportunity or case, the one that
// the person chose, else the account; or the question that the person has to answer.
func (d *Deliverer) relatedTo(j Job, n *note, links match.Links) (id string, q *capture.Question) {
	if n.account {
		return links.RelatedTo, nil
	}
	if id, ok := j.Answers[AnswerRelated]; ok && id != "" {
		return id, nil // chosen for this very mail, even if it was closed meanwhile
	} else if ok {
		return links.RelatedTo, nil
	}
	open, more := links.Open()
	if len(open) == 0 {
		return links.RelatedTo, nil
	}
	if id, ok := d.cfg.Pick(capture.AskRelated, n.other); ok {
		if id == "" {
			return links.RelatedTo, nil
		}
		for _, r := range open {
			if r.ID == id {
				return id, nil
			}
		}
	}
	if len(open) == 1 && !more {
		return open[0].ID, nil
	}
	q = &capture.Question{Kind: capture.AskRelated, Subject: n.other}
	for _, r := range open {
		q.Options = append(q.Options, capture.Option{ID: r.ID, Type: r.Type, Name: r.Name, About: r.About})
	}
	q.Options = append(q.Options, capture.Option{})
	return "", q
}

// picks answers which record an address means: as the person said for this mail, else as they
// said before.
func (d *Deliverer) picks(j Job) match.Picks {
	return func(addr string) (string, bool) { return d.answer(j, capture.AskPerson, AnswerPerson+addr, addr) }
}

func (d *Deliverer) answer(j Job, kind capture.QuestionKind, key, subject string) (string, bool) {
	if id, ok := j.Answers[key]; ok {
		return id, true
	}
	return d.cfg.Pick(kind, subject)
}

// other returns whom a mail was exchanged with: the first address in it that is not the user's
// own, in lower case.
func (d *Deliverer) other(h capture.Header) string {
	own := d.cfg.Own()
	for _, list := range [][]capture.Address{{match.Sender(h)}, h.To, h.Cc, h.Bcc} {
		for _, a := range list {
			if addr := strings.ToLower(strings.TrimSpace(a.Addr)); addr != "" && !match.Own(addr, own) {
				return addr
			}
		}
	}
	return ""
}
