package notice

import (
	"context"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of shellapi.h, and of the icon that app/tray shows.
const (
	nimModify  = 0x1
	nifInfo    = 0x10
	niifInfo   = 0x1
	niifWarn   = 0x2
	niifQuiet  = 0x80 // not in the hours in which the person wants quiet
	trayClass  = "SystrayClass"
	trayIconID = 100
)

var shellNotifyIcon = windows.NewLazySystemDLL("shell32.dll").NewProc("Shell_NotifyIconW")

// iconData is NOTIFYICONDATAW.
type iconData struct {
	size                uint32
	window              windows.HWND
	id, flags, callback uint32
	icon                windows.Handle
	tip                 [128]uint16
	state, stateMask    uint32
	info                [256]uint16
	version             uint32
	infoTitle           [64]uint16
	infoFlags           uint32
	item                windows.GUID
	balloonIcon         windows.Handle
}

// NewScreen returns the balloons of the tray icon, which Windows shows as its own notifications.
// They have no buttons, and there is one at a time.
func NewScreen() Screen { return &balloon{events: make(chan Event)} }

type balloon struct {
	events chan Event
	last   uint32
}

// Events implements Screen: Windows tells the icon's own window alone.
func (b *balloon) Events() <-chan Event { return b.events }

// End implements Screen.
func (b *balloon) End() { close(b.events) }

// Show implements Screen.
func (b *balloon) Show(_ context.Context, n Notice) (uint32, error) {
	d := iconData{infoFlags: niifWarn | niifQuiet}
	if n.Good {
		d.infoFlags = niifInfo | niifQuiet
	}
	put(d.infoTitle[:], n.Title)
	put(d.info[:], n.Body)
	if err := modify(&d); err != nil {
		return 0, err
	}
	b.last++
	return b.last, nil
}

// Close implements Screen. Only the last one can still be on the screen.
func (b *balloon) Close(_ context.Context, id uint32) error {
	if id != b.last {
		return nil
	}
	return modify(&iconData{})
}

// modify gives our icon a balloon; an empty one takes it away.
func modify(d *iconData) error {
	if d.window = trayWindow(); d.window == 0 {
		return ErrNoScreen
	}
	d.size, d.id, d.flags = uint32(unsafe.Sizeof(*d)), trayIconID, nifInfo
	if ok, _, err := shellNotifyIcon.Call(nimModify, uintptr(unsafe.Pointer(d))); ok == 0 {
		return fmt.Errorf("%w: %w", ErrNoScreen, err)
	}
	return nil
}

// put writes as much of s as fits, with the zero at the end.
func put(into []uint16, s string) {
	raw, err := windows.UTF16FromString(s)
	if err != nil {
		return // texts of ours hold no zero
	}
	n := copy(into[:len(into)-1], raw)
	if n > 0 && into[n-1]&0xfc00 == 0xd800 {
		into[n-1] = 0 // half a character
	}
}

// search looks for the icon's window among those of this process. Callbacks are a limited good, so
// that there is one.
var search = sync.OnceValue(func() uintptr {
	return windows.NewCallback(func(w windows.HWND, found *windows.HWND) uintptr {
		var pid uint32
		if _, err := windows.GetWindowThreadProcessId(w, &pid); err != nil || pid != windows.GetCurrentProcessId() {
			return 1
		}
		var class [64]uint16
		n, err := windows.GetClassName(w, &class[0], int32(len(class)))
		if err == nil && windows.UTF16ToString(class[:n]) == trayClass {
			*found = w
			return 0
		}
		return 1
	})
})

func trayWindow() (found windows.HWND) {
	_ = windows.EnumWindows(search(), unsafe.Pointer(&found)) // it fails when the search ends early
	return found
}
