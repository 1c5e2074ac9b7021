package provision_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/secret"
)

var (
	pairs  = flag.Int("pairs", 300, "random pairs of tenants, keys and calls to try on each kind of database")
	probes = flag.Int("probes", 200, "timings of each side of a time probe")
)

// town is a tenant with people, and a key of every kind.
type town struct {
	tenant
	keys   map[string]provision.Credential // by role, "group" for one that reaches a group alone
	people []victim
	policy provision.PolicyEnvelope
}

// victim is what somebody might ask for: ids of a neighbour, or of nobody.
type victim struct {
	user, device, registration, secret, group, mailbox, key, tenant string

	account          provision.Account
	salesforce, mail string // id_tokens for this registration
	policy           provision.PolicyEnvelope
}

// id is any of the victim's ids.
func (v victim) id(dice *rand.Rand) string {
	return []string{v.user, v.device, v.key, v.tenant, v.registration}[dice.IntN(5)]
}

// hide takes the victim's own words out of an answer, so that two answers can be compared.
func (v victim) hide(text string) string {
	return strings.NewReplacer(v.user, "*", v.device, "*", v.registration, "*", v.group, "*", v.mailbox, "*", v.key, "*", v.tenant, "*").Replace(text)
}

// person makes a victim of whom nothing is known yet, with both sign-ins. Names of one town begin alike.
func (w *world) person(name string, n int) victim {
	c := w.computer()
	v := victim{
		user: fmt.Sprintf("%s-u%d", name, n), device: "d_" + strings.Repeat("A", 20) + fmt.Sprintf("%06d", n), group: fmt.Sprintf("%s-g%d", name, n%2),
		mailbox: fmt.Sprintf("%s%d@example.com", name, n), key: "t_" + strings.Repeat("B", 20) + fmt.Sprintf("%06d", n), tenant: "n_" + strings.Repeat("C", 20) + fmt.Sprintf("%06d", n),
		registration: c.in.Registration, secret: c.in.Secret,
	}
	var ok bool
	v.account, ok = provision.Account{OrgID: orgA, UserID: fmt.Sprintf("005%02x%010d", name[0], n)}.Canonical()
	if !ok {
		w.Fatalf("no account for %s %d", name, n)
	}
	c.sf["sub"] = "https://login.salesforce.com/id/" + v.account.OrgID + "/" + v.account.UserID
	c.mail["sub"], c.mail["email"] = v.user, v.mailbox
	in := c.signed(w)
	v.salesforce, v.mail = in.Salesforce, in.Mail
	return v
}

// town makes a tenant in which three people have a computer each.
func (w *world) town(name string) *town {
	w.Helper()
	ctx := w.Context()
	t := &town{tenant: w.tenant(name)}
	signer := w.signer(t.tenant)
	t.policy = w.sign(w.policy(t.tenant, "", 3), signer)
	w.ok(t.api.PutPolicy(ctx, t.policy))
	for n := range 3 {
		v := w.person(name, n)
		v.key, v.tenant, v.policy = t.key.ID, t.id.String(), w.sign(w.policy(t.tenant, "", 4), signer)
		_, err := t.api.PutUser(ctx, v.user, provision.UserIn{Group: v.group, Account: v.account, Mailbox: v.mailbox})
		w.ok(err)
		out, err := w.client(t.deploy).Register(ctx, v.registerIn())
		w.ok(err)
		v.device = out.Device
		t.people = append(t.people, v)
	}
	spare := w.person(name, 9)
	_, err := t.api.PutUser(ctx, spare.user, provision.UserIn{Account: spare.account, Mailbox: spare.mailbox})
	w.ok(err)
	t.keys = map[string]provision.Credential{
		"tenant": t.key, "deployment": t.deploy, "group": w.key(t.id, provision.RoleTenant, t.people[0].group), "code": w.codeOf(t.tenant, spare.user),
		"device": {ID: t.people[0].device, Secret: secretOf(w, t.people[0].secret)},
	}
	return t
}

