package reqsig

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Refusal is why a request did not pass. Its text names nothing of the request.
type Refusal struct {
	Status int    // HTTP status to answer with
	Code   string // word for the answer's body: one of the Code constants
	Err    error  // detail for the log; never shown to the sender, who may be anybody
}

// The codes. An unknown key, an ended key, a wrong MAC and headers that are not of the profile
// are all CodeRefused; CodeStale depends on the time alone and says nothing about the key.
const (
	CodeMalformed   = "malformed"   // 400: the nonce is not one
	CodeRefused     = "refused"     // 401
	CodeStale       = "stale"       // 401: outside the window; the answer's Date tells the time
	CodeReplayed    = "replayed"    // 409: this very request was here before
	CodeTooLarge    = "too-large"   // 413
	CodeUnavailable = "unavailable" // 503: keys or nonces cannot be read
)

// Error returns the code and the cause.
func (r *Refusal) Error() string { return fmt.Sprintf("verify request: %s: %v", r.Code, r.Err) }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(status int, code string, err error) error { return &Refusal{status, code, err} }

// Verified is a request that passed.
type Verified struct {
	Tenant TenantID
	KeyID  string
	Role   Role
	Record any // the [Key]'s
	Body   []byte
}

// Config is what a [Verifier] needs.
type Config struct {
	Keys   KeySource
	Nonces NonceStore
	// Authority is the host, with its port unless 443, by which clients know this server. It is
	// configured because behind a proxy the Host header is anybody's word.
	Authority string
	MaxBody   int64            // bytes; default 64 KiB
	Now       func() time.Time // default time.Now
}

// Verifier checks requests.
type Verifier struct {
	cfg      Config
	recaller Recaller // nil: there is none
	dummy    []byte   // a key nobody has, so that an unknown id costs the same as a known one
}

