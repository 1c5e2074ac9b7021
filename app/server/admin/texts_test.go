package admin

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"hawser/sync/fault"
)

// TestTexts holds the texts and their users to each other, and each message to its three parts.
func TestTexts(t *testing.T) {
	t.Parallel()
	page, err := pagesFile.ReadFile("pages.html")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range []string{"admin.go", "session.go", "signin.go", "view.go", "users.go", "keys.go", "audit.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(src)
	}
	used := map[string]bool{"never": true, "now": true} // in texts.go itself
	for _, m := range regexp.MustCompile(`\bt "([^"]+)"|say\("([^"%]+)"[,)]`).FindAllStringSubmatch(string(page)+code.String(), -1) {
		key := m[1] + m[2]
		used[key] = true
		if _, ok := words[key]; !ok {
			t.Errorf("there is no text %q", key)
		}
	}
	prefixes := []string{"state.", "device.", "kind.", "class.", "when."} // chosen by a value
	for _, c := range changes {
		prefixes = append(prefixes, "do."+c.Name, "about."+c.Name, "ask."+c.Name+".")
	}
	prefixes = append(prefixes, "ask.rotate.", "ask.end.")
	for key, text := range words {
		known := used[key]
		for _, p := range prefixes {
			known = known || strings.HasPrefix(key, p)
		}
		if !known {
			t.Errorf("nobody uses the text %q: %s", key, text)
		}
	}
	for key, m := range messages {
		if m.Title == "" || m.Body == "" || m.Next == "" {
			t.Errorf("message %q lacks a part", key)
		}
		if !strings.Contains(code.String(), `"`+key+`"`) && !strings.HasPrefix(key, "done-") {
			t.Errorf("nobody uses the message %q", key)
		}
	}
	for _, c := range changes {
		for _, key := range []string{"do." + c.Name, "about." + c.Name, "ask." + c.Name + ".heading", "ask." + c.Name + ".what", "ask." + c.Name + ".yes"} {
			if words[key] == "" {
				t.Errorf("there is no text %q", key)
			}
		}
		if _, ok := messages["done-"+c.Name]; !ok && c.to != "" {
			t.Errorf("nothing is said after %s", c.Name)
		}
	}
	for _, c := range fault.Codes() {
		if strings.HasPrefix(classOf(string(c)), "class.") {
			t.Errorf("the class of %s has no name", c)
		}
	}
	for _, m := range regexp.MustCompile(`problemView\([^,]+, "([^"]+)"\)|outside\([^,]+, "([^"]+)"\)`).FindAllStringSubmatch(code.String(), -1) {
		if _, ok := messages[m[1]+m[2]]; !ok {
			t.Errorf("there is no message %q", m[1]+m[2])
		}
	}
}

// TestActionsHaveWords finds every action that the rest of the program writes to the log.
func TestActionsHaveWords(t *testing.T) {
	t.Parallel()
	found := 0
	for _, dir := range []string{"..", ".", "../../../auth/provision"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || e.Name() == "texts.go" {
				continue
			}
			src, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`"((?:tenant|key|code|policy|user|device|admin)\.[a-z]+)"`).FindAllStringSubmatch(string(src), -1) {
				if strings.HasSuffix(m[1], ".pem") || strings.HasSuffix(m[1], ".heading") {
					continue
				}
				found++
				if _, ok := actions[m[1]]; !ok {
					t.Errorf("the audit log's %q has no words", m[1])
				}
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d actions found", found)
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Minute: "Just now", 59 * time.Second: "Just now", time.Minute: "1 min ago", 59 * time.Minute: "59 min ago",
		time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago", 1000 * time.Hour: "41 days ago",
	} {
		if got := ago(now, now.Add(-d)); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
	if got := ago(now, time.Time{}); got != "Never" {
		t.Errorf("no time: %q", got)
	}
}
