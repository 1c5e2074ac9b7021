package tenantdb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"hawser/store/sqlitedb"
)

//go:embed migrations
var migrations embed.FS

// lite is the embedded database: one file, one writer.
type lite struct {
	db *sqlitedb.DB
}

func openLite(ctx context.Context, path string) (*lite, error) {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	db, err := sqlitedb.Open(ctx, sqlitedb.Config{Path: path, Migrations: files})
	if err != nil {
		return nil, err
	}
	return &lite{db: db}, nil
}

func (l *lite) write(ctx context.Context, op string, jobs ...job) error {
	var own error
	err := l.db.Tx(ctx, op, func(ctx context.Context, tx *sql.Tx) error {
		for _, j := range jobs {
			if own = j.do(ctx, liteQuerier{tx}); own != nil {
				return own
			}
		}
		return nil
	})
	return told(op, own, err)
}

func (l *lite) read(ctx context.Context, op string, j job) error {
	// The driver starts a goroutine for every statement whose context can end.
	ctx = context.WithoutCancel(ctx)
	if j.single {
		own := j.do(ctx, liteQuerier{l.db.Read()})
		return told(op, own, own)
	}
	tx, err := l.db.Read().BeginTx(ctx, nil)
	if err != nil {
		return sqlitedb.Fault(op, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	own := j.do(ctx, liteQuerier{tx})
	return told(op, own, own)
}

// told lets the answers of a store through and makes a fault of everything else.
func told(op string, own, err error) error {
	if own != nil && isAnswer(own) {
		return fmt.Errorf("%s: %w", op, own)
	}
	return sqlitedb.Fault(op, err)
}

// lanes: SQLite has one writer.
func (l *lite) lanes() int { return 1 }

func (l *lite) ping(ctx context.Context) error {
	return sqlitedb.Fault("ping", l.db.Read().PingContext(ctx))
}

func (l *lite) close() error { return l.db.Close() }

// sqlRunner is what *sql.DB and *sql.Tx have in common.
type sqlRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type liteQuerier struct{ on sqlRunner }

func (q liteQuerier) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := q.on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q liteQuerier) query(ctx context.Context, query string, args ...any) (rows, error) {
	r, err := q.on.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return liteRows{r}, nil
}

type liteRows struct{ *sql.Rows }

// Close's error is the one that Err returns.
func (r liteRows) Close() { _ = r.Rows.Close() }
