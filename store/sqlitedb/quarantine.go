package sqlitedb

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Quarantine moves a damaged file that nobody has open, with its WAL, out of the way and returns
// its new name, so that a new one can be built and the old one be looked at.
func Quarantine(path string, now time.Time) (string, error) {
	lock, err := lockFile(path)
	if err != nil {
		return "", err
	}
	moved := path + ".damaged-" + now.UTC().Format("20060102T150405.000Z")
	var errs []error
	// The database goes last: a WAL left behind would be taken for the next database's own.
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := os.Rename(path+suffix, moved+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return moved, errors.Join(append(errs, lock.Close())...)
}
