package desktop

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"
)

// The services that tell what happens, with the specification of each: systemd-logind(8) and
// org.freedesktop.login1(5), NetworkManager's D-Bus API, and the screen savers of the desktops.
const (
	loginName    = "org.freedesktop.login1"
	loginPath    = dbus.ObjectPath("/org/freedesktop/login1")
	loginManager = loginName + ".Manager"
	loginSession = loginName + ".Session"

	networkName = "org.freedesktop.NetworkManager"
	networkPath = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	// connectedLocal is the state above which there is more than this computer (NM_STATE_CONNECTED_LOCAL).
	connectedLocal = uint32(50)

	changedSignal = "org.freedesktop.DBus.Properties.PropertiesChanged"
)

var savers = []string{
	"org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver", "org.xfce.ScreenSaver", "org.mate.ScreenSaver", "org.cinnamon.ScreenSaver",
}

// Watch calls tell for every event until ctx ends. Where a session is locked already, it says so at
// once. It returns ErrUnsupported when there is nothing to listen to, and an error when all of what
// there was went away.
func Watch(ctx context.Context, tell func(Event)) error {
	return watch(ctx, addresses{}, tell)
}

// addresses are those of the two buses, "" for those of the environment.
type addresses struct{ system, session string }

// listener hears both buses and the kernel.
type listener struct {
	hub
	system, session *dbus.Conn
	own             dbus.ObjectPath // our login session, "" for none
	routes          *routes         // where no service watches the network
}

func watch(ctx context.Context, at addresses, tell func(Event)) error {
	l := &listener{hub: hub{tell: tell}}
	defer l.close()
	fromSystem, fromSession := l.openSystem(ctx, at.system), l.openSession(ctx, at.session)
	var fromKernel <-chan bool
	if l.routes != nil {
		fromKernel = l.routes.changed
	}
	if fromSystem == nil && fromSession == nil && fromKernel == nil {
		if ctx.Err() != nil {
			return nil
		}
		return ErrUnsupported
	}
	for fromSystem != nil || fromSession != nil || fromKernel != nil {
		select {
		case <-ctx.Done():
			return nil
		case s, open := <-fromSystem:
			if !open {
				fromSystem = nil
				continue
			}
			l.system1(s)
		case s, open := <-fromSession:
			if !open {
				fromSession = nil
				continue
			}
			l.saver(s)
		case on, open := <-fromKernel:
			if !open {
				fromKernel = nil
				continue
			}
			l.network(on, true)
		}
	}
	return fmt.Errorf("watch desktop: %w", errBusLost)
}

func (l *listener) close() {
	for _, c := range []*dbus.Conn{l.system, l.session} {
		if c != nil {
			_ = c.Close() // nothing is left to be sent
		}
	}
	if l.routes != nil {
		l.routes.close()
	}
}

// openSystem asks logind and NetworkManager to tell, and the kernel where there is no such service.
func (l *listener) openSystem(ctx context.Context, address string) <-chan *dbus.Signal {
	conn, err := dial(ctx, true, address)
	if err != nil {
		l.openKernel()
		return nil
	}
	l.system = conn
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	var own dbus.ObjectPath
	if ask(ctx, conn.Object(loginName, loginPath), loginManager+".GetSession", &own, "auto") == nil {
		l.own = own
	}
	var there bool
	_ = ask(ctx, conn.BusObject(), "org.freedesktop.DBus.NameHasOwner", &there, networkName) // false then
	err = match(conn, dbus.WithMatchSender(loginName), dbus.WithMatchObjectPath(loginPath),
		dbus.WithMatchInterface(loginManager), dbus.WithMatchMember("PrepareForSleep"))
	if l.own != "" {
		err = errors.Join(err,
			match(conn, dbus.WithMatchSender(loginName), dbus.WithMatchObjectPath(l.own), dbus.WithMatchInterface(loginSession)),
			match(conn, dbus.WithMatchSender(loginName), dbus.WithMatchObjectPath(l.own), dbus.WithMatchMember("PropertiesChanged")))
	}
	if there {
		err = errors.Join(err, match(conn, dbus.WithMatchSender(networkName), dbus.WithMatchObjectPath(networkPath)))
	} else {
		l.openKernel()
	}
	if err != nil {
		return nil
	}
	l.beginSystem(ctx, there)
	return signals
}

