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
	"hawser/assets"
	"hawser/sync/alarm"
)

// Names of the StatusNotifierItem specification (freedesktop.org).
const (
	watcherName  = "org.kde.StatusNotifierWatcher"
	watcherPath  = "/StatusNotifierWatcher"
	itemPath     = "/StatusNotifierItem"
	settleTime   = time.Second     // for systray's own registration, after a panel came back
	dbusCallTime = 3 * time.Second // a panel that hangs must not hang us
)

// Names of the settings portal (flatpak.github.io/xdg-desktop-portal).
const (
	portalName   = "org.freedesktop.portal.Desktop"
	portalPath   = "/org/freedesktop/portal/desktop"
	settingsName = "org.freedesktop.portal.Settings"
	lookSpace    = "org.freedesktop.appearance"
	lookKey      = "color-scheme"
	preferDark   = uint32(1)
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
	cfg = cfg.defaults()
	b, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoHost, err)
	}
	defer b.close()
	if err := b.await(ctx, cfg); err != nil {
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
	mn, err := build(cfg, first)
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
	if v := b.theme(ctx); v != "" && v != mn.variant {
		mn.variant = v
		if err := mn.icon(); err != nil {
			return err
		}
	}
	return mn.loop(ctx, statuses, host{variants: b.variants, watch: func(ctx context.Context) error {
		return b.stayRegistered(ctx, shared, cfg.Log)
	}})
}

// bus is a connection of our own to the session bus. Systray's is shared with everything else in
// the process that uses the bus, and its watch for a new panel ends at the first foreign signal.
type bus struct {
	conn     *dbus.Conn
	signals  chan *dbus.Signal
	variants chan string // one-slot: the newest of the desktop's colours
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
	b := &bus{conn: conn, signals: make(chan *dbus.Signal, 8), variants: make(chan string, 1)}
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
	if err == nil {
		err = conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(settingsName), dbus.WithMatchMember("SettingChanged"),
			dbus.WithMatchArg(0, lookSpace))
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
func (b *bus) await(ctx context.Context, cfg Config) error {
	if b.watcherThere(ctx) {
		return nil
	}
	waited := alarm.New(cfg.Patience)
	defer waited.Stop()
	late := waited.C
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			late = nil
			cfg.NoHost()
		case sig, open := <-b.signals:
			if !open {
				return errBusLost
			}
			if b.came(sig) {
				return nil
			}
		}
	}
}

// next waits for a panel to come (true) or for anything else.
func (b *bus) next(ctx context.Context) (came bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case sig, open := <-b.signals:
		if !open {
			return false, errBusLost
		}
		return b.came(sig), nil
	}
}

// came reports whether a signal says that a panel is there, and passes on what others say.
func (b *bus) came(sig *dbus.Signal) bool {
	switch {
	case sig.Name == settingsName+".SettingChanged" && len(sig.Body) == 3:
		if v, ok := sig.Body[2].(dbus.Variant); ok && sig.Body[1] == lookKey {
			b.recolour(variantOf(v))
		}
	case sig.Name == "org.freedesktop.DBus.NameOwnerChanged" && len(sig.Body) == 3:
		owner, _ := sig.Body[2].(string)
		return owner != ""
	}
	return false
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

// panelVariant returns the icons that stand out on any panel; a desktop that tells its colours is
// asked later.
func panelVariant() string { return assets.IconLight }

// theme returns the icons for the desktop's colours, "" when it does not tell them.
func (b *bus) theme(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, dbusCallTime)
	defer cancel()
	var v dbus.Variant
	call := b.conn.Object(portalName, portalPath).CallWithContext(ctx, settingsName+".Read", dbus.FlagNoAutoStart, lookSpace, lookKey)
	if err := call.Store(&v); err != nil {
		return ""
	}
	return variantOf(v)
}

// variantOf reads the desktop's preference, which one method wraps twice.
func variantOf(v dbus.Variant) string {
	if inner, ok := v.Value().(dbus.Variant); ok {
		v = inner
	}
	if v.Value() == preferDark {
		return assets.IconDark
	}
	return assets.IconLight
}

// recolour tells the menu, which takes the newest alone.
func (b *bus) recolour(variant string) {
	select {
	case <-b.variants:
	default:
	}
	b.variants <- variant
}

// escape keeps panels from taking a sign of a subject for the mark of an access key.
func escape(label string) string { return strings.ReplaceAll(label, "_", "__") }
