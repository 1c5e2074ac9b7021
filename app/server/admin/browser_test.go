package admin_test

import (
	_ "embed"
	"flag"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"

	"hawser/app/server/admin"
	"hawser/auth/oauth/browsertest"
	"hawser/auth/provision"
	"hawser/sync/salesforce/salesforcetest"
)

var shots = flag.String("shots", "", "folder for pictures of the pages")

// chromium starts a real browser for the length of the test.
func chromium(t testing.TB) *rod.Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a real browser")
	}
	return browsertest.Start(t)
}

// tab is a page of the browser with an admin before it.
type tab struct {
	*world
	page *rod.Page

	mu         sync.Mutex
	complaints []string // what the browser's console says
}

func (w *world) tab(b *rod.Browser) *tab {
	w.Helper()
	page, err := b.Page(proto.TargetCreateTarget{})
	w.ok(err)
	t := &tab{world: w, page: page.Timeout(10 * time.Minute)}
	w.ok(proto.LogEnable{}.Call(page))
	go page.EachEvent(func(e *proto.LogEntryAdded) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if e.Entry.NetworkRequestID == "" { // answers of 4xx are wanted
			t.complaints = append(t.complaints, e.Entry.Text)
		}
	})()
	return t
}

func (t *tab) open(path string) {
	t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = t.url + path
	}
	wait := t.page.WaitNavigation(proto.PageLifecycleEventNameLoad)
	t.ok(t.page.Navigate(path))
	wait()
}

// eval runs an expression in the page.
func (t *tab) eval(js string, args ...any) string {
	t.Helper()
	out, err := t.page.Eval("(...a) => String(("+js+")(...a))", args...)
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return out.Value.Str()
}

func (t *tab) find(selector string) *rod.Element {
	t.Helper()
	e, err := browsertest.Find(t.page, selector)
	if err != nil {
		t.Fatalf("%s: %v", selector, err)
	}
	return e
}

// heading waits for the page with this heading.
func (t *tab) heading(want string) {
	t.Helper()
	t.until("() => document.readyState === 'complete' && document.querySelector('h1')?.textContent || ''", want)
}

// until waits for an expression to give a text.
func (t *tab) until(js, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := t.page.Eval(js)
		if err == nil && out.Value.Str() == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the page shows %v %v, want %q", out, err, want)
		}
	}
}

// secret waits for what is shown once to have the focus.
func (t *tab) secret() string {
	t.Helper()
	t.until("() => document.activeElement.id", "secret")
	return t.eval("() => document.activeElement.value")
}

func (t *tab) signIn(user string) {
	t.Helper()
	t.open(admin.SignInPath(t.acme.String()))
	t.heading("Sign in to Hawser Admin")
	t.ok(browsertest.Do(t.page, browsertest.Press("main a.button")))
	t.ok(t.find("#username").Input(user))
	t.ok(t.find("#password").Input(salesforcetest.DefaultPassword))
	t.ok(browsertest.Do(t.page, browsertest.Press("#login")))
	t.ok(browsertest.Do(t.page, browsertest.Press("#approve")))
}

func (t *tab) press(keys ...input.Key) {
	t.Helper()
	for _, k := range keys {
		t.ok(t.page.Keyboard.Type(k))
	}
}

// focused names the element that has the focus, and says whether one can see that.
func (t *tab) focused() (name string, visible bool) {
	t.Helper()
	out := t.eval(`() => { const e = document.activeElement, s = getComputedStyle(e);
		return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) + '|' + (e.getAttribute('aria-label') || e.innerText || e.id || e.tagName).trim(); }`)
	seen, name, _ := strings.Cut(out, "|")
	return name, seen == "true"
}

// reach presses Tab until something has the focus.
func (t *tab) reach(name string) {
	t.Helper()
	var passed []string
	for range 60 {
		t.press(input.Tab)
		now, visible := t.focused()
		if !visible {
			t.Errorf("nobody sees that %q has the focus", now)
		}
		if now == name {
			return
		}
		passed = append(passed, now)
	}
	t.Fatalf("Tab never reaches %q, but %q", name, passed)
}

// shot keeps a picture of the page when -shots is given.
func (t *tab) shot(name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	png, err := t.page.Screenshot(true, nil)
	t.ok(err)
	t.ok(os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o600))
}

// look sets the window's width in CSS pixels, its magnification and its colours.
func (t *tab) look(width int, zoom float64, scheme string) {
	t.Helper()
	t.ok(proto.EmulationSetDeviceMetricsOverride{Width: width, Height: 900, DeviceScaleFactor: zoom}.Call(t.page))
	t.ok(proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}.Call(t.page))
}

