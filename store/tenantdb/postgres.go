package tenantdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"hawser/auth/provision"
)

// postgres is a database that several replicas may share.
type postgres struct{ pool *pgxpool.Pool }

// maxConns is how many connections one server opens, unless pool_max_conns in the address says
// otherwise. Group commits keep three busy.
const maxConns = 12

// pgRetries is how often work that lost against another replica is tried again.
const pgRetries = 5

// Limits that the server of the database keeps for us: a replica that hangs holds no lock for
// longer, and a client that goes away does not cost a connection.
var pgLimits = map[string]string{
	"application_name": "hawserd", "statement_timeout": "15s", "lock_timeout": "10s",
	"idle_in_transaction_session_timeout": "15s", "timezone": "UTC",
}

func openPostgres(ctx context.Context, url string) (*postgres, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("open database: the address is not a PostgreSQL one") // err may repeat a password
	}
	for name, value := range pgLimits {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	if !strings.Contains(url, "pool_max_conns=") {
		cfg.MaxConns = maxConns
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	p := &postgres{pool: pool}
	if err := p.check(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return p, nil
}

// ErrRole says that the role of the server could look past row-level security.
var ErrRole = errors.New("the database role is a superuser, bypasses row security or owns tables; use another one")

// ErrSchema says that the database is older or newer than this program.
var ErrSchema = errors.New("the database has another schema version; run hawserd migrate of this version")

// check refuses a role that the second wall does not hold, and another schema.
func (p *postgres) check(ctx context.Context) error {
	var strong bool
	const role = `SELECT r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT 1 FROM pg_class c
		WHERE c.relowner = r.oid AND c.relkind = 'r') FROM pg_roles r WHERE r.rolname = current_user`
	if err := p.pool.QueryRow(ctx, role).Scan(&strong); err != nil {
		return fmt.Errorf("read database role: %w", err)
	}
	if strong {
		return ErrRole
	}
	var have int64
	err := p.pool.QueryRow(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&have)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "42501") { // no such table, no right to read it
		return ErrSchema
	}
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	files, err := fs.Glob(migrations, "migrations/postgres/*.sql")
	if err != nil || int64(len(files)) != have {
		return errors.Join(ErrSchema, err)
	}
	return nil
}

// Migrate brings a PostgreSQL database to the newest schema and lets role use it. url belongs to
// the owner of the tables; role is the one that hawserd serve connects as. Replicas that start at
// the same time wait for each other.
func Migrate(ctx context.Context, url, role string) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return errors.New("migrate: the address is not a PostgreSQL one") // err may repeat a password
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if have > want {
		return fmt.Errorf("schema %d, known %d: %w", have, want, ErrSchema)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return grant(ctx, db, pgx.Identifier{role}.Sanitize())
}

// grant gives a role what the server does and no more: nobody rewrites the audit log. Only one
// process at a time may change the rights to a table.
func grant(ctx context.Context, db *sql.DB, role string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("grant rights to the server's role: %w", err)
	}
	for _, text := range []string{
		"SELECT pg_advisory_xact_lock(hashtextextended('hawserd grant', 0))",
		"GRANT USAGE ON SCHEMA public TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role,
		"GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA public TO " + role,
		"REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM " + role,
		"REVOKE UPDATE, DELETE ON audit FROM " + role,
	} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return errors.Join(fmt.Errorf("grant rights to the server's role: %w", err), tx.Rollback())
		}
	}
	return tx.Commit()
}

// setScope is sent in one round trip with BEGIN.
const setScope = "SELECT set_config('app.tenant', $1, true), set_config('app.key', $2, true), set_config('app.operator', $3, true)"

func (s scope) args() []any {
	operator := ""
	if s.operator {
		operator = "yes"
	}
	return []any{s.tenant, s.keys, operator}
}

func (p *postgres) write(ctx context.Context, op string, jobs ...job) error {
	// Ending ctx would close the connection; the limits above bound the time instead.
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := p.once(ctx, "BEGIN", jobs)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") && try < pgRetries {
			time.Sleep(time.Duration(try) * 5 * time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", op, passing(err))
		}
		return nil
	}
}

// passing marks an error that goes away by itself: locks and connections that were waited for too
// long, transactions that got in each other's way, a server that restarts or has no room.
func passing(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case strings.HasPrefix(pg.Code, "40"), strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "57P"),
			pg.Code == "55P03", pg.Code == "57014":
			return fmt.Errorf("%w: %w", provision.ErrBusy, err)
		}
		return err
	}
	if pgconn.Timeout(err) || pgconn.SafeToRetry(err) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", provision.ErrBusy, err)
	}
	return err
}

