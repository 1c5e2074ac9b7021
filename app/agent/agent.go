package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/desktop"
	"hawser/app/text"
	"hawser/auth/enrol"
	"hawser/auth/keyring"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/engine"
	"hawser/sync/imapsource"
	"hawser/sync/salesforce"
)

// The two sides of the rope, as the control protocol names them.
const (
	sideSalesforce = "salesforce"
	sideMail       = "mail"
)

// Config is what an [Agent] is made of. All of it is needed but Now.
type Config struct {
	Dirs     config.Dirs
	Settings config.Config
	Version  string
	Log      *slog.Logger
	Keys     keyring.Store
	// OpenBrowser shows an address to the user.
	OpenBrowser func(ctx context.Context, url string) error
	// OpenWindow shows a page of the window; nil where there is no desktop.
	OpenWindow func(page string) error
	// Autostart is the system's switch "start at login"; nil where there is none.
	Autostart desktop.Autostart
	Lang      string           // where the person chose none, as text.New takes it
	Now       func() time.Time // default time.Now

	text     *text.Localizer // shared with the icon; nil for one of its own
	owed     []revocation    // left over from a run that was unbound
	face     *face           // where the icon looks; nil for none
	farewell secret.String   // what its company has yet to hear, as enrol.Member.Farewell writes it
}

// Agent is the running agent of one profile.
type Agent struct {
	cfg   Config
	now   func() time.Time
	board *board
	db    *agentdb.DB
	http  *http.Client // trusts the system's roots and the configured ones; used for both sign-ins and Salesforce

	text *text.Localizer

	member *enrol.Member
	heard  chan struct{} // one-slot: the membership changed
	binder sync.Mutex    // held while the profile is bound

	pool   *x509.CertPool
	wake   chan struct{} // one-slot: the queue has something new for delivery
	checks chan struct{} // one-slot: somebody wants everything to be looked at
	owes   chan struct{} // one-slot: a provider has something new to hear

	owing sync.Mutex               // held while the list of what is owed changes
	turn  map[string]chan struct{} // by side, one-slot: held by the side's part, or by who signs it out

	mu      sync.Mutex
	inForce config.Config // the settings under the company's policy
	ignored []string      // keys of the policy that mean nothing here
	obeyed  int64         // version of the policy that inForce follows
	edition int           // rises with each change of inForce
	nudge   chan struct{} // closed and replaced by CheckNow and sign-ins
	stop    context.CancelFunc
	binding *boundTo                 // nil before the first complete sign-in
	logins  map[string]login         // by side
	tokens  map[string]*oauth.Tokens // by side; made when first needed

	attempts map[string]*attempt // by side: sign-ins that run
	aliases  []control.Alias     // beside the mailbox's own address
	unbound  *unbound            // how the run ends, once Unbind was called

	choosing choosing
	marks    marks
	notices  func(bool) // the switch of the notices; nil without a desktop
	offered  offer      // the zero value is none

	source    *imapsource.Source // these two are nil while the capture does not run
	engine    *engine.Engine
	client    *salesforce.Client // these two are nil while delivery does not run
	deliverer *deliver.Deliverer
}

