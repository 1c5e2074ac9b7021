package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"howett.net/plist"

	"hawser/sync/fault"
)

const itPolicy = `{
  "enforced": {
    "company": {"server": "https://hawserd.acme.example", "key": "p_KEY"},
    "capture": {"maxLevel": "subject", "manual": true},
    "desktop": {"startAtLogin": true}
  },
  "preset": {"capture": {"folder": "CRM"}, "desktop": {"notices": false, "startAtLogin": false}, "capture2": {"x": 1}, "mail": {"imap": "no port"}}
}`

// TestK02Levels: what IT enforces counts before the user's file and the company's signed policy, what IT
// presets after both, and each value says where it comes from.
func TestK02Levels(t *testing.T) {
	t.Parallel()
	m, err := ParseManaged([]byte(itPolicy), "policy.json")
	if err != nil {
		t.Fatal(err)
	}
	mine := `{"capture": {"maxLevel": "files", "keyword": "$Mine"}, "company": {"server": "https://evil.example"}, "desktop": {"startAtLogin": false}}`
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, m)
	if err != nil {
		t.Fatal(err)
	}
	check := func(c Config, folder string, from Origin) {
		t.Helper()
		if c.Company != (Company{"https://hawserd.acme.example", "p_KEY"}) || c.Capture.MaxLevel != "subject" || !c.Capture.Manual ||
			c.Capture.Keyword != "$Mine" || c.Capture.Folder != folder || !*c.Desktop.StartAtLogin || *c.Desktop.Notices {
			t.Errorf("%+v", c)
		}
		for key, want := range map[string]place{
			"capture.maxLevel": {FromComputer, true}, "desktop.startAtLogin": {FromComputer, true}, "capture.keyword": {FromFile, false},
			"desktop.notices": {FromComputer, false}, "capture.folder": {from, false}, "trust.caFile": {FromDefault, false},
		} {
			if from, locked := c.Origin(key); (place{from, locked}) != want {
				t.Errorf("%s comes from %s, locked %v", key, from, locked)
			}
		}
	}
	check(c, "CRM", FromComputer)
	policy := Policy{Settings: layer{"capture.maxLevel": []byte(`"files"`), "capture.folder": []byte(`"Theirs"`)}, Locked: []string{"capture.maxLevel"}}
	under, ignored := c.Under(policy)
	check(under, "Theirs", FromCompany)
	if !slices.Equal(ignored, []string{"capture2.x", "mail.imap"}) {
		t.Errorf("ignored %q", ignored)
	}
}

// TestK02Systems: the same decisions come out of a registry, which knows numbers and texts alone, and out
// of a property list.
func TestK02Systems(t *testing.T) {
	t.Parallel()
	fromRegistry := levels{Enforced: map[string]map[string]any{
		"desktop": {"startAtLogin": uint64(1), "notices": uint64(0)}, "salesforce": {"dailyCalls": uint64(1), "site": "https://acme.my.site.com"},
		"mail": {"scopes": []string{"mail", "openid"}}, "capture": {"rules": `[{"id":"r1","action":"allow"}]`, "folder": nil},
	}}.manage()
	for key, want := range map[string]string{
		"desktop.startAtLogin": "true", "desktop.notices": "false", "salesforce.dailyCalls": "1", "salesforce.site": `"https://acme.my.site.com"`,
		"mail.scopes": `["mail","openid"]`, "capture.rules": `[{"id":"r1","action":"allow"}]`,
	} {
		if got := string(fromRegistry.enforced[key]); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	profile := `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>Enforced</key><dict>
		<key>desktop</key><dict><key>startAtLogin</key><true/></dict>
		<key>salesforce</key><dict><key>dailyCalls</key><integer>50</integer></dict></dict></dict></plist>`
	var l levels
	if _, err := plist.Unmarshal([]byte(profile), &l); err != nil {
		t.Fatal(err)
	}
	if m := l.manage(); string(m.enforced["desktop.startAtLogin"]) != "true" || string(m.enforced["salesforce.dailyCalls"]) != "50" || m.ignored != nil {
		t.Errorf("%+v", m)
	}
}

// TestK02Refused: a policy that cannot be read, or that others may write, does not count as none.
func TestK02Refused(t *testing.T) {
	t.Parallel()
	if _, err := ParseManaged([]byte(`{"enforce": {}}`), "policy.json"); !refusal(err, "policy.json") {
		t.Errorf("an unknown level: %v", err)
	}
	if _, err := ParseManaged([]byte("{\n\"preset\": }"), "policy.json"); !refusal(err, "line 2") {
		t.Errorf("not JSON: %v", err)
	}
}

func refusal(err error, detail string) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code == fault.ConfigInvalid && strings.Contains(f.Detail, detail)
}
