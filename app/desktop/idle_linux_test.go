package desktop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// idleVar marks the child that listens and does nothing else.
const idleVar = "HAWSER_DESKTOP_IDLE"

// TestIdleListenerDoesNotWake: who listens to both buses, the kernel and launchers, and hears
// nothing, does not run.
func TestIdleListenerDoesNotWake(t *testing.T) {
	if os.Getenv(idleVar) != "" {
		idle(t)
		return
	}
	t.Parallel()
	system, session := startBus(t), startBus(t)
	startLogin(t, system, false)
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleListenerDoesNotWake$")
	cmd.Env = append(os.Environ(), idleVar+"=1", "DBUS_SYSTEM_BUS_ADDRESS="+system, "DBUS_SESSION_BUS_ADDRESS="+session)
	in, inErr := cmd.StdinPipe()
	must(t, errors.Join(inErr, cmd.Start()))
	client := join(t, session)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var there bool
		must(t, client.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, ID).Store(&there))
		if there {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the listener did not start")
		}
	}
	time.Sleep(4 * time.Second) // the garbage of the start is cleared away
	before := switches(t, cmd.Process.Pid)
	time.Sleep(4 * time.Second)
	n := switches(t, cmd.Process.Pid) - before
	t.Logf("%d context switches in 4 s", n)
	if n > 2 {
		t.Errorf("an idle listener woke %d times in 4 s", n)
	}
	must(t, in.Close())
	must(t, cmd.Wait())
}

func idle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- Watch(ctx, func(e Event) { t.Errorf("heard %s", e) }) }()
	go func() { ended <- Serve(ctx, func(_ context.Context, r Request) { t.Errorf("asked for %v", r) }) }()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
	cancel()
	must(t, errors.Join(<-ended, <-ended))
}

// switches returns how often the threads of a process went to sleep so far.
func switches(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of %d: %v", pid, err)
	}
	sum := 0
	for _, task := range tasks {
		raw, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that ended
		}
		sum += voluntary(string(raw))
	}
	return sum
}

func voluntary(status string) (n int) {
	for line := range strings.Lines(status) {
		if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
			return n
		}
	}
	return 0
}
