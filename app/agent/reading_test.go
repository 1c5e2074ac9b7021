package agent_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
)

// reading is what the standard library alone makes of a mail: an opinion that shares no code with
// the product's parser.
type reading struct {
	id, subject, from string
	to                []string
	date              time.Time
	text              string
	files             [][]byte
}

var words = &mime.WordDecoder{CharsetReader: charset.NewReaderLabel}

// read returns ok false where the standard library cannot read the mail.
func read(raw []byte) (r reading, ok bool) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return r, false
	}
	parser := mail.AddressParser{WordDecoder: words}
	if r.subject, err = words.DecodeHeader(m.Header.Get("Subject")); err != nil {
		return r, false
	}
	from, err := parser.ParseList(m.Header.Get("From"))
	if err != nil {
		return r, false
	}
	r.from = from[0].Address
	if to, err := parser.ParseList(m.Header.Get("To")); err == nil {
		for _, a := range to {
			r.to = append(r.to, a.Address)
		}
	}
	if r.date, err = m.Header.Date(); err != nil {
		return r, false
	}
	r.id = strings.TrimSpace(m.Header.Get("Message-Id"))
	return r, r.part(textproto.MIMEHeader(m.Header), m.Body)
}

// part adds one part of the mail, or those inside it.
func (r *reading) part(h textproto.MIMEHeader, body io.Reader) bool {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind, params = "text/plain", map[string]string{}
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return true
			}
			if err != nil || !r.part(p.Header, p) {
				return false
			}
		}
	}
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	disposition, _, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	if disposition == "attachment" || !strings.HasPrefix(kind, "text/") {
		raw, err := io.ReadAll(body)
		r.files = append(r.files, raw)
		return err == nil
	}
	if kind != "text/plain" || r.text != "" {
		return true
	}
	if label := params["charset"]; label != "" {
		if body, err = charset.NewReaderLabel(label, body); err != nil {
			return false
		}
	}
	raw, err := io.ReadAll(body)
	r.text = string(raw)
	return err == nil
}

// plain makes two texts comparable: line ends and the white space around are nobody's business.
func plain(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
}
