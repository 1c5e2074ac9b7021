package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
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
			pasted, err := a.answer(a.t("enrol.ask"))
			if err != nil {
				return err
			}
			c, err := agent.Enrol(cmd.Context(), secret.New(pasted))
			if err != nil {
				return err
			}
			return a.done(a.loc.T("enrol.done", map[string]any{"Company": clean(c.Name)}), c)
		},
	}
}

// company is one line about the user's company.
func (a *app) company(c control.Company) string {
	line := clean(c.Name)
	if line == "" {
		line = clean(strings.TrimPrefix(c.Server, "https://"))
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
