package reqsig

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// covered is the one list of components, as it stands in Signature-Input.
const covered = `("@method" "@authority" "@path" "@query" "content-digest" "content-type")`

// contentType is the one media type of requests, with or without a body.
const contentType = "application/json"

// The bounds of what a request may carry in the signed places, in bytes.
const (
	maxMethod = 16
	maxTarget = 4096
	maxInput  = 512
)

// components are the signed values of one request. Two requests that differ in any of them have
// different signature bases: no value may hold a line feed, and each has its own line.
type components struct {
	method, authority, path, query string
	digest                         string // value of Content-Digest
	params                         string // Signature-Input without its label
}

// base is the signature base of RFC 9421, section 2.5. Its layout never changes under one [Tag].
func (c components) base() []byte { return c.appendBase(make([]byte, 0, 512)) }

func (c components) appendBase(b []byte) []byte {
	b = append(append(b, `"@method": `...), c.method...)
	b = append(append(b, "\n\"@authority\": "...), c.authority...)
	b = append(append(b, "\n\"@path\": "...), c.path...)
	b = append(append(b, "\n\"@query\": "...), c.query...)
	b = append(append(b, "\n\"content-digest\": "...), c.digest...)
	b = append(append(b, "\n\"content-type\": "...), contentType...)
	return append(append(b, "\n\"@signature-params\": "...), c.params...)
}

// target splits what stands in the request line into @path and @query. It refuses everything that
// two readers may take for two things: the absolute form, a fragment, an escape that Go would
// write in another way, and a bare "?", which RFC 9421 signs like no query at all.
func target(r *http.Request) (path, query string, err error) {
	if len(r.RequestURI) > maxTarget {
		return "", "", errors.New("target too long")
	}
	path, raw, hasQuery := strings.Cut(r.RequestURI, "?")
	switch {
	case !strings.HasPrefix(path, "/") || path != r.URL.EscapedPath():
		return "", "", errors.New("path is not in its plain form")
	case raw != r.URL.RawQuery || hasQuery && raw == "":
		return "", "", errors.New("query is not in its plain form")
	case !visible(path) || !visible(raw):
		return "", "", errors.New("target has odd characters")
	}
	return path, "?" + raw, nil
}

// visible reports whether s is printable ASCII without spaces and without a fragment's mark.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '#' {
			return false
		}
	}
	return true
}

func token(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s != "" && len(s) <= maxMethod
}

// params are the parameters of a signature.
type params struct {
	created      int64 // seconds since 1970
	nonce, keyID string
}

// text writes the parameters after the covered components, in the order that [Sign] uses.
func (p params) text() string {
	return covered + `;created=` + strconv.FormatInt(p.created, 10) + `;nonce="` + p.nonce +
		`";keyid="` + p.keyID + `";alg="hmac-sha256";tag="` + Tag + `"`
}

var (
	errParams = errors.New("signature parameters are not of the profile")
	errNonce  = errors.New("nonce is not of the profile")
)

// parseParams reads Signature-Input without its label. Parameters may stand in any order, each
// exactly once, none unknown, in the one spelling that structured fields give their values here.
func parseParams(s string) (params, error) {
	var p params
	rest, ok := strings.CutPrefix(s, covered)
	if !ok || len(s) > maxInput {
		return p, errParams
	}
	seen := make([]string, 0, 5)
	for rest != "" {
		var one string
		if rest, ok = strings.CutPrefix(rest, ";"); !ok {
			return p, errParams
		}
		if i := strings.IndexByte(rest, ';'); i >= 0 {
			one, rest = rest[:i], rest[i:]
		} else {
			one, rest = rest, ""
		}
		name, value, _ := strings.Cut(one, "=")
		if slices.Contains(seen, name) || !p.set(name, value) {
			return p, errParams
		}
		seen = append(seen, name)
	}
	if len(seen) != 5 {
		return p, errParams
	}
	if len(p.nonce) < MinNonce || len(p.nonce) > MaxNonce || !urlSafe(p.nonce) {
		return p, errNonce
	}
	return p, nil
}

// set takes one parameter and reports whether it belongs to the profile.
func (p *params) set(name, value string) bool {
	if name == "created" {
		n, err := strconv.ParseInt(value, 10, 64)
		p.created = n
		// RFC 9651 integers have at most 15 digits; the spelling has to be the one we would write.
		var own [20]byte
		return err == nil && n <= 999_999_999_999_999 && n >= -999_999_999_999_999 && string(strconv.AppendInt(own[:0], n, 10)) == value
	}
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return false
	}
	value = value[1 : len(value)-1]
	switch name {
	case "nonce":
		p.nonce = value
		return visible(value) && !strings.ContainsAny(value, `"\`)
	case "keyid":
		p.keyID = value
		return value != "" && len(value) <= MaxKeyID && urlSafe(value)
	case "alg":
		return value == "hmac-sha256"
	case "tag":
		return value == Tag
	}
	return false
}

func urlSafe(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// encodeBytes and decodeBytes are RFC 9651 byte sequences of 32 bytes, in one spelling.
func encodeBytes(b [sha256.Size]byte) string {
	return ":" + base64.StdEncoding.EncodeToString(b[:]) + ":"
}

var strictBase64 = base64.StdEncoding.Strict()

func decodeBytes(s string) (b [sha256.Size]byte, ok bool) {
	if len(s) != 46 || s[0] != ':' || s[45] != ':' || s[44] != '=' || strings.ContainsAny(s, "\r\n") {
		return b, false
	}
	var text [44]byte
	var room [len(text) / 4 * 3]byte
	copy(text[:], s[1:45])
	n, err := strictBase64.Decode(room[:], text[:])
	copy(b[:], room[:])
	return b, err == nil && n == len(b)
}

func digest(body []byte) string {
	return "sha-256=" + encodeBytes(sha256.Sum256(body))
}

// mac is HMAC-SHA-256 as RFC 2104 defines it. crypto/hmac makes six objects for a key, and here each
// request has another one; a fuzz test holds this to it.
func mac(secret, base []byte) [sha256.Size]byte {
	if len(secret) > sha256.BlockSize {
		sum := sha256.Sum256(secret)
		secret = sum[:]
	}
	var room [sha256.BlockSize + 512]byte // for all but very long targets
	inner := append(room[:0], innerPad...)
	outer := [sha256.BlockSize + sha256.Size]byte(outerPad) // a copy
	for i, b := range secret {
		inner[i] ^= b
		outer[i] ^= b
	}
	sum := sha256.Sum256(append(inner, base...))
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}

var (
	innerPad = bytes.Repeat([]byte{0x36}, sha256.BlockSize)
	outerPad = bytes.Repeat([]byte{0x5c}, sha256.BlockSize+sha256.Size)
)
