//go:build !linux

package sqlitedb

import "errors"

func mountSmall(string) error { return errors.ErrUnsupported }
func unmount(string) error    { return errors.ErrUnsupported }
