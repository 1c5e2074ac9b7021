package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/fault"
)

// TestA44KeyStoreDies kills the key store while the agent works: the agent goes on, a start without
// the store says why and touches nothing, and a start with it goes on where the last run stopped.
func TestA44KeyStoreDies(t *testing.T) {
	s := badScene(t, nil)
	s.mark("before")
	s.saved("before")
	s.user.killKeyStore()
	s.mark("without a key store")
	s.saved("before", "without a key store")
	s.org.FailNext(1_000_000, 503, "busy")
	s.mark("waits")
	s.until(20*time.Second, "a mail to wait", func(st control.Status) bool { return st.Counts.Waiting == 1 })
	s.user.kill()
	s.user.killKeyStore() // that the bus may have started anew

	before := s.user.files()
	out := s.user.hawser("run", "--headless")
	code := fault.KeyStoreLocked
	if strings.Contains(out.stderr, string(fault.KeyStoreMissing)) {
		code = fault.KeyStoreMissing
	}
	out.refuses(t, "run without a key store", code, 4)
	for path, size := range s.user.files() {
		if before[path] != size && !strings.HasSuffix(path, "hawser.log") && !strings.Contains(path, "keyrings") {
			t.Errorf("%s had %d bytes and has %d", path, before[path], size)
		}
	}
	s.user.killKeyStore()
	s.org.Calm()
	b := bus{address: s.user.variable("DBUS_SESSION_BUS_ADDRESS")}
	b.unlock(t, s.user.home)
	s.user.start()
	s.saved("before", "without a key store", "waits")
	s.settled()
}

// killKeyStore ends the Secret Service of the user's session, if there is one.
func (u *user) killKeyStore() {
	u.t.Helper()
	cmd := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetConnectionUnixProcessID", "string:org.freedesktop.secrets")
	cmd.Env = u.env
	reply, err := cmd.Output()
	if err != nil {
		return // nobody has the name
	}
	words := strings.Fields(string(reply))
	pid, err := strconv.Atoi(words[len(words)-1])
	if err != nil || pid < 2 {
		u.t.Fatalf("%s: %v", reply, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		u.t.Fatal(err)
	}
	waitFor(u.t, 10*time.Second, "the key store to be gone", func() bool {
		cmd := exec.Command("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets")
		cmd.Env = u.env
		reply, err := cmd.Output()
		return err == nil && strings.Contains(string(reply), "false")
	})
}

// variable returns a variable of the user's environment.
func (u *user) variable(name string) string {
	for _, v := range u.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// files returns the sizes of all files of the user.
func (u *user) files() map[string]int64 {
	u.t.Helper()
	sizes := map[string]int64{}
	err := filepath.WalkDir(u.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sizes[path] = info.Size()
		}
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return sizes
}
