package salesforce

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

func TestCapabilities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		org     *salesforcetest.Org
		want    deliver.Capabilities
		missing string
	}{
		"internal with key": {&salesforcetest.Org{MailKey: true}, deliver.Capabilities{Email: true, Task: true, Files: true, UniqueKey: true}, ""},
		"internal":          {&salesforcetest.Org{}, deliver.Capabilities{Email: true, Task: true, Files: true}, ""},
		"member of a site":  {&salesforcetest.Org{External: true, MailKey: true}, deliver.Capabilities{Email: true, Task: true, Files: true, UniqueKey: true}, ""},
		"no e-mail": {&salesforcetest.Org{NoEnhancedEmail: true, MailKey: true},
			deliver.Capabilities{Task: true, Files: true, UniqueKey: true}, "Enhanced Email"},
		"no task":  {&salesforcetest.Org{NoTask: true}, deliver.Capabilities{Email: true, Files: true}, "Edit Tasks"},
		"no files": {&salesforcetest.Org{NoFiles: true}, deliver.Capabilities{Email: true, Task: true}, "Content Version: Create"},
		"no key on e-mail": {&salesforcetest.Org{MailKey: true, HideFields: map[string][]string{"EmailMessage": {"Mail_Key__c"}}},
			deliver.Capabilities{Email: true, Task: true, Files: true}, ""},
		"no bodies": {&salesforcetest.Org{ReadOnlyFields: map[string][]string{"EmailMessage": {"TextBody", "HtmlBody"}}},
			deliver.Capabilities{Task: true, Files: true}, "Field-Level Security: Email Message.Text Body"},
		"nothing": {&salesforcetest.Org{NoEnhancedEmail: true, NoTask: true, NoFiles: true}, deliver.Capabilities{}, "Enhanced Email|Edit Tasks|Content Version: Create"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.org)
			var got deliver.Capabilities
			if n := w.cost(t, func() { got = w.warm(t) }); n != 1 {
				t.Errorf("took %d calls", n)
			}
			missing := strings.Join(got.Missing, "|")
			got.Missing = nil
			if got.Email != c.want.Email || got.Task != c.want.Task || got.Files != c.want.Files || got.UniqueKey != c.want.UniqueKey || missing != c.missing {
				t.Errorf("got %+v missing %q, want %+v missing %q", got, missing, c.want, c.missing)
			}
			if n := w.cost(t, func() { w.warm(t) }); n != 0 {
				t.Errorf("asking again took %d calls", n)
			}
		})
	}
}

func TestCapabilitiesAreAskedForDaily(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := newWorld(t, &salesforcetest.Org{}, func(c *Config) { c.Now = func() time.Time { return now } })
	w.warm(t)
	now = now.Add(23 * time.Hour)
	if n := w.cost(t, func() { w.warm(t) }); n != 0 {
		t.Errorf("took %d calls within the day", n)
	}
	now = now.Add(2 * time.Hour)
	if n := w.cost(t, func() { w.warm(t) }); n != 1 {
		t.Errorf("took %d calls a day later", n)
	}
	w.Forget()
	if n := w.cost(t, func() { w.warm(t) }); n != 1 {
		t.Errorf("took %d calls after an administrator changed something", n)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]string{
		`[{"version":"31.0"},{"version":"50.0"},{"version":"59.0"}]`: "59.0",
		`[{"version":"67.0"},{"version":"68.0"},{"version":"99.0"}]`: "67.0",
		`[{"version":"50.0"},{"version":"x"},{"version":"067.1"}]`:   "50.0",
		`[{"version":"49.0"}]`: "",
		`[]`:                   "",
	} {
		w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the list of versions was asked for with a token")
			}
			reply(rw, 200, offered)
		})
		got, err := w.Version(t.Context())
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", offered, got, err)
		}
		if again, _ := w.Version(t.Context()); again != want {
			t.Errorf("second answer %q", again)
		}
		if w.calls() != 0 {
			t.Error("was counted")
		}
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	for _, external := range []bool{false, true} {
		w := newWorld(t, &salesforcetest.Org{External: external})
		id, err := w.WhoAmI(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if id.OrgID != w.org.OrgID() || id.UserID != w.org.DefaultUser().ID || id.Username != salesforcetest.DefaultUsername {
			t.Errorf("got %+v", id)
		}
		w.org.ExpireAccess()
		if _, err := w.WhoAmI(t.Context()); err != nil || w.refreshed != 1 {
			t.Errorf("after expiry: %v, %d refreshes", err, w.refreshed)
		}
	}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	page := func(status int) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte("<html>no</html>"))
		})
	}
	for name, c := range map[string]struct {
		first http.Handler
		ok    bool
	}{
		"404 page":     {page(404), true},
		"503 page":     {page(503), false},
		"not for REST": {restRefused(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := httptest.NewServer(c.first)
			defer first.Close()
			w := newWorld(t, &salesforcetest.Org{}, func(cfg *Config) { cfg.Fallback, cfg.Base = cfg.Base, first.URL })
			_, err := w.Capabilities(t.Context())
			if (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
			base, settled := w.where()
			if want := c.ok; settled != want || (base == w.url) != want {
				t.Errorf("base %s settled %t", base, settled)
			}
			if c.ok { // once settled it stays
				w.org.NotValidForREST(true)
				_, err := w.Find(t.Context(), deliver.Query{Addresses: []string{"a@b.example"}})
				wantFault(t, err, fault.APIDisabled, false)
				if base, _ := w.where(); base != w.url {
					t.Errorf("moved to %s", base)
				}
			}
		})
	}
	t.Run("unknown host", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, &salesforcetest.Org{}, func(cfg *Config) { cfg.Fallback, cfg.Base = cfg.Base, "https://nowhere.invalid/partners" })
		w.warm(t)
	})
	t.Run("both down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, &salesforcetest.Org{}, func(cfg *Config) { cfg.Base, cfg.Fallback = "https://a.invalid", "https://b.invalid" })
		_, err := w.Capabilities(t.Context())
		wantFault(t, err, fault.Offline, false)
		if base, _ := w.where(); base != "https://a.invalid" {
			t.Errorf("base %s", base)
		}
	})
}

