package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"hawser/app/control"
	"hawser/sync/sourcetest"
)

const (
	newMailEvery = 20 * time.Second // how often somebody writes during a demo
	scriptLimit  = time.Minute      // for everything that is marked
	scriptNew    = 3                // mails that arrive during a script
)

// live tells where to look and lets mail arrive until ctx ends.
func (w *world) live(ctx context.Context) error {
	w.tellWhere()
	fmt.Printf("\n  A new mail arrives every %v, and its reader marks every second one. Ctrl-C ends it all.\n\n", newMailEvery)
	c, err := w.client(ctx)
	if err != nil {
		return err
	}
	follow, stop := context.WithCancel(ctx)
	told := make(chan error, 1)
	go func() { told <- c.Watch(follow, tell()) }()
	defer func() { stop(); <-told }()
	ticker := time.NewTicker(newMailEvery)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			fmt.Println("\n  Cleaning up.")
			return nil
		case <-w.exited:
			return errors.New("the agent ended" + w.lastWords())
		case err := <-told:
			told <- err
			if ctx.Err() == nil {
				return fmt.Errorf("follow the agent: %w", err)
			}
		case <-ticker.C:
			if err := w.arrive(n, n%2 == 0); err != nil {
				return err
			}
		}
	}
}

// tellWhere prints where to look.
func (w *world) tellWhere() {
	fmt.Printf("\n  The pretend Salesforce:  %s\n", w.page)
	fmt.Printf("  The company's hawserd:   %s\n", w.server.URL)
	fmt.Printf("  The mailbox:             %d mails, %d of them marked for Salesforce\n", w.total, w.marked)
	fmt.Printf("  The agent:               env HOME=%s XDG_RUNTIME_DIR=%s/run %s status\n", w.home, w.home, w.agent)
}

// tell prints a line whenever the numbers change.
func tell() func(control.Status) error {
	var last control.Counts
	return func(s control.Status) error {
		if s.Counts != last {
			last = s.Counts
			fmt.Printf("  %s  %-10s  seen %d = captured %d + filtered %d + held %d + waiting %d   API calls %d\n", time.Now().Format(time.TimeOnly),
				s.State, last.Seen, last.Captured, last.Filtered, last.Held, last.Waiting, s.Calls.Used)
		}
		return nil
	}
}

// arrive lets a new mail come in, and marks it when its reader would.
func (w *world) arrive(n int, mark bool) error {
	uid := w.mail.Deliver(sourcetest.NewMail(n, time.Now()))
	if !mark {
		return nil
	}
	return w.mail.Flag(sourcetest.DemoUser, "INBOX", uid, sourcetest.CaptureKeyword)
}

// script waits for the marked mails, then for some new ones, and sums up.
func (w *world) script(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scriptLimit+30*time.Second)
	defer cancel()
	c, err := w.client(ctx)
	if err != nil {
		return err
	}
	first, err := w.until(ctx, c, w.marked)
	if err != nil {
		return err
	}
	firstTook := time.Since(w.started)
	var worst time.Duration
	for n := range scriptNew {
		marked := time.Now()
		if err := w.arrive(n, true); err != nil {
			return err
		}
		if _, err := w.until(ctx, c, w.marked+n+1); err != nil {
			return err
		}
		worst = max(worst, time.Since(marked))
	}
	last, err := c.Fetch(ctx)
	if err != nil {
		return err
	}
	w.table(first, last, firstTook, worst)
	return w.verdict(last)
}

// until follows the agent until it has captured n mails.
func (w *world) until(ctx context.Context, c *control.Client, n int) (control.Status, error) {
	var got control.Status
	err := c.Watch(ctx, func(s control.Status) error {
		got = s
		if s.Counts.Captured >= n && s.Counts.Waiting == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return got, nil
	}
	return got, fmt.Errorf("captured %d of %d mails, state %s (%s): %w%s", got.Counts.Captured, n, got.State, got.Why, err, w.lastWords())
}

var errEnough = errors.New("enough")

func (w *world) table(first, last control.Status, took, worst time.Duration) {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	row("mails in the mailbox", w.total+scriptNew)
	row("marked", w.marked+scriptNew)
	row("seen", last.Counts.Seen)
	row("captured", last.Counts.Captured)
	row("filtered", last.Counts.Filtered)
	row("held", last.Counts.Held)
	row("waiting", last.Counts.Waiting)
	row("records in the org", len(w.org.Records("EmailMessage")))
	row("files in the org", len(w.org.Records("ContentVersion")))
	row("API calls for the marked mails", first.Calls.Used)
	row("API calls in all", w.org.Calls())
	row("seconds from start to all marked mails captured", fmt.Sprintf("%.1f", took.Seconds()))
	row("slowest new mail, seconds from mark to record", fmt.Sprintf("%.2f", worst.Seconds()))
	_ = t.Flush()
}

// verdict compares what the agent says with what the org holds.
func (w *world) verdict(s control.Status) error {
	want := w.marked + scriptNew
	c := s.Counts
	switch {
	case c.Seen != c.Captured+c.Filtered+c.Held+c.Waiting:
		return fmt.Errorf("the numbers do not add up: %+v", c)
	case c.Captured != want:
		return fmt.Errorf("captured %d mails of %d", c.Captured, want)
	case len(w.org.Records("EmailMessage")) != want:
		return fmt.Errorf("the org holds %d records of %d mails", len(w.org.Records("EmailMessage")), want)
	}
	return nil
}
