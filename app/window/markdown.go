package window

import (
	"regexp"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"hawser/assets"
)

// markdown draws a page of help. Tables, for which Fyne has nothing and a narrow window no room,
// become a list: the first cell of a row as its name, the others below it. A picture stands on a
// line of its own, with its text below it.
func (a *app) markdown(raw string, follow func(target string)) fyne.CanvasObject {
	all := rows(0)
	var plain, table []string
	flush := func() {
		if text := strings.TrimSpace(strings.Join(plain, "\n")); text != "" {
			all.Add(prose(text, follow))
		}
		plain = nil
		for i, r := range table {
			if i > 1 { // below the head and its line
				all.Add(tableRow(r, follow))
			}
		}
		table = nil
	}
	code := false
	for _, l := range strings.Split(raw, "\n") {
		if strings.HasPrefix(l, "```") {
			code = !code
		}
		if alt, file, ok := pictureLine(l); ok && !code {
			flush()
			all.Add(screenshot(alt, file))
			continue
		}
		isRow := !code && strings.HasPrefix(l, "|")
		if isRow != (table != nil) {
			flush()
		}
		if isRow {
			table = append(table, l)
			continue
		}
		plain = append(plain, l)
	}
	flush()
	return all
}

// prose is text without tables.
func prose(text string, follow func(string)) *widget.RichText {
	t := widget.NewRichTextFromMarkdown(text)
	t.Wrapping = fyne.TextWrapWord
	link(t.Segments, follow)
	return t
}

// link lets every link in segments, and in those inside them, lead where follow says.
func link(segments []widget.RichTextSegment, follow func(string)) {
	for _, s := range segments {
		switch s := s.(type) {
		case *widget.HyperlinkSegment:
			if s.URL != nil {
				target := s.URL.String()
				s.OnTapped = func() { follow(target) }
			}
		case *widget.ListSegment:
			link(s.Items, follow)
		case *widget.ParagraphSegment:
			link(s.Texts, follow)
		}
	}
}

func tableRow(l string, follow func(string)) fyne.CanvasObject {
	cells := strings.Split(strings.Trim(strings.TrimSpace(l), "|"), "|")
	out := rows(-8)
	swatches := container.New(&wrap{gap: 4})
	for i, c := range cells {
		c = strings.TrimSpace(c)
		switch {
		case c == "":
		case i == 0 && !strings.ContainsAny(c, "`*["):
			out.Add(bold(c))
		case swatch.MatchString(c):
			swatches.Add(colored(c))
		default:
			out.Add(prose(c, follow))
		}
	}
	if len(swatches.Objects) > 0 {
		out.Add(aligned(swatches))
	}
	return out
}

// swatch is a cell that names a colour.
var swatch = regexp.MustCompile(`^#[0-9A-F]{6}$`)

// colored shows a colour and its name.
func colored(name string) fyne.CanvasObject {
	v, err := strconv.ParseUint(name[1:], 16, 32)
	if err != nil {
		return short(name) // never: the pattern lets nothing else through
	}
	r := canvas.NewRectangle(rgb(uint32(v)))
	r.StrokeColor, r.StrokeWidth, r.CornerRadius = rgb(0x808890), 1, 4
	r.SetMinSize(fyne.NewSize(28, 18))
	return cols(0, centred(r), short(name))
}

// pictureLine takes ![text](picture/file.png) apart.
func pictureLine(l string) (alt, file string, ok bool) {
	rest, ok := strings.CutPrefix(l, "![")
	if !ok {
		return "", "", false
	}
	alt, rest, ok = strings.Cut(rest, "](picture/")
	file, ok2 := strings.CutSuffix(rest, ")")
	return alt, file, ok && ok2
}

// screenshot is a picture of a help page with a line around it, and its text.
func screenshot(alt, file string) fyne.CanvasObject {
	raw, err := assets.HelpPicture(file)
	if err != nil {
		return label(alt) // a test looks for each picture
	}
	image := canvas.NewImageFromResource(fyne.NewStaticResource(file, raw))
	image.FillMode, image.ScaleMode = canvas.ImageFillContain, canvas.ImageScaleSmooth
	frame := newPanel("", colorBorder)
	frame.round = 0
	return rows(0, container.New(&scaled{most: pictureWidth}, image, frame), caption(alt), gapOf(gap))
}

// pictureWidth is that of the pictures of help pages, which are never drawn larger than they are.
const pictureWidth = 720

// scaled keeps an image and its frame as wide as there is room, in the image's own proportions.
type scaled struct{ most, width float32 }

func (s *scaled) size(image *canvas.Image) fyne.Size {
	wide := min(s.most, s.width)
	if a := image.Aspect(); a > 0 {
		return fyne.NewSize(wide, wide/a)
	}
	return fyne.NewSize(wide, 0)
}

// Layout implements fyne.Layout.
func (s *scaled) Layout(o []fyne.CanvasObject, size fyne.Size) {
	s.width = size.Width - 2*theme.InnerPadding()
	for _, one := range o {
		one.Resize(s.size(o[0].(*canvas.Image)))
		one.Move(fyne.NewPos(theme.InnerPadding(), 4))
	}
}

// MinSize implements fyne.Layout. Its height is that of the width it was given last.
func (s *scaled) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(120, s.size(o[0].(*canvas.Image)).Height+8)
}
