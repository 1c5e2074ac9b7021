package oauthtest

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var pages = template.Must(template.New("").Parse(`
{{define "head"}}<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title><style>body{font:16px system-ui;max-width:26em;margin:4em auto;padding:0 1em}
label,input,button{display:block;margin:.5em 0;font:inherit}input[type=checkbox]{display:inline}</style><h1>{{.Title}}</h1>{{end}}
{{define "login"}}{{template "head" .}}{{with .Problem}}<p role="alert" id="problem">{{.}}</p>{{end}}
<form method="post" action="{{.Action}}"><input type="hidden" name="request" value="{{.Request}}">
<label for="username">User name</label><input id="username" name="username" value="{{.Hint}}" autocomplete="off">
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="off">
<button id="login">Log in</button></form>{{end}}
{{define "consent"}}{{template "head" .}}<p>Signed in as <b id="who">{{.User}}</b>. {{.Client}} asks for:</p>
<form method="post" action="{{.Action}}"><input type="hidden" name="request" value="{{.Request}}">
{{range .Scopes}}<label><input type="checkbox" name="scope" value="{{.}}" checked> {{.}}</label>{{end}}
<button id="approve" name="answer" value="approve">Allow</button> <button id="deny" name="answer" value="deny">Deny</button></form>{{end}}
{{define "error"}}{{template "head" .}}<p id="error">{{.Problem}}</p>{{end}}
`))

type page struct {
	Title, Problem, Action, Request, Hint, User, Client string
	Scopes                                              []string
}

func render(w http.ResponseWriter, status int, name string, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, p)
}

func (s *Issuer) title() string {
	return [...]string{"Pretend mail provider", "Pretend Google", "Pretend Microsoft", "Pretend Salesforce"}[s.Flavour]
}

// problem shows an error that must not be sent to the callback, as it may not be the client's.
func (s *Issuer) problem(w http.ResponseWriter, code, description string) {
	render(w, http.StatusBadRequest, "error", page{Title: s.title(), Problem: fmt.Sprintf("error=%s&error_description=%s", code, description)})
}

func (s *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.Form
	c, ok := s.client(q.Get("client_id"))
	if !ok {
		s.problem(w, s.dialect("invalid_client_id", "unauthorized_client"), s.dialect("client identifier invalid", "AADSTS700016: Application was not found in the directory"))
		return
	}
	if !s.redirectOK(c, q.Get("redirect_uri")) {
		s.problem(w, s.dialect("redirect_uri_mismatch", "invalid_request"), s.dialect("redirect_uri must match configuration", "AADSTS50011: The redirect URI does not match"))
		return
	}
	if q.Get("code_challenge") == "" && !s.NoPKCE {
		s.problem(w, "invalid_request", "missing required code challenge")
		return
	}
	p := &pending{
		client: c.ID, redirect: q.Get("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge"),
		nonce: q.Get("nonce"), offline: q.Get("access_type") == "offline",
		consent: slices.Contains(strings.Fields(q.Get("prompt")), "consent"), scopes: strings.Fields(q.Get("scope")),
	}
	if m := q.Get("code_challenge_method"); m != "" && m != "S256" {
		s.finish(w, r, p, url.Values{"error": {"invalid_request"}, "error_description": {"only S256"}})
		return
	}
	for _, scope := range p.scopes {
		if c.Scopes != nil && !slices.Contains(c.Scopes, scope) {
			s.finish(w, r, p, url.Values{"error": {"invalid_scope"}, "error_description": {"the requested scope is invalid"}})
			return
		}
	}
	id := random("req")
	s.mu.Lock()
	if s.pending == nil {
		s.pending = map[string]*pending{}
	}
	s.pending[id] = p
	s.mu.Unlock()
	render(w, http.StatusOK, "login", page{Title: s.title(), Action: s.base(r) + "/login", Request: id, Hint: q.Get("login_hint")})
}

// dialect picks the Microsoft wording where it differs.
func (s *Issuer) dialect(common, microsoft string) string {
	if s.Flavour == Microsoft {
		return microsoft
	}
	return common
}

