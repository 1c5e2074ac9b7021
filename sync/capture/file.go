package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"hawser/sync/fault"
)

// MaxFile is how large a rule file may be, bytes.
const MaxFile = 1 << 20

// ReadChoices reads a rule file: [Choices] as JSON. It refuses unknown fields and a second value. The
// fault is Usage, and its Detail names the place. What the values mean is not looked at.
func ReadChoices(data []byte) (Choices, error) {
	var c Choices
	if len(data) > MaxFile {
		return c, unreadable(fmt.Sprintf("> %d bytes", MaxFile))
	}
	if !utf8.Valid(data) {
		return c, unreadable("UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Choices{}, unreadable(place(data, d.InputOffset(), err))
	}
	end := d.InputOffset()
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Choices{}, unreadable(lineOf(data, end))
	}
	return c, nil
}

// place says where a rule file cannot be read.
func place(data []byte, offset int64, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		return fmt.Sprintf("%s: %s", lineOf(data, kind.Offset), kind.Field)
	}
	return lineOf(data, offset) + ": " + strings.TrimPrefix(err.Error(), "json: ")
}

// lineOf returns "line:column" of a byte.
func lineOf(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return fmt.Sprintf("%d:%d", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

// maxDetail is how much of a file a fault repeats, bytes.
const maxDetail = 320

func unreadable(detail string) error {
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
	}
	f := fault.New(fault.Usage, "read rules", nil)
	f.Detail = detail
	return f
}
