package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"hawser/sync/fault"
)

const (
	maxBody     = 1 << 20 // an honest answer has a few kilobytes
	httpTimeout = 30 * time.Second
)

// harden returns a client on base's transport that follows no redirect, sends nothing in the
// clear, keeps no cookies and stops reading after maxBody. Base may be nil.
func harden(base *http.Client) *http.Client {
	rt, timeout := http.DefaultTransport, httpTimeout
	if base != nil && base.Transport != nil {
		rt = base.Transport
	}
	if base != nil && base.Timeout > 0 {
		timeout = base.Timeout
	}
	return &http.Client{
		Transport:     guarded{rt},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type guarded struct{ next http.RoundTripper }

func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := secureURL(r.URL.String()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	resp, err := g.next.RoundTrip(r)
	if err == nil {
		resp.Body = &capped{ReadCloser: resp.Body, left: maxBody}
	}
	return resp, err
}

var errTooLong = errors.New("answer is too long")

// capped fails, where io.LimitReader would pass half an answer for a whole one.
type capped struct {
	io.ReadCloser
	left int
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.left -= n; c.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// answer is an HTTP answer read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// post sends a form and reads the answer. A fault is Unknown when the request had left.
func post(ctx context.Context, client *http.Client, op, address string, form url.Values) (answer, error) {
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { left.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, fault.New(fault.ConfigInvalid, op, errors.New("bad address"))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	a, err := send(client, req)
	if err != nil {
		f := transportFault(op, err)
		f.Unknown = left.Load()
		return answer{}, f
	}
	return a, nil
}

// get reads one JSON address, with a bearer token when bearer is not "".
func get(ctx context.Context, client *http.Client, op, address, bearer string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, fault.New(fault.ConfigInvalid, op, errors.New("bad address"))
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	a, err := send(client, req)
	if err != nil {
		return answer{}, transportFault(op, err)
	}
	return a, nil
}

func send(client *http.Client, req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// transportFault names what kept an answer from coming. The address is dropped from the text.
func transportFault(op string, err error) *fault.Error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		dns     *net.DNSError
		timeout net.Error
	)
	code := fault.Offline
	switch {
	case errors.Is(err, context.Canceled):
		code = fault.SignInCancelled
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verify):
		code = fault.CertificateWrong
	case errors.As(err, &dns): // a resolver that does not answer is no network either
	case errors.Is(err, errTooLong):
		code = fault.NotTheServer
	case errors.As(err, &timeout) && timeout.Timeout():
		code = fault.Stalled
	}
	return fault.New(code, op, err)
}

// object returns the members of a JSON object. A key that comes twice is refused: two readers of
// such an answer could understand two different things.
func (a answer) object() (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(a.body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	out := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, errors.New("not a JSON object")
		}
		key, _ := t.(string)
		if _, twice := out[key]; twice {
			return nil, errors.New("a key comes twice")
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, errors.New("not a JSON object")
		}
		out[key] = v
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') {
		return nil, errors.New("not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON object")
	}
	return out, nil
}

// text returns a member that is a string or a number, else "".
func text(m map[string]json.RawMessage, key string) string {
	var s string
	if json.Unmarshal(m[key], &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(m[key], &n) == nil {
		return n.String()
	}
	return ""
}

// truth returns a member that is true or "true".
func truth(m map[string]json.RawMessage, key string) bool {
	s := strings.Trim(string(m[key]), `"`)
	return s == "true" || s == "1"
}

func (a answer) isHTML() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<"))
}

// retryAfter reads the header's seconds; dates are not worth trusting a foreign clock for.
func (a answer) retryAfter() time.Duration {
	n, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || n < 0 || n > 24*3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// unusual names an answer that is neither the protocol's success nor its error; nil otherwise.
func (a answer) unusual(op string) *fault.Error {
	var code fault.Code
	switch {
	case a.status == http.StatusTooManyRequests:
		code = fault.TooManyRequests
	case a.status >= 500, a.status == 420: // 420 is Salesforce's edge being busy
		code = fault.ServerError
	case a.status >= 300 && a.status < 400, a.isHTML():
		code = fault.NotTheServer
	default:
		return nil
	}
	f := fault.New(code, op, fmt.Errorf("status %d", a.status))
	f.After = a.retryAfter()
	return f
}