func (p *postgres) read(ctx context.Context, op string, j job) error {
	ctx = context.WithoutCancel(ctx)
	if j.single {
		return p.readOnce(ctx, op, j)
	}
	if err := p.once(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", []job{j}); err != nil {
		return fmt.Errorf("%s: %w", op, passing(err))
	}
	return nil
}

// readOnce sends the whole transaction of a job with one statement in one round trip.
func (p *postgres) readOnce(ctx context.Context, op string, j job) error {
	conn, err := p.acquire(ctx)
	if err == nil {
		defer conn.Release()
		err = j.do(ctx, &pgSingle{on: conn, scope: j.scope})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, passing(err))
	}
	return nil
}

// once runs the jobs in one transaction.
func (p *postgres) once(ctx context.Context, begin string, jobs []job) (err error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // a connection inside a transaction is closed by the pool, which undoes it
	last := scope{}
	for i, j := range jobs {
		if i == 0 || j.scope != last {
			var b pgx.Batch
			if i == 0 {
				b.Queue(begin)
			}
			b.Queue(setScope, j.scope.args()...)
			if j.scope.late {
				b.Queue("SET LOCAL synchronous_commit = off")
			}
			if j.scope.alone {
				b.Queue("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", j.scope.tenant)
			}
			if err := conn.SendBatch(ctx, &b).Close(); err != nil {
				return err
			}
			last = j.scope
		}
		if err := j.do(ctx, pgQuerier{conn}); err != nil {
			_, undo := conn.Exec(ctx, "ROLLBACK")
			return errors.Join(err, undo)
		}
	}
	tag, err := conn.Exec(ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" {
		err = errors.New("the transaction was undone")
	}
	return err
}

// acquireWithin bounds how long a request waits for a connection.
const acquireWithin = 10 * time.Second

func (p *postgres) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireWithin)
	defer cancel()
	return p.pool.Acquire(ctx)
}

// maxChanged is how many changes of a tenant other servers can catch up with one by one.
const maxChanged = 1024

func (p *postgres) tell(ctx context.Context, q querier, tenant, subject string) (bool, error) {
	n, err := q.exec(ctx, `WITH t AS (UPDATE tenant SET version = version + 1 WHERE id = $1 RETURNING id, version)
		INSERT INTO changed (tenant, slot, version, subject) SELECT id, version % 1024, version, $2 FROM t
		ON CONFLICT (tenant, slot) DO UPDATE SET version = excluded.version, subject = excluded.subject`, tenant, subject)
	return n == 1, err
}

func (p *postgres) ping(ctx context.Context) error { return p.pool.Ping(ctx) }

// lanes lets a process of the database insert while another one waits for the disk.
func (p *postgres) lanes() int { return 2 }

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}

type pgQuerier struct{ on *pgxpool.Conn }

func (q pgQuerier) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := q.on.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (q pgQuerier) query(ctx context.Context, query string, args ...any) (rows, error) {
	return q.on.Query(ctx, query, args...)
}

// pgSingle runs one query. What is sent in one round trip is one transaction.
type pgSingle struct {
	on    *pgxpool.Conn
	scope scope
}

func (q *pgSingle) exec(context.Context, string, ...any) (int64, error) {
	return 0, errors.New("a job that reads with one statement changes nothing")
}

func (q *pgSingle) query(ctx context.Context, query string, args ...any) (rows, error) {
	var b pgx.Batch
	b.Queue(setScope, q.scope.args()...)
	b.Queue(query, args...)
	results := q.on.SendBatch(ctx, &b)
	_, err := results.Exec()
	if err != nil {
		return nil, errors.Join(err, results.Close())
	}
	r, err := results.Query()
	if err != nil {
		return nil, errors.Join(err, results.Close())
	}
	return &pgSingleRows{Rows: r, results: results}, nil
}

// pgSingleRows ends the transaction with the rows.
type pgSingleRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error
}

// Close may be called again.
func (r *pgSingleRows) Close() {
	r.Rows.Close()
	if err := r.results.Close(); r.err == nil {
		r.err = err
	}
}

// Err is the error of the rows, or of the end of the transaction.
func (r *pgSingleRows) Err() error { return errors.Join(r.Rows.Err(), r.err) }
