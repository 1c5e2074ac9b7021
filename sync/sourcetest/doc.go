// Package sourcetest is a pretend mail provider in one process: IMAP over TLS that takes OAuth
// tokens only, the issuer of those tokens, and a believable mailbox.
//
// It speaks the wire and misbehaves on request; the mailboxes live in memory. It is for tests
// and the sandbox only. A [Provider] owns its goroutines: Close returns after they have ended.
// Its methods are safe for concurrent use; the exported fields are set before Start.
package sourcetest
