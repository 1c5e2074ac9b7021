// Package controltest is a stand-in for the running agent: it shows what a test puts into it and
// notes what it is told to do.
//
// It implements control.Agent and nothing behind it: no mailbox, no queue, no clock. All methods
// are safe for concurrent use; fields are set before the first call.
package controltest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"hawser/app/control"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// Fault makes a method fail, in a form that a JSON file can hold.
type Fault struct {
	Code   fault.Code `json:"code"`
	Detail string     `json:"detail,omitempty"`
}

// Agent is the stand-in. The zero value is a healthy agent with nothing to show.
type Agent struct {
	control.Board `json:"-"`

	Mailbox []control.Mail         `json:"mailbox"`
	Partial bool                   `json:"partial"` // the mailbox does not search
	Items   []control.QueueItem    `json:"items"`
	Sent    []control.JournalItem  `json:"sent"`
	Steps   []control.SignInStep   `json:"steps"`
	Result  control.CaptureResult  `json:"result"`
	Out     control.SignOutResult  `json:"out"`
	Unbound control.UnbindResult   `json:"unbound"`
	Known   []control.Alias        `json:"known"`
	Apps    map[string]control.App `json:"apps"` // by side
	Choosing
	// Faults fails a command by its name: check, pause, resume, stop, signin, mails, capture,
	// queue, retry, skip, journal, signout, unbind, app, aliases, alias, enrol, offer,
	// offer-answer.
	Faults map[string]Fault `json:"faults"`
	// Hang makes SignIn wait after its steps until its context ends.
	Hang bool `json:"hang"`
	// Stopped is called by Stop, when set.
	Stopped func() `json:"-"`

	mu    sync.Mutex
	calls []string
	said  chan struct{}
}

var _ control.Agent = (*Agent)(nil)

// Calls returns what the agent was told to do, one line per command, in order.
func (a *Agent) Calls() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// Await waits until the agent was told the given line, or ctx ends.
func (a *Agent) Await(ctx context.Context, call string) error {
	for {
		a.mu.Lock()
		if slices.Contains(a.calls, call) {
			a.mu.Unlock()
			return nil
		}
		if a.said == nil {
			a.said = make(chan struct{})
		}
		said := a.said
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return fmt.Errorf("await %q: %w; told %q", call, ctx.Err(), a.Calls())
		case <-said:
		}
	}
}

// told notes a command and returns the fault it has to fail with, if any.
func (a *Agent) told(name, call string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
	if a.said != nil {
		close(a.said)
		a.said = nil
	}
	f, ok := a.Faults[name]
	if !ok {
		return nil
	}
	err := fault.New(f.Code, name, nil)
	err.Detail = f.Detail
	return err
}

// CheckNow implements control.Agent.
func (a *Agent) CheckNow(context.Context) error { return a.told("check", "check") }

// Pause implements control.Agent and shows the pause.
func (a *Agent) Pause(_ context.Context, until time.Time) error {
	call := "pause"
	if !until.IsZero() {
		call += " " + until.UTC().Format(time.RFC3339)
	}
	if err := a.told("pause", call); err != nil {
		return err
	}
	s := a.Status()
	s.State, s.Until = control.Paused, until
	a.Set(s)
	return nil
}

// Resume implements control.Agent and shows the end of the pause.
func (a *Agent) Resume(context.Context) error {
	if err := a.told("resume", "resume"); err != nil {
		return err
	}
	s := a.Status()
	s.State, s.Until = control.UpToDate, time.Time{}
	a.Set(s)
	return nil
}

// Stop implements control.Agent.
func (a *Agent) Stop(context.Context) error {
	if err := a.told("stop", "stop"); err != nil {
		return err
	}
	if a.Stopped != nil {
		a.Stopped()
	}
	return nil
}

// Enrol implements control.Agent and returns the company of the status shown.
func (a *Agent) Enrol(_ context.Context, pasted secret.String) (control.Company, error) {
	call := "enrol"
	if !pasted.Empty() {
		call += " " + pasted.Reveal()
	}
	return a.Status().Company, a.told("enrol", call)
}

// Offer implements control.Agent and shows the offer of a server that every link leads to.
func (a *Agent) Offer(_ context.Context, link secret.String) error {
	if err := a.told("offer", "offer "+link.Reveal()); err != nil {
		return err
	}
	s := a.Status()
	s.Offer = OfferServer
	a.Set(s)
	return nil
}

// OfferServer is where the links lead that the stand-in is offered.
const OfferServer = "https://hawserd.example"

