package admin_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"hawser/app/server/admin"
	"hawser/auth/oauth/oauthtest"
	"hawser/auth/provision"
	"hawser/auth/provision/provisiontest"
	"hawser/sync/salesforce/salesforcetest"
)

// everywhere runs a test on every kind of store.
func everywhere(t *testing.T, run func(t *testing.T, w *world)) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newWorld(t, open(t)))
		})
	}
}

var secretField = regexp.MustCompile(`<input id="secret"[^>]* value="([^"]+)"`)

// TestL04AdminPage: the admin of a company sees its users and does to them what its key may, in the
// same audit log.
func TestL04AdminPage(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		b := w.signedIn("boss@acme.example")
		me := "admin:" + w.boss.ID
		if got := w.events(1); got != me+" admin.signin "+w.boss.ID {
			t.Errorf("the log says %q of a sign-in", got)
		}
		page := text(b.get(200, "/admin/users"))
		for _, want := range []string{"acme", "Whole company", "p-ann", "q-bob@acme.example", "1.4.0", "5 min ago", "Active 4", "Computers 4 4 in contact", "Mails waiting 16"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in %s", want, page)
			}
		}
		w.computer(w.acme, "p-ann", 99, provision.Report{Version: "1.5.0", OS: "windows", Fault: "token-revoked", Counts: provision.Counts{Waiting: 3}})
		if page = text(b.get(200, "/admin/users/p-ann")); !strings.Contains(page, "Needs the user token-revoked") || !strings.Contains(page, "windows") {
			t.Errorf("the second computer is missing: %s", page)
		}

		page = text(b.post(200, "/admin/users/p-ann/suspend", nil))
		if w.state("p-ann") != provision.Suspended || !strings.Contains(page, "p-ann is suspended.") {
			t.Errorf("suspended: %s, %s", w.state("p-ann"), page)
		}
		if strings.Contains(text(b.get(200, "/admin/users/p-ann")), "p-ann is suspended.") {
			t.Error("the message stays")
		}
		b.post(200, "/admin/users/p-ann/resume", nil)
		if page = text(b.get(200, "/admin/users/p-ann/deprovision")); !strings.Contains(page, "wait on these computers now: 7.") {
			t.Errorf("nothing is said of what is lost: %s", page)
		}
		b.post(200, "/admin/users/p-ann/deprovision", nil)
		if got := w.events(3); got != me+" user.deprovision p-ann\n"+me+" user.resume p-ann\n"+me+" user.suspend p-ann" {
			t.Errorf("the log says %q", got)
		}
		if page = b.get(409, "/admin/users/p-ann/resume"); !strings.Contains(page, "provision them once more") {
			t.Errorf("resuming somebody deprovisioned: %s", text(page))
		}
		if page = text(b.get(200, "/admin/users/p-ann")); !strings.Contains(page, "Deleting") || strings.Contains(page, "Make a one-time code") {
			t.Errorf("somebody deprovisioned: %s", page)
		}
		page = text(b.get(200, "/admin/audit"))
		for _, want := range []string{"User deprovisioned p-ann Admin " + w.boss.ID, "Operator of the server", "Admin signed in"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in the log: %s", want, page)
			}
		}
	})
}

// TestL04CodeOnce: a code opens a registration, and is not shown again by sending the form again.
func TestL04CodeOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		b := w.signedIn("boss@acme.example")
		values := form(b.get(200, "/admin/users/p-ann/code"))
		_, page, h := b.do(http.MethodPost, "/admin/users/p-ann/code", values, nil)
		m := secretField.FindStringSubmatch(page)
		if m == nil || h.Get("Cache-Control") != "no-store" {
			t.Fatalf("no code, or one that is kept: %s", text(page))
		}
		code, err := provision.ParseCredential(m[1])
		w.ok(err)
		k, err := w.store.Key(t.Context(), code.ID)
		w.ok(err)
		if k.User != "p-ann" || k.Role != provision.RoleCode || k.Tenant != w.acme.String() {
			t.Errorf("the code is %+v", k)
		}
		status, page, _ := b.do(http.MethodPost, "/admin/users/p-ann/code", values, nil)
		if status != 409 || secretField.MatchString(page) || !strings.Contains(page, "make another one") {
			t.Errorf("sent again: %d %s", status, text(page))
		}
		if got := w.events(1); got != "admin:"+w.boss.ID+" code.issue p-ann" {
			t.Errorf("the log says %q", got)
		}
	})
}

