package mailparse

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, raw, text, types string }{
		{"nothing", "", "", "text/plain"},
		{"plain", "Subject: x\n\nvertraulich\n", "vertraulich", "text/plain"},
		{"html only", "Content-Type: text/html\n\n<style>p{}</style><p>ver<b>trau</b>lich</p>", "vertraulich", "text/html"},
		{"both, and they differ", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nshort\n--b\nContent-Type: text/html\n\n<p>secret</p>\n--b--", "short\n\nsecret", "multipart/alternative text/plain text/html"},
		{"base64", "Content-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\n\nR3LDvMOfZQ==", "Grüße", "text/plain"},
		{"split unseen", "Content-Type: text/html; charset=utf-8\n\nver&shy;trau&#8203;lich\ufeff", "vertraulich", "text/html"},
		{"mixed", mixed, "plain\n\nhtml", "multipart/alternative text/plain text/html multipart/mixed text/csv message/rfc822"},
		{"invitation", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: Text/Calendar\n\nBEGIN\n--b--", "", "multipart/mixed text/calendar"},
		{"file", "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nsecret", "", "text/plain"},
		{"sealed", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAEC", "", "application/pkcs7-mime"},
	} {
		text, types, err := Text(strings.NewReader(c.raw), int64(len(c.raw)))
		if err != nil || text != c.text || strings.Join(types, " ") != c.types {
			t.Errorf("%s: %q, %q, %v; want %q, %q", c.name, text, types, err, c.text, c.types)
		}
	}
	cut := errors.New("cut")
	r := io.MultiReader(strings.NewReader("Subject: x\r\n\r\nbody"), iotest.ErrReader(cut))
	if _, _, err := Text(r, 0); !errors.Is(err, cut) {
		t.Errorf("Text of a reader that fails: %v", err)
	}
}
