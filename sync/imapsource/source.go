package imapsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// Timeouts are the limits of a [Source]; a zero field has its default.
type Timeouts struct {
	Dial    time.Duration // to connect, agree on TLS and be greeted; 20 s
	Command time.Duration // silence of the server while it owes an answer; 60 s
	Probe   time.Duration // how often Watch makes sure that its connection lives; 50 s
	Answer  time.Duration // silence allowed to a probe; 8 s
	Keep    time.Duration // how long an unused connection is kept for the next call; 60 s
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		d   *time.Duration
		def time.Duration
	}{
		{&t.Dial, 20 * time.Second}, {&t.Command, 60 * time.Second}, {&t.Probe, 50 * time.Second},
		{&t.Answer, 8 * time.Second}, {&t.Keep, 60 * time.Second},
	} {
		if *f.d <= 0 {
			*f.d = f.def
		}
	}
	return t
}

// Config says which mailbox a [Source] reads.
type Config struct {
	Addr string      // host:port of IMAP over TLS, such as "imap.gmail.com:993"
	TLS  *tls.Config // nil: the system's roots
	User string      // the mailbox's address

	// Token returns an access token for the mailbox. stale is empty, or a token that the server
	// refused or that is about to expire: then another one is wanted. Its error is returned as it is.
	Token func(ctx context.Context, stale secret.String) (secret.String, error)
	// TokenExpiry returns when the last token from Token expires; nil or a zero time: unknown.
	TokenExpiry func() time.Time

	// Dial opens the TCP connection; nil: [net.Dialer] with TCP keep-alive.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// State is told by Watch when its connections are in trouble, and "" when all are fine
	// again; nil: nobody. It is called from Watch's goroutines, one call at a time.
	State func(fault.Code)

	// Awake is called whenever Watch probes its connections, so that others can use the moment; nil:
	// nobody. It has to return at once.
	Awake func()

	// DayBytes is how much may be received within 24 hours before bodies have to wait: then calls
	// return a MailBusy fault that says for how long. Header blocks, and mails that a person asks
	// for, may take a fifth more. 0: [GmailDayBytes] where the server is Gmail, else no limit.
	DayBytes int64
	// Used is what Received was last told before the program was started again; nil: nothing.
	Used Usage
	// Received is told what was received lately, after each few megabytes and by Close, where there is
	// a limit; nil: nobody. It must not block, and is called one call at a time.
	Received func(Usage)

	Log      *slog.Logger     // nil: none
	Timeouts Timeouts         // zero fields have defaults
	Now      func() time.Time // nil: time.Now
}

// commandSlots bounds the connections beside Watch's: a scan, a list, one to spare. Providers
// allow about fifteen to all programs of a person together.
const commandSlots = 3

// Source is one mailbox behind one IMAP server. Close it when done.
type Source struct {
	cfg   Config
	pace  *pace
	meter *meter
	slots chan struct{}

	mu     sync.Mutex
	closed bool
	spare  *session // an unused connection, kept for the next call
	expiry *time.Timer
	known  map[string]marked // what keyword scans handed over, per folder and keyword
}

// New returns a Source. It does not connect.
func New(cfg Config) (*Source, error) {
	if cfg.Addr == "" || cfg.User == "" || cfg.Token == nil {
		return nil, errors.New("imapsource: Addr, User and Token are required")
	}
	host, _, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("imapsource: %w", err)
	}
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{}
	}
	cfg.TLS = cfg.TLS.Clone()
	if cfg.TLS.ServerName == "" {
		cfg.TLS.ServerName = host
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.TokenExpiry == nil {
		cfg.TokenExpiry = func() time.Time { return time.Time{} }
	}
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	return &Source{
		cfg:   cfg,
		pace:  newPace(cfg.Now),
		meter: newMeter(cfg),
		slots: make(chan struct{}, commandSlots),
		known: make(map[string]marked),
	}, nil
}

// Close closes the connection that is kept for the next call, and tells [Config.Received]. Calls
// under way end by their own context; no new ones may be made.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	ses := s.takeSpareLocked()
	s.mu.Unlock()
	if ses != nil {
		ses.close()
	}
	s.meter.report()
}

func (s *Source) takeSpareLocked() *session {
	ses := s.spare
	s.spare = nil
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	return ses
}

// take returns a signed-in connection; reused says that it may have died since its last use.
// It must be given back.
func (s *Source) take(ctx context.Context) (ses *session, reused bool, err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	s.mu.Lock()
	ses = s.takeSpareLocked()
	closed := s.closed
	s.mu.Unlock()
	switch {
	case closed:
		err = errors.New("imapsource: source is closed")
	case ses != nil:
		return ses, true, nil
	default:
		ses, err = s.dial(ctx, secret.String{})
	}
	if err != nil {
		<-s.slots
		return nil, false, err
	}
	return ses, false, nil
}

// give takes a connection back; nil only frees its slot.
func (s *Source) give(ses *session) {
	defer func() { <-s.slots }()
	if ses == nil {
		return
	}
	s.mu.Lock()
	keep := !s.closed && s.spare == nil && ses.healthy()
	if keep {
		s.spare = ses
		s.expiry = time.AfterFunc(s.cfg.Timeouts.Keep, func() { s.drop(ses) })
	}
	s.mu.Unlock()
	if !keep {
		ses.close()
	}
}

// drop closes ses if nobody took it meanwhile.
func (s *Source) drop(ses *session) {
	s.mu.Lock()
	mine := s.spare == ses
	if mine {
		s.spare, s.expiry = nil, nil
	}
	s.mu.Unlock()
	if mine {
		ses.close()
	}
}

// Usage returns what was received in the last day.
func (s *Source) Usage() Usage { return s.meter.usage() }
