package mailparse

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"sync"

	"hawser/sync/capture"
)

// reading is the working memory of one ReadHeader call. It runs for thousands of mails a
// second when a mailbox is first read.
type reading struct {
	br    *bufio.Reader
	block []byte
}

var readings = sync.Pool{New: func() any {
	return &reading{br: bufio.NewReaderSize(nil, 4<<10), block: make([]byte, 0, 4<<10)}
}}

// ReadHeader reads what a mail says about itself from r, which holds a whole mail or a header
// block alone; how far r is read beyond the header is not defined. An unreadable field is empty
// in the Header. The error is r's own: bad content is none.
func ReadHeader(r io.Reader) (capture.Header, error) {
	w := readings.Get().(*reading)
	defer readings.Put(w)
	w.br.Reset(r)
	defer w.br.Reset(nil)
	block, cut, ended, err := readBlock(w.br, w.block[:0], maxHeader)
	if cap(block) <= 64<<10 {
		w.block = block[:0]
	}
	if err != nil {
		return capture.Header{}, err
	}
	if !ended && !cut {
		if at := firstStray(block); at >= 0 {
			block = block[:at] // as Parse does: the body begins there
		}
	}
	return header(block), nil
}

// field is one of the fields that Hawser reads.
type field int

const (
	none field = iota
	messageID
	inReplyTo
	references
	subject
	dateField
	from
	sender
	replyTo
	to
	cc
	bcc
	sensitivity
	autoSubmitted
	precedence
	listID
	contentType
	transferEncoding
	dispositionField
	contentID
	unsubscribe
	returnPath
	contentClass
	fieldCount
)

var fieldNames = map[string]field{
	"message-id": messageID, "in-reply-to": inReplyTo, "references": references, "subject": subject,
	"date": dateField, "from": from, "sender": sender, "reply-to": replyTo, "to": to, "cc": cc, "bcc": bcc,
	"sensitivity": sensitivity, "auto-submitted": autoSubmitted, "precedence": precedence,
	"list-id": listID, "content-type": contentType, "content-transfer-encoding": transferEncoding,
	"content-disposition": dispositionField, "content-id": contentID,
	"list-unsubscribe": unsubscribe, "return-path": returnPath, "content-class": contentClass,
}

// known holds the fields of one header block as they were written.
type known struct {
	first [fieldCount][]byte // the first one that is not empty
	again []repeat
}

// repeat is a further field of the same name.
type repeat struct {
	field field
	value []byte
}

func knownFields(block []byte) known {
	var k known
	var lower [32]byte
	fields(block, func(name, value []byte) {
		if len(name) > len(lower) {
			return
		}
		for i, c := range name {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			lower[i] = c
		}
		f := fieldNames[string(lower[:len(name)])]
		switch {
		case f == none || len(bytes.TrimSpace(value)) == 0:
		case k.first[f] == nil:
			k.first[f] = value
		case len(k.again) < maxAddresses:
			k.again = append(k.again, repeat{f, value})
		}
	})
	return k
}

// all calls yield with each value of f.
func (k *known) all(f field, yield func(value []byte)) {
	if k.first[f] == nil {
		return
	}
	yield(k.first[f])
	for _, r := range k.again {
		if r.field == f {
			yield(r.value)
		}
	}
}

// header reads a header block. Nothing of block is kept.
func header(block []byte) capture.Header {
	k := knownFields(block)
	var h capture.Header
	var charset string
	if v := k.first[contentType]; v != nil {
		var params map[string]string
		h.ContentType, params = structured(v, "")
		charset = params["charset"]
	}
	text := func(f field) string {
		return strings.TrimSpace(words(unfold(k.first[f]), charset))
	}
	h.MessageID = capture.NormaliseMessageID(text(messageID))
	h.Subject = text(subject)
	h.ListID = text(listID)
	h.Sensitivity = token(text(sensitivity))
	h.AutoSubmitted = token(text(autoSubmitted))
	h.Precedence = token(text(precedence))
	h.Unsubscribe = k.first[unsubscribe] != nil
	h.NullReturn = strings.Join(strings.Fields(text(returnPath)), "") == "<>"
	h.Calendar = strings.EqualFold(text(contentClass), "urn:content-classes:calendarmessage")
	if ids := messageIDs(text(inReplyTo), 1); len(ids) > 0 {
		h.InReplyTo = ids[0]
	}
	h.References = messageIDs(text(references), maxReferences)
	k.all(dateField, func(v []byte) {
		if h.Date.IsZero() {
			h.Date = date(v)
		}
	})
	list := func(f field) (a []capture.Address) {
		k.all(f, func(v []byte) { a = addresses(a, v, charset) })
		return a
	}
	h.From, h.Sender, h.ReplyTo = list(from), list(sender), list(replyTo)
	h.To, h.Cc, h.Bcc = list(to), list(cc), list(bcc)
	for _, r := range k.again {
		if r.field == messageID || r.field == from {
			h.Ambiguous = true
		}
	}
	return h
}

// token returns the first word of a field such as "Auto-Submitted: auto-replied; owner=x".
func token(s string) string {
	if end := strings.IndexAny(s, " ;("); end >= 0 {
		s = s[:end]
	}
	return strings.ToLower(s)
}

// messageIDs returns the <...> tokens of a field, normalised, at most limit. Beyond it the
// first stays, which names the thread, and the newest.
func messageIDs(s string, limit int) []string {
	var ids []string
	for {
		open := strings.IndexByte(s, '<')
		if open < 0 {
			break
		}
		end := strings.IndexByte(s[open:], '>')
		if end < 0 {
			break
		}
		if id := capture.NormaliseMessageID(s[open : open+end+1]); id != "" {
			ids = append(ids, id)
		}
		s = s[open+end+1:]
	}
	if len(ids) > limit {
		ids = append(ids[:1], ids[len(ids)-limit+1:]...)
	}
	return ids
}
