package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"hawser/auth/provision"
	"hawser/store/tenantdb/pgtest"
)

var (
	washes  = flag.Int("washes", 25, "harmless requests between the scenario and each look into the memory")
	godebug = flag.String("godebug", "clobberfree=1", "GODEBUG of the server whose memory is read; without it, freed memory keeps what it held until it is used again")
)

// TestB06NothingOfMailIsHeld runs a whole scenario against a real hawserd, in which an agent sends what it never
// should, wherever there is room for it: other members, headers, cookies, queries, claims of both id_tokens. Afterwards
// the database, its log, and what the process has printed hold none of it; nor does its memory, once the collector has
// been there. Freed memory is overwritten in this run (GODEBUG=clobberfree=1), so that what is found is held.
func TestB06NothingOfMailIsHeld(t *testing.T) {
	t.Parallel()
	for name := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "postgres" {
				need(t, "pg_dump")
				db := pgtest.New(t)
				s := newSite(t, postgresURL(t, db))
				scenario(t, s, func() map[string][]byte {
					out, err := exec.CommandContext(t.Context(), "pg_dump", "--inserts", db.Owner).Output()
					if err != nil {
						t.Fatal(err)
					}
					return map[string][]byte{"pg_dump": out}
				})
				return
			}
			s := newSite(t, "")
			scenario(t, s, func() map[string][]byte { return filesOf(t, s.state) })
		})
	}
}

// TestB06UnitOverwritesMemory: the service of the package runs as the server whose memory is read above.
func TestB06UnitOverwritesMemory(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("../../assets/installer/linux/hawserd.service")
	if err != nil || !strings.Contains(string(unit), "\nEnvironment=GODEBUG=clobberfree=1\n") || !strings.Contains(string(unit), "\nLimitCORE=0\n") {
		t.Errorf("the unit keeps what was freed, or leaves core files: %v", err)
	}
}

// canary is text that may not be found afterwards, and what it stands for.
type canary struct {
	what, text string
	// passing: it is part of the protocol, goes through the memory and may be there until the memory is used again.
	passing bool
}

type canaries []canary

// plant makes a text that nothing else can be taken for.
func (c *canaries) plant(what string) string {
	text := "Canary" + rand.Text() + "Z"
	*c = append(*c, canary{what: what, text: text})
	return text
}

func scenario(t *testing.T, s site, dump func() map[string][]byte) {
	s.env = []string{"GODEBUG=" + *godebug, "GOGC=20"}
	i := newIssuer(t)
	acme := s.colony(t, "acme", i)
	ann, bea := person(t, "acme", 1), person(t, "acme", 2)
	s.inOffice(t, func(ctx context.Context, o *office) error {
		return errors.Join(ann.settle(ctx, o, acme.id), bea.settle(ctx, o, acme.id))
	})
	p := s.start(t)
	var planted canaries
	misbehave(t, p, acme, ann, &planted)
	device := p.enrol(t, bea, i)
	live(t, p, acme, bea, device, &planted)
	var memory []byte
	for range 8 { // buffers that are kept for the next request go when the collector has been there twice
		wash(t, p, acme)
		if memory = memoryOf(t, p.cmd.Process.Pid); !planted.in(memory) {
			break
		}
	}
	if !bytes.Contains(memory, []byte(s.state)) {
		t.Fatal("the memory that was read does not even hold the command line")
	}
	look(t, "memory", memory, planted, true)
	running := dump() // the write-ahead log is there while the process runs
	p.stop(t)
	for _, of := range []map[string][]byte{running, dump(), {"printed": []byte(p.log.String())}} {
		for place, content := range of {
			look(t, place, content, planted, false)
			for what, secret := range map[string]string{"tenant secret": acme.key.Secret.Reveal(), "device secret": string(bea.secret), "code": bea.code.Secret.Reveal(), "an id_token": "eyJhbGciOi"} {
				for _, form := range []string{secret, base64.RawURLEncoding.EncodeToString([]byte(secret)), fmt.Sprintf("%x", secret)} {
					if bytes.Contains(content, []byte(form)) {
						t.Errorf("%s holds the %s", place, what)
					}
				}
			}
		}
	}
	kept := false
	for _, content := range dump() {
		kept = kept || bytes.Contains(content, []byte(bea.mailbox))
	}
	if !kept {
		t.Error("the dumps do not hold what they should, so this test has lost its object")
	}
}

