package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
	"hawser/sync/shape"
)

// choosing is what decides about capture: what the person chose, and the rules that follow from it
// and from what the company chose.
type choosing struct {
	mu      sync.Mutex
	choices capture.Choices
	set     *rules.Set
	tried   []rules.Message // what the last dry run read
	days    int             // of the last dry run
	at      time.Time       // when it was made
	hits    map[string]int  // of the last dry run, by rule
}

// clockSlack is how far the mailbox's clock may be behind ours without a mail that comes right
// after automatic capture was turned on being taken for an old one.
const clockSlack = time.Minute

// maxFileSize bounds the limits of attachments that a person may choose, bytes.
const maxFileSize = 36 << 20

// recallChoices takes up what was chosen in an earlier run.
func (a *Agent) recallChoices(ctx context.Context) error {
	c, version, err := a.db.Choices(ctx)
	if err != nil {
		return fmt.Errorf("read choices: %w", err)
	}
	if version == 0 {
		c.Content = shape.Default
	}
	a.choosing.mu.Lock()
	a.choosing.choices = c
	a.choosing.mu.Unlock()
	a.compile()
	return nil
}

// compile makes the rules anew, after the choices, the policy or the user's addresses changed.
func (a *Agent) compile() {
	own, company := a.own(), a.companyRules()
	a.choosing.mu.Lock()
	defer a.choosing.mu.Unlock()
	a.choosing.set = rules.Compile(a.choosing.choices, company, own)
}

// companyRules returns what the company chose. Rules of which one cannot be understood are left
// out whole: half of a company's wall is none.
func (a *Agent) companyRules() capture.Company {
	company := a.settings().Capture.Company
	if err := rules.CheckCompany(company); err != nil {
		a.cfg.Log.Error("rules of the company not understood; automatic capture is off")
		company.Rules, company.Manual = nil, true
	}
	return company
}

// rules returns what decides about capture now.
func (a *Agent) rules() *rules.Set {
	a.choosing.mu.Lock()
	defer a.choosing.mu.Unlock()
	return a.choosing.set
}

// chosen returns what the person chose.
func (a *Agent) chosen() capture.Choices {
	a.choosing.mu.Lock()
	defer a.choosing.mu.Unlock()
	return a.choosing.choices
}

// content returns how mails are cut, after the company's limit.
func (a *Agent) content() capture.Content {
	c := a.chosen().Content
	c.Level = c.Level.Within(a.settings().Capture.MaxLevel)
	return c
}

// Chosen implements control.Agent.
func (a *Agent) Chosen(context.Context) (control.Chosen, error) {
	a.choosing.mu.Lock()
	c := control.Chosen{Choices: a.choosing.choices, Hits: a.choosing.hits}
	set := a.choosing.set
	a.choosing.mu.Unlock()
	c.Company, c.Level = a.companyRules(), a.content().Level
	for _, e := range set.Entries() {
		if e.Layer != rules.LayerFreeMail {
			c.Blocked = append(c.Blocked, control.Blocked{Value: e.Value, Layer: e.Layer, Locked: e.Locked})
		}
	}
	return c, nil
}

// Choose implements control.Agent.
func (a *Agent) Choose(ctx context.Context, c capture.Choices) error {
	if err := rules.Check(c); err != nil {
		return err
	}
	company := a.settings().Capture.Company
	switch {
	case company.Manual && c.Automatic:
		return fault.New(fault.Locked, "choose", errors.New("automatic capture is off by policy"))
	case c.Content.FileMax > maxFileSize || c.Content.FilesMax > maxFileSize:
		f := fault.New(fault.Usage, "choose", nil)
		f.Detail = fmt.Sprintf("content.fileMax, content.filesMax: %d", maxFileSize)
		return f
	}
	before := a.chosen()
	switch {
	case !c.Automatic:
		c.Since = time.Time{}
	case !before.Automatic:
		c.Since = a.now().Add(-clockSlack)
	default:
		c.Since = before.Since
	}
	if _, err := a.db.SaveChoices(ctx, c); err != nil {
		return fmt.Errorf("store choices: %w", err)
	}
	a.choosing.mu.Lock()
	a.choosing.choices = c
	a.choosing.mu.Unlock()
	a.compile()
	a.poke()
	return nil
}

// change edits what the person chose.
func (a *Agent) change(ctx context.Context, edit func(*capture.Choices)) error {
	c := a.chosen()
	c.Block = slices.Clone(c.Block)
	edit(&c)
	return a.Choose(ctx, c)
}

// block adds an address or a domain to the person's list.
func (a *Agent) block(ctx context.Context, entry string) error {
	return a.change(ctx, func(c *capture.Choices) {
		if !slices.ContainsFunc(c.Block, func(have string) bool { return strings.EqualFold(have, entry) }) {
			c.Block = append(c.Block, entry)
		}
	})
}
