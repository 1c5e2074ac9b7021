package salesforce

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

const (
	callTime    = 10 * time.Minute // Salesforce's own limit for one request
	maxAnswer   = 32 << 20
	maxRefusal  = 256 << 10
	clientLabel = "client=Hawser"
)

// Causes that a part of this package has to recognise; they stand behind a fault's code.
var (
	errNoSuchPage = errors.New("page not found")
	errNotForREST = errors.New("session not valid for use with the REST API")
	errVersion    = errors.New("API version retired")
)

// request is one HTTP exchange. body and answer may run twice: a call whose token was refused is
// sent again with a fresh one.
type request struct {
	op        string // for faults: "create records"
	method    string
	path      string // below the base
	kind      string // Content-Type; "" without a body
	encoding  string // Content-Encoding
	body      func() (io.Reader, int64, error)
	answer    func(body io.Reader) error
	write     bool // without an answer, its effect is unknown
	anonymous bool // sent without a token; does not count
}

// do performs r, with a second attempt only after a refused token: that one had no effect. The
// error is a *fault.Error.
func (c *Client) do(ctx context.Context, r request) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if r.anonymous {
		return asError(c.once(ctx, r, secret.String{}))
	}
	token, err := c.cfg.Token(ctx, secret.String{})
	if err != nil {
		return tokenFault(r.op, err)
	}
	f := c.once(ctx, r, token)
	if f != nil && f.Code == fault.NotSignedIn {
		if token, err = c.cfg.Token(ctx, token); err != nil {
			return tokenFault(r.op, err)
		}
		f = c.once(ctx, r, token)
	}
	if f != nil && errors.Is(f, errVersion) {
		c.mu.Lock()
		c.version, c.schema = "", nil // the next attempt asks again
		c.mu.Unlock()
	}
	return asError(f)
}

// asError keeps a nil pointer from becoming a non-nil error.
func asError(f *fault.Error) error {
	if f == nil {
		return nil
	}
	return f
}

// tokenFault passes on what the sign-in said, and sorts what the network said on its behalf.
func tokenFault(op string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return networkFault(op, err, false)
}

func (c *Client) once(ctx context.Context, r request, token secret.String) *fault.Error {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, f := c.build(ctx, r, token)
	if f != nil {
		return f
	}
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		if sent.Load() && !r.anonymous {
			c.cfg.Used(1, 0, 0)
		}
		return networkFault(r.op, err, r.write && sent.Load())
	}
	defer func() {
		// What little is left is read so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
		_ = resp.Body.Close()
	}()
	used, limit := c.count(r, resp.Header)
	c.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "salesforce call", slog.String("op", r.op),
		slog.Int("status", resp.StatusCode), slog.Duration("took", time.Since(start)),
		slog.Int("used", used), slog.Int("limit", limit))
	if w := resp.Header.Get("Warning"); strings.HasPrefix(w, "299") {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "salesforce calls this API version deprecated")
	}
	if resp.StatusCode/100 != 2 {
		return refusal(r, resp)
	}
	return read(r, resp)
}

func (c *Client) build(ctx context.Context, r request, token secret.String) (*http.Request, *fault.Error) {
	base, _ := c.where()
	var body io.Reader
	length := int64(0)
	if r.body != nil {
		var err error
		if body, length, err = r.body(); err != nil {
			return nil, fault.New(fault.Internal, r.op, fmt.Errorf("encode request: %w", err))
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.path, body)
	if err != nil {
		return nil, fault.New(fault.Internal, r.op, errors.New("address cannot be built"))
	}
	if body != nil {
		req.ContentLength = length
		req.Header.Set("Content-Type", r.kind)
	}
	if r.encoding != "" {
		req.Header.Set("Content-Encoding", r.encoding)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Hawser")
	if !r.anonymous {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
		req.Header.Set("Sforce-Call-Options", clientLabel)
		// Captured mails stay out of people's "recently viewed" lists.
		req.Header.Set("Sforce-Mru", "updateMru=false")
		req.Header.Set("Sforce-Duplicate-Rule-Header", "allowSave=true")
	}
	return req, nil
}

// usage is the first entry of Sforce-Limit-Info; per-app-api-usage may follow it.
var usage = regexp.MustCompile(`(?:^|[^-])api-usage=(\d{1,12})/(\d{1,12})`)

// count reports the call and what the answer says about the org's allocation. Answers of the
// sign-in service carry no limit header and are not counted.
func (c *Client) count(r request, h http.Header) (used, limit int) {
	m := usage.FindStringSubmatch(h.Get("Sforce-Limit-Info"))
	if m != nil {
		used, _ = strconv.Atoi(m[1])
		limit, _ = strconv.Atoi(m[2])
	}
	if !r.anonymous && (m != nil || strings.HasPrefix(r.path, "/services/data/")) {
		c.cfg.Used(1, used, limit)
	}
	return used, limit
}

// read hands a 2xx body to the request's reader.
func read(r request, resp *http.Response) *fault.Error {
	body := bufio.NewReader(io.LimitReader(resp.Body, maxAnswer))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	first, err := body.Peek(1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return networkFault(r.op, err, r.write)
	case err != nil:
		return unknown(fault.New(fault.ServerError, r.op, errors.New("empty answer")), r.write)
	case first[0] == '<' || !strings.HasSuffix(kind, "json"):
		return unknown(fault.New(fault.NotTheServer, r.op, errors.New("answer is not JSON")), r.write)
	}
	if err := r.answer(body); err != nil {
		return answerFault(r, err)
	}
	return nil
}

// answerFault says what a reader's error means. encoding/json quotes what it met, which may be
// content, so its texts are not passed on.
func answerFault(r request, err error) *fault.Error {
	var (
		f     *fault.Error
		syn   *json.SyntaxError
		typed *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return unknown(fault.New(fault.ServerError, r.op, errors.New("answer ends early")), r.write)
	case errors.As(err, &syn), errors.As(err, &typed):
		return unknown(fault.New(fault.ServerError, r.op, errors.New("answer is not the JSON expected")), r.write)
	case errors.Is(err, errShape):
		return unknown(fault.New(fault.ServerError, r.op, errShape), r.write)
	}
	return networkFault(r.op, err, r.write)
}

func unknown(f *fault.Error, yes bool) *fault.Error {
	f.Unknown = yes
	return f
}

// networkFault sorts an error of net/http: no way to the server, a wrong certificate, silence.
func networkFault(op string, err error, doubtful bool) *fault.Error {
	var (
		ne      net.Error
		dns     *net.DNSError
		opErr   *net.OpError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		record  tls.RecordHeaderError
		code    = fault.Offline
	)
	dialling := errors.As(err, &opErr) && opErr.Op == "dial"
	switch {
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &record):
		code = fault.CertificateWrong
	case errors.As(err, &dns), dialling:
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		code = fault.Stalled
	}
	f := fault.New(code, op, withoutURL(err))
	f.Unknown = doubtful
	return f
}

// withoutURL drops the address net/http puts before an error: a query may stand in it.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
