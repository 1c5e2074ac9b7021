package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Names of colours and sizes that Fyne's own theme does not have.
const (
	colorSurface     fyne.ThemeColorName = "hawserSurface"     // cards
	colorSide        fyne.ThemeColorName = "hawserSide"        // the column of pages
	colorBorder      fyne.ThemeColorName = "hawserBorder"      // around cards
	colorEdge        fyne.ThemeColorName = "hawserEdge"        // around news, where contrast is high
	colorAccentSoft  fyne.ThemeColorName = "hawserAccentSoft"  // behind what is chosen
	colorGoodSoft    fyne.ThemeColorName = "hawserGoodSoft"    // behind good news
	colorWarningSoft fyne.ThemeColorName = "hawserWarningSoft" // behind what needs somebody
	colorErrorSoft   fyne.ThemeColorName = "hawserErrorSoft"   // behind what stopped
	colorNeutralSoft fyne.ThemeColorName = "hawserNeutralSoft" // behind what is neither

	sizeTitle  fyne.ThemeSizeName = "hawserTitle"  // a page's name
	sizeFigure fyne.ThemeSizeName = "hawserFigure" // a number that matters
	sizeCard   fyne.ThemeSizeName = "hawserCard"   // a card's name
)

// Look is what a person chose about the appearance.
type Look struct {
	Shade    string  // "light", "dark", or "" for the desktop's own
	Contrast string  // "high", "normal", or "" for the desktop's own
	Text     float32 // size of text, 1 to 2
}

// The shades and contrasts of [Look].
const (
	shadeLight     = "light"
	shadeDark      = "dark"
	contrastHigh   = "high"
	contrastNormal = "normal"
)

// skin is Hawser's theme: one blue, the grey of fog, and room.
type skin struct{ look Look }

var _ fyne.Theme = skin{}

// palette gives the two shades of each colour. Text and what it stands on keep 4.5:1; a test
// computes it.
var palette = map[fyne.ThemeColorName][2]color.NRGBA{ // light, dark
	theme.ColorNameBackground:          {rgb(0xF5F7FA), rgb(0x12171D)},
	colorSide:                          {rgb(0xEAEEF3), rgb(0x0D1116)},
	colorSurface:                       {rgb(0xFFFFFF), rgb(0x1A2129)},
	colorBorder:                        {rgb(0xDCE2E9), rgb(0x2B3540)},
	colorEdge:                          {rgba(0, 0), rgba(0, 0)},
	theme.ColorNameForeground:          {rgb(0x18222D), rgb(0xE9EEF4)},
	theme.ColorNameDisabled:            {rgb(0x56636F), rgb(0xA0AEBC)},
	theme.ColorNamePlaceHolder:         {rgb(0x56636F), rgb(0xA0AEBC)},
	theme.ColorNamePrimary:             {rgb(0x1F66A8), rgb(0x84BDF0)},
	theme.ColorNameForegroundOnPrimary: {rgb(0xFFFFFF), rgb(0x08131E)},
	theme.ColorNameHyperlink:           {rgb(0x1F66A8), rgb(0x84BDF0)},
	colorAccentSoft:                    {rgb(0xDCEAF7), rgb(0x1B3247)},
	theme.ColorNameSuccess:             {rgb(0x1A7045), rgb(0x67CF97)},
	theme.ColorNameForegroundOnSuccess: {rgb(0xFFFFFF), rgb(0x06180E)},
	colorGoodSoft:                      {rgb(0xE0F3E8), rgb(0x15301F)},
	theme.ColorNameWarning:             {rgb(0x845204), rgb(0xEFB95C)},
	theme.ColorNameForegroundOnWarning: {rgb(0xFFFFFF), rgb(0x1C1203)},
	colorWarningSoft:                   {rgb(0xFCF0D9), rgb(0x38290F)},
	theme.ColorNameError:               {rgb(0xB1261C), rgb(0xFF9A90)},
	theme.ColorNameForegroundOnError:   {rgb(0xFFFFFF), rgb(0x210806)},
	colorErrorSoft:                     {rgb(0xFCE6E4), rgb(0x3B1A18)},
	colorNeutralSoft:                   {rgb(0xE9EDF2), rgb(0x242D37)},
	theme.ColorNameButton:              {rgb(0xE4E9EF), rgb(0x27313C)},
	theme.ColorNameDisabledButton:      {rgb(0xEDF0F4), rgb(0x1E262F)},
	theme.ColorNameInputBackground:     {rgb(0xF1F4F8), rgb(0x12171D)},
	theme.ColorNameInputBorder:         {rgb(0x75818E), rgb(0x667484)},
	theme.ColorNameMenuBackground:      {rgb(0xFFFFFF), rgb(0x1F2730)},
	theme.ColorNameOverlayBackground:   {rgb(0xFFFFFF), rgb(0x1A2129)},
	theme.ColorNameHeaderBackground:    {rgb(0xEEF2F6), rgb(0x1F2730)},
	theme.ColorNameSeparator:           {rgb(0xE3E8EE), rgb(0x28313B)},
	theme.ColorNameScrollBar:           {rgb(0x9AA6B2), rgb(0x586675)},
	theme.ColorNameScrollBarBackground: {rgba(0, 0), rgba(0, 0)},
	theme.ColorNameHover:               {rgba(0x1F66A8, 0x16), rgba(0x84BDF0, 0x1C)},
	theme.ColorNamePressed:             {rgba(0x1F66A8, 0x33), rgba(0x84BDF0, 0x3C)},
	theme.ColorNameFocus:               {rgba(0x1F66A8, 0x30), rgba(0x84BDF0, 0x30)}, // a ring shows the focus
	theme.ColorNameSelection:           {rgb(0xDCEAF7), rgb(0x1B3247)},
	theme.ColorNameShadow:              {rgba(0x0B1A2A, 0x22), rgba(0x000000, 0x66)},
}

