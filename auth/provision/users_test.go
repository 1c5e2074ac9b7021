package provision_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hawser/auth/provision"
)

func TestB08Lifecycle(t *testing.T) { everywhere(t, b08Lifecycle) }

func b08Lifecycle(t *testing.T, w *world) {
	ctx := t.Context()
	for range 2 {
		u, err := w.x.api.PutUser(ctx, "ada", ada())
		w.ok(err)
		if u.State != provision.Active || u.Mailbox != "ada@example.com" {
			t.Fatalf("got %+v", u)
		}
	}
	_, _, device := w.enrolled(w.x)
	for _, step := range []struct {
		do    func() (provision.UserOut, error)
		state provision.UserState
		told  string
	}{
		{func() (provision.UserOut, error) { return w.x.api.Suspend(ctx, "ada") }, provision.Suspended, provision.StandingSuspended},
		{func() (provision.UserOut, error) { return w.x.api.Suspend(ctx, "ada") }, provision.Suspended, provision.StandingSuspended},
		{func() (provision.UserOut, error) { return w.x.api.Resume(ctx, "ada") }, provision.Active, provision.StandingActive},
		{func() (provision.UserOut, error) { return w.x.api.Resume(ctx, "ada") }, provision.Active, provision.StandingActive},
		{func() (provision.UserOut, error) { return w.x.api.Deprovision(ctx, "ada") }, provision.Deprovisioned, provision.StandingRemoved},
		{func() (provision.UserOut, error) { return w.x.api.Deprovision(ctx, "ada") }, provision.Deprovisioned, provision.StandingRemoved},
	} {
		u, err := step.do()
		w.ok(err)
		out, err := device.CheckIn(ctx, report)
		w.ok(err)
		if u.State != step.state || out.State != step.told {
			t.Fatalf("got user %s and check-in %s, want %s and %s", u.State, out.State, step.state, step.told)
		}
		if out.Interval < 1 || out.Interval*12/10 > 60 {
			t.Errorf("an agent hears of a change after %d s, want at most a minute", out.Interval)
		}
	}
	_, err := w.x.api.Resume(ctx, "ada")
	w.code(err, http.StatusConflict, provision.CodeState)
}

func TestA05ProvisioningTwiceIsAConflict(t *testing.T) {
	everywhere(t, a05ProvisioningTwiceIsAConflict)
}

func a05ProvisioningTwiceIsAConflict(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	twin := ada()
	twin.Mailbox, twin.Aliases = "other@example.com", nil
	_, err = w.x.api.PutUser(t.Context(), "twin", twin)
	w.code(err, http.StatusConflict, provision.CodeConflict)
	w.enrolled(w.x)
	_, err = w.x.api.PutUser(t.Context(), "ada", twin)
	w.code(err, http.StatusConflict, provision.CodeBound)
}

func TestUserIsCheckedAndMadeCanonical(t *testing.T) { everywhere(t, userIsCheckedAndMadeCanonical) }

func userIsCheckedAndMadeCanonical(t *testing.T, w *world) {
	in := ada()
	in.Account.OrgID, in.Account.UserID = orgA[:15], userA[:15] // as Salesforce shows them in places
	in.Mailbox = "ADA@Example.COM"
	u, err := w.x.api.PutUser(t.Context(), "ada", in)
	w.ok(err)
	if u.Account != ada().Account || u.Mailbox != "ada@example.com" {
		t.Errorf("got %+v", u)
	}
	for name, change := range map[string]func(*provision.UserIn){
		"no account":         func(in *provision.UserIn) { in.Account = provision.Account{} },
		"wrong check letter": func(in *provision.UserIn) { in.Account.UserID = userA[:15] + "ZZZ" },
		"ids swapped":        func(in *provision.UserIn) { in.Account.OrgID, in.Account.UserID = in.Account.UserID, in.Account.OrgID },
		"look-alike":         func(in *provision.UserIn) { in.Mailbox = "аda@example.com" },
		"two at signs":       func(in *provision.UserIn) { in.Mailbox = "a@b@example.com" },
		"line feed":          func(in *provision.UserIn) { in.Mailbox = "a\n@example.com" },
		"five aliases": func(in *provision.UserIn) {
			in.Aliases = []string{"1@e.com", "2@e.com", "3@e.com", "4@e.com", "5@e.com"}
		},
		"alias twice":      func(in *provision.UserIn) { in.Aliases = []string{"1@e.com", "1@E.com"} },
		"alias is mailbox": func(in *provision.UserIn) { in.Aliases = []string{"ada@example.com"} },
		"odd group":        func(in *provision.UserIn) { in.Group = "a/b" },
	} {
		in := ada()
		change(&in)
		_, err := w.x.api.PutUser(t.Context(), "eve", in)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		w.code(err, http.StatusBadRequest, provision.CodeInvalid)
	}
}

func TestL04GroupKeySeesItsGroupAlone(t *testing.T) { everywhere(t, l04GroupKeySeesItsGroupAlone) }

