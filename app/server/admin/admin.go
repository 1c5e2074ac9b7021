package admin

import (
	"context"
	_ "embed" // the style sheet
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// Store is what the page needs of [provision.Store]: the nonces tell a form that is sent twice.
type Store interface {
	reqsig.NonceStore
	provision.Tenancy
	provision.Keys
	provision.Users
}

// Config is what a [Page] needs.
type Config struct {
	Store Store
	Vault *provision.Vault
	Base  string // "https://hawser.example.com": where browsers find this server
	Log   *slog.Logger
	// Allow says whether a request may be worked on: by an admin whose session was sealed here, or
	// by a stranger (""). The default allows everything.
	Allow func(r *http.Request, admin string) bool
	HTTP  *http.Client     // asks the sites; default: time-out of 10 s, no redirects
	Now   func() time.Time // default time.Now
}

// Page serves everything under /admin/. It is an [http.Handler].
type Page struct {
	cfg     Config
	signIn  *provision.AdminSignIn
	handler http.Handler
}

// root is where the page lives.
const root = "/admin/"

// SignInPath is where a tenant's admins begin. The tenant's id is in it, which nobody guesses: from
// the page alone a stranger learns of no company.
func SignInPath(tenant string) string { return root + "sign-in/" + url.PathEscape(tenant) }

// New returns the page, or an error naming what is missing.
func New(cfg Config) (*Page, error) {
	if cfg.Store == nil || cfg.Vault == nil || cfg.Log == nil || cfg.Base == "" {
		return nil, errors.New("admin: Store, Vault, Log and Base are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Allow == nil {
		cfg.Allow = func(*http.Request, string) bool { return true }
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	p := &Page{cfg: cfg, signIn: provision.NewAdminSignIn(cfg.HTTP, cfg.Now)}
	// A form of another site is stopped twice: here by what the browser says of its origin, and by
	// the session's token in the form. An origin is compared with the request's Host, or, when a
	// proxy rewrites that, with the address that browsers know.
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(cfg.Base); err != nil {
		return nil, err
	}
	guard.SetDenyHandler(p.open(func(*http.Request) (view, error) { return problemView(http.StatusForbidden, "cross-origin"), nil }))
	p.handler = guard.Handler(p.routes())
	return p, nil
}

func (p *Page) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, run := range map[string]func(*http.Request) (view, error){
		"GET /admin/sign-in/{tenant}":        p.chooseSite,
		"GET /admin/sign-in/{tenant}/{site}": p.beginSignIn,
		"GET /admin/callback":                p.endSignIn,
	} {
		mux.HandleFunc(pattern, p.open(run))
	}
	for pattern, run := range map[string]act{
		"GET /admin/{$}":                  home,
		"/admin/":                         nothing,
		"GET /admin/users":                p.users,
		"GET /admin/users/{id}":           p.user,
		"GET /admin/users/{id}/{change}":  p.askUser,
		"POST /admin/users/{id}/{change}": p.changeUser,
		"GET /admin/keys":                 p.keys,
		"GET /admin/keys/{id}/{change}":   p.askKey,
		"POST /admin/keys/{id}/{change}":  p.changeKey,
		"GET /admin/audit":                p.audit,
		"POST /admin/sign-out":            p.signOut,
	} {
		mux.HandleFunc(pattern, p.signed(run))
	}
	mux.HandleFunc("GET /admin/style.css", style)
	return mux
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if strings.HasPrefix(p.cfg.Base, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	p.handler.ServeHTTP(w, r)
}

// visit is one request of a proven admin.
type visit struct {
	session session
	tenant  reqsig.TenantID
	company provision.Tenant
	group   string // "" sees the whole tenant
	now     time.Time
}

// event is what the audit log keeps.
func (v *visit) event(action, subject string) provision.Event {
	return provision.Event{At: v.now, Actor: "admin:" + v.session.Account.UserID, Action: action, Subject: subject}
}

// act answers one request of a proven admin.
type act func(r *http.Request, v *visit) (view, error)

func home(*http.Request, *visit) (view, error) { return redirect(root + "users"), nil }

func nothing(*http.Request, *visit) (view, error) { return view{}, provision.ErrNotFound }

// maxForm bounds what a form may send, in bytes.
const maxForm = 8 << 10

// open answers requests of strangers.
func (p *Page) open(run func(*http.Request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.cfg.Allow(r, "") {
			p.write(w, r, nil, problemView(http.StatusTooManyRequests, "too-many"))
			return
		}
		out, err := run(r)
		p.write(w, r, nil, p.explained(r.Context(), out, err))
	}
}

// signed answers requests that carry a session, and sends everybody else to sign in.
func (p *Page) signed(run act) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, sealed := p.sessionOf(r)
		who := ""
		if sealed {
			who = s.Tenant + " " + s.Account.UserID
		}
		if !p.cfg.Allow(r, who) {
			p.write(w, r, nil, problemView(http.StatusTooManyRequests, "too-many"))
			return
		}
		v, why, err := p.admit(r.Context(), s, sealed)
		if err != nil || why != "" {
			out := outside(s.Tenant, why)
			p.write(w, r, nil, p.explained(r.Context(), out, err))
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if !s.owns(r.PostFormValue("token")) {
				p.write(w, r, v, problemView(http.StatusForbidden, "old-form"))
				return
			}
		}
		out, err := run(r, v)
		p.write(w, r, v, p.explained(r.Context(), out, err))
	}
}

// problems maps what the store says to what the admin reads.
var problems = []struct {
	err    error
	status int
	text   string
}{
	{provision.ErrNotFound, http.StatusNotFound, "not-found"},
	{provision.ErrState, http.StatusConflict, "state"},
	{provision.ErrTooMany, http.StatusConflict, "two-keys"},
	{errRepeated, http.StatusConflict, "repeated"},
}

// errRepeated says that a form was sent before.
var errRepeated = errors.New("form was sent before")

// explained turns an error into a page, and logs the ones that nobody outside can mend.
func (p *Page) explained(ctx context.Context, out view, err error) view {
	if err == nil {
		return out
	}
	for _, one := range problems {
		if errors.Is(err, one.err) {
			return problemView(one.status, one.text)
		}
	}
	var refused *provision.Problem
	if errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable {
		p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "site does not answer", slog.Any("err", err))
		return problemView(http.StatusServiceUnavailable, "site-down")
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelError, "page failed", slog.Any("err", err))
	return problemView(http.StatusInternalServerError, "internal")
}
