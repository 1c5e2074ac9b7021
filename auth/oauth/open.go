package oauth

import (
	"context"
	"errors"
	"time"

	"hawser/sync/fault"
)

// openLimit is how long the opener may run; some go on for as long as the browser lives.
const openLimit = 10 * time.Second

// OpenBrowser returns an Open for a [Request] that shows a page in the person's browser. env is
// the environment of the opener, which honours BROWSER on Linux; nil is this process's own. Only
// https, and http on this computer, is opened, as one argument and without a shell.
func OpenBrowser(env []string) func(ctx context.Context, url string) error {
	return func(ctx context.Context, url string) error {
		const op = "open browser"
		u, err := secureURL(url)
		if err != nil {
			return fault.New(fault.SiteRefused, op, err)
		}
		cmd := opener(u.String())
		cmd.Env = env
		if err := cmd.Start(); err != nil {
			return fault.New(fault.BrowserMissing, op, errors.New("no program opens web pages"))
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }() // reaps the opener, which may outlive this call by design
		limit := time.NewTimer(openLimit)
		defer limit.Stop()
		select {
		case err := <-ended:
			if err != nil {
				return fault.New(fault.BrowserMissing, op, err)
			}
		case <-limit.C:
		case <-ctx.Done():
		}
		return nil
	}
}
