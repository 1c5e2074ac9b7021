//go:build !windows

package assets

import "embed"

//go:embed icon/tray/*.png
var icons embed.FS

const iconSuffix = ".png"
