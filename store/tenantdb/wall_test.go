package tenantdb_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
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
