package mailparse

import (
	"strings"
	"unicode/utf8"

	"github.com/cention-sany/utf7"
	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Names that mailers write and that no index knows.
var oddCharsets = map[string]encoding.Encoding{
	"utf-7":               utf7.UTF7,
	"unicode-1-1-utf-7":   utf7.UTF7,
	"x-unicode-2-0-utf-7": utf7.UTF7,
	"utf7":                utf7.UTF7,
	"cp932":               japanese.ShiftJIS,
	"ms932":               japanese.ShiftJIS,
	"windows-932":         japanese.ShiftJIS,
	"cp50220":             japanese.ISO2022JP,
	"iso-2022-jp-1":       japanese.ISO2022JP,
	"iso-2022-jp-2":       japanese.ISO2022JP,
	"iso-2022-jp-ms":      japanese.ISO2022JP,
	"cp949":               korean.EUCKR,
	"ks_c_5601":           korean.EUCKR,
	"cp936":               simplifiedchinese.GBK,
	"gb18030-2000":        simplifiedchinese.GB18030,
	"ansi":                charmap.Windows1252,
	"iso8859-1":           charmap.Windows1252,
	"latin-1":             charmap.Windows1252,
}

// minConfidence is how sure (of 100) the detector must be before its guess is believed.
const minConfidence = 60

// lookup returns the encoding with the given name. ok is false for unknown names; a nil
// encoding is UTF-8 (of which ASCII is a part).
func lookup(name string) (enc encoding.Encoding, ok bool) {
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	name = strings.TrimPrefix(name, "charset=")
	if star := strings.IndexByte(name, '*'); star > 0 {
		name = name[:star] // RFC 2231 language tag
	}
	switch name {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf8mb4", "x-utf-8", "unicode-1-1-utf-8", "ansi_x3.4-1968":
		return nil, true
	}
	if enc, ok = oddCharsets[name]; ok {
		return enc, true
	}
	if enc, err := htmlindex.Get(name); err == nil {
		return enc, true
	}
	if strings.HasPrefix(name, "cp") {
		if enc, err := htmlindex.Get("windows-" + name[2:]); err == nil {
			return enc, true
		}
	}
	if enc, err := ianaindex.MIME.Encoding(name); err == nil && enc != nil {
		return enc, true
	}
	return nil, false
}

// toUTF8 returns b, which claims to be in the named charset, as clean text. honest is false
// when the claim was unknown or wrong and a guess was made.
func toUTF8(b []byte, charset string) (s string, honest bool) {
	enc, ok := lookup(charset)
	switch {
	case ok && enc != nil:
		if s, err := enc.NewDecoder().Bytes(b); err == nil {
			return clean(string(s)), true
		}
		return guess(b), false
	case utf8.Valid(b):
		return clean(string(b)), ok || charset == ""
	case isUTF8Name(charset) && mostlyUTF8(b):
		return clean(string(b)), false // a cut or damaged character within good text
	}
	return guess(b), false
}

func isUTF8Name(name string) bool {
	name = strings.ToLower(name)
	return name == "utf-8" || name == "utf8"
}

// mostlyUTF8 reports whether b has no more broken characters than good ones beyond ASCII.
func mostlyUTF8(b []byte) bool {
	bad, good := 0, 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else if n > 1 {
			good++
		}
		i += n
	}
	return bad <= good
}

// guess decodes text of an unknown charset.
func guess(b []byte) string {
	if utf8.Valid(b) {
		return clean(string(b))
	}
	if len(b) >= 32 {
		if enc, ok := lookup(detect(b[:min(len(b), 8<<10)])); ok && enc != nil {
			if s, err := enc.NewDecoder().Bytes(b); err == nil {
				return clean(string(s))
			}
		}
	}
	s, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return clean(string(b))
	}
	return clean(string(s))
}

// detect names the likeliest charset of b, "" where none is likely. Of several equally likely ones it
// is always the same: the detector itself takes the one that is done first, and a subject that reads
// differently each time would make one mail two.
func detect(b []byte) string {
	all, err := chardet.NewTextDetector().DetectAll(b)
	if err != nil || all[0].Confidence < minConfidence {
		return ""
	}
	best := all[0]
	for _, r := range all[1:] {
		if r.Confidence == best.Confidence && r.Charset < best.Charset {
			best = r
		}
	}
	return best.Charset
}

// clean returns s as valid UTF-8 without NUL, which neither JSON nor SQLite text can carry.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
