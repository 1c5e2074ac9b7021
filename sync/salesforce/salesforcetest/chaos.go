package salesforcetest

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// chaos is every misbehaviour that was asked for.
type chaos struct {
	fails, tokenFails []*reply // answers to give instead, front first
	html              int
	lose, half        []loss
	loseToken         int
	delay             time.Duration
	blockedApps       map[string]bool
	missingApps       map[string]bool
	ipRestricted      bool
	orgLocked         bool
	apiDisabled       bool
	notValid          bool
	readOnly          bool
	storageFull       bool
	lockRows          int
	instance          string
}

type loss struct {
	match func(method, path string) bool
	n     int
}

// fate is what becomes of one request.
type fate struct {
	wait    time.Duration
	instead *reply
	drop    bool
	half    bool
}

func (c *chaos) decideLocked(method, path string) fate {
	f := fate{wait: c.delay}
	rest := strings.HasPrefix(path, "/services/data/v")
	token := path == "/services/oauth2/token"
	switch {
	case rest && len(c.fails) > 0:
		f.instead, c.fails = c.fails[0], c.fails[1:]
		return f
	case token && len(c.tokenFails) > 0:
		f.instead, c.tokenFails = c.tokenFails[0], c.tokenFails[1:]
		return f
	case rest && c.html > 0:
		c.html--
		f.instead = newReply(200, typeHTML, []byte("<html><head><title>Welcome</title></head><body><h1>Guest network</h1><p>Please accept the terms.</p></body></html>"))
		return f
	}
	f.drop = take(&c.lose, method, path)
	f.half = !f.drop && take(&c.half, method, path)
	if token && c.loseToken > 0 {
		c.loseToken--
		f.drop = true
	}
	return f
}

