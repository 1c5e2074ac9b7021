package assets

import (
	"embed"
	"fmt"
)

//go:embed icon/hawser-256.png
var pictures embed.FS

// Picture returns one of the program's pictures for windows: "hawser-256.png".
func Picture(name string) ([]byte, error) {
	raw, err := pictures.ReadFile("icon/" + name)
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	return raw, nil
}
