package assets_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/xml"
	"image"
	_ "image/png" // Icon returns one
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hawser/assets"
)

// TestEveryDrawingIsRendered finds drawings that generate.sh was not run for, and pictures that do
// not decode.
func TestEveryDrawingIsRendered(t *testing.T) {
	t.Parallel()
	drawings, err := filepath.Glob("icon/*.svg")
	if err != nil || len(drawings) < 6 {
		t.Fatalf("drawings %q, %v", drawings, err)
	}
	seen := map[[32]byte]string{}
	for _, svg := range drawings {
		name := strings.TrimSuffix(filepath.Base(svg), ".svg")
		raw, err := os.ReadFile(svg)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(raw, new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s: %v", svg, err)
		}
		icon, err := os.ReadFile("icon/" + name + ".png")
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, err := image.DecodeConfig(bytes.NewReader(icon))
		if err != nil || cfg.Width != 48 || cfg.Height != 48 {
			t.Errorf("%s.png is %dx%d, %v", name, cfg.Width, cfg.Height, err)
		}
		if other, same := seen[sha256.Sum256(icon)]; same {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[sha256.Sum256(icon)] = name
		checkICO(t, "icon/"+name+".ico")
		if _, err := assets.Icon(name); err != nil {
			t.Errorf("%s is not part of the program: %v", name, err)
		}
	}
	if _, err := assets.Icon("no-such"); err == nil {
		t.Error("an icon that does not exist is returned")
	}
}

// checkICO reads the directory of an icon file: five square 32-bit bitmaps inside the file.
func checkICO(t *testing.T, name string) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if le.Uint16(raw[2:]) != 1 || le.Uint16(raw[4:]) != 5 {
		t.Fatalf("%s: header % x", name, raw[:6])
	}
	for i, want := range []uint8{16, 20, 24, 32, 48} {
		e := raw[6+16*i:]
		size, at := le.Uint32(e[8:]), le.Uint32(e[12:])
		if e[0] != want || e[1] != want || int(at+size) > len(raw) {
			t.Errorf("%s: entry %d is %dx%d at %d, %d bytes of %d", name, i, e[0], e[1], at, size, len(raw))
			continue
		}
		dib := raw[at:]
		if le.Uint32(dib) != 40 || le.Uint32(dib[4:]) != uint32(want) || le.Uint32(dib[8:]) != 2*uint32(want) || le.Uint16(dib[14:]) != 32 {
			t.Errorf("%s: entry %d has header % x", name, i, dib[:40])
		}
	}
}
