//go:build linux

package agent_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// display is an X server without a screen, with a window manager, seen by a client of our own: what
// is on the screen, and when something was drawn on it.
type display struct {
	tb            testing.TB
	name          string // ":99"
	conn          net.Conn
	root          uint32
	width, height uint16
	base          uint32 // of the ids that are ours to give
	replies       chan []byte
	failed        chan error

	mu    sync.Mutex
	drawn []uint32      // times of the server, ms, at which something was drawn
	news  chan struct{} // one-slot: something was
}

// newDisplay starts the server and the window manager for the length of a part.
func newDisplay(tb testing.TB) *display {
	tb.Helper()
	needs(tb, "Xvfb", "openbox", "xdotool")
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	server := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "+extension", "GLX", "-noreset")
	server.ExtraFiles = []*os.File{w}
	if err := server.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { quit(server) })
	_ = w.Close()
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		tb.Fatalf("Xvfb said nothing: %v", err)
	}
	d := &display{tb: tb, name: ":" + strings.TrimSpace(number), replies: make(chan []byte, 1), news: make(chan struct{}, 1), failed: make(chan error, 1)}
	d.connect()
	manager := exec.Command("openbox")
	manager.Env = append(os.Environ(), "DISPLAY="+d.name)
	if err := manager.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { quit(manager) })
	return d
}

// connect greets the server (X Window System Protocol, version 11, section 8) and asks to hear of
// everything that is drawn (Damage extension, version 1.1).
func (d *display) connect() {
	d.tb.Helper()
	var err error
	if d.conn, err = net.Dial("unix", "/tmp/.X11-unix/X"+d.name[1:]); err != nil {
		d.tb.Fatal(err)
	}
	hello := make([]byte, 12)
	hello[0] = 'l'
	binary.LittleEndian.PutUint16(hello[2:], 11)
	head := make([]byte, 8)
	if _, err = d.conn.Write(hello); err == nil {
		_, err = io.ReadFull(d.conn, head)
	}
	rest := make([]byte, 4*int(binary.LittleEndian.Uint16(head[6:])))
	if err == nil {
		_, err = io.ReadFull(d.conn, rest)
	}
	if err != nil || head[0] != 1 {
		d.tb.Fatalf("greeting of the X server: % x, %v", head, err)
	}
	d.base = binary.LittleEndian.Uint32(rest[4:])
	vendor, formats := int(binary.LittleEndian.Uint16(rest[16:])), int(rest[21])
	screen := rest[32+(vendor+3)/4*4+8*formats:]
	d.root, d.width, d.height = binary.LittleEndian.Uint32(screen), binary.LittleEndian.Uint16(screen[20:]), binary.LittleEndian.Uint16(screen[22:])

	var reader sync.WaitGroup
	event := make(chan byte, 1)
	reader.Go(func() { d.failed <- d.read(event) })
	d.tb.Cleanup(func() { _ = d.conn.Close(); reader.Wait() })
	reply := d.ask(request(98, 0, le16(6), le16(0), []byte("DAMAGE\x00\x00"))) // QueryExtension
	damage := reply[9]
	if reply[8] == 0 {
		d.tb.Fatal("the X server has no Damage extension")
	}
	event <- reply[10]
	d.ask(request(damage, 0, le32(1), le32(1)))                                // QueryVersion
	d.send(request(damage, 1, le32(d.base), le32(d.root), []byte{0, 0, 0, 0})) // Create: every rectangle
}

func le16(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }
func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// request writes a request; its length counts in words.
func request(opcode, minor byte, parts ...[]byte) []byte {
	out := []byte{opcode, minor, 0, 0}
	for _, p := range parts {
		out = append(out, p...)
	}
	binary.LittleEndian.PutUint16(out[2:], uint16(len(out)/4))
	return out
}

func (d *display) send(request []byte) {
	d.tb.Helper()
	if _, err := d.conn.Write(request); err != nil {
		d.tb.Fatal(err)
	}
}

