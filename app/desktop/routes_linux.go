package desktop

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// routes is the kernel's own news of the network (rtnetlink(7)), for computers on which no service
// of the desktop tells it.
type routes struct {
	changed chan bool // another way out than before, or none (false)
	way     string    // the present one
	socket  *os.File
	stop    chan struct{}
	done    chan struct{}
}

// Bits of sockaddr_nl.nl_groups: routes, and links because a link that goes down takes its routes
// with it without a word.
const routeGroups = 1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1) | 1<<(unix.RTNLGRP_LINK-1)

// openRoutes begins to listen; nil where the kernel does not let us.
func openRoutes() *routes {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: routeGroups}); err != nil {
		_ = unix.Close(fd) // it was never used
		return nil
	}
	r := &routes{changed: make(chan bool), way: wayOut(), socket: os.NewFile(uintptr(fd), "routes"),
		stop: make(chan struct{}), done: make(chan struct{})}
	go r.read()
	return r
}

func (r *routes) read() {
	defer close(r.done)
	defer close(r.changed)
	buf := make([]byte, 32<<10)
	for {
		n, err := r.socket.Read(buf)
		switch {
		case errors.Is(err, unix.ENOBUFS): // the kernel had to drop news
		case err != nil:
			return
		case !news(buf[:n]):
			continue
		}
		way := wayOut()
		if way == r.way {
			continue // a router says it again every few minutes
		}
		r.way = way
		select {
		case r.changed <- way != "":
		case <-r.stop:
			return
		}
	}
}

func (r *routes) close() {
	close(r.stop)
	_ = r.socket.Close() // it is only read
	<-r.done
}

// news reports whether messages of the kernel tell of a link, or of a route to everywhere that came
// or went.
func news(raw []byte) bool {
	for len(raw) >= unix.SizeofNlMsghdr {
		size, kind := int(binary.NativeEndian.Uint32(raw)), binary.NativeEndian.Uint16(raw[4:])
		if size < unix.SizeofNlMsghdr || size > len(raw) {
			return false
		}
		switch kind {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			return true
		case unix.RTM_DELROUTE, unix.RTM_NEWROUTE:
			const bits = unix.SizeofNlMsghdr + 1 // rtm_dst_len
			if size >= unix.SizeofNlMsghdr+unix.SizeofRtMsg && raw[bits] == 0 {
				return true
			}
		}
		raw = raw[min(len(raw), (size+3)&^3):]
	}
	return false
}

// wayOut names the default routes of both protocols by interface and gateway, "" for none.
func wayOut() string {
	var ways []string
	lines("/proc/self/net/route", func(f []string) {
		if len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
			ways = append(ways, f[0]+" "+f[2])
		}
	})
	lines("/proc/self/net/ipv6_route", func(f []string) {
		// The kernel always has an unreachable default route of its own on "lo".
		if len(f) > 9 && f[0] == strings.Repeat("0", 32) && f[1] == "00" && f[9] != "lo" {
			ways = append(ways, f[9]+" "+f[4])
		}
	})
	slices.Sort(ways)
	return strings.Join(slices.Compact(ways), ", ")
}

// lines calls do with the fields of each line of a file that may not be there.
func lines(path string, do func(fields []string)) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		do(strings.Fields(lines.Text()))
	}
}
