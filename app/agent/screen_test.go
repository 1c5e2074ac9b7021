package agent_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/app/agent"
	"hawser/app/config"
)

// buildWindow makes hawser-window's binary once for all tests.
var buildWindow = sync.OnceValues(func() (string, error) {
	program, err := build()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(program), "window", "hawser-window") // not beside the agent, where it would be found
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./app/cmd/hawser-window")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hawser-window: %w\n%s", err, out)
	}
	return path, nil
})

// installed is a folder with the agent and its window, as a package lays them.
func installed(t testing.TB) string {
	t.Helper()
	needs(t, "gcc")
	dir := shortDir(t)
	for name, make := range map[string]func() (string, error){"hawser": build, "hawser-window": buildWindow} {
		path, err := make()
		if err == nil {
			err = os.Link(path, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// screen is a display of its own with a window manager.
type screen struct {
	t   testing.TB
	env []string // of programs on it
}

// startScreen starts a display for the length of the test.
func startScreen(t testing.TB, env []string) *screen {
	t.Helper()
	needs(t, "Xvfb", "openbox", "xdotool")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "+extension", "GLX", "-noreset", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Process.Kill(); _ = x.Wait() })
	_ = w.Close()
	raw, err := io.ReadAll(io.LimitReader(r, 3))
	number := strings.TrimSpace(string(raw))
	if _, bad := strconv.Atoi(number); err != nil || bad != nil {
		t.Fatalf("display %q, %v", raw, err)
	}
	// With a display a browser of this computer would open the login pages, which are the test's.
	s := &screen{t: t, env: append(env, "DISPLAY=:"+number, "LIBGL_ALWAYS_SOFTWARE=1", "FYNE_SCALE=1", "BROWSER=true")}
	wm := exec.Command("openbox")
	wm.Env = s.env
	if err := wm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wm.Process.Kill(); _ = wm.Wait() })
	return s
}

// do runs xdotool and returns what it prints.
func (s *screen) do(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xdotool", args...)
	cmd.Env = s.env
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// windows are the ids of Hawser's windows that are to be seen.
func (s *screen) windows() []string {
	out, _ := s.do("search", "--onlyvisible", "--name", "^Hawser$") // it fails where there is none
	return strings.Fields(out)
}

// window waits for the one window, which has to be in front.
func (s *screen) window() string {
	s.t.Helper()
	id := ""
	waitFor(s.t, 40*time.Second, "one window, in front", func() bool {
		all := s.windows()
		front, _ := s.do("getactivewindow")
		if len(all) == 1 {
			id = all[0]
		}
		return len(all) == 1 && front == id
	})
	return id
}

// impatientVar makes this test's own program the agent, which is told soon that a desktop has no
// place for an icon: the shipped one gives it a minute.
const impatientVar = "HAWSER_TEST_IMPATIENT"

// impatient is "hawser run" but for that.
func impatient() int {
	dirs, err := config.FindDirs(os.Getenv)
	if err == nil {
		err = agent.Foreground{Dirs: dirs, Env: os.Environ(), Lang: "en", Version: "test", Desktop: true, Stderr: os.Stderr, HostPatience: 2 * time.Second}.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
