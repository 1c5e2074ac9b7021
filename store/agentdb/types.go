package agentdb

import (
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

// State is where a mail of the ledger stands. The numbers are stored and never change.
type State int

const (
	Waiting  State = iota + 1 // queued for delivery
	NeedsYou                  // queued, a person has to decide
	Held                      // not queued until a person releases it; content may be kept
	Filtered                  // must not be captured; no content
	Captured                  // saved in Salesforce; neither content nor head
)

var stateNames = map[State]string{
	Waiting: "waiting", NeedsYou: "needs-you", Held: "held", Filtered: "filtered", Captured: "captured",
}

// String returns the name that lists show, such as "needs-you".
func (s State) String() string { return stateNames[s] }

// sending is the name of a waiting mail whose last attempt has not ended yet.
const sending = "sending"

// SkippedRule is the Rule of a mail that the person skipped.
const SkippedRule = "skipped"

// NewMail is one mail as Admit takes it in.
type NewMail struct {
	Key         capture.Key
	Fingerprint [32]byte // capture.Fingerprint
	State       State    // Waiting, Held or Filtered
	Why         fault.Code
	Rule        string // which rule decided
	Mark        capture.Mark
	Live        bool
	Ref         capture.Ref // zero when the place is not known
	Size        int64       // of the raw mail, where Staged does not say
	Received    time.Time
	Head        capture.Header
	// Staged is the content: required when Waiting, optional when Held, dropped when Filtered.
	Staged *Staged
}

// Known is what the ledger remembers of a mail.
type Known struct {
	ID    int64
	State State
	print []byte
	hash  func([32]byte) []byte
}

// Counts is the conservation law: Seen = Captured + Filtered + Held + Waiting, and Waiting
// includes NeedsYou.
type Counts struct {
	Seen     int
	Captured int
	Filtered int
	Held     int
	Waiting  int
	NeedsYou int
}

// Item is one mail of the ledger as a list shows it.
type Item struct {
	ID      int64
	Key     capture.Key
	State   string    // waiting, sending, needs-you, held, filtered, captured
	Date    time.Time // the mail's own, else when it was received
	From    []capture.Address
	To      []capture.Address // the first few
	Subject string
	Size    int64 // bytes of the raw mail
	Mark    capture.Mark
	Ref     capture.Ref // where it was seen last
	Stored  bool        // its content is here
	Tries   int
	Next    time.Time // of a postponed mail; zero when due
	Why     fault.Code
	Rule    string
	Detail  string
}

// Entry is one captured mail of the journal.
type Entry struct {
	Mail     int64
	At       time.Time
	Kind     deliver.Kind
	RecordID string
	Bytes    int64
	Files    int
	LeftOut  int
	Mark     capture.Mark
}
