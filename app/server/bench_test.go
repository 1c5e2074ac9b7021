package server

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb/pgtest"
)

var (
	benchRounds  = flag.Int("rounds", 3, "how often each side is measured, in turns")
	benchWorkers = flag.Int("workers", 64, "connections of the load")
)

const (
	benchDevices  = 500
	benchRequests = 4_000 // in a round
)

// BenchmarkCheckIn measures signed check-ins, each with a durable nonce and a durable report, beside
// net/http with the same bodies and nothing else, in turns in one run. The signatures are made
// before the clock starts: they are the agents' work.
func BenchmarkCheckIn(b *testing.B) {
	body := []byte(`{"report":` + report + `}`)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in provision.CheckInIn
		raw, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(raw, &in)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		out, _ := json.Marshal(provision.CheckInOut{State: provision.StandingActive, Since: time.Now(), TenantName: "acme", Interval: 45})
		_, _ = w.Write(out)
	}))
	defer bare.Close()
	sides := []side{{name: "bare", requests: func() []*http.Request { return plainRequests(b, bare.URL, body) }}}
	for name, where := range map[string]string{"sqlite": sqliteFile(b), "postgres": postgresURL(b, pgtest.Durable(b))} {
		r := startOn(b, where)
		devices := benchFleet(b, r)
		sides = append(sides, side{name: name, requests: func() []*http.Request { return signedRequests(b, r, devices, body) }})
	}
	for b.Loop() {
		for range *benchRounds {
			for i := range sides {
				sides[i].measure(b)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, s := range sides {
		b.ReportMetric(s.perSecond(), s.name+"/s")
		b.ReportMetric(float64(s.p99().Microseconds())/1000, s.name+"-p99-ms")
		if s.name != "bare" {
			b.ReportMetric(s.perSecond()/sides[0].perSecond(), s.name+"-x")
		}
	}
}

// side is one of the things that are compared.
type side struct {
	name     string
	requests func() []*http.Request
	rates    []float64
	worst    []time.Duration
}

func (s *side) perSecond() float64 {
	slices.Sort(s.rates)
	return s.rates[len(s.rates)/2]
}

func (s *side) p99() time.Duration {
	slices.Sort(s.worst)
	return s.worst[len(s.worst)/2]
}

// measure sends one round of requests.
func (s *side) measure(b *testing.B) {
	requests := s.requests()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *benchWorkers, MaxConnsPerHost: *benchWorkers}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, len(requests))
	var next atomic.Int64
	var failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range *benchWorkers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return
				}
				began := time.Now()
				resp, err := client.Do(requests[i])
				if err != nil {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	if n := failed.Load(); n > 0 {
		b.Fatalf("%s: %d requests of %d failed", s.name, n, len(requests))
	}
	slices.Sort(took)
	s.rates = append(s.rates, float64(len(requests))/elapsed.Seconds())
	s.worst = append(s.worst, took[len(took)*99/100])
}

func plainRequests(b *testing.B, url string, body []byte) []*http.Request {
	all := make([]*http.Request, benchRequests)
	for i := range all {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/v1/checkin", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		all[i] = req
	}
	return all
}

func signedRequests(b *testing.B, r *running, devices []provision.Credential, body []byte) []*http.Request {
	all := plainRequests(b, r.url, body)
	for i := range all {
		if err := reqsig.Sign(all[i], devices[i%len(devices)].Signing(), time.Now(), rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
	return all
}

// benchFleet registers computers without the sign-ins.
func benchFleet(b *testing.B, r *running) []provision.Credential {
	b.Helper()
	r.guard.tenants = newLimiter(1e6, 1e6, maxTracked) // the load is the point
	var all []provision.Credential
	for i := range benchDevices {
		user := fmt.Sprintf("u%d", i)
		u := provision.User{ID: user, Account: provision.Account{OrgID: "o", UserID: user}, Mailbox: user + "@acme.example"}
		_, _, err := r.db.PutUser(b.Context(), r.tenant, u, operator("user.put", user))
		if err != nil {
			b.Fatal(err)
		}
		k, c := r.office.vault.NewKey(r.tenant, provision.RoleDevice, "", time.Now())
		k.User = user
		reg := provision.Registration{Key: k, Device: provision.Device{ID: k.ID, User: user, Registration: "r-" + user, KeyHash: []byte("h")}}
		if _, err := r.db.Register(b.Context(), r.tenant, reg, operator("device.register", k.ID)); err != nil {
			b.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}
