package shape

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/mailparse"
)

// corpus calls yield with every mail of the test corpus that lies beside the checkout.
func corpus(t *testing.T, yield func(name string, m capture.Mail)) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := ""
	for root = filepath.Join(dir, "shared", "corpus"); ; root = filepath.Join(dir, "shared", "corpus") {
		if _, err := os.Stat(root); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			if os.Getenv("CI") == "true" {
				t.Fatal("missing: the mail corpus (shared/corpus)")
			}
			t.Skip("missing: the mail corpus (shared/corpus)")
		}
		dir = up
	}
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".raw" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := mailparse.Parse(bytes.NewReader(raw), int64(len(raw)))
		if err == nil {
			yield(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var pictures = regexp.MustCompile(`(?is)<img[^>]*>`)

// TestCorpusKeepsItsWords cuts real mails: with everything wanted, every word of the text and of the
// HTML is still there, and what is saved is safe and fits at every level.
func TestCorpusKeepsItsWords(t *testing.T) {
	t.Parallel()
	mails, pages := 0, 0
	corpus(t, func(name string, m capture.Mail) {
		mails++
		m.HTML = pictures.ReplaceAllString(m.HTML, "")
		if m.HTML != "" {
			pages++
		}
		for _, level := range []capture.Level{capture.LevelHeaders, capture.LevelSubject, capture.LevelText, capture.LevelFiles} {
			for _, newest := range []bool{false, true} {
				got, left := Cut(m, content(func(c *capture.Content) { c.Level, c.NewestOnly = level, newest }))
				checkLimits(t, got)
				checkSafe(t, name, got.HTML)
				if level == capture.LevelText || level == capture.LevelFiles {
					if len(got.Attachments)+len(left) != len(m.Attachments) {
						t.Errorf("%s: %d files became %d, and %d are left out", name, len(m.Attachments), len(got.Attachments), len(left))
					}
					sameWords(t, name, m, got, newest)
				}
			}
		}
	})
	t.Logf("%d mails, %d of them with HTML", mails, pages)
	if mails < 150 || pages < 20 {
		t.Errorf("%d mails, %d with HTML", mails, pages)
	}
}

func sameWords(t *testing.T, name string, before, after capture.Mail, newest bool) {
	t.Helper()
	if !newest && before.HTML == "" && after.Text != before.Text {
		t.Errorf("%s: the text changed", name)
	}
	was, is := strings.Fields(mailparse.HTMLText(before.HTML)), strings.Fields(mailparse.HTMLText(after.HTML))
	if a, b := strings.Join(was, " "), strings.Join(is, " "); !newest && a != b {
		t.Errorf("%s: the words of the HTML changed:\n%s\n%s", name, a, b)
	}
	if newest && (len(is) == 0 && len(was) > 0 || strings.TrimSpace(after.Text) == "" && strings.TrimSpace(before.Text) != "") {
		t.Errorf("%s: nothing is left", name)
	}
	if newest && after.Text != before.Text {
		t.Logf("%s: %d of %d bytes of text are its newest part", name, len(after.Text), len(before.Text))
	}
}
