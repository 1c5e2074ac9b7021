//go:build linux

package window

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/app/control/controltest"
)

// tools are what the real window is driven with.
var tools = []string{"Xvfb", "openbox", "xdotool", "import", "gcc"}

// desktopOf is a display of its own with a window manager, and the built program on it.
type desktopOf struct {
	t       *testing.T
	program string
	env     []string
	agent   *controltest.Agent
}

// needTools skips where one is missing, except where that has to be an error.
func needTools(t *testing.T) {
	t.Helper()
	for _, p := range tools {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not here", p)
			}
			t.Skipf("%s is not here", p)
		}
	}
}

func newDesktop(t *testing.T, agent *controltest.Agent) *desktopOf {
	t.Helper()
	needTools(t)
	dir, err := os.MkdirTemp("", "hw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &desktopOf{t: t, agent: agent}
	if d.program, err = theWindow(); err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), "DISPLAY="+d.display("+extension"), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "XDG_CONFIG_HOME="+dir, "LANG=en_GB.UTF-8",
		"LC_ALL=", "LIBGL_ALWAYS_SOFTWARE=1", "DBUS_SESSION_BUS_ADDRESS=", "FYNE_SCALE=1")
	d.background("openbox")
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- control.Serve(ctx, control.Config{Dir: filepath.Join(dir, "hawser"), Agent: agent, Log: slog.New(slog.DiscardHandler)})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d
}

// display starts a server without a screen and returns its name; glx is "+extension", or
// "-extension" for one that cannot draw with OpenGL.
func (d *desktopOf) display(glx string) string {
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", glx, "GLX", "-noreset")
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = x.Process.Kill(); _ = x.Wait() })
	w.Close()
	raw, err := io.ReadAll(io.LimitReader(r, 3))
	name := strings.TrimSpace(string(raw))
	if _, bad := strconv.Atoi(name); err != nil || bad != nil {
		d.t.Fatalf("display %q, %v", raw, err)
	}
	return ":" + name
}

func (d *desktopOf) background(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = d.env
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c
}

func (d *desktopOf) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = d.env
	out, err := c.Output()
	return strings.TrimSpace(string(out)), err
}

// await waits until something holds.
func (d *desktopOf) await(what string, holds func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("waited for %s; the agent was told %q", what, d.agent.Calls())
		}
	}
}

// window waits for the window and returns its id.
func (d *desktopOf) window() string {
	d.t.Helper()
	id := ""
	d.await("the window", func() bool {
		id, _ = d.run("xdotool", "search", "--onlyvisible", "--name", "^Hawser$")
		return id != "" && !strings.Contains(id, "\n")
	})
	if _, err := d.run("xdotool", "windowactivate", "--sync", id); err != nil {
		d.t.Fatalf("the window does not take the focus: %v", err)
	}
	return id
}

// told waits until the agent was told something, pressing keys as often as it takes: the first
// may come before the window listens.
func (d *desktopOf) told(call string, keys ...string) {
	d.t.Helper()
	before := count(d.agent.Calls(), call)
	for end := time.Now().Add(patience); ; {
		if out, err := d.run("xdotool", append([]string{"key", "--delay", "60"}, keys...)...); err != nil {
			d.t.Fatalf("keys %v: %v %s", keys, err, out)
		}
		for wait := time.Now().Add(3 * time.Second); time.Now().Before(wait); time.Sleep(30 * time.Millisecond) {
			if count(d.agent.Calls(), call) > before {
				return
			}
		}
		if time.Now().After(end) {
			d.t.Fatalf("keys %v did not lead to %q; the agent was told %q", keys, call, d.agent.Calls())
		}
	}
}

// shot is a picture of the window and the number of colours in it.
func (d *desktopOf) shot(id, name string) int {
	d.t.Helper()
	var out bytes.Buffer
	c := exec.Command("import", "-window", id, "png:-")
	c.Env, c.Stdout = d.env, &out
	if err := c.Run(); err != nil {
		d.t.Fatal(err)
	}
	if dir := os.Getenv("HAWSER_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), out.Bytes(), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	img, err := png.Decode(&out)
	if err != nil {
		d.t.Fatal(err)
	}
	colours := map[string]bool{}
	for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
		for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[fmt.Sprint(r, g, b)] = true
		}
	}
	return len(colours)
}

// TestJ04M01RealWindow opens the built program on a display of its own, works it with the keyboard alone,
// starts it a second time and closes it.
func TestJ04M01RealWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program with C")
	}
	d := newDesktop(t, busyAgent())
	first := d.background(d.program)
	id := d.window()
	d.await("something drawn", func() bool { return d.shot(id, "real-home") > 60 })

	d.told(`mails "" "" 50`, "ctrl+2")
	d.told("check", "ctrl+1", "Tab", "Return", "Tab", "Return", "Tab", "Return")
	d.told(`queue "needs-you" 200`, "ctrl+3")
	d.await("the page drawn", func() bool { return d.shot(id, "real-activity") > 60 })

	for range 4 {
		if out, err := d.run(d.program, "-page", "rules"); err != nil {
			t.Fatalf("second start: %v %s", err, out)
		}
	}
	d.await("the rules", func() bool { return count(d.agent.Calls(), "chosen") > 0 })
	if again, _ := d.run("xdotool", "search", "--onlyvisible", "--name", "^Hawser$"); again != id {
		t.Errorf("windows after a second start: %q, want %q alone", again, id)
	}

	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	if _, err := d.run("xdotool", "key", "ctrl+w"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the process of a closed window ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the process of a closed window goes on")
	}
}

// TestNoDrawing says in words what is missing, and ends, where the desktop has no OpenGL or there is
// no desktop at all.
func TestNoDrawing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program with C")
	}
	d := newDesktop(t, busyAgent())
	for display, want := range map[string]string{d.display("-extension"): "OpenGL 2 or newer is missing", "": "no desktop to show a window on"} {
		c := exec.Command(d.program)
		c.Env = append(slices.Clone(d.env), "DISPLAY="+display)
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("on display %q: %v\n%s", display, err, out)
		}
	}
}