// redirectOK compares a callback with the client's. Google and Microsoft ignore the port of
// their loopback name (RFC 8252 section 7.3); Salesforce compares the whole string.
func (s *Issuer) redirectOK(c Client, redirect string) bool {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" {
		return false
	}
	if slices.Contains(c.Redirects, redirect) {
		return true
	}
	host := u.Hostname()
	loopback := host == "localhost" || host == "127.0.0.1" || host == "::1"
	switch {
	case s.Flavour == Salesforce && len(c.Redirects) > 0:
		return false
	case s.Flavour == Google:
		return u.Scheme == "http" && host == "127.0.0.1"
	case s.Flavour == Microsoft:
		return u.Scheme == "http" && host == "localhost"
	}
	return u.Scheme == "http" && loopback && len(c.Redirects) == 0
}

func (s *Issuer) waiting(id string) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[id]
}

func (s *Issuer) login(w http.ResponseWriter, r *http.Request) {
	id := r.PostForm.Get("request")
	p := s.waiting(id)
	if p == nil {
		s.problem(w, "invalid_request", "this login page is too old")
		return
	}
	u := s.find(r.PostForm.Get("username"))
	if u == nil || u.Password != r.PostForm.Get("password") {
		render(w, http.StatusOK, "login", page{Title: s.title(), Action: s.base(r) + "/login", Request: id,
			Hint: r.PostForm.Get("username"), Problem: "User name or password is wrong."})
		return
	}
	s.mu.Lock()
	p.user = u
	s.mu.Unlock()
	render(w, http.StatusOK, "consent", page{Title: s.title(), Action: s.base(r) + "/consent", Request: id,
		User: u.Email, Client: p.client, Scopes: p.scopes})
}

func (s *Issuer) consent(w http.ResponseWriter, r *http.Request) {
	id := r.PostForm.Get("request")
	s.mu.Lock()
	p := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if p == nil || p.user == nil {
		s.problem(w, "invalid_request", "this consent page is too old")
		return
	}
	m := s.take(func(m Mischief) bool { return m.ConsentError != "" || m.Callback != nil || m.DropScopes != nil })
	switch {
	case m.ConsentError != "" && m.ErrorPage:
		s.problem(w, m.ConsentError, m.ConsentDescription)
	case m.ConsentError != "":
		s.finish(w, r, p, url.Values{"error": {m.ConsentError}, "error_description": {m.ConsentDescription}})
	case r.PostForm.Get("answer") != "approve":
		s.finish(w, r, p, url.Values{"error": {"access_denied"},
			"error_description": {s.dialect("end-user denied authorization", "AADSTS65004: User declined to consent")}})
	default:
		v := url.Values{"code": {s.code(p, r.PostForm["scope"], m.DropScopes)}}
		for name, value := range m.Callback {
			v.Set(name, value)
		}
		s.finish(w, r, p, v)
	}
}

func (s *Issuer) code(p *pending, granted, dropped []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted = slices.DeleteFunc(slices.Clone(granted), func(scope string) bool { return slices.Contains(dropped, scope) })
	g := &grant{pending: *p, family: random("fam"), granted: granted, expires: time.Now().Add(orElse(s.CodeLife, 15*time.Minute))}
	if s.codes == nil {
		s.codes = map[string]*grant{}
	}
	// The equals signs are there because Salesforce's codes have them: they must be decoded once.
	code := random("code") + "=="
	s.codes[code] = g
	return code
}

// finish sends the browser to the callback. A parameter that is set to "" is left out.
func (s *Issuer) finish(w http.ResponseWriter, r *http.Request, p *pending, v url.Values) {
	u, err := url.Parse(p.redirect)
	if err != nil {
		s.problem(w, "invalid_request", "bad redirect")
		return
	}
	if _, set := v["state"]; !set && p.state != "" {
		v.Set("state", p.state)
	}
	if _, set := v["iss"]; !set && s.PromiseIss {
		v.Set("iss", s.base(r))
	}
	if s.Flavour == Salesforce && s.CommunityURL != "" {
		v.Set("sfdc_community_url", s.CommunityURL)
		v.Set("sfdc_community_id", communityID)
	}
	for name := range v {
		if v.Get(name) == "" {
			v.Del(name)
		}
	}
	u.RawQuery = v.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}
