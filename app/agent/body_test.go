package agent

import (
	"slices"
	"strings"
	"testing"
)

// TestWordsOfTheBody: rules see the words as people do, in the plain text and in the HTML, and what
// kinds of parts a mail has.
func TestWordsOfTheBody(t *testing.T) {
	t.Parallel()
	mail := strings.ReplaceAll("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\nThe sev\u00aderance is agreed.\n"+
		"--b\nContent-Type: text/html; charset=utf-8\n\n<p>The <b>con</b>fi\u200bdential part</p>\n"+
		"--b\nContent-Type: multipart/encrypted; boundary=c\n\n--c\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--c--\n"+
		"--b\nContent-Type: Text/Calendar; method=REQUEST\nContent-Disposition: attachment\n\nBEGIN:VCALENDAR\n--b--\n", "\n", "\r\n")
	body, err := readBody(strings.NewReader(mail), int64(len(mail)))
	if err != nil || !strings.Contains(body.Text, "severance") || !strings.Contains(body.Text, "confidential") {
		t.Errorf("%v, %q", err, body.Text)
	}
	for _, want := range []string{"multipart/encrypted", "application/pgp-encrypted", "text/calendar"} {
		if !slices.Contains(body.Types, want) {
			t.Errorf("%s is not among %q", want, body.Types)
		}
	}
}
