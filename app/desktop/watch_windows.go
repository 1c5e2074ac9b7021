package desktop

import (
	"context"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of powrprof.h and winuser.h.
const (
	deviceNotifyCallback = 2
	apmSuspend           = 0x4
	apmResumeSuspend     = 0x7
	apmResumeAutomatic   = 0x12
)

var (
	powrprof        = windows.NewLazySystemDLL("powrprof.dll")
	registerSuspend = powrprof.NewProc("PowerRegisterSuspendResumeNotification")
	releaseSuspend  = powrprof.NewProc("PowerUnregisterSuspendResumeNotification")
)

// subscription is DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS.
type subscription struct {
	callback uintptr
	context  uintptr
}

// Watch calls tell for every event until ctx ends. Windows tells of sleep and of the network; of a
// locked session only windows hear, and the agent has none. It may be called a few times in a
// process: Windows keeps the callbacks.
func Watch(ctx context.Context, tell func(Event)) error {
	asleep, addresses := make(chan bool, 8), make(chan struct{}, 1)
	onPower := windows.NewCallback(func(_, kind, _ uintptr) uintptr {
		if kind == apmSuspend || kind == apmResumeSuspend || kind == apmResumeAutomatic {
			select {
			case asleep <- kind == apmSuspend:
			default: // nobody could act on it any more
			}
		}
		return 0
	})
	onAddress := windows.NewCallback(func(_, _, _ uintptr) uintptr {
		select {
		case addresses <- struct{}{}:
		default: // one is waiting already
		}
		return 0
	})
	params, power := &subscription{callback: onPower}, uintptr(0)
	if code, _, _ := registerSuspend.Call(deviceNotifyCallback, uintptr(unsafe.Pointer(params)), uintptr(unsafe.Pointer(&power))); code != 0 {
		return fmt.Errorf("watch sleep: %w", windows.Errno(code))
	}
	defer func() { _, _, _ = releaseSuspend.Call(power) }() // the process ends soon
	var network windows.Handle
	if err := windows.NotifyUnicastIpAddressChange(windows.AF_UNSPEC, onAddress, nil, false, &network); err != nil {
		return fmt.Errorf("watch network: %w", err)
	}
	defer func() { _ = windows.CancelMibChangeNotify2(network) }() // the process ends soon
	h := hub{tell: tell}
	for {
		select {
		case <-ctx.Done():
			return nil
		case on := <-asleep:
			h.sleep(on)
		case <-addresses:
			h.network(reachable(), true)
		}
	}
}

// reachable reports whether there is an address that leads out of this computer.
func reachable() bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return true
		}
	}
	return false
}

// Serve returns ErrUnsupported: the second program hands what it was started with to the first one
// over the control pipe.
func Serve(context.Context, func(context.Context, Request)) error { return ErrUnsupported }