// TestB33KeyReplaced: a second key is made, shown once, and the old one ends when chosen.
func TestB33KeyReplaced(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		b := w.signedIn("boss@acme.example")
		page := b.post(200, "/admin/keys/"+w.key.ID+"/rotate", url.Values{"when": {"day"}})
		m := secretField.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no key: %s", text(page))
		}
		fresh, err := provision.ParseCredential(m[1])
		w.ok(err)
		old, err := w.store.Key(t.Context(), w.key.ID)
		w.ok(err)
		if left := time.Until(old.NotAfter); left < 23*time.Hour || left > 25*time.Hour {
			t.Errorf("the old key ends in %v", left)
		}
		page = text(b.get(200, "/admin/keys"))
		if !strings.Contains(page, fresh.ID) || strings.Contains(page, m[1]) || !strings.Contains(page, "Ends ") {
			t.Errorf("the list: %s", page)
		}
		// Two live: a third is refused, and nothing ends because of it.
		if page = b.post(409, "/admin/keys/"+fresh.ID+"/rotate", url.Values{"when": {"now"}}); !strings.Contains(page, "Two keys live already") {
			t.Errorf("a third key: %s", text(page))
		}
		if k, err := w.store.Key(t.Context(), fresh.ID); err != nil || !k.NotAfter.IsZero() {
			t.Errorf("the new key ends at %v: %v", k.NotAfter, err)
		}
		// Nothing makes a key live longer.
		b.post(200, "/admin/keys/"+w.key.ID+"/end", url.Values{"when": {"month"}})
		if k, err := w.store.Key(t.Context(), w.key.ID); err != nil || !k.NotAfter.Equal(old.NotAfter) {
			t.Errorf("the old key ends at %v: %v", k.NotAfter, err)
		}
		b.post(200, "/admin/keys/"+w.key.ID+"/end", url.Values{"when": {"now"}})
		w.pass(time.Second)
		b.get(404, "/admin/keys/"+w.key.ID+"/rotate") // an ended key does not come back
		if page = text(b.get(200, "/admin/keys/"+fresh.ID+"/end")); !strings.Contains(page, "the only key of its kind") {
			t.Errorf("no warning: %s", page)
		}
		status, page, _ := b.do(http.MethodPost, "/admin/keys/"+fresh.ID+"/end", form(b.get(200, "/admin/keys/"+fresh.ID+"/end")), nil)
		if status != 400 {
			t.Errorf("an end without a time: %d %s", status, text(page))
		}
	})
}

