package provision

import (
	"context"
	_ "embed" // the description
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hawser/auth/reqsig"
)

// ServerConfig is what a [Server] needs.
type ServerConfig struct {
	Store     Store
	Vault     *Vault
	Authority string // host by which clients know this server, see [reqsig.Config]
	Log       *slog.Logger
	HTTP      *http.Client     // reads the issuers' keys; default: 10 s time-out, no redirects
	Now       func() time.Time // default time.Now
	Interval  time.Duration    // between an agent's check-ins; default 45 s
}

// Server answers the protocol under /v1. It is an http.Handler.
type Server struct {
	cfg      ServerConfig
	verifier *reqsig.Verifier
	issuers  *issuers
	handler  http.Handler
}

// OpenAPI is the description of the protocol, as served at /v1/openapi.json.
//
//go:embed openapi.json
var OpenAPI []byte

// NewServer returns a server, or an error naming what is missing.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Store == nil || cfg.Vault == nil || cfg.Log == nil {
		return nil, errors.New("provision: Store, Vault and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Interval == 0 {
		cfg.Interval = 45 * time.Second
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second, CheckRedirect: noRedirect}
	}
	v, err := reqsig.NewVerifier(reqsig.Config{
		Keys: keySource{cfg.Store, cfg.Vault}, Nonces: cfg.Store, Authority: cfg.Authority, Now: cfg.Now,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, verifier: v, issuers: &issuers{http: cfg.HTTP, now: cfg.Now}}
	s.handler = reqsig.Dated(cfg.Now, http.HandlerFunc(s.serve))
	return s, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// call is one verified request.
type call struct {
	tenant reqsig.TenantID
	key    *Key   // not to be changed
	id     string // the {id} of the path
	query  map[string][]string
	body   []byte
	now    time.Time
}

// event is what the audit log keeps of the call.
func (c *call) event(action, subject string) Event {
	return Event{At: c.now, Actor: c.key.ID, Action: action, Subject: subject}
}

// route is a call that exists for some roles. For every other key it does not exist.
type route struct {
	method, path string // one segment may be {id}
	roles        []reqsig.Role
	run          func(*Server, context.Context, *call) (int, any, error)
}

// routes is the whole protocol: which key may call what.
var routes = []route{
	{"PUT", "/v1/users/{id}", []reqsig.Role{RoleTenant}, (*Server).putUser},
	{"GET", "/v1/users/{id}", []reqsig.Role{RoleTenant}, (*Server).getUser},
	{"GET", "/v1/users", []reqsig.Role{RoleTenant}, (*Server).listUsers},
	{"POST", "/v1/users/{id}/suspend", []reqsig.Role{RoleTenant}, setState(Suspended, "user.suspend")},
	{"POST", "/v1/users/{id}/resume", []reqsig.Role{RoleTenant}, setState(Active, "user.resume")},
	{"POST", "/v1/users/{id}/deprovision", []reqsig.Role{RoleTenant}, setState(Deprovisioned, "user.deprovision")},
	{"POST", "/v1/users/{id}/code", []reqsig.Role{RoleTenant}, (*Server).issueCode},
	{"GET", "/v1/counts", []reqsig.Role{RoleTenant}, (*Server).counts},
	{"PUT", "/v1/policy", []reqsig.Role{RoleTenant}, (*Server).putPolicy},
	{"GET", "/v1/setup", []reqsig.Role{RoleCode, RoleDeployment}, (*Server).setup},
	{"POST", "/v1/register", []reqsig.Role{RoleCode, RoleDeployment}, (*Server).register},
	{"GET", "/v1/policy", []reqsig.Role{RoleDevice}, (*Server).getPolicy},
	{"POST", "/v1/checkin", []reqsig.Role{RoleDevice}, (*Server).checkIn},
	{"POST", "/v1/wiped", []reqsig.Role{RoleDevice}, (*Server).wiped},
	{"POST", "/v1/leave", []reqsig.Role{RoleDevice}, (*Server).leave},
}

// match reports whether the route is meant, and the path's {id}.
func (rt route) match(method, path string) (id string, ok bool) {
	if rt.method != method {
		return "", false
	}
	for want, more := rt.path, true; more; {
		var have, one string
		var both bool
		one, want, more = strings.Cut(want, "/")
		have, path, both = strings.Cut(path, "/")
		switch {
		case more != both:
			return "", false
		case one == "{id}" && externalID.MatchString(have):
			id = have
		case one != have:
			return "", false
		}
	}
	return id, true
}

// Values of headers, the same in all answers. Nobody changes them.
var (
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"], h["X-Content-Type-Options"], h["Content-Type"] = noStore, noSniff, jsonType
	if r.Method == http.MethodGet && r.RequestURI == "/v1/openapi.json" {
		_, _ = w.Write(OpenAPI)
		return
	}
	status, out, err := s.answer(r)
	if err != nil {
		p := s.explain(r.Context(), err)
		if p.Status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Signature realm="hawserd"`)
		}
		if p.Status == http.StatusServiceUnavailable {
			h.Set("Retry-After", "30")
		}
		status, out = p.Status, p
		h["Content-Type"] = problemType
	}
	body, err := encode(out)
	if err != nil {
		s.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "answer not written", slog.Any("err", err))
		status, body = http.StatusInternalServerError, nil
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func encode(out any) ([]byte, error) {
	if o, ok := out.(*CheckInOut); ok {
		if body, ok := o.plainAnswer(); ok {
			return body, nil
		}
	}
	return json.Marshal(out)
}

// answer verifies first: nothing of an unsigned request is looked at, its path included.
func (s *Server) answer(r *http.Request) (int, any, error) {
	v, err := s.verifier.Verify(r)
	if err != nil {
		return 0, nil, err
	}
	key, ok := v.Record.(*Key)
	if !ok {
		return 0, nil, errors.New("key source gave no key")
	}
	var query url.Values
	if r.URL.RawQuery != "" {
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
		}
	}
	for _, rt := range routes {
		if !slices.Contains(rt.roles, v.Role) {
			continue
		}
		id, ok := rt.match(r.Method, r.URL.Path)
		if !ok {
			continue
		}
		return rt.run(s, r.Context(), &call{tenant: v.Tenant, key: key, id: id, query: query, body: v.Body, now: s.cfg.Now()})
	}
	return 0, nil, ErrNotFound
}

// answers maps what the store says to what the caller hears.
var answers = []struct {
	err    error
	status int
	code   string
}{
	{ErrNotFound, http.StatusNotFound, CodeNotFound},
	{ErrConflict, http.StatusConflict, CodeConflict},
	{ErrBound, http.StatusConflict, CodeBound},
	{ErrState, http.StatusConflict, CodeState},
	{ErrOlder, http.StatusConflict, CodeOlder},
	{ErrSpent, http.StatusGone, CodeSpent},
	{ErrBusy, http.StatusServiceUnavailable, reqsig.CodeUnavailable},
}

// explain turns an error into an answer, and logs the ones that nobody outside can mend.
func (s *Server) explain(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		if p.Status >= 500 {
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "request failed", slog.Any("err", err))
		}
		return p
	}
	var ref *reqsig.Refusal
	if errors.As(err, &ref) {
		if ref.Status >= 500 {
			s.cfg.Log.LogAttrs(ctx, slog.LevelError, "request not checked", slog.Any("err", ref.Err))
		}
		return problem(ref.Status, ref.Code)
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return problem(a.status, a.code)
		}
	}
	s.cfg.Log.LogAttrs(ctx, slog.LevelError, "request failed", slog.Any("err", err))
	return problem(http.StatusInternalServerError, CodeInternal)
}

// read takes the call's body, which has to be of the protocol to the last byte.
func (c *call) read(out any) error {
	if err := strict(c.body, out); err != nil {
		return problem(http.StatusBadRequest, CodeInvalid)
	}
	return nil
}

// empty demands that there is nothing in the body, or an empty object.
func (c *call) empty() error {
	if len(c.body) == 0 {
		return nil
	}
	return c.read(&struct{}{})
}

// only returns the query's values of the named parameters, and refuses others and repeated ones.
func (c *call) only(names ...string) (map[string]string, error) {
	if len(c.query) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for name, values := range c.query {
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known || len(values) != 1 {
			return nil, problem(http.StatusBadRequest, CodeInvalid)
		}
		out[name] = values[0]
	}
	return out, nil
}
