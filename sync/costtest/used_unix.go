//go:build unix

package costtest

import (
	"syscall"
	"time"
)

// used returns the processor time of this process so far: the machine may be busy with others.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
