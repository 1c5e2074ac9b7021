package agentdb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

// Admit takes mails into the ledger and moves the cursors that passed them, all in one
// transaction. Of a filtered mail it keeps keyed hashes, the reason and the time. A key that is
// there already is not added again; its place is remembered. With Again it takes the place of a
// mail that rules left out; of one that is held, or that its owner took out in the program, only
// when it was picked by hand or its owner marked it since in the mailbox. So does a mail picked by
// hand that could not be read in its place before. On nil every Staged handed in is used up; on an
// error nothing changed, and they may be admitted again or discarded.
func (d *DB) Admit(ctx context.Context, mails []NewMail, cursors []capture.Cursor) (added int, err error) {
	rows := make([]row, len(mails))
	for i := range mails {
		if rows[i], err = d.prepareRow(&mails[i]); err != nil {
			return 0, err
		}
	}
	dropped := false
	err = d.db.Tx(ctx, "admit mails", func(ctx context.Context, tx *sql.Tx) error {
		a, err := newAdmission(ctx, tx, d)
		if err != nil {
			return err
		}
		defer a.close()
		for i := range mails {
			if err := a.admit(ctx, &mails[i], rows[i]); err != nil {
				return err
			}
		}
		for _, c := range cursors {
			if err := a.move(ctx, c); err != nil {
				return err
			}
		}
		added, dropped = a.added, a.dropped
		return a.count(ctx)
	})
	if err != nil {
		return 0, err
	}
	if dropped {
		d.emptyWAL(ctx)
	}
	return added, nil
}

// row is what is computed of a mail before the transaction, which stays short that way.
type row struct {
	id      int64
	key     []byte
	hash    []byte // of the key
	print   []byte
	head    []byte
	answers []byte
	people  []byte
	size    int64
}

func (d *DB) prepareRow(m *NewMail) (row, error) {
	key, err := keyBytes(m.Key)
	if err != nil {
		return row{}, err
	}
	r := row{key: key, hash: d.hashOf(key), print: d.printOf(m.Fingerprint), size: m.Size}
	switch {
	case m.State == Waiting && m.Staged == nil, m.State != Waiting && m.State != Held && m.State != Filtered:
		return row{}, fault.New(fault.Internal, "admit mails", fmt.Errorf("state %d without content", m.State))
	case m.Staged != nil:
		r.id, r.size = m.Staged.id, m.Staged.Size
	default:
		r.id = d.nextID.Add(1)
	}
	if m.State == Filtered {
		return r, nil
	}
	r.people = d.peopleOf(&m.Head)
	if len(m.Answers) > 0 {
		if r.answers, err = d.sealJSON(answersAAD(r.id), m.Answers); err != nil {
			return row{}, err
		}
	}
	r.head, err = d.sealHead(r.id, r.key, m)
	return r, err
}

func (d *DB) printOf(fingerprint [32]byte) []byte {
	return d.seal.KeyedHash("fingerprint", fingerprint[:])
}

func keyBytes(k capture.Key) ([]byte, error) {
	b, err := hex.DecodeString(string(k))
	if err != nil || len(b) != 32 {
		return nil, fault.New(fault.Internal, "read mail key", errors.New("not 64 hexadecimal digits"))
	}
	return b, nil
}

// admission is one running Admit.
type admission struct {
	db       *DB
	tx       *sql.Tx
	mail     *sql.Stmt
	queued   *sql.Stmt
	filtered *sql.Stmt
	before   *sql.Stmt
	content  *sql.Stmt
	folders  folders
	reasons  reasons
	threads  *threads // nil where none is followed
	seenAt   int64
	states   map[State]int // rows inserted
	added    int
	dropped  bool // content was deleted
}

func newAdmission(ctx context.Context, tx *sql.Tx, d *DB) (*admission, error) {
	a := &admission{
		db: d, tx: tx, folders: folders{db: d, tx: tx}, reasons: reasons{db: d, tx: tx},
		seenAt: d.now().UnixMilli(), states: map[State]int{},
	}
	for _, p := range []struct {
		stmt *(*sql.Stmt)
		text string
	}{
		{&a.mail, `INSERT INTO mail (id, key, fingerprint, state, mark, live, size, seen_at, moved_at, step, why, rule,
			folder, validity, uid, head, people, answers, thread)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`},
		{&a.queued, "SELECT id, state, mark, why FROM mail WHERE key = ?"},
		{&a.filtered, "INSERT INTO filtered (id, hash, print, reason, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING"},
		{&a.before, "SELECT f.id, f.reason, r.sealed FROM filtered f JOIN reason r ON r.id = f.reason WHERE f.hash = ?"},
		{&a.content, insertContent},
	} {
		var err error
		if *p.stmt, err = tx.PrepareContext(ctx, p.text); err != nil {
			a.close()
			return nil, err
		}
	}
	var err error
	if a.threads, err = threadsIn(ctx, tx, d); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *admission) close() {
	for _, s := range []*sql.Stmt{a.mail, a.queued, a.filtered, a.before, a.content} {
		if s != nil {
			_ = s.Close() // its transaction ends right after and reports for it
		}
	}
}

