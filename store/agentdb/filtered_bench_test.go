package agentdb

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"hawser/sync/capture"
)

// manyFiltered is a mailbox whose owner captures little.
const manyFiltered = 100_000

// BenchmarkFiltered is what mails cost that automatic capture leaves alone. Each iteration fills
// one ledger.
func BenchmarkFiltered(b *testing.B) {
	var took time.Duration
	var m filteredCost
	for b.Loop() {
		m = fillFiltered(b, filepath.Join(b.TempDir(), "queue.db"))
		took += m.admit
	}
	b.ReportMetric(float64(b.N*manyFiltered)/took.Seconds(), "mails/s")
	b.ReportMetric(m.bytes, "bytes/row")
	b.ReportMetric(float64(m.open.Microseconds())/1000, "open-ms")
	b.ReportMetric(float64(m.count.Nanoseconds())/1000, "counts-us")
	b.ReportMetric(float64(m.known.Nanoseconds())/1000, "known-us/key")
	b.ReportMetric(float64(m.idle.Microseconds())/1000, "tidy-nothing-ms")
	b.ReportMetric(float64(m.purge.Microseconds())/1000, "tidy-all-ms")
}

type filteredCost struct {
	admit, open, count, known, idle, purge time.Duration
	bytes                                  float64
}

func fillFiltered(b *testing.B, path string) (m filteredCost) {
	d, err := Open(b.Context(), config(path))
	if err != nil {
		b.Fatal(err)
	}
	before := pages(b, d)
	keys := make([]capture.Key, manyFiltered)
	for i := range keys {
		keys[i] = keyOf(i)
	}
	start := time.Now()
	for n := 0; n < manyFiltered; n += batchSize {
		filterBatch(b, d, keys[n:n+batchSize], n)
	}
	m.admit = time.Since(start)
	m.bytes = float64(pages(b, d)-before) / manyFiltered
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}

	start = time.Now()
	if d, err = Open(b.Context(), config(path)); err != nil {
		b.Fatal(err)
	}
	m.open = time.Since(start)
	start = time.Now()
	for range 100 {
		if c := counts(b, d); c.Filtered != manyFiltered {
			b.Fatalf("counts %+v", c)
		}
	}
	m.count = time.Since(start) / 100
	start = time.Now()
	for n := 0; n < manyFiltered; n += 100 * batchSize {
		known, err := d.Known(b.Context(), keys[n:n+batchSize])
		if err != nil || len(known) != batchSize {
			b.Fatalf("%d known, %v", len(known), err)
		}
	}
	m.known = time.Since(start) / (manyFiltered / 100)
	m.idle, m.purge = timeTidy(b, d, d.now(), 0), timeTidy(b, d, d.now().Add(Kept+time.Hour), manyFiltered)
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	return m
}

func timeTidy(b *testing.B, d *DB, now time.Time, want int) time.Duration {
	start := time.Now()
	if t, err := d.Tidy(b.Context(), now); err != nil || t.Filtered != want {
		b.Fatalf("%+v, %v", t, err)
	}
	return time.Since(start)
}

func filterBatch(b *testing.B, d *DB, keys []capture.Key, n int) {
	mails := make([]NewMail, len(keys))
	for i, key := range keys {
		h := headOf(n + i)
		mails[i] = NewMail{
			Key: key, Fingerprint: capture.Fingerprint(h), State: Filtered, Reason: "no-rule-allows", Mark: capture.MarkRule, Head: h,
			Ref: capture.Ref{Folder: "INBOX", Validity: 1, UID: uint32(n + i + 1)}, Size: meanMail, Received: h.Date,
		}
	}
	cursor := capture.Cursor{Folder: "INBOX", Validity: 1, Next: uint32(n + len(keys) + 1)}
	if _, err := d.Admit(b.Context(), mails, []capture.Cursor{cursor}); err != nil {
		b.Fatal(err)
	}
}

// pages returns the bytes that the file takes.
func pages(b *testing.B, d *DB) int {
	b.Helper()
	n := 0
	err := d.db.Tx(context.Background(), "measure", func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&n)
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
