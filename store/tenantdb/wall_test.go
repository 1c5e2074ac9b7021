package tenantdb_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
)

// Each pair is asked in eleven ways.
var pairs = flag.Int("pairs", 300, "random pairs of tenants to try")

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func event(action string) provision.Event {
	return provision.Event{At: start, Actor: "operator", Action: action}
}

// company is a tenant with everything a tenant can have.
type company struct {
	id       reqsig.TenantID
	key      string
	users    []string
	devices  []string
	mailbox  string
	accounts []provision.Account
}

// found makes a company of a few users with a device each. All ids begin with its name.
func found(t testing.TB, d *tenantdb.DB, name string, users int) company {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	c := company{id: reqsig.Operator("n_" + name), key: name + "-key", mailbox: name + "@" + name + ".example"}
	must(d.CreateTenant(ctx, provision.Tenant{ID: c.id.String(), Name: name, CreatedAt: start}, event("tenant.create")))
	must(d.AddKey(ctx, c.id, provision.Key{ID: c.key, Role: provision.RoleTenant, Sealed: []byte("sealed-" + name), CreatedAt: start}, event("key.add")))
	must(d.PutAdmin(ctx, c.id, provision.Admin{Account: provision.Account{OrgID: "00D" + name, UserID: "005" + name}}, event("admin.put")))
	must(d.PutPolicy(ctx, c.id, provision.Policy{Version: 1, Payload: []byte(name), Signature: []byte("s"), KeyID: "k"}, event("policy.put")))
	for i := range users {
		u := provision.User{ID: fmt.Sprintf("%s-u%d", name, i), Mailbox: fmt.Sprintf("u%d@%s.example", i, name), Account: provision.Account{OrgID: "00D" + name, UserID: fmt.Sprintf("005%s%d", name, i)}}
		_, _, err := d.PutUser(ctx, c.id, u, event("user.put"))
		must(err)
		dev, err := d.Register(ctx, c.id, registration(name, u.ID, i, ""), event("device.register"))
		must(err)
		c.users, c.devices, c.accounts = append(c.users, u.ID), append(c.devices, dev.ID), append(c.accounts, u.Account)
	}
	return c
}

func registration(name, user string, i int, code string) provision.Registration {
	id := fmt.Sprintf("%s-d%d", name, i)
	return provision.Registration{
		Device: provision.Device{ID: id, User: user, Registration: "r-" + id, KeyHash: []byte("hash"), Report: provision.Report{Version: "1", OS: "linux"}},
		Key:    provision.Key{ID: id, Role: provision.RoleDevice, User: user, Sealed: []byte("sealed-" + id), CreatedAt: start},
		Code:   code,
		Claims: []provision.Claim{
			{Kind: provision.ClaimMailbox, Hash: sha256.Sum256([]byte("mailbox " + id))},
			{Kind: provision.ClaimAccount, Hash: sha256.Sum256([]byte("account " + id))},
		},
	}
}

// TestB36NoNeighbour asks for rows of one tenant in the name of another, in random pairs and by every
// method that takes an id.
func TestB36NoNeighbour(t *testing.T) {
	t.Parallel()
	for dialect, where := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			d := open(t, where(t))
			var all []company
			for i := range 5 {
				all = append(all, found(t, d, fmt.Sprintf("c%d", i), 3))
			}
			dice := rand.New(rand.NewPCG(1, 2))
			for range *pairs {
				x := dice.IntN(len(all))
				y := (x + 1 + dice.IntN(len(all)-1)) % len(all)
				if leak := trespass(t, d, all[x].id, all[y], dice.IntN(3)); leak != "" {
					t.Fatalf("%s reaches %s: %s", all[x].id, all[y].id, leak)
				}
			}
			for _, c := range all { // and nothing was changed
				users, err := d.ListUsers(t.Context(), c.id, provision.UserQuery{Limit: 500})
				if err != nil || len(users) != 3 || users[0].ID != c.users[0] || len(users[0].Devices) != 1 {
					t.Errorf("%s: %+v, %v", c.id, users, err)
				}
				events, err := d.Events(t.Context(), c.id, 0, 100)
				if err != nil || len(events) != 10 {
					t.Errorf("%s has %d events, %v", c.id, len(events), err)
				}
			}
		})
	}
}

