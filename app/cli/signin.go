package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

// forIT are the faults that an administrator mends, who has to know which app it is about.
var forIT = []fault.Code{fault.ConsentByAdmin, fault.AppBlocked, fault.AppUnknown, fault.ScopeMissing, fault.RedirectMismatch}

func (a *app) signInCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "signin salesforce|mail",
		Short: a.t("cmd.signin"),
		Args:  a.oneOf("salesforce", "mail"),
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			err = agent.SignIn(cmd.Context(), args[0], a.step)
			if err != nil && cmd.Context().Err() == nil {
				a.explainSignIn(cmd.Context(), agent, args[0], fault.Of(err))
			}
			if err == nil && !a.json {
				a.sayOtherSide(cmd.Context(), agent)
			}
			return err
		},
	}
}

// sayOtherSide tells whoever has signed in on one side that the other one is missing.
func (a *app) sayOtherSide(ctx context.Context, agent *control.Client) {
	if s, err := agent.Fetch(ctx); err == nil && halfSignedIn(s) {
		fmt.Fprintln(a.env.Stdout, a.t("signin.next-"+s.Which))
	}
}

// halfSignedIn reports whether only one side was ever signed in to.
func halfSignedIn(s control.Status) bool {
	return s.State == control.NeedsSignIn && s.Why == "" && s.Salesforce.SignedIn != s.Mail.SignedIn
}

// explainSignIn gets what belongs to a refused sign-in beside the fault's own texts. An agent that
// cannot tell costs no more than that.
func (a *app) explainSignIn(ctx context.Context, agent *control.Client, side string, f *fault.Error) {
	if slices.Contains(forIT, f.Code) {
		if it, err := agent.App(ctx, side); err == nil {
			a.request = &it
		}
	}
	if f.Code.Class() == fault.Retry { // which all else tries again by itself
		a.again = a.loc.T("signin.again", map[string]any{"Side": side})
	}
	if f.Code == fault.WrongAccount {
		if s, err := agent.Fetch(ctx); err == nil && s.State == control.WrongAccount {
			a.names = control.Headline(a.loc, s, a.now())
		}
	}
}

// printRequest prints what a person may send to an administrator, as a block of its own.
func (a *app) printRequest(code fault.Code) {
	if a.request == nil {
		return
	}
	rows := [][]string{
		{"  " + a.t("it.app"), clean(a.request.ClientID)},
		{"  " + a.t("it.scopes"), clean(strings.Join(a.request.Scopes, " "))},
		{"  " + a.t("it.site"), clean(a.request.Site)},
	}
	if len(a.request.Callbacks) > 0 {
		rows = append(rows, []string{"  " + a.t("it.callbacks"), clean(strings.Join(a.request.Callbacks, " "))})
	}
	if a.request.AdminLink != "" {
		rows = append(rows, []string{"  " + a.t("it.link"), clean(a.request.AdminLink)})
	}
	rows = append(rows, []string{"  " + a.t("it.fault"), string(code)})
	fmt.Fprintf(a.env.Stderr, "\n%s\n", a.t("it.title"))
	printTable(a.env.Stderr, rows)
}

// step prints one line of progress. An address is printed on a line of its own, whole, to be
// copied.
func (a *app) step(s control.SignInStep) {
	if a.json {
		enc := json.NewEncoder(a.env.Stdout)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s) // one line per step; a closed pipe does not end a sign-in
		return
	}
	switch s.Step {
	case "discovering", "waiting", "exchanging", "checking", "done":
		fmt.Fprintln(a.env.Stdout, a.t("signin."+s.Step))
	case "browser", "moved":
		fmt.Fprintf(a.env.Stdout, "%s\n  %s\n", a.t("signin."+s.Step), clean(s.URL))
	}
}