//go:embed testdata/accessible.js
var accessible string

// accessible holds the page to what a keyboard, a screen reader and weak eyes need.
func (t *tab) accessible(what string) {
	t.Helper()
	if found := t.eval(accessible); found != "" {
		t.Errorf("%s: %s", what, found)
	}
}

// TestAdminByKeyboard is an admin's day in Chromium, without a mouse from the sign-in on.
func TestAdminByKeyboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stores["sqlite"](t))
	a := w.tab(chromium(t))
	a.look(1280, 1, "light")
	a.signIn("boss@acme.example")
	a.heading("Users")

	// The first Tab leads to the content.
	a.press(input.Tab)
	if name, visible := a.focused(); name != "Skip to content" || !visible {
		t.Errorf("the first Tab is at %q, visible %v", name, visible)
	}
	a.press(input.Enter)
	if at := a.eval("() => document.activeElement.id"); at != "main" {
		t.Errorf("the content is not reached, but %q", at)
	}

	// Search, and suspend.
	a.reach("q")
	a.ok(a.page.InsertText("p-ann@"))
	a.press(input.Enter)
	a.find(".chosen")
	a.heading("Users")
	a.reach("p-ann")
	a.press(input.Enter)
	a.heading("p-ann")
	a.reach("Suspend")
	a.press(input.Enter)
	a.heading("Suspend p-ann?")
	if w.state("p-ann") != provision.Active {
		t.Error("suspended without being asked")
	}
	a.reach("Suspend")
	a.press(input.Enter)
	a.heading("p-ann")
	if w.state("p-ann") != provision.Suspended {
		t.Errorf("the user is %s", w.state("p-ann"))
	}
	// What was done is said first: focus, role and title.
	a.until("() => document.activeElement.className", "notice")
	if name, _ := a.focused(); !strings.HasPrefix(name, "p-ann is suspended.") {
		t.Errorf("the focus is at %q", name)
	}
	if got := a.eval("() => document.title + '|' + document.querySelector('.notice').getAttribute('role')"); got != "p-ann is suspended. p-ann – Hawser Admin|status" {
		t.Errorf("the title is %q", got)
	}

	// A code, shown once.
	a.reach("Make a one-time code")
	a.press(input.Enter)
	a.heading("Make a one-time code for p-ann?")
	a.reach("Make the code")
	a.press(input.Enter)
	a.heading("One-time code for p-ann")
	code, err := provision.ParseCredential(a.secret())
	w.ok(err)
	if k, err := w.store.Key(t.Context(), code.ID); err != nil || k.User != "p-ann" {
		t.Errorf("the code is of %q: %v", k.User, err)
	}
	a.ok(a.page.Reload()) // the browser sends the form again
	a.heading("This was done already")

	// A key, replaced.
	a.open("/admin/keys")
	a.reach("Replace key " + w.key.ID)
	a.press(input.Enter)
	a.heading("Replace a key?")
	a.reach("when-week")
	a.press(input.ArrowUp) // in a day
	a.reach("Make the new key")
	a.press(input.Enter)
	a.heading("The new key")
	if _, err := provision.ParseCredential(a.secret()); err != nil {
		t.Error(err)
	}
	old, err := w.store.Key(t.Context(), w.key.ID)
	w.ok(err)
	if left := time.Until(old.NotAfter); left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("the old key ends in %v", left)
	}

	a.open("/admin/audit")
	a.heading("Audit log")
	a.reach("Sign out")
	a.press(input.Enter)
	a.heading("You have signed out")
	a.open("/admin/users")
	a.heading("Please sign in")
	a.quiet()
}

// quiet demands that the browser had nothing to complain of.
func (t *tab) quiet() {
	t.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range t.complaints {
		t.Errorf("the console says %q", text)
	}
}

// TestForgedFormInChromium has another site send a form, with the admin's cookies where the browser
// lets it have them.
func TestForgedFormInChromium(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stores["memory"](t))
	a := w.tab(chromium(t))
	a.signIn("boss@acme.example")
	a.heading("Users")
	forms := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, `<h1>Evil</h1><form method="post" action="%s/admin/users/p-ann/deprovision"><button>Win</button></form><script>document.querySelector('button').click()</script>`, w.url)
	})
	same, cross := httptest.NewTLSServer(forms), httptest.NewServer(forms)
	t.Cleanup(same.Close)
	t.Cleanup(cross.Close)
	for name, from := range map[string]string{"same site": same.URL, "cross site": strings.Replace(cross.URL, "127.0.0.1", "localhost", 1)} {
		a.open(from)
		a.heading("This form came from another site")
		if w.state("p-ann") != provision.Active {
			t.Fatalf("%s: the user is %s", name, w.state("p-ann"))
		}
	}
	a.open("/admin/users/p-ann") // still signed in
	a.heading("p-ann")
}

