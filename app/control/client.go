package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// Client is a running agent as seen through its socket. Its errors are *fault.Error (NotRunning
// when the agent is gone), or wrap ctx's error when ctx ended first.
type Client struct {
	http *http.Client
}

var _ Agent = (*Client)(nil)

// Dial returns a client of the agent that serves dir, after that agent has answered. Faults:
// NotRunning; Stalled when something listens but does not answer within five seconds;
// ConfigInvalid when the socket belongs to another user.
func Dial(ctx context.Context, dir string) (*Client, error) {
	c := &Client{http: &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dialLocal(ctx, dir) },
		DisableKeepAlives:  true, // a local connection is cheap, an idle one costs two goroutines
		DisableCompression: true,
	}}}
	hello, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if _, err := c.Fetch(hello); err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return nil, fault.New(fault.Stalled, "dial agent", err)
		}
		return nil, err
	}
	return c, nil
}

// Fetch returns the present status.
func (c *Client) Fetch(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, "status", none{})
}

// Status returns the present status, or the zero Status when the agent does not answer within
// five seconds; callers that hold a context use [Client.Fetch].
func (c *Client) Status() Status {
	quick := http.Client{Transport: c.http.Transport, Timeout: dialTime}
	resp, err := quick.Post(address("status"), "application/json", http.NoBody)
	if err != nil {
		return Status{}
	}
	s, err := read[Status](resp, "status")
	if err != nil {
		return Status{}
	}
	return s
}

// Watch implements [Agent.Watch] over one kept-open response; NotRunning when the agent ends.
func (c *Client) Watch(ctx context.Context, changed func(Status) error) error {
	return c.follow(ctx, "watch", none{}, func(l line) error {
		if l.Status == nil {
			return nil
		}
		return changed(*l.Status)
	})
}

// CheckNow implements [Agent.CheckNow].
func (c *Client) CheckNow(ctx context.Context) error { return c.do(ctx, "check", none{}) }

// Pause implements [Agent.Pause].
func (c *Client) Pause(ctx context.Context, until time.Time) error {
	return c.do(ctx, "pause", pauseRequest{Until: until})
}

// Resume implements [Agent.Resume].
func (c *Client) Resume(ctx context.Context) error { return c.do(ctx, "resume", none{}) }

// Stop implements [Agent.Stop]; it returns once the agent has agreed, not once it is gone.
func (c *Client) Stop(ctx context.Context) error { return c.do(ctx, "stop", none{}) }

// Enrol implements [Agent.Enrol].
func (c *Client) Enrol(ctx context.Context, pasted secret.String) (Company, error) {
	return call[Company](ctx, c, "enrol", enrolRequest{Pasted: pasted.Reveal()})
}

// Offer implements [Agent.Offer].
func (c *Client) Offer(ctx context.Context, link secret.String) error {
	return c.do(ctx, "offer", enrolRequest{Pasted: link.Reveal()})
}

// AnswerOffer implements [Agent.AnswerOffer].
func (c *Client) AnswerOffer(ctx context.Context, server string, join bool) (Company, error) {
	return call[Company](ctx, c, "offer-answer", offerRequest{Server: server, Join: join})
}

// SignIn implements [Agent.SignIn]; ctx ending cancels the sign-in in the agent.
func (c *Client) SignIn(ctx context.Context, side string, progress func(SignInStep)) error {
	return c.follow(ctx, "signin", signInRequest{Side: side}, func(l line) error {
		if l.Step != nil {
			progress(*l.Step)
		}
		return nil
	})
}

// SignOut implements [Agent.SignOut].
func (c *Client) SignOut(ctx context.Context, side string, discard bool) (SignOutResult, error) {
	return call[SignOutResult](ctx, c, "signout", signOutRequest{Side: side, Discard: discard})
}

// Unbind implements [Agent.Unbind].
func (c *Client) Unbind(ctx context.Context) (UnbindResult, error) {
	return call[UnbindResult](ctx, c, "unbind", none{})
}

