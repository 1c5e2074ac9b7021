//go:build !windows

package oauth

import (
	"errors"
	"syscall"
)

// exclusive has nothing to do: a listening port has one owner here.
func exclusive(_, _ string, _ syscall.RawConn) error { return nil }

// noAddress reports whether a bind failed because this computer lacks the address.
func noAddress(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}
