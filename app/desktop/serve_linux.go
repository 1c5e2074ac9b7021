package desktop

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	appPath  = dbus.ObjectPath("/io/hawser/Hawser")
	appIface = "org.freedesktop.Application"
)

// ErrTaken says that another program answers for Hawser on the session bus already.
var ErrTaken = errors.New("name on the session bus is taken")

// Serve answers launchers and links on the session bus (Desktop Entry Specification 1.5, D-Bus
// Activation) until ctx ends: do is called for one request after the other. A link that is none of
// ours never reaches it. Errors: ErrUnsupported without a bus, ErrTaken.
func Serve(ctx context.Context, do func(context.Context, Request)) error {
	return serve(ctx, "", do)
}

func serve(ctx context.Context, address string, do func(context.Context, Request)) error {
	conn, err := dial(ctx, false, address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	defer func() { _ = conn.Close() }() // nothing is left to be sent
	a := &application{ctx: ctx, asked: make(chan Request)}
	if err := conn.Export(a, appPath, appIface); err != nil {
		return fmt.Errorf("answer launchers: %w", err)
	}
	reply, err := conn.RequestName(ID, dbus.NameFlagDoNotQueue)
	switch {
	case err != nil:
		return fmt.Errorf("answer launchers: %w", err)
	case reply != dbus.RequestNameReplyPrimaryOwner:
		return ErrTaken
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-conn.Context().Done():
			return fmt.Errorf("answer launchers: %w", errBusLost)
		case r := <-a.asked:
			do(ctx, r)
		}
	}
}

// application is the object on the bus. Its methods are called from the library's goroutines.
type application struct {
	ctx   context.Context // that of Serve
	asked chan Request
}

func (a *application) ask(r Request) *dbus.Error {
	select {
	case a.asked <- r:
		return nil
	case <-a.ctx.Done():
		return dbus.MakeFailedError(a.ctx.Err())
	}
}

// Activate implements org.freedesktop.Application.
func (a *application) Activate(map[string]dbus.Variant) *dbus.Error {
	return a.ask(Request{Action: ActOpen})
}

// Open implements org.freedesktop.Application: one link at a time.
func (a *application) Open(uris []string, _ map[string]dbus.Variant) *dbus.Error {
	if len(uris) != 1 {
		return dbus.MakeFailedError(errors.New("one link at a time"))
	}
	link, err := ParseLink(uris[0])
	if err != nil {
		return dbus.MakeFailedError(err)
	}
	return a.ask(Request{Action: ActOpen, Link: link})
}

// ActivateAction implements org.freedesktop.Application.
func (a *application) ActivateAction(name string, _ []dbus.Variant, _ map[string]dbus.Variant) *dbus.Error {
	for _, known := range actionArgs {
		if string(known.action) == name {
			return a.ask(Request{Action: known.action})
		}
	}
	return dbus.MakeFailedError(errors.New("no such action"))
}
