package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hawser/auth/provision"
)

//go:embed pages.html
var pagesFile embed.FS

//go:embed style.css
var styleSheet []byte

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"t": say, "path": url.PathEscape, "moment": moment, "ago": ago, "action": actionWords, "who": whoWords,
}).ParseFS(pagesFile, "pages.html"))

// styleTag changes with the style sheet, so that browsers may keep it.
var styleTag = func() string {
	sum := sha256.Sum256(styleSheet)
	return hex.EncodeToString(sum[:6])
}()

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(styleSheet) // a browser that left is not our business
}

// view is an answer before it is written.
type view struct {
	status  int    // default 200
	name    string // of the template
	heading string // the page's only h1
	nav     string // the part of the page: "users", "keys", "audit"
	data    any
	message *message // what happened; shown first
	to      string   // where to send the browser instead
	cookies []*http.Cookie
}

func redirect(to string) view { return view{to: to} }

// problemView is a page that says what went wrong.
func problemView(status int, key string) view {
	m := messages[key]
	return view{status: status, name: "message", heading: m.Title, data: m, message: nil}
}

// outside is what somebody without a session sees. With a tenant it leads to its sign-in.
func outside(tenant, key string) view {
	m := messages[key]
	link := ""
	if tenant != "" {
		link = SignInPath(tenant)
	}
	return view{status: http.StatusForbidden, name: "outside", heading: m.Title, data: link, message: &m}
}

// told redirects to a page that says first what was done.
func (p *Page) told(to string, n note) view {
	out := redirect(to)
	out.cookies = []*http.Cookie{p.seal(noteCookie, n, time.Minute)}
	return out
}

// frame is what the layout shows around a page.
type frame struct {
	Heading, Nav, Style   string
	Company, Group, Token string // empty for strangers
	Account               string
	Notice                *message
	Content               template.HTML
}

// content is what a page's template sees.
type content struct {
	Token   string
	Now     time.Time
	Message *message
	Data    any
}

// write answers with a page, or sends the browser to one. v is nil for strangers.
func (p *Page) write(w http.ResponseWriter, r *http.Request, v *visit, out view) {
	var notice *message
	var n note
	if out.to == "" && p.unseal(r, noteCookie, &n) {
		m, known := messages[n.Text]
		if notice = m.about(n.What); !known || v == nil {
			notice = nil
		}
		out.cookies = append(out.cookies, dropped(noteCookie))
	}
	body, err := p.render(v, out, notice)
	if err != nil {
		p.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "page not written", slog.Any("err", err))
		http.Error(w, messages["internal"].Title, http.StatusInternalServerError)
		return
	}
	p.setCookies(w, v, out)
	if out.to != "" {
		w.Header().Set("Location", out.to)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if out.status == 0 {
		out.status = http.StatusOK
	}
	if out.status == http.StatusTooManyRequests || out.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(body) // a browser that left is not our business
}

// setCookies sets the view's cookies and moves the session's end.
func (p *Page) setCookies(w http.ResponseWriter, v *visit, out view) {
	own := false
	for _, c := range out.cookies {
		http.SetCookie(w, c)
		own = own || c.Name == sessionCookie
	}
	if v != nil && !own {
		if c := p.renewed(v); c != nil {
			http.SetCookie(w, c)
		}
	}
}

func (p *Page) render(v *visit, out view, notice *message) ([]byte, error) {
	if out.to != "" {
		return nil, nil
	}
	c := content{Now: p.cfg.Now(), Message: out.message, Data: out.data}
	f := frame{Heading: out.heading, Nav: out.nav, Style: styleTag, Notice: notice}
	ended := false
	for _, cookie := range out.cookies {
		ended = ended || cookie.Name == sessionCookie && cookie.MaxAge < 0
	}
	if v != nil && !ended {
		c.Token = v.session.Token
		f.Company, f.Group, f.Token, f.Account = v.company.Name, v.group, v.session.Token, v.session.Account.UserID
	}
	var inner, outer bytes.Buffer
	if err := pages.ExecuteTemplate(&inner, out.name, c); err != nil {
		return nil, err
	}
	f.Content = template.HTML(inner.String()) //nolint:gosec // it comes out of a template
	if err := pages.ExecuteTemplate(&outer, "frame", f); err != nil {
		return nil, err
	}
	return outer.Bytes(), nil
}

// refusal is the code of a sign-in that proves nothing; "" for other errors.
func refusal(err error) string {
	var p *provision.Problem
	if errors.As(err, &p) && p.Status == http.StatusForbidden {
		return p.Code
	}
	return ""
}

// word reports whether a text is short and plain enough to be looked up in a store.
func word(text string) bool {
	return len(text) <= 254 && strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f }) < 0
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
