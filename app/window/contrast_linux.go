package window

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

// portalTime is how long the desktop's settings portal may take. On some desktops it never answers.
const portalTime = 5 * time.Second

// highContrast asks the desktop's settings portal (org.freedesktop.appearance, contrast: 1 is
// higher).
func highContrast(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, portalTime)
	defer cancel()
	bus, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return false // no desktop bus, so no portal
	}
	defer bus.Close()
	var v dbus.Variant
	err = bus.Object("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop").
		CallWithContext(ctx, "org.freedesktop.portal.Settings.ReadOne", 0, "org.freedesktop.appearance", "contrast").Store(&v)
	level, ok := v.Value().(uint32)
	return err == nil && ok && level == 1
}
