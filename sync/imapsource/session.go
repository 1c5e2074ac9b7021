package imapsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// session is one signed-in connection. It is used by one goroutine at a time.
type session struct {
	client *imapclient.Client
	wire   *wire
	token  secret.String
	limit  time.Duration // silence allowed while a command runs
	born   time.Time
	news   chan struct{} // gets a value when the server reports a change by itself; capacity 1
	broken bool          // no further command is possible
	serial int           // of the commands that go beside the library

	condStore, eSearch, idle, specialUse, gmail bool
}

// dial connects and signs in. stale is a token that is no longer wanted, or empty.
func (s *Source) dial(ctx context.Context, stale secret.String) (*session, error) {
	token, err := s.cfg.Token(ctx, stale)
	if err != nil {
		return nil, fmt.Errorf("mail token: %w", err)
	}
	ses, err := s.login(ctx, token)
	if !fault.Is(err, fault.MailRefused) {
		return ses, err
	}
	// Providers also refuse a token that was good a minute ago: ask once for another one.
	fresh, terr := s.cfg.Token(ctx, token)
	if terr != nil {
		return nil, fmt.Errorf("mail token: %w", terr)
	}
	if fresh.Equal(token) {
		return nil, err
	}
	return s.login(ctx, fresh)
}

func (s *Source) login(ctx context.Context, token secret.String) (*session, error) {
	s.pace.login()
	ses, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	ses.token = token
	if err := ses.authenticate(ctx, s.cfg.User, s.cfg.Addr); err != nil {
		ses.close()
		return nil, err
	}
	if ses.gmail {
		s.meter.restrict(GmailDayBytes)
	}
	return ses, nil
}

// connect returns a greeted connection that is not signed in.
func (s *Source) connect(ctx context.Context) (*session, error) {
	const op = "connect to the mailbox"
	dctx, cancel := context.WithTimeout(ctx, s.cfg.Timeouts.Dial)
	defer cancel()
	raw, err := s.cfg.Dial(dctx, "tcp", s.cfg.Addr)
	if err != nil {
		return nil, connectFault(ctx, op, err)
	}
	tlsConn := tls.Client(raw, s.cfg.TLS)
	if err := tlsConn.HandshakeContext(dctx); err != nil {
		_ = raw.Close()
		return nil, connectFault(ctx, op, err)
	}
	ses := &session{
		wire:  newWire(tlsConn, raw, s.meter),
		limit: s.cfg.Timeouts.Command,
		born:  s.cfg.Now(),
		news:  make(chan struct{}, 1),
	}
	ses.wire.expect(s.cfg.Timeouts.Dial)
	ses.client = imapclient.New(ses.wire, &imapclient.Options{
		UnilateralDataHandler: ses.unilateral(),
	})
	if err := ses.do(ctx, s.cfg.Timeouts.Dial, op, ses.client.WaitGreeting); err != nil {
		ses.close()
		return nil, greetingFault(op, ses, err)
	}
	return ses, nil
}

// unilateral is told what the server reports by itself. It runs in the library's reader and must
// neither block nor use the client.
func (c *session) unilateral() *imapclient.UnilateralDataHandler {
	notify := func() {
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
	return &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				notify()
			}
		},
		Fetch: func(m *imapclient.FetchMessageData) {
			for m.Next() != nil { // the reader waits until all of it is taken
			}
			notify()
		},
	}
}

// authenticate signs in with the token and learns what the server can do.
func (c *session) authenticate(ctx context.Context, user, addr string) error {
	const op = "sign in to the mailbox"
	if c.client.State() != imap.ConnStateNotAuthenticated {
		return fault.New(fault.MailProtocol, op, errors.New("the server greets without asking who we are"))
	}
	caps, err := c.capabilities(ctx, op)
	if err != nil {
		return err
	}
	b := &bearer{user: user, addr: addr, token: c.token}
	switch {
	case caps.Has(imap.AuthCap("XOAUTH2")):
		b.mechanism = "XOAUTH2"
	case caps.Has(imap.AuthCap("OAUTHBEARER")):
		b.mechanism = "OAUTHBEARER"
	default:
		return fault.New(fault.MailRefused, op, errors.New("the server offers no sign-in with a token"))
	}
	if err := c.do(ctx, c.limit, op, func() error { return c.client.Authenticate(b) }); err != nil {
		return authFault(op, b, err)
	}
	if caps, err = c.capabilities(ctx, op); err != nil {
		return err
	}
	c.condStore = caps.Has(imap.CapCondStore)
	c.eSearch = caps.Has(imap.CapESearch)
	c.idle = caps.Has(imap.CapIdle)
	c.gmail = caps.Has("X-GM-EXT-1")
	c.specialUse = caps.Has(imap.CapSpecialUse) && caps.Has(imap.CapListExtended)
	return nil
}

func (c *session) capabilities(ctx context.Context, op string) (imap.CapSet, error) {
	var caps imap.CapSet
	err := c.do(ctx, c.limit, op, func() error {
		if caps = c.client.Caps(); caps == nil {
			return errors.New("no capabilities")
		}
		return nil
	})
	return caps, err
}

// do runs f, which sends commands and waits for their answers: it ends when ctx ends or the
// server is silent for longer than limit. The error is an [imap.Error] when the server answered
// NO or BAD and the connection can go on, else a [lostError].
func (c *session) do(ctx context.Context, limit time.Duration, op string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.wire.abort(context.Cause(ctx)) })
	c.wire.expect(limit)
	err := f()
	c.wire.expect(0)
	if !stop() && err == nil && ctx.Err() != nil {
		err = ctx.Err() // the connection is closed although the command came through
	}
	var status *imap.Error
	if err == nil || errors.As(err, &status) && status.Type != imap.StatusResponseTypeBye {
		return err
	}
	c.broken = true
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &lostError{lostFault(op, c.wire, err)}
}

// healthy reports whether another command may be tried.
func (c *session) healthy() bool {
	select {
	case <-c.client.Closed():
		return false
	default:
		return !c.broken
	}
}

// close ends the connection and waits until its reader is over.
func (c *session) close() {
	c.broken = true
	c.wire.abort(nil)
	<-c.client.Closed()
}
