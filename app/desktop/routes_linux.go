package desktop

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// routes is the kernel's own news of the network (rtnetlink(7)), for computers on which no service
// of the desktop tells it.
type routes struct {
	changed chan reach
	socket  *os.File
	stop    chan struct{}
	done    chan struct{}
}

// reach says whether there is a way out, and whether it is another one than before.
type reach struct{ on, other bool }

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
	r := &routes{changed: make(chan reach), socket: os.NewFile(uintptr(fd), "routes"),
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
		var link, route bool
		switch {
		case errors.Is(err, unix.ENOBUFS):
			link = true // the kernel had to drop news
		case err != nil:
			return
		default:
			link, route = about(buf[:n])
		}
		if !link && !route {
			continue
		}
		select {
		case r.changed <- reach{reachable(), route}:
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

// about reports whether messages of the kernel tell of a link, or of a new route to everywhere or of
// the end of one.
func about(raw []byte) (link, route bool) {
	for len(raw) >= unix.SizeofNlMsghdr {
		size, kind := int(binary.NativeEndian.Uint32(raw)), binary.NativeEndian.Uint16(raw[4:])
		if size < unix.SizeofNlMsghdr || size > len(raw) {
			break
		}
		switch kind {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			link = true
		case unix.RTM_DELROUTE, unix.RTM_NEWROUTE:
			const bits = unix.SizeofNlMsghdr + 1 // rtm_dst_len
			route = route || size >= unix.SizeofNlMsghdr+unix.SizeofRtMsg && raw[bits] == 0
		}
		raw = raw[min(len(raw), (size+3)&^3):]
	}
	return link, route
}

// reachable reports whether there is a default route, of either protocol.
func reachable() bool {
	return anyLine("/proc/self/net/route", func(f []string) bool { return len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" }) ||
		anyLine("/proc/self/net/ipv6_route", func(f []string) bool {
			// The kernel always has an unreachable default route of its own on "lo".
			return len(f) > 9 && f[0] == strings.Repeat("0", 32) && f[1] == "00" && f[9] != "lo"
		})
}

func anyLine(path string, is func(fields []string) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if is(strings.Fields(lines.Text())) {
			return true
		}
	}
	return false
}
