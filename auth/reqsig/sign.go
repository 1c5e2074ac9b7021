package reqsig

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// SigningKey is a key as its holder has it.
type SigningKey struct {
	ID     string
	Secret []byte // at least [MinKey] bytes
}

// nonceBytes is what a nonce is made of: 144 bits.
const nonceBytes = 18

// Sign reads the body of r, sets the headers that carry its signature in place of any there are,
// and leaves a body that can be sent. The authority is r.Host, or else the host of r.URL. random
// gives the nonce, usually crypto/rand.Reader. A request is signed anew for every try.
func Sign(r *http.Request, key SigningKey, now time.Time, random io.Reader) error {
	if len(key.Secret) < MinKey || key.ID == "" || len(key.ID) > MaxKeyID || !urlSafe(key.ID) {
		return errors.New("sign: key is not of the profile")
	}
	c, err := outgoing(r)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	var body []byte
	if r.Body != nil {
		body, err = io.ReadAll(r.Body)
		if closed := r.Body.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return fmt.Errorf("sign: read body: %w", err)
		}
	}
	setBody(r, body)
	nonce := make([]byte, nonceBytes)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return fmt.Errorf("sign: draw nonce: %w", err)
	}
	p := params{created: now.Unix(), nonce: base64.RawURLEncoding.EncodeToString(nonce), keyID: key.ID}
	c.digest, c.params = digest(body), p.text()
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Content-Digest", c.digest)
	r.Header.Set("Signature-Input", "sig1="+c.params)
	r.Header.Set("Signature", "sig1="+encodeBytes(mac(key.Secret, c.base())))
	return nil
}

// outgoing returns what net/http will write in the request line and as host.
func outgoing(r *http.Request) (components, error) {
	c := components{method: r.Method, authority: r.Host}
	if c.method == "" {
		c.method = http.MethodGet
	}
	if c.authority == "" {
		c.authority = r.URL.Host
	}
	c.authority = Authority(c.authority)
	wire := http.Request{RequestURI: r.URL.RequestURI()} // "/" for an address without a path
	var err error
	if wire.URL, err = url.ParseRequestURI(wire.RequestURI); err == nil {
		c.path, c.query, err = target(&wire)
	}
	switch {
	case err != nil:
		return c, err
	case r.URL.Fragment != "" || r.URL.ForceQuery:
		return c, errors.New("target is not in its plain form")
	case !token(c.method) || c.authority == "" || !visible(c.authority):
		return c, errors.New("method or host is not of the profile")
	}
	return c, nil
}

func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	if len(body) == 0 {
		r.Body, r.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
		return
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
}

// Authority writes a host, with its port if any, as it is signed: lower case, without https' own
// port.
func Authority(host string) string { return strings.TrimSuffix(strings.ToLower(host), ":443") }