// New opens the profile: the key, the store, and what is known of both sign-ins. Close gives it
// back. It fails with a fault that says what is in the way.
func New(ctx context.Context, cfg Config) (*Agent, error) {
	if cfg.Log == nil || cfg.Keys == nil || cfg.OpenBrowser == nil {
		return nil, errors.New("agent: Log, Keys and OpenBrowser are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Agent{
		cfg: cfg, now: cfg.Now, board: newBoard(&cfg),
		nudge: make(chan struct{}), wake: make(chan struct{}, 1), checks: make(chan struct{}, 1),
		logins: map[string]login{}, tokens: map[string]*oauth.Tokens{}, attempts: map[string]*attempt{},
		text: cfg.text, marks: marks{some: make(chan struct{}, 1)}, owes: make(chan struct{}, 1), heard: make(chan struct{}, 1), inForce: cfg.Settings,
		turn: map[string]chan struct{}{sideSalesforce: make(chan struct{}, 1), sideMail: make(chan struct{}, 1)},
	}
	if a.text == nil {
		a.text = text.New(cfg.Lang)
	}
	if err := a.openTrusting(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(a.recall(ctx), a.openCompany(ctx)); err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	return a, nil
}

// openTrusting opens the store, and reads beside it what certificates are trusted: that takes as long.
func (a *Agent) openTrusting(ctx context.Context) error {
	var beside errgroup.Group
	beside.Go(func() (err error) { a.pool, err = roots(a.cfg.Settings.Trust.CAFile); return err })
	err := a.open(ctx)
	if distrust := beside.Wait(); distrust != nil {
		if err == nil {
			err = a.db.Close()
		}
		return errors.Join(distrust, err)
	}
	if err != nil {
		return err
	}
	a.http = httpClient(a.pool, func(ctx context.Context, network, address string) (net.Conn, error) {
		return a.sites().Dial(ctx, network, address)
	})
	return nil
}

// Close gives back the store. Run must have returned.
func (a *Agent) Close() error { return a.db.Close() }

// Run serves the control socket, which it closes, and keeps capture and delivery going until ctx ends or Stop is
// called, which is its normal end and returns nil. After [Agent.Unbind] it returns an *unbound.
func (a *Agent) Run(ctx context.Context, listener *control.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.mu.Lock()
	a.stop = cancel
	a.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return listener.Serve(ctx, a, a.cfg.Log) })
	g.Go(func() error { return a.tidy(ctx) })
	g.Go(func() error { return a.upkeep(ctx) })
	g.Go(func() error { return a.writeBack(ctx) })
	g.Go(func() error {
		return a.keep(ctx, part{name: "capture", side: sideMail, ready: a.mayCapture, run: a.inTurn(sideMail, a.capture)})
	})
	g.Go(func() error {
		return a.keep(ctx, part{name: "delivery", side: sideSalesforce, ready: a.mayDeliver, run: a.inTurn(sideSalesforce, a.deliverQueue)})
	})
	g.Go(func() error { return a.settleAll(ctx) })
	g.Go(func() error { return a.belong(ctx) })
	g.Go(func() error { return a.checkWhenAsked(ctx) })
	err := g.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unbound != nil {
		return a.unbound
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// mayCapture reports whether the mailbox may be read: signed in, bound, and not paused.
func (a *Agent) mayCapture() bool {
	s := a.board.shown.Status()
	return s.Mail.SignedIn && a.mayWork(s)
}

// mayDeliver reports whether the queue may be sent.
func (a *Agent) mayDeliver() bool {
	s := a.board.shown.Status()
	return s.Salesforce.SignedIn && a.mayWork(s)
}

func (a *Agent) mayWork(s control.Status) bool {
	paused, _ := a.board.paused()
	allowed := a.allowed()
	a.mu.Lock()
	defer a.mu.Unlock()
	return !paused && allowed && a.binding != nil && s.State != capture.WrongAccount && s.State != capture.Suspended
}

// nudged returns a channel that is closed at the next CheckNow or sign-in.
func (a *Agent) nudged() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nudge
}

// poke wakes whatever rests.
func (a *Agent) poke() {
	a.mu.Lock()
	close(a.nudge)
	a.nudge = make(chan struct{})
	e := a.engine
	a.mu.Unlock()
	if e != nil {
		e.CheckNow()
	}
	a.wakeDelivery()
}

func (a *Agent) wakeDelivery() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// refreshCounts writes the ledger's numbers on the board.
func (a *Agent) refreshCounts(ctx context.Context) {
	c, err := a.db.Counts(ctx)
	if err != nil {
		if ctx.Err() == nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelError, "counts not read", slog.Any("err", err))
		}
		return
	}
	a.board.update(func(b *board) {
		b.counts = control.Counts{Seen: c.Seen, Captured: c.Captured, Filtered: c.Filtered, Held: c.Held, Waiting: c.Waiting, NeedsYou: c.NeedsYou}
	})
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}
