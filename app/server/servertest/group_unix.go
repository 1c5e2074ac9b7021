//go:build unix

package servertest

import "syscall"

// ownGroup keeps Ctrl-C from reaching the program past whoever started it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
