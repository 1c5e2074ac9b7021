package config

import (
	"errors"
	"io/fs"
	"os"
)

// managedPath is where configuration management puts the policy of a computer, as browsers have it
// below /etc.
const managedPath = "/etc/hawser/policy.json"

// LoadManaged reads the policy of this computer; none is no error. A file that everybody may write is
// refused, and so is one that is not JSON: without it, Hawser would do what was forbidden.
func LoadManaged() (Managed, error) { return loadManaged(managedPath) }

func loadManaged(path string) (Managed, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Managed{}, nil
	}
	if err != nil {
		return Managed{}, unread(path, err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return Managed{}, invalid(path + " may be written by others than its owner")
	}
	if info.Size() > maxFile {
		return Managed{}, invalid(path + " is larger than 1 MB")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Managed{}, unread(path, err)
	}
	return ParseManaged(raw, path)
}
