package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// command runs one command of hawserd in this process.
func (s site) command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, bad bytes.Buffer
	code = Main(context.WithoutCancel(t.Context()), Env{Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &bad, State: s.state, Database: s.database, Version: "test"})
	return code, out.String(), bad.String()
}

// TestB41OperatorPoison: odd strings from an operator, or from a file that a customer sent, are refused or kept as they
// are; what is printed moves no cursor and forges no line, and each event is one line.
func TestB41OperatorPoison(t *testing.T) {
	t.Parallel()
	for name, where := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := ""
			if name == "postgres" {
				database = where(t)
			}
			operatorPoison(t, newSite(t, database))
		})
	}
}

func operatorPoison(t *testing.T, s site) {
	if code, _, stderr := s.command(t, "", "tenant", "add", "acme", "--site", "https://acme.my.site.com/p,00D5g000004fake,client"); code != 0 {
		t.Fatal(stderr)
	}
	poisons := []string{"a\x00b", "a\r\nn_FORGED  bolt  active\x1b[2J\x1b[31m\u202e\u2066%s';--", "--help", strings.Repeat("x", 5000)}
	if s.database != "" {
		poisons = poisons[:2] // a command takes longer there
	}
	taken := 0
	for _, p := range poisons {
		kept, _, _ := s.command(t, "", "tenant", "add", "--", p)
		for _, args := range [][]string{
			{"key", "list", "--", p}, {"user", "suspend", "--", "acme", p}, {"audit", "--", p}, {"tenant", "set", "acme", "--domain", p}, {"key", "revoke", "--", "acme", p},
		} {
			_, stdout, stderr := s.command(t, "", args...)
			harmless(t, strings.Join(args[:2], " "), stdout)
			harmless(t, strings.Join(args[:2], " "), stderr)
		}
		_, list, _ := s.command(t, "", "tenant", "list")
		harmless(t, "tenant list", list)
		if kept != 0 {
			continue
		}
		_, text, _ := s.command(t, "", "tenant", "list", "--json")
		var rows []struct{ Name string }
		if err := json.Unmarshal([]byte(text), &rows); err != nil {
			t.Fatal(err)
		}
		taken++
		found := false
		for _, row := range rows {
			found = found || row.Name == p
		}
		if !found {
			t.Errorf("%.40q was taken and is kept as something else: %.300s", p, text)
		}
		_, audit, _ := s.command(t, "", "audit", "--json", "--", p)
		if lines := strings.Split(strings.TrimSpace(audit), "\n"); len(lines) != 1 || !json.Valid([]byte(lines[0])) {
			t.Errorf("one event of %.40q is printed as %.300q", p, audit)
		}
	}
	if taken == 0 {
		t.Error("no odd name was taken: nothing shows how it is printed")
	}
	var csv strings.Builder
	csv.WriteString("id,org,user,mailbox,group\n")
	for _, p := range poisons {
		q := `"` + strings.ReplaceAll(p, `"`, `""`) + `"`
		csv.WriteString(q + ",00D5g000004fake,0055g00000FakeA,a@acme.example,\n" + "ok," + q + ",0055g00000FakeA,a@acme.example,\n" + "ok,00D5g000004fake," + q + ",a@acme.example,\n" +
			"ok,00D5g000004fake,0055g00000FakeA," + q + ",\n")
		if p != "" {
			csv.WriteString("ok,00D5g000004fake,0055g00000FakeA,a@acme.example," + q + "\n")
		}
	}
	_, stdout, stderr := s.command(t, csv.String(), "user", "import", "acme", "-")
	harmless(t, "user import", stdout)
	harmless(t, "user import", stderr)
	if !strings.HasPrefix(stdout, "0 created") {
		t.Errorf("of the odd lines some were taken: %s", stdout)
	}
	_, list, _ := s.command(t, "", "tenant", "list")
	if !strings.Contains(list, "acme") {
		t.Errorf("acme is gone: %s", list)
	}
	if _, doctor, _ := s.command(t, "", "doctor"); !strings.Contains(doctor, "ok  ") {
		t.Errorf("the doctor says %s", doctor)
	}
}

// harmless reports characters that move the cursor or turn the text around, and lines that were never written.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if strings.ContainsAny(line, "\x00\r\x1b\u202e\u2066") {
			t.Errorf("%s prints %.120q", what, line)
		}
		if strings.HasPrefix(line, "n_FORGED") {
			t.Errorf("%s prints a forged line: %.120q", what, line)
		}
	}
}

// TestB07NoKeyShips: nothing that is installed holds a key.
func TestB07NoKeyShips(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`\b[tpd]_[A-Z2-7]{26}\.[A-Za-z0-9_-]{43}`)
	seen := 0
	err := filepath.WalkDir("../../assets", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		seen++
		raw, err := os.ReadFile(path)
		if key.Match(raw) {
			t.Errorf("%s holds a key", path)
		}
		return err
	})
	if err != nil || seen < 20 {
		t.Errorf("%d files, %v", seen, err)
	}
}
