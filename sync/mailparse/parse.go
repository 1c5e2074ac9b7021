package mailparse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"hawser/sync/capture"
)

// Parse reads the whole mail in r. size is the number of bytes to expect, which only decides how
// large a buffer is taken; 0 when unknown. Attachments are described, not kept: [File] reads one
// again. The error is r's own; whatever the mail is, it becomes a capture.Mail with Warnings
// about what was not understood.
func Parse(r io.Reader, size int64) (capture.Mail, error) {
	var m capture.Mail
	s, err := newScanner(r, size)
	if err != nil {
		return m, fmt.Errorf("read header: %w", err)
	}
	c := collector{mail: &m, scan: s}
	err = c.collect()
	c.finish()
	if err != nil {
		return m, fmt.Errorf("read part: %w", err)
	}
	return m, nil
}

// File returns the decoded bytes of the attachment with the given index, as [Parse] numbered
// them, from the same mail read anew. It streams: r is read while the result is, and is not
// closed with it. An index that the mail does not have is fs.ErrNotExist.
func File(r io.Reader, size int64, index int) (io.ReadCloser, error) {
	s, err := newScanner(r, size)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	for at := 0; ; {
		p, err := s.next()
		if err == io.EOF {
			return nil, fmt.Errorf("attachment %d: %w", index, fs.ErrNotExist)
		}
		if err != nil {
			return nil, fmt.Errorf("read part: %w", err)
		}
		if p.isText() {
			continue
		}
		if at == index {
			return io.NopCloser(p.content), nil
		}
		at++
	}
}

// isText reports whether the part is read as the mail's own text rather than kept as a file.
// It depends on the part alone, so that Parse and File agree.
func (p *part) isText() bool {
	if p.mediaType != "text/plain" && p.mediaType != "text/html" || p.disposition == "attachment" {
		return false
	}
	return p.fileName == "" || p.within == "alternative"
}

// rawHeaders returns the header block as text for the record.
func rawHeaders(block []byte) string {
	if utf8.Valid(block) {
		return clean(string(block))
	}
	return guess(block)
}

// collector builds a Mail from the parts as they come.
type collector struct {
	mail *capture.Mail
	scan *scanner
	text strings.Builder
	html strings.Builder
}

// collect reads header and parts. A panic costs the rest of this mail, never the agent: what was
// read before it is kept.
func (c *collector) collect() (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.scan.warn("the mail could not be read to its end")
		}
	}()
	c.mail.RawHeaders = cutRunes(rawHeaders(c.scan.header), maxRawHeaders)
	c.mail.Header = header(c.scan.header)
	for {
		p, err := c.scan.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = c.add(p)
		}
		if err != nil {
			return err
		}
	}
}

func (c *collector) add(p *part) error {
	if p.isText() {
		return c.addText(p)
	}
	return c.addFile(p)
}

func (c *collector) addText(p *part) error {
	b, err := io.ReadAll(io.LimitReader(p.content, maxText+1))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	charset := p.params["charset"]
	if charset == "" && p.mediaType == "text/html" {
		charset = metaCharset(b)
	}
	s, honest := toUTF8(b[:min(len(b), maxText)], charset)
	if !honest {
		c.scan.warn("the character set of a text is unknown or wrong: it was guessed")
	}
	out := &c.text
	if p.mediaType == "text/html" {
		out = &c.html
	}
	if out.Len() > 0 && s != "" {
		out.WriteString("\n\n")
	}
	if room := maxText - out.Len(); len(s) > room || len(b) > maxText {
		s = strings.ToValidUTF8(s[:min(len(s), max(room, 0))], "")
		c.scan.warn("the text is too long: its end was left out")
	}
	out.WriteString(s)
	return nil
}

func (c *collector) addFile(p *part) error {
	index := len(c.mail.Attachments)
	a := capture.Attachment{
		Index:     index,
		Name:      nameOf(p, index),
		Type:      p.mediaType,
		ContentID: strings.Trim(words(unfold(p.first[contentID]), ""), "<> "),
		Inline:    p.disposition == "inline",
	}
	if p.within == "related" && a.ContentID != "" && p.disposition != "attachment" {
		a.Inline = true
	}
	content := p.content
	if p.mediaType == "message/rfc822" && p.fileName == "" {
		br := bufio.NewReaderSize(content, 16<<10)
		head, _ := br.Peek(16 << 10)
		if inner, err := ReadHeader(bytes.NewReader(head)); err == nil && baseName(inner.Subject) != "" {
			a.Name = cutRunes(baseName(inner.Subject), maxName-4) + ".eml"
		}
		content = br
	}
	c.warnOf(p.mediaType)
	size, err := io.Copy(io.Discard, content)
	if err != nil {
		return err
	}
	a.Size = size
	c.mail.Attachments = append(c.mail.Attachments, a)
	return nil
}

// warnOf says why a mail shows little text although nothing is wrong with it.
func (c *collector) warnOf(mediaType string) {
	switch mediaType {
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		c.scan.warn("the mail is encrypted or sealed (S/MIME): it was kept as a file")
	case "application/pgp-encrypted":
		c.scan.warn("the mail is encrypted (PGP): it was kept as a file")
	case "application/ms-tnef":
		c.scan.warn("Outlook packed its files into winmail.dat: it was kept as it is")
	}
}

func (c *collector) finish() {
	c.mail.Text = c.text.String()
	c.mail.HTML = c.html.String()
	c.mail.Warnings = c.scan.warns
	if strings.TrimSpace(c.mail.Text) == "" && c.mail.HTML != "" {
		c.mail.Text = HTMLText(c.mail.HTML)
	}
}

// metaCharset returns the charset that an HTML document names in its own head.
func metaCharset(b []byte) string {
	head := strings.ToLower(string(b[:min(len(b), 1<<10)]))
	_, rest, ok := strings.Cut(head, "charset=")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, `"' `)
	if end := strings.IndexAny(rest, "\"'; />\r\n"); end >= 0 {
		return rest[:end]
	}
	return ""
}
