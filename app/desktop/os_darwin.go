package desktop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// launchctlTime bounds a call of launchctl.
const launchctlTime = 5 * time.Second

// FindPlace returns where this program and its user's home are. getenv is os.Getenv.
func FindPlace(getenv func(string) string) (Place, error) {
	program, err := os.Executable()
	if err != nil {
		return Place{}, fmt.Errorf("find program: %w", err)
	}
	if getenv("HOME") == "" {
		return Place{}, errors.New("find folders: HOME is not set")
	}
	return Place{Program: program, Home: getenv("HOME")}, nil
}

// NewAutostart returns the switch of this system.
func NewAutostart(p Place) Autostart {
	domain := "gui/" + strconv.Itoa(os.Getuid())
	return agentAutostart{
		place: p,
		disabled: func() (bool, error) {
			out, err := launchctl("print-disabled", domain)
			if err != nil {
				return false, err
			}
			for line := range strings.Lines(out) {
				if strings.Contains(line, `"`+ID+`"`) {
					return strings.Contains(line, "disabled") || strings.Contains(line, "true"), nil
				}
			}
			return false, nil
		},
		enable: func() error {
			_, err := launchctl("enable", domain+"/"+ID)
			return err
		},
	}
}

func launchctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), launchctlTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/bin/launchctl", args...).Output()
	if err != nil {
		return "", fmt.Errorf("ask launchd: %w", err)
	}
	return string(out), nil
}

// NewLauncher returns one that does nothing: an application bundle's Info.plist says it all.
func NewLauncher(Place) Launcher { return bundled{} }

// bundled is a launcher that came with the program.
type bundled struct{}

// Install implements Launcher.
func (bundled) Install() error { return nil }

// Remove implements Launcher.
func (bundled) Remove() error { return nil }

// Watch returns ErrUnsupported: macOS tells these events through frameworks that need cgo.
func Watch(context.Context, func(Event)) error { return ErrUnsupported }

// Serve returns ErrUnsupported: the second program hands what it was started with to the first one
// over the control socket.
func Serve(context.Context, func(context.Context, Request)) error { return ErrUnsupported }
