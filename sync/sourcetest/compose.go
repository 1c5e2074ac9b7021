package sourcetest

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// letter is a mail to be written.
type letter struct {
	from, to Person
	cc       []Person
	subject  string
	date     time.Time
	id       string   // without angle brackets
	refs     []string // the thread so far, oldest first
	text     string
	html     string
	headers  [][2]string
	files    []attachment
	invite   string // iCalendar, becomes a third alternative
}

type attachment struct {
	name, mediaType string
	data            []byte
}

// raw writes the letter as RFC 5322 has it. It panics where that fails: all input is ours.
func (l letter) raw() []byte {
	var h mail.Header
	h.SetDate(l.date)
	h.SetAddressList("From", []*mail.Address{{Name: l.from.Name, Address: l.from.Email}})
	h.SetAddressList("To", []*mail.Address{{Name: l.to.Name, Address: l.to.Email}})
	var cc []*mail.Address
	for _, p := range l.cc {
		cc = append(cc, &mail.Address{Name: p.Name, Address: p.Email})
	}
	if cc != nil {
		h.SetAddressList("Cc", cc)
	}
	h.SetSubject(l.subject)
	h.SetMessageID(l.id)
	if n := len(l.refs); n > 0 {
		h.SetMsgIDList("In-Reply-To", l.refs[n-1:])
		h.SetMsgIDList("References", l.refs)
	}
	for _, extra := range l.headers {
		h.Set(extra[0], extra[1])
	}
	var b bytes.Buffer
	if len(l.files) == 0 {
		l.body(func(h message.Header) (*message.Writer, error) { return message.CreateWriter(&b, h) }, h.Header)
		return b.Bytes()
	}
	h.SetContentType("multipart/mixed", nil)
	w := must(message.CreateWriter(&b, h.Header))
	l.body(w.CreatePart, message.Header{})
	for _, f := range l.files {
		var fh mail.AttachmentHeader
		fh.SetContentType(f.mediaType, nil)
		fh.SetFilename(f.name)
		fh.Set("Content-Transfer-Encoding", "base64")
		write(must(w.CreatePart(fh.Header)), f.data)
	}
	check(w.Close())
	return b.Bytes()
}

// body writes the text, alone or with its alternatives.
func (l letter) body(create func(message.Header) (*message.Writer, error), h message.Header) {
	if l.html == "" && l.invite == "" {
		h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
		h.Set("Content-Transfer-Encoding", "quoted-printable")
		write(must(create(h)), []byte(l.text))
		return
	}
	h.SetContentType("multipart/alternative", nil)
	w := must(create(h))
	for _, alternative := range []struct{ mediaType, content string }{
		{"text/plain", l.text}, {"text/html", l.html}, {"text/calendar", l.invite},
	} {
		if alternative.content == "" {
			continue
		}
		params := map[string]string{"charset": "utf-8"}
		if alternative.mediaType == "text/calendar" {
			params["method"] = "REQUEST"
		}
		var ph message.Header
		ph.SetContentType(alternative.mediaType, params)
		ph.Set("Content-Transfer-Encoding", "quoted-printable")
		write(must(w.CreatePart(ph)), []byte(alternative.content))
	}
	check(w.Close())
}

func write(w io.WriteCloser, data []byte) {
	_, err := w.Write(data)
	check(err)
	check(w.Close())
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(fmt.Sprintf("sourcetest: compose a demo mail: %v", err))
	}
}
