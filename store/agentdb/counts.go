package agentdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"hawser/store/sqlitedb"
	"hawser/sync/fault"
)

// Counts returns the conservation law's numbers. It reads five rows, however large the ledger.
func (d *DB) Counts(ctx context.Context) (Counts, error) {
	rows, err := d.db.Read().QueryContext(ctx, "SELECT state, n FROM tally")
	if err != nil {
		return Counts{}, sqlitedb.Fault("count mails", err)
	}
	defer func() { _ = rows.Close() }()
	n := map[State]int{}
	for rows.Next() {
		var state State
		var count int
		if err := rows.Scan(&state, &count); err != nil {
			return Counts{}, sqlitedb.Fault("count mails", err)
		}
		n[state] = count
	}
	c := Counts{
		Captured: n[Captured], Filtered: n[Filtered], Held: n[Held],
		Waiting: n[Waiting] + n[NeedsYou], NeedsYou: n[NeedsYou],
	}
	c.Seen = c.Captured + c.Filtered + c.Held + c.Waiting
	return c, sqlitedb.Fault("count mails", rows.Err())
}

// laws are queries that return a row for each broken promise.
var laws = []struct{ name, broken string }{
	{"the tally equals the ledger", `SELECT 1 FROM tally t WHERE n <> (SELECT count(*) FROM mail m WHERE m.state = t.state)
		+ CASE state WHEN 4 THEN (SELECT count(*) FROM filtered) ELSE 0 END`},
	{"a queued mail has its content", `SELECT 1 FROM mail WHERE state IN (1, 2) AND NOT EXISTS (
		SELECT 1 FROM content c WHERE c.id = mail.id << 20)`},
	{"content belongs to a queued, held or staged mail", `SELECT 1 FROM content c WHERE NOT EXISTS (
		SELECT 1 FROM mail m WHERE m.id = c.id >> 20 AND m.state IN (1, 2, 3))
		AND NOT EXISTS (SELECT 1 FROM spool s WHERE s.mail = c.id >> 20)`},
	{"content is whole", `SELECT 1 FROM content c WHERE NOT last
		AND NOT EXISTS (SELECT 1 FROM content n WHERE n.id = c.id + 1)
		AND NOT EXISTS (SELECT 1 FROM spool s WHERE s.mail = c.id >> 20)`},
	{"a captured mail has a record, and a journal line until that is old", `SELECT 1 FROM mail m LEFT JOIN journal j ON j.mail = m.id
		WHERE m.state = 5 AND (m.record_id = '' OR (m.moved_at <> 0 AND (j.id IS NULL OR j.removed_at IS NOT NULL)))`},
	{"a journal line is of a captured mail, or its record was removed", `SELECT 1 FROM journal j LEFT JOIN mail m ON m.id = j.mail
		WHERE j.removed_at IS NULL AND m.state IS NOT 5`},
	{"a captured mail keeps no words", `SELECT 1 FROM mail WHERE state = 5 AND
		(head IS NOT NULL OR detail IS NOT NULL OR question IS NOT NULL OR answers IS NOT NULL OR record IS NOT NULL)`},
	{"a filtered mail keeps no answers", `SELECT 1 FROM mail WHERE state = 4 AND (detail IS NOT NULL OR question IS NOT NULL OR answers IS NOT NULL)`},
	{"only a mail that needs a person asks", `SELECT 1 FROM mail WHERE state <> 2 AND question IS NOT NULL`},
	{"a filtered mail has a reason", `SELECT 1 FROM filtered f WHERE NOT EXISTS (SELECT 1 FROM reason r WHERE r.id = f.reason)`},
	{"an id is given once", `SELECT 1 FROM filtered f JOIN mail m ON m.id = f.id`},
	{"references hold", `SELECT 1 FROM pragma_foreign_key_check`},
}

// CheckConservation reads the whole ledger and returns a QueueDamaged fault that names the first
// law it breaks. For diagnostics and tests: it takes its time.
func (d *DB) CheckConservation(ctx context.Context) error {
	return d.db.Tx(ctx, "check ledger", func(ctx context.Context, tx *sql.Tx) error {
		for _, law := range laws {
			var broken int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM ("+law.broken+" LIMIT 1)").Scan(&broken); err != nil {
				return fmt.Errorf("check that %s: %w", law.name, err)
			}
			if broken > 0 {
				return fault.New(fault.QueueDamaged, "check ledger", fmt.Errorf("not true: %s", law.name))
			}
		}
		twice, err := d.checkTwice(ctx, tx)
		if twice {
			err = fault.New(fault.QueueDamaged, "check ledger", errors.New("not true: a mail is in the ledger once"))
		}
		return err
	})
}
