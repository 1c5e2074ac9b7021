package window

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// luminance of WCAG 2.2.
func luminance(c color.NRGBA) float64 {
	part := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*part(c.R) + 0.7152*part(c.G) + 0.0722*part(c.B)
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// over is colour a, which may let light through, on b.
func over(a, b color.NRGBA) color.NRGBA {
	mix := func(x, y uint8) uint8 {
		return uint8((int(x)*int(a.A) + int(y)*(255-int(a.A))) / 255)
	}
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 255}
}

// TestM03Contrast holds text to 4.5:1 and marks to 3:1 on everything they stand on, in both shades.
func TestM03Contrast(t *testing.T) {
	t.Parallel()
	type name = fyne.ThemeColorName
	grounds := []name{theme.ColorNameBackground, colorSurface, colorSide, colorAccentSoft, colorGoodSoft, colorWarningSoft, colorErrorSoft, colorNeutralSoft,
		theme.ColorNameInputBackground, theme.ColorNameMenuBackground, theme.ColorNameOverlayBackground, theme.ColorNameSelection, theme.ColorNameButton}
	type pair struct {
		text, ground name
		least        float64
	}
	var pairs []pair
	for _, g := range grounds {
		for _, text := range []name{theme.ColorNameForeground, theme.ColorNameDisabled, theme.ColorNamePlaceHolder} {
			pairs = append(pairs, pair{text, g, 4.5})
		}
		pairs = append(pairs, pair{theme.ColorNamePrimary, g, 3})
	}
	for text, own := range map[name]name{theme.ColorNameSuccess: colorGoodSoft, theme.ColorNameWarning: colorWarningSoft, theme.ColorNameError: colorErrorSoft, theme.ColorNamePrimary: colorAccentSoft} {
		for _, g := range []name{own, colorSurface, theme.ColorNameBackground} {
			pairs = append(pairs, pair{text, g, 4.5})
		}
	}
	for text, g := range map[name]name{theme.ColorNameForegroundOnPrimary: theme.ColorNamePrimary, theme.ColorNameForegroundOnSuccess: theme.ColorNameSuccess,
		theme.ColorNameForegroundOnWarning: theme.ColorNameWarning, theme.ColorNameForegroundOnError: theme.ColorNameError, theme.ColorNameHyperlink: colorSurface} {
		pairs = append(pairs, pair{text, g, 4.5})
	}
	pairs = append(pairs, pair{theme.ColorNameInputBorder, theme.ColorNameInputBackground, 3}, pair{theme.ColorNameInputBorder, colorSurface, 3})
	for shade, at := range map[string]int{"light": 0, "dark": 1} {
		for _, p := range pairs {
			ground := palette[p.ground][at]
			if got := contrast(over(palette[p.text][at], ground), ground); got < p.least {
				t.Errorf("%s: %s on %s has %.2f:1, less than %.1f", shade, p.text, p.ground, got, p.least)
			}
			hovered := over(palette[theme.ColorNameHover][at], ground)
			if got := contrast(palette[p.text][at], hovered); p.least == 4.5 && got < 4.0 {
				t.Errorf("%s: %s on %s under the mouse has %.2f:1", shade, p.text, p.ground, got)
			}
		}
	}
}

// TestM03TextGrows holds sizes of text to the factor chosen, and nothing else to it.
func TestM03TextGrows(t *testing.T) {
	t.Parallel()
	one, two := skin{Look{Text: 1}}, skin{Look{Text: 2}}
	for name := range textSizes {
		if a, b := one.Size(name), two.Size(name); b != 2*a {
			t.Errorf("%s is %.0f at 100 %% and %.0f at 200 %%", name, a, b)
		}
	}
	if got := (skin{Look{Text: 9}}).Size(theme.SizeNameText); got != 28 {
		t.Errorf("text of size 9 is %.0f, want it held at 200 %%", got)
	}
	if one.Size(theme.SizeNamePadding) != two.Size(theme.SizeNamePadding) {
		t.Error("distances grow with text")
	}
	for _, shade := range []string{shadeLight, shadeDark} {
		forced := skin{Look{Shade: shade, Text: 1}}
		for _, v := range []fyne.ThemeVariant{theme.VariantLight, theme.VariantDark} {
			at := map[string]int{shadeLight: 0, shadeDark: 1}[shade]
			if forced.Color(theme.ColorNameBackground, v) != palette[theme.ColorNameBackground][at] {
				t.Errorf("%s is not kept when the desktop is of variant %d", shade, v)
			}
		}
	}
}