// in reports whether a text is anywhere that may not be.
func (c canaries) in(content []byte) bool {
	return slices.ContainsFunc(c, func(c canary) bool { return !c.passing && bytes.Contains(content, []byte(c.text)) })
}

// wash sends harmless requests, which write over what buffers held and keep the collector busy.
func wash(t *testing.T, p *process, c colony) {
	t.Helper()
	for range *washes {
		filler := strings.Repeat("harmless", 7000)
		if _, _, err := p.try(t, c.key, "GET /v1/users", filler, "X-Filler", strings.Repeat("f", 8000)); err != nil {
			t.Fatal(err)
		}
	}
	p.client.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond)
}

// look reports what of the canaries is in a place, as it was sent or in the encodings that it went through.
func look(t *testing.T, place string, content []byte, planted canaries, memory bool) {
	t.Helper()
	for _, c := range planted {
		for form, text := range map[string]string{"": c.text, " in base64": middleOfBase64(c.text), " in hex": fmt.Sprintf("%x", c.text)} {
			n := bytes.Count(content, []byte(text))
			if n == 0 {
				continue
			}
			if memory && c.passing {
				t.Logf("%s holds the %s%s %d times", place, c.what, form, n)
				continue
			}
			at := bytes.Index(content, []byte(text))
			t.Errorf("%s holds the %s%s %d times: %.80q", place, c.what, form, n, content[max(0, at-30):min(len(content), at+50)])
		}
	}
}

// middleOfBase64 is the part of a text's base64 that does not depend on what stands before or after it. Texts begin
// at any of three offsets; canaries inside a token's claims are looked for at each of them by their first letters.
func middleOfBase64(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))[:len(text)/3*4]
}

// misbehave registers nobody: the agent of ann says more than the protocol has room for.
func misbehave(t *testing.T, p *process, c colony, ann citizen, planted *canaries) {
	good := ann.register(t, c.issuer)
	with := func(more string) string { return good[:len(good)-1] + "," + more + "}" }
	for _, body := range []string{
		with(fmt.Sprintf(`"subject":%q`, planted.plant("subject"))),
		with(fmt.Sprintf(`"body":%q`, planted.plant("body of a mail"))),
		with(fmt.Sprintf(`"access_token":%q`, planted.plant("access token"))),
		with(fmt.Sprintf(`"refresh_token":%q`, planted.plant("refresh token"))),
		with(fmt.Sprintf(`"contacts":[{"name":%q}]`, planted.plant("address book"))),
		strings.Replace(good, `"state":""`, fmt.Sprintf(`"state":%q`, planted.plant("subject in the state")), 1),
		strings.Replace(good, `"os":"linux"`, fmt.Sprintf(`"os":"linux","fault":%q`, planted.plant("subject in the fault")), 1),
		strings.Replace(good, ann.mailbox, planted.plant("display name")+" <"+ann.mailbox+">", 1),
		good + planted.plant("trailing bytes"),
		planted.plant("body that is no JSON"),
		`{"report":` + planted.plant("half of JSON"),
	} {
		status, answer, err := p.try(t, ann.code, "POST /v1/register", body)
		if err != nil || status != http.StatusBadRequest {
			t.Errorf("a body with something else in it: %d %s, %v", status, answer, err)
		}
	}
	// Claims that id_tokens may well have: name, picture, a custom one. They go through the memory.
	body := ann.register(t, &issuer{url: c.issuer.url, key: c.issuer.key})
	text := base64.RawURLEncoding.EncodeToString(ann.secret)
	token := richToken(t, c.issuer, provision.IDTokenNonce(provision.SideSalesforce, ann.registration, text), ann.account, planted)
	var in provision.RegisterIn
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		t.Fatal(err)
	}
	in.Salesforce = token
	rich, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"POST /v1/register"} {
		status, answer, err := p.try(t, ann.code, call, string(rich), "User-Agent", planted.plant("User-Agent"), "X-Subject", planted.plant("header"),
			"Authorization", "Bearer "+planted.plant("bearer token"), "Cookie", "sid="+planted.plant("cookie"), "Referer", "https://x/?q="+planted.plant("Referer"))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d %s, %v", status, answer, err)
		}
	}
}

