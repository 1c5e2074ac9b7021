package window

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
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

// colours of one look, by their names.
type colours func(fyne.ThemeColorName) color.NRGBA

// looks are all that a person can choose.
func looks() map[string]colours {
	out := map[string]colours{}
	for _, shade := range []string{shadeLight, shadeDark} {
		for _, c := range []string{contrastNormal, contrastHigh} {
			out[shade+", "+c] = func(name fyne.ThemeColorName) color.NRGBA {
				return skin{Look{Shade: shade, Contrast: c}}.Color(name, theme.VariantDark).(color.NRGBA)
			}
		}
	}
	return out
}

// TestM03Contrast holds text to 4.5:1, or 7:1 where contrast is high, and marks and borders to 3:1,
// or 4.5:1, on everything they stand on.
func TestM03Contrast(t *testing.T) {
	t.Parallel()
	type name = fyne.ThemeColorName
	grounds := []name{theme.ColorNameBackground, colorSurface, colorSide, colorAccentSoft, colorGoodSoft, colorWarningSoft, colorErrorSoft, colorNeutralSoft,
		theme.ColorNameInputBackground, theme.ColorNameMenuBackground, theme.ColorNameOverlayBackground, theme.ColorNameSelection, theme.ColorNameButton}
	type pair struct {
		text, ground name
		mark         bool
	}
	var pairs []pair
	for _, g := range grounds {
		for _, text := range []name{theme.ColorNameForeground, theme.ColorNameDisabled, theme.ColorNamePlaceHolder} {
			pairs = append(pairs, pair{text, g, false})
		}
		pairs = append(pairs, pair{theme.ColorNamePrimary, g, true}) // the ring around what has the focus
	}
	for text, own := range map[name]name{theme.ColorNameSuccess: colorGoodSoft, theme.ColorNameWarning: colorWarningSoft, theme.ColorNameError: colorErrorSoft, theme.ColorNamePrimary: colorAccentSoft} {
		for _, g := range []name{own, colorSurface, theme.ColorNameBackground} {
			pairs = append(pairs, pair{text, g, false})
		}
	}
	for text, g := range map[name]name{theme.ColorNameForegroundOnPrimary: theme.ColorNamePrimary, theme.ColorNameForegroundOnSuccess: theme.ColorNameSuccess,
		theme.ColorNameForegroundOnWarning: theme.ColorNameWarning, theme.ColorNameForegroundOnError: theme.ColorNameError, theme.ColorNameHyperlink: colorSurface} {
		pairs = append(pairs, pair{text, g, false})
	}
	pairs = append(pairs, pair{theme.ColorNameInputBorder, theme.ColorNameInputBackground, true}, pair{theme.ColorNameInputBorder, colorSurface, true})
	for look, is := range looks() {
		text, mark := 4.5, 3.0
		if strings.HasSuffix(look, contrastHigh) {
			text, mark = 7, 4.5
			edge := pair{colorEdge, theme.ColorNameBackground, true}
			if got := contrast(is(edge.text), is(edge.ground)); got < mark {
				t.Errorf("%s: the edge of news has %.2f:1", look, got)
			}
		}
		for _, p := range pairs {
			least := text
			if p.mark {
				least = mark
			}
			ground := is(p.ground)
			if got := contrast(over(is(p.text), ground), ground); got < least {
				t.Errorf("%s: %s on %s has %.2f:1, less than %.1f", look, p.text, p.ground, got, least)
			}
			hovered := over(is(theme.ColorNameHover), ground)
			if got := contrast(is(p.text), hovered); !p.mark && got < 4.0 {
				t.Errorf("%s: %s on %s under the mouse has %.2f:1", look, p.text, p.ground, got)
			}
		}
	}
}

// TestM03ContrastAsDrawn measures the contrast of every text on screen in the picture of it, in each
// look: no colour of Fyne's own, and no pair that nobody thought of.
func TestM03ContrastAsDrawn(t *testing.T) {
	for _, s := range scenes() {
		if !slices.Contains([]string{"guide-wall", "home-troubled", "capture", "undo", "rules", "settings"}, s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			s.lang = "en"
			r := s.play(t)
			for _, l := range []Look{{Shade: shadeLight}, {Shade: shadeDark}, {Shade: shadeLight, Contrast: contrastHigh}, {Shade: shadeDark, Contrast: contrastHigh}} {
				least := 4.5
				if l.Contrast == contrastHigh {
					least = 7
				}
				l.Text = 1.5 // so large that the middle of a line has its full colour
				r.a.setLook(l)
				r.relax()
				measured(r, r.a.win.Canvas().Capture(), least)
			}
		})
	}
}

