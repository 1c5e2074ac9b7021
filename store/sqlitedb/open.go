package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"

	"hawser/sync/fault"
)

// Config says which file is opened and what it has to look like.
type Config struct {
	Path string
	// Migrations holds NNN_name.sql files at its root, in goose's format. Applied files are
	// never edited; a new version is a new file.
	Migrations fs.FS
}

// DB is one open file. It belongs to this process alone until Close.
type DB struct {
	write *sql.DB
	read  *sql.DB
	lock  *flock.Flock
}

// writerPragmas are set on the one writing connection. WAL with synchronous=FULL makes a
// committed transaction survive a power cut; fullfsync matters on macOS only, where a plain
// fsync stays in the drive's cache; secure_delete overwrites what is deleted. 8 KiB pages hold
// an average mail in two. A larger cache gains nothing, as content is written once and read once,
// and costs twice its size in the driver's allocator.
var writerPragmas = []string{
	"busy_timeout(250)", "page_size(8192)", "synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
	"foreign_keys(1)", "secure_delete(1)", "cell_size_check(1)", "trusted_schema(0)", "temp_store(MEMORY)",
	"cache_size(-2000)", "mmap_size(0)", "wal_autocheckpoint(1500)", "journal_size_limit(16777216)",
}

var readerPragmas = []string{
	"busy_timeout(1000)", "query_only(1)", "cell_size_check(1)", "trusted_schema(0)", "temp_store(MEMORY)",
	"cache_size(-1000)", "mmap_size(0)",
}

// Open opens or creates the file with mode 0600 and brings it to the newest schema. Faults:
// QueueLocked when another process (or another DB of this one) has it, QueueNewer when a newer
// program wrote it, QueueDamaged, DiskFull.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	d := &DB{lock: lock}
	if err := d.open(ctx, path, cfg.Migrations); err != nil {
		return nil, errors.Join(Fault("open database", err), d.Close())
	}
	return d, nil
}

// lockFile keeps a second agent, or a copy of it in another session, from opening the file too.
// SQLite's own locks would let both in and make them take turns.
func lockFile(path string) (*flock.Flock, error) {
	lock := flock.New(path+".lock", flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, Fault("lock database", err)
	}
	if !held {
		return nil, fault.New(fault.QueueLocked, "lock database", nil)
	}
	return lock, nil
}

func (d *DB) open(ctx context.Context, path string, migrations fs.FS) error {
	// fdatasync leaves out the file's times and nothing that is needed to read it back; where
	// the platform has none, the error says that fsync stays in use, which is right too.
	_, _ = sqlite.Fdatasync(true)

	unclean := exists(path+"-wal") || exists(path+"-shm")
	if err := createPrivate(path); err != nil {
		return err
	}
	var err error
	if d.write, err = pool(path, "_txlock=immediate&_journal_mode=WAL", writerPragmas); err != nil {
		return err
	}
	d.write.SetMaxOpenConns(1)
	if unclean {
		if err := quickCheck(ctx, d.write); err != nil {
			return err
		}
	}
	if err := migrate(ctx, d.write, migrations); err != nil {
		return err
	}
	if unclean {
		if err := d.TruncateWAL(ctx); err != nil {
			return err
		}
	}
	if d.read, err = pool(path, "mode=ro", readerPragmas); err != nil {
		return err
	}
	d.read.SetMaxOpenConns(3)
	d.read.SetMaxIdleConns(1)
	return nil
}

// pool prepares connections to path. The driver applies pragmas sorted by name but
// _journal_mode after all of them, which page_size depends on: WAL fixes the page size.
func pool(path, query string, pragmas []string) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if runtime.GOOS == "windows" && !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: slashed, RawQuery: query}
	for _, p := range pragmas {
		uri.RawQuery += "&_pragma=" + p
	}
	connector, err := sqlite.NewConnector(uri.String())
	if err != nil {
		return nil, fmt.Errorf("prepare connection: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// createPrivate makes sure that the file exists for its owner alone. SQLite gives its -wal and
// -shm files the mode of the database.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	err = f.Chmod(0o600)
	if runtime.GOOS == "windows" {
		err = nil // rights are inherited from the profile's folder there
	}
	return errors.Join(err, f.Close())
}

func quickCheck(ctx context.Context, db *sql.DB) error {
	var first string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&first); err != nil {
		return err
	}
	if first != "ok" {
		return fault.New(fault.QueueDamaged, "check database", nil)
	}
	return nil
}

// Close writes the WAL back, gives up the file and waits for running statements. It may be
// called again.
func (d *DB) Close() error {
	var errs []error
	for _, p := range []*sql.DB{d.read, d.write} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(append(errs, d.lock.Close())...)
}

// Read returns the read-only pool. It sees what is committed; its errors go through [Fault].
func (d *DB) Read() *sql.DB { return d.read }

// Tx runs fn in one writing transaction and commits it when fn returns nil: on return it is
// durable. When ctx ends before that, everything is undone. fn uses its own tx and ctx only; that
// ctx never ends, because the driver starts a goroutine for every statement of one that can.
// Every error went through [Fault].
func (d *DB) Tx(ctx context.Context, op string, fn func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return Fault(op, err)
	}
	if err = fn(context.WithoutCancel(ctx), tx); err == nil {
		err = tx.Commit()
	} else {
		_ = tx.Rollback() // the reason for it is already an error
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return Fault(op, err)
}

// Prepare compiles a statement of writing transactions once; inside Tx it is run with
// tx.StmtContext. It waits for the running transaction. The statement lives until Close.
func (d *DB) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, err := d.write.PrepareContext(ctx, query)
	return stmt, Fault("prepare statement", err)
}

// TruncateWAL writes the WAL back into the file and empties it, so that deleted content is left
// in neither. A reader at work postpones it silently.
func (d *DB) TruncateWAL(ctx context.Context) error {
	var busy, frames, done int
	row := d.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return Fault("truncate wal", row.Scan(&busy, &frames, &done))
}

// Vacuum rewrites the file without its free space. It needs as much room again on the disk.
func (d *DB) Vacuum(ctx context.Context) error {
	if _, err := d.write.ExecContext(ctx, "VACUUM"); err != nil {
		return Fault("vacuum", err)
	}
	return d.TruncateWAL(ctx)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
