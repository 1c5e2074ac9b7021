package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/app/desktop"
)

func (a *app) settingsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "settings", Short: a.t("cmd.settings"),
		Args: func(_ *cobra.Command, args []string) error { // an unknown subcommand arrives as an argument
			if len(args) > 0 {
				return a.usage("usage.only", map[string]any{"Word": "set"})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			all, err := agent.Settings(cmd.Context())
			if err != nil {
				return err
			}
			return list(a, all, "settings.empty", a.settingRows)
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "set KEY VALUE", Short: a.t("cmd.settings-set"), Example: "  hawser settings set start-at-login on",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return a.usage("usage.set", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if err := agent.Change(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return a.done(fmt.Sprintf("%s = %s", args[0], args[1]), map[string]any{"key": args[0], "value": args[1]})
		},
	})
	return cmd
}

func (a *app) settingRows(all []control.Setting) [][]string {
	rows := [][]string{{a.t("column.setting"), a.t("column.value"), a.t("column.set-by")}}
	for _, s := range all {
		by := a.t("settings.origin-" + s.Origin)
		if s.Locked {
			by += ", " + a.t("settings.locked")
		}
		rows = append(rows, []string{clean(s.Key), clean(s.Value), by})
	}
	return rows
}

// openCmd shows the window.
func (a *app) openCmd() *cobra.Command {
	return &cobra.Command{
		Use: "open [PAGE]", Short: a.t("cmd.open"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return a.usage("usage.too-many", map[string]any{"Name": args[1]})
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			page := ""
			if len(args) == 1 {
				page = args[0]
			}
			if strings.HasPrefix(page, desktop.Scheme+":") { // by a desktop that hands links over no other way
				return a.openLink(cmd.Context(), agent, page)
			}
			return agent.Open(cmd.Context(), page)
		},
	}
}
