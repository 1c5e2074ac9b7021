package salesforcetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// TestJSforce lets a client that nobody here wrote use the org: jsforce from npm, unmodified.
func TestJSforce(t *testing.T) {
	t.Parallel()
	dir := installJSforce(t)
	o := &Org{MailKey: true}
	acc := o.AddAccount("Norden", "")
	for i := range 2500 {
		o.AddContact(fmt.Sprintf("Person %04d", i), fmt.Sprintf("p%d@example.com", i), acc)
	}
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	access, refresh := o.MintToken(DefaultUsername)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "contract.js")
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "INSTANCE="+srv.URL, "LOGIN="+srv.URL, "CLIENT="+DefaultClientID, "ACCESS="+access, "REFRESH="+refresh)
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			t.Fatalf("contract.js: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("contract.js printed %q: %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{
		"username": "ann@partners.example",
		"fields": [["Subject","string",false],["ToIds","junctionIdList",false],["Mail_Key__c","string",true]],
		"objects": ["Task","EmailMessage"],
		"firstPage": [2500,2000,false], "secondPage": [500,true], "all": 2500, "count": 2500,
		"mail": ["From jsforce","string"], "found": 1,
		"upsert": [true,true,true,false,true],
		"collection": ["ok","STRING_TOO_LONG","ok"], "collectionUpsert": [true,false],
		"collectionUpdate": [true,true], "collectionDelete": [true,true], "retrieve": ["2"], "file": true,
		"composite": [201,201,200,400],
		"failures": {"noColumn":"INVALID_FIELD","tooLong":"STRING_TOO_LONG","noObject":"NOT_FOUND","twice":"DUPLICATE_VALUE"},
		"afterExpiry": 1, "refreshed": [true,true], "limit": true
	}`), &want); err != nil {
		t.Fatal(err)
	}
	for k, w := range want {
		if !reflect.DeepEqual(got[k], w) {
			t.Errorf("%s: jsforce saw %v, want %v", k, got[k], w)
		}
	}
	if id, _ := o.Records("ContentVersion")[0]["Id"].(string); string(o.File(id)) != "hello" {
		t.Errorf("file holds %q", o.File(id))
	}
}

// installJSforce installs the locked packages into a temporary directory and returns it.
func installJSforce(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", name)
			}
			t.Skipf("%s is missing", name)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "contract.js"} {
		b, err := os.ReadFile(filepath.Join("testdata", "jsforce", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}
