package assets

import "embed"

//go:embed icon/tray/*.ico
var icons embed.FS

const iconSuffix = ".ico"