// App implements [Agent.App].
func (c *Client) App(ctx context.Context, side string) (App, error) {
	return call[App](ctx, c, "app", signInRequest{Side: side})
}

// Aliases implements [Agent.Aliases].
func (c *Client) Aliases(ctx context.Context) ([]Alias, error) {
	return call[[]Alias](ctx, c, "aliases", none{})
}

// SetAlias implements [Agent.SetAlias].
func (c *Client) SetAlias(ctx context.Context, address string, on bool) error {
	return c.do(ctx, "alias", aliasRequest{Address: address, On: on})
}

// Mails implements [Agent.Mails].
func (c *Client) Mails(ctx context.Context, q MailQuery) (MailList, error) {
	return call[MailList](ctx, c, "mails", q)
}

// Capture implements [Agent.Capture].
func (c *Client) Capture(ctx context.Context, r CaptureRequest) (CaptureResult, error) {
	return call[CaptureResult](ctx, c, "capture", r)
}

// Queue implements [Agent.Queue].
func (c *Client) Queue(ctx context.Context, state string, limit int) ([]QueueItem, error) {
	return call[[]QueueItem](ctx, c, "queue", listRequest{State: state, Limit: limit})
}

// RetryItem implements [Agent.RetryItem].
func (c *Client) RetryItem(ctx context.Context, id int64) error {
	return c.do(ctx, "retry", itemRequest{ID: id})
}

// SkipItem implements [Agent.SkipItem].
func (c *Client) SkipItem(ctx context.Context, id int64) error {
	return c.do(ctx, "skip", itemRequest{ID: id})
}

// Journal implements [Agent.Journal].
func (c *Client) Journal(ctx context.Context, q JournalQuery) ([]JournalItem, error) {
	return call[[]JournalItem](ctx, c, "journal", q)
}

func (c *Client) do(ctx context.Context, verb string, in any) error {
	_, err := call[none](ctx, c, verb, in)
	return err
}

// follow hands each line of a stream to each, until the stream says it is done. A stream that
// just ends is a dead agent.
func (c *Client) follow(ctx context.Context, verb string, in any, each func(line) error) error {
	resp, err := c.post(ctx, verb, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	for {
		var l line
		if err := dec.Decode(&l); err != nil {
			return lost(ctx, verb, err)
		}
		switch {
		case l.Done:
			return nil
		case l.Fault != nil:
			return l.Fault.fault(verb)
		}
		if err := each(l); err != nil {
			return err
		}
	}
}

// call runs a command that has one answer.
func call[Out any](ctx context.Context, c *Client, verb string, in any) (Out, error) {
	resp, err := c.post(ctx, verb, in)
	if err != nil {
		var zero Out
		return zero, err
	}
	out, err := read[Out](resp, verb)
	if err != nil && fault.Is(err, fault.NotRunning) {
		return out, lost(ctx, verb, err)
	}
	return out, err
}

// address is where a verb lives. The host is a name only: the connection is the socket.
func address(verb string) string { return "http://hawser/v1/" + verb }

func (c *Client) post(ctx context.Context, verb string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fault.New(fault.Internal, verb, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address(verb), bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Internal, verb, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, lost(ctx, verb, err)
	}
	return resp, nil
}

// read decodes one answer and closes the response.
func read[Out any](resp *http.Response, verb string) (Out, error) {
	defer resp.Body.Close()
	var a answer[Out]
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return a.Result, cut(verb, err)
	}
	if a.Fault != nil {
		return a.Result, a.Fault.fault(verb)
	}
	return a.Result, nil
}

// lost says why no answer came: the caller gave up, nobody listens, the place is not ours, or the
// agent went away in the middle.
func lost(ctx context.Context, verb string, err error) error {
	var f *fault.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", verb, ctx.Err())
	case errors.As(err, &f):
		return f
	case nobodyListens(err):
		return fault.New(fault.NotRunning, verb, err)
	}
	return cut(verb, err)
}

// cut is the fault of an agent that went away before its answer: the command may have been done.
func cut(verb string, err error) *fault.Error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	f := fault.New(fault.NotRunning, verb, err)
	f.Unknown = true
	return f
}
