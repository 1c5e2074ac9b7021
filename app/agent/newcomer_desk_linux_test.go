package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"hawser/app/control"
	"hawser/auth/oauth/browsertest"
)

const (
	calm    = 15 * time.Second // after which a key that did nothing is pressed again
	patient = 90 * time.Second // for whatever a step waits for, on a machine with much else to do
)

// newcomer is somebody on their first day with Hawser: a desktop with a panel, a keyboard and a
// browser, and a demo that was just started. There is no mouse.
type newcomer struct {
	t       *testing.T
	screen  *screen
	home    string // of the session
	panel   *panel
	browser *rod.Browser
	opened  string // the addresses that the session's browser was given
	window  string

	demo   *exec.Cmd
	ended  chan struct{}
	enter  io.Writer // the demo's terminal
	said   *syncBuffer
	socket string // folder of the agent's
	link   string // that the company gave
	page   string // what the pretend Salesforce holds

	shots int
}

// newNewcomer starts a session with a display and a panel, and the demo in it.
func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	needs(t, "import", "xdg-open", "setsid", "chromium")
	programs := newcomersPrograms(t)
	n := &newcomer{t: t, home: shortDir(t), said: &syncBuffer{}, ended: make(chan struct{}), browser: browsertest.Start(t)}
	n.opened = filepath.Join(n.home, "opened")
	bus := startBus(t, n.home)
	n.screen = startScreen(t, bus.env(n.home))
	n.preferBrowser()
	n.panel = startPanel(t, bus.address)
	n.start(programs)
	return n
}

// newcomersPrograms are built beside each other, as they are installed.
func newcomersPrograms(t *testing.T) string {
	t.Helper()
	dir := installed(t)
	server, err := buildServer()
	if err == nil {
		err = os.Link(server, filepath.Join(dir, "hawserd"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "sandbox"), "./app/cmd/sandbox")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build sandbox: %v\n%s", err, out)
	}
	return dir
}

// preferBrowser makes the session's browser one that writes down where it was sent: the pages are
// opened in Chromium by the test.
func (n *newcomer) preferBrowser() {
	script := filepath.Join(n.home, "browser")
	for path, text := range map[string]string{
		script: "#!/bin/sh\nprintf '%s\\n' \"$1\" >>'" + n.opened + "'\n",
		filepath.Join(n.home, ".config/mimeapps.list"):                  "[Default Applications]\nx-scheme-handler/http=mine.desktop\nx-scheme-handler/https=mine.desktop\n",
		filepath.Join(n.home, ".local/share/applications/mine.desktop"): "[Desktop Entry]\nType=Application\nName=Mine\nExec=" + script + " %u\n",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o700)); err != nil {
			n.t.Fatal(err)
		}
	}
}

// start starts the demo and reads what it tells a newcomer.
func (n *newcomer) start(programs string) {
	n.demo = exec.Command(filepath.Join(programs, "sandbox"), "-newcomer", "-agent", filepath.Join(programs, "hawser"), "-hawserd", filepath.Join(programs, "hawserd"))
	n.demo.Env, n.demo.Stdout, n.demo.Stderr = n.screen.env, n.said, n.said
	n.demo.WaitDelay = 10 * time.Second
	var err error
	if n.enter, err = n.demo.StdinPipe(); err == nil {
		err = n.demo.Start()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	go func() { _ = n.demo.Wait(); close(n.ended) }()
	n.t.Cleanup(func() {
		_ = n.demo.Process.Signal(syscall.SIGTERM)
		<-n.ended
		if n.t.Failed() {
			n.t.Logf("the demo said: %s", n.said)
		}
	})
	n.socket = filepath.Join(n.told(`env HOME=(\S+) `), "run", "hawser")
	n.link, n.page = n.told(`gave you:\s+(\S+)`), n.told(`pretend Salesforce: +(\S+)`)
}

// told waits for words of the demo.
func (n *newcomer) told(pattern string) string {
	n.t.Helper()
	words, found := regexp.MustCompile(pattern), ""
	waitFor(n.t, patient, "the demo to say "+pattern, func() bool {
		select {
		case <-n.ended:
			n.t.Fatalf("the demo ended: %s", n.said)
		default:
		}
		if m := words.FindStringSubmatch(n.said.String()); m != nil {
			found = m[1]
		}
		return found != ""
	})
	return found
}

// status is what the agent says of itself.
func (n *newcomer) status() (s control.Status, err error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 5*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, n.socket)
	if err != nil {
		return s, err
	}
	err = c.Watch(ctx, func(got control.Status) error { s = got; return errEnough })
	if s.State == "" {
		return s, fmt.Errorf("no status: %w", err)
	}
	return s, nil
}

