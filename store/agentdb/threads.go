package agentdb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// Thread is a conversation that is followed.
type Thread struct {
	ID    int64
	Title string
	Since time.Time
	Saved int       // mails of it that were captured
	Last  time.Time // when the last of them was; zero for none
}

// threadHash finds a conversation by one of its mails.
func (d *DB) threadHash(key []byte) []byte { return d.seal.KeyedHash("thread", key)[:hashSize] }

// idHash is threadHash of a mail that is known by its normalised Message-ID alone.
func (d *DB) idHash(a capture.Account, id string) ([]byte, error) {
	key, err := keyBytes(capture.MailKey(a, id))
	return d.threadHash(key), err
}

// account is the bound one; mails have no keys without.
func (d *DB) account(ctx context.Context) (capture.Account, error) {
	if a := d.boundTo.Load(); a != nil {
		return *a, nil
	}
	a, _, found, err := d.Binding(ctx)
	if err == nil && !found {
		err = fault.New(fault.NotSignedIn, "follow thread", nil)
	}
	if err == nil {
		d.boundTo.Store(&a)
	}
	return a, err
}

// FollowThread follows the conversation that ids belong to, normalised Message-IDs of its root, of
// what its mails refer to and of the mails themselves. Where one of them is followed already, the
// others join it, and its title and start stay. It returns the number of the conversation.
// NotSignedIn before Bind.
func (d *DB) FollowThread(ctx context.Context, ids []string, title string, since time.Time) (int64, error) {
	account, err := d.account(ctx)
	if err != nil {
		return 0, err
	}
	var thread int64
	err = d.db.Tx(ctx, "follow thread", func(ctx context.Context, tx *sql.Tx) error {
		t := &threads{db: d, tx: tx, account: account}
		known, err := t.find(ctx, nil, ids)
		if err != nil {
			return err
		}
		if thread = known.Int64; !known.Valid {
			if thread, err = t.make(ctx, title, since); err != nil {
				return err
			}
		}
		for _, id := range ids {
			if err := t.join(ctx, thread, id); err != nil {
				return err
			}
		}
		return nil
	})
	return thread, err
}

