package assets

import "fmt"

// Icon returns the tray icon of the given name, such as "paused", in the format this system's tray
// takes: .ico on Windows, elsewhere a .png of 48 by 48.
func Icon(name string) ([]byte, error) {
	raw, err := icons.ReadFile("icon/" + name + iconSuffix)
	if err != nil {
		return nil, fmt.Errorf("read icon: %w", err)
	}
	return raw, nil
}