// TestL04GroupAdminSeesNoOther: the admin of group p sees no user, key or event of group q, and what
// is asked for by name looks as if it did not exist.
func TestL04GroupAdminSeesNoOther(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		own, foreign := w.newKey(w.acme, "p"), w.newKey(w.acme, "q")
		w.signedIn("boss@acme.example").post(200, "/admin/users/q-ann/suspend", nil)
		_, err := w.store.SetUserState(t.Context(), w.acme, "q-ann", provision.Active, w.event("user.resume", "q-ann"))
		w.ok(err)
		b := w.signedIn("pat@acme.example")
		for _, path := range []string{
			"/admin/users", "/admin/users?q=q", "/admin/users?q=q-ann@acme", "/admin/users?group=q", "/admin/users?after=p-zed", "/admin/users?q=q&group=p",
			"/admin/users/p-ann", "/admin/keys", "/admin/audit",
		} {
			page := b.get(200, path)
			main := page[strings.Index(page, "<main"):]
			for _, hidden := range []string{"q-ann", "q-bob", foreign.ID, w.key.ID} {
				if strings.Contains(strings.ReplaceAll(main, `value="q-ann@acme"`, ""), hidden) && !strings.Contains(path, hidden) {
					t.Errorf("%s shows %s: %s", path, hidden, text(page))
				}
			}
			if strings.Contains(main, ">q-") || strings.Contains(main, "q-ann@acme.example") {
				t.Errorf("%s shows a user of q: %s", path, text(page))
			}
		}
		page := text(b.get(200, "/admin/users"))
		if !strings.Contains(page, "Group p") || !strings.Contains(page, "Active 2") || !strings.Contains(page, "Mails waiting 8") || !strings.Contains(page, "p-bob") {
			t.Errorf("the group's page: %s", page)
		}
		if page = text(b.get(200, "/admin/keys")); !strings.Contains(page, own.ID) {
			t.Errorf("the group's keys: %s", page)
		}
		if page = text(b.get(200, "/admin/audit")); !strings.Contains(page, "p-ann") || strings.Contains(page, "Company") || strings.Contains(page, w.boss.ID) {
			t.Errorf("the group's log: %s", page)
		}
		// The same shape for what is another's, a neighbour's and nobody's.
		nothing := b.get(404, "/admin/users/nobody")
		token := form(b.get(200, "/admin/users/p-ann/suspend"))
		for _, path := range []string{"/admin/users/q-ann", "/admin/users/q-ann/suspend", "/admin/users/q-ann/code", "/admin/keys/" + foreign.ID + "/end", "/admin/keys/" + w.key.ID + "/rotate"} {
			if page := b.get(404, path); page != nothing {
				t.Errorf("%s differs from nothing: %s", path, text(page))
			}
			if strings.Count(path, "/") < 4 {
				continue
			}
			token.Set("when", "now")
			if status, page, _ := b.do(http.MethodPost, path, token, nil); status != 404 || page != nothing {
				t.Errorf("POST %s: %d %s", path, status, text(page))
			}
		}
		if w.state("q-ann") != provision.Active {
			t.Error("a user of q was changed")
		}
		b.post(200, "/admin/users/p-ann/suspend", nil)
		page = b.post(200, "/admin/keys/"+own.ID+"/rotate", url.Values{"when": {"week"}})
		fresh, err := provision.ParseCredential(secretField.FindStringSubmatch(page)[1])
		w.ok(err)
		if k, err := w.store.Key(t.Context(), fresh.ID); err != nil || k.Group != "p" {
			t.Errorf("the group's new key is of group %q: %v", k.Group, err)
		}
		// The operator changes the group: at the next request the other one is seen, and this one not.
		w.admin(w.pat, "q")
		b.get(200, "/admin/users/q-ann")
		b.get(404, "/admin/users/p-ann")
	})
}

// TestB05AdminSeesNoNeighbour: nothing in an address, a form or a cookie leads to another company.
func TestB05AdminSeesNoNeighbour(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		foreign := w.newKey(w.bolt, "")
		w.user(w.bolt, "only-bolt", "p", 50)
		b := w.signedIn("boss@acme.example")
		nothing := b.get(404, "/admin/users/nobody")
		for _, path := range []string{"/admin/users/only-bolt", "/admin/users/only-bolt/suspend", "/admin/keys/" + foreign.ID + "/end", "/admin/nothing", "/admin/users/%00", "/admin/users/%E2%80%AE"} {
			if page := b.get(404, path); page != nothing {
				t.Errorf("%s differs from nothing: %s", path, text(page))
			}
		}
		for _, path := range []string{"/admin/users", "/admin/users?q=only", "/admin/users?tenant=" + w.bolt.String(), "/admin/keys", "/admin/audit", "/admin/audit?before=100000"} {
			page := b.get(200, path)
			if main := page[strings.Index(page, "<main"):]; strings.Contains(main, "only-bolt") || strings.Contains(main, foreign.ID) || strings.Contains(page, "bolt") {
				t.Errorf("%s shows a neighbour: %s", path, text(page))
			}
		}
		// An admin of acme is a stranger at bolt, which writes that down for itself.
		status, page := w.browser().signIn(w.bolt, "boss@acme.example")
		if status != 403 || !strings.Contains(page, "You are not an admin of this page") {
			t.Errorf("at the neighbour's: %d %s", status, text(page))
		}
		events, err := w.store.Events(t.Context(), w.bolt, 0, 1)
		w.ok(err)
		if e := events[0]; e.Action != "admin.refuse" || e.Actor != "stranger:"+w.boss.ID {
			t.Errorf("the neighbour's log says %+v", e)
		}
		for _, path := range []string{"/admin/sign-in/" + w.bolt.String() + "x", "/admin/sign-in/n_", "/admin/sign-in/%00", "/admin/sign-in/" + w.bolt.String() + "/7", "/admin/sign-in/" + w.bolt.String() + "/-1"} {
			if page := w.browser().get(404, path); !strings.Contains(page, "There is nothing here") {
				t.Errorf("%s: %s", path, text(page))
			}
		}
	})
}

