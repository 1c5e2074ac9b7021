package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// choosing serves what decides about capture.
func (s *server) choosing(mux *http.ServeMux) {
	a := s.agent
	mux.Handle("POST /v1/folders", plain(s, func(ctx context.Context, _ none) ([]capture.Folder, error) { return a.Folders(ctx) }))
	mux.Handle("POST /v1/preview", plain(s, func(ctx context.Context, r mailRequest) (Preview, error) { return a.Preview(ctx, r.Mail) }))
	mux.Handle("POST /v1/file", s.file())
	mux.Handle("POST /v1/threads", plain(s, func(ctx context.Context, _ none) ([]Thread, error) { return a.Threads(ctx) }))
	mux.Handle("POST /v1/thread-stop", plain(s, func(ctx context.Context, r itemRequest) (none, error) { return none{}, a.StopThread(ctx, r.ID) }))
	mux.Handle("POST /v1/chosen", plain(s, func(ctx context.Context, _ none) (Chosen, error) { return a.Chosen(ctx) }))
	mux.Handle("POST /v1/choose", plain(s, func(ctx context.Context, c capture.Choices) (none, error) { return none{}, a.Choose(ctx, c) }))
	mux.Handle("POST /v1/why", plain(s, func(ctx context.Context, r mailRequest) (Why, error) { return a.Why(ctx, r.Mail) }))
	mux.Handle("POST /v1/answer", plain(s, func(ctx context.Context, r answerRequest) (none, error) { return none{}, a.Answer(ctx, r.ID, r.Answer) }))
	mux.Handle("POST /v1/answers", plain(s, func(ctx context.Context, _ none) ([]Remembered, error) { return a.Answers(ctx) }))
	mux.Handle("POST /v1/answers-forget", plain(s, func(ctx context.Context, r addressRequest) (none, error) {
		return none{}, a.ForgetAnswers(ctx, r.Address)
	}))
	mux.Handle("POST /v1/find", plain(s, func(ctx context.Context, r findRequest) ([]Record, error) { return a.FindRecords(ctx, r.Text) }))
	mux.Handle("POST /v1/link", plain(s, func(ctx context.Context, r linkRequest) (none, error) { return none{}, a.Link(ctx, r.ID, r.Record) }))
	mux.Handle("POST /v1/unlinked", plain(s, func(ctx context.Context, r itemRequest) (none, error) { return none{}, a.SaveUnlinked(ctx, r.ID) }))
	mux.Handle("POST /v1/ignore", plain(s, func(ctx context.Context, r ignoreRequest) (none, error) { return none{}, a.Ignore(ctx, r.ID, r.Domain) }))
	mux.Handle("POST /v1/unsave", plain(s, func(ctx context.Context, r itemRequest) (none, error) { return none{}, a.Unsave(ctx, r.ID) }))
	mux.Handle("POST /v1/forget", plain(s, func(ctx context.Context, r addressRequest) (Forgotten, error) { return a.Forget(ctx, r.Address) }))
	mux.Handle("POST /v1/settings", plain(s, func(ctx context.Context, _ none) ([]Setting, error) { return a.Settings(ctx) }))
	mux.Handle("POST /v1/set", plain(s, func(ctx context.Context, r settingRequest) (none, error) {
		return none{}, a.Change(ctx, r.Key, r.Value)
	}))
	mux.Handle("POST /v1/open", plain(s, func(ctx context.Context, r pageRequest) (none, error) { return none{}, a.Open(ctx, r.Page) }))
	mux.Handle("POST /v1/dry-run", stream(s, s.dryRun))
}

// dryRun passes the progress on and ends with the result. A client that goes away ends ctx.
func (s *server) dryRun(ctx context.Context, q DryRunQuery, send func(line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d, err := s.agent.DryRun(ctx, q, func(step DryRunStep) {
		if send(line{Read: &step}) != nil {
			cancel() // nobody reads any more
		}
	})
	if err != nil {
		return err
	}
	return send(line{DryRun: &d})
}

// file takes a mail file as it is, which is larger than a command may be.
func (s *server) file() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a answer[CaptureResult]
		err := s.guarded(r, func() (err error) {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(fileTime)); err != nil {
				return fmt.Errorf("read deadline: %w", err)
			}
			if r.ContentLength > MaxMailFile {
				return fault.New(fault.MailTooLarge, "read mail file", nil)
			}
			a.Result, err = s.agent.CaptureFile(r.Context(), io.LimitReader(r.Body, MaxMailFile+1)) // one more, so that a larger file is not cut but refused
			return err
		})
		if err != nil {
			s.note(r, err)
			a = answer[CaptureResult]{Fault: toWire(err)}
		}
		s.write(w, a)
	})
}
