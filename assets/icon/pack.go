//go:build ignore

// Command pack writes an .ico file from .png files: pack OUT.ico IN.png...
//
// The images are stored as 32-bit bitmaps, which every Windows interface that loads icons reads;
// compressed entries are read by some only, and used for the largest size, as Windows itself does.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
)

func main() {
	if err := pack(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(out string, in []string) error {
	var head, body bytes.Buffer
	put := func(w *bytes.Buffer, v ...any) {
		for _, x := range v {
			_ = binary.Write(w, binary.LittleEndian, x) // fixed-size values into a buffer
		}
	}
	put(&head, uint16(0), uint16(1), uint16(len(in)))
	for _, name := range in {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		size := img.Bounds().Dx()
		dib := raw
		if size < 256 {
			dib = bitmap(img)
		}
		put(&head, uint8(size%256), uint8(size%256), uint8(0), uint8(0), uint16(1), uint16(32), uint32(len(dib)), uint32(6+16*len(in)+body.Len()))
		body.Write(dib)
	}
	return os.WriteFile(out, append(head.Bytes(), body.Bytes()...), 0o644)
}

// bitmap returns a BITMAPINFOHEADER of doubled height, the pixels bottom up, and an empty mask:
// with 32 bits the alpha channel decides.
func bitmap(img image.Image) []byte {
	size := img.Bounds().Dx()
	var b bytes.Buffer
	for _, v := range []any{uint32(40), int32(size), int32(2 * size), uint16(1), uint16(32), uint32(0), uint32(0), int32(0), int32(0), uint32(0), uint32(0)} {
		_ = binary.Write(&b, binary.LittleEndian, v) // fixed-size values into a buffer
	}
	for y := size - 1; y >= 0; y-- {
		for x := range size {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			b.Write([]byte{c.B, c.G, c.R, c.A})
		}
	}
	b.Write(make([]byte, size*((size+31)/32*4)))
	return b.Bytes()
}
