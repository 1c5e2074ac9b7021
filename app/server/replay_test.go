package server

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
)

var replays = flag.Int("replays", 3000, "how often captured requests are sent again in all")

// TestB29ReplayedEverywhere captures requests of every kind that changes something. Each is sent 200 times at once,
// which works once; then all are sent again and again: to the same server, to a second one, after a restart, and to
// two servers of a PostgreSQL database that everything was moved to. The clock stands still, so that nothing but the
// nonces is in the way.
func TestB29ReplayedEverywhere(t *testing.T) {
	t.Parallel()
	file, pg := sqliteFile(t), postgresURL(t, pgtest.New(t))
	r := startOn(t, file)
	authority := strings.TrimPrefix(r.url, "http://")
	captured := capture(t, r, min(max(*replays/10_000, 2), 100))
	still := time.Now()
	on := func(db *tenantdb.DB) http.Handler {
		s, err := provision.NewServer(provision.ServerConfig{
			Store: db, Vault: r.office.vault, Authority: authority, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return still },
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	storm := newStorm(captured)
	first := on(r.db)
	storm.once(t, first, on(r.db))
	if n := storm.ok.Load(); n != int64(len(captured)) || storm.other.Load() != 0 {
		t.Fatalf("%d successes of %d requests that were sent 200 times at once, %d odd answers: %s", n, len(captured), storm.other.Load(), storm.odd.Load())
	}
	again := func(where string, servers ...http.Handler) {
		t.Helper()
		sent := storm.many(*replays/5, servers...)
		if n := storm.ok.Load() - int64(len(captured)); n != 0 || storm.other.Load() != 0 {
			t.Errorf("%s: %d second successes, %d odd answers: %s", where, n, storm.other.Load(), storm.odd.Load())
		}
		t.Logf("%s: %d replays, no second success", where, sent)
	}
	forget := func(db *tenantdb.DB) {
		t.Helper()
		if _, err := db.Forget(t.Context(), still); err != nil {
			t.Fatal(err)
		}
	}
	again("the same server", first)
	forget(r.db)
	again("a second server beside it", first, on(r.db))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	db, err := tenantdb.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	forget(db)
	again("after a restart", on(db))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tenantdb.Move(t.Context(), file, pg); err != nil {
		t.Fatal(err)
	}
	one, err1 := tenantdb.Open(t.Context(), pg)
	two, err2 := tenantdb.Open(t.Context(), pg)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	forget(one)
	again("after the move to PostgreSQL, on two servers", on(one), on(two))
	if err := errors.Join(one.Close(), two.Close()); err != nil {
		t.Fatal(err)
	}
	three, err := tenantdb.Open(t.Context(), pg)
	if err != nil {
		t.Fatal(err)
	}
	again("after a restart there", on(three))
	if err := three.Close(); err != nil {
		t.Fatal(err)
	}
}

// capture signs requests of several kinds, n of each, and sends none.
func capture(t *testing.T, r *running, n int) (all []*http.Request) {
	t.Helper()
	r.guard.tenants = newLimiter(1e6, 1e6, maxTracked)
	d := r.device(t, 1)
	for i := range n {
		user := fmt.Sprintf("u%d", 100+i)
		account, _ := provision.Account{OrgID: acmeAccount.OrgID, UserID: fmt.Sprintf("0055g%010d", 100+i)}.Canonical()
		if _, _, err := r.db.PutUser(t.Context(), r.tenant, provision.User{ID: user, Account: account, Mailbox: user + "@acme.example"}, operator("user.put", user)); err != nil {
			t.Fatal(err)
		}
		all = append(all,
			r.request(t, d, "POST /v1/checkin", `{"report":`+report+`}`),
			r.request(t, r.key, "GET /v1/counts", ""),
			r.request(t, r.key, "PUT /v1/users/"+user, fmt.Sprintf(`{"account":{"orgId":%q,"userId":%q},"mailbox":"%s@acme.example","group":"g"}`, account.OrgID, account.UserID, user)),
			r.request(t, r.key, "POST /v1/users/"+user+"/suspend", ""),
			r.request(t, r.key, "POST /v1/users/"+user+"/resume", ""),
			r.request(t, r.key, "POST /v1/users/"+user+"/code", ""))
	}
	return all
}

// storm sends captured requests and counts what comes of it.
type storm struct {
	captured  []*http.Request
	ok, other atomic.Int64
	odd       atomic.Value // an answer that is neither a success nor "replayed"
}

func newStorm(captured []*http.Request) *storm {
	s := &storm{captured: captured}
	s.odd.Store("")
	return s
}

func (s *storm) send(h http.Handler, req *http.Request) {
	again := req.Clone(req.Context())
	again.Body, _ = req.GetBody()
	again.RequestURI = req.URL.RequestURI()
	w := &keepWriter{}
	h.ServeHTTP(w, again)
	switch {
	case w.status >= 200 && w.status < 300:
		s.ok.Add(1)
	case w.status != http.StatusConflict || !bytes.Contains(w.body, []byte(`"replayed"`)):
		s.other.Add(1)
		s.odd.Store(fmt.Sprint(req.Method, " ", req.URL.Path, " ", w.status))
	}
}

// keepWriter keeps the answer's body too.
type keepWriter struct {
	quietWriter
	body []byte
}

func (w *keepWriter) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

// once sends each request 200 times at once.
func (s *storm) once(t *testing.T, servers ...http.Handler) {
	t.Helper()
	for _, req := range s.captured {
		before := s.ok.Load()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() { s.send(servers[i%len(servers)], req) })
		}
		wg.Wait()
		if n := s.ok.Load() - before; n != 1 {
			t.Errorf("%s %s sent 200 times at once: %d successes", req.Method, req.URL.Path, n)
		}
	}
}

// many sends n requests drawn at random.
func (s *storm) many(n int, servers ...http.Handler) int64 {
	var sent atomic.Int64
	var wg sync.WaitGroup
	for worker := range uint64(64) {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(worker, uint64(n)))
			for sent.Add(1) <= int64(n) {
				s.send(servers[dice.IntN(len(servers))], s.captured[dice.IntN(len(s.captured))])
			}
			sent.Add(-1)
		})
	}
	wg.Wait()
	return sent.Load()
}