func (v victim) registerIn() provision.RegisterIn {
	return provision.RegisterIn{Registration: v.registration, Secret: v.secret, Salesforce: v.salesforce, Mail: v.mail, Mailbox: v.mailbox, Report: report}
}

// secretOf reads a device secret as it travels.
func secretOf(w *world, text string) secret.String {
	w.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	w.ok(err)
	return secret.New(string(raw))
}

// ask is a call in which a victim's ids stand.
type ask struct{ method, target, body string }

func in(method, target string, body any) ask {
	if body == nil {
		return ask{method, target, ""}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return ask{method, target, string(text)}
}

// crossings are the ways into each call with somebody else's ids. None changes anything of the caller's own.
var crossings = map[string]func(dice *rand.Rand, own, v victim) ask{
	"putUser": func(dice *rand.Rand, own, v victim) ask {
		u := provision.UserIn{Group: v.group, Account: own.account, Mailbox: v.mailbox} // taken by another user of ours
		switch dice.IntN(4) {
		case 0: // ids in path and body differ
			return in("PUT", "/v1/users/"+own.user, map[string]any{"id": v.user, "account": own.account, "mailbox": own.mailbox})
		case 1: // ours is bound to another account
			return in("PUT", "/v1/users/"+own.user, provision.UserIn{Account: v.account, Mailbox: v.mailbox})
		case 2:
			return in("PUT", "/v1/users/"+own.user, map[string]any{"tenant": v.tenant, "account": own.account, "mailbox": own.mailbox})
		}
		return in("PUT", "/v1/users/"+v.id(dice), u)
	},
	"getUser":         func(dice *rand.Rand, _, v victim) ask { return in("GET", "/v1/users/"+v.id(dice), nil) },
	"suspendUser":     func(dice *rand.Rand, _, v victim) ask { return in("POST", "/v1/users/"+v.id(dice)+"/suspend", nil) },
	"resumeUser":      func(dice *rand.Rand, _, v victim) ask { return in("POST", "/v1/users/"+v.id(dice)+"/resume", nil) },
	"deprovisionUser": func(dice *rand.Rand, _, v victim) ask { return in("POST", "/v1/users/"+v.id(dice)+"/deprovision", nil) },
	"issueCode":       func(dice *rand.Rand, _, v victim) ask { return in("POST", "/v1/users/"+v.id(dice)+"/code", nil) },
	"listUsers": func(dice *rand.Rand, _, v victim) ask {
		return in("GET", "/v1/users?"+[]string{"after=" + v.user, "group=" + v.group, "tenant=" + v.tenant}[dice.IntN(3)], nil)
	},
	"getCounts": func(dice *rand.Rand, _, v victim) ask {
		return in("GET", "/v1/counts?"+[]string{"group=" + v.group, "tenant=" + v.tenant}[dice.IntN(2)], nil)
	},
	"putPolicy": func(_ *rand.Rand, _, v victim) ask { return in("PUT", "/v1/policy", v.policy) },
	"getPolicy": func(dice *rand.Rand, _, v victim) ask {
		return in("GET", "/v1/policy?"+[]string{"group=" + v.group, "device=" + v.device}[dice.IntN(2)], nil)
	},
	"register": func(dice *rand.Rand, own, v victim) ask {
		r := v.registerIn()
		switch dice.IntN(3) {
		case 0: // the neighbour's registration with a sign-in of ours
			r.Salesforce, r.Mail = own.salesforce, own.mail
		case 1:
			r.Secret = own.secret
		}
		return in("POST", "/v1/register", r)
	},
	"setup": func(dice *rand.Rand, _, v victim) ask {
		return in("GET", "/v1/setup?"+[]string{"tenant=" + v.tenant, "user=" + v.user}[dice.IntN(2)], nil)
	},
	"checkIn": device("/v1/checkin"), "wiped": device("/v1/wiped"), "leave": device("/v1/leave"),
}

// device is a call of a computer, which names none: its key does.
func device(path string) func(*rand.Rand, victim, victim) ask {
	return func(dice *rand.Rand, _, v victim) ask {
		if dice.IntN(2) == 0 {
			return in("POST", path+"?device="+v.device, map[string]any{"report": report})
		}
		return in("POST", path, map[string]any{"device": v.device, "report": report})
	}
}

// calls are the operation ids of the description. Each one must have a crossing.
func calls(t *testing.T) []string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(provision.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if crossings[op.ID] == nil {
				t.Fatalf("%s %s (%s) has no crossing: nobody has tried it with a neighbour's ids", method, path, op.ID)
			}
			ids = append(ids, op.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// TestB05B36NoNeighbour makes every call with keys of one tenant and ids of another: the answer is to the byte
// the one for ids that nobody has, and nothing changes.
func TestB05B36NoNeighbour(t *testing.T) { everywhere(t, b05NoNeighbour) }

func b05NoNeighbour(t *testing.T, w *world) {
	ids := calls(t)
	towns := []*town{w.town("core"), w.town("dune"), w.town("east"), w.town("fort")}
	nobodies := map[*town][]victim{}
	unknown := w.signer(w.x)
	for _, y := range towns {
		for n := range 8 {
			v := w.person(y.people[0].user[:4], 100+n)
			v.policy = w.sign(provision.PolicyDocument{Tenant: v.tenant, Version: 4, Issued: w.clock(), Expires: w.clock().Add(time.Hour), Settings: map[string]json.RawMessage{}}, unknown)
			nobodies[y] = append(nobodies[y], v)
		}
	}
	ofAll := func() (text string) {
		for _, y := range towns {
			text += w.everything(y.tenant)
		}
		return text
	}
	before := ofAll()
	for _, y := range towns { // the ids are right: their own key finds them
		w.demand("own", w.captured(y.key, "GET", "/v1/users/"+y.people[0].user, "", 0), http.StatusOK, "")
	}
	var done atomic.Int64
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	for worker := range uint64(8) {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(worker, 7))
			for !t.Failed() && done.Add(1) <= int64(*pairs) {
				a := dice.IntN(len(towns))
				x, y := towns[a], towns[(a+1+dice.IntN(len(towns)-1))%len(towns)]
				op := ids[dice.IntN(len(ids))]
				status := w.trespass(x, op, y.people[dice.IntN(len(y.people))], nobodies[y][dice.IntN(8)], dice)
				mu.Lock()
				codes[fmt.Sprint(op, " ", status)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if after := ofAll(); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
	t.Logf("%d pairs: %v", *pairs, codes)
}

// trespass makes one call twice, for a neighbour's ids and for nobody's.
func (w *world) trespass(x *town, op string, theirs, nobodys victim, dice *rand.Rand) int {
	key := x.keys[[]string{"tenant", "group", "deployment", "code", "device"}[dice.IntN(5)]]
	switch op { // mostly a key that has the call
	case "checkIn", "wiped", "leave", "getPolicy":
		if dice.IntN(4) > 0 {
			key = x.keys["device"]
		}
	case "register", "setup":
		if dice.IntN(4) > 0 {
			key = x.keys[[]string{"deployment", "code"}[dice.IntN(2)]]
		}
	default:
		if dice.IntN(4) > 0 {
			key = x.keys[[]string{"tenant", "group"}[dice.IntN(2)]]
		}
	}
	own, seed := x.people[dice.IntN(len(x.people))], dice.Uint64()
	var got [2]answer
	var say [2]string
	for i, v := range []victim{theirs, nobodys} {
		a := crossings[op](rand.New(rand.NewPCG(seed, seed)), own, v)
		say[i] = a.method + " " + a.target + " " + a.body
		got[i], _ = w.play(w.server, w.captured(key, a.method, a.target, a.body, 0))
		var p provision.Problem
		if json.Unmarshal([]byte(got[i].body), &p) == nil && p.Ticket != "" {
			p.Ticket = "sealed, differs each time"
			text, err := json.Marshal(p)
			w.ok(err)
			got[i].body = string(text)
			got[i].header.Del("Content-Length")
		}
		got[i].body = v.hide(got[i].body)
	}
	if got[0].status != got[1].status || got[0].body != got[1].body || fmt.Sprint(got[0].header) != fmt.Sprint(got[1].header) {
		w.Errorf("%s of %s tells a neighbour's ids from nobody's:\n%.300s\n%d %s\n%.300s\n%d %s", key.ID[:2], x.id, say[0], got[0].status, got[0].body, say[1], got[1].status, got[1].body)
	}
	return got[0].status
}

// TestB05TimeProbe: how long an answer takes does not tell a neighbour's ids from nobody's, nor a known key from
// an unknown one.
func TestB05TimeProbe(t *testing.T) { everywhere(t, b05TimeProbe) }

func b05TimeProbe(t *testing.T, w *world) {
	x, y := w.town("core"), w.town("dune")
	nobody := w.person("dune", 100)
	wrong := provision.Credential{ID: y.key.ID, Secret: x.key.Secret}
	unknown := provision.Credential{ID: "t_AAAAAAAAAAAAAAAAAAAAAAAAAA", Secret: x.key.Secret}
	for name, c := range map[string]struct {
		key      [2]provision.Credential
		method   string
		target   [2]string
		distance float64
	}{
		"user":        {[2]provision.Credential{x.key, x.key}, "GET", [2]string{"/v1/users/" + y.people[0].user, "/v1/users/" + nobody.user}, 4.5},
		"user's code": {[2]provision.Credential{x.key, x.key}, "POST", [2]string{"/v1/users/" + y.people[0].user + "/code", "/v1/users/" + nobody.user + "/code"}, 4.5},
		"key":         {[2]provision.Credential{wrong, unknown}, "GET", [2]string{"/v1/users", "/v1/users"}, math.Inf(1)},
	} {
		tv, ratio := math.Inf(1), 0.0
		for try := 0; try < 3 && (math.Abs(tv) >= c.distance || ratio > 1.5 || ratio < 0.67); try++ { // a busy machine is not an oracle
			tv, ratio = probe(*probes, func(side int) func() {
				line := w.captured(c.key[side], c.method, c.target[side], "", 0)
				return func() { _, _ = w.play(w.server, line) }
			})
		}
		t.Logf("%s: t = %.2f, medians 1 : %.3f", name, tv, ratio)
		if math.Abs(tv) >= c.distance || ratio > 1.5 || ratio < 0.67 {
			t.Errorf("%s: t = %.2f, medians 1 : %.3f", name, tv, ratio)
		}
	}
}

// probe times both sides in random order and returns Welch's t and the ratio of the medians. The slowest tenth
// of either side is left out: it is the machine's.
func probe(n int, prepare func(side int) func()) (tv, ratio float64) {
	dice := rand.New(rand.NewPCG(1, uint64(n)))
	var took [2][]float64
	for len(took[0]) < n || len(took[1]) < n {
		side := dice.IntN(2)
		do := prepare(side)
		start := time.Now()
		do()
		took[side] = append(took[side], float64(time.Since(start)))
	}
	all := slices.Concat(took[0], took[1])
	slices.Sort(all)
	limit := all[len(all)*9/10]
	var mean, spread, count, median [2]float64
	for i, side := range took {
		side = slices.DeleteFunc(side, func(d float64) bool { return d > limit })
		slices.Sort(side)
		median[i], count[i] = side[len(side)/2], float64(len(side))
		for _, d := range side {
			mean[i] += d / count[i]
		}
		for _, d := range side {
			spread[i] += (d - mean[i]) * (d - mean[i]) / (count[i] - 1)
		}
	}
	return (mean[0] - mean[1]) / math.Sqrt(spread[0]/count[0]+spread[1]/count[1]), median[1] / median[0]
}

// poisons are strings that mean something to a database, a terminal, or a reader of logs.
var poisons = []string{
	"';DROP TABLE tenant;--", `" OR 1=1 --`, "a\x00b", "a\r\nlevel=ERROR msg=forged", "a\nb", "\x1b[31mred\x1b[0m", "a\u202eb", "a\u2066b", "$1", "%s%d%n", "{{.}}", "../../etc/passwd", "a\u2028b", "\ufeffa", strings.Repeat("x", 20_000),
}

// TestB41PoisonInEveryString puts odd strings into every string of every call. Each is refused, or comes back as it
// was; every event is one line; nothing of a neighbour changes.
func TestB41PoisonInEveryString(t *testing.T) { everywhere(t, b41Poison) }

func b41Poison(t *testing.T, w *world) {
	x, y := w.town("core"), w.town("dune")
	neighbour := w.everything(y.tenant)
	spoilt, taken := 0, 0
	for _, op := range calls(t) {
		a := crossings[op](rand.New(rand.NewPCG(3, 3)), x.people[0], x.people[0])
		key := x.keys["tenant"]
		switch op {
		case "checkIn", "wiped", "leave", "getPolicy":
			key = x.keys["device"]
		case "register", "setup":
			key = x.keys["deployment"]
		}
		for _, poison := range poisons {
			for _, spoiled := range spoil(t, a, poison) {
				spoilt++
				before := w.eventCount(x)
				got, ok := w.play(w.server, w.captured(key, spoiled.method, spoiled.target, spoiled.body, 0))
				if !ok || got.status >= 500 || got.status == http.StatusUnauthorized {
					t.Errorf("%s with %.40q: %d %s", op, poison, got.status, got.body)
				}
				if got.status < 300 {
					taken++
				}
				if n := w.eventCount(x) - before; n > 1 || n == 1 && got.status >= 300 {
					t.Errorf("%s with %.40q left %d events and %d", op, poison, n, got.status)
				}
			}
		}
	}
	if spoilt < 300 {
		t.Errorf("%d strings were tried", spoilt)
	}
	t.Logf("%d strings, %d taken", spoilt, taken)
	if after := w.everything(y.tenant); after != neighbour {
		t.Errorf("the neighbour changed from\n%s\nto\n%s", neighbour, after)
	}
	for _, line := range strings.Split(strings.TrimSuffix(w.log.String(), "\n"), "\n") {
		if line != "" && (!strings.HasPrefix(line, "time=") || strings.Contains(line, "\x1b") || strings.Contains(line, "\u202e")) {
			t.Errorf("a line of the log: %q", line)
		}
	}
}

func (w *world) eventCount(x *town) int {
	w.Helper()
	events, err := w.store.Events(w.Context(), x.id, 0, 100_000)
	w.ok(err)
	return len(events)
}

// spoil puts the poison into each string of a call by itself: parts of the path, values of the query, members of
// the body at any depth.
func spoil(t *testing.T, a ask, poison string) []ask {
	t.Helper()
	var all []ask
	path, query, _ := strings.Cut(a.target, "?")
	short := poison[:min(len(poison), 300)] // a client signs no longer target
	if id, ok := strings.CutPrefix(path, "/v1/users/"); ok {
		id, action, _ := strings.Cut(id, "/")
		if id != "" {
			all = append(all, ask{a.method, strings.TrimSuffix("/v1/users/"+url.PathEscape(short)+"/"+action, "/"), a.body})
		}
	}
	if name, _, ok := strings.Cut(query, "="); ok {
		all = append(all, ask{a.method, path + "?" + url.Values{name: {short}}.Encode(), a.body})
	}
	if a.body == "" {
		return all
	}
	var body any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatal(err)
	}
	leaves(body, func(m map[string]any, name string) {
		was := m[name]
		m[name] = poison
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		m[name] = was
		all = append(all, ask{a.method, path, string(text)})
	})
	return all
}

// leaves visits the members that are strings.
func leaves(v any, visit func(m map[string]any, name string)) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if _, ok := m[name].(string); ok {
			visit(m, name)
		} else {
			leaves(m[name], visit)
		}
	}
}
