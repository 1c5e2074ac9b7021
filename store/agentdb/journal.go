package agentdb

import (
	"context"
	"database/sql"
	"iter"
	"math"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/match"
	"hawser/sync/rules"
)

// record is what the journal says of a Salesforce record in words, sealed. It waits in the mail's
// row from the step that made the record to the last one.
type record struct {
	Level   capture.Level  `json:"l,omitempty"`
	Matched []match.Reason `json:"m,omitempty"`
}

func recordAAD(mail int64) sqlitedb.AAD { return aad("record", mail) }

// sealRecord returns nil where the outcome says nothing.
func (d *DB) sealRecord(o *deliver.Outcome) ([]byte, error) {
	if o.Level == "" && len(o.Matched) == 0 {
		return nil, nil
	}
	return d.sealJSON(recordAAD(o.Job), record{o.Level, o.Matched})
}

// Journal returns at most limit lines, the youngest first: those older than the line of the mail
// before, or the youngest when that is 0. A line lives for [Kept].
func (d *DB) Journal(ctx context.Context, before int64, limit int) ([]Entry, error) {
	if before == 0 {
		return d.entries(ctx, math.MaxInt64, limit)
	}
	var line sql.NullInt64
	err := d.db.Read().QueryRowContext(ctx, "SELECT max(id) FROM journal WHERE mail = ?", before).Scan(&line)
	if err != nil {
		return nil, sqlitedb.Fault("read journal", err)
	}
	return d.entries(ctx, line.Int64, limit)
}

// journalPage is how many lines are in memory at a time.
const journalPage = 500

// Lines returns the whole journal, the youngest line first; it ends after the first error. Lines
// that are written meanwhile are not among them.
func (d *DB) Lines(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for before := int64(math.MaxInt64); ; {
			page, err := d.entries(ctx, before, journalPage)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < journalPage {
				return
			}
			before = page[len(page)-1].line
		}
	}
}

const selectEntries = `SELECT id, mail, at, kind, record_id, bytes, files, left_out, mark, record, coalesce(removed_at, 0) FROM journal `

func (d *DB) entries(ctx context.Context, before int64, limit int) ([]Entry, error) {
	rows, err := d.db.Read().QueryContext(ctx, selectEntries+"WHERE id < ? ORDER BY id DESC LIMIT ?", before, limit)
	if err != nil {
		return nil, sqlitedb.Fault("read journal", err)
	}
	entries, err := d.scanEntries(rows)
	return entries, sqlitedb.Fault("read journal", err)
}

func (d *DB) scanEntries(rows *sql.Rows) ([]Entry, error) {
	defer func() { _ = rows.Close() }()
	var entries []Entry
	for rows.Next() {
		var e Entry
		var at, removed int64
		var sealed []byte
		err := rows.Scan(&e.line, &e.Mail, &at, &e.Kind, &e.RecordID, &e.Bytes, &e.Files, &e.LeftOut, &e.Mark, &sealed, &removed)
		if err != nil {
			return nil, err
		}
		var r record
		if err := d.openJSON(recordAAD(e.Mail), sealed, &r); err != nil {
			return nil, err
		}
		e.At, e.Removed, e.Level, e.Matched = unixMilli(at), unixMilli(removed), r.Level, r.Matched
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// Unsaved says that the record of a captured mail was deleted again: the mail becomes Filtered for
// the reason [rules.RemovedAgain], and its journal line says so. NotFound when it is not captured.
func (d *DB) Unsaved(ctx context.Context, id int64) error {
	now := d.now().UnixMilli()
	return d.db.Tx(ctx, "unsave mail", func(ctx context.Context, tx *sql.Tx) error {
		err := exactlyOne(tx.ExecContext(ctx, `UPDATE mail SET state = 4, moved_at = ?, why = ?, record_id = '', kind = '', people = NULL,
			folder = NULL, validity = 0, uid = 0 WHERE id = ? AND state = 5`, now, rules.RemovedAgain, id))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE journal SET removed_at = ? WHERE mail = ?", now, id)
		return err
	})
}
