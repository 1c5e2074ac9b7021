package admin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// How long a session lasts: since its last request, and in all.
const (
	idleLife    = 30 * time.Minute
	sessionLife = 8 * time.Hour
	renewEvery  = time.Minute // how far behind the cookie's own time of the last request may be
)

// The cookies. The prefix has browsers refuse them from other hosts, other paths and without TLS.
const (
	sessionCookie = "__Host-hawserd-admin"
	flowCookie    = "__Host-hawserd-signin"
	noteCookie    = "__Host-hawserd-note"
)

// session is what the sealed cookie holds. It outlives its end in the browser, so that somebody who
// comes back is led to the right sign-in.
type session struct {
	ID      string            `json:"id"`
	Tenant  string            `json:"tenant"`
	Issuer  string            `json:"issuer"` // of the site that was signed in at
	Account provision.Account `json:"account"`
	Begun   time.Time         `json:"begun"`
	Seen    time.Time         `json:"seen"`  // last request
	Token   string            `json:"token"` // in every form, so that no other site can make one
}

// owns reports whether a form belongs to this session.
func (s session) owns(token string) bool {
	return s.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.Token)) == 1
}

// note is what the next page says first.
type note struct {
	Text string `json:"text"` // a key of messages
	What string `json:"what"` // what it is about, such as a user's id
}

// seal makes a cookie; max 0 lasts as long as the browser's session.
func (p *Page) seal(name string, content any, max time.Duration) *http.Cookie {
	plain, err := json.Marshal(content)
	if err != nil {
		return dropped(name) // never: these are structs of strings and times
	}
	c := bare(name)
	c.Value = base64.RawURLEncoding.EncodeToString(p.cfg.Vault.SealPage(name, plain))
	c.MaxAge = int(max / time.Second)
	return c
}

func bare(name string) *http.Cookie {
	return &http.Cookie{Name: name, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

// dropped is a cookie that takes the browser's away.
func dropped(name string) *http.Cookie {
	c := bare(name)
	c.MaxAge = -1
	return c
}

// unseal reads a cookie that was sealed here under the same name.
func (p *Page) unseal(r *http.Request, name string, into any) bool {
	c, err := r.Cookie(name)
	if err != nil {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return false
	}
	plain, err := p.cfg.Vault.OpenPage(name, sealed)
	return err == nil && json.Unmarshal(plain, into) == nil
}

func (p *Page) sessionOf(r *http.Request) (s session, sealed bool) {
	sealed = p.unseal(r, sessionCookie, &s)
	return s, sealed
}

// admit asks the store whether a session still counts. why says, as a key of messages, why not.
func (p *Page) admit(ctx context.Context, s session, sealed bool) (v *visit, why string, err error) {
	now := p.cfg.Now()
	switch {
	case !sealed:
		return nil, "sign-in", nil
	case now.After(s.Begun.Add(sessionLife)), now.After(s.Seen.Add(idleLife)):
		return nil, "expired", nil
	}
	v = &visit{session: s, tenant: reqsig.Operator(s.Tenant), now: now}
	v.company, err = p.cfg.Store.Tenant(ctx, v.tenant)
	if errors.Is(err, provision.ErrNotFound) || err == nil && v.company.Suspended {
		return nil, "no-admin", nil
	}
	if err != nil {
		return nil, "", err
	}
	trusted := slices.ContainsFunc(v.company.Sites, func(site provision.Site) bool {
		return site.Issuer == s.Issuer && site.AdminClientID != ""
	})
	admin, ok, err := p.adminOf(ctx, v.tenant, s.Account)
	switch {
	case err != nil:
		return nil, "", err
	case !ok || !trusted:
		return nil, "no-admin", nil
	case s.Begun.Before(admin.Since):
		return nil, "signed-out", nil
	}
	v.group = admin.Group
	return v, "", nil
}

// adminOf finds an account among the tenant's admins. A company has a handful of them.
func (p *Page) adminOf(ctx context.Context, tenant reqsig.TenantID, a provision.Account) (provision.Admin, bool, error) {
	all, err := p.cfg.Store.Admins(ctx, tenant)
	for _, one := range all {
		if one.Account == a {
			return one, true, err
		}
	}
	return provision.Admin{}, false, err
}

// renewed is the session's cookie with the time of this request, or nil while that is not needed.
func (p *Page) renewed(v *visit) *http.Cookie {
	if v.now.Sub(v.session.Seen) < renewEvery {
		return nil
	}
	s := v.session
	s.Seen = v.now
	return p.seal(sessionCookie, s, 0)
}

// once refuses a form that was sent before, on any replica: what it shows is shown once.
func (p *Page) once(r *http.Request, v *visit) error {
	nonce := r.PostFormValue("once")
	if len(nonce) < 16 || len(nonce) > 64 {
		return errRepeated
	}
	key := reqsig.KeyRef{Tenant: v.tenant, ID: "admin " + v.session.ID}
	first, err := p.cfg.Store.Use(r.Context(), key, nonce, v.session.Begun.Add(sessionLife+time.Minute))
	if err == nil && !first {
		err = errRepeated
	}
	return err
}

// random returns 130 bits as text.
func random() string { return rand.Text() }
