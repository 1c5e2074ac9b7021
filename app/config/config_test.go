package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"hawser/sync/fault"
)

const good = `{
  "salesforce": {"site": "https://acme.my.site.com/partners", "clientId": "3MVG9"},
  "mail": {"issuer": "https://accounts.example", "clientId": "x", "scopes": ["mail"], "imap": "imap.example:993"}
}`

func TestLoad(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, text, detail string }{
		{"good", good, ""},
		{"not JSON", "{\n\"salesforce\": }", "line 2"},
		{"unknown key", strings.Replace(good, `"mail"`, `"male"`, 1), "male"},
		{"wrong type", strings.Replace(good, `"3MVG9"`, `7`, 1), "salesforce.clientId"},
		{"missing", strings.Replace(good, `"3MVG9"`, `" "`, 1), "salesforce.clientId"},
		{"no port", strings.Replace(good, `:993`, ``, 1), "mail.imap"},
		{"trailing", good + "{}", "closing brace"},
		{"keyword", strings.Replace(good, `"mail"`, `"capture": {"keyword": "a b"}, "mail"`, 1), "capture.keyword"},
		{"budget", strings.Replace(good, `"3MVG9"`, `"3MVG9", "dailyCalls": -1`, 1), "dailyCalls"},
		{"large", good + strings.Repeat(" ", maxFile), "1 MB"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(path, []byte(r.text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Load(path, Managed{})
			if r.detail == "" {
				if err != nil || !reflect.DeepEqual(c.Capture, Capture{Folder: "Salesforce", Keyword: "$Salesforce"}) || c.Salesforce.DailyCalls != 100 {
					t.Errorf("%+v, %v", c, err)
				}
				return
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != fault.ConfigInvalid || !strings.Contains(f.Detail, r.detail) {
				t.Errorf("got %v (%+v), want a detail with %q", err, f, r.detail)
			}
		})
	}
	c, err := Load(filepath.Join(t.TempDir(), "none"), Managed{})
	if err != nil || c.Capture.Folder != "Salesforce" || c.Lacks() != "salesforce.site" {
		t.Errorf("a missing file gives %+v, %v", c, err)
	}
}

func TestFindDirs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("XDG folders are Linux's")
	}
	env := map[string]string{"HOME": "/home/ann", "XDG_CONFIG_HOME": "relative/is/ignored"}
	getenv := func(k string) string { return env[k] }
	d, err := FindDirs(getenv)
	want := Dirs{Config: "/home/ann/.config/hawser", State: "/home/ann/.local/state/hawser", Runtime: "/home/ann/.local/state/hawser/run"}
	if err != nil || d != want {
		t.Errorf("%+v, %v", d, err)
	}
	env["XDG_RUNTIME_DIR"] = "/run/user/7"
	if d, _ := FindDirs(getenv); d.Runtime != "/run/user/7/hawser" {
		t.Errorf("runtime %q", d.Runtime)
	}
	if _, err := FindDirs(func(string) string { return "" }); err == nil {
		t.Error("no HOME is accepted")
	}
	env["LANG"] = "de_DE.UTF-8"
	if Language(getenv) != "de" {
		t.Error("language")
	}
	env["LC_ALL"] = "C.UTF-8"
	if Language(getenv) != "de" {
		t.Error("C is not a language")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"salesforce":`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parse(raw, Managed{})
		if err == nil && c.check() != nil {
			t.Error("accepted what does not pass its own check")
		}
	})
}
