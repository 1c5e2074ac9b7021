package window

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"hawser/assets"
)

// update draws what is committed anew: go test ./app/window -run Pictures -update
var update = flag.Bool("update", false, "draw the pictures in testdata/golden and assets/help/picture anew")

// helpPictureDir is where the pictures of the help pages are.
const helpPictureDir = "../../assets/help/picture"

// pieces are what the window is put together from.
func pieces() map[string]func() fyne.CanvasObject {
	return map[string]func() fyne.CanvasObject{
		"buttons": func() fyne.CanvasObject {
			sure, off, lit := plain("Delete from Salesforce", nil), plain("Check now", nil), plain("With the focus", nil)
			sure.Importance = widget.DangerImportance
			off.Disable()
			lit.FocusGained()
			return buttons(primary("Sign in", nil), plain("Try again", nil), quiet("Go on later", nil), sure, off, lit, newButton("Pause", glyphPause, nil))
		},
		"tones": func() fyne.CanvasObject {
			all := rows(gapSmall)
			for i, name := range []string{"Neutral", "Good", "Busy", "Warning", "Error"} {
				t := tone(i)
				word := short(name)
				word.Importance = t.importance()
				all.Add(tinted(t, bullet(t.icon(), word)))
			}
			return all
		},
		"card": func() fyne.CanvasObject {
			m := newMeter()
			m.share = 0.4
			return card(rows(gapSmall, head("Salesforce calls today", "Of what your company allows."), m, label("37 of 100 used"), caption("Your whole organisation: 8,112 of 100,000.")))
		},
		"rows": func() fyne.CanvasObject {
			views := []rowView{
				{Title: "Nadia Okafor", Sub: "Renewal for the spring season", Right: "15:01", Badge: "saved", Tone: toneGood, Checked: true, Hittable: true},
				{Title: "Jürgen Möller", Sub: "A subject that is much longer than there is room for it", Right: "24 Nov, 09:30", Badge: "needs you", Tone: toneWarning, Hittable: true, Clip: true},
				{Title: "Tom Ashby", Sub: "Re: Delivery window", Right: "2 Jan 2025", Icon: toneError.icon()}}
			l := newRowList(func() int { return len(views) }, func(i int) rowView { return views[i] })
			l.Select(1)
			return l
		},
		"form": func() fyne.CanvasObject {
			on, c := newCheck("Save by itself", nil), newChoice([]string{"The last 7 days", "The last 30 days"}, nil)
			on.Checked = true
			c.pick(0)
			return rows(gapSmall, on, newCheck("Allow free mail services", nil), setting("Earlier mails", c), newField("Code or link"))
		},
		"pages": func() fyne.CanvasObject {
			a, b := newNavItem("Home", glyphHome, nil), newNavItem("Activity", glyphActivity, nil)
			a.set(true, 0)
			b.set(false, 3)
			return rows(2, a, b, newNavItem("Rules", glyphRules, nil))
		},
	}
}

// TestM03Pictures draws each piece, light and dark and in high contrast, and compares it with the
// picture that people have approved.
func TestM03Pictures(t *testing.T) {
	looks := map[string]Look{"light": {Shade: shadeLight, Text: 1}, "dark": {Shade: shadeDark, Text: 1}, "contrast": {Shade: shadeLight, Contrast: contrastHigh, Text: 1}}
	for _, name := range slices.Sorted(maps.Keys(pieces())) {
		for look, l := range looks {
			if look == "contrast" && name != "tones" && name != "form" {
				continue
			}
			t.Run(name+"-"+look, func(t *testing.T) {
				f := test.NewTempApp(t)
				f.Settings().SetTheme(skin{l})
				w := test.NewTempWindow(t, nil)
				w.SetPadded(false)
				back := newPanel(colorSurface, "")
				back.round = 0
				o := pieces()[name]()
				w.SetContent(newStack(back, inset(gap, o)))
				for range 3 { // text finds its height at its width
					w.Resize(fyne.NewSize(400, max(o.MinSize().Height, map[string]float32{"rows": 190}[name])+2*gap))
					w.Content().Refresh()
				}
				golden(t, filepath.Join("testdata", "golden", name+"-"+look+".png"), reduced(w.Canvas().Capture()))
			})
		}
	}
}

func newStack(o ...fyne.CanvasObject) fyne.CanvasObject {
	return &fyne.Container{Layout: stacked{}, Objects: o}
}

// stacked lays objects over each other.
type stacked struct{}

func (stacked) Layout(o []fyne.CanvasObject, s fyne.Size) {
	for _, one := range o {
		one.Resize(s)
	}
}

func (stacked) MinSize(o []fyne.CanvasObject) fyne.Size { return o[len(o)-1].MinSize() }

// golden compares a picture with the committed one, or puts it there.
func golden(t *testing.T, file string, got *image.Paletted) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, encoded(t, got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; draw it with -update", err)
	}
	want, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if share := differing(got, want); share > 0.01 {
		kept := filepath.Join(t.ArtifactDir(), filepath.Base(file))
		if err := os.WriteFile(kept, encoded(t, got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%.1f %% of %s are others; see %s with -artifacts, and draw it anew with -update", 100*share, file, kept)
	}
}

func encoded(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// differing is the share of pixels that a person would see to be others.
func differing(a, b image.Image) float64 {
	if a.Bounds() != b.Bounds() {
		return 1
	}
	n := 0
	r := a.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if away(color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)) > 40 {
				n++
			}
		}
	}
	return float64(n) / float64(r.Dx()*r.Dy())
}

// away is how far apart two colours are in the channel in which they are furthest.
func away(a, b color.NRGBA) int {
	d := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B))
}

