package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"hawser/app/control"
)

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
			return agent.SignIn(cmd.Context(), args[0], a.step)
		},
	}
}

// step prints one line of progress. The address is printed on a line of its own, whole, to be
// copied when no browser opened.
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
	case "browser":
		fmt.Fprintf(a.env.Stdout, "%s\n  %s\n", a.t("signin.browser"), clean(s.URL))
	}
}
