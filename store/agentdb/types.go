package agentdb

import (
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/rules"
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

const (
	// HeldFor is how long the content of an unmatched mail is kept.
	HeldFor = 14 * 24 * time.Hour
	// Kept is how long a filtered mail and a journal line are remembered.
	Kept = 90 * 24 * time.Hour
)

// NewMail is one mail as Admit takes it in.
type NewMail struct {
	Key         capture.Key
	Fingerprint [32]byte     // capture.Fingerprint
	State       State        // Waiting, Held or Filtered
	Why         fault.Code   // Held: what a person has to look at
	Reason      rules.Reason // Filtered: why
	Rule        string       // which rule or entry decided
	Mark        capture.Mark
	// Again lets the mail take the place of one that is held or filtered, under a new id; a mail
	// picked by hand needs no leave. The ledger has the last word: see Admit.
	Again    bool
	Live     bool
	Ref      capture.Ref // zero when the place is not known
	Size     int64       // of the raw mail, where Staged does not say
	Received time.Time
	Head     capture.Header
	// Staged is the content: required when Waiting, optional when Held, dropped when Filtered.
	Staged *Staged
	// Answers is what the person said about the mail beforehand, as in deliver.Job.
	Answers map[string]string
}

// Known is what the ledger remembers of a mail.
type Known struct {
	ID    int64
	State State
	Why   string // of a held or filtered mail, as in Reason
	Mark  capture.Mark
	print []byte
	hash  func([32]byte) []byte
}

// Reason is what the ledger says of one mail.
type Reason struct {
	ID       int64
	State    State
	Why      string // a fault's code, or the reason of a filtered mail
	Rule     string
	Mark     capture.Mark
	At       time.Time // when it came into this state
	RecordID string
	Kind     deliver.Kind
}

// Counts is the conservation law: Seen = Captured + Filtered + Held + Waiting, and Waiting
// includes NeedsYou. It is of what the ledger remembers: a filtered mail is forgotten after Kept.
type Counts struct {
	Seen     int
	Captured int
	Filtered int
	Held     int
	Waiting  int
	NeedsYou int
}

// Item is one mail of the ledger as a list shows it. Of a filtered mail that never entered the
// queue it has ID, State, Date (when it was seen), Mark, Reason and Rule.
type Item struct {
	ID       int64
	Key      capture.Key
	State    string    // waiting, sending, needs-you, held, filtered, captured
	Date     time.Time // the mail's own, else when it was received
	From     []capture.Address
	To       []capture.Address // the first few
	Subject  string
	Size     int64 // bytes of the raw mail
	Mark     capture.Mark
	Ref      capture.Ref // where it was seen last
	Stored   bool        // its content is here
	Tries    int
	Next     time.Time // of a postponed mail; zero when due
	Expires  time.Time // when an unmatched mail is given up; zero otherwise
	Why      fault.Code
	Reason   rules.Reason // of a filtered mail
	Rule     string
	Detail   string
	Question *capture.Question // that the mail waits for
}

// Entry is one line of the journal.
type Entry struct {
	Mail     int64
	At       time.Time
	Kind     deliver.Kind
	RecordID string
	Bytes    int64
	Files    int
	LeftOut  int
	Mark     capture.Mark
	Level    capture.Level
	Matched  []match.Reason
	Removed  time.Time // when the record was deleted again; zero otherwise

	line int64
}
