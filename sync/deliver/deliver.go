package deliver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/shape"
)

// Config is what a Deliverer is made of. Queue, Target, Read, File, Own, Check and Log are
// required.
type Config struct {
	Queue  Queue
	Target Target
	// Read parses a raw mail of size bytes. An error means that no reading was possible; what
	// was only partly understood is a Mail with Warnings. It may panic.
	Read func(ctx context.Context, r io.Reader, size int64) (capture.Mail, error)
	// File reads the decoded bytes of the attachment with the given index from a raw mail.
	File func(ctx context.Context, r io.Reader, size int64, index int) (io.ReadCloser, error)
	// Own returns the user's addresses: a mail from one of them is outgoing.
	Own func() []string
	// Check confirms before each batch that the signed-in account is the bound one; its error
	// stops delivery like an error of Target.
	Check func(ctx context.Context) error
	// Content returns how mails are cut, the company's limits applied; default [shape.Default].
	Content func() capture.Content
	// LeftOut words the line of a record that names files which are not saved, and how many more
	// there are; default: no line.
	LeftOut func(named []shape.Left, more int) string
	// Order returns which type of record wins where an address has several; default [match.Usual].
	Order func() match.Order
	// Pick returns the answer that is remembered for a kind of question and what it is about: a
	// record id, "" for none of them, or Yes and No. Default: none is.
	Pick func(kind capture.QuestionKind, subject string) (id string, ok bool)
	// Changed is told of every change of state, from the delivery goroutine; it must not block.
	Changed func(Event)
	Log     *slog.Logger

	Now    func() time.Time // default time.Now
	Rand   func() float64   // in [0, 1); default math/rand
	Budget *Budget          // default UsualAllowance, nothing used
}

// Event is the state of delivery after a change.
type Event struct {
	Working     bool
	LastSuccess time.Time  // when a Salesforce call last succeeded; zero for never
	Fault       fault.Code // why nothing, or only mail that just arrived, is sent; "" when all is well
	Detail      string     // for the person, never logged
	Until       time.Time  // when the next try is made; zero with a Fault: not before a person acts
	Missing     []string   // permissions the user lacks, in Salesforce's words
	Total       Report     // since the Deliverer was made
	Usage       Usage
}

// Report counts what happened.
type Report struct {
	Sent      int
	NeedsYou  int
	Held      int // mails that nobody in Salesforce belongs to
	Postponed int // steps put off for a fault of their own
	Doubtful  int // steps without an answer, to be verified
	Files     int
	LeftOut   int // attachments not saved with sent mails
	Unrelated int // records whose sender relation was refused
	Calls     int // Salesforce calls
}

// Deliverer carries one account's queue into Salesforce. Run and Drain must not be called
// concurrently; Resume, Lookup, Search and Unsave may be called at any time.
type Deliverer struct {
	cfg    Config
	resume chan struct{}

	// What Lookup, Search and Unsave share with delivery.
	people people
	calls  atomic.Int64         // Salesforce calls
	stop   atomic.Pointer[hold] // a copy of held
	asking chan struct{}        // holds one token: whoever looks up beside delivery
	probe  sync.Mutex           // guards probed
	probed time.Time            // when Capabilities was last paid for

	held     *hold
	failures int       // whole calls failed in a row
	narrow   int       // how often the batch size was halved, to find the mail that breaks a call
	answers  int       // calls that succeeded
	effects  int       // those of them with an effect
	spent    time.Time // when backlog may go on, after the budget stopped it; zero otherwise

	uniqueKey bool // Salesforce refuses a second record of one mail as the same kind
	kind      Kind // what mails are saved as

	noEmail time.Time // when EmailMessage was last refused to this user
	notes   map[int64]*note
	state   Event
	told    Event
}

