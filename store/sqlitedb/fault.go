package sqlitedb

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"hawser/sync/fault"
)

// Fault turns an error of the database or its file into a *fault.Error with the code that says
// what to do. A fault keeps its code, an ended context stays a context error; Fault(op, nil) is
// nil.
func Fault(op string, err error) error {
	var known *fault.Error
	var lite *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, err)
	case errors.As(err, &lite):
		return fault.New(codeOf(lite.Code()), op, err)
	case errors.Is(err, syscall.ENOSPC):
		return fault.New(fault.DiskFull, op, err)
	default:
		return fault.New(fault.Internal, op, err)
	}
}

// codeOf maps SQLite's result codes (sqlite.org "Result and Error Codes"). IOERR_SHMSIZE is what
// SQLite reports when the disk has no room for the index of its WAL.
func codeOf(result int) fault.Code {
	if result == lib.SQLITE_IOERR_SHMSIZE {
		return fault.DiskFull
	}
	switch result & 0xff {
	case lib.SQLITE_FULL:
		return fault.DiskFull
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fault.QueueLocked
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fault.QueueDamaged
	default:
		return fault.Internal
	}
}
