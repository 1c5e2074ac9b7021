//go:build linux || windows

package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fyne.io/systray"

	"hawser/app/control"
	"hawser/assets"
	"hawser/sync/fault"
)

// menu is the drawn menu and what it last showed. One goroutine owns it: systray's items have no
// locks of their own.
type menu struct {
	cfg   Config
	items [slots]*systray.MenuItem
	shown Model
}

// build makes the menu with its first content. All slots are made at once and in order, because
// the library can only append.
func build(cfg Config, m Model) (*menu, error) {
	mn := &menu{cfg: cfg, shown: m}
	for slot, it := range m.Items {
		switch s := Slot(slot); s {
		case SignIn, Quit:
			systray.AddSeparator()
			mn.items[s] = systray.AddMenuItem(it.Label, "")
		case Pause30Minutes, Pause2Hours, PauseTomorrow, PauseOpen:
			mn.items[s] = mn.items[Pause].AddSubMenuItem(it.Label, "")
		default:
			mn.items[s] = systray.AddMenuItem(it.Label, "")
		}
		if !it.Enabled {
			mn.items[slot].Disable()
		}
		if !it.Shown {
			mn.items[slot].Hide()
		}
	}
	systray.SetTitle("Hawser")
	systray.SetTooltip(m.Tooltip)
	return mn, mn.icon(m.Icon)
}

func (mn *menu) icon(name string) error {
	raw, err := assets.Icon(name)
	if err != nil {
		return err
	}
	systray.SetIcon(raw)
	return nil
}

// view is what s looks like through this configuration.
func view(cfg Config, s control.Status) Model {
	m := View(s, cfg.Text, cfg.Now())
	if cfg.Open == nil {
		m.Items[Open].Shown = false
	}
	return m
}

// draw shows m, touching only what differs: each touch is a message to the panel.
func (mn *menu) draw(m Model) error {
	old := mn.shown
	mn.shown = m
	for slot, it := range m.Items {
		was, item := old.Items[slot], mn.items[slot]
		if !it.Shown {
			if was.Shown {
				item.Hide()
			}
			mn.shown.Items[slot].Label = was.Label // on Windows, changing a hidden item would show it
			mn.shown.Items[slot].Enabled = was.Enabled
			continue
		}
		if it.Label != was.Label {
			item.SetTitle(it.Label)
		}
		if it.Enabled != was.Enabled {
			if it.Enabled {
				item.Enable()
			} else {
				item.Disable()
			}
		}
		if !was.Shown {
			item.Show()
		}
	}
	if m.Tooltip != old.Tooltip {
		systray.SetTooltip(m.Tooltip)
	}
	if m.Icon != old.Icon {
		return mn.icon(m.Icon)
	}
	return nil
}

// loop follows the agent and the clicks until ctx ends, or the agent does, or extra fails. Extra
// is what else this system's tray has to react to.
func (mn *menu) loop(ctx context.Context, statuses <-chan control.Status, extra func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel() // before the wait
	clicks := make(chan Slot)
	for slot, item := range mn.items {
		wg.Go(func() { forward(ctx, item.ClickedCh, Slot(slot), clicks) })
	}
	failed := make(chan error, 1)
	wg.Go(func() { failed <- extra(ctx) })

	busy, idle := map[Slot]bool{}, make(chan Slot)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case s, open := <-statuses:
			if !open {
				return nil
			}
			if err := mn.draw(view(mn.cfg, s)); err != nil {
				return err
			}
		case slot := <-idle:
			delete(busy, slot)
		case slot := <-clicks:
			if busy[slot] {
				continue // a second click while the first is being done
			}
			busy[slot] = true
			m := mn.shown
			wg.Go(func() {
				mn.cfg.perform(ctx, slot, m)
				select {
				case idle <- slot:
				case <-ctx.Done():
				}
			})
		}
	}
}

// forward passes the clicks of one item on. It always listens: the library drops a click that
// nobody waits for.
func forward(ctx context.Context, from <-chan struct{}, slot Slot, to chan<- Slot) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-from:
			if !open {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case to <- slot:
		}
	}
}

// perform does what a click asks for. What becomes of it shows in the status; a refusal is logged.
func (cfg Config) perform(ctx context.Context, slot Slot, m Model) {
	now := cfg.Now()
	var err error
	switch slot {
	case SignIn:
		err = cfg.Agent.SignIn(ctx, m.Side, func(control.SignInStep) {})
	case Check:
		err = cfg.Agent.CheckNow(ctx)
	case Pause30Minutes:
		err = cfg.Agent.Pause(ctx, now.Add(30*time.Minute))
	case Pause2Hours:
		err = cfg.Agent.Pause(ctx, now.Add(2*time.Hour))
	case PauseTomorrow:
		err = cfg.Agent.Pause(ctx, control.Tomorrow(now))
	case PauseOpen:
		err = cfg.Agent.Pause(ctx, time.Time{})
	case Resume:
		err = cfg.Agent.Resume(ctx)
	case Open:
		err = cfg.Open(ctx, m.URL)
	case Quit:
		err = cfg.Agent.Stop(ctx)
	case ShowState, ShowSuccess, Pause:
	}
	if err != nil && ctx.Err() == nil {
		cfg.Log.Warn("tray command refused", slog.Int("slot", int(slot)), slog.String("code", string(fault.Of(err).Code)))
	}
}

// follow calls do with the first status and a channel of those that come after it, and ends what
// it started before it returns. The channel closes when the agent ends, which is an error unless
// ctx ended first.
func follow(outer context.Context, cfg Config, do func(context.Context, control.Status, <-chan control.Status) error) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	statuses := make(chan control.Status)
	watched := make(chan error, 1)
	go func() {
		err := cfg.Agent.Watch(ctx, func(s control.Status) error {
			select {
			case statuses <- s:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		close(statuses)
		watched <- err
	}()
	var err error
	if first, ok := <-statuses; ok {
		err = do(ctx, first, statuses)
	}
	cancel()
	if watchErr := <-watched; err == nil && outer.Err() == nil && !errors.Is(watchErr, context.Canceled) {
		return fmt.Errorf("watch agent: %w", watchErr)
	}
	return err
}
