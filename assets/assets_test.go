package assets_test

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"hawser/assets"
)

// states are those of row J01, each with a picture of its own.
var states = []string{"up-to-date", "working", "paused", "offline", "sign-in", "needs-you"}

// TestEveryDrawingIsRendered finds drawings that generate.sh was not run for, and pictures that do
// not decode.
func TestEveryDrawingIsRendered(t *testing.T) {
	t.Parallel()
	drawings, err := filepath.Glob("icon/tray/*.svg")
	if err != nil || len(drawings) != len(states) {
		t.Fatalf("drawings %q, %v", drawings, err)
	}
	for _, svg := range append(drawings, "icon/hawser.svg") {
		raw, err := os.ReadFile(svg)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(raw, new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s: %v", svg, err)
		}
	}
	for _, state := range states {
		for _, variant := range []string{assets.IconLight, assets.IconDark, assets.IconTemplate} {
			picture(t, "icon/tray/"+state+"-"+variant+".png", 48)
			if variant != assets.IconTemplate {
				checkICO(t, "icon/tray/"+state+"-"+variant+".ico", 16, 20, 24, 32, 48)
			}
			if _, err := assets.Icon(state, variant); err != nil && (runtime.GOOS != "windows" || variant != assets.IconTemplate) {
				t.Errorf("%s is not part of the program: %v", state, err)
			}
		}
	}
	for _, size := range []int{16, 24, 32, 48, 64, 128, 256, 512} {
		picture(t, fmt.Sprintf("icon/hawser-%d.png", size), size)
	}
	checkICO(t, "icon/hawser.ico", 16, 20, 24, 32, 48, 0)
	if _, err := assets.Icon("no-such", assets.IconLight); err == nil {
		t.Error("an icon that does not exist is returned")
	}
}

// picture reads a square picture.
func picture(t *testing.T, name string, size int) image.Image {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil || img.Bounds().Dx() != size || img.Bounds().Dy() != size {
		t.Fatalf("%s: %v", name, err)
	}
	return img
}

// TestJ01StatesDifferInShape compares what is left of the icons without any colour, in the size of a
// small panel: each two differ in more than a twentieth of the picture.
func TestJ01StatesDifferInShape(t *testing.T) {
	t.Parallel()
	const size = 48
	for i, a := range states {
		for _, b := range states[:i] {
			left, right := picture(t, "icon/tray/"+a+"-template.png", size), picture(t, "icon/tray/"+b+"-template.png", size)
			differ := 0
			for y := range size {
				for x := range size {
					_, _, _, p := left.At(x, y).RGBA()
					_, _, _, q := right.At(x, y).RGBA()
					if max(p, q)-min(p, q) > 0x8000 {
						differ++
					}
				}
			}
			if share := float64(differ) / size / size; share < 0.05 {
				t.Errorf("%s and %s differ in %.1f%% of the picture", a, b, 100*share)
			}
		}
	}
}

// TestTemplatesHaveNoColour: the system paints them.
func TestTemplatesHaveNoColour(t *testing.T) {
	t.Parallel()
	for _, state := range states {
		img := picture(t, "icon/tray/"+state+"-template.png", 48)
		for y := range 48 {
			for x := range 48 {
				if r, g, b, _ := img.At(x, y).RGBA(); r+g+b != 0 {
					t.Fatalf("%s has a colour at %d, %d", state, x, y)
				}
			}
		}
	}
}

// checkICO reads the directory of an icon file: square 32-bit bitmaps inside the file, and for 256,
// which the directory writes as 0, a compressed picture.
func checkICO(t *testing.T, name string, sizes ...uint8) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if le.Uint16(raw[2:]) != 1 || int(le.Uint16(raw[4:])) != len(sizes) {
		t.Fatalf("%s: header % x", name, raw[:6])
	}
	for i, want := range sizes {
		e := raw[6+16*i:]
		size, at := le.Uint32(e[8:]), le.Uint32(e[12:])
		if e[0] != want || e[1] != want || int(at+size) > len(raw) {
			t.Errorf("%s: entry %d is %dx%d at %d, %d bytes of %d", name, i, e[0], e[1], at, size, len(raw))
			continue
		}
		dib := raw[at:]
		if want == 0 {
			if img, err := png.Decode(bytes.NewReader(dib)); err != nil || img.Bounds().Dx() != 256 {
				t.Errorf("%s: entry %d: %v", name, i, err)
			}
			continue
		}
		if le.Uint32(dib) != 40 || le.Uint32(dib[4:]) != uint32(want) || le.Uint32(dib[8:]) != 2*uint32(want) || le.Uint16(dib[14:]) != 32 {
			t.Errorf("%s: entry %d has header % x", name, i, dib[:40])
		}
	}
}