// TestAccessibleEverywhere looks at every page in light and dark, at 100 % and 200 %, and at 320 pixels.
func TestAccessibleEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stores["memory"](t))
	w.populate()
	a := w.tab(chromium(t))
	b := w.signedIn("boss@acme.example")
	a.look(1280, 1, "light")
	a.open(admin.SignInPath(w.acme.String()))
	a.heading("Sign in to Hawser Admin")
	a.everyLook("sign-in")
	a.open("/admin/users")
	a.heading("Please sign in")
	a.everyLook("outside")
	a.signIn("zed@acme.example")
	a.heading("You are not an admin of this page")
	a.everyLook("stranger")
	a.signIn("boss@acme.example")
	a.heading("Users")
	for _, one := range []struct{ name, path string }{
		{"users", "/admin/users"}, {"users-found", "/admin/users?q=p-&group=p"}, {"users-none", "/admin/users?q=nobody"},
		{"user", "/admin/users/maria.gonzalez"}, {"user-no-computer", "/admin/users/new.colleague"}, {"user-gone", "/admin/users/left.company"},
		{"ask-suspend", "/admin/users/p-ann/suspend"}, {"ask-deprovision", "/admin/users/p-ann/deprovision"}, {"ask-code", "/admin/users/p-ann/code"},
		{"keys", "/admin/keys"}, {"ask-rotate", "/admin/keys/" + w.key.ID + "/rotate"}, {"ask-end", "/admin/keys/" + w.key.ID + "/end"},
		{"audit", "/admin/audit"}, {"missing", "/admin/users/nobody"}, {"conflict", "/admin/users/left.company/suspend"},
	} {
		a.open(one.path)
		a.everyLook(one.name)
	}
	a.open("/admin/users/p-ann/code")
	a.ok(browsertest.Do(a.page, browsertest.Press("form.ask button")))
	a.heading("One-time code for p-ann")
	a.everyLook("code")
	a.open("/admin/users/p-ann/suspend")
	a.ok(browsertest.Do(a.page, browsertest.Press("form.ask button")))
	a.heading("p-ann")
	a.everyLook("user-suspended")
	a.quiet()

	// Cards are still a table to those who do not see them.
	a.look(640, 2, "light")
	a.open("/admin/users")
	tree, err := proto.AccessibilityGetFullAXTree{}.Call(a.page)
	w.ok(err)
	roles := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Role != nil && !n.Ignored {
			roles[n.Role.Value.Str()]++
		}
	}
	if roles["table"] != 1 || roles["columnheader"] != 8 || roles["rowheader"] < 4 || roles["row"] < 5 || roles["search"] != 1 || roles["main"] != 1 || roles["banner"] != 1 {
		t.Errorf("a screen reader is told of %v", roles)
	}

	// Every answer carries the same guards.
	for _, path := range []string{"/admin/", "/admin/users", "/admin/users/nobody", "/admin/style.css", admin.SignInPath(w.acme.String()), "/admin/callback"} {
		_, _, h := b.do(http.MethodGet, path, nil, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy":   "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options":    "nosniff",
			"Referrer-Policy":           "no-referrer",
			"Strict-Transport-Security": "max-age=31536000",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if strings.HasSuffix(path, ".css") == (h.Get("Cache-Control") == "no-store") {
			t.Errorf("%s: Cache-Control is %q", path, h.Get("Cache-Control"))
		}
	}
}

// everyLook checks the page at hand in every size, and both in light and dark.
func (t *tab) everyLook(name string) {
	t.Helper()
	for _, look := range []struct {
		suffix string
		width  int
		zoom   float64
		scheme string
	}{{"100", 1280, 1, "light"}, {"200", 640, 2, "dark"}, {"phone", 320, 2, "light"}} {
		t.look(look.width, look.zoom, look.scheme)
		t.accessible(name + " " + look.suffix)
		t.shot(name + "-" + look.suffix)
	}
	t.look(1280, 1, "light")
}

