// Package assets holds the files that travel inside the programs: the texts people read and the
// icons they see.
//
// It is a leaf of embedded data without logic. Text files are in translation/<language>/<part>.json,
// in the message format of go-i18n v2, a part for each of those who speak; help pages, in English,
// are help/<page>.md, their pictures help/picture/*.png, which a test of app/window takes from the
// window; icons are drawn in icon/hawser.svg and icon/tray/*.svg, from which the committed .png and
// .ico files are rendered by icon/generate.sh. Embedded data is never written to: any number of
// goroutines may read it.
package assets

import "embed"

// Translations holds translation/<language>/<part>.json.
//
//go:embed translation/*/*.json
var Translations embed.FS

// Help holds help/<page>.md: the pages that "hawser help PAGE" prints and a browser shows.
//
//go:embed help/*.md
var Help embed.FS

// AppDrawing is the program's own icon, as a drawing for every size.
//
//go:embed icon/hawser.svg
var AppDrawing []byte