// reduced is a picture in 256 colours: the most frequent, which are most of a window's, and those
// that are furthest from all of them, so that a rare colour stays one.
func reduced(img image.Image) *image.Paletted {
	b := img.Bounds()
	counts := map[color.NRGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)]++
		}
	}
	often := slices.SortedFunc(maps.Keys(counts), func(a, b color.NRGBA) int {
		return cmp.Or(counts[b]-counts[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	p := furthest(often)
	index := map[color.NRGBA]uint8{}
	out := image.NewPaletted(b, p)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			i, ok := index[c]
			if !ok {
				i = uint8(p.Index(c))
				index[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}

// furthest chooses 256 of colours that are sorted by how frequent they are.
func furthest(often []color.NRGBA) color.Palette {
	var p color.Palette
	near := make([]int, len(often)) // how far each colour is from those chosen
	for i := range near {
		near[i] = math.MaxInt
	}
	for len(p) < min(256, len(often)) {
		at := len(p)
		if at >= 96 {
			at = slices.Index(near, slices.Max(near))
		}
		c := often[at]
		p = append(p, c)
		for i, o := range often {
			near[i] = min(near[i], away(c, o))
		}
	}
	return p
}

// shown are the pictures of the help pages: scenes, and looks of them.
var shown = []struct {
	name, scene string
	look        Look
}{
	{"guide-code", "guide-code", Look{}}, {"guide-choose", "guide-choose", Look{}}, {"guide-try", "guide-try", Look{}},
	{"home", "home", Look{}}, {"home-troubled", "home-troubled", Look{}}, {"capture", "capture", Look{}},
	{"needs-you", "needs-you", Look{}}, {"saved", "saved", Look{}}, {"why", "why", Look{}},
	{"rules", "rules", Look{}}, {"rule-edit", "rule-edit", Look{}}, {"calendar", "calendar", Look{}},
	{"settings", "settings", Look{}}, {"help", "help", Look{}},
	{"home-dark", "home", Look{Shade: shadeDark}}, {"home-contrast", "home", Look{Contrast: contrastHigh}}, {"home-200", "home", Look{Text: 2}},
}

// TestHelpPictures holds the pictures of the design page to the window as it is: each is there, small,
// and shows what the window shows. A larger change of the window's looks wants them drawn anew.
func TestHelpPictures(t *testing.T) {
	page, err := assets.Help.ReadFile("help/design.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(helpPictureDir, "*.png"))
	if err != nil || len(files) != len(shown) && !*update {
		t.Errorf("there are %d pictures, want %d: %v", len(files), len(shown), err)
	}
	total := 0
	for _, one := range shown {
		t.Run(one.name, func(t *testing.T) {
			if !strings.Contains(string(page), "](picture/"+one.name+".png)") {
				t.Error("the design page does not show it")
			}
			file := filepath.Join(helpPictureDir, one.name+".png")
			if *update {
				if err := os.WriteFile(file, encoded(t, reduced(portrait(t, one.scene, one.look))), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			info, err := os.Stat(file)
			if err != nil || info.Size() > 60<<10 {
				t.Fatalf("%v, want at most 60 KB: %v", info, err)
			}
			total += int(info.Size())
		})
	}
	if total > 500<<10 {
		t.Errorf("together they have %d bytes", total)
	}
	if testing.Short() || *update {
		return
	}
	for _, one := range []int{3, 5} { // two of them show whether all are of this window
		file := filepath.Join(helpPictureDir, shown[one].name+".png")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if share := differing(reduced(portrait(t, shown[one].scene, shown[one].look)), want); share > 0.08 {
			t.Errorf("%.0f %% of %s are others by now: go test ./app/window -run Pictures -update", 100*share, file)
		}
	}
}

// portrait is a scene in two thirds of its size.
func portrait(t *testing.T, name string, look Look) image.Image {
	t.Helper()
	for _, s := range scenes() {
		if s.name != name {
			continue
		}
		s.lang, s.shade, s.text = "en", shadeLight, 1
		r := s.play(t)
		look.Shade, look.Text = cmp.Or(look.Shade, shadeLight), max(1, look.Text)
		r.a.setLook(look)
		r.a.win.Canvas().(interface{ SetScale(float32) }).SetScale(2.0 / 3)
		r.relax()
		return r.a.win.Canvas().Capture()
	}
	t.Fatalf("no scene is called %s", name)
	return nil
}

// TestDesignPageTellsTheColours reads the table of colours on the design page.
func TestDesignPageTellsTheColours(t *testing.T) {
	t.Parallel()
	page, err := assets.Help.ReadFile("help/design.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]fyne.ThemeColorName{"Text": "foreground", "Text that explains": "disabled", "Accent": "primary", "Good": "success", "Warning": "warning", "Error": "error",
		"Page": "background", "Column of pages": colorSide, "Card": colorSurface, "Edge of a card": colorBorder, "Edge of a field": "inputBorder"}
	read := 0
	for _, l := range strings.Split(string(page), "\n") {
		cells := strings.Split(l, " | ")
		name, ok := names[strings.TrimPrefix(cells[0], "| ")]
		if !ok || len(cells) != 5 {
			continue
		}
		read++
		cells[4] = strings.TrimSuffix(cells[4], " |")
		for i, want := range []color.NRGBA{palette[name][0], palette[name][1], strongPalette[name][0], strongPalette[name][1]} {
			if got := strings.ToLower(cells[i+1]); got != hexOf(want) {
				t.Errorf("%s: the page says %s, the window has %s", cells[0], got, hexOf(want))
			}
		}
	}
	if read != len(names) {
		t.Errorf("read %d colours, want %d", read, len(names))
	}
}
