// Package rules decides whether a mail may leave this computer, and says which rule decided.
//
// It is pure: a mail's header and size in, a decision out; no I/O, no clock, no goroutines. It
// sees no body and fetches nothing: what a rule needs is in the header.
package rules

import (
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// MaxMail is the largest mail that Hawser carries, in bytes as the mailbox counts them: a
// Salesforce file request ends at 50 MB of base64, and base64 makes four bytes of three.
const MaxMail = 36 << 20

// Verdict is what happens to a mail.
type Verdict string

const (
	Save   Verdict = "save"
	Filter Verdict = "filter" // it stays in the mailbox; the reason is kept
	Hold   Verdict = "hold"   // a person decides
)

// Decision is a verdict and what it rests on: the code of a fault, or the name of a rule.
type Decision struct {
	Verdict Verdict
	Why     string
}

// Decide returns what happens to the mail with the given header and size in bytes.
//
// A mail that its owner marked by hand is saved, whatever its Sensitivity says: marking is
// consent, and the owner sees what they mark. A mail without a mark was chosen by nobody and
// stays where it is.
func Decide(_ capture.Header, size int64, mark capture.Mark) Decision {
	switch mark {
	case capture.MarkFolder, capture.MarkKeyword, capture.MarkHand, capture.MarkThread:
	default:
		return Decision{Filter, "not-marked"}
	}
	if size > MaxMail {
		return Decision{Hold, string(fault.MailTooLarge)}
	}
	return Decision{Save, string(mark)}
}