// restRefused lists versions, and takes no session of ours.
func restRefused() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/services/data") {
			reply(rw, 200, `[{"version":"67.0"}]`)
			return
		}
		reply(rw, 401, `[{"errorCode":"INVALID_SESSION_ID","message":"This session is not valid for use with the REST API"}]`)
	})
}

func TestTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &salesforcetest.Org{MailKey: true})
	w.warm(t)
	w.org.ExpireAccess()
	w.mustCreate(t, mailsOf(3))
	if n := len(w.org.Records("EmailMessage")); n != 3 || w.refreshed != 1 {
		t.Errorf("%d records, %d refreshes", n, w.refreshed)
	}
	w.org.NotValidForREST(true)
	_, err := w.Create(t.Context(), mailsOf(1))
	wantFault(t, err, fault.APIDisabled, false)
	if w.refreshed != 1 {
		t.Error("refreshed a token that was not at fault")
	}
	w.org.NotValidForREST(false)
	w.org.APIDisabled(true)
	_, err = w.Create(t.Context(), mailsOf(1))
	wantFault(t, err, fault.APIDisabled, false)
}

func TestDeadTokenIsNotSignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &salesforcetest.Org{})
	w.warm(t)
	w.org.DeactivateUser(w.org.DefaultUser().ID)
	_, err := w.Create(t.Context(), mailsOf(1))
	wantFault(t, err, fault.NotSignedIn, false)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 307, 308} {
		var leaked bool
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			leaked = leaked || r.Header.Get("Authorization") != ""
		}))
		w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/services/data") {
				reply(rw, 200, `[{"version":"67.0"}]`)
				return
			}
			http.Redirect(rw, r, other.URL+r.URL.Path, status)
		})
		_, err := w.Capabilities(t.Context())
		wantFault(t, err, fault.NotTheServer, false)
		other.Close()
		if leaked {
			t.Error("the token travelled")
		}
	}
}

func TestClosedStatus(t *testing.T) {
	t.Parallel()
	values := func(names ...string) *object {
		var list []choice
		for _, n := range names {
			list = append(list, choice{true, n})
		}
		return &object{fields: map[string]field{"Status": {Values: list}}}
	}
	for _, c := range []struct {
		closed  []string
		offered *object
		want    string
	}{
		{[]string{"Completed"}, values("Not Started", "Completed"), "Completed"},
		{[]string{"Erledigt"}, values("Offen", "Erledigt"), "Erledigt"},
		{[]string{"Done", "Erledigt"}, values("Offen", "Erledigt"), "Erledigt"},
		{nil, values("Completed"), "Completed"},
		{nil, values(), "Completed"},
	} {
		if got := closedStatus(c.closed, c.offered); got != c.want {
			t.Errorf("%v: got %q, want %q", c.closed, got, c.want)
		}
	}
}

func TestEmailFieldsAreAllSought(t *testing.T) {
	t.Parallel()
	o := &object{name: contact, query: true, fieldsNow: []string{"Work__c", "Email", "Hidden__c", "Name"}, fields: map[string]field{
		"Work__c": {Type: "email", Filterable: true}, "Email": {Type: "email", Filterable: true}, "Hidden__c": {Type: "email"}, "Name": {Type: "string", Filterable: true},
	}}
	if got := o.emails(); !slices.Equal(got, []string{"Email", "Work__c"}) {
		t.Errorf("got %v", got)
	}
}
