package salesforcetest

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// payload is the body of a request: its JSON or form, and the binary parts of a multipart one.
type payload struct {
	doc   []byte
	blobs map[string][]byte // by part name
	bad   *apiError         // why a multipart body cannot be read
}

const (
	maxMultipart = 500 << 20
	maxParts     = 201 // the JSON and one part for each of 200 records
)

var errTooLarge = errors.New("body too large")

// readPayload reads and unpacks a body. Multipart is read part by part, never as a whole.
func (o *Org) readPayload(r *http.Request) (payload, error) {
	if r.Body == nil {
		return payload{}, nil
	}
	var src io.Reader = r.Body
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return payload{}, fmt.Errorf("gzip body: %w", err)
		}
		src = z
	case "deflate":
		src = flate.NewReader(src)
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && strings.HasPrefix(kind, "multipart/") {
		return readMultipart(src, params["boundary"])
	}
	max := o.MaxJSON
	if max == 0 {
		max = 50 << 20
	}
	doc, err := readUpTo(src, max)
	return payload{doc: doc}, err
}

func readUpTo(src io.Reader, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(src, max+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(b)) > max {
		return nil, errTooLarge
	}
	return b, nil
}

// readMultipart tells the JSON part from the binary ones by the file name, which only those have.
func readMultipart(src io.Reader, boundary string) (payload, error) {
	bad := func(why string) (payload, error) {
		return payload{bad: fail(400, "INVALID_MULTIPART_REQUEST", "Multipart message cannot be read: "+why)}, nil
	}
	if boundary == "" || len(boundary) > 70 {
		return bad("boundary is missing or too long")
	}
	p := payload{blobs: map[string][]byte{}}
	mr := multipart.NewReader(src, boundary)
	left := int64(maxMultipart)
	for n := 0; ; n++ {
		part, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad("a part is broken")
		}
		if n == maxParts {
			return bad("too many parts")
		}
		data, err := readUpTo(part, left)
		if errors.Is(err, errTooLarge) {
			return payload{}, err
		}
		if err != nil {
			return bad("a part ends early")
		}
		left -= int64(len(data))
		_, twice := p.blobs[part.FormName()]
		switch {
		case part.FileName() == "" && p.doc == nil:
			p.doc = data
		case part.FileName() == "" || part.FormName() == "" || twice:
			return bad("a binary part needs a name of its own and a file name")
		default:
			p.blobs[part.FormName()] = data
		}
	}
	if p.doc == nil {
		return bad("no JSON part")
	}
	return p, nil
}
