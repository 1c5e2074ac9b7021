package server

import (
	"bytes"
	"strings"
	"testing"
)

// TestB33RotateBringsNoKeyBack: a key that was revoked stays so when it gets a successor.
func TestB33RotateBringsNoKeyBack(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		var out, failed bytes.Buffer
		if code := Main(t.Context(), Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &failed, State: state}); code != exitOK {
			t.Fatalf("%v: %d %s", args, code, failed.String())
		}
		return strings.TrimSpace(out.String())
	}
	run("tenant", "add", "acme")
	old, _, _ := strings.Cut(run("key", "add", "acme"), ".")
	run("key", "revoke", "acme", old)
	line := func() string {
		for _, l := range strings.Split(run("key", "list", "acme"), "\n") {
			if strings.HasPrefix(l, old) {
				return l
			}
		}
		return ""
	}
	before := line()
	if fresh, _, _ := strings.Cut(run("key", "rotate", "acme", old), "."); fresh == old || !strings.HasPrefix(fresh, "t_") {
		t.Errorf("the successor is %q", fresh)
	}
	if after := line(); after != before || strings.HasSuffix(after, "-") {
		t.Errorf("the revoked key is %q, was %q", after, before)
	}
}