func l04GroupKeySeesItsGroupAlone(t *testing.T, w *world) {
	ctx := t.Context()
	for i, group := range []string{"p", "q", ""} {
		in := ada()
		in.Group, in.Aliases = group, nil
		in.Account.UserID = fmt.Sprintf("00500000000000%d", i)
		in.Mailbox = fmt.Sprintf("u%d@example.com", i)
		_, err := w.x.api.PutUser(ctx, fmt.Sprint("user", i), in)
		w.ok(err)
	}
	p := w.client(w.key(w.x.id, provision.RoleTenant, "p"))
	list, err := p.Users(ctx, provision.UserQuery{})
	w.ok(err)
	if len(list.Users) != 1 || list.Users[0].ID != "user0" {
		t.Errorf("the group's key lists %+v", list.Users)
	}
	list, err = p.Users(ctx, provision.UserQuery{Group: "q"})
	w.ok(err)
	if len(list.Users) != 0 {
		t.Error("the group's key lists another group")
	}
	for _, user := range []string{"user1", "user2", "nobody"} {
		for _, call := range []func() error{
			func() error { _, err := p.User(ctx, user); return err },
			func() error { _, err := p.Suspend(ctx, user); return err },
			func() error { _, err := p.Deprovision(ctx, user); return err },
			func() error { _, err := p.IssueCode(ctx, user); return err },
			func() error { _, err := p.PutUser(ctx, user, ada()); return err },
		} {
			w.code(call(), http.StatusNotFound, provision.CodeNotFound)
		}
	}
	in := ada()
	in.Group = "p"
	_, err = p.PutUser(ctx, "user1", in) // to pull a user over
	w.code(err, http.StatusNotFound, provision.CodeNotFound)
	_, err = p.PutUser(ctx, "new", in)
	w.ok(err)
	n, err := p.Counts(ctx, "")
	w.ok(err)
	if n.Users[provision.Active] != 2 {
		t.Errorf("the group's key counts %+v", n)
	}
	if n, err = p.Counts(ctx, "q"); err != nil || n.Users[provision.Active] != 0 {
		t.Errorf("the group's key counts another group: %+v, %v", n, err)
	}
	all, err := w.x.api.Users(ctx, provision.UserQuery{Limit: 2})
	w.ok(err)
	rest, err := w.x.api.Users(ctx, provision.UserQuery{After: all.Next, Limit: 100})
	w.ok(err)
	if len(all.Users)+len(rest.Users) != 4 || all.Next == "" || rest.Next != "" {
		t.Errorf("pages of %d and %d users", len(all.Users), len(rest.Users))
	}
}

func TestL04CountsOnly(t *testing.T) { everywhere(t, l04CountsOnly) }

func l04CountsOnly(t *testing.T, w *world) {
	_, _, device := w.enrolled(w.x)
	r := report
	r.Fault = "offline"
	_, err := device.CheckIn(t.Context(), r)
	w.ok(err)
	list, err := w.x.api.Users(t.Context(), provision.UserQuery{})
	w.ok(err)
	if len(list.Users) != 1 || len(list.Users[0].Devices) != 1 || list.Users[0].Devices[0].Report != r || list.Users[0].Devices[0].LastSeen.IsZero() {
		t.Errorf("got %+v", list.Users)
	}
	n, err := w.x.api.Counts(t.Context(), "")
	w.ok(err)
	if n.Devices != 1 || n.Reporting != 1 || n.Bound != 1 || n.Counts != r.Counts {
		t.Errorf("got %+v", n)
	}
	w.pass(25 * time.Hour)
	if n, err = w.x.api.Counts(t.Context(), ""); err != nil || n.Reporting != 0 {
		t.Errorf("a silent device reports: %+v, %v", n, err)
	}
	r.State = "re: your offer" // a report has no room for text
	_, err = device.CheckIn(t.Context(), r)
	w.code(err, http.StatusBadRequest, provision.CodeInvalid)
}

// roleTable is written out by hand: one line for each call, with the roles that have it.
var roleTable = map[string]string{
	"PUT /v1/users/ada": "tenant", "GET /v1/users/ada": "tenant", "GET /v1/users": "tenant",
	"POST /v1/users/ada/suspend": "tenant", "POST /v1/users/ada/resume": "tenant",
	"POST /v1/users/ada/deprovision": "tenant", "POST /v1/users/ada/code": "tenant", "GET /v1/counts": "tenant",
	"PUT /v1/policy": "tenant", "POST /v1/register": "code deployment", "GET /v1/setup": "code deployment", "GET /v1/policy": "device",
	"POST /v1/checkin": "device", "POST /v1/wiped": "device", "POST /v1/leave": "device",
	"DELETE /v1/users/ada": "", "GET /v1/register": "", "POST /v1/users": "", "GET /": "", "GET /v1": "", "GET /v1/": "",
	"GET /v2/users": "", "GET /v1/users/ada/": "", "GET /v1/users/": "", "GET /v1/users//": "", "POST /v1/openapi.json": "",
	"GET /v1/users/a%2Fb": "", "GET /v1/users/%2e%2e": "", "GET /metrics": "",
}

