package provision_test

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

// database is a place that a store is opened on.
type database struct {
	open func() (provision.Store, func() error)
	// shared databases may be open twice, as by two servers.
	shared bool
}

// databases makes an empty one of each kind.
var databases = map[string]func(t *testing.T) database{
	"memory": func(*testing.T) database {
		m := new(provisiontest.Memory)
		return database{open: func() (provision.Store, func() error) { return m, func() error { return nil } }, shared: true}
	},
	"sqlite": func(t *testing.T) database {
		return onDisk(t, filepath.Join(t.TempDir(), "hawserd.db"), false)
	},
	"postgres": func(t *testing.T) database { return onDisk(t, migrated(t), true) },
}

func onDisk(t *testing.T, where string, shared bool) database {
	return database{shared: shared, open: func() (provision.Store, func() error) {
		t.Helper()
		d, err := tenantdb.Open(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		return d, d.Close
	}}
}

// spare are databases that no test uses at the moment: to empty one takes less than to make one.
var spare struct {
	sync.Mutex
	template pgtest.Database
	free     []pgtest.Database
}

const empty = `DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
	FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version'); END $$`

// migrated is an empty database with tables.
func migrated(t *testing.T) string {
	t.Helper()
	spare.Lock()
	defer spare.Unlock()
	if spare.template.Owner == "" {
		db := pgtest.New(t)
		if err := tenantdb.Migrate(t.Context(), db.Owner, pgtest.Role); err != nil {
			t.Fatal(err)
		}
		spare.template = db
	}
	var db pgtest.Database
	if n := len(spare.free); n > 0 {
		db, spare.free = spare.free[n-1], spare.free[:n-1]
		pgtest.Exec(t, db.Owner, empty)
	} else {
		db = spare.template.Copy(t)
	}
	t.Cleanup(func() { // after everybody has closed it
		spare.Lock()
		defer spare.Unlock()
		spare.free = append(spare.free, db)
	})
	return db.Server
}

// everywhere runs a test once on each kind of database.
func everywhere(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	for name, make := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, make(t)))
		})
	}
}
