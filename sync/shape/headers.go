package shape

import (
	"strings"

	"hawser/sync/capture"
)

// structural are the header fields that hold addresses, times and ids and no words of the mail.
var structural = map[string]bool{
	"date": true, "from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true,
	"message-id": true, "in-reply-to": true, "references": true,
}

// headersOnly returns a mail without its content, with or without its subject. What the header
// block says beyond that is cut too: other fields repeat the subject (Thread-Topic) or say what
// anybody likes (Comments, Keywords, X-...).
func headersOnly(m capture.Mail, subject bool) capture.Mail {
	h := m.Header
	if !subject {
		h.Subject = ""
	}
	if open := strings.LastIndexByte(h.ListID, '<'); open >= 0 {
		h.ListID = h.ListID[open:] // without the list's description
	} else {
		h.ListID = ""
	}
	return capture.Mail{Header: h, RawHeaders: keepFields(m.RawHeaders, subject)}
}

// keepFields returns a header block with its structural fields alone, as they were written, and
// the subject where it is wanted.
func keepFields(block string, subject bool) string {
	var b strings.Builder
	keep := false
	for line := range strings.Lines(block) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, isField := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimRight(name, " \t"))
			keep = isField && (structural[name] || subject && name == "subject")
		}
		if keep {
			b.WriteString(line)
		}
	}
	return b.String()
}
