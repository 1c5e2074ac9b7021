package reqsig

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Transport is an http.RoundTripper that signs every request. When an answer says that the request
// is stale, it takes the difference to the server's clock from Date and tries once more; what it
// learnt holds for later requests. The zero value is of no use: Key is required.
type Transport struct {
	Key  SigningKey
	Base http.RoundTripper // default http.DefaultTransport
	Now  func() time.Time  // default time.Now

	offset atomic.Int64 // nanoseconds to add to our own clock
}

// Offset is how far the server's clock is ahead of ours, as far as is known.
func (t *Transport) Offset() time.Duration { return time.Duration(t.offset.Load()) }

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	resp, err := t.try(r)
	if err != nil || !stale(resp) {
		return resp, err
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return resp, nil
	}
	_ = resp.Body.Close()
	t.offset.Store(int64(date.Sub(t.now())))
	again := r.Clone(r.Context())
	if again.Body, err = r.GetBody(); err != nil { // set by Sign
		return nil, err
	}
	return t.try(again)
}

func (t *Transport) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

func (t *Transport) try(r *http.Request) (*http.Response, error) {
	if err := Sign(r, t.Key, t.now().Add(t.Offset()), rand.Reader); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	if t.Base != nil {
		return t.Base.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// maxProblem bounds how much of a refusal is read to find its code.
const maxProblem = 4 << 10

// stale looks into a refusal and leaves its body as it was.
func stale(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	var problem struct {
		Code string `json:"code"`
	}
	return err == nil && json.Unmarshal(start, &problem) == nil && problem.Code == CodeStale
}
