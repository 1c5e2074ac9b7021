package agentdb

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// List returns the newest limit mails in a state: "waiting" (sending ones too), "sending",
// "needs-you", "held", "filtered" or "captured"; "" is everything queued. Another word is a
// Usage fault.
func (d *DB) List(ctx context.Context, state string, limit int) ([]Item, error) {
	where, err := listed(state)
	if err != nil {
		return nil, err
	}
	items, err := d.items(ctx, where+" ORDER BY m.id DESC LIMIT ?", limit)
	if err != nil || state != Filtered.String() {
		return items, err
	}
	never, err := d.filteredItems(ctx, "true ORDER BY f.id DESC LIMIT ?", limit)
	if err != nil {
		return nil, err
	}
	items = append(items, never...)
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(b.ID, a.ID) })
	return items[:min(limit, len(items))], nil
}

// Item returns one mail of the ledger, or a NotFound fault.
func (d *DB) Item(ctx context.Context, id int64) (Item, error) {
	items, err := d.items(ctx, "m.id = ?", id)
	if err == nil && len(items) == 0 {
		items, err = d.filteredItems(ctx, "f.id = ?", id)
	}
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
	rows, err := d.db.Read().QueryContext(ctx, `SELECT m.id, m.key, m.state, m.mark, m.size, m.seen_at, m.moved_at, m.tries, m.due_at, m.began_at,
		m.why, m.rule, m.head, m.detail, m.question, m.folder, f.name, m.validity, m.uid,
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

// words are the sealed columns of an item.
type words struct {
	key, head, detail, question, folderName []byte
	folder                                  sql.NullInt64
}

func (d *DB) scanItem(rows *sql.Rows) (Item, error) {
	var (
		m                Item
		w                words
		state            State
		seen, moved, due int64
		began            sql.NullInt64
	)
	err := rows.Scan(&m.ID, &w.key, &state, &m.Mark, &m.Size, &seen, &moved, &m.Tries, &due, &began,
		&m.Why, &m.Rule, &w.head, &w.detail, &w.question, &w.folder, &w.folderName, &m.Ref.Validity, &m.Ref.UID, &m.Stored)
	if err != nil {
		return m, err
	}
	m.Key, m.State = capture.Key(hex.EncodeToString(w.key)), state.String()
	switch {
	case state == Waiting && began.Valid:
		m.State = sending
	case state == Filtered:
		m.Reason, m.Why = rules.Reason(m.Why), ""
	case state == Held && m.Why == fault.Unmatched:
		m.Expires = time.UnixMilli(moved).Add(HeldFor).UTC()
	}
	m.Next = unixMilli(due)
	h, err := d.openHead(m.ID, w.key, w.head)
	if err != nil {
		return m, err
	}
	m.Date, m.From, m.To, m.Subject = h.Date, h.From, h.To, h.Subject
	if m.Date.IsZero() {
		m.Date = time.UnixMilli(seen).UTC()
	}
	return m, d.openWords(&m, w)
}

// openWords opens what else of a row is sealed.
func (d *DB) openWords(m *Item, w words) error {
	if w.detail != nil {
		plain, err := d.opened(detailAAD(m.ID), w.detail)
		if err != nil {
			return err
		}
		m.Detail = string(plain)
	}
	if err := d.openJSON(questionAAD(m.ID), w.question, &m.Question); err != nil {
		return err
	}
	if !w.folder.Valid {
		m.Ref = capture.Ref{}
		return nil
	}
	plain, err := d.opened(folderAAD(w.folder.Int64), w.folderName)
	m.Ref.Folder = string(plain)
	return err
}
