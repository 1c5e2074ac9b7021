package provision_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

var badSignatures = flag.Int("badsignatures", 1000, "requests with a wrong signature and a fresh nonce, on each kind of database")

// captured is a signed request as it stands on the line, made at w.clock() plus off.
func (w *world) captured(c provision.Credential, method, target, body string, off time.Duration) string {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+target, strings.NewReader(body))
	w.ok(err)
	w.ok(reqsig.Sign(req, c.Signing(), w.clock().Add(off), rand.Reader))
	req.Body, err = req.GetBody()
	w.ok(err)
	var line bytes.Buffer
	w.ok(req.Write(&line))
	return line.String()
}

// answer is what comes back.
type answer struct {
	status int
	code   string // of a problem
	body   string
	header http.Header
}

// play sends what stands on the line to a server. ok is false when net/http refuses it by itself.
func (w *world) play(to http.Handler, line string) (a answer, ok bool) {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line)))
	if err != nil {
		return a, false
	}
	rec := httptest.NewRecorder()
	to.ServeHTTP(rec, req.WithContext(w.Context()))
	a = answer{status: rec.Code, body: rec.Body.String(), header: rec.Header()}
	var p provision.Problem
	if a.status >= 400 && json.Unmarshal(rec.Body.Bytes(), &p) == nil {
		a.code = p.Code
	}
	return a, true
}

// demand plays a line to the server and compares the answer.
func (w *world) demand(name, line string, status int, code string) answer {
	w.Helper()
	a, ok := w.play(w.server, line)
	if !ok || a.status != status || a.code != code {
		w.Errorf("%s: got %d %s, want %d %s", name, a.status, a.body, status, code)
	}
	if ok && a.header.Get("Date") != w.clock().Format(http.TimeFormat) {
		w.Errorf("%s: the answer's Date is %q", name, a.header.Get("Date"))
	}
	return a
}

// everything is all that can be read of the tenants.
func (w *world) everything(all ...tenant) string {
	w.Helper()
	var kept []any
	for _, t := range all {
		row, err := w.store.Tenant(w.Context(), t.id)
		w.ok(err)
		users, err := w.store.ListUsers(w.Context(), t.id, provision.UserQuery{Limit: 500})
		w.ok(err)
		events, err := w.store.Events(w.Context(), t.id, 0, 10_000)
		w.ok(err)
		keys, err := w.store.TenantKeys(w.Context(), t.id)
		w.ok(err)
		admins, err := w.store.Admins(w.Context(), t.id)
		w.ok(err)
		totals, err := w.store.Totals(w.Context(), t.id, "", time.Time{})
		w.ok(err)
		policy, err := w.store.Policy(w.Context(), t.id, "")
		kept = append(kept, row, users, events, keys, admins, totals, policy, fmt.Sprint(err))
	}
	text, err := json.Marshal(kept)
	w.ok(err)
	return string(text)
}

const eve = `{"account":{"orgId":"` + orgA + `","userId":"005000000000005"},"mailbox":"eve@example.com"}`

// TestB01B26OneBitChanged changes one bit of each byte of a request on its own: none passes, nothing is
// stored, the nonce is not used up, and the untouched request is taken afterwards.
func TestB01B26OneBitChanged(t *testing.T) { everywhere(t, b01OneBitChanged) }

