//go:build linux

package agent_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/sourcetest"
)

// sleeper is the least that a program of this language can be.
const sleeper = `package main

import ("fmt"; "time")

func main() { fmt.Println("up"); time.Sleep(24 * time.Hour) }
`

// sleep starts a sleeper and says how long it took to its first word.
func sleep(tb testing.TB, binary string) (*exec.Cmd, time.Duration) {
	tb.Helper()
	cmd := exec.Command(binary)
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Fatal(err)
	}
	return cmd, time.Since(begun)
}

// appears waits for an icon after those that came before, and for its picture, as a panel does before
// it can show it.
func (p *panel) appears(tb testing.TB, before int) time.Time {
	tb.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(500 * time.Microsecond) {
		if n, owner := p.icons(); n > before {
			v, err := p.conn.Object(owner, itemPath).GetProperty(itemName + ".IconPixmap")
			if pixels, _ := v.Value().([][]any); err == nil && len(pixels) > 0 {
				return time.Now()
			}
		}
		if time.Now().After(end) {
			tb.Fatal("no icon came")
		}
	}
}

// icon starts a program on the user's desktop and says how long it took to its icon.
func (u *user) icon(tb testing.TB, p *panel, binary string) (*exec.Cmd, time.Duration) {
	tb.Helper()
	cmd := exec.Command(binary)
	cmd.Env = u.env
	before, _ := p.icons()
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	return cmd, p.appears(tb, before).Sub(begun)
}

// iconPrograms are what the agent is measured beside.
type iconPrograms struct{ sleeper, bare, fyne string }

// starts are the times from the start of a process to something, ms.
type starts struct{ word, socket, imap, icon, bare, rival series }

// benchIcon starts the agent several times with a panel that takes its icon, and then watches it doing
// nothing, beside a plain Fyne program that shows an icon too.
func benchIcon(tb testing.TB, r *report) {
	s := newScene(tb, nil)
	link := newTap(tb, s.dovecot.Addr)
	s.replace(tb, s.user, link.addr)
	s.user.env = append(s.user.env, "DISPLAY="+newDisplay(tb).name, "LIBGL_ALWAYS_SOFTWARE=1")
	s.dovecot.Append(tb, mailUser, sourcetest.CaptureFolder, sourcetest.NewMail(0, time.Now()))
	p := startPanel(tb, s.user.address())
	s.user.launchWithIcon()
	s.answers(tb.Context(), tb)
	s.signIn()
	s.await(1, time.Minute)
	programs := iconPrograms{compile(tb, sleeper), buildProgram(tb, "./app/agent/testdata/bareicon", false), buildProgram(tb, "./app/agent/testdata/fyneicon", true)}
	var took starts
	for range *rounds {
		s.stop(tb)
		s.round(tb, &took, p, programs, link)
	}
	r.add(row{what: "start to the icon with its picture", unit: "ms", ours: took.icon, raw: took.bare, rival: took.rival, goal: atMost(100, "ms", took.icon)})
	r.add(row{what: "  to an answer on the socket", unit: "ms", ours: took.socket, raw: took.word, goal: atMost(100, "ms", took.socket)})
	r.add(row{what: "  to the first byte to the mail server", unit: "ms", ours: took.imap, goal: atMost(100, "ms", took.imap)})
	r.note("start: raw is a systray program with one menu item for the icon, and a Go program that says a word for the socket; the rival is a plain Fyne program with a menu and no window")
	s.watchIdle(tb, r, programs)
}

// round starts each program once, the agent last: it stays.
func (s *scene) round(tb testing.TB, took *starts, p *panel, programs iconPrograms, link *tap) {
	tb.Helper()
	cmd, word := sleep(tb, programs.sleeper)
	quit(cmd)
	cmd, bare := s.user.icon(tb, p, programs.bare)
	quit(cmd)
	cmd, rival := s.user.icon(tb, p, programs.fyne)
	quit(cmd)
	took.word, took.bare, took.rival = append(took.word, ms(word)), append(took.bare, ms(bare)), append(took.rival, ms(rival))
	link.arm()
	before, _ := p.icons()
	begun := time.Now()
	s.user.launchWithIcon()
	answered := make(chan time.Time, 1)
	ctx := tb.Context()
	go func() { // fails nothing: the icon does not come either when the agent ended
		for {
			if _, err := s.user.client(ctx); err == nil || ctx.Err() != nil {
				answered <- time.Now()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	took.icon = append(took.icon, ms(p.appears(tb, before).Sub(begun)))
	took.socket = append(took.socket, ms((<-answered).Sub(begun)))
	var first time.Time
	waitFor(tb, time.Minute, "a byte to the mail server", func() bool { first = link.spoke(); return !first.IsZero() })
	took.imap = append(took.imap, ms(first.Sub(begun)))
	waitFor(tb, time.Minute, "quiet", func() bool { return s.user.status().State == control.UpToDate })
}

// usage is what a process has used so far.
type usage struct {
	at       time.Time
	cpu      time.Duration
	switches int64
}

func (u *user) usage() usage {
	return usage{time.Now(), cpuTime(u.t, u.proc.Process.Pid), u.switches()}
}

// since returns context switches a second and percent of one core.
func (u usage) since(before usage) (switches, percent series) {
	seconds := u.at.Sub(before.at).Seconds()
	return series{float64(u.switches-before.switches) / seconds}, series{100 * (u.cpu - before.cpu).Seconds() / seconds}
}

// settled is how long the start is felt: connections that are kept for more work are closed by then.
const settled = 65 * time.Second

// watchIdle measures the agent with its icon beside a program that only sleeps and one that only shows
// an icon, over the same time.
func (s *scene) watchIdle(tb testing.TB, r *report, programs iconPrograms) {
	sleeping, _ := sleep(tb, programs.sleeper)
	defer quit(sleeping)
	plain := exec.Command(programs.fyne)
	plain.Env = s.user.env
	if err := plain.Start(); err != nil {
		tb.Fatal(err)
	}
	defer quit(plain)
	all := []*user{s.user, {t: tb, proc: sleeping}, {t: tb, proc: plain}}
	time.Sleep(settled)
	before := make([]usage, len(all))
	for i, u := range all {
		before[i] = u.usage()
	}
	time.Sleep(*window)
	var switches, percent, memory [3]series
	for i, u := range all {
		switches[i], percent[i] = u.usage().since(before[i])
		memory[i] = series{mega(u.proc1("VmRSS:") << 10)}
	}
	r.add(row{what: fmt.Sprintf("idle with an icon for %v: memory", *window), unit: "MB", ours: memory[0], raw: memory[1], rival: memory[2], goal: atMost(25, "MB", memory[0])})
	r.add(row{what: "  context switches", unit: "/s", ours: switches[0], raw: switches[1], rival: switches[2], goal: atMost(0.5, "/s", switches[0])})
	r.add(row{what: "  processor", unit: "%", ours: percent[0], raw: percent[1], rival: percent[2], goal: atMost(0.02, "%", percent[0])})
	r.note("idle: raw is a Go program that sleeps, the rival the plain Fyne program with an icon")
	if s.user.status().State != control.UpToDate {
		tb.Error("the agent was not idle")
	}
}
