package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// Config is what [Serve] needs; all fields are required.
type Config struct {
	Dir   string // where socket and lock live; forced to be the user's alone
	Agent Agent
	Log   *slog.Logger
}

// Serve claims cfg.Dir and answers until ctx ends; see [Listen] for its faults.
func Serve(ctx context.Context, cfg Config) error {
	l, err := Listen(cfg.Dir)
	if err != nil {
		return err
	}
	return l.Serve(ctx, cfg.Agent, cfg.Log)
}

// Serve answers commands for agent until ctx ends, which is no error, and gives the claim up. It
// returns after every connection's goroutine is over: commands still running have three seconds.
func (l *Listener) Serve(ctx context.Context, agent Agent, log *slog.Logger) error {
	s := &server{agent: agent, log: log}
	var conns sync.WaitGroup
	srv := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		// Streams end with ctx, and with them Shutdown.
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // reported from within Serve, so before it returns
				conns.Add(1)
			case http.StateClosed:
				conns.Done()
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(guard(l.ln, log)) }()

	var err error
	select {
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // what is still open after the grace is cut
		}
		<-served
	case err = <-served:
		_ = srv.Close() // the accept error is the one to tell
		err = fmt.Errorf("accept control connections: %w", err)
	}
	conns.Wait()
	if closeErr := l.Close(); err == nil && !errors.Is(closeErr, net.ErrClosed) {
		err = closeErr
	}
	return err
}

// server turns requests into calls of the agent.
type server struct {
	agent Agent
	log   *slog.Logger
}

func (s *server) routes() http.Handler {
	a, mux := s.agent, http.NewServeMux()
	mux.Handle("POST /v1/status", plain(s, func(context.Context, none) (Status, error) { return a.Status(), nil }))
	mux.Handle("POST /v1/check", plain(s, func(ctx context.Context, _ none) (none, error) { return none{}, a.CheckNow(ctx) }))
	mux.Handle("POST /v1/pause", plain(s, func(ctx context.Context, r pauseRequest) (none, error) { return none{}, a.Pause(ctx, r.Until) }))
	mux.Handle("POST /v1/resume", plain(s, func(ctx context.Context, _ none) (none, error) { return none{}, a.Resume(ctx) }))
	mux.Handle("POST /v1/stop", plain(s, func(ctx context.Context, _ none) (none, error) { return none{}, a.Stop(ctx) }))
	mux.Handle("POST /v1/mails", plain(s, a.Mails))
	mux.Handle("POST /v1/capture", plain(s, a.Capture))
	mux.Handle("POST /v1/queue", plain(s, func(ctx context.Context, r listRequest) ([]QueueItem, error) { return a.Queue(ctx, r.State, r.Limit) }))
	mux.Handle("POST /v1/retry", plain(s, func(ctx context.Context, r itemRequest) (none, error) { return none{}, a.RetryItem(ctx, r.ID) }))
	mux.Handle("POST /v1/skip", plain(s, func(ctx context.Context, r itemRequest) (none, error) { return none{}, a.SkipItem(ctx, r.ID) }))
	mux.Handle("POST /v1/journal", plain(s, a.Journal))
	mux.Handle("POST /v1/enrol", plain(s, func(ctx context.Context, r enrolRequest) (Company, error) {
		return a.Enrol(ctx, secret.New(r.Pasted))
	}))
	mux.Handle("POST /v1/offer", plain(s, func(ctx context.Context, r enrolRequest) (none, error) {
		return none{}, a.Offer(ctx, secret.New(r.Pasted))
	}))
	mux.Handle("POST /v1/offer-answer", plain(s, func(ctx context.Context, r offerRequest) (Company, error) {
		return a.AnswerOffer(ctx, r.Server, r.Join)
	}))
	mux.Handle("POST /v1/signout", plain(s, func(ctx context.Context, r signOutRequest) (SignOutResult, error) {
		return a.SignOut(ctx, r.Side, r.Discard)
	}))
	mux.Handle("POST /v1/unbind", plain(s, func(ctx context.Context, _ none) (UnbindResult, error) { return a.Unbind(ctx) }))
	mux.Handle("POST /v1/app", plain(s, func(ctx context.Context, r signInRequest) (App, error) { return a.App(ctx, r.Side) }))
	mux.Handle("POST /v1/aliases", plain(s, func(ctx context.Context, _ none) ([]Alias, error) { return a.Aliases(ctx) }))
	mux.Handle("POST /v1/alias", plain(s, func(ctx context.Context, r aliasRequest) (none, error) {
		return none{}, a.SetAlias(ctx, r.Address, r.On)
	}))
	mux.Handle("POST /v1/watch", stream(s, func(ctx context.Context, _ none, send func(line) error) error {
		return a.Watch(ctx, func(st Status) error { return send(line{Status: &st}) })
	}))
	mux.Handle("POST /v1/signin", stream(s, s.signIn))
	s.choosing(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.write(w, answer[none]{Fault: &wireFault{Code: fault.Usage}})
	})
	return mux
}

