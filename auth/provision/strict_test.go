package provision

import (
	"encoding/json"
	"testing"
)

func FuzzB37Strict(f *testing.F) {
	for _, s := range []string{
		`{"group":"g","account":{"orgId":"o","userId":"u"},"mailbox":"m","aliases":["a"]}`, `{"a":1,"a":2}`, `{"mailbox":"a","Mailbox":"b"}`, `[[[[`, `null`, `{"mailbox":"\ud800"}`, `{} {}`, `{"account":[]}`, `{"mailbox":{"x":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in UserIn
		if strict(body, &in) != nil {
			return
		}
		// What passed means the same to a reader that knows no types: no member is lost or merged.
		var free map[string]any
		if err := json.Unmarshal(body, &free); err != nil {
			t.Fatalf("%q passed and is no JSON object", body)
		}
		if got, _ := free["mailbox"].(string); got != in.Mailbox {
			t.Fatalf("%q is read as %q and as %q", body, got, in.Mailbox)
		}
		for name := range free {
			if name != "group" && name != "account" && name != "mailbox" && name != "aliases" {
				t.Fatalf("%q passed with %q", body, name)
			}
		}
	})
}

func FuzzIDToken(f *testing.F) {
	f.Add("e30.eyJpc3MiOiJhIiwiYXVkIjpbImEiXSwiZW1haWxfdmVyaWZpZWQiOiJ0cnVlIn0.x")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := peek(token)
		if err == nil {
			if a, ok := subjectAccount(c.Subject); ok && (len(a.OrgID) != 18 || len(a.UserID) != 18) {
				t.Fatalf("%q names %+v", c.Subject, a)
			}
		}
	})
}
