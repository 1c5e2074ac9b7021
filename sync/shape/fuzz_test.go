package shape

import (
	"strings"
	"testing"
	"unicode/utf8"

	"hawser/sync/capture"
	"hawser/sync/costtest"
	"hawser/sync/mailparse"
)

// FuzzCut gives Cut any two texts. What comes out is safe, fits, and says nothing that was not in.
func FuzzCut(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.html, s.text, s.subject, true)
	}
	for _, s := range hostile {
		f.Add(s, "", "x", false)
	}
	f.Fuzz(func(t *testing.T, source, text, subject string, newest bool) {
		m := capture.Mail{Text: clean(text), HTML: clean(source), Header: capture.Header{Subject: clean(subject)}, RawHeaders: clean(text)}
		m.Attachments = []capture.Attachment{{Name: "a.png", Type: "image/png", ContentID: "a", Size: 1}}
		choice := content(func(c *capture.Content) { c.NewestOnly = newest })
		var got capture.Mail
		costtest.Check(t, func() { got, _ = Cut(m, choice) })
		checkSafe(t, source, got.HTML)
		checkLimits(t, got)
		for _, s := range []string{got.Text, got.HTML, got.Subject, got.RawHeaders} {
			if !utf8.ValidString(s) {
				t.Fatalf("not UTF-8: %q", s)
			}
		}
		if !newest {
			return
		}
		whole, _ := Cut(m, full())
		if strings.TrimSpace(got.Text) == "" && strings.TrimSpace(whole.Text) != "" {
			t.Fatalf("nothing is left of %q (HTML %q)", whole.Text, m.HTML)
		}
		if got.HTML != "" && mailparse.HTMLText(got.HTML) == "" && mailparse.HTMLText(whole.HTML) != "" {
			t.Fatalf("nothing is left of the HTML %q", whole.HTML)
		}
	})
}

// FuzzNewest holds the newest part of a plain text to its source: the same lines in the same order,
// some left out, never all.
func FuzzNewest(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.text, s.subject)
	}
	f.Fuzz(func(t *testing.T, text, subject string) {
		text = clean(text)
		var got string
		costtest.Check(t, func() { got = newestText(text, clean(subject)) })
		if got == text {
			return
		}
		if strings.TrimSpace(got) == "" {
			t.Fatalf("nothing is left of %q", text)
		}
		rest := strings.Split(text, "\n")
		for _, line := range strings.Split(got, "\n") {
			for len(rest) > 0 && strings.TrimSpace(rest[0]) != strings.TrimSpace(line) {
				rest = rest[1:]
			}
			if len(rest) == 0 && line != "" {
				t.Fatalf("%q is not in %q there", line, text)
			}
			rest = rest[min(len(rest), 1):]
		}
	})
}

// FuzzHeaders looks for words of the mail in what is saved at the lowest level.
func FuzzHeaders(f *testing.F) {
	f.Add(secretHeaders)
	f.Add("From: a\r\nSubject: b\r\n c\r\nX: d\n\te\nDate: f")
	f.Fuzz(func(t *testing.T, block string) {
		m := capture.Mail{Header: capture.Header{Subject: "s", ListID: clean(block)}, RawHeaders: clean(block), Text: "t", HTML: "h"}
		var got capture.Mail
		costtest.Check(t, func() { got, _ = Cut(m, capture.Content{Level: capture.LevelHeaders}) })
		name := ""
		for line := range strings.Lines(got.RawHeaders) {
			if line[0] != ' ' && line[0] != '\t' {
				name, _, _ = strings.Cut(strings.ToLower(line), ":")
				name = strings.TrimSpace(name)
			}
			if !structural[name] || !strings.Contains(m.RawHeaders, line) {
				t.Fatalf("%q is left of %q", line, block)
			}
		}
		if got.Subject+got.Text+got.HTML != "" || strings.Contains(strings.TrimPrefix(got.ListID, "<"), "<") {
			t.Fatalf("%+v is left", got)
		}
	})
}

// clean makes of s what a parser hands over.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")
}
