package server

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAdminLinkNamesTheServer: whoever adds an admin while the server runs hands on a link that works.
func TestAdminLinkNamesTheServer(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, Env{Args: []string{"serve", "--listen", "127.0.0.1:0", "--metrics", ""}, Stdout: io.Discard, Stderr: io.Discard, State: state})
	}()
	for _, err := os.Stat(socketPath(state)); err != nil; _, err = os.Stat(socketPath(state)) {
		select {
		case code := <-ended:
			t.Fatalf("the server does not start: %d", code)
		case <-time.After(10 * time.Millisecond):
		}
	}
	var out bytes.Buffer
	for _, args := range [][]string{
		{"tenant", "add", "acme", "--site", "https://a.my.site.com,00D5g000004fake,c", "--admin-client", "https://a.my.site.com,web"},
		{"admin", "add", "acme", "0055g00000FakeA"},
	} {
		out.Reset()
		if code := Main(t.Context(), Env{Args: args, Stdout: &out, Stderr: &out, State: state}); code != exitOK {
			t.Errorf("%v: %d %s", args, code, out.String())
		}
	}
	if !strings.HasPrefix(out.String(), "http://127.0.0.1:0/admin/sign-in/n_") {
		t.Errorf("the link is %q", out.String())
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("the server ends with %d", code)
	}
}

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
