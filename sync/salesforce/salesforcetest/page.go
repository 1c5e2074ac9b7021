package salesforcetest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS []byte

//go:embed page.js
var pageJS []byte

var orgPages = template.Must(template.New("org").Parse(pageHTML))

const pageCSP = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// servePage answers everything below /_org/: what the org holds, for people to look at. It needs
// no sign-in: the data is pretend, and the page answers loopback names alone.
func (o *Org) servePage(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", pageCSP)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if !loopbackHost(r.Host) {
		http.Error(w, "this page answers on loopback names only", http.StatusForbidden)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/_org")
	switch {
	case r.Method != "GET" && r.Method != "HEAD":
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case path == "":
		http.Redirect(w, r, "/_org/", http.StatusFound)
	case path == "/page.css":
		h.Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pageCSS)
	case path == "/page.js":
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(pageJS)
	case path == "/events":
		o.serveEvents(w, r)
	case path == "/list":
		o.render(w, "list", o.pageData(r.URL.Query().Get("view"), r.URL.Query().Get("id"), r))
	case strings.HasPrefix(path, "/html/"):
		o.serveMailHTML(w, strings.TrimPrefix(path, "/html/"))
	case strings.HasPrefix(path, "/file/"):
		o.serveFile(w, strings.TrimPrefix(path, "/file/"))
	default:
		view, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if view == "" {
			view = "mails"
		}
		name := "page"
		if r.URL.Query().Get("part") == "detail" {
			name = "detail"
		}
		o.render(w, name, o.pageData(view, id, r))
	}
}

func loopbackHost(host string) bool {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return host == "localhost" || host == "127.0.0.1" || host == "[::1]"
}

func (o *Org) render(w http.ResponseWriter, name string, data *pageData) {
	if data == nil {
		http.Error(w, "there is no such page", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", typeHTML)
	_ = orgPages.ExecuteTemplate(w, name, data) // the reader may be gone
}

// serveEvents sends the counts at once and after each change, at most four times a second.
func (o *Org) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	bell := make(chan struct{}, 1)
	o.mu.Lock()
	o.subs[bell] = struct{}{}
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		delete(o.subs, bell)
		o.mu.Unlock()
	}()
	out := http.NewResponseController(w)
	for {
		counts, err := json.Marshal(o.counts())
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", counts); err != nil || out.Flush() != nil {
			return
		}
		if !pause(r.Context(), 250*time.Millisecond) {
			return
		}
		select {
		case <-bell:
		case <-r.Context().Done():
			return
		}
	}
}

// serveMailHTML shows a mail's HTML inside the page's sandboxed frame: no script, no network.
func (o *Org) serveMailHTML(w http.ResponseWriter, id string) {
	o.mu.Lock()
	body := ""
	r := o.data.live(id)
	if r != nil {
		body = r.str("HtmlBody")
	}
	o.mu.Unlock()
	if body == "" {
		http.Error(w, "there is no such mail", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'")
	w.Header().Set("Content-Type", typeHTML)
	_, _ = w.Write([]byte(body))
}

// serveFile gives a file as a download, never as something the browser would open.
func (o *Org) serveFile(w http.ResponseWriter, id string) {
	o.mu.Lock()
	r := o.data.live(id)
	var blob []byte
	name := ""
	if r != nil && r.obj.name == "ContentVersion" {
		blob, name = r.blob, fileName(r)
	}
	o.mu.Unlock()
	if blob == nil {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+percent(name))
	_, _ = w.Write(blob)
}

// percent encodes a file name for filename* (RFC 8187).
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isDigit(c) || isLetter(c) || c == '.' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