// TestStrangerRefused: whoever Salesforce knows and the company does not name sees nothing.
func TestStrangerRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		b := w.browser()
		status, page := b.signIn(w.acme, "zed@acme.example")
		if status != 403 || !strings.Contains(page, "You are not an admin of this page") || strings.Contains(page, "p-ann") {
			t.Errorf("a stranger: %d %s", status, text(page))
		}
		if got := w.events(1); !strings.HasPrefix(got, "stranger:005") || !strings.Contains(got, "admin.refuse") {
			t.Errorf("the log says %q", got)
		}
		for _, path := range []string{"/admin/", "/admin/users", "/admin/users/p-ann", "/admin/keys", "/admin/audit"} {
			if page := b.get(403, path); !strings.Contains(page, "Please sign in") || strings.Contains(page, "acme") {
				t.Errorf("%s to a stranger: %s", path, text(page))
			}
		}
		if status, _, _ := b.do(http.MethodPost, "/admin/users/p-ann/suspend", nil, nil); status != 403 || w.state("p-ann") != provision.Active {
			t.Errorf("a stranger suspends: %d", status)
		}
	})
}

// TestRemovedAdminIsOut: at the very next request, and so are a suspended company's and those whose
// site lost its app.
func TestRemovedAdminIsOut(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		b := w.signedIn("boss@acme.example")
		values := form(b.get(200, "/admin/users/p-ann/suspend"))
		w.ok(w.store.DeleteAdmin(t.Context(), w.acme, w.account(w.boss), w.event("admin.delete", w.boss.ID)))
		if status, page, _ := b.do(http.MethodPost, "/admin/users/p-ann/suspend", values, nil); status != 403 || w.state("p-ann") != provision.Active {
			t.Errorf("a removed admin suspends: %d %s", status, text(page))
		}
		if page := b.get(403, "/admin/users"); !strings.Contains(page, "no longer an admin") || strings.Contains(page, "p-ann") {
			t.Errorf("a removed admin sees %s", text(page))
		}
		w.admin(w.boss, "")
		b = w.signedIn("boss@acme.example")
		for _, change := range []func(*provision.Tenant){
			func(c *provision.Tenant) { c.Suspended = true },
			func(c *provision.Tenant) { c.Sites[0].AdminClientID = "" },
			func(c *provision.Tenant) { c.Sites = nil },
		} {
			before, err := w.store.Tenant(t.Context(), w.acme)
			w.ok(err)
			after := before
			after.Sites = append([]provision.Site{}, before.Sites...)
			change(&after)
			w.ok(w.store.SetTenant(t.Context(), w.acme, after, w.event("tenant.set", before.ID)))
			b.get(403, "/admin/users")
			w.browser().get(404, admin.SignInPath(w.acme.String()))
			w.ok(w.store.SetTenant(t.Context(), w.acme, before, w.event("tenant.set", before.ID)))
			b.get(200, "/admin/users")
		}
	})
}

