package agentdb

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"hawser/sync/capture"
	"hawser/sync/match"
	"hawser/sync/rules"
)

// Forgotten is what became of an address.
type Forgotten struct {
	Removed int // traces: mails that waited, words of mails, answers, titles
	// Records are what Salesforce holds of mails it had to do with. At is zero for a record that was
	// not finished.
	Records []Entry
}

// Forget removes all that is known here of an address, in any case: mails from or to it that wait
// or are held leave the queue for the reason [rules.SkippedByHand], with their content; so do remembered
// answers about it, the words of conversations it took part in, and its part in the journal's
// reasons. Records that exist are returned, as far as the journal remembers them; a second call
// does not return them again. What the person chose (rules, blocked addresses) stays.
func (d *DB) Forget(ctx context.Context, address string) (Forgotten, error) {
	var f *forgetting
	err := d.db.Tx(ctx, "forget address", func(ctx context.Context, tx *sql.Tx) error {
		f = &forgetting{db: d, tx: tx, address: plainAddress(address), person: d.personOf(address), now: d.now().UnixMilli()}
		for _, do := range []func(context.Context) error{f.mails, f.answers, f.reasons} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Forgotten{}, err
	}
	return f.found, d.db.TruncateWAL(ctx)
}

// forgetting is one running Forget.
type forgetting struct {
	db      *DB
	tx      *sql.Tx
	address string
	person  []byte
	now     int64
	found   Forgotten
}

// trace is a mail that may have to do with the address.
type trace struct {
	id                int64
	key, people, head []byte
	state             State
	recordID          string
	thread            sql.NullInt64
}

func (f *forgetting) mails(ctx context.Context) error {
	// A mail of an older version has no people, but while it waits its head has some.
	rows, err := f.tx.QueryContext(ctx, `SELECT id, key, people, head, state, record_id, thread FROM mail
		WHERE instr(people, ?) > 0 OR (people IS NULL AND head IS NOT NULL)`, f.person)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var traces []trace
	for rows.Next() {
		var t trace
		if err := rows.Scan(&t.id, &t.key, &t.people, &t.head, &t.state, &t.recordID, &t.thread); err != nil {
			return err
		}
		about, err := f.about(&t)
		if err != nil {
			return err
		}
		if about {
			traces = append(traces, t)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i := range traces {
		if err := f.mail(ctx, &traces[i]); err != nil {
			return err
		}
	}
	return nil
}

// about reports whether the address is in the mail, and takes it out of its people.
func (f *forgetting) about(t *trace) (bool, error) {
	if t.people != nil {
		rest, had := without(t.people, f.person)
		t.people = rest
		return had, nil
	}
	h, err := f.db.openHead(t.id, t.key, t.head)
	is := func(a capture.Address) bool { return plainAddress(a.Addr) == f.address }
	return err == nil && (slices.ContainsFunc(h.From, is) || slices.ContainsFunc(h.To, is)), err
}

func (f *forgetting) mail(ctx context.Context, t *trace) error {
	if t.thread.Valid { // the title of a conversation that the address took part in
		if err := (&threads{db: f.db, tx: f.tx}).rename(ctx, t.thread.Int64, ""); err != nil {
			return err
		}
	}
	switch t.state {
	case Captured:
		return f.line(ctx, t)
	case Filtered: // skipped by hand
		f.found.Removed++
		_, err := f.tx.ExecContext(ctx, "UPDATE mail SET head = NULL, people = NULL, record = NULL WHERE id = ?", t.id)
		return err
	}
	f.found.Removed++
	if t.recordID != "" {
		e := Entry{Mail: t.id, RecordID: t.recordID}
		if err := f.tx.QueryRowContext(ctx, "SELECT kind, mark FROM mail WHERE id = ?", t.id).Scan(&e.Kind, &e.Mark); err != nil {
			return err
		}
		f.found.Records = append(f.found.Records, e)
	}
	return leave(ctx, f.tx, t.id, left{f.now, rules.SkippedByHand})
}

// line tells of a captured mail and takes the address out of its reasons.
func (f *forgetting) line(ctx context.Context, t *trace) error {
	rows, err := f.tx.QueryContext(ctx, selectEntries+"WHERE mail = ?", t.id)
	if err != nil {
		return err
	}
	entries, err := f.db.scanEntries(rows)
	if err != nil {
		return err
	}
	for _, e := range entries {
		rest := slices.DeleteFunc(slices.Clone(e.Matched), func(r match.Reason) bool { return plainAddress(r.Address) == f.address })
		if len(rest) < len(e.Matched) {
			sealed, err := f.db.sealJSON(recordAAD(e.Mail), record{e.Level, rest})
			if err != nil {
				return err
			}
			if _, err := f.tx.ExecContext(ctx, "UPDATE journal SET record = ? WHERE id = ?", sealed, e.line); err != nil {
				return err
			}
		}
		f.found.Records = append(f.found.Records, e)
	}
	f.found.Removed++
	_, err = f.tx.ExecContext(ctx, "UPDATE mail SET people = ? WHERE id = ?", t.people, t.id)
	return err
}

func (f *forgetting) answers(ctx context.Context) error {
	var hashes [][]byte
	err := f.db.eachAnswer(ctx, f.tx, func(hash []byte, r Remembered) {
		if r.about(f.address) {
			hashes = append(hashes, bytes.Clone(hash))
		}
	})
	if err != nil {
		return err
	}
	f.found.Removed += len(hashes)
	for _, hash := range hashes {
		if _, err := f.tx.ExecContext(ctx, "DELETE FROM answer WHERE hash = ?", hash); err != nil {
			return err
		}
	}
	return nil
}

// reasons takes the address out of the entries that kept mails out.
func (f *forgetting) reasons(ctx context.Context) error {
	rows, err := f.tx.QueryContext(ctx, "SELECT id, sealed FROM reason")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	found := map[int64]why{}
	for rows.Next() {
		var id int64
		var sealed []byte
		var w why
		if err := rows.Scan(&id, &sealed); err != nil {
			return err
		}
		if err := f.db.openJSON(aad("reason", id), sealed, &w); err != nil {
			return err
		}
		if names(w.Rule, f.address) {
			w.Rule = ""
			found[id] = w
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	f.found.Removed += len(found)
	for id, w := range found {
		sealed, err := f.db.sealJSON(aad("reason", id), w)
		if err != nil {
			return err
		}
		if _, err := f.tx.ExecContext(ctx, "UPDATE reason SET sealed = ? WHERE id = ?", sealed, id); err != nil {
			return err
		}
	}
	return nil
}