// openKernel asks the kernel to tell of the network.
func (l *listener) openKernel() {
	if l.routes = openRoutes(); l.routes != nil {
		on := l.routes.way != ""
		l.online = &on
	}
}

// beginSystem learns how things are now.
func (l *listener) beginSystem(ctx context.Context, network bool) {
	if l.own != "" {
		if v, err := property(ctx, l.system.Object(loginName, l.own), loginSession, "LockedHint"); err == nil && v == true {
			l.lock(true)
		}
	}
	if network {
		if v, err := property(ctx, l.system.Object(networkName, networkPath), networkName, "State"); err == nil {
			if state, ok := v.(uint32); ok {
				on := state > connectedLocal
				l.online = &on
			}
		}
	}
}

// openSession asks the screen savers to tell.
func (l *listener) openSession(ctx context.Context, address string) <-chan *dbus.Signal {
	conn, err := dial(ctx, false, address)
	if err != nil {
		return nil
	}
	l.session = conn
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, name := range savers {
		if match(conn, dbus.WithMatchInterface(name), dbus.WithMatchMember("ActiveChanged")) != nil {
			return nil
		}
		var there, active bool
		_ = ask(ctx, conn.BusObject(), "org.freedesktop.DBus.NameHasOwner", &there, name) // false then
		if !there {
			continue
		}
		path := dbus.ObjectPath("/" + dotsToSlashes(name))
		if ask(ctx, conn.Object(name, path), name+".GetActive", &active) == nil && active {
			l.lock(true)
		}
	}
	return signals
}

func dotsToSlashes(name string) string {
	path := []byte(name)
	for i, c := range path {
		if c == '.' {
			path[i] = '/'
		}
	}
	return string(path)
}

func match(conn *dbus.Conn, options ...dbus.MatchOption) error {
	if err := conn.AddMatchSignal(options...); err != nil {
		return fmt.Errorf("listen on bus: %w", err)
	}
	return nil
}

// saver takes a signal of the session bus.
func (l *listener) saver(s *dbus.Signal) {
	for _, name := range savers {
		if s.Name == name+".ActiveChanged" && len(s.Body) == 1 {
			if on, ok := s.Body[0].(bool); ok {
				l.lock(on)
			}
		}
	}
}

// system1 takes a signal of the system bus.
func (l *listener) system1(s *dbus.Signal) {
	switch {
	case s.Name == loginManager+".PrepareForSleep" && len(s.Body) == 1:
		if on, ok := s.Body[0].(bool); ok {
			l.sleep(on)
		}
	case s.Name == loginSession+".Lock":
		l.lock(true)
	case s.Name == loginSession+".Unlock":
		l.lock(false)
	case s.Name == networkName+".StateChanged" && len(s.Body) == 1:
		if state, ok := s.Body[0].(uint32); ok {
			l.network(state > connectedLocal, false)
		}
	case s.Name == changedSignal && len(s.Body) >= 2:
		iface, _ := s.Body[0].(string)
		values, _ := s.Body[1].(map[string]dbus.Variant)
		l.properties(iface, values)
	}
}

// properties takes what changed at our login session or in the network.
func (l *listener) properties(iface string, values map[string]dbus.Variant) {
	if v, ok := values["LockedHint"]; ok && iface == loginSession {
		if on, ok := v.Value().(bool); ok {
			l.lock(on)
		}
	}
	if iface != networkName {
		return
	}
	// Another connection took over: the addresses are new, and open connections dead.
	if v, ok := values["PrimaryConnection"]; ok && l.online != nil && *l.online {
		if path, _ := v.Value().(dbus.ObjectPath); !slices.Contains([]dbus.ObjectPath{"", "/"}, path) {
			l.network(true, true)
		}
	}
}
