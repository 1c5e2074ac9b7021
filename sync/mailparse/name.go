package mailparse

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// extensions for parts that bring no name. Fixed here, because the operating system's own table
// differs from computer to computer.
var extensions = map[string]string{
	"text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "text/csv": ".csv", "text/vcard": ".vcf",
	"text/x-vcard": ".vcf", "text/rfc822-headers": ".txt", "text/enriched": ".txt", "text/xml": ".xml",
	"message/rfc822": ".eml", "message/global": ".eml", "message/delivery-status": ".txt",
	"message/disposition-notification": ".txt", "message/partial": ".eml", "message/external-body": ".txt",
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg", "image/webp": ".webp",
	"image/tiff": ".tif", "image/bmp": ".bmp", "application/pdf": ".pdf", "application/zip": ".zip",
	"application/json": ".json", "application/xml": ".xml", "application/ms-tnef": ".dat",
	"application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m", "application/pkcs7-signature": ".p7s",
	"application/x-pkcs7-signature": ".p7s", "application/pgp-signature": ".asc", "application/pgp-keys": ".asc",
	"application/pgp-encrypted": ".txt", "audio/mpeg": ".mp3", "audio/basic": ".au", "video/mp4": ".mp4",
}

// names that parts of these types are known by.
var usualNames = map[string]string{
	"text/calendar": "invite.ics", "application/ms-tnef": "winmail.dat", "application/pkcs7-mime": "smime.p7m",
	"application/x-pkcs7-mime": "smime.p7m", "application/pkcs7-signature": "smime.p7s",
	"application/x-pkcs7-signature": "smime.p7s", "application/pgp-signature": "signature.asc",
	"message/delivery-status": "delivery-status.txt", "text/rfc822-headers": "headers.txt",
}

const maxName = 120 // characters

// nameOf returns the file name of the attachment with the given index: what the mail calls it,
// without any folder, else a usual one.
func nameOf(p *part, index int) string {
	if name := baseName(p.fileName); name != "" {
		return name
	}
	if name, ok := usualNames[p.mediaType]; ok {
		return name
	}
	ext, ok := extensions[p.mediaType]
	if !ok {
		ext = ".bin"
	}
	return "part-" + strconv.Itoa(index+1) + ext
}

// baseName makes a file name of what a stranger wrote: no path, no control or direction
// characters (an "exe" written backwards), not longer than file systems take, its ending kept.
func baseName(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune(`<>:"|?*`, r) {
			return -1
		}
		return r
	}, s)
	s = strings.Trim(s, " .")
	if utf8.RuneCountInString(s) <= maxName {
		return s
	}
	ext := path.Ext(s)
	if utf8.RuneCountInString(ext) > 12 {
		ext = ""
	}
	return cutRunes(s, maxName-utf8.RuneCountInString(ext)) + ext
}

// cutRunes returns the first n characters of s.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
