package agent

import (
	"context"

	"hawser/app/control"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// offer is an enrolment link that something opened, and the server to which it leads. Any page in a
// browser can open one, so that it waits for a person's word.
type offer struct {
	link   secret.String
	server string
}

// Offer implements control.Agent. A link that comes takes the place of one before.
func (a *Agent) Offer(_ context.Context, link secret.String) error {
	server, err := a.member.Invites(link)
	if err != nil {
		return err
	}
	a.offer(offer{link, server})
	return nil
}

// offer keeps a link and shows its server; the zero value forgets it.
func (a *Agent) offer(o offer) {
	a.mu.Lock()
	a.offered = o
	a.mu.Unlock()
	a.board.update(func(b *board) { b.offer = o.server })
}

// AnswerOffer implements control.Agent.
func (a *Agent) AnswerOffer(ctx context.Context, server string, join bool) (control.Company, error) {
	a.mu.Lock()
	o := a.offered
	a.mu.Unlock()
	if o.link.Empty() || o.server != server {
		return control.Company{}, fault.New(fault.NotFound, "answer link", nil)
	}
	if join {
		return a.Enrol(ctx, o.link)
	}
	a.offer(offer{})
	return a.board.shown.Status().Company, nil
}
