package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"hawser/sync/fault"
)

// migrate applies the missing files, each in one transaction with its version number, and
// refuses a file that a newer program has written.
func migrate(ctx context.Context, db *sql.DB, files fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return damaged("read schema version", err)
	}
	if have > want {
		return fault.New(fault.QueueNewer, "migrate", fmt.Errorf("schema %d, known %d", have, want))
	}
	if have == want {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// damaged is for reading the table of versions. On a sound file that fails for outside reasons
// only; a statement that SQLite does not understand there, or an odd value, is damage.
func damaged(op string, err error) error {
	var lite *sqlite.Error
	outside := errors.As(err, &lite) && lite.Code()&0xff != lib.SQLITE_ERROR
	if err = Fault(op, err); outside || !fault.Is(err, fault.Internal) {
		return err
	}
	return fault.New(fault.QueueDamaged, op, err)
}