func TestB36RoleTable(t *testing.T) { everywhere(t, b36RoleTable) }

func b36RoleTable(t *testing.T, w *world) {
	_, device, _ := w.enrolled(w.x)
	code := w.codeOf(w.x, "ada")
	const nothing = `{"status":404,"code":"not-found","title":"There is nothing here for this key."}`
	keys := map[string]provision.Credential{"tenant": w.x.key, "deployment": w.x.deploy, "code": code, "device": device}
	for call, roles := range roleTable {
		method, target, _ := strings.Cut(call, " ")
		for role, key := range keys {
			// An odd body shows whether the call exists, without any effect.
			status, body := w.raw(key, method, target, `{"odd":1}`)
			want := http.StatusNotFound
			if strings.Contains(roles, role) {
				want = http.StatusBadRequest
			}
			if status != want || status == http.StatusNotFound && body != nothing {
				t.Errorf("%s with a %s key: %d %s, want %d", call, role, status, body, want)
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), method, w.http.URL+target, nil)
		w.ok(err)
		resp, err := w.http.Client().Do(req)
		w.ok(err)
		w.ok(resp.Body.Close())
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Date") == "" || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a key: %d", call, resp.StatusCode)
		}
	}
}

func TestB37StrictBodies(t *testing.T) { everywhere(t, b37StrictBodies) }

func b37StrictBodies(t *testing.T, w *world) {
	good := `{"account":{"orgId":"` + orgA + `","userId":"` + userA + `"},"mailbox":"ada@example.com"}`
	if status, body := w.raw(w.x.key, "PUT", "/v1/users/ada", good); status != http.StatusCreated {
		t.Fatalf("got %d %s", status, body)
	}
	events := func() int {
		all, err := w.store.Events(t.Context(), w.x.id, 0, 1000)
		w.ok(err)
		return len(all)
	}
	before := events()
	with := func(more string) string { return good[:len(good)-1] + "," + more + "}" }
	for name, body := range map[string]string{
		"tenant injected":     with(`"tenant":"n_x"`),
		"tenant_id injected":  with(`"tenant_id":"n_x"`),
		"role injected":       with(`"role":"device"`),
		"state injected":      with(`"state":"suspended"`),
		"member twice":        with(`"mailbox":"b@example.com"`),
		"member in two cases": with(`"Mailbox":"b@example.com"`),
		"other case":          strings.Replace(good, "mailbox", "MAILBOX", 1),
		"nested unknown":      strings.Replace(good, `"orgId"`, `"x":1,"orgId"`, 1),
		"nested twice":        strings.Replace(good, `"orgId"`, `"userId":"005000000000002AAA","orgId"`, 1),
		"deep":                with(`"aliases":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)),
		"many":                with(`"aliases":[` + strings.Repeat(`"",`, 5000) + `""]`),
		"NaN":                 with(`"group":NaN`),
		"null":                with(`"group":null`),
		"number":              with(`"group":1`),
		"trailing value":      good + "{}",
		"trailing bytes":      good + "\x00",
		"byte order mark":     "\ufeff" + good,
		"not UTF-8":           strings.Replace(good, "ada@", "ada\xff@", 1),
		"NUL":                 strings.Replace(good, "ada@", `ada\u0000@`, 1),
		"half a surrogate":    with(`"group":"\ud800"`),
		"turned around":       with(`"group":"a\u202eb"`),
		"empty":               "",
		"list":                "[]",
		"string":              `"x"`,
		"cut":                 good[:30],
	} {
		if status, answer := w.raw(w.x.key, "PUT", "/v1/users/ada", body); status != http.StatusBadRequest || !strings.Contains(answer, `"invalid"`) {
			t.Errorf("%s: got %d %s", name, status, answer)
		}
	}
	if status, _ := w.raw(w.x.key, "PUT", "/v1/users/ada", with(`"group":"`+strings.Repeat("x", 100<<10)+`"`)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("100 KB: got %d", status)
	}
	for _, target := range []string{"/v1/users?limit=0", "/v1/users?limit=501", "/v1/users?limit=x", "/v1/users?tenant=y", "/v1/users?limit=1&limit=2", "/v1/counts?group=a%2Fb", "/v1/users/ada?x=1", "/v1/users?a;b"} {
		if status, _ := w.raw(w.x.key, "GET", target, ""); status != http.StatusBadRequest {
			t.Errorf("%s: got %d", target, status)
		}
	}
	if after := events(); after != before {
		t.Errorf("refused requests left %d events", after-before)
	}
}

func TestDescriptionIsServed(t *testing.T) { everywhere(t, descriptionIsServed) }

func descriptionIsServed(t *testing.T, w *world) {
	resp, err := w.http.Client().Get(w.http.URL + "/v1/openapi.json")
	w.ok(err)
	body, err := io.ReadAll(resp.Body)
	w.ok(err)
	w.ok(resp.Body.Close())
	if resp.StatusCode != http.StatusOK || string(body) != string(provision.OpenAPI) || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d with %d bytes", resp.StatusCode, len(body))
	}
}