func b01OneBitChanged(t *testing.T, w *world) {
	line := w.captured(w.x.key, "PUT", "/v1/users/eve", eve, 0)
	before := w.everything(w.x, w.y)
	host := "Host: " + w.http.Listener.Addr().String()
	if strings.Count(line, host) != 1 {
		t.Fatalf("no %q in %q", host, line)
	}
	refused := 0
	for i := range len(line) {
		changed := []byte(line)
		changed[i] ^= 1 << (i % 8)
		if unsigned(line, i, host) || i%8 == 5 && inName(line, i) {
			continue
		}
		a, ok := w.play(w.server, string(changed))
		switch {
		case !ok:
		case a.status == http.StatusUnauthorized || a.status == http.StatusBadRequest && a.code == reqsig.CodeMalformed || a.code == reqsig.CodeTooLarge:
			refused++
		default:
			t.Fatalf("byte %d of %q changed: %d %s", i, line[max(0, i-20):i+1], a.status, a.body)
		}
	}
	if refused < 400 {
		t.Errorf("only %d changed requests came as far as the server", refused)
	}
	for name, change := range map[string][2]string{
		"method": {"PUT ", "POST "}, "path": {"users/eve", "users/ada"}, "path escaped": {"users/eve", "users/%65ve"}, "query": {"users/eve ", "users/eve? "},
		"body": {"eve@", "bob@"}, "key of the neighbour": {w.x.key.ID, w.y.key.ID}, "key of another role": {w.x.key.ID, w.x.deploy.ID},
	} {
		w.demand(name, strings.Replace(line, change[0], change[1], 1), http.StatusUnauthorized, reqsig.CodeRefused)
	}
	if after := w.everything(w.x, w.y); after != before {
		t.Errorf("refused requests changed\n%s\nto\n%s", before, after)
	}
	w.demand("untouched", line, http.StatusCreated, "")
}

// unsigned reports whether a byte belongs to what a proxy may change: the version, Host, the length and the
// agent's name.
func unsigned(line string, i int, host string) bool {
	at := strings.LastIndexByte(line[:i], '\n') + 1
	head := strings.Index(line, "\r\n\r\n")
	if i >= head+4 {
		return false
	}
	text := line[at:]
	return strings.HasPrefix(text, host) || strings.HasPrefix(text, "User-Agent:") || strings.HasPrefix(text, "Content-Length:") ||
		line[i] == '\r' || line[i] == '\n' || at == 0 && i > strings.Index(line, " HTTP/")
}

// inName reports whether a byte belongs to a header's name, in which capitals do not count.
func inName(line string, i int) bool {
	at := strings.LastIndexByte(line[:i], '\n') + 1
	colon := strings.IndexByte(line[at:], ':')
	return at > 0 && i < at+colon && i < strings.Index(line, "\r\n\r\n")
}

func TestB02Window(t *testing.T) { everywhere(t, b02Window) }

func b02Window(t *testing.T, w *world) {
	before := w.everything(w.x, w.y)
	for _, off := range []time.Duration{301 * time.Second, -301 * time.Second, 1000 * time.Hour, -1000 * time.Hour} {
		w.demand(off.String(), w.captured(w.x.key, "PUT", "/v1/users/eve", eve, off), http.StatusUnauthorized, reqsig.CodeStale)
	}
	if after := w.everything(w.x, w.y); after != before {
		t.Errorf("stale requests changed\n%s\nto\n%s", before, after)
	}
	for _, off := range []time.Duration{299 * time.Second, -299 * time.Second, 300 * time.Second, -300 * time.Second} {
		w.demand(off.String(), w.captured(w.x.key, "GET", "/v1/users", "", off), http.StatusOK, "")
	}
}

// TestB03B29ReplayedLater sends a captured request again after 2 s, after 4 minutes, after a restart, to a
// second server, and 200 times at once: it works once ever.
func TestB03B29ReplayedLater(t *testing.T) { everywhere(t, b03ReplayedLater) }

