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

// settledTime is how long a line must have shown the same mail for a click on it to count. A list
// that is read while the menu is open can change under the mouse.
const settledTime = 500 * time.Millisecond

// menu is the drawn menu and what it last showed. One goroutine owns it: systray's items have no
// locks of their own.
type menu struct {
	cfg     Config
	items   [slots]*systray.MenuItem
	shown   Model
	variant string // of the icon
	status  control.Status
	reader  *reader
	settled [RecentMails]time.Time // since when a line shows its mail

	busy map[Slot]bool  // clicks that are being done
	done chan performed // of the goroutines that do them
	wg   sync.WaitGroup // of those
}

// performed is a click that was done.
type performed struct {
	slot Slot
	line Line
	err  error
}

// build makes the menu with its first content. All slots are made at once and in order, because
// the library can only append.
func build(cfg Config, s control.Status) (*menu, error) {
	mn := &menu{cfg: cfg, status: s, reader: newReader(cfg.Agent), variant: panelVariant(), busy: map[Slot]bool{}, done: make(chan performed)}
	m := mn.view()
	mn.shown = m
	for slot, it := range m.Items {
		label := escape(it.Label)
		switch s := Slot(slot); {
		case s == Recent || s == Check || s == Salesforce:
			systray.AddSeparator()
			mn.items[s] = systray.AddMenuItem(label, "")
		case s > Recent && s <= recentLast:
			mn.items[s] = mn.items[Recent].AddSubMenuItem(label, "")
		case s > Pause && s <= PauseOpen:
			mn.items[s] = mn.items[Pause].AddSubMenuItem(label, "")
		default:
			mn.items[s] = systray.AddMenuItem(label, "")
		}
	}
	for slot, it := range m.Items { // once all are there: on Windows a hidden item takes no lines below it
		if !it.Enabled {
			mn.items[slot].Disable()
		}
		if !it.Shown {
			mn.items[slot].Hide()
		}
	}
	systray.SetTitle("Hawser")
	systray.SetTooltip(m.Tooltip)
	return mn, mn.icon()
}

func (mn *menu) icon() error {
	raw, err := assets.Icon(mn.shown.Icon, mn.variant)
	if err != nil {
		return err
	}
	systray.SetIcon(raw)
	return nil
}

// view is what the menu should look like.
func (mn *menu) view() Model {
	m := View(mn.status, mn.reader.inbox, mn.cfg.Text, mn.cfg.Now())
	if mn.cfg.Open == nil {
		m.Items[Salesforce].Shown = false
	}
	return m
}

// draw shows what differs from what is shown: each touch is a message to the panel.
func (mn *menu) draw() error {
	old, m := mn.shown, mn.view()
	mn.shown = m
	for i := range m.Lines {
		if m.Lines[i].Ref != old.Lines[i].Ref {
			mn.settled[i] = time.Now()
		}
	}
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
			item.SetTitle(escape(it.Label))
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
		return mn.icon()
	}
	return nil
}

// host is what a system's tray tells beside clicks.
type host struct {
	watch    func(context.Context) error // until ctx ends; what makes it fail, ends the icon
	variants <-chan string               // another colour of the panel; nil where that is not told
}

// loop follows the agent, the clicks and the panel until ctx ends, or the agent does, or the panel
// fails.
func (mn *menu) loop(ctx context.Context, statuses <-chan control.Status, h host) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer mn.wg.Wait()
	defer cancel() // before the wait
	clicks, opened := make(chan Slot), make(chan Slot)
	for slot, item := range mn.items {
		mn.wg.Go(func() { forward(ctx, item.ClickedCh, Slot(slot), clicks) })
	}
	mn.wg.Go(func() { forward(ctx, systray.TrayOpenedCh, Recent, opened) })
	failed := make(chan error, 1)
	mn.wg.Go(func() { failed <- h.watch(ctx) })
	mn.refresh(ctx, false)
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
			mn.status = s
			mn.refresh(ctx, false)
		case <-opened:
			mn.reader.opens = true
			mn.refresh(ctx, true)
		case got := <-mn.reader.result:
			if mn.reader.take(got) {
				mn.refresh(ctx, true)
			}
		case p := <-mn.done:
			mn.performed(ctx, p)
		case slot := <-clicks:
			mn.click(ctx, slot)
		case v := <-h.variants:
			mn.variant = v
			if err := mn.icon(); err != nil {
				return err
			}
		}
		if err := mn.draw(); err != nil {
			return err
		}
	}
}

