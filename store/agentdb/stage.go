package agentdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"hawser/store/sqlitedb"
	"hawser/sync/fault"
)

// pieceSize is how much of a raw mail is sealed at a time, in bytes. A mail of one piece stays
// in memory until Admit.
const pieceSize = 256 << 10

// maxPieces follows from content.id.
const maxPieces = 1 << 20

// Staged is a raw mail that was read and sealed, but belongs to no mail of the ledger yet.
type Staged struct {
	Size   int64 // bytes
	SHA256 [32]byte

	id      int64  // of the mail it becomes: its pieces are bound to it
	only    []byte // the sealed piece of a small mail
	spooled bool
}

func contentAAD(id int64, part int, last bool) sqlitedb.AAD {
	return sqlitedb.AAD{Table: "content", Row: strconv.FormatInt(id, 10), Schema: schema, Part: part, Last: last}
}

func contentID(mail int64, part int) int64 { return mail<<20 + int64(part) }

// Stage reads a raw mail to its end and seals it. A larger one is stored piece by piece as it is
// read, so memory does not grow with the mail; what is neither admitted nor discarded is removed
// at the next Open. An error of r is returned wrapped. Calls may run in parallel.
func (d *DB) Stage(ctx context.Context, r io.Reader) (Staged, error) {
	pooled := d.pieces.Get().(*[]byte)
	defer d.pieces.Put(pooled)
	buf := *pooled
	n, err := readPiece(r, buf)
	if err != nil {
		return Staged{}, err
	}
	s := Staged{id: d.nextID.Add(1)}
	sum := sha256.New()
	if n <= pieceSize {
		s.only = d.sealPiece(&s, sum, contentAAD(s.id, 0, true), buf[:n])
	} else if err := d.spool(ctx, &s, sum, spooling{r: r, buf: buf, n: n}); err != nil {
		return Staged{}, errors.Join(err, d.Discard(context.WithoutCancel(ctx), &s))
	}
	sum.Sum(s.SHA256[:0])
	clear(buf[:n]) // the pool keeps no plain text of small mails, and only the tail of large ones
	return s, nil
}

// spooling is a large mail while it is read: buf[:n] is what comes next.
type spooling struct {
	r   io.Reader
	buf []byte
	n   int
}

// spool stores every piece in its own short transaction, so that other writers get their turn.
func (d *DB) spool(ctx context.Context, s *Staged, sum hash.Hash, in spooling) error {
	s.spooled = true
	for part := 0; part < maxPieces; part++ {
		last := in.n <= pieceSize
		sealed := d.sealPiece(s, sum, contentAAD(s.id, part, last), in.buf[:min(in.n, pieceSize)])
		err := d.db.Tx(ctx, "stage mail", func(ctx context.Context, tx *sql.Tx) error {
			if part == 0 {
				if _, err := tx.ExecContext(ctx, "INSERT INTO spool (mail) VALUES (?)", s.id); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, insertContent, contentID(s.id, part), last, sealed)
			return err
		})
		if err != nil || last {
			return err
		}
		in.buf[0] = in.buf[pieceSize]
		n, err := readPiece(in.r, in.buf[1:])
		if err != nil {
			return err
		}
		in.n = n + 1
	}
	return fault.New(fault.MailTooLarge, "stage mail", nil)
}

const insertContent = "INSERT INTO content (id, last, sealed) VALUES (?, ?, ?)"

// sealPiece seals one piece and adds it to size and sum.
func (d *DB) sealPiece(s *Staged, sum hash.Hash, at sqlitedb.AAD, plain []byte) []byte {
	s.Size += int64(len(plain))
	sum.Write(plain)
	return d.seal.Seal(at, plain)
}

// readPiece fills buf as far as r goes.
func readPiece(r io.Reader, buf []byte) (int, error) {
	n, err := io.ReadFull(r, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, fmt.Errorf("read mail: %w", err)
	}
	return n, nil
}

// Discard gives up a staged mail that will not be admitted.
func (d *DB) Discard(ctx context.Context, s *Staged) error {
	if s == nil || !s.spooled {
		return nil
	}
	return d.db.Tx(ctx, "discard mail", func(ctx context.Context, tx *sql.Tx) error { return dropStaged(ctx, tx, s) })
}

func dropStaged(ctx context.Context, tx *sql.Tx, s *Staged) error {
	if s == nil || !s.spooled {
		return nil
	}
	if err := dropContent(ctx, tx, s.id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM spool WHERE mail = ?", s.id)
	return err
}

func dropContent(ctx context.Context, tx *sql.Tx, mail int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM content WHERE id BETWEEN ? AND ?", contentID(mail, 0), contentID(mail, maxPieces-1))
	return err
}
