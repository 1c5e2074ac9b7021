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

//go:embed help/picture/*.png
var helpPictures embed.FS

// HelpPicture returns a picture of the help pages, which name it as picture/<name>. It is apart from
// [Help] so that programs without a window do not carry it.
func HelpPicture(name string) ([]byte, error) {
	raw, err := helpPictures.ReadFile("help/picture/" + name)
	if err != nil {
		return nil, fmt.Errorf("read help picture: %w", err)
	}
	return raw, nil
}
