package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sync/errgroup"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/logging"
	"hawser/app/text"
	"hawser/app/tray"
	"hawser/auth/keyring"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// memoryLimit is where the garbage collector starts to work hard, bytes. What is really needed is
// far less; without a limit the heap would grow to twice that during a first capture.
const memoryLimit = 36 << 20

// maxPassphrase bounds the first line of a passphrase file, bytes.
const maxPassphrase = 4 << 10

// Foreground is one run of "hawser run".
type Foreground struct {
	Dirs     config.Dirs
	Env      []string // the process's environment, for the browser
	Lang     string
	Version  string
	Headless bool
	Desktop  bool // there is a desktop session that may show an icon
	Stderr   io.Writer
	// Passphrase is a file or pipe whose first line seals the key instead of the key store; "" for
	// the key store. It is never an argument, which other users of the computer could read.
	Passphrase string
}

// Run claims the profile, opens it and runs the agent, with an icon where there is a place for
// one, until ctx ends or somebody says stop. An agent that was unbound is followed by one with an
// empty profile.
func (f Foreground) Run(ctx context.Context) error {
	debug.SetMemoryLimit(memoryLimit)
	settings, err := config.Load(f.Dirs.ConfigFile())
	if err != nil && !config.Missing(err) {
		return err
	}
	cfg := Config{Dirs: f.Dirs, Settings: settings, Version: f.Version, Lang: f.Lang, OpenBrowser: oauth.OpenBrowser(f.Env)}
	for {
		var end *unbound
		if err := f.once(ctx, &cfg); !errors.As(err, &end) {
			return err
		}
		cfg.owed, cfg.farewell = end.owed, end.farewell
		where := keyring.Config{Store: cfg.Keys, Service: keyService, Profile: keyProfile, Log: cfg.Log}
		if err := forgetProfile(context.WithoutCancel(ctx), f.Dirs, where); err != nil {
			return err
		}
	}
}

// once runs one agent from the claim of the profile to its end.
func (f Foreground) once(ctx context.Context, cfg *Config) (err error) {
	listener, err := control.Listen(f.Dirs.Runtime)
	if err != nil {
		return err
	}
	if cfg.Keys == nil { // a passphrase comes out of its pipe once
		if cfg.Keys, err = f.keys(); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	log, file := logging.New(logging.Options{File: filepath.Join(f.Dirs.State, "hawser.log"), Level: slog.LevelInfo})
	defer func() { err = errors.Join(err, file.Close()) }()
	cfg.Log = log
	a, err := New(ctx, *cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return f.together(ctx, a, listener)
}

// keys returns the key store, or the passphrase file where one was asked for.
func (f Foreground) keys() (keyring.Store, error) {
	if f.Passphrase == "" {
		return keyring.OS(), nil
	}
	in, err := os.Open(f.Passphrase)
	if err != nil {
		return nil, fault.New(fault.KeyStoreMissing, "read passphrase", err)
	}
	defer func() { _ = in.Close() }()
	line, err := bufio.NewReader(io.LimitReader(in, maxPassphrase)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.KeyStoreMissing, "read passphrase", err)
	}
	pass := secret.New(strings.TrimRight(line, "\r\n"))
	ask := func(context.Context, bool) (secret.String, error) { return pass, nil }
	return keyring.File(filepath.Join(f.Dirs.Config, "key.age"), ask), nil
}

// icon shows the tray icon, also on a panel that comes late. Without one the agent goes on.
func (f Foreground) icon(ctx context.Context, a *Agent, loc *text.Localizer) {
	err := tray.Run(ctx, tray.Config{Agent: a, Text: loc, Log: a.cfg.Log, Open: a.cfg.OpenBrowser})
	if err != nil && ctx.Err() == nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "icon not shown", slog.Any("err", err))
	}
}

// together runs agent and icon; the end of the agent is the end of both.
func (f Foreground) together(ctx context.Context, a *Agent, listener *control.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loc := text.New(f.Lang)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer cancel()
		return a.Run(ctx, listener)
	})
	if !f.Headless {
		if !f.Desktop || !tray.Available(ctx) {
			fmt.Fprintln(f.Stderr, loc.T("run.no-tray", nil))
		}
		if f.Desktop {
			g.Go(func() error {
				f.icon(ctx, a, loc)
				return nil
			})
		}
	}
	return g.Wait()
}
