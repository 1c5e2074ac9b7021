package agentdb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// otherClock is further ahead than anything is ever postponed: such a due time was written
// while the computer's clock was wrong, and counts as due.
const otherClock = 8 * 24 * time.Hour

// Due returns jobs that are ready at now, live ones first, then in order of arrival: at most
// limit, and no more than maxBytes of raw mail unless the first alone is larger.
func (d *DB) Due(ctx context.Context, now time.Time, limit int, maxBytes int64) ([]deliver.Job, error) {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT id, key, step, began_at, tries, size, record_id, kind, live, mark, head, answers
		FROM mail INDEXED BY mail_due WHERE state = 1 AND (due_at <= ? OR due_at > ?) ORDER BY live DESC, id LIMIT ?`,
		now.UnixMilli(), now.Add(otherClock).UnixMilli(), limit)
	if err != nil {
		return nil, sqlitedb.Fault("read due jobs", err)
	}
	defer func() { _ = rows.Close() }()
	var jobs []deliver.Job
	var bytes int64
	for rows.Next() {
		j, err := d.scanJob(rows)
		if err != nil {
			return nil, sqlitedb.Fault("read due jobs", err)
		}
		bytes += j.Size
		if len(jobs) > 0 && bytes > maxBytes {
			return jobs, nil
		}
		jobs = append(jobs, j)
	}
	return jobs, sqlitedb.Fault("read due jobs", rows.Err())
}

func (d *DB) scanJob(rows *sql.Rows) (deliver.Job, error) {
	var j deliver.Job
	var key, head, answers []byte
	var began sql.NullInt64
	err := rows.Scan(&j.ID, &key, &j.Next, &began, &j.Tries, &j.Size, &j.RecordID, &j.Kind, &j.Live, &j.Mark, &head, &answers)
	if err != nil {
		return j, err
	}
	if _, err := d.opened(headAAD(j.ID, key), head); err != nil {
		return j, err
	}
	if err := d.openJSON(answersAAD(j.ID), answers, &j.Answers); err != nil {
		return j, err
	}
	j.Key = capture.Key(hex.EncodeToString(key))
	if began.Valid {
		j.Unknown, j.Began = true, time.UnixMilli(began.Int64).UTC()
	}
	return j, nil
}

// NextDue returns when the earliest waiting job becomes ready, in the past for one that is
// ready; zero when none waits.
func (d *DB) NextDue(ctx context.Context) (time.Time, error) {
	now := d.now()
	var due sql.NullInt64
	err := d.db.Read().QueryRowContext(ctx, `SELECT min(CASE WHEN due_at > ? THEN 0 ELSE due_at END)
		FROM mail INDEXED BY mail_due WHERE state = 1`, now.Add(otherClock).UnixMilli()).Scan(&due)
	if err != nil {
		return time.Time{}, sqlitedb.Fault("read next due time", err)
	}
	if !due.Valid {
		return time.Time{}, nil
	}
	return time.UnixMilli(due.Int64).UTC(), nil
}

// Begin writes the intent: from now on an interrupted step is Unknown at the next Due. When one
// of the jobs is no longer waiting, because the person skipped it, nothing is written and the
// fault is NotFound: ask Due again.
func (d *DB) Begin(ctx context.Context, now time.Time, jobs []int64) error {
	return d.db.Tx(ctx, "begin jobs", func(ctx context.Context, tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, "UPDATE mail SET began_at = ?, tries = tries + 1 WHERE id = ? AND state = 1")
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }()
		for _, id := range jobs {
			if err := exactlyOne(stmt.ExecContext(ctx, now.UnixMilli(), id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// exactlyOne turns "no row changed" into NotFound.
func exactlyOne(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, "change mail", nil)
	}
	return err
}

// Settle stores outcomes, all or none. Sent deletes content and head and writes the journal
// line in the same transaction, even of a mail that was skipped meanwhile: its record exists.
// Any other outcome of a mail that no longer waits is dropped.
func (d *DB) Settle(ctx context.Context, now time.Time, outcomes []deliver.Outcome) error {
	sent := false
	err := d.db.Tx(ctx, "settle jobs", func(ctx context.Context, tx *sql.Tx) error {
		s := &settling{db: d, tx: tx, now: now.UnixMilli()}
		defer s.close()
		var err error
		if s.threads, err = threadsIn(ctx, tx, d); err != nil {
			return err
		}
		for i := range outcomes {
			sent = sent || outcomes[i].Verdict == deliver.Sent
			if err := s.settle(ctx, &outcomes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !sent {
		return err
	}
	d.emptyWAL(ctx)
	return nil
}

// settling is one running Settle. Statements are prepared when first used.
type settling struct {
	db    *DB
	tx    *sql.Tx
	now   int64
	stmts map[string]*sql.Stmt

	threads *threads // nil where none is followed
}

func (s *settling) close() {
	for _, stmt := range s.stmts {
		_ = stmt.Close() // its transaction ends right after and reports for it
	}
}

func (s *settling) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	stmt, ok := s.stmts[text]
	if !ok {
		var err error
		if stmt, err = s.tx.PrepareContext(ctx, text); err != nil {
			return nil, err
		}
		if s.stmts == nil {
			s.stmts = map[string]*sql.Stmt{}
		}
		s.stmts[text] = stmt
	}
	return stmt.ExecContext(ctx, args...)
}

// calm is what a mail has no more once it goes on.
const calm = "why = '', detail = NULL, question = NULL"

// spent is what a mail has no more once it left the queue.
const spent = "due_at = 0, detail = NULL, question = NULL, answers = NULL"

func (s *settling) settle(ctx context.Context, o *deliver.Outcome) error {
	const learned = `record_id = coalesce(nullif(?, ''), record_id), kind = coalesce(nullif(?, ''), kind), record = coalesce(?, record)`
	record, err := s.db.sealRecord(o)
	if err != nil {
		return err
	}
	switch o.Verdict {
	case deliver.Sent:
		return s.sent(ctx, o, record)
	case deliver.Advanced:
		_, err := s.exec(ctx, "UPDATE mail SET "+learned+`, step = ?, tries = 0, due_at = 0, began_at = NULL, `+calm+`
			WHERE id = ? AND state = 1`, o.RecordID, string(o.Kind), record, o.Next, o.Job)
		return err
	case deliver.Postponed, deliver.Doubtful:
		_, err := s.exec(ctx, "UPDATE mail SET "+learned+`, due_at = ?, began_at = CASE WHEN ? THEN coalesce(began_at, ?) END, why = ?, detail = ?
			WHERE id = ? AND state = 1`, o.RecordID, string(o.Kind), record, o.RetryAt.UnixMilli(), o.Verdict == deliver.Doubtful, s.now,
			string(o.Code), s.db.sealDetail(o.Job, o.Detail), o.Job)
		return err
	case deliver.NeedsYou, deliver.Held:
		return s.decide(ctx, o, record)
	default:
		return fault.New(fault.Internal, "settle jobs", fmt.Errorf("verdict %d", o.Verdict))
	}
}

// decide leaves a mail to the person. began_at stays: should the attempt have had an effect after
// all, the retry finds it.
func (s *settling) decide(ctx context.Context, o *deliver.Outcome, record []byte) error {
	var question []byte
	if o.Question != nil {
		var err error
		if question, err = s.db.sealJSON(questionAAD(o.Job), o.Question); err != nil {
			return err
		}
	}
	state := NeedsYou
	if o.Verdict == deliver.Held {
		state = Held
	}
	_, err := s.exec(ctx, `UPDATE mail SET record_id = coalesce(nullif(?, ''), record_id), kind = coalesce(nullif(?, ''), kind),
		record = coalesce(?, record), state = ?, moved_at = ?, due_at = 0, why = ?, detail = ?, question = ? WHERE id = ? AND state = 1`,
		o.RecordID, string(o.Kind), record, state, s.now, string(o.Code), s.db.sealDetail(o.Job, o.Detail), question, o.Job)
	return err
}

func (s *settling) sent(ctx context.Context, o *deliver.Outcome, record []byte) error {
	_, err := s.exec(ctx, `INSERT INTO journal (mail, at, kind, record_id, bytes, files, left_out, mark, record)
		SELECT id, ?, coalesce(nullif(?, ''), kind), coalesce(nullif(?, ''), record_id), ?, ?, ?, mark, coalesce(?, record) FROM mail WHERE id = ?
		ON CONFLICT (mail) DO UPDATE SET record_id = excluded.record_id, removed_at = NULL WHERE removed_at IS NOT NULL`,
		s.now, string(o.Kind), o.RecordID, o.Bytes, o.Files, o.LeftOut, record, o.Job)
	if err != nil {
		return err
	}
	res, err := s.exec(ctx, `UPDATE mail SET state = 5, moved_at = ?, record_id = coalesce(nullif(?, ''), record_id),
		kind = coalesce(nullif(?, ''), kind), step = ?, began_at = NULL, why = '', rule = '', head = NULL, record = NULL, `+spent+`
		WHERE id = ?`, s.now, o.RecordID, string(o.Kind), deliver.StepDone, o.Job)
	if err := exactlyOne(res, err); err != nil {
		return err
	}
	if _, err := s.exec(ctx, "DELETE FROM content WHERE id BETWEEN ? AND ?", contentID(o.Job, 0), contentID(o.Job, maxPieces-1)); err != nil {
		return err
	}
	if s.threads == nil {
		return nil
	}
	return s.threads.saved(ctx, o.Job)
}

// sealDetail seals text for the person; nil for none.
func (d *DB) sealDetail(id int64, detail string) []byte {
	if detail == "" {
		return nil
	}
	return d.seal.Seal(detailAAD(id), []byte(detail))
}

// Retry makes a mail that needs a person, or waits for its time, due at once. The fault is
// NotFound when no such mail is queued.
func (d *DB) Retry(ctx context.Context, id int64) error {
	now := d.now().UnixMilli()
	return d.db.Tx(ctx, "retry mail", func(ctx context.Context, tx *sql.Tx) error {
		return exactlyOne(tx.ExecContext(ctx, `UPDATE mail SET state = 1, moved_at = ?, due_at = 0, tries = 0, `+calm+`
			WHERE id = ? AND state IN (1, 2)`, now, id))
	})
}

// Skip takes a mail out of the queue for good: it becomes Filtered for the reason [rules.SkippedByHand] and
// its content is deleted. NotFound when it is neither queued nor held.
func (d *DB) Skip(ctx context.Context, id int64) error {
	now := d.now().UnixMilli()
	err := d.db.Tx(ctx, "skip mail", func(ctx context.Context, tx *sql.Tx) error {
		if err := exactlyOne(tx.ExecContext(ctx, `UPDATE mail SET state = 4, moved_at = ?, why = ?, rule = '', `+spent+`
			WHERE id = ? AND state IN (1, 2, 3)`, now, rules.SkippedByHand, id)); err != nil {
			return err
		}
		return dropContent(ctx, tx, id)
	})
	if err != nil {
		return err
	}
	d.emptyWAL(ctx)
	return nil
}

// Release queues a mail that was held. NotFound when it is not held, MailGone when its content
// was not kept: capture it again from the mailbox.
func (d *DB) Release(ctx context.Context, id int64) error {
	now := d.now().UnixMilli()
	return d.db.Tx(ctx, "release mail", func(ctx context.Context, tx *sql.Tx) error {
		err := exactlyOne(tx.ExecContext(ctx, "UPDATE mail SET state = 1, moved_at = ?, "+calm+" WHERE id = ? AND state = 3", now, id))
		if err != nil {
			return err
		}
		return wantContent(ctx, tx, id)
	})
}

// wantContent is a MailGone fault where a mail's content is not here.
func wantContent(ctx context.Context, tx *sql.Tx, id int64) error {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1 FROM content WHERE id = ?", contentID(id, 0)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.MailGone, "find content", nil)
	}
	return err
}
