package assets

import "fmt"

// The variants of tray icons.
const (
	IconLight    = "light"    // for light panels, with an edge that stands out on dark ones too
	IconDark     = "dark"     // for dark panels
	IconTemplate = "template" // black and nothing, for systems that colour it themselves
)

// Icon returns the tray icon of a state, such as "paused", in a variant, in the format that this
// system's tray takes: .ico on Windows, elsewhere a .png of 48 by 48.
func Icon(state, variant string) ([]byte, error) {
	raw, err := icons.ReadFile("icon/tray/" + state + "-" + variant + iconSuffix)
	if err != nil {
		return nil, fmt.Errorf("read icon: %w", err)
	}
	return raw, nil
}
