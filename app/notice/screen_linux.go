package notice

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of the Desktop Notifications Specification 1.2 (freedesktop.org).
const (
	daemonName  = "org.freedesktop.Notifications"
	daemonPath  = dbus.ObjectPath("/org/freedesktop/Notifications")
	desktopFile = "io.hawser.Hawser"
	// daemonTime bounds a call: the bus may have to start the daemon first.
	daemonTime = 10 * time.Second

	dismissed = uint32(2) // the reason of NotificationClosed for which a person is the cause

	urgencyLow, urgencyNormal = byte(0), byte(1)
)

// bubbles is a notification daemon on the session bus.
type bubbles struct {
	address string // "" for the bus of the environment
	events  chan Event
	done    sync.WaitGroup
	stop    chan struct{}

	conn *dbus.Conn // nil until the first notice
}

// NewScreen returns the notification daemon of the session. It joins the bus with the first notice,
// so that an agent that has nothing to say costs nothing.
func NewScreen() Screen { return newBubbles("") }

func newBubbles(address string) *bubbles {
	return &bubbles{address: address, events: make(chan Event, 16), stop: make(chan struct{})}
}

// Events implements Screen.
func (b *bubbles) Events() <-chan Event { return b.events }

// End implements Screen.
func (b *bubbles) End() {
	close(b.stop)
	if b.conn != nil {
		_ = b.conn.Close() // nothing is left to be sent
	}
	b.done.Wait()
	close(b.events)
}

// Show implements Screen.
func (b *bubbles) Show(ctx context.Context, n Notice) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, daemonTime)
	defer cancel()
	can, err := b.join(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoScreen, err)
	}
	body := n.Body
	if slices.Contains(can, "body-markup") {
		body = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(body)
	}
	actions := []string{}
	if slices.Contains(can, "actions") && !n.Good {
		actions = append(actions, Default, n.Title)
		for _, button := range n.Buttons {
			actions = append(actions, button.Key, button.Label)
		}
	}
	hints := map[string]dbus.Variant{
		"desktop-entry": dbus.MakeVariant(desktopFile), "urgency": dbus.MakeVariant(urgencyNormal), "category": dbus.MakeVariant("email"),
	}
	if n.Good {
		hints["urgency"], hints["transient"] = dbus.MakeVariant(urgencyLow), dbus.MakeVariant(true)
	}
	var id uint32
	call := b.conn.Object(daemonName, daemonPath).CallWithContext(ctx, daemonName+".Notify", 0,
		"Hawser", n.Replaces, desktopFile, n.Title, body, actions, hints, int32(-1))
	if err := call.Store(&id); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoScreen, err)
	}
	return id, nil
}

// Close implements Screen.
func (b *bubbles) Close(ctx context.Context, id uint32) error {
	if b.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, daemonTime)
	defer cancel()
	if err := b.conn.Object(daemonName, daemonPath).CallWithContext(ctx, daemonName+".CloseNotification", dbus.FlagNoAutoStart, id).Err; err != nil {
		return fmt.Errorf("close notice: %w", err)
	}
	return nil
}

// join connects to the bus, unless it did before, and asks what the daemon can do, which may be
// another one than the last time. It never starts a bus.
func (b *bubbles) join(ctx context.Context) (can []string, err error) {
	if b.conn == nil || !b.conn.Connected() {
		conn, err := b.connect(ctx)
		if err != nil {
			return nil, err
		}
		b.conn = conn
		signals := make(chan *dbus.Signal, 16)
		conn.Signal(signals)
		b.done.Go(func() { b.listen(signals) })
	}
	err = b.conn.Object(daemonName, daemonPath).CallWithContext(ctx, daemonName+".GetCapabilities", 0).Store(&can)
	return can, err
}

func (b *bubbles) connect(ctx context.Context) (*dbus.Conn, error) {
	var conn *dbus.Conn
	var err error
	if b.address == "" {
		conn, err = dbus.SessionBusPrivateNoAutoStartup()
	} else {
		conn, err = dbus.Dial(b.address)
	}
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a bus that hangs must not hang us
	if err = conn.Auth(nil); err == nil {
		err = conn.Hello()
	}
	for _, options := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(daemonName), dbus.WithMatchInterface(daemonName)},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, daemonName)},
	} {
		if err == nil {
			err = conn.AddMatchSignalContext(ctx, options...)
		}
	}
	if err != nil {
		_ = conn.Close() // the first error is the one to tell
		return nil, err
	}
	return conn, nil
}

// listen passes on what people do, until the connection ends.
func (b *bubbles) listen(signals <-chan *dbus.Signal) {
	tell := func(e Event) {
		select {
		case b.events <- e:
		case <-b.stop:
		}
	}
	for s := range signals {
		switch {
		case s.Name == daemonName+".ActionInvoked" && len(s.Body) >= 2:
			id, _ := s.Body[0].(uint32)
			key, _ := s.Body[1].(string)
			if key != "" {
				tell(Event{Notice: id, Button: key})
			}
		case s.Name == daemonName+".NotificationClosed" && len(s.Body) >= 2:
			if reason, _ := s.Body[1].(uint32); reason == dismissed {
				id, _ := s.Body[0].(uint32)
				tell(Event{Notice: id})
			}
		case s.Name == "org.freedesktop.DBus.NameOwnerChanged" && len(s.Body) >= 3:
			if old, _ := s.Body[1].(string); old != "" { // another daemon counts from one again
				tell(Event{Gone: true})
			}
		}
	}
	tell(Event{Gone: true})
}
