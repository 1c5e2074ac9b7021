package rules

import (
	"slices"
	"strings"

	"hawser/sync/capture"
)

var kindReasons = map[capture.Kind]Reason{
	capture.KindList: KindList, capture.KindAutoReply: KindAutoReply, capture.KindInvitation: KindInvitation,
	capture.KindBounce: KindBounce, capture.KindEncrypted: KindEncrypted,
}

// kindsOf returns what a mail is by its header. The most telling comes first.
func kindsOf(h *capture.Header) []capture.Kind {
	var kinds []capture.Kind
	automatic := h.AutoSubmitted != "" && h.AutoSubmitted != "no" || h.Precedence == "auto_reply"
	if h.ContentType == "multipart/report" || h.NullReturn && !automatic {
		kinds = append(kinds, capture.KindBounce)
	}
	if h.ContentType == "text/calendar" || h.Calendar {
		kinds = append(kinds, capture.KindInvitation)
	}
	if sealed(h.ContentType) {
		kinds = append(kinds, capture.KindEncrypted)
	}
	if h.ListID != "" || h.Unsubscribe || h.Precedence == "bulk" || h.Precedence == "list" || h.Precedence == "junk" {
		kinds = append(kinds, capture.KindList)
	}
	if automatic {
		kinds = append(kinds, capture.KindAutoReply)
	}
	return kinds
}

// sealed reports whether only the recipient can read this media type: S/MIME (RFC 8551, opaque
// signatures are no easier to read) and PGP (RFC 3156).
func sealed(mediaType string) bool {
	switch mediaType {
	case "application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted", "application/pgp-encrypted":
		return true
	}
	return false
}

// kindsIn returns what only the body shows.
func kindsIn(b *Body) []capture.Kind {
	var kinds []capture.Kind
	if slices.Contains(b.Types, "text/calendar") {
		kinds = append(kinds, capture.KindInvitation)
	}
	if slices.ContainsFunc(b.Types, sealed) || strings.Contains(b.Text, "-----BEGIN PGP MESSAGE-----") {
		kinds = append(kinds, capture.KindEncrypted)
	}
	return kinds
}

// unwanted returns the reason against the first kind that may not be captured.
func (s *Set) unwanted(kinds []capture.Kind) (Reason, bool) {
	for _, k := range kinds {
		if !s.kinds[k] {
			return kindReasons[k], true
		}
	}
	return "", false
}

// hasFiles reports whether a mail has attachments. Where nobody counted them, the media type of
// the whole mail tells what it most likely is.
func hasFiles(m *Message) bool {
	if m.Files >= 0 {
		return m.Files > 0
	}
	main, _, _ := strings.Cut(m.Header.ContentType, "/")
	return m.Header.ContentType == "multipart/mixed" || main != "" && main != "text" && main != "multipart"
}