// New returns a Deliverer.
func New(cfg Config) (*Deliverer, error) {
	if cfg.Queue == nil || cfg.Target == nil || cfg.Read == nil || cfg.File == nil ||
		cfg.Own == nil || cfg.Check == nil || cfg.Log == nil {
		return nil, errors.New("deliver: Queue, Target, Read, File, Own, Check and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if cfg.Budget == nil {
		cfg.Budget = NewBudget(UsualAllowance, Usage{})
	}
	if cfg.Changed == nil {
		cfg.Changed = func(Event) {}
	}
	cfg.chosen()
	return &Deliverer{cfg: cfg, resume: make(chan struct{}, 1), asking: make(chan struct{}, 1), notes: make(map[int64]*note)}, nil
}

// chosen fills in what a person who chose nothing gets.
func (cfg *Config) chosen() {
	if cfg.Content == nil {
		cfg.Content = func() capture.Content { return shape.Default }
	}
	if cfg.LeftOut == nil {
		cfg.LeftOut = func([]shape.Left, int) string { return "" }
	}
	if cfg.Order == nil {
		cfg.Order = func() match.Order { return match.Usual }
	}
	if cfg.Pick == nil {
		cfg.Pick = func(capture.QuestionKind, string) (string, bool) { return "", false }
	}
}

// Resume ends any pause at once: the person asked for it, signed in, or the network came back.
func (d *Deliverer) Resume() {
	select {
	case d.resume <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends and returns ctx's error. A value on wake means that there may be
// something new: a mail, a sign-in. It ends a stop that waits for a person, but no pause that
// ends by itself, and not sooner than the backoff allows.
func (d *Deliverer) Run(ctx context.Context, wake <-chan struct{}) error {
	for {
		wait, err := d.pass(ctx)
		if err != nil {
			return err
		}
		if err := d.sleep(ctx, wake, wait); err != nil {
			return err
		}
	}
}

// sleep waits for a while, negative: for ever, or until something happens.
func (d *Deliverer) sleep(ctx context.Context, wake <-chan struct{}, wait time.Duration) error {
	var timer <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(min(wait, sleepMost))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
		d.hold(d.held.woken())
	case <-d.resume:
		d.hold(nil)
		d.failures = 0
	case <-timer:
	}
	return nil
}

// pass drains what may be drained and returns how long to sleep; negative: until woken. Its
// error is ctx's.
func (d *Deliverer) pass(ctx context.Context) (time.Duration, error) {
	if d.held.over(d.cfg.Now()) {
		d.hold(nil)
		_, err := d.Drain(ctx)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err != nil {
			f := fault.Of(err)
			d.pause(f)
			d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "delivery paused", slog.String("code", string(f.Code)),
				slog.Int("failures", d.failures), slog.Time("until", d.held.until), slog.Any("err", err))
		} else {
			d.failures = 0
		}
		d.report()
	}
	now := d.cfg.Now()
	if d.held != nil {
		if d.held.until.IsZero() {
			return -1, nil
		}
		return d.held.until.Sub(now), nil
	}
	next, err := d.cfg.Queue.NextDue(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		d.pause(fault.Of(err))
		d.report()
		return d.held.until.Sub(now), nil
	}
	switch {
	case next.IsZero():
		return -1, nil
	case next.After(now):
		return next.Sub(now), nil
	case !d.spent.IsZero():
		return max(d.spent.Sub(now), waitFirst), nil
	default:
		return waitFirst / 4, nil
	}
}

// Drain delivers everything that is due now, and says what happened. Its error is the fault that
// ended it; what is still due stays queued.
func (d *Deliverer) Drain(ctx context.Context) (Report, error) {
	before := d.total()
	for {
		more, err := d.round(ctx)
		if err != nil || !more {
			d.working(false)
			return d.total().minus(before), err
		}
	}
}

// total is what happened so far, with the calls of look-ups beside delivery.
func (d *Deliverer) total() Report {
	d.state.Total.Calls = int(d.calls.Load())
	return d.state.Total
}

func (r Report) minus(o Report) Report {
	return Report{
		Sent: r.Sent - o.Sent, NeedsYou: r.NeedsYou - o.NeedsYou, Held: r.Held - o.Held, Postponed: r.Postponed - o.Postponed,
		Doubtful: r.Doubtful - o.Doubtful, Files: r.Files - o.Files, LeftOut: r.LeftOut - o.LeftOut,
		Unrelated: r.Unrelated - o.Unrelated, Calls: r.Calls - o.Calls,
	}
}

func (d *Deliverer) working(on bool) {
	if d.state.Working != on {
		d.state.Working = on
		d.report()
	}
}

// report tells of the state when it changed.
func (d *Deliverer) report() {
	now := d.cfg.Now()
	d.state.Usage, d.state.Total = d.cfg.Budget.Usage(now), d.total()
	d.state.Fault, d.state.Detail, d.state.Until = "", "", time.Time{}
	switch {
	case d.held != nil:
		d.state.Fault, d.state.Detail, d.state.Until = d.held.code, d.held.detail, d.held.until
	case !d.spent.IsZero():
		d.state.Fault, d.state.Until = fault.BudgetSpent, d.spent
	}
	if !reflect.DeepEqual(d.state, d.told) {
		d.told = d.state
		d.cfg.Changed(d.state)
	}
}
