package window

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// portal is a settings portal of a desktop.
type portal struct{ contrast uint32 }

// ReadOne is a method of org.freedesktop.portal.Settings.
func (p portal) ReadOne(space, key string) (dbus.Variant, *dbus.Error) {
	if space != "org.freedesktop.appearance" || key != "contrast" {
		return dbus.MakeVariant(uint32(0)), dbus.NewError("org.freedesktop.portal.Error.NotFound", nil)
	}
	return dbus.MakeVariant(p.contrast), nil
}

// TestM03ContrastOfTheDesktop asks a real bus, without a portal and with one
// for each contrast.
func TestM03ContrastOfTheDesktop(t *testing.T) {
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("dbus-daemon is not here")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
	if highContrast(t.Context()) {
		t.Error("high contrast without a bus")
	}
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	address := make([]byte, 512)
	n, err := out.Read(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(string(address[:n])))
	if highContrast(t.Context()) {
		t.Error("high contrast without a portal")
	}
	bus, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if _, err := bus.RequestName("org.freedesktop.portal.Desktop", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	for level, want := range map[uint32]bool{0: false, 1: true, 2: false} {
		if err := bus.Export(portal{level}, "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings"); err != nil {
			t.Fatal(err)
		}
		if got := highContrast(t.Context()); got != want {
			t.Errorf("contrast %d is high: %t", level, got)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if highContrast(ended) {
		t.Error("an answer after the window was closed")
	}
}
