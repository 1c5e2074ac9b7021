package tenantdb_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"hawser/auth/provision"
	"hawser/auth/provision/provisiontest"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// dialects opens an empty database of each kind.
var dialects = map[string]func(t testing.TB) string{
	"sqlite": func(t testing.TB) string { return filepath.Join(t.TempDir(), "tenants.db") },
	"postgres": func(t testing.TB) string {
		migrated.Lock() // only one copy at a time is made of a database
		defer migrated.Unlock()
		if migrated.db.Owner == "" {
			db := pgtest.New(t)
			if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); err != nil {
				t.Fatal(err)
			}
			migrated.db = db
		}
		return migrated.db.Copy(t).Server
	},
}

// migrated is the database that the others are copies of.
var migrated struct {
	sync.Mutex
	db pgtest.Database
}

func open(t testing.TB, where string) *tenantdb.DB {
	t.Helper()
	d, err := tenantdb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestStoreOnSQLite(t *testing.T) {
	t.Parallel()
	provisiontest.RunStore(t, func(t *testing.T) provision.Store { return open(t, dialects["sqlite"](t)) })
}

func TestStoreOnPostgres(t *testing.T) {
	t.Parallel()
	provisiontest.RunStore(t, func(t *testing.T) provision.Store { return open(t, dialects["postgres"](t)) })
}
