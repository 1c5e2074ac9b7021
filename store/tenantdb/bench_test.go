package tenantdb_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
)

// BenchmarkRequest does to the store what one signed check-in does, from 64 callers at once: recall or find the
// key, use the nonce, keep the report. The same with ever more devices shows how cost grows.
func BenchmarkRequest(b *testing.B) {
	for _, devices := range []int{1_000, 100_000} {
		for dialect, where := range map[string]func() string{
			"sqlite": func() string { return dialects["sqlite"](b) },
			"postgres": func() string {
				db := pgtest.Durable(b)
				if err := tenantdb.Migrate(b.Context(), db.Owner, pgtest.Role); err != nil {
					b.Fatal(err)
				}
				return db.Server
			},
		} {
			b.Run(dialect+"/"+strconv.Itoa(devices), func(b *testing.B) {
				d := open(b, where())
				id := reqsig.Operator("n_acme")
				if err := d.CreateTenant(b.Context(), provision.Tenant{ID: id.String(), Name: "acme"}, event("tenant.create")); err != nil {
					b.Fatal(err)
				}
				if err := d.Fill(b.Context(), id.String(), devices); err != nil {
					b.Fatal(err)
				}
				for _, step := range steps(d, id, devices) {
					b.Run(step.name, func(b *testing.B) { hammer(b, step.do) })
				}
			})
		}
	}
}

type step struct {
	name string
	do   func(b *testing.B, i int)
}

func steps(d *tenantdb.DB, id reqsig.TenantID, devices int) []step {
	device := func(i int) string { return "d" + strconv.Itoa(i*7919%devices) }
	var run atomic.Int64
	salt := run.Add(1)
	must := func(b *testing.B, err error) {
		if err != nil {
			b.Error(err)
		}
	}
	all := []step{
		{"key", func(b *testing.B, i int) {
			if d.Recall(device(i)) == nil {
				_, err := d.Key(b.Context(), device(i))
				must(b, err)
			}
		}},
		{"nonce", func(b *testing.B, i int) {
			_, err := d.Use(b.Context(), reqsig.KeyRef{Tenant: id, ID: device(i)}, fmt.Sprintf("%d-%d-%d", salt, time.Now().UnixNano(), i), start)
			must(b, err)
		}},
		{"report", func(b *testing.B, i int) {
			_, err := d.CheckIn(b.Context(), id, device(i), provision.Report{Version: "1.2.3", OS: "linux", Counts: provision.Counts{Seen: int64(i)}}, start)
			must(b, err)
		}},
	}
	return append(all, step{"all", func(b *testing.B, i int) {
		for _, s := range all {
			s.do(b, i)
		}
	}})
}

// hammer calls do b.N times from 64 goroutines.
func hammer(b *testing.B, do func(b *testing.B, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				do(b, i)
			}
		})
	}
	wg.Wait()
}
