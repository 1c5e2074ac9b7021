package tenantdb_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
)

// TestB39ChangeReachesEveryServer: what one server changes, another one knows when the next nonce is used
// there, whatever it remembered. It forgets no more than what changed.
func TestB39ChangeReachesEveryServer(t *testing.T) {
	t.Parallel()
	for dialect, where := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			ctx, at := t.Context(), where(t)
			here := open(t, at)
			there := here // of a file there is no second server
			if dialect == "postgres" {
				there = open(t, at)
			}
			c := found(t, there, "acme", 3)
			nonce := 0
			// visit is what a request of a device does to the store, and what it is told.
			visit := func(device string) (remembered bool, s provision.Standing, err error) {
				t.Helper()
				key := here.Recall(device)
				remembered = key != nil
				if !remembered {
					if _, err := here.Key(ctx, device); err != nil {
						return false, s, err
					}
				}
				nonce++
				first, err := here.Use(ctx, reqsig.KeyRef{Tenant: c.id, ID: device}, fmt.Sprint("nonce-", nonce), start)
				if err != nil || !first {
					t.Fatalf("use: %v, %v", first, err)
				}
				if remembered && here.Recall(device) != key {
					if _, err := here.Key(ctx, device); err != nil {
						return remembered, s, err
					}
				}
				s, err = here.CheckIn(ctx, c.id, device, provision.Report{Version: "2"}, start)
				return remembered, s, err
			}
			visitAll := func() {
				for range 3 { // the first ones of a server learn which version it is
					for _, device := range c.devices {
						if _, s, err := visit(device); err != nil || s.User != provision.Active {
							t.Fatalf("%s: %+v, %v", device, s, err)
						}
					}
				}
			}
			visitAll()
			if remembered, _, err := visit(c.devices[0]); !remembered || err != nil {
				t.Errorf("a key that was used is not remembered, %v", err)
			}
			_, err := there.SetUserState(ctx, c.id, c.users[0], provision.Suspended, event("user.suspend"))
			if err != nil {
				t.Fatal(err)
			}
			if _, s, err := visit(c.devices[0]); err != nil || s.User != provision.Suspended {
				t.Errorf("after suspending: %+v, %v", s, err)
			}
			if remembered, _, _ := visit(c.devices[1]); !remembered {
				t.Error("a change of one user has another one's key forgotten")
			}
			if _, err := there.SetUserState(ctx, c.id, c.users[0], provision.Deprovisioned, event("user.deprovision")); err != nil {
				t.Fatal(err)
			}
			if _, s, err := visit(c.devices[0]); err != nil || s.Device != provision.DeviceWiping {
				t.Errorf("after deprovisioning: %+v, %v", s, err)
			}
			if err := there.FinishWipe(ctx, c.id, c.devices[0], provision.Report{}, event("device.wiped")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := visit(c.devices[0]); !errors.Is(err, provision.ErrNotFound) {
				t.Errorf("after the wipe: %v", err)
			}
			if key, err := here.Key(ctx, c.devices[0]); err != nil || !key.NotAfter.Equal(start) {
				t.Errorf("the key of a wiped device: %+v, %v", key, err)
			}
			if err := there.PutPolicy(ctx, c.id, provision.Policy{Version: 2, Payload: []byte("p")}, event("policy.put")); err != nil {
				t.Fatal(err)
			}
			if _, s, err := visit(c.devices[1]); err != nil || s.PolicyVersion != 2 {
				t.Errorf("after a new policy: %+v, %v", s, err)
			}
			suspended := provision.Tenant{Name: "acme", Suspended: true}
			if err := there.SetTenant(ctx, c.id, suspended, event("tenant.set")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := visit(c.devices[1]); !errors.Is(err, provision.ErrNotFound) {
				t.Errorf("in a suspended tenant: %v", err)
			}
		})
	}
}

