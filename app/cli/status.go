package cli

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

func (a *app) statusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: a.t("cmd.status"),
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
			if a.json {
				return writeJSON(a.env.Stdout, s)
			}
			a.printStatus(s)
			return nil
		},
	}
}

func (a *app) printStatus(s control.Status) {
	calls := a.loc.T("status.calls-used", map[string]any{"Used": a.loc.Number(s.Calls.Used), "Budget": a.loc.Number(s.Calls.Budget)})
	if s.Calls.OrgMax > 0 {
		calls += "; " + a.loc.T("status.calls-org", map[string]any{"Used": a.loc.Number(s.Calls.OrgUsed), "Max": a.loc.Number(s.Calls.OrgMax)})
	}
	rows := [][]string{
		{a.t("status.state"), control.Headline(a.loc, s, a.now())},
		{a.t("status.company"), a.company(s.Company)},
		{a.t("status.salesforce"), a.side(s.Salesforce)},
		{a.t("status.mail"), a.side(s.Mail)},
		{a.t("status.mails"), a.loc.T("status.counts", map[string]any{
			"Seen": a.loc.Number(s.Counts.Seen), "Captured": a.loc.Number(s.Counts.Captured), "Filtered": a.loc.Number(s.Counts.Filtered),
			"Held": a.loc.Number(s.Counts.Held), "Waiting": a.loc.Number(s.Counts.Waiting)})},
	}
	if s.Company.Stage == "" {
		rows = slices.Delete(rows, 1, 2)
	}
	if h := s.History; h.All > 0 && h.Done > 0 {
		rows = append(rows, []string{a.t("status.history"), a.loc.T("status.history-of", map[string]any{"Done": a.loc.Number(min(h.Done, h.All)), "All": a.loc.Number(h.All)})})
	} else if h.Done > 0 {
		rows = append(rows, []string{a.t("status.history"), a.loc.T("status.history-read", map[string]any{"Count": h.Done})})
	}
	if s.Calls.Budget > 0 { // known once there is something to send
		rows = append(rows, []string{a.t("status.calls"), calls})
	}
	printTable(a.env.Stdout, rows)
	if s.Offer != "" {
		fmt.Fprintf(a.env.Stdout, "\n%s\n", a.loc.T("status.offer", map[string]any{"Server": host(s.Offer)}))
	}
	a.printNextStep(s)
	for _, n := range s.Notes {
		a.printNote(n)
	}
}

func (a *app) printNote(n control.Note) {
	title, body, fix := a.loc.Fault(n.Code)
	fmt.Fprintf(a.env.Stdout, "\n%s (%s)\n%s\n%s\n", a.withDetail(title, n.Detail), n.Code, body, fix)
}

// printNextStep says why the state is as it is, and what to do.
func (a *app) printNextStep(s control.Status) {
	why := s.Why
	switch {
	case s.Company.Stage == control.StageRemoved:
		a.printRemoved(s.Company)
		return
	case s.State == control.Suspended:
		fmt.Fprintf(a.env.Stdout, "\n%s\n", a.t("status.suspended"))
		return
	case s.State == control.NotEnrolled:
		fmt.Fprintf(a.env.Stdout, "\n%s\n", a.t("status.not-enrolled"))
		return
	case s.State == control.NeedsYou && why == "":
		fmt.Fprintf(a.env.Stdout, "\n%s\n", a.t("status.needs-you"))
		return
	case halfSignedIn(s):
		fmt.Fprintf(a.env.Stdout, "\n%s\n", a.t("signin.half-"+s.Which))
		return
	case s.State == control.NeedsSignIn && why == "":
		why = fault.NotSignedIn
	case s.State == control.WrongAccount && why == "":
		why = fault.WrongAccount
	}
	if why != "" {
		a.printNote(control.Note{Code: why})
	}
}

// side says who is signed in where, and whether that works.
func (a *app) side(s control.Side) string {
	if !s.SignedIn {
		return a.withFault(a.t("status.signed-out"), s.Fault)
	}
	line := clean(s.Account)
	if s.Host != "" {
		line = a.loc.T("status.account-host", map[string]any{"Account": line, "Host": clean(s.Host)})
	}
	if !s.LastSuccess.IsZero() {
		line += ", " + a.loc.T("status.last-success", map[string]any{"When": a.loc.Ago(s.LastSuccess, a.now())})
	}
	return a.withFault(line, s.Fault)
}

func (a *app) withFault(line string, code fault.Code) string {
	if code == "" {
		return line
	}
	title, _, _ := a.loc.Fault(code)
	return line + "; " + title
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: a.t("cmd.version"),
		Args:  a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.done(fmt.Sprintf("hawser %s (%s/%s)", a.env.Version, runtime.GOOS, runtime.GOARCH), map[string]string{
				"version": a.env.Version, "os": runtime.GOOS, "arch": runtime.GOARCH, "go": runtime.Version()})
		},
	}
}
