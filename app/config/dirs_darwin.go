package config

import (
	"fmt"
	"path/filepath"
)

// FindDirs returns the folders under the user's Library. getenv is os.Getenv.
func FindDirs(getenv func(string) string) (Dirs, error) {
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return Dirs{}, fmt.Errorf("find folders: HOME is not set")
	}
	base := filepath.Join(home, "Library", "Application Support", "Hawser")
	return Dirs{Config: base, State: filepath.Join(base, "state"), Runtime: filepath.Join(base, "run")}, nil
}

// Language returns the language of the environment, such as "de"; "en" when unset.
func Language(getenv func(string) string) string {
	if v := getenv("LANG"); len(v) >= 2 && v != "C" && v[:2] != "C." {
		return v[:2]
	}
	return "en"
}

// Browser returns "": macOS knows which browser to open.
func Browser(func(string) string) string { return "" }

// HasDisplay reports whether there is a desktop session; a user's agent on macOS has one.
func HasDisplay(func(string) string) bool { return true }
