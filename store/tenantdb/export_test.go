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