// TestSessionsEnd: by time, by signing out, also of a copied cookie, and never by somebody's own cookie.
func TestSessionsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		b, second := w.signedIn("boss@acme.example"), w.signedIn("boss@acme.example")
		other := w.signedIn("pat@acme.example")
		jar := b.client.Jar
		address, err := url.Parse(w.url)
		w.ok(err)
		kept := jar.Cookies(address)
		// Signing out ends every session of that admin and nobody else's.
		status, page, _ := b.do(http.MethodPost, "/admin/sign-out", signOutForm(b.get(200, "/admin/users")), nil)
		if status != 200 || !strings.Contains(page, "You have signed out") || !strings.Contains(page, admin.SignInPath(w.acme.String())) {
			t.Errorf("sign-out: %d %s", status, text(page))
		}
		if got := w.events(1); got != "admin:"+w.boss.ID+" admin.signout "+w.boss.ID {
			t.Errorf("the log says %q", got)
		}
		b.get(403, "/admin/users")
		second.get(403, "/admin/users")
		other.get(200, "/admin/users")
		jar.SetCookies(address, kept)
		b.get(403, "/admin/users")

		// Half an hour of silence; eight hours in all.
		other.get(200, "/admin/users")
		w.pass(29 * time.Minute)
		other.get(200, "/admin/users")
		w.pass(29 * time.Minute)
		other.get(200, "/admin/users")
		w.pass(31 * time.Minute)
		if page := other.get(403, "/admin/users"); !strings.Contains(page, "Your session has ended") || !strings.Contains(page, admin.SignInPath(w.acme.String())) {
			t.Errorf("after silence: %s", text(page))
		}
		w.mu.Lock()
		w.ahead = 0
		w.mu.Unlock()
		other = w.signedIn("pat@acme.example")
		for range 24 {
			w.pass(19 * time.Minute)
			other.get(200, "/admin/users")
		}
		w.pass(25 * time.Minute)
		other.get(403, "/admin/users")
	})
}

func signOutForm(page string) url.Values {
	out := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		out.Set(m[1], m[2])
	}
	return out
}