func (a *admission) admit(ctx context.Context, m *NewMail, r row) error {
	if m.State == Filtered {
		if err := a.filter(ctx, m, r); err != nil {
			return err
		}
		return dropStaged(ctx, a.tx, m.Staged)
	}
	was, err := a.filteredBefore(ctx, m, r)
	if err != nil {
		return err
	}
	if was == stays {
		return dropStaged(ctx, a.tx, m.Staged)
	}
	folder, err := a.folderOf(ctx, m.Ref)
	if err != nil {
		return err
	}
	if err := a.replace(ctx, m, r, folder); err != nil {
		return err
	}
	fresh, err := a.insert(ctx, m, r, folder)
	switch {
	case err != nil:
		return err
	case !fresh:
		if fresh, err = a.again(ctx, m, r, folder); err != nil {
			return err
		}
	case was == unknown:
		a.added++
	}
	if !fresh {
		return dropStaged(ctx, a.tx, m.Staged)
	}
	return a.keep(ctx, m.Staged)
}

// folderOf returns the folder of a place, storing one that is new.
func (a *admission) folderOf(ctx context.Context, ref capture.Ref) (sql.NullInt64, error) {
	if ref == (capture.Ref{}) {
		return sql.NullInt64{}, nil
	}
	folder, err := a.folders.id(ctx, ref.Folder)
	return sql.NullInt64{Int64: folder, Valid: err == nil}, err
}

// replace forgets the row of a mail that could not be read in this place when it now comes by hand:
// without a header it could not have the key that it has now.
func (a *admission) replace(ctx context.Context, m *NewMail, r row, folder sql.NullInt64) error {
	if m.Mark != capture.MarkHand || m.State != Waiting || !folder.Valid {
		return nil
	}
	_, err := a.tx.ExecContext(ctx, "DELETE FROM mail WHERE state = ? AND why = ? AND folder = ? AND validity = ? AND uid = ? AND key <> ?",
		Held, string(fault.MailUnreadable), folder, m.Ref.Validity, m.Ref.UID, r.key)
	return err
}

// insert adds the row unless its key is there already.
func (a *admission) insert(ctx context.Context, m *NewMail, r row, folder sql.NullInt64) (bool, error) {
	thread, err := a.threads.of(ctx, r.key, m.Head)
	if err != nil {
		return false, err
	}
	res, err := a.mail.ExecContext(ctx, r.id, r.key, r.print, m.State, string(m.Mark), m.Live, r.size, a.seenAt, a.seenAt,
		deliver.StepCreate, string(m.Why), m.Rule, folder, m.Ref.Validity, m.Ref.UID, r.head, r.people, r.answers, thread)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	a.states[m.State] += int(n)
	return n == 1, err
}

// count adds what was inserted to the tally.
func (a *admission) count(ctx context.Context) error {
	for state, n := range a.states {
		if _, err := a.tx.ExecContext(ctx, "UPDATE tally SET n = n + ? WHERE state = ?", n, state); err != nil {
			return err
		}
	}
	return nil
}

// again meets a mail whose key is in the ledger. It reports whether the mail took its place anew.
func (a *admission) again(ctx context.Context, m *NewMail, r row, folder sql.NullInt64) (bool, error) {
	var id int64
	var state State
	var w why
	err := a.queued.QueryRowContext(ctx, r.key).Scan(&id, &state, &w.Mark, &w.Reason)
	if err != nil {
		return false, err
	}
	if !overrules(m, state, w) {
		if folder.Valid {
			_, err = a.tx.ExecContext(ctx, moveMail, folder, m.Ref.Validity, m.Ref.UID, id)
		}
		return false, err
	}
	if err := a.forget(ctx, id); err != nil {
		return false, err
	}
	return a.insert(ctx, m, r, folder)
}

// forget removes a mail that another takes the place of.
func (a *admission) forget(ctx context.Context, id int64) error {
	if err := dropContent(ctx, a.tx, id); err != nil {
		return err
	}
	a.dropped = true
	_, err := a.tx.ExecContext(ctx, "DELETE FROM mail WHERE id = ?", id)
	return err
}

// moveMail leaves alone what was filtered: nobody needs its place.
const moveMail = "UPDATE mail SET folder = ?, validity = ?, uid = ? WHERE id = ? AND state <> 4"

// keep makes the staged content the content of the mail with its id.
func (a *admission) keep(ctx context.Context, s *Staged) error {
	switch {
	case s == nil:
		return nil
	case s.spooled:
		_, err := a.tx.ExecContext(ctx, "DELETE FROM spool WHERE mail = ?", s.id)
		return err
	default:
		_, err := a.content.ExecContext(ctx, contentID(s.id, 0), true, s.only)
		return err
	}
}
