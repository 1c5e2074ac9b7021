package salesforcetest

import (
	"bytes"
	"compress/gzip"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

const (
	typeJSON = "application/json;charset=UTF-8"
	typeHTML = "text/html;charset=UTF-8"
	typeText = "text/plain;charset=UTF-8"
)

// reply is a complete answer; nothing is sent before it is known.
type reply struct {
	status int
	header http.Header
	body   []byte
	user   string   // username, for the call log
	parts  []string // composite subrequests, for the call log
}

func newReply(status int, contentType string, body []byte) *reply {
	p := &reply{status: status, header: http.Header{}, body: body}
	if contentType != "" {
		p.header.Set("Content-Type", contentType)
	}
	return p
}

func jsonReply(status int, v any) *reply {
	b, err := encode(v)
	if err != nil {
		return newReply(500, typeText, []byte(err.Error()))
	}
	return newReply(status, typeJSON, b)
}

func errorReply(e *apiError) *reply { return jsonReply(e.status, errorList(e)) }

// errorList is the body of a failed REST call.
func errorList(e *apiError) []ordered {
	m := ordered{{"message", e.message}, {"errorCode", e.code}}
	if e.fields != nil {
		m = append(m, kv{"fields", e.fields})
	}
	return []ordered{m}
}

// htmlReply renders one of the sign-in pages.
func htmlReply(status int, t *template.Template, data any) *reply {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return newReply(500, typeText, []byte(err.Error()))
	}
	p := newReply(status, typeHTML, b.Bytes())
	p.header.Set("Cache-Control", "no-store")
	p.header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	p.header.Set("Referrer-Policy", "no-referrer")
	return p
}

// ServeHTTP answers OAuth, REST, the sign-in pages and, under /_org/, a page that shows what the
// org holds.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.start()
	site, path := splitSite(r.URL.EscapedPath())
	if strings.HasPrefix(path, "/_org/") || path == "/_org" {
		o.servePage(w, r)
		return
	}
	o.mu.Lock()
	how := o.bad.decideLocked(r.Method, path)
	o.mu.Unlock()
	if how.wait > 0 && !pause(r.Context(), how.wait) {
		return
	}
	body, err := o.readPayload(r)
	var p *reply
	switch {
	case how.instead != nil:
		p = how.instead
	case err != nil:
		p = newReply(413, typeHTML, []byte("<html><body>Request Entity Too Large</body></html>"))
	default:
		p = o.answer(r, site, path, body)
	}
	o.record(r, path, p)
	switch {
	case how.drop:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case how.half:
		sendHalf(w, p)
	default:
		send(w, r, p)
	}
}

// splitSite takes the site path off.
func splitSite(path string) (site, rest string) {
	for _, s := range []string{TwinPath, SitePath} {
		if path == s || strings.HasPrefix(path, s+"/") {
			return s, strings.TrimPrefix(path, s)
		}
	}
	return "", path
}

// answer performs a request and returns what it answers.
func (o *Org) answer(r *http.Request, site, path string, body payload) *reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case strings.HasPrefix(path, "/services/data"):
		return o.serveRESTLocked(r, site, path, body)
	case strings.HasPrefix(path, "/services/oauth2/"), strings.HasPrefix(path, "/id/"),
		strings.HasPrefix(path, "/.well-known/"), path == "/login", path == "/consent":
		return o.serveAuthLocked(r, site, path, body.doc)
	}
	return newReply(404, typeHTML, []byte("<html><head><title>URL No Longer Exists</title></head><body><p>URL No Longer Exists</p></body></html>"))
}

func send(w http.ResponseWriter, r *http.Request, p *reply) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	body := p.body
	if len(body) > 1400 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && p.header.Get("Content-Encoding") == "" {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // a buffer takes everything
		_ = z.Close()
		body = b.Bytes()
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if p.status != 204 && p.status != 304 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	if p.header.Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil // some of Salesforce's answers have none
	}
	w.WriteHeader(p.status)
	if p.status != 204 && p.status != 304 {
		_, _ = w.Write(body) // the asker may be gone
	}
}

// sendHalf promises the whole body, sends half of it and closes the connection.
func sendHalf(w http.ResponseWriter, p *reply) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(max(len(p.body), 2)))
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body[:len(p.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