// TestManyChangesAtOnce: more changes than are told one by one are heard of all the same.
func TestManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	ctx, where := t.Context(), dialects["postgres"](t)
	here, there := open(t, where), open(t, where)
	c := found(t, there, "acme", 1)
	device, ref := c.devices[0], reqsig.KeyRef{Tenant: c.id, ID: c.devices[0]}
	for i := range 3 {
		if _, err := here.Use(ctx, ref, fmt.Sprint("before-", i), start); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Key(ctx, device); err != nil {
			t.Fatal(err)
		}
	}
	if here.Recall(device) == nil {
		t.Fatal("the key is not remembered")
	}
	for i := range 1100 {
		if err := there.Touch(ctx, c.id.String(), fmt.Sprint("k:other-", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := here.Use(ctx, ref, "after", start); err != nil {
		t.Fatal(err)
	}
	if here.Recall(device) != nil {
		t.Error("changes that were written over were not heard of")
	}
}

// TestB39ChangeReachesACrowd: of requests that come together, in batches that overtake each other, none is told
// what was changed elsewhere before it came, and nobody else's key is forgotten.
func TestB39ChangeReachesACrowd(t *testing.T) {
	t.Parallel()
	ctx, where := t.Context(), dialects["postgres"](t)
	here, there := open(t, where), open(t, where)
	c := found(t, there, "acme", 2)
	var nonces atomic.Int64
	use := func(device string) error {
		first, err := here.Use(ctx, reqsig.KeyRef{Tenant: c.id, ID: device}, fmt.Sprint("nonce-", nonces.Add(1)), start)
		if err == nil && !first {
			err = errors.New("a new nonce was used")
		}
		return err
	}
	for _, device := range c.devices {
		_, err := here.Key(ctx, device)
		if err = errors.Join(err, use(device)); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Key(ctx, device); err != nil {
			t.Fatal(err)
		}
	}
	other := here.Recall(c.devices[1])

	var changed atomic.Int64 // seconds after start
	var crowd errgroup.Group
	over := make(chan struct{})
	for range 100 {
		crowd.Go(func() error {
			for {
				select {
				case <-over:
					return nil
				default:
				}
				least := start.Add(time.Duration(changed.Load()) * time.Second)
				if err := use(c.devices[0]); err != nil {
					return err
				}
				s, err := here.CheckIn(ctx, c.id, c.devices[0], provision.Report{}, start)
				if err != nil || s.UserAt.Before(least) {
					return fmt.Errorf("told what held at %s, after %s: %w", s.UserAt, least, err)
				}
			}
		})
	}
	for i := range 100 {
		to := provision.Suspended
		if i%2 == 1 {
			to = provision.Active
		}
		e := event("user.state")
		e.At = start.Add(time.Duration(i+1) * time.Second)
		if _, err := there.SetUserState(ctx, c.id, c.users[0], to, e); err != nil {
			t.Error(err)
		}
		changed.Store(int64(i + 1))
	}
	close(over)
	if err := crowd.Wait(); err != nil {
		t.Error(err)
	}
	if other == nil || here.Recall(c.devices[1]) != other {
		t.Error("a change of one user has another one's key forgotten")
	}
}

// TestDatabaseInThePlaceOfALostOne: where tenants were changed less often than is known, everything is read again.
func TestDatabaseInThePlaceOfALostOne(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), pgtest.New(t)
	if err := tenantdb.Migrate(ctx, db.Owner, pgtest.Role); err != nil {
		t.Fatal(err)
	}
	d := open(t, db.Server)
	c := found(t, d, "acme", 1)
	ref := reqsig.KeyRef{Tenant: c.id, ID: c.devices[0]}
	for i := range 2 {
		if _, err := d.Use(ctx, ref, fmt.Sprint("before-", i), start); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Key(ctx, ref.ID); err != nil {
			t.Fatal(err)
		}
	}
	if d.Recall(ref.ID) == nil {
		t.Fatal("the key is not remembered")
	}
	pgtest.Exec(t, db.Owner, "ALTER TABLE tenant NO FORCE ROW LEVEL SECURITY; UPDATE tenant SET version = 1")
	if _, err := d.Use(ctx, ref, "after", start); err != nil {
		t.Fatal(err)
	}
	if d.Recall(ref.ID) != nil {
		t.Error("the key of another database is remembered")
	}
}

// TestReportsArrive: a report is in every answer of its server at once, in those of others within ten seconds,
// and none is left behind by a server that ends. An older one does not take the place of a newer one.
func TestReportsArrive(t *testing.T) {
	t.Parallel()
	for dialect, where := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			ctx, at := t.Context(), where(t)
			d, err := tenantdb.Open(ctx, at)
			if err != nil {
				t.Fatal(err)
			}
			c := found(t, d, "acme", 3)
			report := func(d *tenantdb.DB, i int, version string, at time.Time) {
				t.Helper()
				if _, err := d.CheckIn(ctx, c.id, c.devices[i], provision.Report{Version: version}, at); err != nil {
					t.Fatal(err)
				}
			}
			kept := func(d *tenantdb.DB, i int) string {
				t.Helper()
				dev, err := d.Device(ctx, c.id, c.devices[i])
				if err != nil {
					t.Fatal(err)
				}
				return dev.Report.Version
			}
			report(d, 0, "new", start.Add(time.Hour))
			if v := kept(d, 0); v != "new" {
				t.Errorf("its own server shows report %q", v)
			}
			report(d, 0, "old", start)
			if v := kept(d, 0); v != "new" {
				t.Errorf("report %q took the place of a newer one", v)
			}
			if dialect == "postgres" {
				other := open(t, at)
				report(d, 1, "late", start)
				for deadline := time.Now().Add(10 * time.Second); kept(other, 1) != "late"; time.Sleep(50 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("a report does not reach another server in ten seconds")
					}
				}
			}
			report(d, 2, "last", start)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if v := kept(open(t, at), 2); v != "last" {
				t.Errorf("after a restart it is report %q", v)
			}
		})
	}
}