func take(list *[]loss, method, path string) bool {
	for i := range *list {
		l := &(*list)[i]
		if l.n > 0 && (l.match == nil || l.match(method, path)) {
			l.n--
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (o *Org) misbehave(change func(c *chaos)) {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.bad)
}

// FailNext makes the next n REST calls answer status and body without being performed. A body
// that starts with [ or { is sent as JSON, any other as HTML.
func (o *Org) FailNext(n, status int, body string) {
	o.misbehave(func(c *chaos) { c.fails = append(c.fails, repeat(n, status, body)...) })
}

// FailNextToken does the same to the token endpoint.
func (o *Org) FailNextToken(n, status int, body string) {
	o.misbehave(func(c *chaos) { c.tokenFails = append(c.tokenFails, repeat(n, status, body)...) })
}

func repeat(n, status int, body string) []*reply {
	kind := typeHTML
	if strings.HasPrefix(body, "[") || strings.HasPrefix(body, "{") {
		kind = typeJSON
	}
	out := make([]*reply, n)
	for i := range out {
		out[i] = newReply(status, kind, []byte(body))
	}
	return out
}

// LoseReply makes the next n requests that match be performed in full, and the connection be
// closed without an answer. path has no host and no site path; a nil match takes every request.
// match runs while the Org is locked.
func (o *Org) LoseReply(match func(method, path string) bool, n int) {
	o.misbehave(func(c *chaos) { c.lose = append(c.lose, loss{match, n}) })
}

// HalfReply is LoseReply with half of the answer's body sent before the connection closes.
func (o *Org) HalfReply(match func(method, path string) bool, n int) {
	o.misbehave(func(c *chaos) { c.half = append(c.half, loss{match, n}) })
}

// LoseTokenReply makes the token endpoint perform the next n requests, rotation included, and
// close the connection without an answer.
func (o *Org) LoseTokenReply(n int) { o.misbehave(func(c *chaos) { c.loseToken += n }) }

// Delay makes every request wait before it is performed; 0 ends it.
func (o *Org) Delay(d time.Duration) { o.misbehave(func(c *chaos) { c.delay = d }) }

// ServeHTML makes the next n REST calls answer 200 with a web page, as a captive portal does.
func (o *Org) ServeHTML(n int) { o.misbehave(func(c *chaos) { c.html += n }) }

// Calm ends every misbehaviour; blocked apps and deactivated users stay so.
func (o *Org) Calm() {
	o.misbehave(func(c *chaos) {
		*c = chaos{blockedApps: c.blockedApps, missingApps: c.missingApps, instance: c.instance}
	})
}

// BlockApp blocks an app as an administrator does: sign-in ends in OAUTH_APP_BLOCKED and every
// token of the app is dead.
func (o *Org) BlockApp(clientID string) {
	o.misbehave(func(c *chaos) {
		if c.blockedApps == nil {
			c.blockedApps = map[string]bool{}
		}
		c.blockedApps[clientID] = true
		o.auth.revoke(func(f *family) bool { return f.client == clientID })
	})
}

// UninstallApp makes sign-in with the app end in OAUTH_EC_APP_NOT_FOUND.
func (o *Org) UninstallApp(clientID string) {
	o.misbehave(func(c *chaos) {
		if c.missingApps == nil {
			c.missingApps = map[string]bool{}
		}
		c.missingApps[clientID] = true
	})
}

// DeactivateUser deactivates a user given by id or username: sign-in fails, refreshing answers
// "inactive user" and access tokens are dead.
func (o *Org) DeactivateUser(user string) {
	o.misbehave(func(*chaos) {
		if u := o.auth.user(user); u != nil {
			u.Inactive = true
			if r := o.data.find(u.ID); r != nil {
				o.data.set(&tx{}, r, map[string]any{"IsActive": false})
			}
		}
	})
}

// IPRestricted makes refreshing answer "ip restricted" while on.
func (o *Org) IPRestricted(on bool) { o.misbehave(func(c *chaos) { c.ipRestricted = on }) }

// LockOrg makes the token endpoint answer "inactive organization" while on.
func (o *Org) LockOrg(on bool) { o.misbehave(func(c *chaos) { c.orgLocked = on }) }

// APIDisabled makes REST calls answer 403 API_DISABLED_FOR_ORG while on.
func (o *Org) APIDisabled(on bool) { o.misbehave(func(c *chaos) { c.apiDisabled = on }) }

// NotValidForREST makes REST calls answer 401 "This session is not valid for use with the REST
// API" while on.
func (o *Org) NotValidForREST(on bool) { o.misbehave(func(c *chaos) { c.notValid = on }) }

// ReadOnly makes every write answer that maintenance is going on.
func (o *Org) ReadOnly(on bool) { o.misbehave(func(c *chaos) { c.readOnly = on }) }

// StorageFull makes every creation answer STORAGE_LIMIT_EXCEEDED while on.
func (o *Org) StorageFull(on bool) { o.misbehave(func(c *chaos) { c.storageFull = on }) }

// LockRows makes the next n record writes answer UNABLE_TO_LOCK_ROW.
func (o *Org) LockRows(n int) { o.misbehave(func(c *chaos) { c.lockRows = n }) }

// MoveInstance makes token answers name another instance URL from now on.
func (o *Org) MoveInstance(url string) { o.misbehave(func(c *chaos) { c.instance = url }) }

// ExpireLocators ends every query that has further pages.
func (o *Org) ExpireLocators() {
	o.misbehave(func(*chaos) { o.use.locators = map[string]*locator{} })
}

// ExpireAccess ends every access token; refresh tokens stay good.
func (o *Org) ExpireAccess() { o.misbehave(func(*chaos) { clear(o.auth.access) }) }

// Revoke ends every token of a user given by id or username.
func (o *Org) Revoke(user string) {
	o.misbehave(func(*chaos) {
		if u := o.auth.user(user); u != nil {
			o.auth.revoke(func(f *family) bool { return f.user == u.ID })
		}
	})
}

// movedHost is a host name that the org no longer uses.
type movedHost struct{ to string }

// Moved returns the handler of a legacy host that answers every request with a redirect to the
// given base address.
func Moved(to string) http.Handler { return movedHost{strings.TrimRight(to, "/")} }

// ServeHTTP redirects, POST included, as legacy hosts do.
func (m movedHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, m.to+r.URL.RequestURI(), http.StatusMovedPermanently)
}
