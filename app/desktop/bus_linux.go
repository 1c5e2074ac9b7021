package desktop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// busTime bounds one question to a bus.
const busTime = 5 * time.Second

var errBusLost = errors.New("bus lost")

// dial joins a bus; it never starts one. Address is "" for the one of the environment.
func dial(ctx context.Context, system bool, address string) (*dbus.Conn, error) {
	var conn *dbus.Conn
	var err error
	switch {
	case address != "":
		conn, err = dbus.Dial(address)
	case system:
		conn, err = dbus.SystemBusPrivate()
	default:
		conn, err = dbus.SessionBusPrivateNoAutoStartup()
	}
	if err != nil {
		return nil, fmt.Errorf("find bus: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a bus that hangs must not hang us
	if err = conn.Auth(nil); err == nil {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close() // the first error is the one to tell
		return nil, fmt.Errorf("join bus: %w", err)
	}
	return conn, nil
}

// ask calls a method of a service that runs already, and stores its answer.
func ask(ctx context.Context, o dbus.BusObject, method string, into any, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	if err := o.CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Store(into); err != nil {
		return fmt.Errorf("ask %s: %w", method, err)
	}
	return nil
}

// property reads a property of a service that runs already.
func property(ctx context.Context, o dbus.BusObject, iface, name string) (any, error) {
	var v dbus.Variant
	err := ask(ctx, o, "org.freedesktop.DBus.Properties.Get", &v, iface, name)
	return v.Value(), err
}
