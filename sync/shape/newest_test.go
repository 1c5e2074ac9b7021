package shape

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"hawser/sync/capture"
	"hawser/sync/mailparse"
)

// sample is one mail of testdata/newest and its newest part.
type sample struct {
	name, subject, text, html, want string
}

func samples(t testing.TB) []sample {
	t.Helper()
	paths, err := filepath.Glob("testdata/newest/*.txtar")
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d samples, %v", len(paths), err)
	}
	var all []sample
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a := txtar.Parse(raw)
		s := sample{name: strings.TrimSuffix(filepath.Base(path), ".txtar")}
		_, s.subject, _ = strings.Cut(strings.TrimSpace(string(a.Comment)), "subject: ")
		for _, f := range a.Files {
			switch f.Name {
			case "text":
				s.text = string(f.Data)
			case "html":
				s.html = string(f.Data)
			case "want":
				s.want = string(f.Data)
			}
		}
		all = append(all, s)
	}
	return all
}

func newestOnly(c *capture.Content) { c.NewestOnly = true }

func (s sample) mail() capture.Mail {
	return capture.Mail{Header: capture.Header{Subject: s.subject}, Text: s.text, HTML: s.html}
}

// TestF06NewestPart holds what the mail programs of this world send against what a person would
// call the newest part of it.
func TestF06NewestPart(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			m, _ := Cut(s.mail(), content(newestOnly))
			if strings.TrimSpace(m.Text) != strings.TrimSpace(s.want) {
				t.Errorf("newest part:\n%s\nwant:\n%s", m.Text, s.want)
			}
			if strings.Contains(s.html, "120 EUR") && !strings.Contains(s.want, "120 EUR") && strings.Contains(m.HTML, "<blockquote") {
				t.Errorf("an empty quote is left: %s", m.HTML)
			}
			// Line ends of the wire change nothing.
			wire := s
			wire.text, wire.html = strings.ReplaceAll(s.text, "\n", "\r\n"), strings.ReplaceAll(s.html, "\n", "\r\n")
			m, _ = Cut(wire.mail(), content(newestOnly))
			if strings.TrimSpace(strings.ReplaceAll(m.Text, "\r\n", "\n")) != strings.TrimSpace(s.want) {
				t.Errorf("newest part with CRLF:\n%q\nwant:\n%q", m.Text, s.want)
			}
			// Without the choice everything stays: the view before and after is these two calls.
			m, _ = Cut(s.mail(), full())
			all := s.text
			if s.html != "" {
				all = mailparse.HTMLText(m.HTML)
			}
			if m.Text != all {
				t.Errorf("without the choice the text is\n%s\nof\n%s", m.Text, all)
			}
		})
	}
}

// TestF06BothTextsSayTheSame gives a mail both texts: what is cut from one is cut from the other.
func TestF06BothTextsSayTheSame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"New.\n\nOn 5 May 2020, at 10:00, Ann <ann@acme.example> wrote:\n> old secret\n",
		"New.\n\nsome introduction\nold secret\n", // nothing to find it by
	} {
		m := capture.Mail{Text: text, HTML: `<p>New.</p><blockquote type="cite"><p>old secret</p></blockquote>`}
		got, _ := Cut(m, content(newestOnly))
		if strings.TrimSpace(got.Text) != "New." || strings.Contains(got.HTML, "secret") || !strings.Contains(got.HTML, "New.") {
			t.Errorf("text %q, HTML %q", got.Text, got.HTML)
		}
	}
	// Where the HTML stays whole, the text does.
	m := capture.Mail{Text: "Yes.\n\n> When?\n", HTML: `<p>Yes.</p><blockquote type="cite">When?</blockquote><p>On Monday.</p>`}
	if got, _ := Cut(m, content(newestOnly)); got.Text != m.Text || !strings.Contains(got.HTML, "When?") {
		t.Errorf("text %q, HTML %q", got.Text, got.HTML)
	}
}
