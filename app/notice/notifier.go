package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/sync/alarm"
	"hawser/sync/fault"
)

// ErrNoScreen says that nothing on this computer shows notices, or nothing that Hawser can use.
var ErrNoScreen = errors.New("no notifications on this system")

// Agent is what notices are about and what their buttons do. Errors are *fault.Error.
type Agent interface {
	Watch(ctx context.Context, changed func(control.Status) error) error
	SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error
	// Open shows a page of the window.
	Open(ctx context.Context, page string) error
	CheckNow(ctx context.Context) error
}

// Screen shows notices. The agent uses [NewScreen]; its methods are called from one goroutine.
type Screen interface {
	// Show returns the number by which the notice is known from then on.
	Show(ctx context.Context, n Notice) (uint32, error)
	Close(ctx context.Context, id uint32) error
	// Events tells what people do with notices. It closes with the screen.
	Events() <-chan Event
	// End lets go of the screen; notices stay. Nothing else is called after it.
	End()
}

// Event is what a person did with a notice, or what became of all of them.
type Event struct {
	Notice uint32
	Button string // its key; "" is that the person put the notice away
	Gone   bool   // the numbers of all notices mean nothing any more
}

// Keeper keeps what was told between two runs, so that a restart repeats nothing.
type Keeper interface {
	Load(ctx context.Context) ([]byte, error) // nil for nothing
	Save(ctx context.Context, raw []byte) error
}

// Config is what [New] needs. Keep may be nil; the screen is the Notifier's from then on.
type Config struct {
	Agent  Agent
	Screen Screen
	Text   *text.Localizer
	Log    *slog.Logger
	Keep   Keeper
	Now    func() time.Time // default time.Now
}

// Notifier tells the person.
type Notifier struct {
	cfg   Config
	timer func(time.Duration) *alarm.Timer

	mu     sync.Mutex
	off    bool
	locked bool
	poked  chan struct{} // one-slot

	// What follows belongs to Run's goroutine.
	past    History
	status  control.Status
	next    time.Time
	pressed map[uint32]Cause // what the notices on the screen are about
	busy    map[string]bool  // buttons whose work is being done, by cause and key
	done    chan string
	mute    bool // nothing shows notices; said once
}

// New returns a Notifier that may speak on an unlocked screen.
func New(cfg Config) *Notifier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Notifier{
		cfg: cfg, timer: alarm.New, poked: make(chan struct{}, 1), past: History{}, pressed: map[uint32]Cause{},
		busy: map[string]bool{}, done: make(chan string),
	}
}

// Allow is the off switch: without it nothing at all is shown, and what is shown goes away.
func (n *Notifier) Allow(on bool) { n.change(func() { n.off = !on }) }

// Lock says whether the session is locked. Nothing is shown on a locked screen; it waits.
func (n *Notifier) Lock(on bool) { n.change(func() { n.locked = on }) }

func (n *Notifier) change(set func()) {
	n.mu.Lock()
	set()
	n.mu.Unlock()
	select {
	case n.poked <- struct{}{}:
	default: // one is waiting already
	}
}

