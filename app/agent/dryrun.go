package agent

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"hawser/app/control"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

const (
	// maxDays is how far back a dry run may look.
	maxDays = 90
	// surveyMost bounds how many mails a dry run keeps, about a kilobyte each.
	surveyMost = 20_000
	// surveyItems is how many mails a dry run lists where nobody asked for another number.
	surveyItems = 500
	// triedAge is how long what a dry run read is kept at least, for edits to be counted.
	triedAge = 15 * time.Minute
)

// DryRun implements control.Agent. It reads header blocks only, so a mail whose text would have to be
// searched for words counts as saved.
func (a *Agent) DryRun(ctx context.Context, q control.DryRunQuery, progress func(control.DryRunStep)) (control.DryRun, error) {
	if q.Days < 1 || q.Days > maxDays {
		return control.DryRun{}, fault.New(fault.Usage, "try rules", nil)
	}
	c := a.chosen()
	if q.Choices != nil {
		c = *q.Choices
	}
	if err := rules.Check(c); err != nil {
		return control.DryRun{}, err
	}
	c.Automatic, c.Since, c.Days = true, a.now(), q.Days
	set := rules.Compile(c, a.companyRules(), a.own())
	msgs, err := a.survey(ctx, set, q, progress)
	if err != nil {
		return control.DryRun{}, err
	}
	if err := a.acquaint(ctx, set, msgs); err != nil {
		return control.DryRun{}, err
	}
	d := judge(set, msgs, q)
	a.choosing.mu.Lock()
	a.choosing.tried, a.choosing.days, a.choosing.hits, a.choosing.at = msgs, q.Days, d.Hits, a.now()
	a.choosing.mu.Unlock()
	return d, nil
}

// survey returns the mails of the last days: those of the last dry run where they will do.
func (a *Agent) survey(ctx context.Context, set *rules.Set, q control.DryRunQuery, progress func(control.DryRunStep)) ([]rules.Message, error) {
	a.choosing.mu.Lock()
	tried, days := a.choosing.tried, a.choosing.days
	a.choosing.mu.Unlock()
	if q.Again && days == q.Days && tried != nil {
		return slices.Clone(tried), nil // two runs may look people up at once
	}
	_, eng, err := a.running()
	if err != nil {
		return nil, err
	}
	var msgs []rules.Message
	err = eng.Survey(ctx, set, a.now().AddDate(0, 0, -q.Days), func(m rules.Message) error {
		if len(msgs) == surveyMost {
			return errEnough
		}
		if msgs = append(msgs, m); len(msgs)%100 == 1 {
			progress(control.DryRunStep{Folder: m.Folder, Read: len(msgs)})
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return msgs, nil
}

// errEnough ends a survey of a very large mailbox: what was read is shown.
var errEnough = errors.New("enough mails were read")

// forgetTried gives back what the last dry run read, once nobody edits rules any more: it is some
// megabytes, and it is about mails that nobody chose.
func (a *Agent) forgetTried() {
	a.choosing.mu.Lock()
	defer a.choosing.mu.Unlock()
	if a.now().Sub(a.choosing.at) > triedAge {
		a.choosing.tried = nil
	}
}

// acquaint looks up the people that the rules ask for, a hundred to a call.
func (a *Agent) acquaint(ctx context.Context, set *rules.Set, msgs []rules.Message) error {
	var ask []string
	var asking []*rules.Message // the others stay unknown: after an edit they may be asked about, too
	for i := range msgs {
		if msgs[i].People == nil && set.Decide(msgs[i], "", false).Verdict == rules.Ask {
			ask, asking = append(ask, set.People(msgs[i])...), append(asking, &msgs[i])
		}
	}
	if len(ask) == 0 {
		return nil
	}
	slices.Sort(ask)
	types, err := a.recordTypes(ctx, slices.Compact(ask))
	if err != nil {
		return err
	}
	for _, m := range asking {
		m.People = types
	}
	return nil
}

// judge counts what a set of rules would do.
func judge(set *rules.Set, msgs []rules.Message, q control.DryRunQuery) control.DryRun {
	d := control.DryRun{Days: q.Days, Seen: len(msgs), Hits: set.Hits(msgs), Items: []control.DryRunItem{}}
	order := make([]int, len(msgs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return msgs[j].Received.Compare(msgs[i].Received) })
	for _, i := range order {
		m := &msgs[i]
		verdict := set.Decide(*m, "", false)
		item := control.DryRunItem{Verdict: verdictWord(verdict.Verdict), Why: verdict.Why, Rule: verdict.Rule}
		switch item.Verdict {
		case "save":
			item.Why = ""
			d.Saved++
		case "held":
			d.Held++
		}
		if len(d.Items) < cmp.Or(q.Limit, surveyItems) {
			item.Mail = control.Mail{Folder: m.Folder, Date: dated(m.Header.Date, m.Received), From: people(m.Header.From), To: people(m.Header.To), Subject: m.Header.Subject, Size: m.Size}
			d.Items = append(d.Items, item)
		}
	}
	return d
}

// dated returns a mail's own date, or when it was received where it has none.
func dated(own, received time.Time) time.Time {
	if own.IsZero() {
		return received
	}
	return own
}