// measured measures the texts of the topmost layer in a picture of the window.
func measured(r *rig, img image.Image, least float64) {
	r.t.Helper()
	shot, ok := img.(*image.NRGBA)
	if !ok {
		r.t.Fatalf("a picture of %T", img)
	}
	roots := r.roots()
	size := r.a.win.Canvas().Size()
	n := 0
	inked(roots[len(roots)-1], fyne.Position{}, image.Rect(0, 0, int(size.Width), int(size.Height)), func(i ink) {
		if i.at.Dx() < 8 || i.at.Dy() < 12 || i.off {
			return
		}
		n++
		counts := map[color.NRGBA]int{}
		for y := i.at.Min.Y; y < i.at.Max.Y; y++ {
			for x := i.at.Min.X; x < i.at.Max.X; x++ {
				counts[shot.NRGBAAt(x, y)]++
			}
		}
		var ground color.NRGBA
		for c, n := range counts {
			if n > counts[ground] {
				ground = c
			}
		}
		most := 0.0
		for c := range counts {
			most = max(most, contrast(c, ground))
		}
		if most < least-0.1 {
			r.t.Errorf("%+v: %q has %.2f:1 on %s, less than %.1f", r.a.look, i.text, most, hexOf(ground), least)
		}
	})
	if n < 3 {
		r.t.Errorf("only %d texts are in view", n)
	}
}

// TestM03EveryColourIsOurs keeps colours of Fyne's own theme out.
func TestM03EveryColourIsOurs(t *testing.T) {
	t.Parallel()
	for _, name := range []fyne.ThemeColorName{theme.ColorNameBackground, theme.ColorNameButton, theme.ColorNameDisabled, theme.ColorNameDisabledButton, theme.ColorNameError, theme.ColorNameFocus,
		theme.ColorNameForeground, theme.ColorNameForegroundOnError, theme.ColorNameForegroundOnPrimary, theme.ColorNameForegroundOnSuccess, theme.ColorNameForegroundOnWarning,
		theme.ColorNameHeaderBackground, theme.ColorNameHover, theme.ColorNameHyperlink, theme.ColorNameInputBackground, theme.ColorNameInputBorder, theme.ColorNameMenuBackground,
		theme.ColorNameOverlayBackground, theme.ColorNamePlaceHolder, theme.ColorNamePressed, theme.ColorNamePrimary, theme.ColorNameScrollBar, theme.ColorNameScrollBarBackground,
		theme.ColorNameSelection, theme.ColorNameSeparator, theme.ColorNameShadow, theme.ColorNameSuccess, theme.ColorNameWarning} {
		if _, ok := palette[name]; !ok {
			t.Errorf("%s is Fyne's", name)
		}
	}
	for name := range strongPalette {
		if _, ok := palette[name]; !ok {
			t.Errorf("%s has a colour for high contrast alone", name)
		}
	}
}

// TestM03FollowsTheDesktop takes shade and contrast over from the desktop until the person chooses.
func TestM03FollowsTheDesktop(t *testing.T) {
	r := newRig(t, stage{lang: "en", agent: busyAgent(), contrast: true})
	r.until("high contrast", func() bool { return r.a.skin().look.Contrast == contrastHigh })
	l := r.a.look
	l.Contrast = contrastNormal
	r.a.setLook(l)
	if got := r.a.skin().look.Contrast; got != contrastNormal || r.a.fyne.Preferences().String(prefContrast) != contrastNormal {
		t.Errorf("contrast is %q after the person chose normal", got)
	}
	own := skin{Look{}}
	if own.Color(theme.ColorNameBackground, theme.VariantLight) == own.Color(theme.ColorNameBackground, theme.VariantDark) {
		t.Error("the desktop's shade is not followed")
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
