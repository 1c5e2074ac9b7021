package tenantdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
)

const childVar = "HAWSER_TENANTDB_CHILD" // statements until death|database

func TestMainOfChild(t *testing.T) {
	after, where, ok := strings.Cut(os.Getenv(childVar), "|")
	if !ok {
		return
	}
	n, err := strconv.Atoi(after)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, where)
	d.DieAfter(n)
	name := "c" + after
	if _, err := d.Register(t.Context(), reqsig.Operator("n_"+name), registration(name, name+"-u", 7, name+"-code"), event("device.register")); err != nil {
		t.Fatal(err)
	}
}

// TestF47KilledInRegistration kills a process with SIGKILL before each statement of a registration,
// and after its commit. The retry makes or finds the same device, and there is one of everything.
func TestF47KilledInRegistration(t *testing.T) {
	t.Parallel()
	for dialect, where := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			killed, db := 0, where(t)
			for n := 0; ; n++ {
				if !killedOnce(t, db, n) {
					break
				}
				killed++
			}
			if killed < 8 {
				t.Errorf("killed at %d places, want all statements and the commit", killed)
			}
		})
	}
}

// killedOnce reports whether the child died before it was through.
func killedOnce(t *testing.T, where string, n int) bool {
	t.Helper()
	name := fmt.Sprintf("c%d", n)
	id := reqsig.Operator("n_" + name)
	prepare(t, where, name)
	child := exec.Command(os.Args[0], "-test.run=^TestMainOfChild$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%s", childVar, n, where))
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Fatalf("child: %v\n%s", err, out)
	}
	d, err5 := tenantdb.Open(t.Context(), where)
	if err5 != nil {
		t.Fatal(err5)
	}
	got, again := d.Register(t.Context(), id, registration(name, name+"-u", 7, name+"-code"), event("device.register"))
	if again != nil || got.ID != name+"-d7" {
		t.Fatalf("retry after statement %d: %+v, %v", n, got, again)
	}
	events, err2 := d.Events(t.Context(), id, 0, 100)
	users, err3 := d.ListUsers(t.Context(), id, provision.UserQuery{Limit: 10})
	key, err4 := d.Key(t.Context(), name+"-code")
	if e := errors.Join(err2, err3, err4, d.Close()); e != nil || len(events) != 4 || len(users) != 1 || len(users[0].Devices) != 1 || !users[0].Bound || key.SpentBy != "r-"+got.ID {
		t.Fatalf("after statement %d: %d events, %+v, code spent by %q, %v", n, len(events), users, key.SpentBy, e)
	}
	return err != nil
}

