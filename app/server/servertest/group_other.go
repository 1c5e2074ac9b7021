//go:build !unix

package servertest

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }
