package agentdb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// List returns the newest limit mails in a state: "waiting" (sending ones too), "sending",
// "needs-you", "held", "filtered" or "captured"; "" is everything queued. Another word is a
// Usage fault.
func (d *DB) List(ctx context.Context, state string, limit int) ([]Item, error) {
	where, err := listed(state)
	if err != nil {
		return nil, err
	}
	return d.items(ctx, where+" ORDER BY m.id DESC LIMIT ?", limit)
}

// Item returns one mail of the ledger, or a NotFound fault.
func (d *DB) Item(ctx context.Context, id int64) (Item, error) {
	items, err := d.items(ctx, "m.id = ?", id)
	if err == nil && len(items) == 0 {
		err = fault.New(fault.NotFound, "look up mail", nil)
	}
	if err != nil {
		return Item{}, err
	}
	return items[0], nil
}

func listed(state string) (where string, err error) {
	switch state {
	case "":
		return "m.state IN (1, 2)", nil
	case sending:
		return "m.state = 1 AND m.began_at IS NOT NULL", nil
	}
	for s, name := range stateNames {
		if name == state {
			return "m.state = " + strconv.Itoa(int(s)), nil
		}
	}
	return "", fault.New(fault.Usage, "list mails", errors.New("no such state"))
}

func (d *DB) items(ctx context.Context, where string, arg any) ([]Item, error) {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT m.id, m.key, m.state, m.mark, m.size, m.seen_at, m.tries, m.due_at, m.began_at,
		m.why, m.rule, m.head, m.detail, m.folder, f.name, m.validity, m.uid,
		EXISTS (SELECT 1 FROM content c WHERE c.id = m.id << 20)
		FROM mail m LEFT JOIN folder f ON f.id = m.folder WHERE `+where, arg)
	if err != nil {
		return nil, sqlitedb.Fault("list mails", err)
	}
	defer func() { _ = rows.Close() }()
	var items []Item
	for rows.Next() {
		item, err := d.scanItem(rows)
		if err != nil {
			return nil, sqlitedb.Fault("list mails", err)
		}
		items = append(items, item)
	}
	return items, sqlitedb.Fault("list mails", rows.Err())
}

func (d *DB) scanItem(rows *sql.Rows) (Item, error) {
	var (
		m                              Item
		state                          State
		key, headText, detail, nameRaw []byte
		seen, due                      int64
		began, folder                  sql.NullInt64
	)
	err := rows.Scan(&m.ID, &key, &state, &m.Mark, &m.Size, &seen, &m.Tries, &due, &began,
		&m.Why, &m.Rule, &headText, &detail, &folder, &nameRaw, &m.Ref.Validity, &m.Ref.UID, &m.Stored)
	if err != nil {
		return m, err
	}
	m.Key, m.State = capture.Key(hex.EncodeToString(key)), state.String()
	if state == Waiting && began.Valid {
		m.State = sending
	}
	if due > 0 {
		m.Next = time.UnixMilli(due).UTC()
	}
	h, err := d.openHead(m.ID, key, headText)
	if err != nil {
		return m, err
	}
	m.Date, m.From, m.To, m.Subject = h.Date, h.From, h.To, h.Subject
	if m.Date.IsZero() {
		m.Date = time.UnixMilli(seen).UTC()
	}
	return m, d.openWords(&m, detail, folder, nameRaw)
}

// openWords opens what else of a row is sealed.
func (d *DB) openWords(m *Item, detail []byte, folder sql.NullInt64, name []byte) error {
	if detail != nil {
		plain, err := d.opened(detailAAD(m.ID), detail)
		if err != nil {
			return err
		}
		m.Detail = string(plain)
	}
	if !folder.Valid {
		m.Ref = capture.Ref{}
		return nil
	}
	plain, err := d.opened(folderAAD(folder.Int64), name)
	m.Ref.Folder = string(plain)
	return err
}

// Journal returns the newest limit captured mails.
func (d *DB) Journal(ctx context.Context, limit int) ([]Entry, error) {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT j.mail, j.at, j.kind, j.record_id, j.bytes, j.files, j.left_out, m.mark
		FROM journal j JOIN mail m ON m.id = j.mail ORDER BY j.id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, sqlitedb.Fault("read journal", err)
	}
	defer func() { _ = rows.Close() }()
	var entries []Entry
	for rows.Next() {
		var e Entry
		var at int64
		if err := rows.Scan(&e.Mail, &at, &e.Kind, &e.RecordID, &e.Bytes, &e.Files, &e.LeftOut, &e.Mark); err != nil {
			return nil, sqlitedb.Fault("read journal", err)
		}
		e.At = time.UnixMilli(at).UTC()
		entries = append(entries, e)
	}
	return entries, sqlitedb.Fault("read journal", rows.Err())
}
