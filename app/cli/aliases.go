package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
)

func (a *app) aliasesCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "aliases",
		Short: a.t("cmd.aliases"),
		// An unknown subcommand arrives as an argument.
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.usage("usage.one-of", map[string]any{"Words": a.or([]string{"on", "off"})})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			known, err := agent.Aliases(cmd.Context())
			if err != nil {
				return err
			}
			return list(a, known, "alias.empty", a.aliasRows)
		},
	}
	cmd.AddCommand(a.aliasCmd("on", true), a.aliasCmd("off", false))
	return cmd
}

// aliasRows has one line per address, and says how many are left out where not all may count.
func (a *app) aliasRows(known []control.Alias) [][]string {
	rows := [][]string{{a.t("column.address"), a.t("column.counts"), a.t("column.known-from")}}
	off := 0
	for _, al := range known {
		counts := a.t("alias.on")
		if !al.On {
			counts, off = a.t("alias.off"), off+1
		}
		rows = append(rows, []string{clean(al.Address), counts, a.t("alias.from-" + al.Source)})
	}
	if off > 0 {
		rows = append(rows, []string{a.loc.T("alias.left-out", map[string]any{"Count": off, "Max": control.MaxAliases})})
	}
	return rows
}

func (a *app) aliasCmd(name string, on bool) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ADDRESS",
		Short: a.t("cmd.aliases-" + name),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return a.usage("usage.needs-address", nil)
			case len(args) > 1:
				return a.usage("usage.too-many", map[string]any{"Name": args[1]})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			known, err := agent.Aliases(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.mayCount(known, args[0], on); err != nil {
				return err
			}
			if err := agent.SetAlias(cmd.Context(), args[0], on); err != nil {
				return err
			}
			id := "alias.now-off"
			if on {
				id = "alias.now-on"
			}
			return a.done(a.loc.T(id, map[string]any{"Address": clean(args[0])}), map[string]any{"address": args[0], "on": on})
		},
	}
}

// mayCount says in words why an address cannot be switched, where the agent would just refuse it.
func (a *app) mayCount(known []control.Alias, address string, on bool) error {
	used, isOn := 0, false
	for _, al := range known {
		if al.On {
			used++
		}
		if strings.EqualFold(al.Address, address) {
			isOn = al.On
			if al.Primary && !on {
				return a.usage("usage.alias-primary", nil)
			}
		}
	}
	if on && !isOn && used >= control.MaxAliases {
		return a.usage("usage.alias-limit", map[string]any{"Max": fmt.Sprint(control.MaxAliases)})
	}
	return nil
}