// strongPalette gives the colours that are others where contrast is high: text keeps 7:1, and what
// has a border has one that is seen.
var strongPalette = map[fyne.ThemeColorName][2]color.NRGBA{
	theme.ColorNameBackground:          {rgb(0xFFFFFF), rgb(0x000000)},
	colorSide:                          {rgb(0xF2F4F7), rgb(0x000000)},
	colorSurface:                       {rgb(0xFFFFFF), rgb(0x06090C)},
	colorBorder:                        {rgb(0x3C4650), rgb(0xA3B0BD)},
	colorEdge:                          {rgb(0x3C4650), rgb(0xA3B0BD)},
	theme.ColorNameForeground:          {rgb(0x000000), rgb(0xFFFFFF)},
	theme.ColorNameDisabled:            {rgb(0x29323A), rgb(0xDDE4EB)},
	theme.ColorNamePlaceHolder:         {rgb(0x29323A), rgb(0xDDE4EB)},
	theme.ColorNamePrimary:             {rgb(0x093A66), rgb(0xC0E0FC)},
	theme.ColorNameForegroundOnPrimary: {rgb(0xFFFFFF), rgb(0x000000)},
	theme.ColorNameHyperlink:           {rgb(0x093A66), rgb(0xC0E0FC)},
	theme.ColorNameSuccess:             {rgb(0x0A4123), rgb(0xA5F0C6)},
	theme.ColorNameForegroundOnSuccess: {rgb(0xFFFFFF), rgb(0x000000)},
	theme.ColorNameWarning:             {rgb(0x4F3000), rgb(0xFFDD9C)},
	theme.ColorNameForegroundOnWarning: {rgb(0xFFFFFF), rgb(0x000000)},
	theme.ColorNameError:               {rgb(0x740C05), rgb(0xFFCCC6)},
	theme.ColorNameForegroundOnError:   {rgb(0xFFFFFF), rgb(0x000000)},
	theme.ColorNameInputBackground:     {rgb(0xFFFFFF), rgb(0x000000)},
	theme.ColorNameInputBorder:         {rgb(0x29323A), rgb(0xDDE4EB)},
	theme.ColorNameMenuBackground:      {rgb(0xFFFFFF), rgb(0x06090C)},
	theme.ColorNameOverlayBackground:   {rgb(0xFFFFFF), rgb(0x06090C)},
	theme.ColorNameSeparator:           {rgb(0x6B7680), rgb(0x7C8A98)},
	theme.ColorNameScrollBar:           {rgb(0x3C4650), rgb(0xA3B0BD)},
}

func rgb(v uint32) color.NRGBA { return rgba(v, 0xFF) }

func rgba(v uint32, a uint8) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: a}
}

// Color implements fyne.Theme.
func (s skin) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	switch s.look.Shade {
	case shadeLight:
		variant = theme.VariantLight
	case shadeDark:
		variant = theme.VariantDark
	}
	pair, ok := palette[name]
	if strong, has := strongPalette[name]; has && s.look.Contrast == contrastHigh {
		pair = strong
	}
	switch {
	case !ok:
		return theme.DefaultTheme().Color(name, variant)
	case variant == theme.VariantLight:
		return pair[0]
	}
	return pair[1]
}

// sizes at a text size of 1, in Fyne's units. Those of text grow with it.
var textSizes = map[fyne.ThemeSizeName]float32{
	theme.SizeNameText:           14,
	theme.SizeNameCaptionText:    12,
	theme.SizeNameSubHeadingText: 17,
	theme.SizeNameHeadingText:    24,
	theme.SizeNameInlineIcon:     19,
	sizeTitle:                    25,
	sizeFigure:                   25,
	sizeCard:                     15,
}

var plainSizes = map[fyne.ThemeSizeName]float32{
	theme.SizeNamePadding:            4,
	theme.SizeNameInnerPadding:       8,
	theme.SizeNameLineSpacing:        4,
	theme.SizeNameInputRadius:        7,
	theme.SizeNameSelectionRadius:    7,
	theme.SizeNameInputBorder:        1,
	theme.SizeNameScrollBar:          10,
	theme.SizeNameScrollBarSmall:     4,
	theme.SizeNameScrollBarRadius:    5,
	theme.SizeNameSeparatorThickness: 1,
}

// Size implements fyne.Theme.
func (s skin) Size(name fyne.ThemeSizeName) float32 {
	if v, ok := textSizes[name]; ok {
		return v * max(1, min(2, s.look.Text))
	}
	if v, ok := plainSizes[name]; ok {
		return v
	}
	return theme.DefaultTheme().Size(name)
}

// Font implements fyne.Theme.
func (s skin) Font(style fyne.TextStyle) fyne.Resource { return theme.DefaultTheme().Font(style) }

// Icon implements fyne.Theme.
func (s skin) Icon(name fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(name) }

// barless is the theme without scroll bars: in a field of one line they would lie over the text.
type barless struct{ fyne.Theme }

// Size implements fyne.Theme.
func (b barless) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case theme.SizeNameScrollBar, theme.SizeNameScrollBarSmall:
		return 0
	}
	return b.Theme.Size(n)
}
