package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// FindDirs returns the folders by the XDG Base Directory Specification. getenv is os.Getenv.
func FindDirs(getenv func(string) string) (Dirs, error) {
	home := getenv("HOME")
	base := func(variable, fallback string) string {
		if v := getenv(variable); filepath.IsAbs(v) {
			return filepath.Join(v, "hawser")
		}
		return filepath.Join(home, fallback, "hawser")
	}
	if !filepath.IsAbs(home) {
		return Dirs{}, fmt.Errorf("find folders: HOME is not set")
	}
	d := Dirs{Config: base("XDG_CONFIG_HOME", ".config"), State: base("XDG_STATE_HOME", ".local/state")}
	if v := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(v) {
		d.Runtime = filepath.Join(v, "hawser")
	} else { // no login session: a folder of our own beside the state, short enough for a socket path
		d.Runtime = filepath.Join(d.State, "run")
	}
	return d, nil
}

// Language returns the user's language from the environment, such as "de"; "en" when unset.
func Language(getenv func(string) string) string {
	for _, variable := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(variable); len(v) >= 2 && v != "C" && v != "POSIX" && v[:2] != "C." {
			return v[:2]
		}
	}
	return "en"
}

// Browser returns the command the user set for opening addresses, "" for the desktop's own.
func Browser(getenv func(string) string) string { return getenv("BROWSER") }

// HasDisplay reports whether there is a desktop session to show an icon in.
func HasDisplay(getenv func(string) string) bool {
	return getenv("DBUS_SESSION_BUS_ADDRESS") != "" || fileExists(filepath.Join(getenv("XDG_RUNTIME_DIR"), "bus"))
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
