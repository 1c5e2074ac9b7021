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

// Agent is what the menu shows and does. Its methods are those of control.Agent.
type Agent interface {
	Watch(ctx context.Context, changed func(control.Status) error) error
	SignIn(ctx context.Context, side string, progress func(control.SignInStep)) error
	CheckNow(ctx context.Context) error
	Pause(ctx context.Context, until time.Time) error
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
	Now  func() time.Time // default time.Now
}
