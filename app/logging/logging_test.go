package logging

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNothingPersonalReachesTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hawser.log")
	var also bytes.Buffer
	log, file := New(Options{File: path, Also: &also})
	token := "00Dxx0000001gPL!AQEAQLg4r9l2jX0v3Zk1mWq8sT5uYbNc7dEfGhIj"
	log.Info("something happened", "err", errors.New("login of ann.smith@acme.example refused: "+token), "job", 7, "id", "<a.b@c.example>", "took", slog.AnyValue([]string{"bob@x.example"}))
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(raw), also.String()} {
		if strings.Contains(text, "acme.example") || strings.Contains(text, token) || strings.Contains(text, "c.example") || strings.Contains(text, "bob") {
			t.Errorf("the log tells: %s", text)
		}
		if !strings.Contains(text, "job=7") || !strings.Contains(text, "[address]") || !strings.Contains(text, "[token]") {
			t.Errorf("the log lost its use: %s", text)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the log is open to others: %v", info.Mode())
	}
}

// shapes are the ways in which a secret has got into other programs' logs.
var shapes = map[string]func(secret string) any{
	"token error": func(s string) any {
		return fmt.Errorf("oauth2: cannot fetch token: 400 Bad Request\nResponse: {\"error\":\"invalid_grant\", \"refresh_token\" : \"%s\"}", s)
	},
	"quoted body": func(s string) any { return fmt.Sprintf("body %q", `{"id":1,"access_token":"`+s+`"}`) },
	"url error": func(s string) any {
		return &url.Error{Op: "Get", URL: "https://x.example/callback?a=1&code=" + url.QueryEscape(s) + "&x=y", Err: errors.New("EOF")}
	},
	"raw query": func(s string) any { return errors.New("parse /callback?code=" + s + "&state=1") },
	"form":      func(s string) any { return "grant_type=authorization_code&code_verifier=" + s + "&client_id=x" },
	"header":    func(s string) any { return map[string][]string{"Authorization": {"Bearer " + s}} },
	"imap trace": func(s string) any {
		return "C: A1 AUTHENTICATE XOAUTH2 " + base64.StdEncoding.EncodeToString([]byte("user=a\x01auth=Bearer "+s+"\x01\x01"))
	},
	"panic":        func(s string) any { return fmt.Sprintf("panic: refresh(token=%s)", s) },
	"bytes":        func(s string) any { return []byte(`{"token":"` + s + `"}`) },
	"raw json":     func(s string) any { return json.RawMessage(`{"client_secret":"` + s + `"}`) },
	"struct":       func(s string) any { return struct{ A, B string }{"x", "secret=" + s} },
	"wrapped":      func(s string) any { return fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.New("password="+s))) },
	"single quote": func(s string) any { return "{'id_token': '" + s + "'}" },
}

// written returns what is logged of a value, as a value, in a group, and as the message.
func written(v any) string {
	var out bytes.Buffer
	log, _ := New(Options{Also: &out})
	log.Error("it failed", "err", v, slog.Group("g", "v", v))
	log.Error(fmt.Sprint(v))
	return out.String()
}

// TestA49Shapes: a secret is taken out by the place where it stands, however short and plain it is.
func TestA49Shapes(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes {
		for _, secret := range []string{"kanarienvogel", "aPrx%2FQ2c0rT", "eyJhbGciOi.J9.x-_y", "00Dxx!AQEAQ.Lg4", "M.C5_BAY.0.U.-Ck*Y!8$$"} {
			coded := base64.StdEncoding.EncodeToString([]byte(secret))
			if name == "bytes" && secret == "" {
				continue
			}
			if got := written(shape(secret)); strings.Contains(got, secret) || strings.Contains(got, url.QueryEscape(secret)) || strings.Contains(got, coded[:len(coded)-4]) {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	for _, plain := range []string{"exchange code: offline: no answer", "check account: wrong-account", "part stopped", "imap.mail.example:993", "select \"INBOX\": tls: bad certificate",
		"refresh token: too-many-requests", "/services/data/v67.0/composite", "OAuth settings"} {
		if got := written(plain); strings.Contains(got, "[") {
			t.Errorf("%q is of no use any more: %s", plain, got)
		}
	}
}

// FuzzRedact puts a secret between other texts, in every shape.
func FuzzRedact(f *testing.F) {
	f.Add("", "kanarienvogel", "", uint8(0))
	f.Add("a=1&", "aPrx%2FQ2c0rT==", "&b", uint8(2))
	f.Add("\"", "00Dxx0000001gPL!AQEAQLg4r9l2jX0v3Zk1mWq8sT5uYbNc7dEfGhIj", "\\", uint8(7))
	f.Add("Bearer ", "M.C546_BL2.0.U.-CkY*!8$$", "@x", uint8(9))
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	f.Fuzz(func(t *testing.T, before, secret, after string, n uint8) {
		// What may stand in a token: RFC 6749 appendix A, without what ends a value in a form or in JSON.
		if len(secret) < 12 || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'\\&<>", r) }) {
			return
		}
		if strings.Contains("it failed "+before+after+fmt.Sprint(shapes[names[int(n)%len(names)]]("")), secret) {
			return // no secret, then
		}
		name := names[int(n)%len(names)]
		text := fmt.Sprint(shapes[name](secret))
		if strings.Count(text, secret) == 0 {
			return // coded: TestA49Shapes looks at that
		}
		if got := clean(before + " " + text + " " + after); strings.Contains(got, secret) {
			t.Errorf("%s between %q and %q: %q", name, before, after, got)
		}
		if random := secret + "aA0aA0aA0aA0"; len(random) >= 24 && !strings.ContainsFunc(random, func(r rune) bool { return !strings.ContainsRune(tokenLetters, r) }) {
			if got := clean(before + " " + random + " " + after); strings.Contains(got, random) {
				t.Errorf("bare between %q and %q: %q", before, after, got)
			}
		}
	})
}

const tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=!*$~%"
