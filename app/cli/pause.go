package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"hawser/app/control"
	"hawser/sync/fault"
)

// stopTime is how long an agent that agreed to stop may take to finish what it is doing.
const stopTime = 15 * time.Second

// stopStep is how often it is looked whether it has ended.
const stopStep = 20 * time.Millisecond

// did is the JSON of a command that has nothing else to show.
type did struct {
	Done  string    `json:"done"`
	Until time.Time `json:"until,omitzero"`
}

func (a *app) pauseCmd() *cobra.Command {
	var until string
	cmd := &cobra.Command{
		Use:     "pause [DURATION | --until TIME]",
		Short:   a.t("cmd.pause"),
		Example: "  hawser pause 30m\n  hawser pause --until tomorrow\n  hawser pause --until 14:30",
		RunE: func(cmd *cobra.Command, args []string) error {
			end, err := a.pauseEnd(args, until)
			if err != nil {
				return err
			}
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if err := agent.Pause(cmd.Context(), end); err != nil {
				return err
			}
			if end.IsZero() {
				return a.done(a.t("pause.done"), did{Done: "pause"})
			}
			return a.done(a.loc.T("pause.done-until", map[string]any{"Until": a.loc.Moment(end, a.now())}), did{"pause", end})
		},
	}
	cmd.Flags().StringVar(&until, "until", "", a.t("flag.until"))
	return cmd
}

// pauseEnd returns when the pause ends; the zero time is "until I resume".
func (a *app) pauseEnd(args []string, until string) (time.Time, error) {
	switch {
	case len(args) > 1:
		return time.Time{}, a.usage("usage.too-many", map[string]any{"Name": args[1]})
	case len(args) == 1 && until != "":
		return time.Time{}, a.usage("usage.pause-both", nil)
	case len(args) == 1:
		d, err := time.ParseDuration(args[0])
		if err != nil || d <= 0 {
			return time.Time{}, a.usage("usage.duration", map[string]any{"Value": args[0]})
		}
		return a.now().Add(d), nil
	case until == "":
		return time.Time{}, nil
	}
	end, ok := parseUntil(until, a.now())
	if !ok || !end.After(a.now()) {
		return time.Time{}, a.usage("usage.until", map[string]any{"Value": until})
	}
	return end, nil
}

// parseUntil understands "tomorrow", a time of day (the next one), a date, a date with a time, and
// RFC 3339.
func parseUntil(s string, now time.Time) (time.Time, bool) {
	if s == "tomorrow" {
		return control.Tomorrow(now), true
	}
	if t, err := time.Parse("15:04", s); err == nil {
		at := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, true
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, true
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

func (a *app) resumeCmd() *cobra.Command {
	return a.simple("resume", func(ctx context.Context, c *control.Client) error { return c.Resume(ctx) })
}

func (a *app) checkCmd() *cobra.Command {
	return a.simple("check", func(ctx context.Context, c *control.Client) error { return c.CheckNow(ctx) })
}

// stopCmd returns once the agent no longer answers, so that a script can start it again.
func (a *app) stopCmd() *cobra.Command {
	return a.simple("stop", func(ctx context.Context, c *control.Client) error {
		if err := c.Stop(ctx); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, stopTime)
		defer cancel()
		_ = c.Watch(wait, func(control.Status) error { return nil }) // ends a moment before the socket does
		for {
			switch _, err := a.agent(wait); {
			case fault.Is(err, fault.NotRunning):
				return nil
			case ctx.Err() != nil:
				return ctx.Err()
			case wait.Err() != nil:
				return fault.New(fault.Stalled, "stop", err)
			}
			time.Sleep(stopStep)
		}
	})
}

// simple is a command of one word with one line of answer.
func (a *app) simple(name string, do func(context.Context, *control.Client) error) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: a.t("cmd." + name),
		Args:  a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			agent, err := a.agent(cmd.Context())
			if err != nil {
				return err
			}
			if err := do(cmd.Context(), agent); err != nil {
				return err
			}
			return a.done(a.t(name+".done"), did{Done: name})
		},
	}
}
