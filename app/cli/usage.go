package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hawser/sync/fault"
)

// usage is the fault of a command line that was not understood; id names the text that says what.
func (a *app) usage(id string, data map[string]any) error {
	f := fault.New(fault.Usage, "parse command line", nil)
	f.Detail = a.loc.T(id, data)
	return f
}

// flagError puts the flag library's errors, which are English, into the catalogue's words.
func (a *app) flagError(_ *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		dashes := "--"
		if unknown.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return a.usage("usage.unknown-flag", map[string]any{"Name": dashes + unknown.GetSpecifiedName()})
	case errors.As(err, &empty):
		return a.usage("usage.flag-needs-value", map[string]any{"Name": "--" + empty.GetFlag().Name})
	case errors.As(err, &wrong):
		return a.usage("usage.flag-value", map[string]any{"Name": "--" + wrong.GetFlag().Name, "Value": wrong.GetValue()})
	}
	return a.usage("usage.flag-syntax", nil)
}

func (a *app) noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return a.usage("usage.too-many", map[string]any{"Name": args[0]})
	}
	return nil
}

// oneOf demands exactly one argument out of the given words.
func (a *app) oneOf(words ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return a.usage("usage.too-many", map[string]any{"Name": args[1]})
		}
		for _, w := range words {
			if len(args) == 1 && args[0] == w {
				return nil
			}
		}
		return a.usage("usage.one-of", map[string]any{"Words": a.or(words)})
	}
}

// or joins words as a sentence does: "a, b or c".
func (a *app) or(words []string) string {
	s := words[0]
	for i, w := range words[1:] {
		if i == len(words)-2 {
			s += " " + a.t("cli.or") + " " + w
		} else {
			s += ", " + w
		}
	}
	return s
}
