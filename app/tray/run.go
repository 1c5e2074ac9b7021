package tray

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hawser/app/control"
	"hawser/app/text"
)

// ErrNoHost says that there is no desktop session that could ever show an icon.
var ErrNoHost = errors.New("no tray host")

// RecentMails is how many mails of the inbox the menu lists.
const RecentMails = 10

// The pages that [Agent.Open] is asked for.
const (
	PageHome     = "home"
	PageCapture  = "capture"
	PageActivity = "activity" // it begins with what needs a decision
	PageHelp     = "help"
)

// Agent is what the menu shows and does. Errors are *fault.Error.
type Agent interface {
	Watch(ctx context.Context, changed func(control.Status) error) error
	// Recent returns the newest mails of the inbox, the newest first, at most [RecentMails].
	Recent(ctx context.Context) ([]control.Mail, error)
	// Capture queues one of them, as picked by hand.
	Capture(ctx context.Context, ref string) error
	// Undo takes back what Capture did: a mail that waits is left out, and the record of one that was
	// sent is deleted.
	Undo(ctx context.Context, ref string) error
	// Open shows a page of the window.
	Open(ctx context.Context, page string) error
	SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error
	CheckNow(ctx context.Context) error
	Pause(ctx context.Context, until time.Time) error // zero: until Resume
	Resume(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Config is what [Run] needs. Agent, Text and Log are required.
type Config struct {
	Agent Agent // the agent itself, or a control.Client
	Text  *text.Localizer
	Log   *slog.Logger
	// Open shows an address in the browser; without it the menu has no item for it.
	Open func(ctx context.Context, url string) error
	// NoHost is called once when no panel has come after Patience; one may come still.
	NoHost   func()
	Patience time.Duration    // default a minute
	Now      func() time.Time // default time.Now
}

// defaults fills in what was left out.
func (cfg Config) defaults() Config {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NoHost == nil {
		cfg.NoHost = func() {}
	}
	if cfg.Patience == 0 {
		cfg.Patience = time.Minute
	}
	return cfg
}
