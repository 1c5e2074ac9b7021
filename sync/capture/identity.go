package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Account is the one Salesforce account a profile is bound to, by its immutable ids
// (18-character form).
type Account struct {
	OrgID  string
	UserID string
}

// Mailbox is the one mailbox a profile is bound to: the OpenID Connect issuer and subject that
// signed in, and the address it is known by.
type Mailbox struct {
	Issuer  string
	Subject string
	Address string
}

// Key identifies one mail of one account: 64 lower-case hexadecimal digits. Salesforce is asked
// for it before a retry, so it never depends on where or when the mail was seen.
type Key string

// MailKey returns the key of the mail with the given Message-ID, which must be normalised.
func MailKey(a Account, messageID string) Key {
	return hashKey(a, messageID, nil)
}

// DigestKey returns the key of a mail whose Message-ID is missing (""), or is already taken by
// a mail with another fingerprint.
func DigestKey(a Account, messageID string, digest [32]byte) Key {
	return hashKey(a, messageID, digest[:])
}

func hashKey(a Account, messageID string, digest []byte) Key {
	h := sha256.New()
	for _, part := range []string{"hawser-mail-1", a.OrgID, a.UserID, messageID} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(digest)
	return Key(hex.EncodeToString(h.Sum(nil)))
}

// NormaliseMessageID returns the Message-ID as Hawser compares it (RFC 5322 section 3.6.4): the
// first <...> token, its domain in lower case, no white space. Without angle brackets the
// trimmed text is wrapped in them; "" stays "".
func NormaliseMessageID(raw string) string {
	s := strings.TrimSpace(raw)
	if open := strings.IndexByte(s, '<'); open >= 0 {
		s = s[open+1:]
		if end := strings.IndexByte(s, '>'); end >= 0 {
			s = s[:end]
		}
	}
	s = strings.Join(strings.Fields(s), "")
	if s == "" {
		return ""
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		s = s[:at] + strings.ToLower(s[at:])
	}
	return "<" + s + ">"
}

// Fingerprint tells two mails apart that claim the same Message-ID: the sender's address, the
// date and the subject, which do not change on the way or between folders.
func Fingerprint(h Header) [32]byte {
	d := sha256.New()
	if len(h.From) > 0 {
		d.Write([]byte(strings.ToLower(h.From[0].Addr)))
	}
	d.Write([]byte{0})
	if !h.Date.IsZero() {
		d.Write([]byte(h.Date.UTC().Format("20060102150405")))
	}
	d.Write([]byte{0})
	d.Write([]byte(h.Subject))
	return [32]byte(d.Sum(nil))
}
