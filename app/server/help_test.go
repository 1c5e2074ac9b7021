package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hawser/assets"
)

var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// need finds the programs that a test runs. Without one the test is skipped, with CI=true it fails.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("missing: " + p)
		}
	}
}

// TestHelpPageFromNothing runs the ten commands of the help page as they stand: a server, a tenant, a
// key, a user, a code, and a computer that registers with curl and openssl.
func TestHelpPageFromNothing(t *testing.T) {
	t.Parallel()
	need(t, "bash", "curl", "openssl", "od")
	page, err := assets.Help.ReadFile("help/hawserd.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shell.FindAllStringSubmatch(string(page), 2)
	if len(blocks) != 2 {
		t.Fatal("the page has no commands")
	}
	if n := commands(blocks[0][1]); n != 10 {
		t.Errorf("%d commands, want ten", n)
	}
	dir := t.TempDir()
	site := newIssuer(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("hawserd", "#!/bin/sh\nexec '"+os.Args[0]+"' \"$@\"\n")
	signIn := write("sign-in", "#!/bin/sh\nexec curl -sS '"+site.url+"/sign-in?nonce='\"$1\"\n")
	script := write("script", "set -euo pipefail\n"+blocks[0][1]+"\necho\n"+blocks[1][1]+"hawserd audit acme\nkill %1\nwait %1\n")
	cmd := exec.CommandContext(t.Context(), "bash", script)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), asMain+"="+filepath.Join(dir, "state"), "PATH="+dir+":"+os.Getenv("PATH"), "SITE="+site.url,
		"ORG="+acmeAccount.OrgID, "CLIENT="+clientID, "USERID="+acmeAccount.UserID, "SIGN_IN="+signIn)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"device":"d_`, "ann@acme.example", "device.register", "user.put", "msg=ended"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// commands counts the paragraphs of a block, a here-document being part of its command.
func commands(block string) int {
	block = regexp.MustCompile(`(?ms)<<'END'\n.*?^END$`).ReplaceAllString(block, "")
	return len(regexp.MustCompile(`\n\n+`).Split(strings.TrimSpace(block), -1))
}

// TestHelpPageNamesWhatExists holds the commands of the page to the program.
func TestHelpPageNamesWhatExists(t *testing.T) {
	t.Parallel()
	page, err := assets.Help.ReadFile("help/hawserd.md")
	if err != nil {
		t.Fatal(err)
	}
	root := (&app{}).root()
	seen := 0
	var commands []string
	for _, b := range shell.FindAllStringSubmatch(string(page), -1) {
		commands = append(commands, strings.ReplaceAll(b[1], "\\\n", " "))
	}
	for _, m := range regexp.MustCompile("`(hawserd [^`]+)`").FindAllStringSubmatch(string(page), -1) {
		commands = append(commands, m[1])
	}
	for _, b := range commands {
		for _, line := range strings.Split(b, "\n") {
			_, line, ok := strings.Cut(line, "hawserd ")
			words := strings.Fields(strings.TrimPrefix(line, "hawserd "))
			if !ok || len(words) == 0 {
				continue
			}
			for strings.HasPrefix(words[0], "--") {
				words = words[2:]
			}
			cmd, _, err := root.Find(words)
			if err != nil || cmd == root || cmd.HasSubCommands() {
				t.Errorf("hawserd %s: %v", line, err)
				continue
			}
			seen++
			for _, w := range words {
				if name, ok := strings.CutPrefix(w, "--"); ok && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
					t.Errorf("hawserd %s: no flag %s", line, w)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands found", seen)
	}
}

// TestUnitFile holds the systemd unit to systemd.
func TestUnitFile(t *testing.T) {
	t.Parallel()
	need(t, "systemd-analyze")
	raw, err := os.ReadFile("../../assets/installer/linux/hawserd.service")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "hawserd.service")
	// The program is not installed here.
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(raw), "/usr/bin/hawserd", "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "hawserd.service") {
		t.Errorf("%v\n%s", err, out)
	}
}