// Run tells what there is to tell until ctx or the agent ends, and then takes the notices away,
// whose buttons would do nothing, and ends the screen. It is called once.
func (n *Notifier) Run(outer context.Context) error {
	defer n.cfg.Screen.End()
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	n.load(ctx)
	statuses, watched := make(chan control.Status), make(chan error, 1)
	go func() {
		err := n.cfg.Agent.Watch(ctx, func(s control.Status) error {
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
	var buttons sync.WaitGroup
	n.loop(ctx, statuses, &buttons)
	cancel()
	buttons.Wait()
	err := <-watched
	n.clear(context.WithoutCancel(outer))
	if outer.Err() == nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("watch agent: %w", err)
	}
	return nil
}

func (n *Notifier) loop(ctx context.Context, statuses <-chan control.Status, buttons *sync.WaitGroup) {
	events := n.cfg.Screen.Events()
	var due *alarm.Timer
	for {
		var tick <-chan time.Time
		if !n.next.IsZero() {
			due = n.timer(max(n.next.Sub(n.cfg.Now()), time.Second))
			tick = due.C
		}
		more := true
		select {
		case <-ctx.Done():
			more = false
		case s, open := <-statuses:
			more = open
			if open {
				n.status = s
				n.look(ctx)
			}
		case <-n.poked:
			n.look(ctx)
		case <-tick:
			n.look(ctx)
		case e, open := <-events:
			if !open {
				events = nil
			}
			n.happened(ctx, e, buttons)
		case key := <-n.done:
			delete(n.busy, key)
		}
		if due != nil {
			due.Stop()
			due = nil
		}
		if !more {
			return
		}
	}
}

// look shows and closes what is due.
func (n *Notifier) look(ctx context.Context) {
	n.mu.Lock()
	off, locked := n.off, n.locked
	n.mu.Unlock()
	n.next = time.Time{}
	if off {
		n.clear(ctx)
		return
	}
	t := Causes(n.status)
	if locked || t.Hold {
		return
	}
	now := n.cfg.Now()
	before := len(n.past)
	n.past.lasts(now, t.Causes)
	show, end, next := Plan(now, t.Causes, n.past)
	n.next = next
	for _, c := range end {
		n.end(ctx, c, t.Reset)
		n.past.over(now, c.ID)
	}
	for _, s := range show {
		n.past.shown(now, s.Cause, n.show(ctx, s))
	}
	if len(show) > 0 { // of them, the next time depends on what was shown
		_, _, n.next = Plan(now, t.Causes, n.past)
	}
	if len(show)+len(end) > 0 || len(n.past) != before {
		n.save(ctx)
	}
}

// show shows one notice and returns its number. Where nothing shows notices the cause counts as
// told: the icon and the status tell it, and the log does once.
func (n *Notifier) show(ctx context.Context, s Show) uint32 {
	w := words(n.cfg.Text, s.Cause)
	w.Replaces = s.Replaces
	delete(n.pressed, s.Replaces)
	id, err := n.cfg.Screen.Show(ctx, w)
	if err != nil {
		if ctx.Err() == nil && !n.mute {
			n.mute = true
			n.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "notice not shown", slog.String("cause", s.Cause.ID), slog.Any("err", err))
		}
		return 0
	}
	n.mute = false
	n.pressed[id] = s.Cause
	return id
}

// end replaces the notice of a cause that is over, or only takes it away.
func (n *Notifier) end(ctx context.Context, c Close, silent bool) {
	if c.Notice == 0 {
		return
	}
	delete(n.pressed, c.Notice)
	if silent {
		_ = n.cfg.Screen.Close(ctx, c.Notice) // it may be gone
		return
	}
	w := good(n.cfg.Text, c.ID)
	w.Replaces = c.Notice
	if _, err := n.cfg.Screen.Show(ctx, w); err != nil && ctx.Err() == nil {
		n.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "notice not closed", slog.String("cause", c.ID), slog.Any("err", err))
	}
}

// clear takes all notices off the screen.
func (n *Notifier) clear(ctx context.Context) {
	for id := range n.pressed {
		_ = n.cfg.Screen.Close(ctx, id) // it may be gone
	}
	clear(n.pressed)
	n.past.off()
}

// happened notes what a person did with a notice.
func (n *Notifier) happened(ctx context.Context, e Event, buttons *sync.WaitGroup) {
	if e.Gone {
		clear(n.pressed)
		n.past.off()
		return
	}
	c, ours := n.pressed[e.Notice]
	if !ours {
		return
	}
	if e.Button == "" {
		delete(n.pressed, e.Notice)
		if p := n.past[c.ID]; p.open == e.Notice {
			p.open = 0
			n.past[c.ID] = p
		}
		return
	}
	key := c.ID + " " + e.Button
	if n.busy[key] {
		return // a second click while the first is being done
	}
	n.busy[key] = true
	buttons.Go(func() {
		if err := n.press(ctx, c, e.Button); err != nil && ctx.Err() == nil {
			n.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "notice button refused",
				slog.String("button", e.Button), slog.String("code", string(fault.Of(err).Code)))
		}
		select {
		case n.done <- key:
		case <-ctx.Done():
		}
	})
}

// press does what a button says.
func (n *Notifier) press(ctx context.Context, c Cause, button string) error {
	switch button {
	case DoSign:
		return n.cfg.Agent.SignIn(ctx, c.Side, func(control.SignInStep) {})
	case DoRetry:
		return n.cfg.Agent.CheckNow(ctx)
	case DoOpen, Default:
		page := "home"
		if c.Kind == NeedsYou {
			page = "activity" // which begins with them
		}
		return n.cfg.Agent.Open(ctx, page)
	}
	return nil
}

// load reads what was told before. What cannot be read was never told.
func (n *Notifier) load(ctx context.Context) {
	if n.cfg.Keep == nil {
		return
	}
	raw, err := n.cfg.Keep.Load(ctx)
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &n.past)
	}
	if err != nil || n.past == nil {
		n.past = History{}
	}
}

func (n *Notifier) save(ctx context.Context) {
	if n.cfg.Keep == nil {
		return
	}
	raw, err := json.Marshal(n.past)
	if err == nil {
		err = n.cfg.Keep.Save(ctx, raw)
	}
	if err != nil && ctx.Err() == nil {
		n.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "notices not noted", slog.Any("err", err))
	}
}
