package alarm

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// newTimer reads a timer of the kernel (timerfd_create(2)); where there is none, the runtime's.
func newTimer(wait time.Duration, again bool) *Timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return plain(wait, again)
	}
	f := os.NewFile(uintptr(fd), "timer")
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(wait), 1))} // 0 would be never
	if again {
		at.Interval = at.Value
	}
	if err := unix.TimerfdSettime(fd, 0, &at, nil); err != nil {
		_ = f.Close()
		return plain(wait, again)
	}
	ticks, ended := make(chan time.Time, 1), make(chan struct{})
	go func() {
		defer close(ended)
		var count [8]byte
		for {
			if _, err := f.Read(count[:]); err != nil { // closed by Stop
				return
			}
			select {
			case ticks <- time.Now():
			default:
			}
		}
	}()
	return &Timer{C: ticks, stop: func() {
		_ = f.Close()
		<-ended
	}}
}
