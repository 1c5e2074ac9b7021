package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/app/desktop"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// enrolCmd reads the code or the link from standard input: arguments can be read by every program
// on the computer.
func (a *app) enrolCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "enrol",
		Short: a.t("cmd.enrol"),
		Args:  a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			s, err := agent.Fetch(cmd.Context())
			if err != nil {
				return err
			}
			question := a.t("enrol.ask")
			if s.Offer != "" {
				question = a.loc.T("enrol.ask-offer", map[string]any{"Server": host(s.Offer)})
			}
			pasted, err := a.answer(question)
			if err != nil {
				return err
			}
			if s.Offer != "" && a.isYes(pasted) {
				return a.joined(agent.AnswerOffer(cmd.Context(), s.Offer, true))
			}
			return a.joined(agent.Enrol(cmd.Context(), secret.New(pasted)))
		},
	}
}

func (a *app) joined(c control.Company, err error) error {
	if err != nil {
		return err
	}
	return a.done(a.loc.T("enrol.done", map[string]any{"Company": clean(c.Name)}), c)
}

// openLink hands an enrolment link to the agent, whose window asks whether to join; where there is no
// window, the terminal does.
func (a *app) openLink(ctx context.Context, agent *control.Client, raw string) error {
	link, err := desktop.ParseLink(raw)
	if err != nil {
		return fault.New(fault.EnrolRefused, "open link", err)
	}
	if err := agent.Offer(ctx, link); err != nil {
		return err
	}
	if err := agent.Open(ctx, ""); !fault.Is(err, fault.WindowMissing) {
		return err
	}
	s, err := agent.Fetch(ctx)
	if err != nil {
		return err
	}
	join, err := a.ask(a.loc.T("open.ask-offer", map[string]any{"Server": host(s.Offer)}), false)
	if err != nil {
		return err
	}
	c, err := agent.AnswerOffer(ctx, s.Offer, join)
	if err == nil && !join {
		return a.done(a.t("open.declined"), nil)
	}
	return a.joined(c, err)
}

// host is a server as people write it.
func host(server string) string { return clean(strings.TrimPrefix(server, "https://")) }

// company is one line about the user's company.
func (a *app) company(c control.Company) string {
	line := clean(c.Name)
	if line == "" {
		line = host(c.Server)
	}
	if c.Group != "" {
		line += ", " + a.loc.T("company.group", map[string]any{"Group": clean(c.Group)})
	}
	if c.Stage == control.StageActive && !c.LastSuccess.IsZero() {
		line += ", " + a.loc.T("status.last-success", map[string]any{"When": a.loc.Ago(c.LastSuccess, a.now())})
	} else if c.Stage != control.StageActive {
		line += ", " + a.t("company."+c.Stage)
	}
	return a.withFault(line, c.Fault)
}

// printRemoved is the last screen of a company: who ended it, and what became of everything.
func (a *app) printRemoved(c control.Company) {
	title, body, fix := a.loc.Fault(fault.Removed)
	fmt.Fprintf(a.env.Stdout, "\n%s (%s)\n%s\n%s\n%s\n", title, fault.Removed, a.loc.T("company.removed-by", map[string]any{
		"Company": clean(c.Name), "When": a.loc.Moment(c.Since, a.now()), "By": clean(c.By)}), body, fix)
}
