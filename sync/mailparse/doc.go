// Package mailparse reads e-mails as they really are: RFC 5322 and MIME, and everything that
// senders take for it.
//
// It is pure: bytes in, values of package capture out; no sockets, no files, no goroutines, no
// memory between calls, so every function may be called concurrently. It decides what a mail
// says, never what is done with it.
//
// Bad content is never an error. What cannot be understood is kept as well as it can be (raw
// text, raw bytes) and named in Mail.Warnings; the only errors come from the reader that
// delivers the mail. Everything is bounded: one pass over the bytes with a small buffer, caps on
// header size, parts, depth and text, so a hostile mail costs no more than a large one.
//
// One walker (see scanner) finds the parts for Parse, File and Text, at every size. A second one
// would sooner or later number the attachments differently, and a wrong file would be saved.
package mailparse

// What one mail may cost. Beyond these the rest is left out and Mail.Warnings says so.
const (
	maxHeader     = 256 << 10 // bytes of the mail's own header block that are considered
	maxPartHeader = 64 << 10  // the same for one part
	maxParts      = 500       // leaves and branches together
	maxDepth      = 20        // multiparts within multiparts; deeper ones stay one attachment
	maxText       = 1 << 20   // bytes of Text and of HTML, each
	maxRawHeaders = 32_000    // characters of Mail.RawHeaders
	maxAddresses  = 2_000     // of one address field
	maxReferences = 200
)