// NewVerifier returns a verifier, or an error naming what is missing.
func NewVerifier(cfg Config) (*Verifier, error) {
	if cfg.Keys == nil || cfg.Nonces == nil {
		return nil, errors.New("reqsig: Keys and Nonces are required")
	}
	cfg.Authority = Authority(cfg.Authority)
	if cfg.Authority == "" || !visible(cfg.Authority) || strings.ContainsAny(cfg.Authority, "/@?") {
		return nil, errors.New("reqsig: Authority must be a host with an optional port")
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 64 << 10
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := &Verifier{cfg: cfg, dummy: make([]byte, sha256.Size)}
	rand.Read(v.dummy)
	v.recaller, _ = cfg.Keys.(Recaller)
	return v, nil
}

// form is what a request carries in the signed places.
type form struct {
	components
	mac, sum [sha256.Size]byte // as the sender has them: of the components, of the body
}

// bases holds room for signature bases. Nothing in them is secret.
var bases = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// Verify checks a request as a server received it and returns who sent it, with the body. Errors
// are a *[Refusal]. The body is read only once the MAC is right, and the nonce is used last: a
// request that is refused leaves no trace. r.Body is consumed.
func (v *Verifier) Verify(r *http.Request) (Verified, error) {
	f, p, err := v.bounds(r)
	if err != nil {
		return Verified{}, err
	}
	now, created := v.cfg.Now(), time.Unix(p.created, 0)
	key, recalled, err := v.prove(r.Context(), &f, p, now)
	if err != nil {
		return Verified{}, err
	}
	body, err := v.body(r, f.sum)
	if err != nil {
		return Verified{}, err
	}
	out := Verified{Tenant: TenantID{id: key.Tenant}, KeyID: p.keyID, Role: key.Role, Record: key.Record, Body: body}
	// The record has to outlast the last moment at which the same request is within the window.
	first, err := v.cfg.Nonces.Use(r.Context(), KeyRef{Tenant: out.Tenant, ID: p.keyID}, p.nonce, created.Add(Keep))
	if err != nil {
		return Verified{}, refuse(http.StatusServiceUnavailable, CodeUnavailable, err)
	}
	if !first {
		return Verified{}, refuse(http.StatusConflict, CodeReplayed, errors.New("nonce was used"))
	}
	if recalled && !v.recaller.Holds(key) {
		// Using the nonce told of a change, which may be that the key has ended.
		again, err := v.find(r.Context(), p.keyID)
		if err != nil {
			return Verified{}, err
		}
		if !again.usable(now) || !hmac.Equal(again.Secret, key.Secret) {
			return Verified{}, refuse(http.StatusUnauthorized, CodeRefused, errors.New("the key has ended"))
		}
		out.Role, out.Record = again.Role, again.Record
	}
	return out, nil
}

// prove returns the key whose MAC the request carries, and whether it was remembered.
func (v *Verifier) prove(ctx context.Context, f *form, p params, now time.Time) (key Key, recalled bool, err error) {
	room, _ := bases.Get().(*[]byte)
	defer bases.Put(room)
	base := f.appendBase((*room)[:0])
	*room = base
	key = v.recall(p.keyID)
	recalled = same(mac(key.Secret, base), f.mac) && key.usable(now)
	if !recalled {
		if key, err = v.find(ctx, p.keyID); err != nil {
			return key, false, err
		}
	}
	if created := time.Unix(p.created, 0); created.Before(now.Add(-Window)) || created.After(now.Add(Window)) {
		return key, false, refuse(http.StatusUnauthorized, CodeStale, errors.New("outside the window"))
	}
	if right := recalled || same(mac(key.Secret, base), f.mac); !right || !key.usable(now) {
		return key, false, refuse(http.StatusUnauthorized, CodeRefused, errors.New("unknown key or wrong mac"))
	}
	return key, recalled, nil
}

// same compares MACs in constant time.
func same(a, b [sha256.Size]byte) bool { return hmac.Equal(a[:], b[:]) }

// usable reports whether what a source knows of a key makes it one, at a moment.
func (k Key) usable(now time.Time) bool {
	return len(k.Secret) >= MinKey && k.Tenant != "" && (k.NotAfter.IsZero() || now.Before(k.NotAfter))
}

// recall returns a remembered key, or one that nobody has.
func (v *Verifier) recall(id string) Key {
	if v.recaller != nil {
		if k, ok := v.recaller.Recall(id); ok {
			return k
		}
	}
	return Key{Secret: v.dummy}
}

// find returns a key from its source, or one that nobody has.
func (v *Verifier) find(ctx context.Context, id string) (Key, error) {
	k, ok, err := v.cfg.Keys.Key(ctx, id)
	if err != nil {
		return k, refuse(http.StatusServiceUnavailable, CodeUnavailable, err)
	}
	if !ok || !k.usable(v.cfg.Now()) {
		k = Key{Secret: v.dummy}
	}
	return k, nil
}

// bounds takes the signed parts out of a request, or refuses it for its form alone.
func (v *Verifier) bounds(r *http.Request) (f form, p params, err error) {
	bad := func(why string) error { return refuse(http.StatusUnauthorized, CodeRefused, errors.New(why)) }
	f.method, f.authority = r.Method, v.cfg.Authority
	if !token(f.method) {
		return f, p, bad("method is not of the profile")
	}
	if f.path, f.query, err = target(r); err != nil {
		return f, p, refuse(http.StatusUnauthorized, CodeRefused, err)
	}
	var values [4]string
	for i, name := range [...]string{"Signature-Input", "Signature", "Content-Digest", "Content-Type"} {
		all := r.Header[name]
		if len(all) != 1 || len(all[0]) > maxInput {
			return f, p, bad("a signed header is missing, doubled or too long")
		}
		values[i] = all[0]
	}
	value, isSHA := strings.CutPrefix(values[2], "sha-256=")
	sum, isDigest := decodeBytes(value)
	if values[3] != contentType || !isSHA || !isDigest || len(r.Header["Content-Encoding"]) > 0 || len(r.Trailer) > 0 {
		return f, p, bad("content headers are not of the profile")
	}
	f.digest, f.sum = values[2], sum
	encoded, labelled := strings.CutPrefix(values[1], "sig1=")
	mac, isMAC := decodeBytes(encoded)
	input, labelledToo := strings.CutPrefix(values[0], "sig1=")
	if !labelled || !labelledToo || !isMAC {
		return f, p, bad("signature is not of the profile")
	}
	f.params, f.mac = input, mac
	if p, err = parseParams(input); errors.Is(err, errNonce) {
		return f, p, refuse(http.StatusBadRequest, CodeMalformed, err)
	} else if err != nil {
		return f, p, refuse(http.StatusUnauthorized, CodeRefused, err)
	}
	if r.ContentLength > v.cfg.MaxBody {
		return f, p, refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, errors.New("declared length"))
	}
	return f, p, nil
}

// body reads the body up to its bound and holds it against its digest.
func (v *Verifier) body(r *http.Request, want [sha256.Size]byte) ([]byte, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, v.cfg.MaxBody+1)); err != nil {
			return nil, refuse(http.StatusBadRequest, CodeMalformed, fmt.Errorf("read body: %w", err))
		}
	}
	if int64(len(body)) > v.cfg.MaxBody {
		return nil, refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, errors.New("body is too large"))
	}
	// The MAC covers the digest, so this comparison needs no constant time.
	if sha256.Sum256(body) != want {
		return nil, refuse(http.StatusUnauthorized, CodeRefused, errors.New("wrong digest"))
	}
	return body, nil
}

// Dated sets Date in every answer, refusals included, from the clock that the window is measured
// by: it is how a client learns that its own is wrong.
func Dated(now func() time.Time, next http.Handler) http.Handler {
	var last atomic.Pointer[date]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := now()
		d := last.Load()
		if d == nil || d.second != at.Unix() {
			d = &date{at.Unix(), []string{at.UTC().Format(http.TimeFormat)}}
			last.Store(d)
		}
		w.Header()["Date"] = d.header
		next.ServeHTTP(w, r)
	})
}

// date is the header's value in one second. Nobody changes it.
type date struct {
	second int64
	header []string
}