// signIn passes the steps on. A client that goes away ends ctx, and with it the sign-in.
func (s *server) signIn(ctx context.Context, r signInRequest, send func(line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.agent.SignIn(ctx, r.Side, func(step SignInStep) {
		if send(line{Step: &step}) != nil {
			cancel() // nobody reads any more
		}
	})
}

// plain serves a command that has one answer.
func plain[In, Out any](s *server, do func(context.Context, In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a answer[Out]
		in, err := decode[In](w, r)
		if err == nil {
			err = s.guarded(r, func() (err error) {
				a.Result, err = do(r.Context(), in)
				return err
			})
		}
		if err != nil {
			s.note(r, err)
			a = answer[Out]{Fault: toWire(err)}
		}
		s.write(w, a)
	})
}

// stream serves a command that sends lines until it is done or the client goes away.
func stream[In any](s *server, do func(context.Context, In, func(line) error) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		rc, enc := http.NewResponseController(w), json.NewEncoder(w)
		send := func(l line) error {
			// A peer that stopped reading costs one write deadline, not a goroutine for ever.
			if err := rc.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
				return fmt.Errorf("write deadline: %w", err)
			}
			if err := enc.Encode(l); err != nil {
				return fmt.Errorf("write line: %w", err)
			}
			return rc.Flush()
		}
		in, err := decode[In](w, r)
		if err == nil {
			err = s.guarded(r, func() error { return do(r.Context(), in, send) })
		}
		last := line{Done: true}
		if err != nil {
			if r.Context().Err() != nil {
				return // the client or the agent is gone: a stream without an end says so
			}
			s.note(r, err)
			last = line{Fault: toWire(err)}
		}
		if err := send(last); err != nil {
			s.log.Debug("control stream cut", slog.String("path", r.URL.Path), slog.Any("err", err))
		}
	})
}

// decode reads the whole body, which also lets net/http notice a client that goes away. Unknown
// fields are refused: a pause whose end an older agent ignored would last for ever.
func decode[In any](w http.ResponseWriter, r *http.Request) (In, error) {
	var in In
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return in, fault.New(fault.Internal, "read request", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return in, fault.New(fault.Usage, "read request", err)
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		return in, fault.New(fault.Internal, "read request", err)
	}
	if len(body) == 0 {
		return in, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return in, fault.New(fault.Usage, "read request", err)
	}
	return in, nil
}

// guarded makes a panic in one command a fault of that command: the agent keeps its mail moving.
func (s *server) guarded(r *http.Request, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("control command panicked", slog.String("path", r.URL.Path), slog.String("stack", string(debug.Stack())))
			err = fault.New(fault.Internal, "control command", nil)
		}
	}()
	return do()
}

// note logs what stays on this side of the wire. Only bugs are worth a line by default: all else
// is shown to the person who gave the command.
func (s *server) note(r *http.Request, err error) {
	level := slog.LevelDebug
	if fault.Of(err).Code.Class() == fault.Bug && r.Context().Err() == nil {
		level = slog.LevelError
	}
	s.log.Log(r.Context(), level, "control command refused", slog.String("path", r.URL.Path), slog.Any("err", err))
}

func (s *server) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("control answer not sent", slog.Any("err", err))
	}
}
