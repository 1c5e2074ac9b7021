package tenantdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
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