// AnswerOffer implements control.Agent and shows no offer any more.
func (a *Agent) AnswerOffer(_ context.Context, server string, join bool) (control.Company, error) {
	if err := a.told("offer-answer", fmt.Sprintf("offer-answer %s %t", server, join)); err != nil {
		return control.Company{}, err
	}
	s := a.Status()
	s.Offer = ""
	a.Set(s)
	return s.Company, nil
}

// SignIn implements control.Agent: it shows Steps and then succeeds, fails, or hangs.
func (a *Agent) SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error {
	err := a.told("signin", "signin "+side)
	for _, s := range a.Steps {
		progress(s)
	}
	if err != nil || !a.Hang {
		return err
	}
	<-ctx.Done()
	_ = a.told("", "signin cancelled") // no command, so no fault
	return fault.New(fault.SignInCancelled, "sign in", ctx.Err())
}

// SignOut implements control.Agent and shows the side, or both, signed out.
func (a *Agent) SignOut(_ context.Context, side string, discard bool) (control.SignOutResult, error) {
	if err := a.told("signout", fmt.Sprintf("signout %q %t", side, discard)); err != nil {
		return control.SignOutResult{}, err
	}
	s := a.Status()
	s.State = control.NeedsSignIn
	s.Salesforce.SignedIn = s.Salesforce.SignedIn && side == "mail"
	s.Mail.SignedIn = s.Mail.SignedIn && side == "salesforce"
	a.Set(s)
	return a.Out, nil
}

// Unbind implements control.Agent.
func (a *Agent) Unbind(context.Context) (control.UnbindResult, error) {
	return a.Unbound, a.told("unbind", "unbind")
}

// App implements control.Agent.
func (a *Agent) App(_ context.Context, side string) (control.App, error) {
	return a.Apps[side], a.told("app", "app "+side)
}

// Aliases implements control.Agent.
func (a *Agent) Aliases(context.Context) ([]control.Alias, error) {
	if err := a.told("aliases", "aliases"); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.Known), nil
}

// SetAlias implements control.Agent; NotFound when no alias has that address.
func (a *Agent) SetAlias(_ context.Context, address string, on bool) error {
	if err := a.told("alias", fmt.Sprintf("alias %s %t", address, on)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.Known {
		if a.Known[i].Address == address {
			a.Known[i].On = on
			return nil
		}
	}
	return fault.New(fault.NotFound, "alias", nil)
}

// Mails implements control.Agent; it does not search.
func (a *Agent) Mails(_ context.Context, q control.MailQuery) (control.MailList, error) {
	return control.MailList{Mails: a.Mailbox, Partial: a.Partial && q.Search != ""}, a.told("mails", fmt.Sprintf("mails %q %q %d", q.Folder, q.Search, q.Limit))
}

// Capture implements control.Agent.
func (a *Agent) Capture(_ context.Context, r control.CaptureRequest) (control.CaptureResult, error) {
	call := fmt.Sprintf("capture %q", r.Refs)
	if r.Follow {
		call += " follow"
	}
	if r.Past {
		call += " past"
	}
	return a.Result, a.told("capture", call)
}

// Queue implements control.Agent: state "" is waiting, sending and needs-you.
func (a *Agent) Queue(_ context.Context, state string, limit int) ([]control.QueueItem, error) {
	if err := a.told("queue", fmt.Sprintf("queue %q %d", state, limit)); err != nil {
		return nil, err
	}
	var items []control.QueueItem
	for _, it := range a.Items {
		open := it.State == "waiting" || it.State == "sending" || it.State == "needs-you"
		if it.State == state || state == "" && open {
			items = append(items, it)
		}
	}
	return items, nil
}

// RetryItem implements control.Agent; NotFound when no item has that id.
func (a *Agent) RetryItem(_ context.Context, id int64) error { return a.item("retry", id) }

// SkipItem implements control.Agent; NotFound when no item has that id.
func (a *Agent) SkipItem(_ context.Context, id int64) error { return a.item("skip", id) }

func (a *Agent) item(name string, id int64) error {
	if err := a.told(name, fmt.Sprintf("%s %d", name, id)); err != nil {
		return err
	}
	if !slices.ContainsFunc(a.Items, func(it control.QueueItem) bool { return it.ID == id }) {
		return fault.New(fault.NotFound, name, nil)
	}
	return nil
}

// Journal implements control.Agent.
func (a *Agent) Journal(_ context.Context, q control.JournalQuery) ([]control.JournalItem, error) {
	return a.Sent, a.told("journal", fmt.Sprintf("journal %d", q.Limit))
}