func prepare(t *testing.T, where, name string) {
	t.Helper()
	d, err := tenantdb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	id := reqsig.Operator("n_" + name)
	err = d.CreateTenant(t.Context(), provision.Tenant{ID: id.String(), Name: name}, event("tenant.create"))
	u := provision.User{ID: name + "-u", Mailbox: "a@" + name + ".example"}
	_, _, err2 := d.PutUser(t.Context(), id, u, event("user.put"))
	err3 := d.AddCode(t.Context(), id, provision.Key{ID: name + "-code", Role: provision.RoleCode, User: u.ID, Sealed: []byte("s")}, event("code.add"))
	if err := errors.Join(err, err2, err3, d.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestB29NonceOnceEver: 200 parallel uses, a second server, a restart, and the move to PostgreSQL leave
// one success. Forgetting opens nothing that is still within its time.
func TestB29NonceOnceEver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file, pg := dialects["sqlite"](t), dialects["postgres"](t)
	c, expires := "acme", start.Add(10*time.Minute)
	ref := reqsig.KeyRef{Tenant: reqsig.Operator("n_" + c), ID: "acme-key"}
	successes := func(ds ...*tenantdb.DB) int64 {
		var n atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				first, err := ds[i%len(ds)].Use(ctx, ref, "nonce-of-22-characters", expires)
				if err != nil {
					t.Error(err)
				}
				if first {
					n.Add(1)
				}
			})
		}
		wg.Wait()
		return n.Load()
	}
	d, err := tenantdb.Open(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	found(t, d, c, 3)
	if first, err := d.Use(ctx, ref, "another-nonce-expired", start.Add(-time.Second)); err != nil || !first {
		t.Error(first, err)
	}
	if n := successes(d); n != 1 {
		t.Errorf("%d successes of 200", n)
	}
	if n, err := d.Forget(ctx, start); n != 1 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := tenantdb.Open(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	if n := successes(again); n != 0 {
		t.Errorf("%d successes after a restart", n)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tenantdb.Move(ctx, file, pg); err != nil {
		t.Fatal(err)
	}
	if n := successes(open(t, pg), open(t, pg)); n != 0 {
		t.Errorf("%d successes after the move", n)
	}
	fresh := dialects["postgres"](t)
	if n := successes(open(t, fresh), open(t, fresh)); n != 1 {
		t.Errorf("%d successes of 200 on two servers", n)
	}
}

// TestF48Move: everything arrives, the file is closed for good, and repeating is harmless.
func TestF48Move(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file, pg := dialects["sqlite"](t), dialects["postgres"](t)
	d, err := tenantdb.Open(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	acme, bolt := found(t, d, "acme", 130), found(t, d, "bolt", 2)
	if _, err := d.SetMark(ctx, tenantdb.CheckMark, []byte("sealed word")); err != nil {
		t.Fatal(err)
	}
	before := everything(t, d, acme, bolt)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	moved, err := tenantdb.Move(ctx, file, pg)
	if err != nil || moved["device"] != 132 || moved["tenant"] != 2 {
		t.Fatalf("%v, %v", moved, err)
	}
	if d, err := tenantdb.Open(ctx, file); !errors.Is(err, tenantdb.ErrMoved) {
		t.Errorf("the file still opens: %v, %v", d, err)
	}
	if moved, err := tenantdb.Move(ctx, file, pg); err != nil || len(moved) != 0 {
		t.Errorf("a repetition: %v, %v", moved, err)
	}
	there := open(t, pg)
	if after := everything(t, there, acme, bolt); after != before {
		t.Errorf("moved to\n%.2000s\nfrom\n%.2000s", after, before)
	}
	if check, ok, err := there.Mark(ctx, tenantdb.CheckMark); string(check) != "sealed word" || !ok || err != nil {
		t.Errorf("the key's mark: %q, %v", check, err)
	}
	if err := there.Record(ctx, acme.id, event("after")); err != nil {
		t.Error(err)
	}
	if events, err := there.Events(ctx, acme.id, 0, 1); err != nil || events[0].Action != "after" {
		t.Errorf("the newest event is %+v, %v", events, err)
	}
	other := dialects["sqlite"](t)
	od := open(t, other)
	found(t, od, "core", 1)
	if _, err := tenantdb.Move(ctx, other, pg); err == nil {
		t.Error("a file in use is moved")
	}
	third := dialects["sqlite"](t)
	td, err := tenantdb.Open(ctx, third)
	if err != nil {
		t.Fatal(err)
	}
	if err := td.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tenantdb.Move(ctx, third, pg); !errors.Is(err, tenantdb.ErrNotEmpty) {
		t.Errorf("moved into a full database: %v", err)
	}
}

// everything is all that can be read of two companies.
func everything(t *testing.T, d *tenantdb.DB, all ...company) string {
	t.Helper()
	var text bytes.Buffer
	for _, c := range all {
		tenant, err1 := d.Tenant(t.Context(), c.id)
		users, err2 := d.ListUsers(t.Context(), c.id, provision.UserQuery{Limit: 500})
		events, err3 := d.Events(t.Context(), c.id, 0, 10_000)
		admins, err4 := d.Admins(t.Context(), c.id)
		policy, err5 := d.Policy(t.Context(), c.id, "")
		keys, err6 := d.TenantKeys(t.Context(), c.id)
		device, err7 := d.Key(t.Context(), c.devices[0])
		totals, err8 := d.Totals(t.Context(), c.id, "", start)
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n", tenant, users, events, admins, policy, keys, device, totals)
	}
	return text.String()
}

// TestDumpTellsNothing: claims and nonces cannot be read back from the file, and a removed row leaves
// nothing behind.
func TestDumpTellsNothing(t *testing.T) {
	t.Parallel()
	file := dialects["sqlite"](t)
	d, err := tenantdb.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	c := found(t, d, "acme", 1)
	canary := "canary-nonce-0123456789"
	if _, err := d.Use(t.Context(), reqsig.KeyRef{Tenant: c.id, ID: c.key}, canary, start); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Dir(file), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(canary)) {
			t.Errorf("%s holds the nonce", path)
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGroupUnderLoad: many callers with answers of their own share commits and get their own answer.
func TestGroupUnderLoad(t *testing.T) {
	t.Parallel()
	for dialect, where := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			d := open(t, where(t))
			acme, bolt := found(t, d, "acme", 8), found(t, d, "bolt", 8)
			var wg sync.WaitGroup
			for i := range 64 {
				c := []company{acme, bolt}[i%2]
				wg.Go(func() { visit(context.WithoutCancel(t.Context()), t, d, c, i) })
			}
			wg.Wait()
		})
	}
}

func visit(ctx context.Context, t *testing.T, d *tenantdb.DB, c company, i int) {
	for k := range 10 {
		device := c.devices[(i/2+k)%8]
		s, err := d.CheckIn(ctx, c.id, device, provision.Report{Version: "2"}, start.Add(time.Minute))
		if err != nil || s.TenantName+"-d" != device[:len(s.TenantName)+2] || s.PolicyVersion != 1 || s.Device != provision.DeviceActive {
			t.Errorf("check-in of %s: %+v, %v", device, s, err)
		}
		if _, err := d.CheckIn(ctx, c.id, "nobody", provision.Report{}, start); !errors.Is(err, provision.ErrNotFound) {
			t.Errorf("check-in of nobody: %v", err)
		}
		if key, err := d.Key(ctx, device); err != nil || key.ID != device || key.Tenant != c.id.String() {
			t.Errorf("key of %s: %+v, %v", device, key, err)
		}
		nonce := fmt.Sprintf("nonce-%d-%d", i, k)
		ref := reqsig.KeyRef{Tenant: c.id, ID: device}
		if first, err := d.Use(ctx, ref, nonce, start); err != nil || !first {
			t.Errorf("first use: %v, %v", first, err)
		}
		if first, err := d.Use(ctx, ref, nonce, start); err != nil || first {
			t.Errorf("second use: %v, %v", first, err)
		}
	}
}
