package sqlitedb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"hawser/sync/fault"
)

func steps(texts ...string) fs.FS {
	files := fstest.MapFS{}
	for i, text := range texts {
		files[fmt.Sprintf("%03d_step.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	}
	return files
}

const (
	step1 = "CREATE TABLE a (id INTEGER PRIMARY KEY, x BLOB) STRICT;\n"
	step2 = "ALTER TABLE a ADD COLUMN y TEXT;\nCREATE INDEX a_y ON a (y);\nINSERT INTO a (id) VALUES (1);\n"
)

func open(t *testing.T, path string, migrations fs.FS) *DB {
	t.Helper()
	d, err := Open(t.Context(), Config{Path: path, Migrations: migrations})
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

func exec(t *testing.T, d *DB, text string) error {
	t.Helper()
	return d.Tx(t.Context(), "test", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	})
}

func wantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error %v, want fault %s", err, code)
	}
}

func value(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var v string
	if err := db.QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestPragmasTookHold(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "a b%20#?.db"), steps(step1))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "page_size": "8192", "foreign_keys": "1", "secure_delete": "1",
		"fullfsync": "1", "checkpoint_fullfsync": "1", "cell_size_check": "1", "temp_store": "2", "busy_timeout": "250",
	} {
		if got := value(t, d.write, "PRAGMA "+pragma); got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	// Before 3.51.3 a checkpoint could race with a second connection and damage the file.
	var major, minor, patch int
	if _, err := fmt.Sscanf(value(t, d.write, "SELECT sqlite_version()"), "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(err)
	}
	if major*1_000_000+minor*1000+patch < 3_051_003 {
		t.Errorf("SQLite %d.%d.%d is too old", major, minor, patch)
	}
	if _, err := d.Read().ExecContext(t.Context(), "DELETE FROM a"); err == nil {
		t.Error("a reader may write")
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // rights are inherited from the profile's folder
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "q.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d := open(t, filepath.Join(dir, "q.db"), steps(step1))
	if err := exec(t, d, "INSERT INTO a (id) VALUES (5)"); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// schemaOf lists every object of the file, except the history of its migrations.
func schemaOf(t *testing.T, d *DB) string {
	t.Helper()
	return value(t, d.Read(), `SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10)) FROM
		(SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name)`)
}

func TestFreshIsMigrated(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "q.db")
	d, err := Open(t.Context(), Config{Path: old, Migrations: steps(step1)})
	if err != nil {
		t.Fatal(err)
	}
	before := schemaOf(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	migrated, fresh := open(t, old, steps(step1, step2)), open(t, filepath.Join(t.TempDir(), "q.db"), steps(step1, step2))
	if a, b := schemaOf(t, migrated), schemaOf(t, fresh); a != b || a == before {
		t.Errorf("migrated:\n%s\nfresh:\n%s", a, b)
	}
}

func TestAHalfFailedStepLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q.db")
	_, err := Open(t.Context(), Config{Path: path, Migrations: steps(step1, step2+"INSERT INTO a (id) VALUES (1);\n")})
	if err == nil {
		t.Fatal("a failing step passed")
	}
	d := open(t, path, steps(step1))
	if got := schemaOf(t, d); strings.Contains(got, "a_y") {
		t.Errorf("half a step is left:\n%s", got)
	}
	if n := value(t, d.Read(), "SELECT count(*) FROM a"); n != "0" {
		t.Errorf("%s rows are left", n)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q.db")
	d, err := Open(t.Context(), Config{Path: path, Migrations: steps(step1, step2)})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Config{Path: path, Migrations: steps(step1)})
	wantFault(t, err, fault.QueueNewer)
	if n := value(t, open(t, path, steps(step1, step2)).Read(), "SELECT count(*) FROM a"); n != "1" {
		t.Errorf("the refusal changed the file: %s rows", n)
	}
}

func TestOneOwner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q.db")
	d := open(t, path, steps(step1))
	_, err := Open(t.Context(), Config{Path: path, Migrations: steps(step1)})
	wantFault(t, err, fault.QueueLocked)
	_, err = Quarantine(path, time.Now())
	wantFault(t, err, fault.QueueLocked)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, steps(step1))
}

func TestLockedByAForeignProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q.db")
	d := open(t, path, steps(step1))
	foreign, err := pool(path, "_txlock=immediate", nil)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := foreign.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, exec(t, d, "INSERT INTO a (id) VALUES (1)"), fault.QueueLocked)
	if err := errors.Join(tx.Rollback(), foreign.Close()); err != nil {
		t.Fatal(err)
	}
	if err := exec(t, d, "INSERT INTO a (id) VALUES (1)"); err != nil {
		t.Error(err)
	}
}

func TestTxUndoes(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "q.db"), steps(step1))
	stop := errors.New("stop")
	err := d.Tx(t.Context(), "test", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO a (id) VALUES (1)")
		return errors.Join(err, stop)
	})
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = d.Tx(ctx, "test", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO a (id) VALUES (2)")
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := value(t, d.Read(), "SELECT count(*) FROM a"); n != "0" {
		t.Errorf("%s rows are left", n)
	}
}

func TestFaultCodes(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "q.db"), steps(step1))
	wantFault(t, exec(t, d, "INSERT INTO a (id, x) VALUES (1, zeroblob(10000000000))"), fault.Internal)
	wantFault(t, exec(t, d, "PRAGMA max_page_count = 10; INSERT INTO a (id, x) VALUES (1, zeroblob(1000000))"), fault.DiskFull)
	wantFault(t, Fault("x", fmt.Errorf("write: %w", syscall.ENOSPC)), fault.DiskFull)
	wantFault(t, Fault("x", fmt.Errorf("y: %w", fault.New(fault.KeyLost, "z", nil))), fault.KeyLost)
	if err := Fault("x", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	if err := Fault("x", context.Canceled); fault.Is(err, fault.Internal) || !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context became %v", err)
	}
}

// TestRealFullDisk fills a file system of 3 MB, which takes the rights of root to mount.
func TestRealFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := mountSmall(dir); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skip("a small tmpfs cannot be mounted here:", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	d := open(t, filepath.Join(dir, "q.db"), steps(step1))
	rows := 0
	var err error
	for ; rows < 1000 && err == nil; rows++ {
		err = exec(t, d, "INSERT INTO a (x) VALUES (randomblob(20000))")
	}
	wantFault(t, err, fault.DiskFull)
	if n := value(t, d.Read(), "SELECT count(*) FROM a"); n != fmt.Sprint(rows-1) {
		t.Errorf("%s rows, %d were acknowledged", n, rows-1)
	}
	if got := value(t, d.Read(), "PRAGMA integrity_check"); got != "ok" {
		t.Error(got)
	}
	if err := exec(t, d, "DELETE FROM a WHERE id = 1"); err != nil {
		t.Logf("deleting on the full disk: %v", err)
	}
}

func TestDeletedBytesAreGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "q.db"), steps(step1))
	word := "KANARIENVOGEL"
	if err := exec(t, d, "INSERT INTO a (id, x) VALUES (1, CAST('"+strings.Repeat(word, 5000)+"' AS BLOB))"); err != nil {
		t.Fatal(err)
	}
	if !onDisk(t, dir, word) {
		t.Fatal("the word is not where this test looks")
	}
	if err := exec(t, d, "DELETE FROM a"); err != nil {
		t.Fatal(err)
	}
	if err := d.TruncateWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, dir, word) {
		t.Error("the word is left")
	}
}

func onDisk(t *testing.T, dir, word string) bool {
	t.Helper()
	found := false
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(b, []byte(word))
	}
	return found
}

func TestOpenIsQuick(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q.db")
	best := time.Hour
	for range 6 {
		start := time.Now()
		d, err := Open(t.Context(), Config{Path: path, Migrations: steps(step1, step2)})
		best = min(best, time.Since(start))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("best %v", best)
	if best > 20*time.Millisecond {
		t.Errorf("opening takes %v, want at most 20ms", best)
	}
}
