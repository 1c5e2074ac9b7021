package salesforcetest

import (
	"crypto/subtle"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
)

// cookieName is the browser's session with the org; cookies ignore ports, so it must not
// meet the cookie of another pretend service on localhost.
const cookieName = "sf_sid"

//go:embed login.html
var loginHTML string

var signInPages = template.Must(template.New("sign-in").Parse(loginHTML))

// errorPage is the answer to an authorization request that must not be sent to its callback.
func errorPage(code, description string) *reply {
	return htmlReply(400, signInPages.Lookup("error"), map[string]string{"Code": code, "Text": description,
		"Query": "error=" + code + "&error_description=" + url.PathEscape(description)})
}

func (o *Org) browserLocked(r *http.Request) *User {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	u := o.auth.users[key15(o.auth.browsers[c.Value])]
	if u == nil || u.Inactive {
		return nil
	}
	return u
}

// loginLocked shows the login form and takes it.
func (o *Org) loginLocked(r *http.Request, site string, form url.Values) *reply {
	key := form.Get("auth")
	p := o.auth.pending[key]
	if p == nil {
		return errorPage("invalid_request", "this sign-in is over; start again from the application")
	}
	data := map[string]string{"Action": site + "/login", "Auth": key, "User": p.hint, "Site": "Acme Partners"}
	if r.Method != "POST" {
		return htmlReply(200, signInPages.Lookup("login"), data)
	}
	u := o.auth.byName(form.Get("username"))
	right := u != nil && subtle.ConstantTimeCompare([]byte(form.Get("password")), []byte(u.Password)) == 1
	member := u != nil && (site != "" || !o.External || u.UserType == "Standard")
	if !right || !member || u.Inactive {
		data["User"] = form.Get("username")
		data["Error"] = "Please check your username and password. If you still can't log in, contact your administrator."
		return htmlReply(200, signInPages.Lookup("login"), data)
	}
	sid := random(24)
	o.auth.browsers[sid] = u.ID
	to := redirect(site + "/consent?auth=" + url.QueryEscape(key))
	c := http.Cookie{Name: cookieName, Value: sid, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil}
	to.header.Set("Set-Cookie", c.String())
	return to
}

// consentLocked asks for the user's consent and acts on it.
func (o *Org) consentLocked(r *http.Request, site string, form url.Values) *reply {
	key := form.Get("auth")
	p := o.auth.pending[key]
	if p == nil {
		return errorPage("invalid_request", "this sign-in is over; start again from the application")
	}
	u := o.browserLocked(r)
	if u == nil {
		return redirect(site + "/login?auth=" + url.QueryEscape(key))
	}
	app := o.auth.apps[p.client]
	if r.Method != "POST" {
		return htmlReply(200, signInPages.Lookup("consent"), map[string]any{"Action": site + "/consent", "Auth": key,
			"App": app.Name, "User": u.Username, "Scopes": p.scopes, "Site": "Acme Partners"})
	}
	delete(o.auth.pending, key)
	switch {
	case form.Get("decision") != "approve":
		return p.back("access_denied", "end-user denied authorization")
	case !p.allowed(app):
		return p.back("invalid_scope", "the requested scope is invalid")
	}
	c := "aPrx" + random(45) + "=="
	o.auth.codes[c] = &code{pending: *p, user: u.ID, made: o.now()}
	v := url.Values{"code": {c}}
	if site != "" && o.External {
		v.Set("sfdc_community_url", o.hostsLocked(r).site)
		v.Set("sfdc_community_id", o.firstIDLocked("Network"))
	}
	return p.callback(v)
}
