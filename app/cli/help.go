package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// help prints a command's page. The library's own template is English only.
func (a *app) help(cmd *cobra.Command, _ []string) {
	w := a.env.Stdout
	fmt.Fprintf(w, "%s\n\n%s\n", cmd.Short, a.t("help.usage"))
	switch {
	case cmd.HasAvailableSubCommands() && cmd.HasParent():
		fmt.Fprintf(w, "  %s\n  %s %s\n", cmd.UseLine(), cmd.CommandPath(), a.t("help.command"))
	case cmd.HasAvailableSubCommands():
		fmt.Fprintf(w, "  %s %s\n", cmd.CommandPath(), a.t("help.command"))
	default:
		fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", a.t("help.examples"), cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s\n", a.t("help.commands"))
		var rows [][]string
		for _, c := range cmd.Commands() {
			rows = append(rows, []string{"  " + c.Name(), c.Short})
		}
		printTable(w, rows)
	}
	fmt.Fprintf(w, "\n%s\n", a.t("help.flags"))
	var rows [][]string
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.AddFlagSet(cmd.LocalFlags())
	all.AddFlagSet(cmd.InheritedFlags())
	all.VisitAll(func(f *pflag.Flag) {
		name, usage := pflag.UnquoteUsage(f)
		left := "  --" + f.Name
		if f.Shorthand != "" {
			left = "  -" + f.Shorthand + ", --" + f.Name
		}
		if name != "" {
			left += " " + strings.ToUpper(name)
		}
		rows = append(rows, []string{left, usage})
	})
	printTable(w, rows)
	if !cmd.HasParent() {
		a.listPages()
		fmt.Fprintf(w, "\n%s\n", a.t("help.more"))
	}
}

// helpCmd is "hawser help [COMMAND | PAGE | exit-codes]". A page that has the name of a command
// follows the command's own.
func (a *app) helpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | PAGE | exit-codes]",
		Short: a.t("cmd.help"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := strings.Join(args, " ")
			if name == "exit-codes" {
				return a.exitCodes()
			}
			page, isPage := readPage(name)
			cmd, rest, err := root.Find(args)
			isCommand := err == nil && len(rest) == 0
			switch {
			case isPage && (!isCommand || a.json):
				return a.printPage(page)
			case !isCommand:
				return a.usage("usage.unknown-help", map[string]any{"Name": name})
			}
			if err := cmd.Help(); err != nil || !isPage {
				return err
			}
			fmt.Fprintln(a.env.Stdout)
			return a.printPage(page)
		},
	}
}

func (a *app) exitCodes() error {
	type row struct {
		Exit    int    `json:"exit"`
		Meaning string `json:"meaning"`
	}
	var list []row
	var rows [][]string
	for _, e := range exitTable {
		list = append(list, row{e.code, a.t(e.id)})
		rows = append(rows, []string{fmt.Sprintf("%3d", e.code), a.t(e.id)})
	}
	if a.json {
		return writeJSON(a.env.Stdout, list)
	}
	printTable(a.env.Stdout, rows)
	return nil
}
