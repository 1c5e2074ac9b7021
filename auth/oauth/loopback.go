package oauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"hawser/sync/fault"
)

const (
	maxConnections = 1024
	maxHeader      = 16 << 10
	headerTimeout  = 5 * time.Second
	resultPath     = "/hawser/result"
	// resultWait is how long the browser may take to fetch the result page.
	resultWait = 2 * time.Second
	anyPortTry = 20
)

// loopback waits for the browser at the callback address, on this computer only.
type loopback struct {
	redirect string // the callback URL
	host     string // host:port that the browser must name
	path     string
	state    string
	origin   string // of the provider's login page

	servers []*http.Server
	wg      sync.WaitGroup

	taken   atomic.Bool
	arrived chan url.Values
	done    chan struct{} // closed when title and text are set
	shown   chan struct{} // closed when the result page was fetched
	once    sync.Once
	title   string
	text    string
}

// listen binds the callback port before any browser opens. For a registered callback both
// 127.0.0.1 and ::1 must be free: localhost may mean either, and a stranger on the other one
// would receive the code.
func listen(ctx context.Context, a *attempt) (*loopback, error) {
	p := a.Provider
	if len(p.Callbacks) == 0 {
		host := "127.0.0.1"
		if p.Kind == Microsoft { // whose registration only knows this name
			host = "localhost"
		}
		for range anyPortTry {
			if ls, port := bindAny(ctx, host); ls != nil {
				return serve(a, ls, &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/"})
			}
		}
		return nil, fault.New(fault.PortsBusy, "listen for callback", nil)
	}
	for _, raw := range p.Callbacks {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) || u.Port() == "" || u.Path == "" || u.RawQuery != "" {
			return nil, fault.New(fault.ConfigInvalid, "listen for callback", errors.New("a callback must be http on localhost with a port and a path"))
		}
		if ls := bind(ctx, u.Hostname(), u.Port()); ls != nil {
			return serve(a, ls, u)
		}
	}
	return nil, fault.New(fault.PortsBusy, "listen for callback", nil)
}

// bindAny binds a free port; on localhost the same one on both addresses.
func bindAny(ctx context.Context, host string) ([]net.Listener, string) {
	lc := net.ListenConfig{Control: exclusive}
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, ""
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if host != "localhost" {
		return []net.Listener{l}, port
	}
	l6, ok := bindOne(ctx, "tcp6", "::1", port)
	if !ok {
		_ = l.Close()
		return nil, ""
	}
	return compact(l, l6), port
}

// bind binds a port on every address that host means, or returns nil.
func bind(ctx context.Context, host, port string) []net.Listener {
	var l4, l6 net.Listener
	ok := true
	if host != "::1" {
		l4, ok = bindOne(ctx, "tcp4", "127.0.0.1", port)
	}
	if ok && host != "127.0.0.1" {
		l6, ok = bindOne(ctx, "tcp6", "::1", port)
	}
	ls := compact(l4, l6)
	if !ok || len(ls) == 0 {
		for _, l := range ls {
			_ = l.Close()
		}
		return nil
	}
	return ls
}

// bindOne returns no listener and true where this computer does not have the address at all.
func bindOne(ctx context.Context, network, ip, port string) (net.Listener, bool) {
	lc := net.ListenConfig{Control: exclusive}
	l, err := lc.Listen(ctx, network, net.JoinHostPort(ip, port))
	if err == nil {
		return l, true
	}
	return nil, noAddress(err)
}

func compact(ls ...net.Listener) []net.Listener {
	var out []net.Listener
	for _, l := range ls {
		if l != nil {
			out = append(out, l)
		}
	}
	return out
}

func serve(a *attempt, ls []net.Listener, callback *url.URL) (*loopback, error) {
	lb := &loopback{
		redirect: callback.String(), host: callback.Host, path: callback.Path, state: a.state,
		arrived: make(chan url.Values, 1), done: make(chan struct{}), shown: make(chan struct{}),
	}
	if u, err := url.Parse(a.Provider.AuthorizeURL); err == nil {
		lb.origin = u.Scheme + "://" + u.Host
	}
	for _, l := range ls {
		srv := &http.Server{
			Handler: lb, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, IdleTimeout: headerTimeout,
			MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0),
		}
		lb.servers = append(lb.servers, srv)
		lb.wg.Go(func() { _ = srv.Serve(netutil.LimitListener(l, maxConnections)) })
	}
	return lb, nil
}

// wait returns the first callback with the right state.
func (l *loopback) wait(ctx context.Context) (url.Values, error) {
	select {
	case q := <-l.arrived:
		return q, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// finish tells the browser that waits, if one does, how it ended.
func (l *loopback) finish(title, text string) {
	l.title, l.text = title, text
	close(l.done)
	if !l.taken.Load() {
		return
	}
	select {
	case <-l.shown:
	case <-time.After(resultWait):
	}
}

// close returns when no connection and no goroutine is left.
func (l *loopback) close() {
	for _, s := range l.servers {
		_ = s.Close()
	}
	l.wg.Wait()
}

// ServeHTTP answers the callback, its preflight and the result page. All else is a stranger.
func (l *loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !strings.EqualFold(r.Host, l.host): // DNS rebinding
		http.Error(w, "wrong host", http.StatusBadRequest)
	case r.URL.Path != l.path && r.URL.Path != resultPath:
		http.Error(w, "not found", http.StatusNotFound)
	case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Private-Network") == "true":
		// A public page's way to this computer needs this leave (Private Network Access).
		h.Set("Access-Control-Allow-Origin", l.origin)
		h.Set("Access-Control-Allow-Methods", http.MethodGet)
		h.Set("Access-Control-Allow-Private-Network", "true")
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.Header.Get("Origin") != "" && r.Header.Get("Origin") != "null": // a script, not a navigation
		http.Error(w, "not for scripts", http.StatusForbidden)
	case r.URL.Path == resultPath:
		l.result(w)
	default:
		l.callback(w, r)
	}
}

func (l *loopback) callback(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	state := q["state"]
	if err != nil || len(state) != 1 || subtle.ConstantTimeCompare([]byte(state[0]), []byte(l.state)) != 1 || !l.taken.CompareAndSwap(false, true) {
		render(w, http.StatusBadRequest, "This sign-in is out of date", "Close this tab and return to Hawser.")
		return
	}
	l.arrived <- q
	select {
	case <-l.done: // the outcome is worth the second that it takes
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Location", resultPath) // away from the code in the address bar
	w.WriteHeader(http.StatusSeeOther)
}

func (l *loopback) result(w http.ResponseWriter) {
	select {
	case <-l.done:
	default:
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Connection", "close")
	render(w, http.StatusOK, l.title, l.text)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	l.once.Do(func() { close(l.shown) })
}

const pageStyle = `body{font:1.1em/1.5 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1.5em;color:#1d2733;background:#fff}h1{font-size:1.5em}`

var (
	resultPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Hawser</title>` +
		`<style>` + pageStyle + `</style><main><h1>{{.Title}}</h1><p id="text">{{.Text}}</p></main></html>`))
	pagePolicy = func() string {
		sum := sha256.Sum256([]byte(pageStyle))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}()
)

// render writes a page of fixed words: nothing from the request is ever in it.
func render(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	var page bytes.Buffer
	_ = resultPage.Execute(&page, struct{ Title, Text string }{title, text}) // two strings into memory
	// With its length known the page is whole once it is flushed, even if the listener closes then.
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}