// TestForgedForms: a form of another site, without the session's token or with another's, does nothing.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &provisiontest.Memory{})
	b := w.signedIn("boss@acme.example")
	other := w.signedIn("pat@acme.example")
	good := form(b.get(200, "/admin/users/p-ann/suspend"))
	for name, one := range map[string]struct {
		form url.Values
		edit func(*http.Request)
		want string
	}{
		"cross-site": {good, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "https://evil.example")
		}, "came from another site"},
		"same-site": {good, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Header.Set("Origin", w.url+"0")
		}, "came from another site"},
		"older browser":       {good, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.example") }, "came from another site"},
		"origin null":         {good, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") }, "came from another site"},
		"no token":            {url.Values{}, nil, "This form is too old"},
		"empty token":         {url.Values{"token": {""}}, nil, "This form is too old"},
		"another's token":     {form(other.get(200, "/admin/users/p-ann/suspend")), nil, "This form is too old"},
		"token in the query":  {url.Values{}, func(r *http.Request) { r.URL.RawQuery = good.Encode() }, "This form is too old"},
		"a form without end":  {url.Values{"token": good["token"], "x": {strings.Repeat("x", 1<<20)}}, nil, "This form is too old"},
		"no browser, no form": {url.Values{}, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") }, "This form is too old"},
	} {
		status, page, _ := b.do(http.MethodPost, "/admin/users/p-ann/suspend", one.form, one.edit)
		if status != 403 || !strings.Contains(page, one.want) || w.state("p-ann") != provision.Active {
			t.Errorf("%s: %d %s", name, status, text(page))
		}
	}
	if status, _, _ := b.do(http.MethodGet, "/admin/users/p-ann/suspend?"+good.Encode(), nil, nil); status != 200 || w.state("p-ann") != provision.Active {
		t.Errorf("a link suspends: %d", status)
	}
	b.do(http.MethodPost, "/admin/users/p-ann/suspend", good, nil)
	if w.state("p-ann") != provision.Suspended {
		t.Error("the good form does nothing")
	}
}

// TestForgedSignIns: an answer that belongs to no sign-in of this browser, or proves nothing, opens
// nothing.
func TestForgedSignIns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &provisiontest.Memory{})
	start := w.url + admin.SignInPath(w.acme.String()) + "/0"
	// begin starts a sign-in and returns the address at Salesforce.
	begin := func(b *browser) *url.URL {
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		defer func() { b.client.CheckRedirect = nil }()
		_, _, h := b.do(http.MethodGet, strings.TrimPrefix(start, w.url), nil, nil)
		to, err := url.Parse(h.Get("Location"))
		w.ok(err)
		return to
	}
	b := w.browser()
	q := begin(b).Query()
	for name, want := range map[string]string{"response_type": "code", "code_challenge_method": "S256", "scope": "openid", "client_id": appID, "prompt": "login", "redirect_uri": w.url + "/admin/callback"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q", name, q.Get(name))
		}
	}
	if len(q.Get("state")) < 26 || len(q.Get("nonce")) < 26 || len(q.Get("code_challenge")) != 43 {
		t.Errorf("the request is %v", q)
	}
	state := q.Get("state")
	for query, want := range map[string]string{
		"code=x&state=wrong": "answer to another sign-in",
		"code=x":             "answer to another sign-in",
		"code=x&state=" + state + "&iss=https://evil": "answer to another sign-in",
		"error=access_denied&state=" + state:          "Salesforce did not sign you in",
		"state=" + state:                              "Salesforce did not sign you in",
		"code=made-up&state=" + state:                 "could not be confirmed",
	} {
		b := w.browser()
		real := begin(b).Query().Get("state")
		page := b.get(403, "/admin/callback?"+strings.ReplaceAll(query, state, real))
		if !strings.Contains(page, want) {
			t.Errorf("%s: %s", query, text(page))
		}
		b.get(403, "/admin/users")
		// The sign-in is used up.
		if page = b.get(403, "/admin/callback?code=x&state="+real); !strings.Contains(page, "This sign-in has ended") {
			t.Errorf("%s, again: %s", query, text(page))
		}
	}
	// Somebody else's whole answer: their code does not fit this browser's state and verifier.
	thief, victim := w.browser(), w.browser()
	answer := begin(thief)
	back := w.approve(thief, answer.String(), "pat@acme.example")
	if page := victim.get(403, "/admin/callback?"+back.RawQuery); !strings.Contains(page, "This sign-in has ended") {
		t.Errorf("an answer in another browser: %s", text(page))
	}
	stolen := back.Query()
	stolen.Set("state", begin(victim).Query().Get("state"))
	if page := victim.get(403, "/admin/callback?"+stolen.Encode()); !strings.Contains(page, "could not be confirmed") {
		t.Errorf("a code in another browser: %s", text(page))
	}
	// Too slow.
	late := w.browser()
	answer = begin(late)
	w.pass(11 * time.Minute)
	if page := late.get(403, "/admin/callback?code=x&state="+answer.Query().Get("state")); !strings.Contains(page, "This sign-in has ended") {
		t.Errorf("after eleven minutes: %s", text(page))
	}
	if strings.Contains(w.log.String(), "made-up") || strings.Contains(w.log.String(), "error_description") {
		t.Errorf("the log repeats what came back: %s", w.log.String())
	}
}

// approve signs in at Salesforce's pages and returns where they lead, without going there.
func (w *world) approve(b *browser, address, user string) *url.URL {
	w.Helper()
	var back *url.URL
	client := *b.client
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/admin/callback" {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	p := oauthtest.Browser{Client: &client, User: user, Password: salesforcetest.DefaultPassword}
	_, _, err := p.Visit(w.Context(), address)
	if err != nil || back == nil {
		w.Fatalf("no answer: %v", err)
	}
	return back
}

