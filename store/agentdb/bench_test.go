package agentdb

import (
	"bytes"
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
)

// An average mail and a batch, as the first capture of a mailbox hands them over.
const (
	meanMail  = 13_600
	batchSize = 200
)

// BenchmarkAdmit compares admission, sealing included, with what SQLite and the disk can do with
// the same bytes. Each iteration is one batch; mails/s is what counts.
func BenchmarkAdmit(b *testing.B) {
	raw := randomBytes(meanMail)
	b.Run("admit", func(b *testing.B) {
		d := open(b, filepath.Join(b.TempDir(), "queue.db"))
		n := 0
		for b.Loop() {
			admitBatch(b, d, &n, raw)
		}
		perSecond(b)
	})
	b.Run("lifecycle", func(b *testing.B) {
		d := open(b, filepath.Join(b.TempDir(), "queue.db"))
		n := 0
		for b.Loop() {
			admitBatch(b, d, &n, raw)
			finish(b, d)
		}
		perSecond(b)
	})
	b.Run("bare-sqlite", func(b *testing.B) { bareSQLite(b, raw) })
	b.Run("write+fsync", func(b *testing.B) { writeSync(b, raw) })
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N*batchSize)/b.Elapsed().Seconds(), "mails/s")
}

func admitBatch(b *testing.B, d *DB, n *int, raw []byte) {
	mails := make([]NewMail, batchSize)
	for i := range mails {
		*n++
		s, err := d.Stage(b.Context(), bytes.NewReader(raw))
		if err != nil {
			b.Fatal(err)
		}
		h := headOf(*n)
		mails[i] = NewMail{
			Key: keyOf(*n), Fingerprint: capture.Fingerprint(h), State: Waiting, Mark: capture.MarkFolder, Head: h,
			Ref: capture.Ref{Folder: "Salesforce", Validity: 1, UID: uint32(*n)}, Staged: &s,
		}
	}
	cursor := capture.Cursor{Folder: "Salesforce", Validity: 1, Next: uint32(*n + 1)}
	if _, err := d.Admit(b.Context(), mails, []capture.Cursor{cursor}); err != nil {
		b.Fatal(err)
	}
}

func finish(b *testing.B, d *DB) {
	jobs, err := d.Due(b.Context(), time.Now(), batchSize, 1<<40)
	if err != nil || len(jobs) != batchSize {
		b.Fatalf("%d jobs, %v", len(jobs), err)
	}
	ids, outcomes := make([]int64, len(jobs)), make([]deliver.Outcome, len(jobs))
	for i, j := range jobs {
		ids[i], outcomes[i] = j.ID, deliver.Outcome{Job: j.ID, Verdict: deliver.Sent, RecordID: "02s000000000001AAA", Kind: deliver.Email}
	}
	if err := d.Begin(b.Context(), time.Now(), ids); err != nil {
		b.Fatal(err)
	}
	if err := d.Settle(b.Context(), time.Now(), outcomes); err != nil {
		b.Fatal(err)
	}
}

// bareSQLite inserts plain rows of the same size into one table with one index, with the same
// durability.
func bareSQLite(b *testing.B, raw []byte) {
	schema := fstest.MapFS{"001_bare.sql": {Data: []byte("-- +goose Up\nCREATE TABLE bare (id INTEGER PRIMARY KEY, key INTEGER UNIQUE, raw BLOB);\n")}}
	d, err := sqlitedb.Open(b.Context(), sqlitedb.Config{Path: filepath.Join(b.TempDir(), "bare.db"), Migrations: schema})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	id := 0
	for b.Loop() {
		err := d.Tx(b.Context(), "insert", func(ctx context.Context, tx *sql.Tx) error {
			stmt, err := tx.PrepareContext(ctx, "INSERT INTO bare (id, key, raw) VALUES (?, ?, ?)")
			if err != nil {
				return err
			}
			for range batchSize {
				id++
				if _, err := stmt.ExecContext(ctx, id, rand.Int64(), raw); err != nil {
					return err
				}
			}
			return stmt.Close()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

// writeSync appends the same bytes to a plain file, with a sync for each batch.
func writeSync(b *testing.B, raw []byte) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	batch := bytes.Repeat(raw, batchSize)
	for b.Loop() {
		if _, err := f.Write(batch); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}
