package desktop

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows/registry"
)

// FindPlace returns where this program is. getenv is os.Getenv.
func FindPlace(func(string) string) (Place, error) {
	program, err := os.Executable()
	if err != nil {
		return Place{}, fmt.Errorf("find program: %w", err)
	}
	return Place{Program: program}, nil
}

// NewAutostart returns the switch of this system.
func NewAutostart(p Place) Autostart {
	return runAutostart{program: p.Program, own: hkey{registry.CURRENT_USER}, all: hkey{registry.LOCAL_MACHINE}, exists: runnable}
}

// NewLauncher returns what makes hawser:// links open this program. The entry in the start menu is
// the installer's.
func NewLauncher(p Place) Launcher { return linkClass{p.Program} }

type linkClass struct{ program string }

// Install implements Launcher.
func (l linkClass) Install() error { return registerLinks(hkey{registry.CURRENT_USER}, l.program) }

// Remove implements Launcher.
func (l linkClass) Remove() error {
	for _, key := range []string{`\shell\open\command`, `\shell\open`, `\shell`, `\DefaultIcon`, ``} {
		if err := registry.DeleteKey(registry.CURRENT_USER, classesKey+key); err != nil && !errors.Is(err, registry.ErrNotExist) {
			return fmt.Errorf("remove registry key: %w", err)
		}
	}
	return nil
}

// hkey is a hive of this computer.
type hkey struct{ root registry.Key }

func (h hkey) read(key string, get func(registry.Key) error) error {
	k, err := registry.OpenKey(h.root, key, registry.QUERY_VALUE)
	if err == nil {
		err = get(k)
		_ = k.Close() // it was only read
	}
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return fmt.Errorf("read registry: %w", err)
	}
	return nil
}

func (h hkey) text(key, name string) (s string, err error) {
	err = h.read(key, func(k registry.Key) (err error) { s, _, err = k.GetStringValue(name); return err })
	return s, err
}

func (h hkey) raw(key, name string) (b []byte, err error) {
	err = h.read(key, func(k registry.Key) (err error) { b, _, err = k.GetBinaryValue(name); return err })
	return b, err
}

func (h hkey) setText(key, name, value string) error {
	k, _, err := registry.CreateKey(h.root, key, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("write registry: %w", err)
	}
	defer func() { _ = k.Close() }() // the value is written or refused by now
	if err := k.SetStringValue(name, value); err != nil {
		return fmt.Errorf("write registry: %w", err)
	}
	return nil
}

func (h hkey) remove(key, name string) error {
	k, err := registry.OpenKey(h.root, key, registry.SET_VALUE)
	if err == nil {
		err = k.DeleteValue(name)
		_ = k.Close() // the value is gone or refused by now
	}
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return fmt.Errorf("write registry: %w", err)
	}
	return nil
}
