package config

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"howett.net/plist"
)

// managedDir is where macOS puts the settings of configuration profiles, those for one user in a
// folder below it. Only the system writes there.
const managedDir = "/Library/Managed Preferences"

// managedName is the preference domain, as in a profile's payload.
const managedName = "io.hawser.Hawser.plist"

// LoadManaged reads the profile of this computer and of its user, the computer's first; none is no
// error.
func LoadManaged() (Managed, error) {
	paths := []string{filepath.Join(managedDir, managedName)}
	if u, err := user.Current(); err == nil {
		paths = append(paths, filepath.Join(managedDir, u.Username, managedName))
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Managed{}, unread(path, err)
		}
		var l levels
		if _, err := plist.Unmarshal(raw, &l); err != nil {
			return Managed{}, invalid(path + " is no property list of ours")
		}
		return l.manage(), nil
	}
	return Managed{}, nil
}
