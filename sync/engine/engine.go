package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// Config says what an [Engine] works with. Everything but Now, Jitter and the intervals is needed.
type Config struct {
	Source     Source
	Ledger     Ledger
	Account    capture.Account
	ReadHeader func(io.Reader) (capture.Header, error)
	Wake       func()      // delivery has something to do
	Changed    func(Event) // called from the engine's goroutines; must not block
	Log        *slog.Logger

	// Rules returns what is chosen at this moment. It is asked again for each batch, so an edit acts
	// at the next mail; call CheckNow after one. nil: nothing is captured but what is marked.
	Rules func() *rules.Set
	// ReadBody returns what rules need of a mail; it reads r, of about size bytes, to its end or not.
	// Needed with Rules.
	ReadBody func(r io.Reader, size int64) (rules.Body, error)
	// People returns the types of the records that carry one of at most a hundred addresses, by
	// address; absent ones have none. An error postpones automatic capture alone. nil: nobody has a record.
	People func(ctx context.Context, addresses []string) (map[string][]string, error)
	// Following returns the followed conversations, each with the time from which its mails are
	// captured. Followed tells of mails, each given by what it answers and refers to (normalised
	// Message-IDs), which of them they belong to; 0 for none. nil, both: none is followed.
	Following func(ctx context.Context) (map[int64]time.Time, error)
	Followed  func(ctx context.Context, mails [][]string) ([]int64, error)

	Folder  string // the capture folder, such as "Salesforce"
	Keyword string // the capture keyword, such as "$Salesforce"
	MaxSize int64  // of one mail, bytes

	Poll   time.Duration    // how often folders without a watch are looked at; default 15 min
	Now    func() time.Time // default time.Now
	Jitter func() float64   // in [0,1); default math/rand
}

// Event is what the engine tells about itself.
type Event struct {
	Scanning bool
	Fault    fault.Code // "" when the last round worked
	Until    time.Time  // when a fault of class Retry is tried again
	Success  time.Time  // when the mailbox was last read through; zero when it was not
	// NoFolder says, beside Success, that the capture folder does not exist: other marks count.
	NoFolder bool
	// History counts, beside Scanning, the mails from before automatic capture was turned on that were
	// looked at since the run began; zero while none are. HistoryAll is how many there are in all; zero
	// where that is not known, such as after a restart in their midst.
	History, HistoryAll int
}

// Engine captures what is marked in one mailbox.
type Engine struct {
	cfg  Config
	wake chan struct{} // one-slot: something to do
	todo *todo
	ear  ear

	// Of the loop alone.
	noFolder bool
	folders  []capture.Folder // as the server listed them last
	done     map[string]bool  // cursors of history that was read to its end
	looked   int              // mails of history
	ahead    int              // how many of them there are; 0 is not known
	counted  bool             // ahead was found out
}

// New checks cfg and returns an Engine that is not running yet.
func New(cfg Config) (*Engine, error) {
	if cfg.Source == nil || cfg.Ledger == nil || cfg.ReadHeader == nil || cfg.Wake == nil || cfg.Changed == nil || cfg.Log == nil {
		return nil, errors.New("engine: Source, Ledger, ReadHeader, Wake, Changed and Log are required")
	}
	if cfg.Rules != nil && cfg.ReadBody == nil || cfg.Following != nil && cfg.Followed == nil {
		return nil, errors.New("engine: Rules need ReadBody, and Following needs Followed")
	}
	if cfg.Rules == nil {
		none := rules.Compile(capture.Choices{}, capture.Company{}, nil)
		cfg.Rules = func() *rules.Set { return none }
	}
	if cfg.Poll == 0 {
		cfg.Poll = 15 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	return &Engine{
		cfg: cfg, wake: make(chan struct{}, 1), todo: newTodo(), done: map[string]bool{}, ear: ear{names: []string{cfg.Folder, inbox}},
	}, nil
}

// CheckNow makes the engine look through every folder soon.
func (e *Engine) CheckNow() {
	e.todo.all()
	e.poke()
}

func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run captures until ctx ends, which is its normal end (nil), or until a fault needs a person.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.watch(ctx) })
	g.Go(func() error { return e.loop(ctx) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// loop works off what is to do, and everything once in a while.
func (e *Engine) loop(ctx context.Context) error {
	e.todo.all()
	tries := 0
	for {
		until, err := e.round(ctx, tries)
		if err != nil {
			return err
		}
		wait := e.cfg.Poll
		if until.IsZero() {
			tries = 0
		} else {
			tries++
			wait = until.Sub(e.cfg.Now())
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			e.todo.all()
		case <-e.wake:
			timer.Stop()
		}
	}
}

// round works off the list once. A fault that goes away by itself is told and returned as the
// time of the next try; what was not done stays on the list.
func (e *Engine) round(ctx context.Context, tries int) (time.Time, error) {
	e.cfg.Changed(Event{Scanning: true})
	err := e.work(ctx)
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err()
	}
	var people waiting
	asks := errors.As(err, &people)
	if err == nil || asks { // the mailbox was read
		e.cfg.Changed(Event{Success: e.cfg.Now(), NoFolder: e.noFolder})
	}
	if err == nil {
		return time.Time{}, nil
	}
	f := fault.Of(err)
	if asks {
		until := e.cfg.Now().Add(Backoff(tries, f.After, e.cfg.Jitter()))
		e.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "automatic capture waits for an answer about people", slog.String("code", string(f.Code)), slog.Time("until", until))
		return until, nil
	}
	if !Passes(f.Code) {
		e.cfg.Changed(Event{Fault: f.Code})
		return time.Time{}, err
	}
	wait := Backoff(tries, f.After, e.cfg.Jitter())
	if f.Code.Class() != fault.Retry {
		wait = min(wait, localWait)
	}
	until := e.cfg.Now().Add(wait)
	e.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "capture postponed", slog.String("code", string(f.Code)), slog.Any("err", err), slog.Time("until", until))
	e.cfg.Changed(Event{Fault: f.Code, Until: until})
	return until, nil
}

// localWait is the longest pause after a fault of this computer: a full disk is soon noticed to have
// room again.
const localWait = 30 * time.Second

// Passes reports whether a fault may go away unannounced, so that it is tried again although a
// person is told: also one of this computer, or of the way to the server.
func Passes(c fault.Code) bool {
	switch c {
	case fault.DiskFull, fault.KeyStoreLocked, fault.CertificateWrong:
		return true
	}
	return c.Class() == fault.Retry
}

// Backoff returns how long to wait after a number of failed tries: 2 s doubling to 5 min, with
// half of it drawn by lot (jitter in [0,1)), and never less than the other side asked for, up
// to an hour.
func Backoff(tries int, asked time.Duration, jitter float64) time.Duration {
	step := min(2*time.Second<<min(tries, 8), 5*time.Minute)
	wait := step/2 + time.Duration(jitter*float64(step/2))
	return max(wait, min(asked, time.Hour))
}
