package control

import (
	"context"
	"io"
	"net/http"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// Folders implements [Chooser.Folders].
func (c *Client) Folders(ctx context.Context) ([]capture.Folder, error) {
	return call[[]capture.Folder](ctx, c, "folders", none{})
}

// Preview implements [Chooser.Preview].
func (c *Client) Preview(ctx context.Context, ref string) (Preview, error) {
	return call[Preview](ctx, c, "preview", mailRequest{Mail: ref})
}

// Threads implements [Chooser.Threads].
func (c *Client) Threads(ctx context.Context) ([]Thread, error) {
	return call[[]Thread](ctx, c, "threads", none{})
}

// StopThread implements [Chooser.StopThread].
func (c *Client) StopThread(ctx context.Context, id int64) error {
	return c.do(ctx, "thread-stop", itemRequest{ID: id})
}

// Chosen implements [Chooser.Chosen].
func (c *Client) Chosen(ctx context.Context) (Chosen, error) {
	return call[Chosen](ctx, c, "chosen", none{})
}

// Choose implements [Chooser.Choose].
func (c *Client) Choose(ctx context.Context, choices capture.Choices) error {
	return c.do(ctx, "choose", choices)
}

// Why implements [Chooser.Why].
func (c *Client) Why(ctx context.Context, mail string) (Why, error) {
	return call[Why](ctx, c, "why", mailRequest{Mail: mail})
}

// Answer implements [Chooser.Answer].
func (c *Client) Answer(ctx context.Context, id int64, a Answer) error {
	return c.do(ctx, "answer", answerRequest{ID: id, Answer: a})
}

// Answers implements [Chooser.Answers].
func (c *Client) Answers(ctx context.Context) ([]Remembered, error) {
	return call[[]Remembered](ctx, c, "answers", none{})
}

// ForgetAnswers implements [Chooser.ForgetAnswers].
func (c *Client) ForgetAnswers(ctx context.Context, address string) error {
	return c.do(ctx, "answers-forget", addressRequest{Address: address})
}

// FindRecords implements [Chooser.FindRecords].
func (c *Client) FindRecords(ctx context.Context, text string) ([]Record, error) {
	return call[[]Record](ctx, c, "find", findRequest{Text: text})
}

// Link implements [Chooser.Link].
func (c *Client) Link(ctx context.Context, id int64, record string) error {
	return c.do(ctx, "link", linkRequest{ID: id, Record: record})
}

// SaveUnlinked implements [Chooser.SaveUnlinked].
func (c *Client) SaveUnlinked(ctx context.Context, id int64) error {
	return c.do(ctx, "unlinked", itemRequest{ID: id})
}

// Ignore implements [Chooser.Ignore].
func (c *Client) Ignore(ctx context.Context, id int64, domain bool) error {
	return c.do(ctx, "ignore", ignoreRequest{ID: id, Domain: domain})
}

// Unsave implements [Chooser.Unsave].
func (c *Client) Unsave(ctx context.Context, id int64) error {
	return c.do(ctx, "unsave", itemRequest{ID: id})
}

// Forget implements [Chooser.Forget].
func (c *Client) Forget(ctx context.Context, address string) (Forgotten, error) {
	return call[Forgotten](ctx, c, "forget", addressRequest{Address: address})
}

// Settings implements [Chooser.Settings].
func (c *Client) Settings(ctx context.Context) ([]Setting, error) {
	return call[[]Setting](ctx, c, "settings", none{})
}

// Change implements [Chooser.Change].
func (c *Client) Change(ctx context.Context, key, value string) error {
	return c.do(ctx, "set", settingRequest{Key: key, Value: value})
}

// Open implements [Chooser.Open].
func (c *Client) Open(ctx context.Context, page string) error {
	return c.do(ctx, "open", pageRequest{Page: page})
}

// DryRun implements [Chooser.DryRun]; ctx ending ends the reading in the agent.
func (c *Client) DryRun(ctx context.Context, q DryRunQuery, progress func(DryRunStep)) (DryRun, error) {
	var d DryRun
	err := c.follow(ctx, "dry-run", q, func(l line) error {
		if l.Read != nil {
			progress(*l.Read)
		}
		if l.DryRun != nil {
			d = *l.DryRun
		}
		return nil
	})
	return d, err
}

// CaptureFile implements [Chooser.CaptureFile].
func (c *Client) CaptureFile(ctx context.Context, mail io.Reader) (CaptureResult, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address("file"), mail)
	if err != nil {
		return CaptureResult{}, fault.New(fault.Internal, "file", err)
	}
	req.Header.Set("Content-Type", "message/rfc822")
	resp, err := c.http.Do(req)
	if err != nil {
		return CaptureResult{}, lost(ctx, "file", err)
	}
	return read[CaptureResult](resp, "file")
}