// sees waits until the agent is as told.
func (n *newcomer) sees(what string, holds func(control.Status) bool) {
	n.t.Helper()
	var last control.Status
	defer func() {
		if n.t.Failed() {
			n.t.Logf("the agent's last status: %+v", last)
		}
	}()
	waitFor(n.t, patient, what, func() bool {
		s, err := n.status()
		if err == nil {
			last = s
		}
		return err == nil && holds(s)
	})
}

// keys presses keys, one after the other.
func (n *newcomer) keys(keys ...string) {
	n.t.Helper()
	if out, err := n.screen.do(append([]string{"key", "--delay", "60"}, keys...)...); err != nil {
		n.t.Fatalf("keys %v: %v %s", keys, err, out)
	}
}

// types writes a text, letter by letter.
func (n *newcomer) types(text string) {
	n.t.Helper()
	if out, err := n.screen.do("type", "--delay", "12", text); err != nil {
		n.t.Fatalf("type %q: %v %s", text, err, out)
	}
}

// until acts until something holds. It acts again only after long: what comes late is not lost.
func (n *newcomer) until(what string, holds func() bool, act func()) {
	n.t.Helper()
	for end := time.Now().Add(patient); time.Now().Before(end); {
		act()
		for again := time.Now().Add(calm); time.Now().Before(again); time.Sleep(50 * time.Millisecond) {
			if holds() {
				return
			}
		}
	}
	n.shot("failed")
	n.t.Fatalf("waited %v for %s", patient, what)
}

// is makes a condition of the agent's status.
func (n *newcomer) is(holds func(control.Status) bool) func() bool {
	return func() bool {
		s, err := n.status()
		return err == nil && holds(s)
	}
}

// looks waits for the window and gives it the keyboard.
func (n *newcomer) looks() {
	n.t.Helper()
	n.window = n.screen.window()
	if _, err := n.screen.do("windowactivate", "--sync", n.window); err != nil {
		n.t.Fatalf("the window does not take the focus: %v", err)
	}
	n.steady()
}

// picture is the window as it is now, as a PPM file: two of the same bytes look the same.
func (n *newcomer) picture() []byte {
	n.t.Helper()
	c := exec.CommandContext(n.t.Context(), "import", "-window", n.window, "-depth", "8", "ppm:-")
	c.Env = n.screen.env
	picture, err := c.Output()
	if err != nil {
		n.t.Fatalf("picture of the window: %v", err)
	}
	return picture
}

// steady waits until the window has drawn all it has to, and nothing in it goes round.
func (n *newcomer) steady() []byte {
	n.t.Helper()
	before := n.picture()
	for end := time.Now().Add(patient); ; {
		time.Sleep(250 * time.Millisecond)
		picture := n.picture()
		if bytes.Equal(picture, before) || time.Now().After(end) {
			return picture
		}
		before = picture
	}
}

// leads presses a key until the window looks different, and waits until it has drawn that.
func (n *newcomer) leads(key string) {
	n.t.Helper()
	before := n.steady()
	n.until("the window to answer "+key, func() bool { return !bytes.Equal(n.picture(), before) }, func() { n.keys(key) })
	n.steady()
}

// painted reports whether a part of the window has a pixel of one of some colours.
func (n *newcomer) painted(where image.Rectangle, colours []string) bool {
	n.t.Helper()
	for pixel := range slices.Chunk(n.cut(n.picture(), where), 3) {
		if slices.Contains(colours, string(pixel)) {
			return true
		}
	}
	return false
}