// Threads lists the conversations that are followed, the youngest first.
func (d *DB) Threads(ctx context.Context) ([]Thread, error) {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT t.id, t.title, t.since, count(m.id), coalesce(max(m.moved_at), 0)
		FROM thread t LEFT JOIN mail m ON m.thread = t.id AND m.state = 5 GROUP BY t.id ORDER BY t.id DESC`)
	if err != nil {
		return nil, sqlitedb.Fault("list threads", err)
	}
	defer func() { _ = rows.Close() }()
	var list []Thread
	for rows.Next() {
		var t Thread
		var title []byte
		var since, last int64
		if err := rows.Scan(&t.ID, &title, &since, &t.Saved, &last); err != nil {
			return nil, sqlitedb.Fault("list threads", err)
		}
		plain, err := d.opened(aad("thread", t.ID), title)
		if err != nil {
			return nil, err
		}
		t.Title, t.Since, t.Last = string(plain), unixMilli(since), unixMilli(last)
		list = append(list, t)
	}
	return list, sqlitedb.Fault("list threads", rows.Err())
}

// StopThread ends the following of one conversation; what was captured of it stays. NotFound when
// it is not followed.
func (d *DB) StopThread(ctx context.Context, id int64) error {
	return d.db.Tx(ctx, "stop thread", func(ctx context.Context, tx *sql.Tx) error {
		return exactlyOne(tx.ExecContext(ctx, "DELETE FROM thread WHERE id = ?", id))
	})
}

// Followed tells of each mail, given by the normalised Message-IDs of its thread and its own,
// which followed conversation it belongs to; 0 for none.
func (d *DB) Followed(ctx context.Context, mails [][]string) ([]int64, error) {
	found := make([]int64, len(mails))
	var any bool
	if err := d.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM thread)").Scan(&any); err != nil {
		return nil, sqlitedb.Fault("look up threads", err)
	}
	if !any || len(mails) == 0 {
		return found, nil
	}
	account, err := d.account(ctx)
	if err != nil {
		return nil, err
	}
	stmt, err := d.db.Read().PrepareContext(ctx, "SELECT thread FROM thread_mail WHERE hash = ?")
	if err != nil {
		return nil, sqlitedb.Fault("look up threads", err)
	}
	defer func() { _ = stmt.Close() }()
	each := context.WithoutCancel(ctx) // see sqlitedb.DB.Tx
	for i, ids := range mails {
		for _, id := range ids {
			hash, err := d.idHash(account, id)
			if err == nil {
				err = stmt.QueryRowContext(each, hash).Scan(&found[i])
			}
			if err == nil {
				break
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return nil, sqlitedb.Fault("look up threads", err)
			}
		}
	}
	return found, nil
}

// threads is the followed conversations within one transaction.
type threads struct {
	db      *DB
	tx      *sql.Tx
	account capture.Account
}

// threadsIn returns nil when no conversation is followed: then nothing else is asked.
func threadsIn(ctx context.Context, tx *sql.Tx, d *DB) (*threads, error) {
	var any bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM thread)").Scan(&any); err != nil || !any {
		return nil, err
	}
	account, err := d.account(ctx)
	return &threads{db: d, tx: tx, account: account}, err
}

// of returns the conversation of a new mail.
func (t *threads) of(ctx context.Context, key []byte, h capture.Header) (sql.NullInt64, error) {
	if t == nil {
		return sql.NullInt64{}, nil
	}
	ids := h.References
	if h.InReplyTo != "" {
		ids = append(ids[:len(ids):len(ids)], h.InReplyTo)
	}
	return t.find(ctx, key, ids)
}

// find looks for the conversation of a mail, by its key if there is one, then by ids.
func (t *threads) find(ctx context.Context, key []byte, ids []string) (thread sql.NullInt64, err error) {
	hashes := make([][]byte, 0, len(ids)+1)
	if key != nil {
		hashes = append(hashes, t.db.threadHash(key))
	}
	for _, id := range ids {
		hash, err := t.db.idHash(t.account, id)
		if err != nil {
			return thread, err
		}
		hashes = append(hashes, hash)
	}
	for _, hash := range hashes {
		err := t.tx.QueryRowContext(ctx, "SELECT thread FROM thread_mail WHERE hash = ?", hash).Scan(&thread)
		if !errors.Is(err, sql.ErrNoRows) {
			return thread, err
		}
	}
	return thread, nil
}

func (t *threads) make(ctx context.Context, title string, since time.Time) (int64, error) {
	res, err := t.tx.ExecContext(ctx, "INSERT INTO thread (title, since) VALUES (x'', ?)", since.UnixMilli())
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	return id, t.rename(ctx, id, title)
}

// rename seals a title, which takes the number of its conversation.
func (t *threads) rename(ctx context.Context, id int64, title string) error {
	_, err := t.tx.ExecContext(ctx, "UPDATE thread SET title = ? WHERE id = ?", t.db.seal.Seal(aad("thread", id), []byte(title)), id)
	return err
}

// join makes id part of a conversation, and counts its mail where the ledger has it.
func (t *threads) join(ctx context.Context, thread int64, id string) error {
	key, err := keyBytes(capture.MailKey(t.account, id))
	if err != nil {
		return err
	}
	if err := t.add(ctx, thread, key); err != nil {
		return err
	}
	_, err = t.tx.ExecContext(ctx, "UPDATE mail SET thread = (SELECT thread FROM thread_mail WHERE hash = ?) WHERE key = ?",
		t.db.threadHash(key), key)
	return err
}

func (t *threads) add(ctx context.Context, thread int64, key []byte) error {
	_, err := t.tx.ExecContext(ctx, "INSERT INTO thread_mail (hash, thread) VALUES (?, ?) ON CONFLICT DO NOTHING",
		t.db.threadHash(key), thread)
	return err
}

// saved counts a mail that was captured, so that replies to it are found though they name no other
// mail of the conversation.
func (t *threads) saved(ctx context.Context, mail int64) error {
	var key []byte
	var thread sql.NullInt64
	err := t.tx.QueryRowContext(ctx, "SELECT key, thread FROM mail WHERE id = ?", mail).Scan(&key, &thread)
	if err != nil {
		return err
	}
	if !thread.Valid {
		if thread, err = t.find(ctx, key, nil); err != nil || !thread.Valid {
			return err
		}
		if _, err := t.tx.ExecContext(ctx, "UPDATE mail SET thread = ? WHERE id = ?", thread, mail); err != nil {
			return err
		}
	}
	return t.add(ctx, thread.Int64, key)
}
