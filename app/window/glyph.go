package window

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// The marks of the window, drawn here so that all have one weight: a line of 2 on a field of 24.
var (
	glyphCircle   = mark{"circle", `<circle cx="12" cy="12" r="8"/>`, ""}
	glyphDot      = mark{"dot", `<circle cx="12" cy="12" r="8"/><circle cx="12" cy="12" r="3"/><circle cx="12" cy="12" r="1"/>`, ""}
	glyphCheck    = mark{"check", `<circle cx="12" cy="12" r="9"/><path d="M8 12.3l2.8 2.8L16 9.6"/>`, ""}
	glyphTurn     = mark{"turn", `<path d="M20 12a8 8 0 1 1-2.6-5.9"/><path d="M20 3.5v4h-4"/>`, ""}
	glyphAlert    = mark{"alert", `<path d="M12 3.5L2.8 19.5h18.4z"/><path d="M12 10v4.2"/><path d="M12 16.9v.2"/>`, ""}
	glyphStop     = mark{"stop", `<path d="M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z"/><path d="M9 9l6 6M15 9l-6 6"/>`, ""}
	glyphHome     = mark{"home", `<path d="M3.5 11L12 3.8 20.5 11"/><path d="M5.5 9.5V20h13V9.5"/><path d="M10 20v-6h4v6"/>`, ""}
	glyphCapture  = mark{"capture", `<path d="M3.5 13.5V19h17v-5.5"/><path d="M3.5 13.5l2.5-9h12l2.5 9h-5l-1.5 2.5h-4l-1.5-2.5z"/>`, ""}
	glyphActivity = mark{"activity", `<path d="M3 12h4l3-7 4.5 14 2.7-7H21"/>`, ""}
	glyphRules    = mark{"rules", `<path d="M4 7h9M18 7h2M4 17h2M11 17h9"/><circle cx="15.5" cy="7" r="2.4"/><circle cx="8.5" cy="17" r="2.4"/>`, ""}
	glyphCalendar = mark{"calendar", `<path d="M4 6h16v14H4z"/><path d="M4 10.5h16M8.5 3.5V8M15.5 3.5V8"/>`, ""}
	glyphSettings = mark{"settings", `<circle cx="12" cy="12" r="3"/><path d="M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M5.6 18.4l2.2-2.2M16.2 7.8l2.2-2.2"/>`, ""}
	glyphHelp     = mark{"help", `<circle cx="12" cy="12" r="9"/><path d="M9.4 9.3a2.7 2.7 0 1 1 3.9 2.6c-.9.5-1.3 1-1.3 2"/><path d="M12 16.8v.2"/>`, ""}
	glyphMail     = mark{"mail", `<path d="M3.5 5.5h17v13h-17z"/><path d="M3.5 7l8.5 6 8.5-6"/>`, ""}
	glyphCloud    = mark{"cloud", `<path d="M7 18.5a4 4 0 0 1-.6-7.9 5.6 5.6 0 0 1 10.8 1A3.5 3.5 0 0 1 17 18.5z"/>`, ""}
	glyphCompany  = mark{"company", `<path d="M5 20.5V4.5h9v16M14 9.5h5v11M3 20.5h18"/><path d="M8 8.5h3M8 12h3M8 15.5h3"/>`, ""}
	glyphLock     = mark{"lock", `<path d="M5.5 11h13v9h-13z"/><path d="M8.5 11V8a3.5 3.5 0 0 1 7 0v3"/>`, ""}
	glyphClip     = mark{"clip", `<path d="M19.5 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3 3 0 0 1 4.3 4.3l-7.8 7.8a1.4 1.4 0 0 1-2-2l7-7"/>`, ""}
	glyphPause    = mark{"pause", `<path d="M9 5.5v13M15 5.5v13"/>`, ""}
	glyphUp       = mark{"up", `<path d="M6 14.5l6-6 6 6"/>`, ""}
	glyphDown     = mark{"down", `<path d="M6 9.5l6 6 6-6"/>`, ""}
	glyphPerson   = mark{"person", `<circle cx="12" cy="8" r="4"/><path d="M4.5 20c.8-4 3.8-6 7.5-6s6.7 2 7.5 6"/>`, ""}
	glyphOpen     = mark{"open", `<path d="M13.5 4.5h6v6"/><path d="M19.5 4.5L11 13"/><path d="M17.5 13.5v6h-13v-13h6"/>`, ""}
	glyphBox      = mark{"box", `<path d="M5 4.5h14v15H5z"/>`, ""}
	glyphBoxed    = mark{"boxed", `<path d="M5 4.5h14v15H5z"/><path d="M8.3 12.2l2.600 2.600 5-5.400"/>`, ""}
	glyphSearch   = mark{"search", `<circle cx="11" cy="11" r="6.5"/><path d="M16 16l4.5 4.5"/>`, ""}
	glyphUndo     = mark{"undo", `<path d="M8.5 4.5L4 9l4.5 4.5"/><path d="M4 9h10a5.500 5.500 0 0 1 0 11h-4"/>`, ""}
	glyphClose    = mark{"close", `<path d="M7 7l10 10M17 7L7 17"/>`, ""}
	glyphNow      = mark{"now", `<circle cx="12" cy="12" r="9"/><path d="M10 8l4 4-4 4"/>`, ""}
	glyphCopy     = mark{"copy", `<path d="M9 8.5h10.5V20H9z"/><path d="M15 8.500V4H4.500v11.500H9"/>`, ""}
	glyphBin      = mark{"bin", `<path d="M4.5 7h15M9.500 7V4.500h5V7M6.500 7l1 13h9l1-13"/>`, ""}
	glyphFolder   = mark{"folder", `<path d="M3.5 18.5v-13h6l2 2.500h9v10.500z"/>`, ""}
	glyphTie      = mark{"tie", `<path d="M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1.500 1.500"/><path d="M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1.500-1.500"/>`, ""}
)

// mark is a drawing of lines in a colour of the theme. Fyne's own themed resources colour areas
// only.
type mark struct {
	name, paths string
	color       fyne.ThemeColorName // "" is that of text
}

var _ fyne.ThemedResource = mark{}

// in returns the mark in another colour.
func (m mark) in(c fyne.ThemeColorName) mark {
	m.color = c
	return m
}

// ThemeColorName implements fyne.ThemedResource.
func (m mark) ThemeColorName() fyne.ThemeColorName {
	if m.color == "" {
		return theme.ColorNameForeground
	}
	return m.color
}

// Name implements fyne.Resource. It tells the colours apart, because drawings are kept by name.
func (m mark) Name() string { return "hawser-" + m.name + "-" + m.hex()[1:] + ".svg" }

// Content implements fyne.Resource.
func (m mark) Content() []byte {
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><g fill="none" stroke="` + m.hex() +
		`" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round">` + m.paths + `</g></svg>`)
}

func (m mark) hex() string { return hexOf(theme.Color(m.ThemeColorName())) }

func hexOf(c color.Color) string {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	return fmt.Sprintf("#%02x%02x%02x", n.R, n.G, n.B)
}
