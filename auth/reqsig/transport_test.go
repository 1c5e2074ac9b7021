package reqsig_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hawser/auth/reqsig"
)

func TestF50TransportLearnsTheTime(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute, -40 * 365 * 24 * time.Hour} {
		calls := 0
		n := &nonces{}
		var check *reqsig.Verifier
		clock := func() time.Time { return now }
		srv := httptest.NewServer(reqsig.Dated(clock, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			got, err := check.Verify(r)
			if err != nil {
				w.WriteHeader(http.StatusUnauthorized)
				_ = json.NewEncoder(w).Encode(map[string]string{"code": strings.Fields(code(err))[1]})
				return
			}
			_, _ = w.Write(got.Body)
		})))
		var err error
		check, err = reqsig.NewVerifier(reqsig.Config{Keys: someKeys(), Nonces: n, Authority: srv.Listener.Addr().String(), Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		tr := &reqsig.Transport{Key: reqsig.SigningKey{ID: "t_acme", Secret: secret}, Now: func() time.Time { return now.Add(off) }, Base: srv.Client().Transport}
		post := func() (int, string) {
			resp, err := (&http.Client{Transport: tr}).Post(srv.URL+"/v1/x", "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp.StatusCode, string(body)
		}
		if status, body := post(); status != http.StatusOK || body != "body" || calls != 2 {
			t.Errorf("clock %v off: %d %q after %d calls, want success at the second", off, status, body, calls)
		}
		if status, _ := post(); status != http.StatusOK || calls != 3 {
			t.Errorf("clock %v off: %d after %d calls, want the offset remembered", off, status, calls)
		}
		if n.count() != 2 {
			t.Errorf("%d nonces, want 2", n.count())
		}
		tr.Key.ID = "t_nobody"
		if status, body := post(); status != http.StatusUnauthorized || !strings.Contains(body, "refused") || calls != 4 {
			t.Errorf("unknown key: %d %q after %d calls, want one refusal", status, body, calls)
		}
		srv.Close()
	}
}

func TestTransportTriesOnceMoreOnly(t *testing.T) {
	t.Parallel()
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"code":"stale"}`)
	}))
	defer srv.Close()
	tr := &reqsig.Transport{Key: reqsig.SigningKey{ID: "t_acme", Secret: secret}, Base: srv.Client().Transport}
	resp, err := (&http.Client{Transport: tr}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if calls != 2 || string(body) != `{"code":"stale"}` {
		t.Errorf("%d calls, body %q", calls, body)
	}
}
