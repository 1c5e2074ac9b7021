package alarm

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// newTicker reads a timer of the kernel (timerfd_create(2)); where there is none, the runtime's.
func newTicker(every time.Duration) *Ticker {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return plain(every)
	}
	f := os.NewFile(uintptr(fd), "timer")
	at := unix.NsecToTimespec(int64(every))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: at, Value: at}, nil); err != nil {
		_ = f.Close()
		return plain(every)
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
	return &Ticker{C: ticks, stop: func() {
		_ = f.Close()
		<-ended
	}}
}
