package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hawser/app/server/admin"
	"hawser/auth/provision"
	"hawser/store/tenantdb"
)

// serveOptions are the flags of "hawserd serve".
type serveOptions struct {
	listen, metrics   string
	authority         string // "": the address that is listened on
	certFile, keyFile string
	checkIn           time.Duration
	proxies           []netip.Prefix
}

// Times of the HTTP server. Reading is short: bodies are small, and who sends slowly holds a
// connection, not a worker.
const (
	readHeaderTime = 5 * time.Second
	readTime       = 15 * time.Second
	writeTime      = 30 * time.Second
	idleTime       = 2 * time.Minute
	maxHeader      = 16 << 10
	endTime        = 20 * time.Second // for requests in work when the server stops
	forgetEvery    = time.Minute
)

// service is a running hawserd.
type service struct {
	db      *tenantdb.DB
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	guard   *guard
	admin   *pageGuard
	ending  atomic.Bool
}

func newService(db *tenantdb.DB, vault *provision.Vault, log *slog.Logger, o serveOptions) (*service, error) {
	s := &service{db: db, log: log, now: time.Now, metrics: newMetrics(time.Now())}
	s.guard = newGuard(nil, s.metrics, o.proxies, s.now)
	protocol, err := provision.NewServer(provision.ServerConfig{
		Store: countedStore{db, s.guard}, Vault: vault, Authority: o.authority, Log: log, Now: s.now, Interval: o.checkIn,
	})
	if err != nil {
		return nil, err
	}
	s.guard.next = protocol
	s.admin, err = newPageGuard(db, vault, s.guard, admin.Config{Base: o.base(), Log: log})
	return s, err
}

// handler is everything on the public port. Signed requests are taken as they came: a mux would clean
// their paths, and look at each of them for longer than the signature takes.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/admin/", s.admin)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			s.guard.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ready says whether requests should be sent here.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	switch {
	case s.ending.Load():
		answer(w, http.StatusServiceUnavailable, "ending")
	case s.db.Ping(ctx) != nil:
		answer(w, http.StatusServiceUnavailable, "the database does not answer")
	default:
		answer(w, http.StatusOK, "ok")
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// listeners are the open ports of a service.
type listeners struct{ public, metrics net.Listener }

func (l listeners) close() {
	for _, one := range []net.Listener{l.public, l.metrics} {
		if one != nil {
			_ = one.Close() // it was never used
		}
	}
}

func listen(ctx context.Context, o serveOptions) (l listeners, err error) {
	var lc net.ListenConfig
	if l.public, err = lc.Listen(ctx, "tcp", o.listen); err != nil {
		return l, fmt.Errorf("listen: %w", err)
	}
	if o.certFile != "" {
		files := &certificate{certFile: o.certFile, keyFile: o.keyFile}
		if _, err := files.get(nil); err != nil {
			l.close()
			return l, err
		}
		l.public = tls.NewListener(l.public, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: files.get, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	if o.metrics != "" {
		if l.metrics, err = lc.Listen(ctx, "tcp", o.metrics); err != nil {
			l.close()
			return l, fmt.Errorf("listen for metrics: %w", err)
		}
	}
	return l, nil
}

// run serves until ctx ends or a part fails, then lets requests in work finish.
func (s *service) run(ctx context.Context, l listeners, desk *deskSocket) error {
	public := s.httpServer(s.handler())
	public.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 100}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serve(ctx, public, l.public) })
	if l.metrics != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", s.metrics)
		g.Go(func() error { return s.serve(ctx, s.httpServer(mux), l.metrics) })
	}
	if desk != nil {
		g.Go(func() error { return desk.run(ctx) })
	}
	g.Go(func() error { return s.forget(ctx) })
	return g.Wait()
}

func (s *service) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: oneRequest(h), ReadHeaderTimeout: readHeaderTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *service) serve(ctx context.Context, srv *http.Server, l net.Listener) error {
	var closing sync.WaitGroup
	stop := context.AfterFunc(ctx, func() {
		defer closing.Done()
		s.ending.Store(true)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		if err := srv.Shutdown(end); err != nil {
			s.log.LogAttrs(end, slog.LevelWarn, "requests cut off", slog.Any("err", errors.Join(err, srv.Close())))
		}
	})
	closing.Add(1)
	err := srv.Serve(l)
	if stop() {
		closing.Done() // it never began
	}
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// forget removes old nonces now and then. A failure is tried again the next time.
func (s *service) forget(ctx context.Context) error {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		n, err := s.db.Forget(ctx, s.now())
		if err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "old nonces not removed", slog.Any("err", err))
		}
		s.log.LogAttrs(ctx, slog.LevelDebug, "old nonces removed", slog.Int64("rows", n))
	}
}

// certificate is read again when its file changes, so that renewing needs no restart.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	changed time.Time
	looked  time.Time
	pair    *tls.Certificate
}

const lookEvery = 10 * time.Second

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < lookEvery {
		return c.pair, nil
	}
	c.looked = time.Now()
	info, err := os.Stat(c.certFile)
	if err == nil && c.pair != nil && info.ModTime().Equal(c.changed) {
		return c.pair, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	switch {
	case err == nil:
		c.pair, c.changed = &pair, info.ModTime()
	case c.pair == nil:
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return c.pair, nil // half a renewal keeps the old one in use
}