// live is a day of a computer with the same misbehaviour in its calls.
func live(t *testing.T, p *process, c colony, who citizen, device provision.Credential, planted *canaries) {
	want := func(status int, key provision.Credential, call, body string, headers ...string) {
		t.Helper()
		got, answer, err := p.try(t, key, call, body, headers...)
		if err != nil || got != status {
			t.Errorf("%s: %d %.200s, %v, want %d", call, got, answer, err, status)
		}
	}
	want(200, device, "POST /v1/checkin", `{"report":`+report+`}`, "User-Agent", planted.plant("User-Agent of a check-in"), "X-Mail", planted.plant("header of a check-in"))
	want(400, device, "POST /v1/checkin", `{"report":`+report+`,"mail":"`+planted.plant("mail in a check-in")+`"}`)
	want(400, device, "POST /v1/checkin?subject="+planted.plant("query"), `{"report":`+report+`}`)
	want(404, device, "POST /v1/"+planted.plant("path"), "")
	want(404, c.key, "GET /v1/users/"+planted.plant("path of a user"), "")
	want(400, c.key, "GET /v1/users?q="+planted.plant("query of a list"), "")
	want(400, c.key, "PUT /v1/users/"+who.user, fmt.Sprintf(`{"account":{"orgId":%q,"userId":%q},"mailbox":%q,"displayName":%q}`, who.account.OrgID, who.account.UserID, who.mailbox, planted.plant("display name of a user")))
	want(400, c.key, "PUT /v1/users/"+who.user, fmt.Sprintf(`{"account":{"orgId":%q,"userId":%q},"mailbox":%q}`, who.account.OrgID, who.account.UserID, planted.plant("mailbox that is none")))
	want(422, c.key, "PUT /v1/policy", fmt.Sprintf(`{"payload":%q,"signature":"AAAA","keyId":"k"}`, base64.RawURLEncoding.EncodeToString([]byte(planted.plant("policy that nobody signed")))))
	want(200, c.key, "POST /v1/users/"+who.user+"/suspend", "")
	want(200, device, "POST /v1/checkin", `{"report":`+report+`}`)
	want(200, c.key, "POST /v1/users/"+who.user+"/resume", "")
	want(200, c.key, "GET /v1/counts", "")
	stranger := provision.Credential{ID: "t_" + strings.Repeat("A", 26), Secret: secretOf([]byte(strings.Repeat("k", 32)))}
	want(401, stranger, "POST /v1/checkin", planted.plant("body of a stranger"), "X-Stranger", planted.plant("header of a stranger"))
	for _, path := range []string{"/healthz", "/readyz", "/v1/openapi.json", "/admin/", "/" + planted.plant("path of a stranger")} {
		resp, err := p.client.Get(p.url + path + "?q=" + planted.plant("query of a stranger"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	want(200, c.key, "POST /v1/users/"+who.user+"/deprovision", "")
	want(200, device, "POST /v1/checkin", `{"report":`+report+`}`)
	want(200, device, "POST /v1/wiped", `{"report":`+report+`}`, "X-Wiped", planted.plant("header of the last call"))
}

// richToken is an id_token with claims that hawserd does not ask for.
func richToken(t *testing.T, i *issuer, nonce string, a provision.Account, planted *canaries) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "aud": clientID, "sub": "https://login.salesforce.com/id/" + a.OrgID + "/" + a.UserID,
		"iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "nonce": nonce,
		"name": planted.plant("claim name"), "picture": planted.plant("claim picture"), "custom_attributes": map[string]string{"phone": planted.plant("custom claim")},
		"access_token": planted.plant("access token in a claim"), "email": planted.plant("e-mail claim") + "@acme.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	*planted = append(*planted, canary{what: "whole id_token", text: text}, canary{what: "claims of the id_token", text: strings.Split(text, ".")[1]}, canary{what: "signature of the id_token", text: strings.Split(text, ".")[2]})
	return text
}

// filesOf are all files below a folder except the key, which is kept elsewhere in earnest.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		all[filepath.Base(path)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 {
		t.Fatalf("only %d files", len(all))
	}
	return all
}

// memoryOf reads everything that a process may write to.
func memoryOf(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var all [][]byte
	for _, line := range strings.Split(string(maps), "\n") {
		var from, to int64
		var mode string
		if n, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		part := make([]byte, to-from)
		n, err := mem.ReadAt(part, from)
		if err != nil && n == 0 && !strings.Contains(line, "[v") {
			continue // reserved and never touched
		}
		all = append(all, part[:n])
	}
	return slices.Concat(all...)
}
