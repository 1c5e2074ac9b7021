package imapsource

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// renewBefore is how long before a token expires its connection is replaced.
const renewBefore = 5 * time.Minute

// errRenew ends a connection whose token is about to expire.
var errRenew = errors.New("the token expires soon")

// Watch tells which folders changed: a mail arrived or flags were set. It keeps one connection
// per folder, finds out within Probe + Answer when one is dead, and replaces it with growing
// pauses. changed is called for each folder after each (re)connection and after each change, from
// one goroutine per folder, and should return soon. A folder that is missing is waited for.
//
// Watch returns nil when ctx ended, or a fault of class User or Admin.
func (s *Source) Watch(ctx context.Context, folders []string, changed func(folder string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st := &states{tell: s.cfg.State, bad: make(map[string]fault.Code)}
	p := newProber(s.cfg.Timeouts, s.cfg.Awake)
	var wg sync.WaitGroup
	wg.Go(func() { p.run(ctx) })
	errs := make(chan error, len(folders))
	for _, folder := range folders {
		w := &watcher{s: s, folder: folder, changed: changed, states: st, prober: p}
		wg.Go(func() { errs <- w.run(ctx) })
	}
	var failed error
	for range folders {
		if err := <-errs; err != nil && failed == nil {
			failed = err
			cancel()
		}
	}
	cancel()
	wg.Wait()
	return failed
}

// states sums up the watchers' states for the one who asked.
type states struct {
	tell func(fault.Code)
	mu   sync.Mutex
	bad  map[string]fault.Code
	said fault.Code
}

func (st *states) set(folder string, code fault.Code) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if code == "" {
		delete(st.bad, folder)
	} else {
		st.bad[folder] = code
	}
	say := code
	for _, c := range st.bad {
		say = c
	}
	if say != st.said && st.tell != nil {
		st.tell(say)
	}
	st.said = say
}

// watcher watches one folder.
type watcher struct {
	s       *Source
	folder  string
	changed func(string)
	states  *states
	prober  *prober
	stale   secret.String // set: the next connection needs another token
}

// run keeps a connection until ctx ends (nil) or a person has to act.
func (w *watcher) run(ctx context.Context) error {
	for {
		ses, err := w.connect(ctx)
		born := w.s.cfg.Now()
		if err == nil {
			born = ses.born
			err = w.stay(ctx, ses)
			ses.close()
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errRenew) {
			continue
		}
		f := fault.Of(err)
		if f.Code.Class() != fault.Retry {
			return err
		}
		w.states.set(w.folder, f.Code)
		w.s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "mailbox connection lost", slog.Any("err", err))
		w.s.pace.lost(w.s.cfg.Now().Sub(born), f.After)
	}
}

// connect waits for its turn and signs in.
func (w *watcher) connect(ctx context.Context) (*session, error) {
	if err := w.s.pace.enter(ctx); err != nil {
		return nil, err
	}
	defer w.s.pace.leave()
	stale := w.stale
	w.stale = secret.String{}
	return w.s.dial(ctx, stale)
}

// stay opens the folder and reports its changes until the connection ends.
func (w *watcher) stay(ctx context.Context, ses *session) error {
	for {
		_, err := ses.examine(ctx, w.folder)
		if err == nil {
			break
		}
		if !fault.Is(err, fault.FolderMissing) {
			return err
		}
		w.states.set(w.folder, "") // not there yet: asking for it is also the probe
		if err := sleep(ctx, w.s.cfg.Timeouts.Probe); err != nil {
			return err
		}
	}
	w.states.set(w.folder, "")
	w.changed(w.folder)
	if !ses.idle {
		return w.poll(ctx, ses)
	}
	idle := newIdler(ses, w.s.cfg.Timeouts.Answer, func() bool { return w.expiring(ses) })
	idle.begin()
	w.prober.set(idle, true)
	defer w.prober.set(idle, false)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ses.client.Closed():
			return lostFault("wait for mail", ses.wire, errors.New("connection ended"))
		case err := <-idle.refused:
			if err != nil {
				return err
			}
			ses.idle = false // announced, not understood
			return w.poll(ctx, ses)
		case <-ses.news:
			w.changed(w.folder)
		case <-idle.due:
			w.stale = ses.token
			return errRenew
		}
	}
}

// poll is the rest of stay where the server has no IDLE: news come with the answer to a NOOP,
// which is the probe as well.
func (w *watcher) poll(ctx context.Context, ses *session) error {
	const op = "probe the mailbox connection"
	for {
		if err := sleep(ctx, w.s.cfg.Timeouts.Probe); err != nil {
			return err
		}
		if w.expiring(ses) {
			w.stale = ses.token
			return errRenew
		}
		err := ses.do(ctx, w.s.cfg.Timeouts.Answer, op, func() error { return ses.client.Noop().Wait() })
		var status *imap.Error
		if errors.As(err, &status) {
			return statusFault(fault.MailProtocol, op, status)
		}
		if err != nil {
			return err
		}
		select {
		case <-ses.news:
			w.changed(w.folder)
		default:
		}
	}
}

// expiring reports whether the token of a connection that is not brand-new expires soon.
func (w *watcher) expiring(ses *session) bool {
	expiry := w.s.cfg.TokenExpiry()
	now := w.s.cfg.Now()
	return !expiry.IsZero() && now.Add(renewBefore).After(expiry) && now.Sub(ses.born) >= renewBefore
}
