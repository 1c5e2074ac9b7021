package agent

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// giveBack takes the program's own pages, which stay in the system's file cache, out of this
// process: most are only needed to start. Pages that the loader changed are left alone; they could
// not be read again.
func giveBack() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer func() { _ = maps.Close() }()
	var start, size uintptr
	var errs error
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 5 && strings.Contains(fields[0], "-") { // a mapping; what follows tells of it
			size = 0
			if fields[1][1] == '-' && strings.HasSuffix(lines.Text(), " "+program) {
				start, size = extent(fields[0])
			}
		} else if size > 0 && strings.Join(fields, " ") == "Anonymous: 0 kB" {
			if _, _, e := unix.Syscall(unix.SYS_MADVISE, start, size, unix.MADV_DONTNEED); e != 0 {
				errs = errors.Join(errs, e)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errs
}

// extent reads the addresses of a mapping, "400000-800000".
func extent(text string) (start, size uintptr) {
	low, high, _ := strings.Cut(text, "-")
	first, err := strconv.ParseUint(low, 16, 64)
	end, err2 := strconv.ParseUint(high, 16, 64)
	if err != nil || err2 != nil || first >= end {
		return 0, 0
	}
	return uintptr(first), uintptr(end - first)
}
