//go:build linux

package agent_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hawser/sync/sourcetest/dovecottest"
)

// machine says what the figures were measured on, as far as it decides them.
func machine() string {
	disk := "on a disk"
	var fs unix.Statfs_t
	if unix.Statfs(os.TempDir(), &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
		disk = "IN MEMORY, where durable costs nothing"
	}
	return fmt.Sprintf("%d cores; %s %s; Dovecot over TLS, pretend Salesforce without, both on this machine", runtime.NumCPU(), os.TempDir(), disk)
}

func loadAverage() float64 {
	raw, _ := os.ReadFile("/proc/loadavg")
	load, _ := strconv.ParseFloat(strings.Fields(string(raw) + " 0")[0], 64)
	return load
}

// cpuTime returns what all threads of a process have used so far, to the nanosecond: the ticks of
// /proc are too coarse for an idle process.
func cpuTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	const wholeProcess = 2 // CPUCLOCK_SCHED, clock_getcpuclockid(3)
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|wholeProcess), &used); err != nil {
		tb.Fatalf("processor time of %d: %v", pid, err)
	}
	return time.Duration(used.Nano())
}

// serverTime returns what the running Dovecot and all its processes have used so far. They are the
// process group that a child of ours leads.
func serverTime() time.Duration {
	const tick = time.Second / 100
	self := strconv.Itoa(os.Getpid())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	used, ours, dovecot := map[string]int64{}, map[string]bool{}, map[string]bool{}
	for _, path := range stats {
		raw, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(raw), "(")
		name, rest, _ := strings.Cut(rest, ") ")
		f := strings.Fields(rest)
		if len(f) < 15 {
			continue // gone meanwhile
		}
		parent, group := f[1], f[2]
		ours[group] = ours[group] || parent == self
		dovecot[group] = dovecot[group] || name == "dovecot"
		for _, n := range f[11:15] { // own time, and that of children who are gone
			ticks, _ := strconv.ParseInt(n, 10, 64)
			used[group] += ticks
		}
	}
	for group := range dovecot {
		if dovecot[group] && ours[group] {
			return time.Duration(used[group]) * tick
		}
	}
	return 0
}

// syncRate returns how often a second 4 KiB can be made durable in dir.
func syncRate(tb testing.TB, dir string) float64 {
	tb.Helper()
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const n = 200
	begun := time.Now()
	for range n {
		_, err := f.Write(make([]byte, 4<<10))
		if err = errors.Join(err, unix.Fdatasync(int(f.Fd()))); err != nil {
			tb.Fatal(err)
		}
	}
	return n / time.Since(begun).Seconds()
}

// imapClient speaks just enough IMAP to find out how fast the server is: it understands nothing.
type imapClient struct {
	tb   testing.TB
	conn *tls.Conn
	r    *bufio.Reader
	tags int
}

func dialIMAP(tb testing.TB, s *dovecottest.Server) *imapClient {
	tb.Helper()
	conn, err := tls.Dial("tcp", s.Addr, s.TLS)
	if err != nil {
		tb.Fatal(err)
	}
	c := &imapClient{tb: tb, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	tb.Cleanup(func() { _ = conn.Close() })
	c.do("LOGIN " + mailUser + " pass")
	return c
}

func (c *imapClient) send(command string) (tag string) {
	c.tb.Helper()
	c.tags++
	tag = "B" + strconv.Itoa(c.tags)
	if _, err := fmt.Fprintf(c.conn, "%s %s\r\n", tag, command); err != nil {
		c.tb.Fatal(err)
	}
	return tag
}

// do performs a command and returns how many literals its answer had.
func (c *imapClient) do(command string) (literals int) {
	c.tb.Helper()
	for tag := c.send(command); ; {
		raw, err := c.r.ReadSlice('\n')
		if err != nil {
			c.tb.Fatalf("%s: %v", command, err)
		}
		line := string(raw)
		if status, ok := strings.CutPrefix(line, tag+" "); ok {
			if !strings.HasPrefix(status, "OK") {
				c.tb.Fatalf("%s: %s", command, status)
			}
			return literals
		}
		size := -1
		if open := strings.LastIndexByte(line, '{'); open >= 0 && strings.HasSuffix(line, "}\r\n") {
			size, _ = strconv.Atoi(line[open+1 : len(line)-3])
		}
		if size >= 0 {
			literals++
			if _, err := c.r.Discard(size); err != nil {
				c.tb.Fatal(err)
			}
		}
	}
}

// idle waits in a folder and says when the server told of a new mail.
func (c *imapClient) idle(folder string) <-chan time.Time {
	c.tb.Helper()
	c.do("EXAMINE " + folder)
	c.send("IDLE")
	if line, err := c.r.ReadString('\n'); err != nil || line[0] != '+' {
		c.tb.Fatalf("IDLE: %q %v", line, err)
	}
	news := make(chan time.Time, 16)
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			line, err := c.r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasSuffix(line, " EXISTS\r\n") {
				news <- time.Now()
			}
		}
	})
	c.tb.Cleanup(func() { _ = c.conn.Close(); reader.Wait() })
	return news
}

// tap is a link that remembers when it carried something since it was armed.
type tap struct {
	addr string

	mu       sync.Mutex
	up, down []time.Time // towards the server, towards the client
}

func newTap(tb testing.TB, target string) *tap {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	t := &tap{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			all.Go(func() { t.carry(server, client, &t.up) })
			all.Go(func() { t.carry(client, server, &t.down) })
		}
	})
	tb.Cleanup(func() { _ = l.Close(); all.Wait() }) // the agent, started later, is gone by then
	return t
}

// carry copies until one end is gone.
func (t *tap) carry(dst, src net.Conn, log *[]time.Time) {
	defer func() { _ = dst.Close(); _ = src.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			t.mu.Lock()
			*log = append(*log, time.Now())
			t.mu.Unlock()
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (t *tap) arm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.up, t.down = nil, nil
}

// spoke returns when the client first sent something, zero for not yet.
func (t *tap) spoke() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.up) == 0 {
		return time.Time{}
	}
	return t.up[0]
}

// heard returns when the client was told what another one was told at pushed. What came clearly
// earlier was the answer to a probe.
func (t *tap) heard(pushed time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.down {
		if at.After(pushed.Add(-20 * time.Millisecond)) {
			return at
		}
	}
	return pushed
}

// compile builds a small Go program as the agent is built.
func compile(tb testing.TB, source string) string {
	tb.Helper()
	file := filepath.Join(shortDir(tb), "main.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		tb.Fatal(err)
	}
	return buildProgram(tb, file, false)
}

// buildProgram builds one program, a file or a package of ours, as those are built that are shipped.
func buildProgram(tb testing.TB, what string, c bool) string {
	tb.Helper()
	binary := filepath.Join(shortDir(tb), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", binary, what)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if c {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// dropCache makes the system read all files from the disk again that no running program has in use,
// and reports whether it may: that takes an administrator.
func dropCache() bool {
	unix.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0) == nil
}

// ended runs a command to its end and returns the most memory it held, in bytes. What the kernel
// reports afterwards would include the memory of the process that started it.
func ended(tb testing.TB, cmd *exec.Cmd) (peak int64) {
	tb.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				tb.Fatalf("%s: %v\n%s", cmd.Path, err, out.String())
			}
			return peak
		case <-tick.C:
			peak = max(peak, field(status, "VmHWM:")<<10)
		}
	}
}

// quit ends a process that has nothing to lose.
func quit(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
}
