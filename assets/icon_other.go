//go:build !windows

package assets

import "embed"

//go:embed icon/hawser.png icon/needs-you.png icon/offline.png icon/paused.png icon/sign-in.png icon/waiting.png icon/working.png
var icons embed.FS

const iconSuffix = ".png"
