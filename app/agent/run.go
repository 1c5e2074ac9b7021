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
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/desktop"
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
	Managed  config.Managed // what the computer's administrators decided
	Env      []string       // the process's environment, for the browser
	Lang     string
	Version  string
	Headless bool
	Desktop  bool // there is a desktop session that may show an icon
	Stderr   io.Writer
	// HostPatience is how long a panel may take to show the icon before the person is told that there
	// is none; 0 is the tray's own minute.
	HostPatience time.Duration
	// Passphrase is a file or pipe whose first line seals the key instead of the key store; "" for
	// the key store. It is never an argument, which other users of the computer could read.
	Passphrase string
}

// lockedWait is how often a key store that was locked is looked at again.
const lockedWait = 15 * time.Second

// Run claims the profile, opens it and runs the agent, with an icon where there is a place for
// one, until ctx ends or somebody says stop. An agent that was unbound is followed by one with an
// empty profile.
func (f Foreground) Run(ctx context.Context) error {
	debug.SetMemoryLimit(memoryLimit)
	settings, err := config.Load(f.Dirs.ConfigFile(), f.Managed)
	if err != nil {
		return err
	}
	log, file := logging.New(logging.Options{File: filepath.Join(f.Dirs.State, "hawser.log"), Level: slog.LevelInfo})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg := Config{
		Dirs: f.Dirs, Settings: settings, Version: f.Version, Lang: f.Lang, Log: log, OpenBrowser: oauth.OpenBrowser(f.Env),
		text: text.New(f.Lang), face: &face{again: make(chan struct{}, 1), stop: cancel},
	}
	if f.Desktop {
		cfg.OpenWindow = openWindow(f.Env)
		cfg.face.window = cfg.OpenWindow
		if place, err := desktop.FindPlace(environment(f.Env)); err == nil {
			cfg.Autostart = desktop.NewAutostart(place)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer cancel()
		return f.agents(ctx, &cfg)
	})
	return errors.Join(g.Wait(), file.Close())
}

// agents runs one agent after the other.
func (f Foreground) agents(ctx context.Context, cfg *Config) error {
	var icon sync.WaitGroup
	defer icon.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shown := false
	for {
		listener, err := control.Listen(f.Dirs.Runtime)
		if fault.Is(err, fault.AlreadyRunning) && !f.Headless && f.Desktop {
			return f.raise(ctx, err)
		}
		if err != nil {
			return err
		}
		if !shown && !f.Headless { // not before the profile is ours: a second start shows no second icon
			shown = true
			f.show(ctx, cfg, &icon)
		}
		err = f.once(ctx, cfg, listener)
		var end *unbound
		switch {
		case errors.As(err, &end):
			cfg.owed, cfg.farewell = end.owed, end.farewell
			where := keyring.Config{Store: cfg.Keys, Service: keyService, Profile: keyProfile, Log: cfg.Log}
			err = forgetProfile(context.WithoutCancel(ctx), f.Dirs, where)
		case fault.Is(err, fault.KeyStoreLocked) && shown && f.Desktop && f.Passphrase == "":
			err = cfg.face.waits(ctx, fault.KeyStoreLocked, f.Version, lockedWait)
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
}

// environment looks variables up in a list as os.Environ returns it; the last one of a name counts.
func environment(list []string) func(name string) string {
	return func(name string) string {
		for _, entry := range slices.Backward(list) {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// raise shows the window of the agent that runs already, which is what a person who starts the
// program a second time wants.
func (f Foreground) raise(ctx context.Context, running error) error {
	c, err := control.Dial(ctx, f.Dirs.Runtime)
	if err == nil {
		err = c.Open(ctx, "")
	}
	if err != nil {
		return running
	}
	return nil
}

// once runs one agent to its end.
func (f Foreground) once(ctx context.Context, cfg *Config, listener *control.Listener) (err error) {
	if cfg.Keys == nil { // a passphrase comes out of its pipe once
		if cfg.Keys, err = f.keys(); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	a, err := New(ctx, *cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	cfg.face.agent.Store(a)
	running, cancel := context.WithCancel(ctx)
	var desk sync.WaitGroup
	if f.Desktop && !f.Headless {
		f.attend(running, a, &desk)
	}
	err = a.Run(ctx, listener)
	cancel()
	desk.Wait()
	cfg.face.agent.Store(nil)
	return errors.Join(err, a.Close())
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

// show starts the icon, also on a panel that comes late. Without one the agent goes on.
func (f Foreground) show(ctx context.Context, cfg *Config, icon *sync.WaitGroup) {
	if !f.Desktop || !tray.Available(ctx) {
		fmt.Fprintln(f.Stderr, cfg.text.T("run.no-tray", nil))
	}
	if !f.Desktop {
		return
	}
	icon.Go(func() {
		err := tray.Run(ctx, tray.Config{
			Agent: cfg.face, Text: cfg.text, Log: cfg.Log, Open: cfg.OpenBrowser, NoHost: func() { cfg.face.lacksHost(ctx) }, Patience: f.HostPatience,
		})
		if err != nil && ctx.Err() == nil {
			cfg.Log.LogAttrs(ctx, slog.LevelWarn, "icon not shown", slog.Any("err", err))
		}
	})
}
