package assets

import "embed"

//go:embed icon/*.ico
var icons embed.FS

const iconSuffix = ".ico"
