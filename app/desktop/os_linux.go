package desktop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FindPlace returns where this program is and where the desktop looks for it, by the XDG Base
// Directory Specification. getenv is os.Getenv.
func FindPlace(getenv func(string) string) (Place, error) {
	program, err := os.Executable()
	if err != nil {
		return Place{}, fmt.Errorf("find program: %w", err)
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return Place{}, fmt.Errorf("find folders: HOME is not set")
	}
	folder := func(variable, fallback string) string {
		if v := getenv(variable); filepath.IsAbs(v) {
			return v
		}
		return filepath.Join(home, fallback)
	}
	folders := func(variable, fallback string) []string {
		if v := getenv(variable); v != "" {
			return filepath.SplitList(v)
		}
		return filepath.SplitList(fallback)
	}
	return Place{
		Program:    strings.TrimSuffix(program, " (deleted)"), // replaced by an update while it ran
		ConfigHome: folder("XDG_CONFIG_HOME", ".config"), ConfigDirs: folders("XDG_CONFIG_DIRS", "/etc/xdg"),
		DataHome: folder("XDG_DATA_HOME", ".local/share"), DataDirs: folders("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
		Desktops: filepath.SplitList(getenv("XDG_CURRENT_DESKTOP")), Home: home,
	}, nil
}

// NewAutostart returns the switch of this system.
func NewAutostart(p Place) Autostart { return xdgAutostart{p} }

// NewLauncher returns the entry in the menu of programs.
func NewLauncher(p Place) Launcher { return launcher{p} }
