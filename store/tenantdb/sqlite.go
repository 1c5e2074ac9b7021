package tenantdb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"sync"

	"hawser/store/sqlitedb"
)

//go:embed migrations
var migrations embed.FS

// lite is the embedded database: one file, one writer.
type lite struct {
	db *sqlitedb.DB
	// Compiled statements, by text: compiling takes longer than running.
	writing, reading statements
	used             usedNonces
	insert           *sql.Stmt // of used nonces
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
	l := &lite{db: db, writing: statements{compile: db.Prepare}, reading: statements{compile: db.Read().PrepareContext}}
	// The default cache suits an agent; here every check-in changes a row anywhere in the file.
	err = db.Tx(ctx, "set cache", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "PRAGMA cache_size = -65536")
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if l.insert, err = db.Prepare(ctx, "INSERT INTO nonces (ends, ids) VALUES (?, ?)"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := l.read(ctx, "read nonces", job{single: true, do: l.used.load}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

func (l *lite) write(ctx context.Context, op string, jobs ...job) error {
	var own error
	q := liteQuerier{from: &l.writing}
	err := l.db.Tx(ctx, op, func(ctx context.Context, tx *sql.Tx) error {
		q.on, q.bind = tx, tx.StmtContext
		for _, j := range jobs {
			if own = j.do(ctx, &q); own != nil {
				return own
			}
		}
		return nil
	})
	if err == nil {
		err = l.writing.learn(ctx, q.unknown)
	}
	return told(op, own, err)
}

func (l *lite) read(ctx context.Context, op string, j job) error {
	// The driver starts a goroutine for every statement whose context can end.
	ctx = context.WithoutCancel(ctx)
	own := l.readIn(ctx, j)
	return told(op, own, own)
}

func (l *lite) readIn(ctx context.Context, j job) (err error) {
	q := liteQuerier{from: &l.reading, on: l.db.Read()}
	if !j.single {
		tx, err := l.db.Read().BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // nothing was changed
		q.on, q.bind = tx, tx.StmtContext
	}
	if err := j.do(ctx, &q); err != nil {
		return err
	}
	return l.reading.learn(ctx, q.unknown)
}

// told lets the answers of a store through and makes a fault of everything else.
func told(op string, own, err error) error {
	if own != nil && isAnswer(own) {
		return fmt.Errorf("%s: %w", op, own)
	}
	return sqlitedb.Fault(op, err)
}

// tell has nobody to tell: the file belongs to one process.
func (l *lite) tell(ctx context.Context, q querier, tenant, _ string) (bool, error) {
	var n int64
	return one(ctx, q, []any{&n}, "SELECT 1 FROM tenant WHERE id = $1", tenant)
}

func (l *lite) ping(ctx context.Context) error {
	return sqlitedb.Fault("ping", l.db.Read().PingContext(ctx))
}

// lanes is one: a file has one writer.
func (l *lite) lanes() int { return 1 }

func (l *lite) close() error { return l.db.Close() }

// sqlRunner is what *sql.DB and *sql.Tx have in common.
type sqlRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// statements are compiled ones. All texts are this program's own, so there is an end to them.
type statements struct {
	compile func(ctx context.Context, query string) (*sql.Stmt, error)

	mu  sync.RWMutex
	all map[string]*sql.Stmt
}

func (s *statements) get(query string) *sql.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[query]
}

// learn compiles what was not known. It may not be called inside a transaction, whose connection
// it would wait for.
func (s *statements) learn(ctx context.Context, queries []string) error {
	for _, query := range queries {
		if s.get(query) != nil {
			continue
		}
		stmt, err := s.compile(context.WithoutCancel(ctx), numbered(query))
		if err != nil {
			return err
		}
		s.mu.Lock()
		if s.all == nil {
			s.all = map[string]*sql.Stmt{}
		}
		s.all[query] = stmt
		s.mu.Unlock()
	}
	return nil
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

// numbered writes parameters in the way that SQLite is quick with: it looks $1 up as a name among
// all names, and knows a ? that stands in order by its place.
func numbered(query string) string {
	inOrder, n := true, 0
	text := parameter.ReplaceAllStringFunc(query, func(p string) string {
		n++
		inOrder = inOrder && p == "$"+strconv.Itoa(n)
		return "?" + p[1:]
	})
	if inOrder {
		text = parameter.ReplaceAllLiteralString(query, "?")
	}
	return text
}

type liteQuerier struct {
	on      sqlRunner
	from    *statements
	bind    func(context.Context, *sql.Stmt) *sql.Stmt // nil outside transactions
	unknown []string
}

// compiled returns the statement for a query, or nil when it has to be run as a text this time.
func (q *liteQuerier) compiled(ctx context.Context, query string) *sql.Stmt {
	stmt := q.from.get(query)
	switch {
	case stmt == nil:
		q.unknown = append(q.unknown, query)
	case q.bind != nil:
		return q.bind(ctx, stmt)
	}
	return stmt
}

func (q *liteQuerier) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	var res sql.Result
	if stmt := q.compiled(ctx, query); stmt != nil {
		res, err = stmt.ExecContext(ctx, args...)
	} else {
		res, err = q.on.ExecContext(ctx, numbered(query), args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q *liteQuerier) query(ctx context.Context, query string, args ...any) (rows, error) {
	var r *sql.Rows
	var err error
	if stmt := q.compiled(ctx, query); stmt != nil {
		r, err = stmt.QueryContext(ctx, args...)
	} else {
		r, err = q.on.QueryContext(ctx, numbered(query), args...)
	}
	if err != nil {
		return nil, err
	}
	return liteRows{r}, nil
}

type liteRows struct{ *sql.Rows }

// Close's error is the one that Err returns.
func (r liteRows) Close() { _ = r.Rows.Close() }