// TestTokenIsGivenBack: of a sign-in, no token stays good, and none stays in the log or the store.
func TestTokenIsGivenBack(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		before := w.org.Tokens()
		b := w.signedIn("boss@acme.example")
		if left := w.org.Tokens(); len(left) != len(before) {
			t.Errorf("%d tokens are still good", len(left)-len(before))
		}
		var revoked, asked int
		for _, call := range w.org.CallLog() {
			if strings.HasSuffix(call.Path, "/services/oauth2/revoke") {
				revoked++
			}
			if strings.HasSuffix(call.Path, "/services/oauth2/token") {
				asked++
			}
		}
		if revoked != 1 || asked != 1 {
			t.Errorf("%d tokens asked for, %d given back", asked, revoked)
		}
		if w.log.Len() > 0 {
			t.Errorf("a good sign-in logs %s", w.log.String())
		}
		b.get(200, "/admin/users")
	})
}

// TestB41PoisonOnThePage: whatever stands in the store comes out as text.
func TestB41PoisonOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &provisiontest.Memory{})
	for i, evil := range []string{"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{.Token}}", "javascript:alert(1)", "</title><svg onload=alert(1)>", "' or '1'='1", "a\r\nSet-Cookie: x=y"} {
		c, err := w.store.Tenant(t.Context(), w.acme)
		w.ok(err)
		c.Name = evil
		w.ok(w.store.SetTenant(t.Context(), w.acme, c, w.event("tenant.set", evil)))
		w.user(w.acme, "m-"+evil, evil, 60+i)
		w.computer(w.acme, "m-"+evil, 80+i, provision.Report{Version: evil, OS: evil, State: evil, Fault: evil})
		k, _ := w.vault.NewKey(w.acme, provision.RoleTenant, evil, w.now())
		e := w.event(evil, evil)
		e.Actor, e.Detail = evil, evil
		w.ok(w.store.AddKey(t.Context(), w.acme, k, e))
		b := w.signedIn("boss@acme.example")
		for _, path := range []string{"/admin/users", "/admin/users?q=" + url.QueryEscape(evil), "/admin/keys", "/admin/audit", "/admin/users/p-ann"} {
			page := b.get(200, path)
			for _, raw := range []string{"<script", "<img", "<svg", `href="javascript`, "onerror=alert(1)>", "\r\nSet-Cookie"} {
				if strings.Contains(page, raw) && !strings.Contains(raw, "Cookie") {
					t.Errorf("%s writes %q as it is", path, evil)
				}
			}
		}
		_, _, h := b.do(http.MethodGet, "/admin/users?q="+url.QueryEscape(evil), nil, nil)
		if len(h.Values("Set-Cookie")) != 0 {
			t.Errorf("%q sets a cookie: %v", evil, h.Values("Set-Cookie"))
		}
		b.get(404, "/admin/users/"+url.PathEscape("m-"+evil)) // nobody has such an id by the rules
	}
}

// TestSiteDown: a site that does not answer is not the admin's fault, and nothing is sent twice.
func TestSiteDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &provisiontest.Memory{})
	c, err := w.store.Tenant(t.Context(), w.acme)
	w.ok(err)
	for _, issuer := range []string{"http://127.0.0.1:1", "http://example.com", "https://127.0.0.1:1", w.site + "/nowhere", "nonsense"} {
		c.Sites = []provision.Site{{Issuer: issuer, OrgID: w.org.OrgID(), AdminClientID: appID}}
		w.ok(w.store.SetTenant(t.Context(), w.acme, c, w.event("tenant.set", c.ID)))
		b := w.browser()
		status, page, h := b.do(http.MethodGet, admin.SignInPath(c.ID)+"/0", nil, nil)
		if status != 503 || !strings.Contains(page, "Salesforce does not answer") || h.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", issuer, status, text(page))
		}
	}
	if strings.Count(w.log.String(), "site does not answer") != 5 {
		t.Errorf("the log says %s", w.log.String())
	}
}
