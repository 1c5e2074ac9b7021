package imapsource

import (
	"context"
	"sync"
)

// relay runs the sink's side of a scan on the caller's goroutine while another one reads ahead.
type relay struct {
	jobs chan func() error
	wg   sync.WaitGroup
}

// relayed runs produce on a goroutine of its own and what it posts on this one, until both are
// over. The first error of a job ends produce's context.
func relayed(ctx context.Context, produce func(context.Context, *relay) error) error {
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := &relay{jobs: make(chan func() error, 1)}
	var perr error
	q.wg.Go(func() {
		defer close(q.jobs)
		perr = produce(pctx, q)
	})
	var failed error
	for job := range q.jobs {
		if failed == nil {
			if failed = job(); failed != nil {
				cancel()
			}
		}
	}
	q.wg.Wait()
	if failed != nil {
		return failed
	}
	return perr
}

// post queues a job.
func (q *relay) post(ctx context.Context, job func() error) error {
	select {
	case q.jobs <- job:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call queues a job and waits for its end.
func (q *relay) call(ctx context.Context, job func() error) error {
	done := make(chan error, 1)
	if err := q.post(ctx, func() error {
		err := job()
		done <- err
		return err
	}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
