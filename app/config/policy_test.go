package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func TestUnder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{"capture": {"folder": "Mine"}, "salesforce": {"dailyCalls": 50}, "trust": {"caFile": "here.pem"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, Managed{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Lacks() != "salesforce.site" {
		t.Errorf("lacks %q", c.Lacks())
	}
	settings := map[string]json.RawMessage{
		"salesforce.site": []byte(`"https://acme.my.site.com"`), "salesforce.clientId": []byte(`"3MVG9"`), "salesforce.dailyCalls": []byte(`80`),
		"mail.issuer": []byte(`"https://accounts.example"`), "mail.clientId": []byte(`"x"`), "mail.imap": []byte(`"imap.example:993"`),
		"mail.scopes": []byte(`["mail"]`), "capture.folder": []byte(`"Theirs"`), "capture.keyword": []byte(`"$Deal"`),
		"trust.caFile": []byte(`"/etc/evil.pem"`), "company.server": []byte(`"https://evil.example"`), "company.key": []byte(`"p_X"`),
		"future.setting": []byte(`true`), "salesforce.unknown": []byte(`1`), "nonsense": []byte(`1`), ".": []byte(`1`), "capture.": []byte(`1`),
	}
	got, ignored := c.Under(Policy{Settings: settings, Locked: []string{"salesforce.dailyCalls", "trust.caFile"}})
	want := []string{".", "capture.", "company.key", "company.server", "future.setting", "nonsense", "salesforce.unknown", "trust.caFile"}
	if !slices.Equal(ignored, want) {
		t.Errorf("ignored %q", ignored)
	}
	if got.Lacks() != "" || !reflect.DeepEqual(got.Capture, Capture{Folder: "Mine", Keyword: "$Deal"}) || got.Salesforce.DailyCalls != 80 ||
		got.Trust.CAFile != "here.pem" || got.Company != (Company{}) {
		t.Errorf("%+v", got)
	}
	for key, want := range map[string]struct {
		from   Origin
		locked bool
	}{"capture.folder": {FromFile, false}, "capture.keyword": {FromCompany, false}, "salesforce.dailyCalls": {FromCompany, true}, "mail.clientSecret": {FromDefault, false}} {
		if from, locked := got.Origin(key); from != want.from || locked != want.locked {
			t.Errorf("%s comes from %s, locked %v", key, from, locked)
		}
	}
	// What works nowhere is left out alone.
	settings = map[string]json.RawMessage{"mail.imap": []byte(`"no port"`), "salesforce.dailyCalls": []byte(`"many"`), "capture.folder": []byte(`"Theirs"`)}
	if got, ignored = c.Under(Policy{Settings: settings, Locked: []string{"capture.folder"}}); got.Capture.Folder != "Theirs" || got.Salesforce.DailyCalls != 50 ||
		!slices.Equal(ignored, []string{"mail.imap", "salesforce.dailyCalls"}) {
		t.Errorf("%+v, ignored %q", got, ignored)
	}
	if got, ignored = c.Under(Policy{}); got.Capture.Folder != "Mine" || ignored != nil {
		t.Errorf("without a policy: %+v, %q", got, ignored)
	}
}
