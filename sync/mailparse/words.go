package mailparse

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// words turns header bytes into text: RFC 2047 encoded words, and raw 8-bit text in the
// charset that the mail names for its body (hint), which is what old mailers used.
func words(b []byte, hint string) string {
	if !bytes.Contains(b, []byte("=?")) {
		return raw(b, hint)
	}
	var out strings.Builder
	var run []byte // bytes of neighbouring words in one charset: a character may span two words
	var charset string
	flush := func() {
		if len(run) > 0 {
			s, _ := toUTF8(run, charset)
			out.WriteString(s)
			run = run[:0]
		}
	}
	after := false // the last thing was an encoded word
	for len(b) > 0 {
		start := bytes.Index(b, []byte("=?"))
		if start < 0 {
			break
		}
		name, text, size, ok := encodedWord(b[start:])
		if !ok {
			flush()
			out.WriteString(raw(b[:start+2], hint))
			b, after = b[start+2:], false
			continue
		}
		between := b[:start]
		if !after || len(bytes.TrimSpace(between)) > 0 {
			flush()
			out.WriteString(raw(between, hint))
		}
		if !strings.EqualFold(name, charset) {
			flush()
			charset = name
		}
		run = append(run, text...)
		b, after = b[start+size:], true
	}
	flush()
	out.WriteString(raw(b, hint))
	return oneLine(out.String())
}

// raw returns bytes that are not encoded words as text.
func raw(b []byte, hint string) string {
	for _, c := range b {
		if c >= 0x80 || c == 0x1b || c == 0 {
			if c == 0x1b && hint == "" {
				hint = "iso-2022-jp"
			}
			s, _ := toUTF8(b, rawCharset(b, hint))
			return oneLine(s)
		}
	}
	return string(b)
}

// rawCharset prefers UTF-8 where the bytes are UTF-8, whatever the body's charset is.
func rawCharset(b []byte, hint string) string {
	if s := string(b); bytes.IndexByte(b, 0x1b) < 0 && strings.ToValidUTF8(s, "") == s {
		return "utf-8"
	}
	return hint
}

// oneLine takes the control characters out of decoded text: an encoded line end must not
// become one (header injection into whatever shows the subject).
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, s)
}

// encodedWord reads the encoded word at the start of b: its charset, its decoded bytes and how
// many bytes of b it takes. It accepts what RFC 2047 forbids but mailers write: spaces inside,
// missing base64 padding.
func encodedWord(b []byte) (charset string, text []byte, size int, ok bool) {
	rest := b[2:]
	q := bytes.IndexByte(rest, '?')
	if q <= 0 || q > 60 || len(rest) < q+3 || rest[q+2] != '?' {
		return "", nil, 0, false
	}
	charset, kind := string(rest[:q]), rest[q+1]|0x20
	rest = rest[q+3:]
	end := bytes.Index(rest, []byte("?="))
	// =?utf-8?Q?=41?= holds "?=" at its very start: the end is the first "?=" after the text.
	if end == 0 && kind == 'q' && len(rest) > 2 {
		if next := bytes.Index(rest[1:], []byte("?=")); next >= 0 && isHex(rest[2:]) {
			end = next + 1
		}
	}
	if end < 0 || strings.ContainsAny(charset, " \t<>\"") {
		return "", nil, 0, false
	}
	size = 2 + q + 3 + end + 2
	switch kind {
	case 'q':
		return charset, qWord(rest[:end]), size, true
	case 'b':
		return charset, decodeBase64(rest[:end]), size, true
	}
	return "", nil, 0, false
}

func isHex(b []byte) bool {
	return len(b) >= 2 && unhex(b[0]) >= 0 && unhex(b[1]) >= 0
}

func qWord(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '_':
			out = append(out, ' ')
		case b[i] == '=' && isHex(b[i+1:]):
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
		default:
			out = append(out, b[i])
		}
	}
	return out
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decodeBase64 decodes what it can of a short base64 text.
func decodeBase64(b []byte) []byte {
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(len(b)))
	d := base64Reader{src: bytes.NewReader(b)}
	var buf [512]byte
	for {
		n, err := d.Read(buf[:])
		out = append(out, buf[:n]...)
		if err != nil {
			return out
		}
	}
}
