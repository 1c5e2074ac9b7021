package config

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// FindDirs returns the folders under the user's application data. getenv is os.Getenv.
func FindDirs(getenv func(string) string) (Dirs, error) {
	local := getenv("LOCALAPPDATA")
	if !filepath.IsAbs(local) {
		return Dirs{}, fmt.Errorf("find folders: LOCALAPPDATA is not set")
	}
	base := filepath.Join(local, "Hawser")
	return Dirs{Config: base, State: filepath.Join(base, "state"), Runtime: filepath.Join(base, "run")}, nil
}

// Language returns the user's display language, such as "de".
func Language(func(string) string) string {
	langs, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil || len(langs) == 0 || len(langs[0]) < 2 {
		return "en"
	}
	return langs[0][:2]
}

// Browser returns "": Windows knows which browser to open.
func Browser(func(string) string) string { return "" }

// HasDisplay reports whether there is a desktop session; a user's agent on Windows has one.
func HasDisplay(func(string) string) bool { return true }