func b03ReplayedLater(t *testing.T, w *world) {
	line := w.captured(w.x.key, "PUT", "/v1/users/eve", eve, 299*time.Second)
	w.demand("first", line, http.StatusCreated, "")
	w.demand("at once", line, http.StatusConflict, reqsig.CodeReplayed)
	w.pass(2 * time.Second)
	w.demand("2 s later", line, http.StatusConflict, reqsig.CodeReplayed)
	w.pass(4 * time.Minute)
	w.demand("4 min later", line, http.StatusConflict, reqsig.CodeReplayed)
	w.restart()
	w.demand("after a restart", line, http.StatusConflict, reqsig.CodeReplayed)
	second := w.second()
	if a, _ := w.play(second, line); a.code != reqsig.CodeReplayed {
		t.Errorf("a second server answers %d %s", a.status, a.body)
	}
	w.pass(5 * time.Minute) // the window's other end: the request is 599 s old by the server's clock
	if db, ok := w.store.(interface {
		Forget(ctx context.Context, now time.Time) (int64, error)
	}); ok {
		_, err := db.Forget(t.Context(), w.clock())
		w.ok(err)
	}
	w.demand("at the end of its time", line, http.StatusConflict, reqsig.CodeReplayed)
	w.pass(time.Minute)
	w.demand("beyond it", line, http.StatusUnauthorized, reqsig.CodeStale)

	line = w.captured(w.x.key, "POST", "/v1/users/eve/suspend", "", 0)
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			a, _ := w.play([]http.Handler{w.server, second}[i%2], line)
			mu.Lock()
			defer mu.Unlock()
			codes[fmt.Sprint(a.status, a.code)]++
		})
	}
	wg.Wait()
	if codes["200"] != 1 || codes["409replayed"] != 199 {
		t.Errorf("200 at once: %v", codes)
	}
}

// TestB25SignedHeaders: whatever is wrong with a signed header, the answer is the same to the byte.
func TestB25SignedHeaders(t *testing.T) { everywhere(t, b25SignedHeaders) }

