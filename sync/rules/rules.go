// Package rules decides whether a mail may leave this computer, and says what decided.
//
// [Compile] makes a [Set] of what the person and the company chose; [Set.Decide] holds a mail
// against it. The package is pure: a mail's header and what is known of it in, a decision out; no
// I/O, no clock, no goroutines. Where more has to be known, the decision says so: [Ask] for the
// people in the mail, [Read] for its text. A Set does not change and is safe for concurrent use.
//
// What a person marked is saved: marking is consent. Only the company stops it, with a deny rule
// or an entry of a block list that it locked. A mail that nobody marked is saved when it lies in
// a chosen folder and in the window of time, nobody in it is blocked, its kind is wanted, a rule
// allows it and no rule denies it. The order of the rules says which of them is named; it never
// lets an allow win over a deny, wherever either stands.
package rules

import (
	"time"

	"hawser/sync/capture"
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
	Ask    Verdict = "ask"    // decide again with Message.People
	Read   Verdict = "read"   // decide again with Message.Body
)

// Reason is why a mail is left out. Its text is "reason.<reason>" in the catalogue.
type Reason string

const (
	NotMarked        Reason = "not-marked"    // and the company keeps automatic capture off
	AutomaticOff     Reason = "automatic-off" // and it was not marked
	DeniedByRule     Reason = "denied-by-rule"
	NoRuleAllows     Reason = "no-rule-allows"
	BlockedInternal  Reason = "blocked-internal" // nobody in it but colleagues
	BlockedFreeMail  Reason = "blocked-free-mail"
	BlockedCompany   Reason = "blocked-company"
	BlockedPersonal  Reason = "blocked-personal"
	WrongDirection   Reason = "wrong-direction"
	FolderNotChosen  Reason = "folder-not-chosen"
	BeforeWindow     Reason = "before-window"
	KindList         Reason = "kind-list"
	KindAutoReply    Reason = "kind-auto-reply"
	KindInvitation   Reason = "kind-invitation"
	KindBounce       Reason = "kind-bounce"
	KindEncrypted    Reason = "kind-encrypted"
	SkippedByHand    Reason = "skipped-by-hand"
	ExpiredUnmatched Reason = "expired-unmatched" // nobody said within 14 days whom it belongs to
	RemovedAgain     Reason = "removed-again"     // the person took its record out of Salesforce
)

// Reasons lists every reason, for the tests that demand a text for each.
var Reasons = []Reason{
	NotMarked, AutomaticOff, DeniedByRule, NoRuleAllows, BlockedInternal, BlockedFreeMail, BlockedCompany, BlockedPersonal,
	WrongDirection, FolderNotChosen, BeforeWindow, KindList, KindAutoReply, KindInvitation, KindBounce, KindEncrypted,
	SkippedByHand, ExpiredUnmatched, RemovedAgain,
}

// ByRules reports whether r is decided by [Set.Decide], so that other rules, or another place of
// the same mail, may decide otherwise.
func (r Reason) ByRules() bool {
	switch r {
	case NotMarked, AutomaticOff, DeniedByRule, NoRuleAllows, BlockedInternal, BlockedFreeMail, BlockedCompany, BlockedPersonal,
		WrongDirection, FolderNotChosen, BeforeWindow, KindList, KindAutoReply, KindInvitation, KindBounce, KindEncrypted:
		return true
	}
	return false
}

// Message is what is known of a mail.
type Message struct {
	Header   capture.Header
	Folder   string   // where it lies
	Role     string   // of that folder, as in [capture.Folder]
	Labels   []string // the provider's
	Flags    []string
	Size     int64     // bytes, as the mailbox counts them
	Files    int       // attachments; -1 is not known
	Received time.Time // by the mailbox
	Body     *Body     // nil until it is read

	// People holds the types of the records that carry an address, such as "Contact", by the address
	// as [Set.People] names it. nil is not looked up; an address that is absent has none.
	People map[string][]string
}

// Body is what rules need of a mail beyond its header.
type Body struct {
	Text  string   // what a person reads of it, whether it is written as text or as HTML
	Types []string // media types of its parts, lower case
}

// Decision is a verdict and what it rests on.
type Decision struct {
	Verdict Verdict
	Why     string // Filter: a Reason; Hold: a fault code; Save and Read: the mark
	Rule    string // the id of the rule that decided, "" for none
	Detail  string // for the person alone: the entry of a list that decided
}
