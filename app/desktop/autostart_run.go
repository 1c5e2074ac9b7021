package desktop

import (
	"errors"
	"strings"
)

// The keys of the current user's registry that decide what Windows starts, and the one in which
// Task Manager and the Settings app note what the person turned off.
const (
	runKey      = `Software\Microsoft\Windows\CurrentVersion\Run`
	approvedKey = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
	runName     = "Hawser"
	classesKey  = `Software\Classes\` + Scheme
)

// hive is a part of the registry. A value that does not exist is "" or nil, without an error.
type hive interface {
	text(key, name string) (string, error)
	raw(key, name string) ([]byte, error)
	setText(key, name, value string) error
	remove(key, name string) error
}

// runAutostart is the Run key. All is what an installer wrote for all users, nil for nothing.
type runAutostart struct {
	program  string
	own, all hive
	exists   func(path string) bool
}

// Get implements Autostart.
func (a runAutostart) Get() (State, error) {
	line, err := a.own.text(runKey, runName)
	if err != nil {
		return State{}, err
	}
	from, s := a.own, State{}
	if line == "" && a.all != nil {
		if line, err = a.all.text(runKey, runName); err != nil {
			return State{}, err
		}
		from, s.Shared = a.all, line != ""
	}
	s.Program = firstWord(line)
	if s.Program == "" {
		return s, nil
	}
	for _, h := range []hive{from, a.own} {
		mark, err := h.raw(approvedKey, runName)
		if err != nil {
			return State{}, err
		}
		if len(mark) > 0 && mark[0]&1 == 1 { // 2 and 6 are on, 3 and 7 off
			return s, nil
		}
	}
	s.Moved = !a.exists(s.Program)
	s.On = !s.Moved
	return s, nil
}

// Set implements Autostart. What an installer wrote for all users cannot be turned off from here.
func (a runAutostart) Set(on bool) error {
	if !on {
		if err := a.own.remove(runKey, runName); err != nil {
			return err
		}
		if s, err := a.Get(); err != nil || s.On {
			return errors.Join(err, ErrShared)
		}
		return nil
	}
	line := `"` + a.program + `" ` + strings.Join(loginArgs, " ")
	if err := a.own.setText(runKey, runName, line); err != nil {
		return err
	}
	return a.own.remove(approvedKey, runName)
}

// Repair implements Autostart.
func (a runAutostart) Repair() (bool, error) {
	s, err := a.Get()
	if err != nil || !s.Moved || s.Shared {
		return false, err
	}
	return true, a.Set(true)
}

// firstWord returns the program of a command line.
func firstWord(line string) string {
	if rest, quoted := strings.CutPrefix(line, `"`); quoted {
		program, _, _ := strings.Cut(rest, `"`)
		return program
	}
	program, _, _ := strings.Cut(line, " ")
	return program
}

// registerLinks makes hawser:// links open this program.
func registerLinks(h hive, program string) error {
	for _, v := range []struct{ key, name, value string }{
		{classesKey, "", "URL:Hawser"},
		{classesKey, "URL Protocol", ""},
		{classesKey + `\DefaultIcon`, "", program + ",0"},
		{classesKey + `\shell\open\command`, "", `"` + program + `" open "%1"`},
	} {
		if err := h.setText(v.key, v.name, v.value); err != nil {
			return err
		}
	}
	return nil
}
