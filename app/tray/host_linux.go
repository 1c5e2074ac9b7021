package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"fyne.io/systray"
	"github.com/godbus/dbus/v5"

	"hawser/app/control"
)

// Names of the StatusNotifierItem specification (freedesktop.org).
const (
	watcherName  = "org.kde.StatusNotifierWatcher"
	watcherPath  = "/StatusNotifierWatcher"
	itemPath     = "/StatusNotifierItem"
	settleTime   = time.Second     // for systray's own registration, after a panel came back
	dbusCallTime = 3 * time.Second // a panel that hangs must not hang us
)

var errBusLost = errors.New("session bus lost")

// Available reports whether a panel that shows icons is there now. One may come later: [Run]
// waits for it, so "not available" is a reason for a note, not for leaving the tray out.
func Available(ctx context.Context) bool {
	b, err := connect(ctx)
	if err != nil {
		return false
	}
	defer b.close()
	return b.watcherThere(ctx)
}

// Run shows the icon until ctx ends or the agent does, whenever there is a panel to show it in. It
// returns ErrNoHost at once when there is no session bus, as on a server.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	b, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoHost, err)
	}
	defer b.close()
	if err := b.await(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return follow(ctx, cfg, func(ctx context.Context, first control.Status, statuses <-chan control.Status) error {
		return show(ctx, cfg, b, first, statuses)
	})
}

// show builds the menu before systray puts it on the bus, so that the first thing a panel reads is
// whole, and takes it off again at the end.
func show(ctx context.Context, cfg Config, b *bus, first control.Status, statuses <-chan control.Status) error {
	start, end := systray.RunWithExternalLoop(nil, nil)
	mn, err := build(cfg, view(cfg, first))
	if err != nil {
		return err
	}
	// Systray uses the D-Bus library's shared connection. It does not say when it could not get it,
	// and ending it then would panic, so the connection is made before.
	shared, err := dbus.SessionBus()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoHost, err)
	}
	start()
	defer end()
	return mn.loop(ctx, statuses, func(ctx context.Context) error { return b.stayRegistered(ctx, shared, cfg.Log) })
}

// bus is a connection of our own to the session bus. Systray's is shared with everything else in
// the process that uses the bus, and its watch for a new panel ends at the first foreign signal.
type bus struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
}

// connect opens the connection and asks to hear of panels that come and go. It never starts a bus.
func connect(ctx context.Context) (*bus, error) {
	// The connection outlives ctx: a bus that ctx closed would look like one that was lost.
	conn, err := dbus.SessionBusPrivateNoAutoStartup()
	if err != nil {
		return nil, fmt.Errorf("find session bus: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dbusCallTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a bus that hangs must not hang us
	b := &bus{conn: conn, signals: make(chan *dbus.Signal, 8)}
	err = conn.Auth(nil)
	if err == nil {
		err = conn.Hello()
	}
	if err == nil {
		conn.Signal(b.signals)
		err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender("org.freedesktop.DBus"),
			dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"),
			dbus.WithMatchArg(0, watcherName))
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("join session bus: %w", err)
	}
	return b, nil
}

func (b *bus) close() { _ = b.conn.Close() } // nothing is left to be sent

func (b *bus) watcherThere(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, dbusCallTime)
	defer cancel()
	var there bool
	err := b.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, watcherName).Store(&there)
	return err == nil && there
}

// await returns when there is a panel.
func (b *bus) await(ctx context.Context) error {
	if b.watcherThere(ctx) {
		return nil
	}
	for {
		came, err := b.next(ctx)
		if err != nil || came {
			return err
		}
	}
}

// next waits for a panel to come (true) or go.
func (b *bus) next(ctx context.Context) (came bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case sig, open := <-b.signals:
		if !open {
			return false, errBusLost
		}
		if len(sig.Body) < 3 {
			return false, nil // NameAcquired and the like
		}
		owner, _ := sig.Body[2].(string)
		return owner != "", nil
	}
}

// stayRegistered puts the icon into every panel that comes after the first one, until ctx ends or
// systray's connection does.
func (b *bus) stayRegistered(ctx context.Context, shared *dbus.Conn, log *slog.Logger) error {
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(shared.Context(), cancel)()
	for {
		came, err := b.next(alive)
		switch {
		case ctx.Err() != nil:
			return nil
		case alive.Err() != nil:
			return errBusLost
		case err != nil:
			return err
		case !came:
			continue
		}
		select {
		case <-alive.Done():
			continue // next says why
		case <-time.After(settleTime):
		}
		if err := b.register(ctx, shared); err != nil {
			log.Warn("tray icon not registered", slog.Any("err", err))
		}
	}
}

// register asks the panel for a place, unless systray has got one: some panels show an item twice
// that registers twice. It uses systray's connection and path, to be the same item.
func (b *bus) register(ctx context.Context, shared *dbus.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, dbusCallTime)
	defer cancel()
	var items []string
	property := b.conn.Object(watcherName, watcherPath).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, watcherName, "RegisteredStatusNotifierItems")
	var v dbus.Variant
	if err := property.Store(&v); err == nil {
		items, _ = v.Value().([]string)
	}
	ours := shared.Names()
	if slices.ContainsFunc(items, func(item string) bool {
		return slices.ContainsFunc(ours, func(name string) bool { return item == name || strings.HasPrefix(item, name+"/") })
	}) {
		return nil
	}
	err := shared.Object(watcherName, watcherPath).CallWithContext(ctx, watcherName+".RegisterStatusNotifierItem", 0, itemPath).Err
	if err != nil {
		return fmt.Errorf("register tray icon: %w", err)
	}
	return nil
}