// populate adds what a real company has.
func (w *world) populate() {
	w.Helper()
	w.user(w.acme, "maria.gonzalez", "Field sales South", 31)
	w.computer(w.acme, "maria.gonzalez", 32, provision.Report{Version: "1.5.0-rc.1", OS: "windows", Fault: "permission-missing", Counts: provision.Counts{Seen: 2310, Captured: 1204, Waiting: 12, NeedsYou: 3}})
	w.user(w.acme, "jonas.feldmann+test@subsidiary.example", "p", 33)
	w.computer(w.acme, "jonas.feldmann+test@subsidiary.example", 34, provision.Report{Version: "1.4.0", OS: "darwin", Fault: "token-revoked", Counts: provision.Counts{Captured: 88, Waiting: 41}})
	w.user(w.acme, "left.company", "q", 35)
	_, err := w.store.SetUserState(w.Context(), w.acme, "left.company", provision.Deprovisioned, w.event("user.deprovision", "left.company"))
	w.ok(err)
	_, err = w.store.SetUserState(w.Context(), w.acme, "q-bob", provision.Suspended, w.event("user.suspend", "q-bob"))
	w.ok(err)
	u := provision.User{ID: "new.colleague", Account: provision.Account{OrgID: w.org.OrgID(), UserID: "0055g00000newcolAA"}, Mailbox: "new.colleague@acme.example", Aliases: []string{"n.colleague@acme.example"}}
	_, _, err = w.store.PutUser(w.Context(), w.acme, u, w.event("user.put", u.ID))
	w.ok(err)
	ended := w.newKey(w.acme, "p")
	w.ok(w.store.EndKey(w.Context(), w.acme, ended.ID, w.now().Add(-time.Hour), w.event("key.end", ended.ID)))
	k, _ := w.vault.NewKey(w.acme, provision.RoleDeployment, "", w.now())
	w.ok(w.store.AddKey(w.Context(), w.acme, k, w.event("key.add", k.ID)))
	w.ok(w.store.EndKey(w.Context(), w.acme, k.ID, w.now().Add(72*time.Hour), w.event("key.end", k.ID)))
	e := w.event("policy.put", "p")
	e.Detail = "7"
	w.ok(w.store.Record(w.Context(), w.acme, e))
}

// TestEmptyCompany: pages of a company that has just been added teach what to do.
func TestEmptyCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stores["memory"](t))
	fresh := w.company("fresh")
	w.ok(w.store.PutAdmin(t.Context(), fresh, provision.Admin{Account: w.account(w.boss)}, w.event("admin.put", w.boss.ID)))
	b := w.browser()
	if status, page := b.signIn(fresh, "boss@acme.example"); status != 200 || !strings.Contains(page, "No users yet") || !strings.Contains(page, "hawserd user import") {
		t.Errorf("users: %d %s", status, text(page))
	}
	if page := b.get(200, "/admin/keys"); !strings.Contains(page, "hawserd key add") {
		t.Errorf("keys: %s", text(page))
	}
	if *shots == "" {
		return
	}
	a := w.tab(chromium(t))
	w.acme = fresh
	a.signIn("boss@acme.example")
	a.heading("Users")
	a.everyLook("empty-users")
	a.open("/admin/keys")
	a.everyLook("empty-keys")
}

// TestManyUsers goes through the pages of a list that does not fit on one.
func TestManyUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stores["memory"](t))
	for i := range 120 {
		account, _ := provision.Account{OrgID: w.org.OrgID(), UserID: fmt.Sprintf("0055h%010d", i)}.Canonical()
		u := provision.User{ID: fmt.Sprintf("u%03d", i), Group: "p", Account: account, Mailbox: fmt.Sprintf("m%03d@acme.example", i)}
		_, _, err := w.store.PutUser(t.Context(), w.acme, u, w.event("user.put", u.ID))
		w.ok(err)
	}
	b := w.signedIn("pat@acme.example")
	for _, start := range []string{"/admin/users?q=u", "/admin/users?q=M0&group=p", "/admin/audit"} {
		seen, path := map[string]bool{}, start
		for path != "" {
			page := b.get(200, path)
			for _, id := range rowIDs(page) {
				if start != "/admin/audit" && seen[id] {
					t.Errorf("%s shows %s twice", start, id)
				}
				seen[id] = true
			}
			path = next(page)
		}
		want := map[string]int{"/admin/users?q=u": 120, "/admin/users?q=M0&group=p": 100, "/admin/audit": 122}[start]
		users := 0
		for id := range seen {
			if id[0] == 'u' || id[0] == 'p' {
				users++
			}
		}
		if users != want {
			t.Errorf("%s shows %d users, want %d", start, users, want)
		}
	}
}

var (
	rowID    = regexp.MustCompile(`(?:<a href="/admin/users/[^"]*">|data-label="To what"><code>)([^<]+)<`)
	nextLink = regexp.MustCompile(`href="([^"]+)" rel="next"`)
)

func rowIDs(page string) (ids []string) {
	for _, m := range rowID.FindAllStringSubmatch(page, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func next(page string) string {
	if m := nextLink.FindStringSubmatch(page); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}
