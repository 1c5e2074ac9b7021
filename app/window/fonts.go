package window

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"github.com/go-text/typesetting/fontscan"
)

// script is what a language needs that Fyne's own fonts, of Latin, Greek and Cyrillic letters, lack.
type script struct {
	letters string // some that a font for it has
	name    string // of the language, in English: for whoever cannot be shown its own
}

var scripts = map[string]script{"ja": {letters: "あア漢。", name: "Japanese"}}

// hasFont reports whether this computer can show lang. Fyne draws what its own fonts lack with
// those of the system; where none has a letter it draws boxes.
func hasFont(lang string) bool {
	s, special := scripts[lang]
	if !special {
		return true
	}
	fonts, err := fontscan.SystemFonts(silent{}, "") // the list that Fyne has read, or will read
	if err != nil {
		return false
	}
	return slices.ContainsFunc(fonts, func(f fontscan.Footprint) bool {
		for _, r := range s.letters {
			if !f.Runes.Contains(r) {
				return false
			}
		}
		return true
	})
}

// silent takes what fontscan says about each file it looks at.
type silent struct{}

// Printf implements fontscan.Logger.
func (silent) Printf(string, ...any) {}

// noFont says why the window does not speak the language asked for, "" where it does.
func (a *app) noFont() string {
	if a.spoken == a.loc.Lang() {
		return ""
	}
	return a.tf("window.no-font", map[string]any{"Language": scripts[a.spoken].name})
}

// warmFonts lets Fyne find the font for the letters of lang before it meets a comma of that script:
// those belong to many scripts, and for one of them alone it may take a font of another.
func warmFonts(lang string) {
	if s, special := scripts[lang]; special {
		for _, style := range []fyne.TextStyle{{}, {Bold: true}} {
			fyne.MeasureText(s.letters, theme.TextSize(), style)
		}
	}
}
