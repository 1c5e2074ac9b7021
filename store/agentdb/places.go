package agentdb

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"strconv"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
)

// folders finds and makes folder rows within one transaction.
type folders struct {
	db    *DB
	tx    *sql.Tx
	known map[string]int64
}

func (d *DB) folderHash(name string) []byte { return d.seal.KeyedHash("folder", []byte(name)) }

func folderAAD(id int64) sqlitedb.AAD {
	return sqlitedb.AAD{Table: "folder", Row: strconv.FormatInt(id, 10), Schema: schema}
}

func (f *folders) id(ctx context.Context, name string) (int64, error) {
	if id, ok := f.known[name]; ok {
		return id, nil
	}
	hash := f.db.folderHash(name)
	var id int64
	err := f.tx.QueryRowContext(ctx, "SELECT id FROM folder WHERE hash = ?", hash).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		id, err = f.make(ctx, name, hash)
	}
	if err != nil {
		return 0, err
	}
	if f.known == nil {
		f.known = map[string]int64{}
	}
	f.known[name] = id
	return id, nil
}

func (f *folders) make(ctx context.Context, name string, hash []byte) (int64, error) {
	var last sql.NullInt64
	if err := f.tx.QueryRowContext(ctx, "SELECT max(id) FROM folder").Scan(&last); err != nil {
		return 0, err
	}
	id := last.Int64 + 1
	_, err := f.tx.ExecContext(ctx, "INSERT INTO folder (id, hash, name) VALUES (?, ?, ?)",
		id, hash, f.db.seal.Seal(folderAAD(id), []byte(name)))
	return id, err
}

// move stores a cursor.
func (a *admission) move(ctx context.Context, c capture.Cursor) error {
	folder, err := a.folders.id(ctx, c.Folder)
	if err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `INSERT INTO cursor (folder, validity, next, modseq) VALUES (?, ?, ?, ?)
		ON CONFLICT (folder) DO UPDATE SET validity = excluded.validity, next = excluded.next, modseq = excluded.modseq`,
		folder, c.Validity, c.Next, int64(c.ModSeq))
	return err
}

// Cursor returns up to where a folder was read; false when it never was.
func (d *DB) Cursor(ctx context.Context, folder string) (capture.Cursor, bool, error) {
	c := capture.Cursor{Folder: folder}
	var modseq int64
	err := d.db.Read().QueryRowContext(ctx, `SELECT c.validity, c.next, c.modseq
		FROM cursor c JOIN folder f ON f.id = c.folder WHERE f.hash = ?`, d.folderHash(folder)).
		Scan(&c.Validity, &c.Next, &modseq)
	if errors.Is(err, sql.ErrNoRows) {
		return capture.Cursor{}, false, nil
	}
	if err != nil {
		return capture.Cursor{}, false, sqlitedb.Fault("read cursor", err)
	}
	c.ModSeq = uint64(modseq)
	return c, true, nil
}

// Known returns what the ledger remembers of mails; absent keys were never seen.
func (d *DB) Known(ctx context.Context, keys []capture.Key) (map[capture.Key]Known, error) {
	known := make(map[capture.Key]Known, len(keys))
	if len(keys) == 0 {
		return known, nil
	}
	stmt, err := d.db.Read().PrepareContext(ctx, `SELECT id, state, fingerprint, why, mark, 0, NULL FROM mail WHERE key = ?1
		UNION ALL SELECT f.id, 4, f.print, '', '', f.reason, r.sealed FROM filtered f JOIN reason r ON r.id = f.reason WHERE f.hash = ?2 LIMIT 1`)
	if err != nil {
		return nil, sqlitedb.Fault("look up mails", err)
	}
	defer func() { _ = stmt.Close() }()
	each := context.WithoutCancel(ctx) // see sqlitedb.DB.Tx
	reasons := map[int64]why{}
	for _, key := range keys {
		b, err := keyBytes(key)
		if err != nil {
			return nil, err
		}
		k := Known{hash: d.printOf}
		var reason int64
		var sealed []byte
		err = stmt.QueryRowContext(each, b, d.hashOf(b)).Scan(&k.ID, &k.State, &k.print, &k.Why, &k.Mark, &reason, &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, sqlitedb.Fault("look up mails", err)
		}
		if reason != 0 {
			w, err := d.whyOf(reasons, reason, sealed)
			if err != nil {
				return nil, err
			}
			k.Why, k.Mark = string(w.Reason), w.Mark
		}
		known[key] = k
	}
	return known, nil
}

// Matches reports whether the mail in the ledger has this fingerprint (capture.Fingerprint). If
// not, another mail claims the same Message-ID.
func (k Known) Matches(fingerprint [32]byte) bool {
	if k.hash == nil || len(k.print) < printSize {
		return false
	}
	print := k.hash(fingerprint)
	return hmac.Equal(k.print, print[:min(len(k.print), len(print))])
}
