package imapsource

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// nameEncoding is the base64 of folder names (RFC 3501 section 5.1.3).
var nameEncoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// decodeName reads a name in modified UTF-7. What is none stays as it is, in valid UTF-8.
func decodeName(s string) string {
	var b strings.Builder
	for rest := s; rest != ""; {
		plain, coded, found := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !found {
			break
		}
		code, after, ended := strings.Cut(coded, "-")
		raw, err := nameEncoding.DecodeString(code)
		if !ended || err != nil || len(raw)%2 != 0 {
			return strings.ToValidUTF8(s, "?")
		}
		rest = after
		if code == "" {
			b.WriteByte('&')
			continue
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return strings.ToValidUTF8(b.String(), "?")
}

// encodeName writes a name in modified UTF-7.
func encodeName(s string) string {
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
		if n < 0 {
			n = len(s)
		}
		b.WriteString(strings.ReplaceAll(s[:n], "&", "&-"))
		s = s[n:]
		var units []uint16
		for s != "" {
			r, size := utf8.DecodeRuneInString(s)
			if r >= ' ' && r <= '~' {
				break
			}
			units = utf16.AppendRune(units, r)
			s = s[size:]
		}
		if len(units) > 0 {
			raw := make([]byte, 0, 2*len(units))
			for _, u := range units {
				raw = append(raw, byte(u>>8), byte(u))
			}
			b.WriteString("&" + nameEncoding.EncodeToString(raw) + "-")
		}
	}
	return b.String()
}
