package agentdb

import (
	"context"
	"database/sql"
	"errors"
	"io"

	"hawser/store/sqlitedb"
	"hawser/sync/fault"
)

// Open reads the raw mail of a job from its beginning, one piece in memory at a time; ctx also
// bounds the reads. Faults: MailGone when its content is not (or no longer) here, QueueDamaged
// when it was changed, cut short or put in another order on the disk.
func (d *DB) Open(ctx context.Context, job int64) (io.ReadCloser, error) {
	r := &contentReader{}
	r.piece = func(part int) ([]byte, bool, error) { return d.piece(ctx, job, part) }
	var err error
	r.rest, r.last, err = r.piece(0)
	if err != nil {
		return nil, err
	}
	r.next = 1
	return r, nil
}

// piece returns one opened piece and whether it is the last.
func (d *DB) piece(ctx context.Context, mail int64, part int) ([]byte, bool, error) {
	var sealed []byte
	var last bool
	row := d.db.Read().QueryRowContext(ctx, "SELECT last, sealed FROM content WHERE id = ?", contentID(mail, part))
	err := row.Scan(&last, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows) && part == 0:
		return nil, false, fault.New(fault.MailGone, "open mail", nil)
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, d.missing(ctx, mail)
	case err != nil:
		return nil, false, sqlitedb.Fault("open mail", err)
	}
	plain, err := d.opened(contentAAD(mail, part, last), sealed)
	return plain, last, err
}

// missing tells content that was deleted while it was read from content that was cut short.
func (d *DB) missing(ctx context.Context, mail int64) error {
	var left int
	row := d.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM content WHERE id = ?", contentID(mail, 0))
	if err := row.Scan(&left); err != nil {
		return sqlitedb.Fault("open mail", err)
	}
	if left == 0 {
		return fault.New(fault.MailGone, "read mail", nil)
	}
	return fault.New(fault.QueueDamaged, "read mail", nil)
}

// contentReader reads pieces in order. It holds no row open between two reads.
type contentReader struct {
	piece func(part int) ([]byte, bool, error)
	next  int
	rest  []byte
	last  bool
}

func (r *contentReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.last {
			return 0, io.EOF
		}
		if r.piece == nil {
			return 0, io.ErrClosedPipe
		}
		var err error
		if r.rest, r.last, err = r.piece(r.next); err != nil {
			return 0, err
		}
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *contentReader) Close() error {
	*r = contentReader{}
	return nil
}
