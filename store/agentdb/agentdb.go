package agentdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the layout of sealed plain texts; it is part of what they are bound to.
const schema = 1

// Config says which file is opened and with which key.
type Config struct {
	Path string
	Key  []byte // sqlitedb.KeySize bytes, from the key store
	Log  *slog.Logger
	Now  func() time.Time // default time.Now
}

// DB is the open file.
type DB struct {
	db     *sqlitedb.DB
	seal   *sqlitedb.Sealer
	log    *slog.Logger
	now    func() time.Time
	nextID atomic.Int64 // of mails; ids are given before the row exists, as content is bound to them
	pieces sync.Pool    // *[]byte of pieceSize+1

	truncated atomic.Int64                    // when the WAL was emptied last, Unix milliseconds
	boundTo   atomic.Pointer[capture.Account] // once it was read
}

var _ deliver.Queue = (*DB)(nil)

// Open opens or creates the file. Faults: those of sqlitedb.Open, and KeyLost when the key is not
// the one that the file was sealed with.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Path == "" || cfg.Log == nil {
		return nil, errors.New("agentdb: Path and Log are required")
	}
	if len(cfg.Key) != sqlitedb.KeySize {
		return nil, fault.New(fault.KeyLost, "open queue", nil)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqlitedb.Open(ctx, sqlitedb.Config{Path: cfg.Path, Migrations: files})
	if err != nil {
		return nil, err
	}
	d := &DB{db: db, log: cfg.Log, now: cfg.Now}
	d.pieces.New = func() any { b := make([]byte, pieceSize+1); return &b }
	if err := d.prepare(ctx, cfg.Key); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

// Close empties the WAL and gives up the file. It waits for running statements.
func (d *DB) Close() error { return d.db.Close() }

// prepare checks the key, removes content that was staged and given up, and finds the next id.
func (d *DB) prepare(ctx context.Context, key []byte) error {
	return d.db.Tx(ctx, "open queue", func(ctx context.Context, tx *sql.Tx) error {
		owner, fresh, err := ownerOf(ctx, tx)
		if err != nil {
			return err
		}
		if d.seal, err = sqlitedb.NewSealer(key, owner); err != nil {
			return err
		}
		if err := d.checkKey(ctx, tx, fresh); err != nil {
			return err
		}
		if err := dropSpool(ctx, tx); err != nil {
			return err
		}
		var last int64
		const highest = "SELECT max((SELECT coalesce(max(id), 0) FROM mail), (SELECT coalesce(max(id), 0) FROM filtered))"
		if err := tx.QueryRowContext(ctx, highest).Scan(&last); err != nil {
			return err
		}
		d.nextID.Store(last)
		return nil
	})
}

// ownerOf returns the random bytes that mark this file, and whether they are new.
func ownerOf(ctx context.Context, tx *sql.Tx) (owner []byte, fresh bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'owner'").Scan(&owner)
	if !errors.Is(err, sql.ErrNoRows) {
		return owner, false, err
	}
	var mails int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM mail LIMIT 1)").Scan(&mails); err != nil {
		return nil, false, err
	}
	if mails > 0 {
		return nil, false, fault.New(fault.QueueDamaged, "read owner", nil)
	}
	owner = make([]byte, 16)
	_, _ = rand.Read(owner) // crypto/rand.Read never returns an error
	_, err = tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('owner', ?)", owner)
	return owner, true, err
}

func (d *DB) checkKey(ctx context.Context, tx *sql.Tx, fresh bool) error {
	at := sqlitedb.AAD{Table: "meta", Row: "check", Schema: schema}
	if fresh {
		_, err := tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('check', ?)", d.seal.Seal(at, []byte("hawser")))
		return err
	}
	var sealed []byte
	err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'check'").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.QueueDamaged, "read key check", nil)
	}
	if err != nil {
		return err
	}
	if _, err := d.seal.Open(at, sealed); err != nil {
		return fault.New(fault.KeyLost, "check key", err)
	}
	return nil
}

func dropSpool(ctx context.Context, tx *sql.Tx) error {
	const orphans = `DELETE FROM content WHERE id IN (
		SELECT c.id FROM spool s JOIN content c ON c.id BETWEEN s.mail << 20 AND (s.mail << 20) + 1048575)`
	if _, err := tx.ExecContext(ctx, orphans); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM spool")
	return err
}

// opened opens a sealed column of one row. What does not open was changed on the disk.
func (d *DB) opened(at sqlitedb.AAD, sealed []byte) ([]byte, error) {
	plain, err := d.seal.Open(at, sealed)
	if err != nil {
		return nil, fault.New(fault.QueueDamaged, "open sealed row", err)
	}
	return plain, nil
}

// sealJSON seals a value of ours for a column.
func (d *DB) sealJSON(at sqlitedb.AAD, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fault.New(fault.Internal, "encode "+at.Table, err)
	}
	return d.seal.Seal(at, plain), nil
}

// openJSON opens what sealJSON sealed into v; NULL leaves v alone.
func (d *DB) openJSON(at sqlitedb.AAD, sealed []byte, v any) error {
	if sealed == nil {
		return nil
	}
	plain, err := d.opened(at, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fault.New(fault.QueueDamaged, "decode "+at.Table, err)
	}
	return nil
}

// aad is the place of a sealed column in a table whose rows have numbers.
func aad(column string, id int64) sqlitedb.AAD {
	return sqlitedb.AAD{Table: column, Row: strconv.FormatInt(id, 10), Schema: schema}
}

func detailAAD(id int64) sqlitedb.AAD { return aad("mail.detail", id) }

// unixMilli is the time of a column; 0 is none.
func unixMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// emptyEvery bounds how long deleted content may stay in the WAL while work goes on, and how
// often emptying it is paid for.
const emptyEvery = 20 * time.Second

// emptyWAL empties the WAL after content was deleted: at once when nothing waits any more, else
// now and then. The deletion itself is durable already, so an error here is only logged.
func (d *DB) emptyWAL(ctx context.Context) {
	now := d.now().UnixMilli()
	since := time.Duration(now-d.truncated.Load()) * time.Millisecond
	if since >= 0 && since < emptyEvery {
		if c, err := d.Counts(ctx); err != nil || c.Waiting > c.NeedsYou {
			return
		}
	}
	if err := d.db.TruncateWAL(ctx); err != nil {
		d.log.LogAttrs(ctx, slog.LevelWarn, "wal not emptied", slog.Any("err", err))
		return
	}
	d.truncated.Store(now)
}