func b25SignedHeaders(t *testing.T, w *world) {
	line := w.captured(w.x.key, "PUT", "/v1/users/eve", eve, 0)
	before := w.everything(w.x, w.y)
	want := w.demand("no header of it", "PUT /v1/users/eve HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusUnauthorized, reqsig.CodeRefused)
	seen := 0
	for _, name := range []string{"Signature", "Signature-Input", "Content-Digest", "Content-Type"} {
		at := strings.Index(line, "\r\n"+name+": ") + 2
		end := at + strings.Index(line[at:], "\r\n") + 2
		text := line[at:end]
		for kind, instead := range map[string]string{
			"missing": "", "empty": name + ":\r\n", "doubled": text + text, "folded": text[:len(text)-5] + "\r\n " + text[len(text)-5:],
			"8 KB": text[:len(text)-2] + strings.Repeat("a", 8<<10) + "\r\n", "another after it": text + name + ": x\r\n",
		} {
			a, ok := w.play(w.server, line[:at]+instead+line[end:])
			if !ok {
				continue // folded lines are refused earlier
			}
			seen++
			a.header.Del("Content-Length")
			if a.status != want.status || a.body != want.body || fmt.Sprint(a.header) != fmt.Sprint(stripped(want.header)) {
				t.Errorf("%s %s: %d %s %v", name, kind, a.status, a.body, a.header)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d requests came as far as the server", seen)
	}
	if after := w.everything(w.x, w.y); after != before {
		t.Errorf("refused requests changed\n%s\nto\n%s", before, after)
	}
	w.demand("untouched", line, http.StatusCreated, "")
}

func stripped(h http.Header) http.Header {
	h = h.Clone()
	h.Del("Content-Length")
	return h
}

// TestB28TimeAndNonce: odd times and nonces are refused before anything is written.
func TestB28TimeAndNonce(t *testing.T) { everywhere(t, b28TimeAndNonce) }

func b28TimeAndNonce(t *testing.T, w *world) {
	before := w.everything(w.x, w.y)
	line := w.captured(w.x.key, "PUT", "/v1/users/eve", eve, 0)
	_, after, _ := strings.Cut(line, ";created=")
	created, rest, _ := strings.Cut(after, ";nonce=\"")
	nonce, _, _ := strings.Cut(rest, `"`)
	for _, odd := range []string{
		created + "000", "-" + created, "9223372036854775808", "9223372036854775807", "1e9", " " + created, "+" + created, "0" + created, created + ".0", `"` + created + `"`, "",
	} {
		a, ok := w.play(w.server, strings.Replace(line, ";created="+created, ";created="+odd, 1))
		if !ok || a.status != http.StatusUnauthorized || a.header.Get("Date") == "" {
			t.Errorf("created %q: %d %s", odd, a.status, a.body)
		}
	}
	for odd, status := range map[string]int{
		"": 400, "AAAAAAAAAAAAAAA": 400, "AAAAAAAAAA": 400, strings.Repeat("A", 65): 400, strings.Repeat("A", 10_000): 401, nonce[:20] + "==": 400, nonce[:20] + "/+": 400, nonce + "\x00": 0, nonce + "\\n": 401,
	} {
		a, ok := w.play(w.server, strings.Replace(line, `"`+nonce+`"`, `"`+odd+`"`, 1))
		if ok && a.status != status {
			t.Errorf("nonce %.20q: %d %s", odd, a.status, a.body)
		}
	}
	if after := w.everything(w.x, w.y); after != before {
		t.Errorf("refused requests changed\n%s\nto\n%s", before, after)
	}
	w.demand("untouched", line, http.StatusCreated, "")
}

// stutter is a source of the same nonce for ever.
type stutter struct{}

func (stutter) Read(p []byte) (int, error) { return len(p), nil }

// TestB30NonceOfAnotherTenant: a nonce that a neighbour has used is free, and so is one of the own tenant's
// other key.
func TestB30NonceOfAnotherTenant(t *testing.T) { everywhere(t, b30NonceOfAnotherTenant) }

func b30NonceOfAnotherTenant(t *testing.T, w *world) {
	for name, key := range map[string]provision.Credential{"acme": w.x.key, "bolt": w.y.key, "acme's second": w.key(w.x.id, provision.RoleTenant, "")} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+"/v1/users", nil)
		w.ok(err)
		w.ok(reqsig.Sign(req, key.Signing(), w.clock(), stutter{}))
		var line bytes.Buffer
		w.ok(req.Write(&line))
		w.demand(name, line.String(), http.StatusOK, "")
		w.demand(name+" again", line.String(), http.StatusConflict, reqsig.CodeReplayed)
	}
}

// TestB31BadSignaturesLeaveNothing: requests with a wrong signature use up no nonce and no memory.
func TestB31BadSignaturesLeaveNothing(t *testing.T) { everywhere(t, b31BadSignatures) }

func b31BadSignatures(t *testing.T, w *world) {
	good := []string{w.captured(w.x.key, "GET", "/v1/users", "", 0)}
	var wg sync.WaitGroup
	heap := live()
	const workers = 4
	for range workers {
		wg.Go(func() {
			for range *badSignatures / workers {
				line := w.captured(w.x.key, "GET", "/v1/users", "", 0)
				at := strings.Index(line, "sig1=:") + len("sig1=:")
				bad := []byte(line)
				bad[at] ^= 1
				if a, ok := w.play(w.server, string(bad)); !ok || a.code != reqsig.CodeRefused {
					t.Errorf("got %d %s", a.status, a.body)
					return
				}
			}
		})
	}
	for range 20 { // whose nonces are looked for later
		good = append(good, w.captured(w.x.key, "GET", "/v1/users", "", 0))
		at := strings.Index(good[len(good)-1], "sig1=:") + len("sig1=:")
		bad := []byte(good[len(good)-1])
		bad[at] ^= 1
		w.demand("bad", string(bad), http.StatusUnauthorized, reqsig.CodeRefused)
	}
	wg.Wait()
	// So few of them would hide in what the tests beside this one hold.
	if grown := live() - heap; *badSignatures >= 100_000 && grown > 8<<20 {
		t.Errorf("%d bad signatures left %d bytes", *badSignatures, grown)
	}
	for _, line := range good {
		w.demand("good", line, http.StatusOK, "")
	}
}

// live is how much memory is in use. Other tests run meanwhile and blur it.
func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestB32Algorithm: which algorithm counts is no matter of the request.
func TestB32Algorithm(t *testing.T) { everywhere(t, b32Algorithm) }

func b32Algorithm(t *testing.T, w *world) {
	line := w.captured(w.x.key, "PUT", "/v1/users/eve", eve, 0)
	for _, change := range [][2]string{
		{`alg="hmac-sha256"`, `alg="none"`}, {`alg="hmac-sha256"`, `alg="sha1"`}, {`alg="hmac-sha256"`, `alg="ed25519"`}, {`;alg="hmac-sha256"`, ""},
		{`tag="hawser-v1"`, `tag="hawser-v0"`}, {`;tag="hawser-v1"`, ""}, {`sig1=(`, `sig2=(`}, {`"@method" `, ""}, {` "@query"`, ""},
	} {
		w.demand(change[1], strings.Replace(line, change[0], change[1], 1), http.StatusUnauthorized, reqsig.CodeRefused)
	}
	none := line[:strings.Index(line, "sig1=:")+6] + ":" + line[strings.Index(line, "sig1=:")+6+44+1:]
	a, ok := w.play(w.server, none)
	if !ok || a.status != http.StatusUnauthorized {
		t.Errorf("an empty signature: %d %s", a.status, a.body)
	}
	w.demand("untouched", line, http.StatusCreated, "")
}

// TestB04SecretIsShownOnce: after a key was made, no call and no list gives its secret back; two live at the
// same time, not three, and the old one dies at its time.
func TestB04SecretIsShownOnce(t *testing.T) { everywhere(t, b04SecretIsShownOnce) }

func b04SecretIsShownOnce(t *testing.T, w *world) {
	second := w.key(w.x.id, provision.RoleTenant, "")
	k, _ := w.vault.NewKey(w.x.id, provision.RoleTenant, "", w.clock())
	if err := w.store.AddKey(t.Context(), w.x.id, k, w.event()); err == nil {
		t.Error("three keys live")
	}
	_, device, _ := w.enrolled(w.x)
	code := w.codeOf(w.x, "ada")
	kept := w.everything(w.x, w.y)
	for _, c := range []provision.Credential{w.x.key, second, w.x.deploy, device, code} {
		for _, target := range []string{"/v1/users", "/v1/users/ada", "/v1/counts", "/v1/policy"} {
			_, body := w.raw(c, "GET", target, "")
			kept += body
		}
	}
	for _, c := range []provision.Credential{w.x.key, second, w.x.deploy, device, code} {
		_, encoded, _ := strings.Cut(c.Text().Reveal(), ".")
		if strings.Contains(kept, c.Secret.Reveal()) || encoded != "" && strings.Contains(kept, encoded) {
			t.Errorf("the secret of %s can be read back", c.ID)
		}
	}
	keys, err := w.store.TenantKeys(t.Context(), w.x.id)
	w.ok(err)
	for _, k := range keys {
		if len(k.Sealed) != 0 {
			t.Errorf("the list shows what %s is sealed in", k.ID)
		}
	}
	w.ok(w.store.EndKey(t.Context(), w.x.id, w.x.key.ID, w.clock().Add(time.Hour), w.event()))
	w.demand("old in the overlap", w.captured(w.x.key, "GET", "/v1/users", "", 0), http.StatusOK, "")
	w.demand("new in the overlap", w.captured(second, "GET", "/v1/users", "", 0), http.StatusOK, "")
	w.pass(time.Hour)
	w.demand("new after it", w.captured(second, "GET", "/v1/users", "", 0), http.StatusOK, "")
	old := w.demand("old after it", w.captured(w.x.key, "GET", "/v1/users", "", 0), http.StatusUnauthorized, reqsig.CodeRefused)
	nobody := provision.Credential{ID: "t_AAAAAAAAAAAAAAAAAAAAAAAAAA", Secret: w.x.key.Secret}
	wrong := provision.Credential{ID: second.ID, Secret: w.x.key.Secret}
	for name, c := range map[string]provision.Credential{"B33 unknown key": nobody, "B33 wrong secret": wrong} {
		a := w.demand(name, w.captured(c, "GET", "/v1/users", "", 0), http.StatusUnauthorized, reqsig.CodeRefused)
		if a.body != old.body || fmt.Sprint(a.header) != fmt.Sprint(old.header) {
			t.Errorf("%s can be told from an ended key: %s %v", name, a.body, a.header)
		}
	}
}

// TestB35CodeOfAnotherTenant: a code counts in its own tenant and for its own user.
func TestB35CodeOfAnotherTenant(t *testing.T) { everywhere(t, b35CodeOfAnotherTenant) }

func b35CodeOfAnotherTenant(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	_, err = w.y.api.PutUser(t.Context(), "bob", provision.UserIn{Account: provision.Account{OrgID: orgA, UserID: "005000000000002"}, Mailbox: "bob@example.com"})
	w.ok(err)
	_, err = w.client(w.codeOf(w.y, "bob")).Register(t.Context(), w.computer().signed(w)) // ada, at bolt
	w.code(err, http.StatusForbidden, provision.CodeWrongAccount)
	code := w.codeOf(w.x, "ada")
	newer := w.codeOf(w.x, "ada")
	_, err = w.client(code).Register(t.Context(), w.computer().signed(w))
	w.code(err, http.StatusGone, provision.CodeSpent)
	_, err = w.client(newer).Register(t.Context(), w.computer().signed(w))
	w.ok(err)
	users, err := w.y.api.Users(t.Context(), provision.UserQuery{})
	w.ok(err)
	if len(users.Users) != 1 || users.Users[0].Bound {
		t.Errorf("bolt has %+v", users.Users)
	}
}

// TestB39OnEveryServer: a request of a device that was disabled a second ago is refused by each server of
// the database, whichever heard of it; a check-in brings the order to wipe.
func TestB39OnEveryServer(t *testing.T) { everywhere(t, b39OnEveryServer) }

func b39OnEveryServer(t *testing.T, w *world) {
	_, device, _ := w.enrolled(w.x)
	second := w.second()
	body, err := json.Marshal(provision.CheckInIn{Report: report})
	w.ok(err)
	for _, s := range []http.Handler{w.server, second} { // both have seen the key
		if a, _ := w.play(s, w.captured(device, "POST", "/v1/checkin", string(body), 0)); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	_, err = w.x.api.Deprovision(t.Context(), "ada")
	w.ok(err)
	w.pass(time.Second)
	for i, s := range []http.Handler{w.server, second} {
		for _, call := range []string{"GET /v1/policy", "POST /v1/leave"} {
			method, target, _ := strings.Cut(call, " ")
			if a, _ := w.play(s, w.captured(device, method, target, "", 0)); a.status != http.StatusUnauthorized || a.code != reqsig.CodeRefused {
				t.Errorf("server %d answers %s with %d %s", i, call, a.status, a.body)
			}
		}
		a, _ := w.play(s, w.captured(device, "POST", "/v1/checkin", string(body), 0))
		var out provision.CheckInOut
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || out.Wipe == nil || !out.Wipe.Valid(device) {
			t.Errorf("server %d gives no order: %d %s", i, a.status, a.body)
		}
	}
	if a, _ := w.play(second, w.captured(device, "POST", "/v1/wiped", string(body), 0)); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	for i, s := range []http.Handler{w.server, second} {
		if a, _ := w.play(s, w.captured(device, "POST", "/v1/checkin", string(body), 0)); a.status != http.StatusUnauthorized {
			t.Errorf("server %d hears a wiped device: %d %s", i, a.status, a.body)
		}
	}
}
