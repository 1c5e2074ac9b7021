package agentdb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/rules"
)

// Sizes of truncated keyed hashes, bytes. 16 tell mails apart; 8 compare two known things.
const (
	hashSize  = 16
	printSize = 8
)

// hashOf finds a mail that was filtered. Its key alone would tell somebody who knows a Message-ID
// whether the mail was seen here.
func (d *DB) hashOf(key []byte) []byte { return d.seal.KeyedHash("filtered", key)[:hashSize] }

// why is the sealed text of a reason.
type why struct {
	Reason rules.Reason `json:"w"`
	Rule   string       `json:"r,omitempty"`
	Mark   capture.Mark `json:"m,omitempty"`
}

func (d *DB) whyHash(w why) []byte {
	return d.seal.KeyedHash("reason", []byte(string(w.Reason)+"\x00"+w.Rule+"\x00"+string(w.Mark)))
}

// reasons finds and makes rows of reasons within one transaction.
type reasons struct {
	db    *DB
	tx    *sql.Tx
	known map[why]int64
}

func (r *reasons) id(ctx context.Context, w why) (int64, error) {
	if id, ok := r.known[w]; ok {
		return id, nil
	}
	hash := r.db.whyHash(w)
	var id int64
	err := r.tx.QueryRowContext(ctx, "SELECT id FROM reason WHERE hash = ?", hash).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		id, err = r.make(ctx, w, hash)
	}
	if err != nil {
		return 0, err
	}
	if r.known == nil {
		r.known = map[why]int64{}
	}
	r.known[w] = id
	return id, nil
}

func (r *reasons) make(ctx context.Context, w why, hash []byte) (int64, error) {
	var id int64
	if err := r.tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM reason").Scan(&id); err != nil {
		return 0, err
	}
	sealed, err := r.db.sealJSON(aad("reason", id), w)
	if err != nil {
		return 0, err
	}
	_, err = r.tx.ExecContext(ctx, "INSERT INTO reason (id, hash, sealed) VALUES (?, ?, ?)", id, hash, sealed)
	return id, err
}

// filter takes in a mail that stays out of the queue.
func (a *admission) filter(ctx context.Context, m *NewMail, r row) error {
	known, err := a.makeRoom(ctx, m, r)
	if err != nil || known == stays {
		return err
	}
	reason, err := a.reasons.id(ctx, why{m.Reason, m.Rule, m.Mark})
	if err != nil {
		return err
	}
	res, err := a.filtered.ExecContext(ctx, r.id, r.hash, r.print[:printSize], reason, a.seenAt)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	a.states[Filtered] += int(n)
	if known == unknown {
		a.added += int(n)
	}
	return err
}

// makeRoom looks for the row of a mail that is filtered now.
func (a *admission) makeRoom(ctx context.Context, m *NewMail, r row) (standing, error) {
	var id int64
	var state State
	var w why
	err := a.queued.QueryRowContext(ctx, r.key).Scan(&id, &state, &w.Mark, &w.Reason)
	switch {
	case errors.Is(err, sql.ErrNoRows) && (m.Again || m.Mark == capture.MarkHand):
		return a.filteredBefore(ctx, m, r)
	case errors.Is(err, sql.ErrNoRows):
		return unknown, nil
	case err != nil:
		return unknown, err
	case overrules(m, state, w):
		return overruled, a.forget(ctx, id)
	default:
		return stays, a.seenAgain(ctx, m, id)
	}
}

// seenAgain remembers where a mail of the queue was seen last, although it would be filtered there.
func (a *admission) seenAgain(ctx context.Context, m *NewMail, id int64) error {
	folder, err := a.folderOf(ctx, m.Ref)
	if err != nil || !folder.Valid {
		return err
	}
	_, err = a.tx.ExecContext(ctx, moveMail, folder, m.Ref.Validity, m.Ref.UID, id)
	return err
}

// standing is what becomes of the row of a mail that comes again.
type standing int

const (
	unknown   standing = iota // there is none
	stays                     // it stays
	overruled                 // its row made room
)

func (a *admission) filteredBefore(ctx context.Context, m *NewMail, r row) (standing, error) {
	var id, reason int64
	var sealed []byte
	err := a.before.QueryRowContext(ctx, r.hash).Scan(&id, &reason, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return unknown, nil
	}
	if err != nil {
		return unknown, err
	}
	var w why
	if err := a.db.openJSON(aad("reason", reason), sealed, &w); err != nil {
		return unknown, err
	}
	if !overrules(m, Filtered, w) {
		return stays, nil
	}
	_, err = a.tx.ExecContext(ctx, "DELETE FROM filtered WHERE id = ?", id)
	return overruled, err
}

