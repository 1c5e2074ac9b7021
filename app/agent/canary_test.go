package agent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// overheard is every secret of the sign-ins: what the token endpoints are sent and what they answer.
type overheard struct {
	mu      sync.Mutex
	secrets map[string]string // the value, and what it is
}

func (p *overheard) on(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/token") {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var answer map[string]any
		_ = json.Unmarshal(rec.Body.Bytes(), &answer) // refusals are of no interest
		p.mu.Lock()
		for _, name := range []string{"code", "code_verifier", "refresh_token", "access_token", "id_token"} {
			if v := form.Get(name); v != "" {
				p.secrets[v] = name
			}
			if v, _ := answer[name].(string); v != "" {
				p.secrets[v] = name
			}
		}
		p.mu.Unlock()
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// forms returns every spelling in which a secret could be somewhere.
func (p *overheard) forms(t *testing.T) map[string]string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	count, forms := map[string]int{}, map[string]string{}
	for v, name := range p.secrets {
		count[name]++
		forms[v] = name
		forms[url.QueryEscape(v)] = name
		forms[hex.EncodeToString([]byte(v))] = name
		for skip := range 3 { // base64 of a text that holds it
			forms[base64.RawStdEncoding.EncodeToString([]byte(v)[skip:skip+(len(v)-skip)/3*3])] = name
		}
	}
	for name, least := range map[string]int{"code": 5, "code_verifier": 5, "refresh_token": 4, "access_token": 4, "id_token": 2} {
		if count[name] < least {
			t.Errorf("only %d of %s overheard: %v", count[name], name, count)
		}
	}
	return forms
}

// watchProcesses notes the command lines and environments of all processes of this computer, again
// and again until the function returned is called, which returns them.
func watchProcesses() (seen func() map[string]string) {
	all, stop, done := map[string]string{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, kind := range []string{"cmdline", "environ"} {
				files, _ := filepath.Glob("/proc/[0-9]*/" + kind)
				for _, f := range files {
					if raw, err := os.ReadFile(f); err == nil && len(raw) > 0 {
						all[string(raw)] = kind
					}
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() map[string]string { close(stop); <-done; return all }
}

// TestA49Nowhere drives both sign-ins through success and failure with the real program and looks for
// every token, code and verifier: on the disk, in the log, in what the commands print, and in the
// command line and environment of every process, that of the browser's opener included.
func TestA49Nowhere(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot and a key store")
	}
	t.Parallel()
	needs(t, "xdg-open")
	s := newStage(t, true, nil)
	s.org.AddUser(salesforcetest.User{Username: bob})
	opener := filepath.Join(s.user.home, "browser")
	if err := os.WriteFile(opener, []byte("#!/bin/sh\necho \"$@\" >> \"$HOME/opened\"\nsleep 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.user.env = append(s.user.env, "BROWSER="+opener)
	processes := watchProcesses()
	said := map[string]string{}
	run := func(visit visitor, args ...string) int {
		out, code := s.runs(visit, args...)
		said[strings.Join(args, " ")] += out
		return code
	}
	s.user.start()
	s.issuer.Misbehave(oauthtest.Mischief{ExpireCodes: true})
	if code := run(s.does("mail", mailUser, true), "signin", "mail"); code != 4 {
		t.Errorf("an expired code exits with %d", code)
	}
	s.issuer.Misbehave(oauthtest.Mischief{Change: map[string]any{"token_type": "mac"}})
	if code := run(s.does("mail", mailUser, true), "signin", "mail", "--json"); code != 4 {
		t.Errorf("an odd answer exits with %d", code)
	}
	s.issuer.Misbehave(oauthtest.Mischief{})
	for side, who := range map[string]string{"salesforce": ann, "mail": mailUser} {
		if code := run(s.does(side, who, true), "signin", side); code != 0 {
			t.Fatalf("signin %s exits with %d: %s", side, code, said["signin "+side])
		}
	}
	s.mark("before")
	s.saved("before")
	if code := run(s.does("salesforce", bob, true), "signin", "salesforce"); code != 4 {
		t.Errorf("the wrong account exits with %d", code)
	}
	if code := run(s.does("salesforce", ann, true), "signin", "salesforce", "--json"); code != 0 {
		t.Errorf("the right account exits with %d", code)
	}
	s.org.ExpireAccess()
	s.issuer.ExpireAccess(mailUser)
	s.proxy.Drop()
	s.mark("after")
	s.saved("before", "after")
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"queue", "--json"}, {"journal", "--json"}, {"aliases", "--json"}, {"capture", "--json"}} {
		if code := run(nil, args...); code != 0 {
			t.Errorf("%v exits with %d", args, code)
		}
	}
	// The refresh token is refused with itself as the reason.
	s.tap.mu.Lock()
	for v, name := range s.tap.secrets {
		if name == "refresh_token" {
			s.issuer.Misbehave(oauthtest.Mischief{TokenError: "invalid_grant", TokenDescription: "bad token " + v})
		}
	}
	s.tap.mu.Unlock()
	s.issuer.ExpireAccess(mailUser)
	s.proxy.Drop()
	s.check()
	s.until(40*time.Second, "the sign-in to be lost", func(st control.Status) bool { return st.Mail.Fault == fault.TokenRevoked })
	run(nil, "status")
	s.nowhere(said, processes())
	if code := run(nil, "signout", "--keep-queue"); code != 0 {
		t.Errorf("signout exits with %d", code)
	}
	s.nowhere(said, nil)
}

// nowhere looks for all secrets that were overheard.
func (s *stage) nowhere(said, processes map[string]string) {
	t := s.scene.t.(*testing.T)
	t.Helper()
	forms, places := s.tap.forms(t), map[string][]byte{"standard error of the agent": []byte(s.user.stderr.String())}
	for command, out := range said {
		places["hawser "+command] = []byte(out)
	}
	kinds, opened := map[string]int{}, 0
	for raw, kind := range processes {
		kinds[kind]++
		places[kind+" "+raw[:min(60, len(raw))]] = []byte(raw)
		if kind == "cmdline" && strings.Contains(raw, "/authorize?") {
			opened++
		}
	}
	if processes != nil && (opened == 0 || kinds["environ"] == 0) {
		t.Errorf("the opener was not seen among %v", kinds)
	}
	files := 0
	err := filepath.WalkDir(s.user.home, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
			places[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
	for place, content := range places {
		for form, name := range forms {
			if bytes.Contains(content, []byte(form)) {
				t.Errorf("%q holds a %s", place, name)
			}
		}
	}
	t.Logf("looked for %d spellings in %d places, %d of them files", len(forms), len(places), files)
}