// refresh reads the recent mails where they are due, or anyway.
func (mn *menu) refresh(ctx context.Context, anyway bool) {
	due := mn.reader.due(mn.status)
	if due || anyway && inboxShown(mn.status) {
		mn.reader.read(ctx, mn.status, mn.wg.Go)
	}
}

// click does what a click asks for, beside the loop.
func (mn *menu) click(ctx context.Context, slot Slot) {
	var line Line
	if slot >= RecentFirst && slot <= recentLast {
		i := slot - RecentFirst
		line = mn.shown.Lines[i]
		if time.Since(mn.settled[i]) < settledTime {
			return // it may have been meant for the mail that was there
		}
	}
	if mn.busy[slot] {
		return // a second click while the first is being done
	}
	mn.busy[slot] = true
	m := mn.shown
	mn.wg.Go(func() {
		p := performed{slot, line, mn.cfg.perform(ctx, slot, m)}
		select {
		case mn.done <- p:
		case <-ctx.Done():
		}
	})
}

// performed notes the end of a click.
func (mn *menu) performed(ctx context.Context, p performed) {
	delete(mn.busy, p.slot)
	if p.line.Act == LineCapture || p.line.Act == LineUndo {
		mn.reader.clicked(p.line, mn.cfg.Now(), p.err)
		mn.refresh(ctx, true)
	}
	if p.err != nil && ctx.Err() == nil {
		mn.cfg.Log.Warn("tray command refused", slog.Int("slot", int(p.slot)), slog.String("code", string(fault.Of(p.err).Code)))
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

// perform does what a click asks for. What becomes of it shows in the status or in the menu.
func (cfg Config) perform(ctx context.Context, slot Slot, m Model) error {
	now := cfg.Now()
	switch slot {
	case SignIn:
		return cfg.Agent.SignIn(ctx, m.Side, func(control.SignInStep) {})
	case Open:
		return cfg.Agent.Open(ctx, PageHome)
	case Capture:
		return cfg.Agent.Open(ctx, PageCapture)
	case NeedsYou:
		return cfg.Agent.Open(ctx, PageActivity)
	case Help:
		return cfg.Agent.Open(ctx, PageHelp)
	case Check:
		return cfg.Agent.CheckNow(ctx)
	case Pause30Minutes:
		return cfg.Agent.Pause(ctx, now.Add(30*time.Minute))
	case Pause2Hours:
		return cfg.Agent.Pause(ctx, now.Add(2*time.Hour))
	case PauseTomorrow:
		return cfg.Agent.Pause(ctx, control.Tomorrow(now))
	case PauseOpen:
		return cfg.Agent.Pause(ctx, time.Time{})
	case Resume:
		return cfg.Agent.Resume(ctx)
	case Salesforce:
		return cfg.Open(ctx, m.URL)
	case Quit:
		return cfg.Agent.Stop(ctx)
	case ShowState, ShowSuccess, Recent, RecentHint, Pause:
		return nil
	}
	switch line := m.Lines[slot-RecentFirst]; line.Act {
	case LineCapture:
		return cfg.Agent.Capture(ctx, line.Ref)
	case LineUndo:
		return cfg.Agent.Undo(ctx, line.Ref)
	case LineOpen:
		return cfg.Agent.Open(ctx, PageActivity)
	case LineNone:
	}
	return nil
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