// tabsTo presses the Tab key until the ring of the focus is seen in a part of the window, which is
// beside something that can be worked and has nothing else in it.
func (n *newcomer) tabsTo(what string, beside image.Rectangle) {
	n.t.Helper()
	bare := n.cut(n.steady(), beside)
	for range 20 {
		n.keys("Tab")
		if !bytes.Equal(n.cut(n.steady(), beside), bare) {
			return
		}
	}
	n.shot("failed")
	n.t.Fatalf("the Tab key does not lead to %s", what)
}

// cut is a part of a picture.
func (n *newcomer) cut(picture []byte, where image.Rectangle) (part []byte) {
	n.t.Helper()
	wide, rgb := n.rows(picture)
	for y := where.Min.Y; y < where.Max.Y; y++ {
		part = append(part, rgb[3*(y*wide+where.Min.X):3*(y*wide+where.Max.X)]...)
	}
	return part
}

// rows are the pixels of a picture, three bytes each, and how many of them make a row.
func (n *newcomer) rows(picture []byte) (wide int, rgb []byte) {
	n.t.Helper()
	high := 0
	_, err := fmt.Sscanf(string(picture[:min(len(picture), 32)]), "P6\n%d %d\n255\n", &wide, &high)
	if err != nil || len(picture) < 3*wide*high || wide*high == 0 {
		n.t.Fatalf("a picture of %d bytes: %v", len(picture), err)
	}
	return wide, picture[len(picture)-3*wide*high:]
}

// shot keeps a picture of the window, once it stands still.
func (n *newcomer) shot(name string) {
	n.t.Helper()
	n.develop(name, n.steady())
}

// develop keeps a picture of the window.
func (n *newcomer) develop(name string, picture []byte) {
	n.t.Helper()
	wide, rgb := n.rows(picture)
	flat := image.NewRGBA(image.Rect(0, 0, wide, len(rgb)/3/wide))
	for i := range len(rgb) / 3 {
		copy(flat.Pix[4*i:], rgb[3*i:3*i+3])
		flat.Pix[4*i+3] = 0xFF
	}
	var out bytes.Buffer
	if err := png.Encode(&out, flat); err != nil {
		n.t.Fatal(err)
	}
	n.keep(name, flat, out.Bytes())
}

// keep writes a picture into the folder HAWSER_SHOTS, where one is named, and fails when it shows
// nothing.
func (n *newcomer) keep(name string, img image.Image, file []byte) {
	n.t.Helper()
	n.shots++
	colours := map[color.Color]bool{}
	for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
		for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
			colours[img.At(x, y)] = true
		}
	}
	if len(colours) < 60 {
		n.t.Errorf("picture %s has %d colours", name, len(colours))
	}
	if dir := os.Getenv("HAWSER_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("newcomer-%02d-%s.png", n.shots, name)), file, 0o600); err != nil {
			n.t.Error(err)
		}
	}
}

// browses opens an address in Chromium and shows it to do.
func (n *newcomer) browses(address string, do func(*rod.Page) error) {
	n.t.Helper()
	page, err := n.browser.Page(proto.TargetCreateTarget{URL: address})
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = page.Close() }()
	err = page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: 1080, Height: 740, DeviceScaleFactor: 1})
	if err == nil {
		err = do(page)
	}
	if err != nil {
		n.t.Fatalf("at %s: %v", address, err)
	}
}

// photograph keeps a picture of a page.
func (n *newcomer) photograph(page *rod.Page, name string) error {
	file, err := page.Screenshot(false, nil)
	if err != nil {
		return err
	}
	img, err := png.Decode(bytes.NewReader(file))
	if err == nil {
		n.keep(name, img, file)
	}
	return err
}

// sent returns the address that the browser was given last, "" for none.
func (n *newcomer) sent() string {
	raw, _ := os.ReadFile(n.opened)
	lines := strings.Fields(string(raw))
	if len(lines) == 0 || !bytes.HasSuffix(raw, []byte("\n")) {
		return ""
	}
	return lines[len(lines)-1]
}
