//go:build linux

package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/app/control/controltest"
)

const (
	longJournal = 10_000 // lines
	// painted is how many colours make a window that shows something: a bare one has a handful, and
	// text alone, whose edges are smooth, has more.
	painted = 60

	// A wheel and a key that move the list faster than any hand and any keyboard do, and faster than it
	// is drawn: so each frame has something new, and what lies between two is the time of one.
	wheelTurns, wheelWait = 600, 8               // ms
	pageTurns, pageWait   = longJournal / 10, 15 // ms
)

// longAgent is a healthy agent that has saved many mails.
func longAgent() *controltest.Agent {
	a, now := &controltest.Agent{}, time.Now()
	a.Set(control.Status{
		State: control.UpToDate, Since: now, Version: "test",
		Salesforce: control.Side{SignedIn: true, Account: "ann@example.com.partners", Host: "acme.my.site.com", LastSuccess: now},
		Mail:       control.Side{SignedIn: true, Account: "ann@example.com", Host: "imap.example.com", LastSuccess: now},
		Counts:     control.Counts{Seen: longJournal, Captured: longJournal},
		Calls:      control.Calls{Used: 37, Budget: 100},
	})
	people := []string{"Nadia Okafor", "Jürgen Möller", "佐藤 花子", "Priya Raman", "Tom Ashby"}
	for i := range longJournal {
		a.Sent = append(a.Sent, control.JournalItem{
			ID: int64(longJournal - i), At: now.Add(-time.Duration(i) * 13 * time.Minute), Object: "EmailMessage", RecordID: fmt.Sprintf("02s5g%010dAAA", i),
			URL: fmt.Sprintf("https://acme.my.site.com/partners/s/detail/02s5g%010dAAA", i), Bytes: int64(21_000 + 977*(i%400)), Files: i % 3,
			Mark: []string{"hand", "folder", "rule", "thread"}[i%4], Level: "files",
			Matched: []control.Record{{Type: "Contact", ID: "0035g00000X", Name: people[i%5], Address: fmt.Sprintf("person%d@example.com", i%900), Field: "Contact.Email"}},
		})
	}
	return a
}

// benchScreen is a display with the window's program, the agent that it shows, and a rival.
type benchScreen struct {
	*display
	env          []string
	window, list string // programs
}

func newBenchScreen(tb testing.TB) *benchScreen {
	tb.Helper()
	s := &benchScreen{display: newDisplay(tb), window: buildProgram(tb, "./app/cmd/hawser-window", true), list: buildProgram(tb, "./app/agent/testdata/fynelist", true)}
	home := shortDir(tb)
	s.env = []string{"DISPLAY=" + s.name, "HOME=" + home, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + home, "LANG=en_GB.UTF-8",
		"LIBGL_ALWAYS_SOFTWARE=1", "DBUS_SESSION_BUS_ADDRESS=", "FYNE_SCALE=1"}
	ctx, cancel := context.WithCancel(tb.Context())
	served := make(chan error, 1)
	go func() {
		served <- control.Serve(ctx, control.Config{Dir: filepath.Join(home, "hawser"), Agent: longAgent(), Log: slog.New(slog.DiscardHandler)})
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return s
}

// open starts a program and says how long it took until something was to be seen in its window.
func (s *benchScreen) open(tb testing.TB, program string, args ...string) (*exec.Cmd, time.Duration) {
	tb.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = s.env
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	late := time.After(time.Minute)
	for {
		select {
		case <-s.news:
			if took := time.Since(begun); s.colours() >= painted {
				return cmd, took
			}
		case <-late:
			tb.Fatalf("%s shows nothing", program)
		}
	}
}

// close ends a program and waits until its window is gone.
func (s *benchScreen) close(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	quit(cmd)
	waitFor(tb, time.Minute, "an empty screen", func() bool { return s.colours() < painted })
}

// paint opens a program with nothing of it in memory and once more, and leaves it closed.
func (s *benchScreen) paint(tb testing.TB, cold, warm *series, program string, args ...string) {
	tb.Helper()
	for _, to := range []*series{cold, warm} {
		if to == cold {
			dropCache()
		}
		cmd, took := s.open(tb, program, args...)
		*to = append(*to, ms(took))
		s.close(tb, cmd)
	}
}

// scroll turns the wheel over the middle of a window's list and returns the times between its frames.
func (s *benchScreen) scroll(tb testing.TB, x, y int) series {
	tb.Helper()
	s.do("mousemove", strconv.Itoa(x), strconv.Itoa(y))
	return s.moving(func() { s.do("click", "--repeat", strconv.Itoa(wheelTurns), "--delay", strconv.Itoa(wheelWait), "5") })
}

// moving returns the times between frames while something moves all the time.
func (s *benchScreen) moving(move func()) series {
	s.rest()
	move()
	return s.frames()
}

// benchWindow opens the real window beside a plain Fyne one, and goes through a long journal in it.
func benchWindow(tb testing.TB, r *report) {
	s := newBenchScreen(tb)
	var cold, warm, plainCold, plainWarm, wheel, plainWheel, pages series
	for range *rounds {
		s.paint(tb, &plainCold, &plainWarm, s.list)
		s.paint(tb, &cold, &warm, s.window)

		cmd, _ := s.open(tb, s.list)
		s.rest()
		_, x, y := s.display.window("Plain list")
		plainWheel = append(plainWheel, s.scroll(tb, x, y)...)
		s.close(tb, cmd)

		cmd, _ = s.open(tb, s.window, "-page", "activity")
		s.rest()
		_, x, y = s.display.window("Hawser")
		wheel = append(wheel, s.scroll(tb, x-100, y)...)
		s.do("click", "1", "key", "End") // the list has the focus, and shows its last line
		pages = append(pages, s.moving(func() {
			s.do(append([]string{"key", "--delay", strconv.Itoa(pageWait)}, slices.Repeat([]string{"Prior"}, pageTurns)...)...)
		})...)
		s.close(tb, cmd)
	}
	r.add(row{what: "window: first picture, cold", unit: "ms", ours: cold, rival: plainCold, goal: atMost(1000, "ms", cold)})
	r.add(row{what: "  opened again", unit: "ms", ours: warm, rival: plainWarm, goal: atMost(500, "ms", warm)})
	for _, of := range []struct {
		what        string
		ours, rival series
	}{{"the wheel", wheel, plainWheel}, {"all 10,000 by pages", pages, nil}} {
		longest := series{of.ours.percentile(100)}
		w := row{what: "  " + of.what + ": longest frame", unit: "ms", ours: longest, goal: atMost(50, "ms", longest)}
		p := row{what: fmt.Sprintf("    p99 of %d frames", len(of.ours)), unit: "ms", ours: series{of.ours.percentile(99)}}
		if of.rival != nil {
			w.rival, p.rival = series{of.rival.percentile(100)}, series{of.rival.percentile(99)}
		}
		r.add(w)
		r.add(p)
	}
	r.note("window: on a display without a screen, drawn by the processor; the rival is a plain Fyne window with a list of 10,000 lines; " +
		"times run from the start of the process to a picture with more than 60 colours, and from one frame on the display to the next while the list moves, of which 17 ms are Fyne's own pace")
	if !dropCache() {
		r.note("window: cold is not cold: only an administrator may empty the file cache")
	} else {
		r.note("window: cold has the file cache emptied, but for the parts of Mesa that the display server itself uses")
	}
}
