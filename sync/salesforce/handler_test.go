package salesforce

import (
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"hawser/auth/secret"
)

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// withHandler is a client of a server that does what handle says.
func withHandler(t *testing.T, handle http.HandlerFunc) *world {
	t.Helper()
	srv := httptest.NewServer(handle)
	t.Cleanup(srv.Close)
	w := &world{url: srv.URL, logs: &logBuffer{}, token: secret.New("token")}
	c, err := New(Config{
		Base: srv.URL, UserID: "005000000000001AAA", Token: w.issue, Log: slog.New(slog.NewTextHandler(w.logs, nil)),
		HTTP: &http.Client{Transport: srv.Client().Transport},
		Used: func(calls, _, _ int) { w.mu.Lock(); w.used += calls; w.mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Client = c
	return w
}

// newWorldTLS is a client of a server whose certificate nobody vouches for.
func newWorldTLS(t *testing.T) *world {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	w := &world{logs: &logBuffer{}}
	c, err := New(Config{Base: srv.URL, Token: w.issue, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.Client = c
	return w
}

// discardComposite reads the answer to a composite request without subrequests.
func discardComposite(body io.Reader) error {
	_, err := composite(body, nil, nil)
	return err
}