// trespass returns the name of a method by which x reached y's i-th user or device.
func trespass(t *testing.T, d *tenantdb.DB, x reqsig.TenantID, y company, i int) string {
	ctx, e := t.Context(), event("trespass")
	user, device := y.users[i], y.devices[i]
	_, user1 := d.User(ctx, x, user)
	_, user2 := d.UserByAccount(ctx, x, y.accounts[i])
	_, user3 := d.SetUserState(ctx, x, user, provision.Deprovisioned, e)
	_, dev1 := d.Device(ctx, x, device)
	_, dev2 := d.CheckIn(ctx, x, device, provision.Report{}, start)
	_, dev3 := d.Register(ctx, x, registration("new", user, 99, ""), e)
	for name, err := range map[string]error{
		"User": user1, "UserByAccount": user2, "SetUserState": user3, "Device": dev1, "CheckIn": dev2, "Register": dev3,
		"FinishWipe": d.FinishWipe(ctx, x, device, provision.Report{}, e), "Leave": d.Leave(ctx, x, device, e),
		"AddCode":     d.AddCode(ctx, x, provision.Key{ID: "new", Role: provision.RoleCode, User: user}, e),
		"EndKey":      d.EndKey(ctx, x, y.key, start, e),
		"DeleteAdmin": d.DeleteAdmin(ctx, x, provision.Account{OrgID: "00D" + strings.TrimPrefix(y.id.String(), "n_")}, e),
	} {
		if !errors.Is(err, provision.ErrNotFound) {
			return fmt.Sprintf("%s: %v", name, err)
		}
	}
	return ""
}

// TestQueryWithoutTenant: in PostgreSQL a statement that forgets its tenant reads and changes nothing,
// and one with a tenant sees that tenant alone.
func TestQueryWithoutTenant(t *testing.T) {
	t.Parallel()
	where := dialects["postgres"](t)
	d := open(t, where)
	found(t, d, "acme", 2)
	found(t, d, "bolt", 2)
	conn, err := pgx.Connect(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) }) //nolint:errcheck
	count := func(query string, args ...any) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n
	}
	tables := []string{"tenant", "admin", "api_key", "person", "device", "claim", "policy", "audit"}
	for _, table := range tables {
		column := "tenant"
		if table == "tenant" {
			column = "id"
		}
		if n := count("SELECT count(*) FROM " + table); n != 0 {
			t.Errorf("%s shows %d rows without a tenant", table, n)
		}
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "SELECT set_config('app.tenant', 'n_acme', true)"); err != nil {
			t.Fatal(err)
		}
		if n := count("SELECT count(*) FROM " + table + " WHERE " + column + " <> 'n_acme'"); n != 0 {
			t.Errorf("%s shows %d rows of another tenant", table, n)
		}
		if n := count("SELECT count(*) FROM " + table); n == 0 {
			t.Errorf("%s shows nothing to its own tenant", table)
		}
		if table != "audit" { // which nobody may change at all
			tag, err := tx.Exec(t.Context(), "UPDATE "+table+" SET "+column+" = "+column+" WHERE "+column+" = 'n_bolt'")
			if err != nil || tag.RowsAffected() != 0 {
				t.Errorf("%s: changed %d rows of another tenant, %v", table, tag.RowsAffected(), err)
			}
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for statement, code := range map[string]string{
		"INSERT INTO policy VALUES ('n_bolt', 'g', 1, '', '', '')": "42501",
		"DELETE FROM audit":                             "42501",
		"UPDATE audit SET actor = ''":                   "42501",
		"ALTER TABLE person DISABLE ROW LEVEL SECURITY": "42501",
		"UPDATE goose_db_version SET version_id = 0":    "42501",
	} {
		if _, err := conn.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if n := count("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT relforcerowsecurity AND relname NOT IN ('nonce', 'meta', 'goose_db_version')"); n != 0 {
		t.Errorf("%d tables are without forced row security", n)
	}
}

// TestStrongRoleIsRefused: a server does not run as a role that row security does not hold.
func TestStrongRoleIsRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if d, err := tenantdb.Open(t.Context(), db.Server); !errors.Is(err, tenantdb.ErrSchema) {
		t.Errorf("an empty database opens: %v, %v", d, err)
	}
	if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); err != nil {
		t.Fatal(err)
	}
	if d, err := tenantdb.Open(t.Context(), db.Owner); !errors.Is(err, tenantdb.ErrRole) {
		t.Errorf("the owner may serve: %v, %v", d, err)
	}
	pgtest.Exec(t, db.Owner, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)")
	if d, err := tenantdb.Open(t.Context(), db.Server); !errors.Is(err, tenantdb.ErrSchema) {
		t.Errorf("a newer database opens: %v, %v", d, err)
	}
	if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); !errors.Is(err, tenantdb.ErrSchema) {
		t.Errorf("a newer database is migrated: %v", err)
	}
}

// TestMigrateTogether: replicas that start at the same time migrate once.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	open(t, db.Server)
}
