package tenantdb

import (
	"context"
	"os"
	"time"
)

// DieAfter has the process killed, as by kill -9, after n more statements of writing transactions.
func (d *DB) DieAfter(n int) { d.b = dying{d.b, &n} }

type dying struct {
	backend
	left *int
}

func (b dying) write(ctx context.Context, op string, jobs ...job) error {
	for i, j := range jobs {
		do := j.do
		jobs[i].do = func(ctx context.Context, q querier) error { return do(ctx, dyingQuerier{q, b.left}) }
	}
	err := b.backend.write(ctx, op, jobs...)
	step(b.left) // after the commit and before the answer
	return err
}

type dyingQuerier struct {
	querier
	left *int
}

func (q dyingQuerier) exec(ctx context.Context, query string, args ...any) (int64, error) {
	step(q.left)
	return q.querier.exec(ctx, query, args...)
}

func step(left *int) {
	if *left == 0 {
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			panic(err)
		}
		time.Sleep(time.Minute)
	}
	*left--
}

// Fill gives a tenant n users with a device each, named u0 and d0 and so on.
func (d *DB) Fill(ctx context.Context, tenant string, n int) error {
	const counter = "WITH RECURSIVE c (i) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT i + 1 FROM c WHERE i + 1 < $3) "
	for from := 0; from < n; from += 20_000 {
		err := d.b.write(ctx, "fill", job{scope: scope{tenant: tenant}, do: func(ctx context.Context, q querier) error {
			for _, text := range []string{
				counter + `INSERT INTO person SELECT CAST($1 AS TEXT), 'u' || i, '', '00D', '005' || i, 'u' || i || '@acme.example', '[]', 'active', 1, 'operator', 1, 1, 1, 1 FROM c`,
				counter + `INSERT INTO api_key SELECT 'd' || i, CAST($1 AS TEXT), 'device', '', 'u' || i, CAST('a sealed secret that is as long as a real one, sixty bytes.' AS ` + d.blob() + `), 0, '', 1 FROM c`,
				counter + `INSERT INTO device SELECT CAST($1 AS TEXT), 'd' || i, 'u' || i, 'a registration of its own ' || i, CAST('thirty-two bytes of a key hash..' AS ` + d.blob() + `), 'active', 1, 'code', 1, 0, '1.2.3', 'linux', '', '', 0, 0, 0, 0, 0, 0, 0 FROM c`,
			} {
				if _, err := q.exec(ctx, text, tenant, int64(from), int64(min(from+20_000, n))); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) blob() string {
	if _, ok := d.b.(*lite); ok {
		return "BLOB"
	}
	return "BYTEA"
}

// Touch tells other servers of a change that nobody made.
func (d *DB) Touch(ctx context.Context, tenant, subject string) error {
	return d.b.write(ctx, "touch", job{scope: scope{tenant: tenant}, do: func(ctx context.Context, q querier) error {
		_, err := d.b.tell(ctx, q, tenant, subject)
		return err
	}})
}