// ask sends a request and returns its answer. One is asked at a time.
func (d *display) ask(request []byte) []byte {
	d.tb.Helper()
	d.send(request)
	select {
	case reply := <-d.replies:
		return reply
	case err := <-d.failed:
		d.tb.Fatal(err)
	case <-time.After(time.Minute):
		d.tb.Fatal("the X server does not answer")
	}
	return nil
}

// read takes answers and notes when something was drawn, until the connection ends; the number of the
// event that says so comes first.
func (d *display) read(event <-chan byte) error {
	in, drawing := bufio.NewReaderSize(d.conn, 1<<20), byte(0)
	for {
		head := make([]byte, 32)
		if _, err := io.ReadFull(in, head); err != nil {
			return err
		}
		select {
		case drawing = <-event:
		default:
		}
		switch code := head[0] & 0x7f; {
		case code == 0:
			return fmt.Errorf("the X server refuses: % x", head)
		case code == 1:
			rest := make([]byte, 4*int(binary.LittleEndian.Uint32(head[4:])))
			if _, err := io.ReadFull(in, rest); err != nil {
				return err
			}
			d.replies <- append(head, rest...)
		case code == drawing:
			d.mu.Lock()
			d.drawn = append(d.drawn, binary.LittleEndian.Uint32(head[12:]))
			d.mu.Unlock()
			select {
			case d.news <- struct{}{}:
			default:
			}
		}
	}
}

// colours returns how many different colours a grid of pixels of the screen has.
func (d *display) colours() int {
	d.tb.Helper()
	const all, words, step = 2, 4, 3
	image := d.ask(request(73, all, le32(d.root), le16(0), le16(0), le16(d.width), le16(d.height), le32(^uint32(0))))[32:] // GetImage
	seen := map[uint32]bool{}
	for y := 0; y < int(d.height); y += step {
		line := image[y*int(d.width)*words:]
		for x := 0; x < int(d.width); x += step {
			seen[binary.LittleEndian.Uint32(line[x*words:])&0xffffff] = true
		}
	}
	return len(seen)
}

// rest waits until nothing is drawn any more, for half a second, and forgets what was.
func (d *display) rest() {
	for end := time.After(time.Minute); ; {
		select {
		case <-d.news:
			continue
		case <-end:
			d.tb.Fatal("the screen does not come to rest")
		case <-time.After(500 * time.Millisecond):
		}
		d.mu.Lock()
		d.drawn = nil
		d.mu.Unlock()
		return
	}
}

// sameFrame is how close two drawings are, ms, that belong to one frame.
const sameFrame = 3

// frames returns the times between frames since rest, ms.
func (d *display) frames() series {
	d.mu.Lock()
	defer d.mu.Unlock()
	var between series
	for i := 1; i < len(d.drawn); i++ {
		if gap := d.drawn[i] - d.drawn[i-1]; gap > sameFrame {
			between = append(between, float64(gap))
		}
	}
	return between
}

// do drives the pointer and the keyboard.
func (d *display) do(args ...string) string {
	d.tb.Helper()
	cmd := exec.Command("xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.name)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			d.tb.Fatalf("xdotool %v: %v %s", args, err, exit.Stderr)
		}
		d.tb.Fatalf("xdotool %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// window waits for a window by its name and returns where its middle is.
func (d *display) window(name string) (id string, x, y int) {
	d.tb.Helper()
	waitFor(d.tb, time.Minute, "the window "+name, func() bool {
		cmd := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^"+name+"$")
		cmd.Env = append(os.Environ(), "DISPLAY="+d.name)
		out, _ := cmd.Output() // an error says that there is none yet
		id = strings.TrimSpace(string(out))
		return id != "" && !strings.Contains(id, "\n")
	})
	sizes := map[string]int{}
	for line := range strings.Lines(d.do("getwindowgeometry", "--shell", id)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		sizes[key], _ = strconv.Atoi(value)
	}
	return id, sizes["X"] + sizes["WIDTH"]/2, sizes["Y"] + sizes["HEIGHT"]/2
}
