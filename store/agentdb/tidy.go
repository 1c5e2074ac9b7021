package agentdb

import (
	"context"
	"database/sql"
	"time"

	"hawser/sync/fault"
	"hawser/sync/rules"
)

// Tidied is what Tidy removed.
type Tidied struct {
	Expired  int // unmatched mails that were given up, with their content
	Filtered int // mails that were forgotten
	Lines    int // of the journal
}

// tidyBatch is how many rows one transaction of Tidy changes at most, so that other writers get
// their turn.
const tidyBatch = 500

// Tidy gives up unmatched mails after [HeldFor] and forgets filtered mails and journal lines after
// [Kept]. What was done is durable even when it returns an error; the next call does the rest.
//
// A filtered mail that was forgotten is not seen again, because the cursor has passed it; where a
// folder is read anew (a new UIDVALIDITY), the scan's Since and the history window leave out what
// is that old. A captured mail keeps its key and its record's id for ever.
func (d *DB) Tidy(ctx context.Context, now time.Time) (t Tidied, err error) {
	kept, held := now.Add(-Kept).UnixMilli(), now.Add(-HeldFor).UnixMilli()
	ahead := now.Add(otherClock).UnixMilli() // written while the clock was wrong
	steps := []struct {
		n  *int
		do func(context.Context, *sql.Tx) (int, error)
	}{
		{nil, func(ctx context.Context, tx *sql.Tx) (int, error) {
			return changed(tx.ExecContext(ctx, "UPDATE mail SET moved_at = ? WHERE state = 3 AND moved_at > ?", now.UnixMilli(), ahead))
		}},
		{&t.Expired, func(ctx context.Context, tx *sql.Tx) (int, error) { return expire(ctx, tx, now, held) }},
		{&t.Lines, func(ctx context.Context, tx *sql.Tx) (int, error) { return dropLines(ctx, tx, kept, ahead) }},
		{&t.Filtered, func(ctx context.Context, tx *sql.Tx) (int, error) {
			return changed(tx.ExecContext(ctx, `DELETE FROM filtered WHERE id IN (
				SELECT id FROM filtered WHERE at NOT BETWEEN ? AND ? LIMIT ?)`, kept, ahead, tidyBatch))
		}},
		{&t.Filtered, func(ctx context.Context, tx *sql.Tx) (int, error) {
			return changed(tx.ExecContext(ctx, `DELETE FROM mail WHERE id IN (SELECT id FROM mail
				WHERE state = 4 AND moved_at NOT BETWEEN ? AND ? LIMIT ?)`, kept, ahead, tidyBatch))
		}},
		{nil, func(ctx context.Context, tx *sql.Tx) (int, error) {
			if t.Filtered == 0 {
				return 0, nil
			}
			return changed(tx.ExecContext(ctx, "DELETE FROM reason WHERE id NOT IN (SELECT reason FROM filtered)"))
		}},
	}
	for _, s := range steps {
		for more := true; more; {
			n := 0
			err := d.db.Tx(ctx, "tidy", func(ctx context.Context, tx *sql.Tx) (err error) {
				n, err = s.do(ctx, tx)
				return err
			})
			if err != nil {
				return t, err
			}
			if s.n != nil {
				*s.n += n
			}
			more = n == tidyBatch
		}
	}
	if t != (Tidied{}) {
		d.emptyWAL(ctx)
	}
	return t, nil
}

func changed(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// selectIDs reads the numbers that a query finds.
func selectIDs(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		found = append(found, id)
	}
	return found, rows.Err()
}

func expire(ctx context.Context, tx *sql.Tx, now time.Time, before int64) (int, error) {
	old, err := selectIDs(ctx, tx, "SELECT id FROM mail WHERE state = 3 AND why = ? AND moved_at < ? LIMIT ?", string(fault.Unmatched), before, tidyBatch)
	if err != nil {
		return 0, err
	}
	for _, id := range old {
		if err := leave(ctx, tx, id, left{now.UnixMilli(), rules.ExpiredUnmatched}); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// left is when and why a mail left the queue.
type left struct {
	at     int64
	reason rules.Reason
}

// leave makes a mail Filtered and removes all that it said. Its row stays: an answer of Salesforce
// may be on the way.
func leave(ctx context.Context, tx *sql.Tx, id int64, l left) error {
	_, err := tx.ExecContext(ctx, `UPDATE mail SET state = 4, moved_at = ?, why = ?, rule = '', head = NULL, people = NULL, record = NULL,
		folder = NULL, validity = 0, uid = 0, `+spent+` WHERE id = ?`, l.at, l.reason, id)
	if err != nil {
		return err
	}
	return dropContent(ctx, tx, id)
}

// dropLines removes journal lines, and with them who the mail was about.
func dropLines(ctx context.Context, tx *sql.Tx, kept, ahead int64) (int, error) {
	const old = " IN (SELECT mail FROM journal WHERE at NOT BETWEEN ? AND ? ORDER BY id LIMIT ?)"
	_, err := tx.ExecContext(ctx, "UPDATE mail SET moved_at = 0, people = NULL WHERE state = 5 AND id"+old, kept, ahead, tidyBatch)
	if err != nil {
		return 0, err
	}
	return changed(tx.ExecContext(ctx, "DELETE FROM journal WHERE mail"+old, kept, ahead, tidyBatch))
}
