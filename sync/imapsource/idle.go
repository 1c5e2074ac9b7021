package imapsource

import (
	"context"
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"hawser/sync/fault"
)

// idler keeps a connection waiting for news: with IDLE (RFC 2177) where the server has it, else
// news come with the answer to each probe.
type idler struct {
	c     *session
	limit time.Duration // silence allowed to an answer
	cmd   *imapclient.IdleCommand
}

// begin starts waiting.
func (i *idler) begin(ctx context.Context) error {
	const op = "wait for mail"
	if !i.c.idle {
		return nil
	}
	err := i.c.do(ctx, i.limit, op, func() (err error) {
		i.cmd, err = i.c.client.Idle()
		return err
	})
	var status *imap.Error
	if errors.As(err, &status) {
		if isBusy(status) {
			return statusFault(fault.MailBusy, op, status)
		}
		i.c.idle, i.cmd = false, nil // announced, not understood
		return nil
	}
	return err
}

// probe makes the server answer, which shows that the connection lives: it ends the IDLE and
// starts another one. ask has the server look for news too.
func (i *idler) probe(ctx context.Context, ask bool) error {
	const op = "probe the mailbox connection"
	err := i.c.do(ctx, i.limit, op, func() error {
		if i.cmd != nil {
			if err := i.cmd.Close(); err != nil {
				return err
			}
			if err := i.cmd.Wait(); err != nil {
				return err
			}
			i.cmd = nil
		}
		if ask || !i.c.idle {
			return i.c.client.Noop().Wait()
		}
		return nil
	})
	var status *imap.Error
	if errors.As(err, &status) {
		return statusFault(fault.MailProtocol, op, status)
	}
	if err != nil {
		return err
	}
	return i.begin(ctx)
}