// overrules reports whether a mail takes the place of what the ledger has of it. See Admit. Whoever
// set Again may have asked before the person decided; so it is decided here.
func overrules(m *NewMail, have State, w why) bool {
	switch {
	case !m.Again && m.Mark != capture.MarkHand, have != Held && have != Filtered, have == Held && m.State == Held:
		return false
	case have == Filtered && w.Reason.ByRules():
		return true
	default:
		return m.Mark == capture.MarkHand || marked(m.Mark) && !marked(w.Mark)
	}
}

func marked(m capture.Mark) bool {
	return m == capture.MarkHand || m == capture.MarkFolder || m == capture.MarkKeyword
}

// Reason answers for one mail: where it stands and what decided. It knows every mail that was
// captured, and every other one for [Kept] at least; false for the rest.
func (d *DB) Reason(ctx context.Context, key capture.Key) (Reason, bool, error) {
	b, err := keyBytes(key)
	if err != nil {
		return Reason{}, false, err
	}
	var r Reason
	var at int64
	err = d.db.Read().QueryRowContext(ctx, `SELECT id, state, why, rule, mark, CASE moved_at WHEN 0 THEN seen_at ELSE moved_at END,
		record_id, kind FROM mail WHERE key = ?`, b).
		Scan(&r.ID, &r.State, &r.Why, &r.Rule, &r.Mark, &at, &r.RecordID, &r.Kind)
	if errors.Is(err, sql.ErrNoRows) {
		return d.filteredReason(ctx, b)
	}
	if err != nil {
		return Reason{}, false, sqlitedb.Fault("look up reason", err)
	}
	r.At = unixMilli(at)
	return r, true, nil
}

func (d *DB) filteredReason(ctx context.Context, key []byte) (Reason, bool, error) {
	items, err := d.filteredItems(ctx, "f.hash = ?", d.hashOf(key))
	if err != nil || len(items) == 0 {
		return Reason{}, false, err
	}
	m := items[0]
	return Reason{ID: m.ID, State: Filtered, Why: string(m.Reason), Rule: m.Rule, Mark: m.Mark, At: m.Date}, true, nil
}

// filteredItems lists mails that never entered the queue.
func (d *DB) filteredItems(ctx context.Context, where string, arg any) ([]Item, error) {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT f.id, f.at, f.reason, r.sealed
		FROM filtered f JOIN reason r ON r.id = f.reason WHERE `+where, arg)
	if err != nil {
		return nil, sqlitedb.Fault("list filtered mails", err)
	}
	defer func() { _ = rows.Close() }()
	var items []Item
	known := map[int64]why{}
	for rows.Next() {
		m := Item{State: Filtered.String()}
		var at, reason int64
		var sealed []byte
		if err := rows.Scan(&m.ID, &at, &reason, &sealed); err != nil {
			return nil, sqlitedb.Fault("list filtered mails", err)
		}
		w, err := d.whyOf(known, reason, sealed)
		if err != nil {
			return nil, err
		}
		m.Date, m.Reason, m.Rule, m.Mark = time.UnixMilli(at).UTC(), w.Reason, w.Rule, w.Mark
		items = append(items, m)
	}
	return items, sqlitedb.Fault("list filtered mails", rows.Err())
}

// whyOf opens a reason unless it is among those known.
func (d *DB) whyOf(known map[int64]why, id int64, sealed []byte) (why, error) {
	w, ok := known[id]
	if !ok {
		if err := d.openJSON(aad("reason", id), sealed, &w); err != nil {
			return w, err
		}
		known[id] = w
	}
	return w, nil
}

// checkTwice looks for a mail that is in both tables, which the database itself cannot see.
func (d *DB) checkTwice(ctx context.Context, tx *sql.Tx) (twice bool, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT hash FROM filtered")
	if err != nil {
		return false, err
	}
	hashes := map[string]bool{}
	for rows.Next() {
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			return false, errors.Join(err, rows.Close())
		}
		hashes[string(hash)] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(hashes) == 0 {
		return false, err
	}
	keys, err := tx.QueryContext(ctx, "SELECT key FROM mail")
	if err != nil {
		return false, err
	}
	defer func() { _ = keys.Close() }()
	for keys.Next() && !twice {
		var key []byte
		if err := keys.Scan(&key); err != nil {
			return false, err
		}
		twice = hashes[string(d.hashOf(key))]
	}
	return twice, keys.Err()
}
