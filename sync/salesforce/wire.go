package salesforce

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// gzipFrom is the size from which a request body is compressed.
const gzipFrom = 1 << 10

// record is one record to be made: field name to value.
type record map[string]any

// of gives a record its type, as collections want it.
func of(objectName string) record {
	return record{"attributes": map[string]string{"type": objectName}}
}

// sub is one subrequest of a composite call: a GET, or the creation of a collection. Records are
// built one at a time, while they are written.
type sub struct {
	ref    string
	path   string
	count  int
	record func(i int) record
}

// queryPath returns the path of a query, for use inside a composite body.
func queryPath(version, soql string) string {
	return data(version, "/query?q="+url.QueryEscape(soql))
}

// compositeRequest returns a request of up to 25 subrequests that counts as one call. They run
// in order and fail by themselves.
func compositeRequest(op, version string, subs []sub) request {
	return jsonRequest(op, data(version, "/composite"), func(w *writer) {
		w.raw(`{"allOrNone":false,"collateSubrequests":false,"compositeRequest":[`)
		for i, s := range subs {
			if i > 0 {
				w.raw(",")
			}
			method := http.MethodGet
			if s.record != nil {
				method = http.MethodPost
			}
			w.raw(`{"method":"` + method + `","url":`)
			w.value(s.path)
			w.raw(`,"referenceId":`)
			w.value(s.ref)
			if s.record != nil {
				w.raw(`,"body":`)
				w.collection(s.count, s.record)
			}
			w.raw("}")
		}
		w.raw("]}")
	})
}

// collectionRequest returns a request that makes up to 200 records outside a composite.
func collectionRequest(op, version string, count int, rec func(i int) record) request {
	return jsonRequest(op, data(version, "/composite/sobjects"), func(w *writer) { w.collection(count, rec) })
}

// jsonRequest encodes a body straight into its compressed form, so that a request of megabytes
// stands in memory once and small.
func jsonRequest(op, path string, encode func(w *writer)) request {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	w := newWriter(z)
	encode(w)
	encoding := "gzip"
	if err := z.Close(); err != nil && w.err == nil {
		w.err = err
	}
	if w.size < gzipFrom && w.err == nil {
		packed.Reset()
		plain := newWriter(&packed)
		encode(plain)
		encoding, w.err = "", plain.err
	}
	return request{
		op: op, method: http.MethodPost, path: path, kind: "application/json; charset=UTF-8", encoding: encoding,
		body: func() (io.Reader, int64, error) {
			return bytes.NewReader(packed.Bytes()), int64(packed.Len()), w.err
		},
	}
}

// writer writes JSON piecewise and keeps the first error.
type writer struct {
	out  io.Writer
	size int
	enc  *json.Encoder
	err  error
}

func newWriter(out io.Writer) *writer {
	w := &writer{out: out}
	w.enc = json.NewEncoder(w)
	w.enc.SetEscapeHTML(false)
	return w
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.size += n
	return n, err
}

func (w *writer) raw(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w, s)
	}
}

func (w *writer) value(v any) {
	if w.err == nil {
		w.err = w.enc.Encode(v)
	}
}

func (w *writer) collection(count int, rec func(i int) record) {
	w.raw(`{"allOrNone":false,"records":[`)
	for i := range count {
		if i > 0 {
			w.raw(",")
		}
		w.value(rec(i))
	}
	w.raw("]}")
}

// mentionsReference reports whether a composite request would take part of the record for a
// reference to another subrequest: Salesforce replaces @{...} wherever it stands, and a mail may
// contain it. There is no way to escape it.
func mentionsReference(r record) bool {
	for name, v := range r {
		if s, ok := v.(string); ok && name != "attributes" && strings.Contains(s, "@{") {
			return true
		}
	}
	return false
}
